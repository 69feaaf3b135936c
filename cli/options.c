/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "options.h"

#include <limits.h>
#include <pwd.h>
#include <stdarg.h>

#include "render/text.h"
#include "sonde/base/format.h"

struct parser {
	struct options *o;
	struct error *e;
	int argc, next; /* argv[next] is what comes next */
	char **argv;
};

int usage_error(const struct options *o, struct error *e, const char *fmt, ...)
{
	char message[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	error_set(e, EINVAL, "BadArgument", "%s", message);
	if (o->verb)
		error_fix(e, "see sonde %s --help", o->verb->name);
	else
		error_fix(e, "see sonde --help");
	return -EINVAL;
}

static int bad_value(struct parser *p, const char *shown, const char *value, const char *wanted)
{
	return usage_error(p->o, p->e, "%s %s: %s", shown, value, wanted);
}

static int parse_pids(struct parser *p, const char *shown, const char *value)
{
	_cleanup_(freep) char *copy = strdup(value);
	char *rest = copy, *word;

	if (!copy)
		return -ENOMEM;
	while ((word = strsep(&rest, ","))) {
		struct options *o = p->o;
		uint64_t pid;

		if (parse_u64(word, &pid) < 0 || !pid || pid > INT_MAX)
			return bad_value(p, shown, value, "not a process ID");
		if (array_reserve(&o->pids, &o->cap_pids, o->n_pids + 1, sizeof(*o->pids)) < 0)
			return -ENOMEM;
		o->pids[o->n_pids++] = (uint32_t)pid;
	}
	return 0;
}

static int parse_time(struct parser *p, const char *shown, const char *value, bool plain_seconds,
		      struct number *ret)
{
	uint64_t n;
	int r;

	if (parse_u64(value, &n) == 0) {
		if (!plain_seconds)
			return usage_error(p->o, p->e, "%s %s has no unit: write %sms (or us, s)",
					   shown, value, value);
		if (n > UINT32_MAX)
			return bad_value(p, shown, value, "too long");
		n *= NSEC_PER_SEC;
	} else {
		r = parse_duration(value, &n);
		if (r == -ERANGE)
			return bad_value(p, shown, value, "out of range");
		if (r < 0)
			return bad_value(p, shown, value, "not a time such as 250us, 10ms or 2s");
	}
	/* Numbers travel as JSON, which keeps integers up to 2^53 exact. */
	if (!n || n >= 1ULL << 53)
		return bad_value(p, shown, value, "out of range");
	*ret = (struct number){true, n};
	return 0;
}

static int parse_bytes(struct parser *p, const char *shown, const char *value, struct number *ret)
{
	uint64_t n;

	if (parse_size(value, &n) < 0)
		return bad_value(p, shown, value, "not a size such as 100MB or 2GiB");
	if (!n || n > INT64_MAX)
		return bad_value(p, shown, value, "out of range");
	*ret = (struct number){true, n};
	return 0;
}

static int parse_uid(struct parser *p, const char *shown, const char *value, struct number *ret)
{
	const struct passwd *pw;
	uint64_t uid;

	if (parse_u64(value, &uid) < 0) {
		pw = getpwnam(value);
		if (!pw)
			return bad_value(p, shown, value, "no user of that name");
		uid = pw->pw_uid;
	}
	if (uid >= UINT32_MAX)
		return bad_value(p, shown, value, "not a user ID");
	*ret = (struct number){true, uid};
	return 0;
}

static int parse_percent(struct parser *p, const char *shown, const char *value,
			 struct percent *ret)
{
	char *end;
	double v = strtod(value, &end);

	if (*end == '%')
		end++;
	if (end == value || *end || !(v >= 0 && v <= 100))
		return bad_value(p, shown, value, "not a percentage from 0 to 100");
	*ret = (struct percent){true, v};
	return 0;
}

static int parse_factor(struct parser *p, const char *shown, const char *value, struct percent *ret)
{
	char *end;
	double v = strtod(value, &end);

	if (end != value && *end == 'x')
		end++;
	if (end == value || *end || !(v > 0 && v <= 1e9))
		return bad_value(p, shown, value, "not a factor above 0 such as 1, 10 or 0.5");
	*ret = (struct percent){true, v};
	return 0;
}

/* The choice that equals the value; the array behind `choices` is one text split by '|'. */
static int parse_choice(struct parser *p, const struct option_def *d, const char *shown,
			const char *value, const char **ret)
{
	size_t len = strlen(value);

	for (const char *c = d->choices; *c;) {
		size_t n = strcspn(c, "|");

		if (n == len && memcmp(c, value, n) == 0) {
			*ret = value;
			return 0;
		}
		c += n;
		if (*c)
			c++;
	}
	return usage_error(p->o, p->e, "%s %s: must be one of %s", shown, value, d->choices);
}

static int parse_number(struct parser *p, const char *shown, const char *value, struct number *ret)
{
	uint64_t n;

	if (parse_u64(value, &n) < 0)
		return bad_value(p, shown, value, "not a number");
	if (!n || n > INT_MAX)
		return bad_value(p, shown, value, "must be from 1 to 2147483647");
	*ret = (struct number){true, n};
	return 0;
}

static int append_text(struct parser *p, const char *shown, const char *value, struct texts *ret)
{
	if (!*value)
		return usage_error(p->o, p->e, "%s needs a value that is not empty", shown);
	if (array_reserve(&ret->items, &ret->cap, ret->n + 1, sizeof(*ret->items)) < 0)
		return -ENOMEM;
	ret->items[ret->n] = strdup(value);
	return ret->items[ret->n++] ? 0 : -ENOMEM;
}

/* Commas inside brackets and quotes belong to what is there: 'f(int, int)', buf(args.a->b, 8). */
static int parse_texts(struct parser *p, const char *shown, const char *value, struct texts *ret)
{
	while (*value) {
		size_t len = 0;
		int depth = 0;

		for (; value[len] && (depth > 0 || value[len] != ','); len++) {
			bool arrow = len > 0 && value[len] == '>' && value[len - 1] == '-';

			depth += strchr("([{<", value[len])		? 1
				 : strchr(")]}>", value[len]) && !arrow ? -1
									: 0;
		}
		if (len == 0)
			return bad_value(p, shown, value, "has an empty part");
		if (array_reserve(&ret->items, &ret->cap, ret->n + 1, sizeof(*ret->items)) < 0)
			return -ENOMEM;
		ret->items[ret->n] = strndup(value, len);
		if (!ret->items[ret->n++])
			return -ENOMEM;
		value += len + (value[len] == ',');
	}
	return 0;
}

static int parse_point(struct parser *p, const char *shown, const char *value, struct number *ret)
{
	const char *why;
	uint64_t us;

	if (timespec_parse(value, now_epoch_us(), &us, &why) < 0)
		return bad_value(p, shown, value, why);
	*ret = (struct number){true, us};
	return 0;
}

static int parse_range(struct parser *p, const char *shown, const char *value, struct range *ret)
{
	const char *why;

	if (timespec_parse_range(value, now_epoch_us(), ret, &why) < 0)
		return bad_value(p, shown, value, why);
	return 0;
}

static int set_value(struct parser *p, const struct option_def *d, const char *shown,
		     const char *value)
{
	void *at = (char *)p->o + d->offset;

	switch (d->kind) {
	case OPTION_FLAG:
		*(bool *)at = true;
		return 0;
	case OPTION_TEXT:
		if (!*value)
			return usage_error(p->o, p->e, "%s needs a value that is not empty", shown);
		*(const char **)at = value;
		return 0;
	case OPTION_CHOICE:
		return parse_choice(p, d, shown, value, at);
	case OPTION_REPEAT:
		return append_text(p, shown, value, at);
	case OPTION_TEXTS:
		return parse_texts(p, shown, value, at);
	case OPTION_SIZE:
		return parse_bytes(p, shown, value, at);
	case OPTION_NUMBER:
		return parse_number(p, shown, value, at);
	case OPTION_UID:
		return parse_uid(p, shown, value, at);
	case OPTION_PERCENT:
		return parse_percent(p, shown, value, at);
	case OPTION_FACTOR:
		return parse_factor(p, shown, value, at);
	case OPTION_PIDS:
		return parse_pids(p, shown, value);
	case OPTION_RANGE:
		return parse_range(p, shown, value, at);
	case OPTION_TIME:
		return parse_point(p, shown, value, at);
	case OPTION_DURATION:
	case OPTION_SECONDS:
		return parse_time(p, shown, value, d->kind == OPTION_SECONDS, at);
	}
	return -EINVAL;
}

bool option_known(const struct verb *v, const char *name)
{
	for (size_t i = 0; i < option_defs_count; i++)
		if (option_defs[i].name && streq(option_defs[i].name, name) &&
		    option_taken_by(&option_defs[i], v))
			return true;
	return false;
}

/* The definition for the verb at hand; *ret_elsewhere: another verb knows the option. */
static const struct option_def *find_option(const struct parser *p, char letter, const char *name,
					    size_t len, bool *ret_elsewhere)
{
	*ret_elsewhere = false;
	for (size_t i = 0; i < option_defs_count; i++) {
		const struct option_def *d = &option_defs[i];

		if (letter ? d->letter != letter
			   : !d->name || strlen(d->name) != len || memcmp(d->name, name, len) != 0)
			continue;
		if (option_taken_by(d, p->o->verb))
			return d;
		*ret_elsewhere = true;
	}
	return NULL;
}

static int unknown_option(struct parser *p, const char *shown, bool elsewhere)
{
	struct nearest near = nearest_to(shown + strspn(shown, "-"));
	const char *best;

	if (elsewhere && !p->o->verb)
		return usage_error(p->o, p->e, "%s belongs behind the verb: sonde VERB %s", shown,
				   shown);
	if (elsewhere)
		return usage_error(p->o, p->e, "%s does not take %s", p->o->verb->name, shown);
	for (size_t i = 0; i < option_defs_count; i++)
		if (option_defs[i].name &&
		    (!p->o->verb || option_taken_by(&option_defs[i], p->o->verb)))
			nearest_try(&near, option_defs[i].name);
	best = startswith(shown, "--") ? nearest_get(&near) : NULL;
	if (best)
		return usage_error(p->o, p->e, "unknown option %s, did you mean --%s?", shown,
				   best);
	return usage_error(p->o, p->e, "unknown option %s", shown);
}

static int take_value(struct parser *p, const struct option_def *d, const char *shown,
		      const char *attached)
{
	if (d->kind == OPTION_FLAG)
		return attached ? usage_error(p->o, p->e, "%s takes no value", shown)
				: set_value(p, d, shown, NULL);
	if (!attached) {
		if (p->next >= p->argc)
			return usage_error(p->o, p->e, "%s needs a value: %s %s", shown, shown,
					   d->argument);
		attached = p->argv[p->next++];
	}
	return set_value(p, d, shown, attached);
}

static int parse_long(struct parser *p, const char *arg)
{
	size_t len = strcspn(arg + 2, "=");
	const char *attached = arg[2 + len] == '=' ? arg + 3 + len : NULL;
	const struct option_def *d;
	char shown[64];
	bool elsewhere;

	snprintf(shown, sizeof(shown), "--%.*s", (int)MIN(len, sizeof(shown) - 3), arg + 2);
	d = find_option(p, 0, arg + 2, len, &elsewhere);
	if (!d)
		return unknown_option(p, shown, elsewhere);
	return take_value(p, d, shown, attached);
}

/* A cluster such as -qa, or -p4711: the first option that takes a value takes the rest. */
static int parse_short(struct parser *p, const char *arg)
{
	for (const char *c = arg + 1; *c; c++) {
		char shown[3] = {'-', *c, '\0'};
		const struct option_def *d;
		bool elsewhere;
		int r;

		d = find_option(p, *c, NULL, 0, &elsewhere);
		if (!d)
			return unknown_option(p, shown, elsewhere);
		if (d->kind != OPTION_FLAG)
			return take_value(p, d, shown, c[1] ? c + 1 : NULL);
		r = take_value(p, d, shown, NULL);
		if (r < 0)
			return r;
	}
	return 0;
}

static int parse_operand(struct parser *p, const char *arg)
{
	struct options *o = p->o;
	const char *near;

	if (!o->verb) {
		o->verb = verb_find(arg);
		if (o->verb)
			return 0;
		near = verb_nearest(arg);
		return near ? usage_error(o, p->e, "unknown verb %s, did you mean %s?", arg, near)
			    : usage_error(o, p->e, "unknown verb %s", arg);
	}
	if (!*o->verb->operands)
		return usage_error(o, p->e, "%s takes no operand, but got %s", o->verb->name, arg);
	if (array_reserve(&o->operands, &o->cap_operands, o->n_operands + 1, sizeof(*o->operands)) <
	    0)
		return -ENOMEM;
	o->operands[o->n_operands++] = arg;
	return 0;
}

static int take_command(struct parser *p)
{
	struct options *o = p->o;

	if (!o->verb || !strstr(o->verb->operands, "COMMAND"))
		return usage_error(o, p->e, "%s runs no command: nothing may follow --",
				   o->verb ? o->verb->name : "sonde");
	if (p->next >= p->argc || !*p->argv[p->next])
		return usage_error(o, p->e, "a command must follow --");
	o->command = p->argv + p->next;
	return 0;
}

static int parse_all(struct parser *p)
{
	int r = 0;

	while (p->next < p->argc && r >= 0) {
		const char *arg = p->argv[p->next++];

		if (streq(arg, "--"))
			return take_command(p);
		if (startswith(arg, "--"))
			r = parse_long(p, arg);
		else if (arg[0] == '-' && arg[1])
			r = parse_short(p, arg);
		else
			r = parse_operand(p, arg);
		if (r == -ENOMEM)
			error_set(p->e, ENOMEM, "Internal", "out of memory");
	}
	return r;
}

static int take_short_forms(struct parser *p)
{
	struct options *o = p->o;

	if (o->by && o->by_category)
		return usage_error(o, p->e, "either --by %s or --by-category", o->by);
	if (o->by_category)
		o->by = "category";
	return 0;
}

int options_parse(struct options *o, int argc, char **argv, struct error *e)
{
	struct parser p = {.o = o, .e = e, .argc = argc, .next = 1, .argv = argv};
	const char *env = getenv("SONDE_SOCKET");
	int r;

	*o = (struct options){.color = "auto"};
	/* Known before anything can go wrong, so that the error itself comes as JSON. */
	for (int i = 1; i < argc && !streq(argv[i], "--"); i++)
		o->json |= streq(argv[i], "--json");
	r = parse_all(&p);
	if (r >= 0)
		r = take_short_forms(&p);
	o->socket_given = o->socket != NULL;
	if (!o->socket)
		o->socket = env && *env ? env : "/run/sonde/sonde.sock";
	return r;
}

static void free_texts(struct texts *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->items[i]);
	free(t->items);
}

void options_release(struct options *o)
{
	free_texts(&o->inputs);
	free_texts(&o->inside);
	free_texts(&o->capture);
	free_texts(&o->redact);
	free_texts(&o->fail_if);
	free_texts(&o->report);
	free(o->pids);
	free(o->operands);
	*o = (struct options){0};
}
