/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/config.h"

#include <ini.h>

#include "sonde/base/format.h"

enum key_kind { KEY_PATH, KEY_SIZE, KEY_RING_SIZE, KEY_NUMBER, KEY_TIME, KEY_CHOICE };

#define KIB (1ULL << 10)
#define MIB (1ULL << 20)
#define GIB (1ULL << 30)

struct key {
	const char *section, *name;
	enum key_kind kind;
	size_t offset; /* in struct config: a char * or a uint64_t */
	const char *fallback;
	uint64_t min, max;	/* sizes, numbers, nanoseconds */
	const char *choices[8]; /* KEY_CHOICE */
	const char *meaning;	/* lines */
};

static const struct key keys[] = {
	{"daemon", "socket", KEY_PATH, offsetof(struct config, socket), "/run/sonde/sonde.sock",
	 .meaning = "Where the daemon listens."},
	{"daemon", "ring_size", KEY_RING_SIZE, offsetof(struct config, ring_size), "16MiB", MIB,
	 GIB,
	 .meaning = "The buffer between kernel and daemon, rounded up to a power of two.\n"
		    "Larger: fewer losses when many spans come at once."},
	{"daemon", "symbol_cache", KEY_SIZE, offsetof(struct config, symbol_cache), "24MiB", MIB,
	 64 * GIB, .meaning = "Memory for symbol tables."},
	{"daemon", "cache", KEY_PATH, offsetof(struct config, cache), "/var/cache/sonde",
	 .meaning =
		 "Where symbol tables are kept on disk. Not used unless the daemon's user alone\n"
		 "can write to it."},
	{"daemon", "cache_size", KEY_SIZE, offsetof(struct config, cache_size), "256MiB", MIB,
	 64 * GIB, .meaning = "Disk space for them: the ones unused for longest go."},
	{"daemon", "unwind_memory", KEY_SIZE, offsetof(struct config, unwind_memory), "256MiB", MIB,
	 64 * GIB, .meaning = "Kernel memory for unwind tables, which user stacks are found by."},
	{"daemon", "raw_memory", KEY_SIZE, offsetof(struct config, raw_memory), "16MiB", 64 * KIB,
	 64 * GIB,
	 .meaning = "Memory for the single spans of a session, packed (the newest are kept)."},
	{"history", "keep", KEY_CHOICE, offsetof(struct config, history), "yes",
	 .choices = {"yes", "no"},
	 .meaning = "Whether the machine is sampled all the time and the store is written."},
	{"history", "store", KEY_PATH, offsetof(struct config, store), "/var/lib/sonde",
	 .meaning = "The directory of the store."},
	{"history", "sessions", KEY_PATH, offsetof(struct config, sessions),
	 "/etc/sonde/sessions.d",
	 .meaning = "Sessions that start with the daemon: files NAME.conf, see sonded(8)."},
	{"history", "frequency", KEY_NUMBER, offsetof(struct config, history_frequency), "19", 1,
	 1000, .meaning = "CPU samples a second on each CPU."},
	{"history", "window", KEY_TIME, offsetof(struct config, history_window_ns), "10s",
	 NSEC_PER_SEC, 600 * NSEC_PER_SEC,
	 .meaning = "How long the time is that goes to the store as one. Later it is merged into\n"
		    "minutes, and then into ten minutes."},
	{"retention", "time", KEY_TIME, offsetof(struct config, retention_time_ns), "7d",
	 60 * NSEC_PER_SEC, 3650 * 86400 * NSEC_PER_SEC, .meaning = "What is older is dropped."},
	{"retention", "size", KEY_SIZE, offsetof(struct config, retention_size), "1GiB", 4 * MIB,
	 1024 * GIB, .meaning = "Of more than that on disk the oldest is dropped."},
	{"log", "level", KEY_CHOICE, offsetof(struct config, log_level), "info",
	 .choices = {"trace", "debug", "info", "warn", "error", "critical"},
	 .meaning = "The least important messages that are logged. $SONDE_LOG_LEVEL wins."},
	{"log", "format", KEY_CHOICE, offsetof(struct config, log_format), "plain",
	 .choices = {"plain", "json"},
	 .meaning = "How they are written to standard error. $SONDE_LOG_FORMAT wins."},
};

struct config *config_free(struct config *c)
{
	if (!c)
		return NULL;
	free(c->socket);
	free(c->cache);
	free(c->history);
	free(c->store);
	free(c->sessions);
	free(c->log_level);
	free(c->log_format);
	free(c);
	return NULL;
}

/* The values that a key takes, in words. */
static void describe_values(const struct key *k, struct strbuf *out)
{
	char min[FORMAT_MAX], max[FORMAT_MAX];

	switch (k->kind) {
	case KEY_PATH:
		strbuf_puts(out, "an absolute path");
		break;
	case KEY_SIZE:
	case KEY_RING_SIZE:
		strbuf_printf(out, "a size from %s to %s, such as %s", format_size(min, k->min),
			      format_size(max, k->max), k->fallback);
		break;
	case KEY_NUMBER:
		strbuf_printf(out, "a number from %llu to %llu", (unsigned long long)k->min,
			      (unsigned long long)k->max);
		break;
	case KEY_TIME:
		strbuf_printf(out, "a time from %s to %s, such as %s", format_duration(min, k->min),
			      format_duration(max, k->max), k->fallback);
		break;
	case KEY_CHOICE:
		for (size_t i = 0; i < ARRAY_SIZE(k->choices) && k->choices[i]; i++)
			strbuf_printf(out, "%s%s", i ? ", " : "one of ", k->choices[i]);
		break;
	}
}

static int set_text(struct config *c, const struct key *k, const char *value)
{
	char **field = (char **)((char *)c + k->offset);
	char *copy = strdup(value);

	if (!copy)
		return -ENOMEM;
	free(*field);
	*field = copy;
	return 0;
}

static uint64_t power_of_two(uint64_t n)
{
	uint64_t p = 1;

	while (p < n)
		p <<= 1;
	return p;
}

static int set_size(struct config *c, const struct key *k, const char *value)
{
	uint64_t size;

	if ((k->kind == KEY_TIME     ? parse_duration(value, &size)
	     : k->kind == KEY_NUMBER ? parse_u64(value, &size)
				     : parse_size(value, &size)) < 0 ||
	    size < k->min || size > k->max)
		return -EINVAL;
	*(uint64_t *)((char *)c + k->offset) = k->kind == KEY_RING_SIZE ? power_of_two(size) : size;
	return 0;
}

static int set_choice(struct config *c, const struct key *k, const char *value)
{
	for (size_t i = 0; i < ARRAY_SIZE(k->choices) && k->choices[i]; i++)
		if (streq(k->choices[i], value))
			return set_text(c, k, value);
	return -EINVAL;
}

/* 0, -EINVAL for a value that the key does not take, -ENOMEM. */
static int set_value(struct config *c, const struct key *k, const char *value)
{
	switch (k->kind) {
	case KEY_PATH:
		return value[0] == '/' ? set_text(c, k, value) : -EINVAL;
	case KEY_SIZE:
	case KEY_RING_SIZE:
	case KEY_NUMBER:
	case KEY_TIME:
		return set_size(c, k, value);
	case KEY_CHOICE:
		return set_choice(c, k, value);
	}
	return -EINVAL;
}

struct reading {
	const char *path;
	FILE *file;
	unsigned int line;
	bool seen[ARRAY_SIZE(keys)];
	struct config *config;
	struct error why;
	int result; /* the first failure of a value, at line; reading then ends */
};

static void list_names(const char *section, struct strbuf *out)
{
	const char *last = "";

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const char *name = section ? keys[i].name : keys[i].section;

		if ((section && !streq(section, keys[i].section)) || streq(name, last))
			continue;
		strbuf_printf(out, "%s%s", *last ? ", " : "", name);
		last = name;
	}
}

static bool has_section(const char *section)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (streq(keys[i].section, section))
			return true;
	return false;
}

static void fail_unknown(struct reading *r, const char *section, const char *name)
{
	_cleanup_(strbuf_release) struct strbuf names = {};
	bool known = has_section(section);

	list_names(known ? section : NULL, &names);
	r->result = -EINVAL;
	if (known)
		error_set(&r->why, EINVAL, "BadFile", "%s:%u: [%s] has no key \"%s\"", r->path,
			  r->line, section, name);
	else if (*section)
		error_set(&r->why, EINVAL, "BadFile", "%s:%u: there is no section [%s]", r->path,
			  r->line, section);
	else
		error_set(&r->why, EINVAL, "BadFile", "%s:%u: \"%s\" stands before any section",
			  r->path, r->line, name);
	error_fix(&r->why, "%s: %s", known ? "its keys are" : "the sections are",
		  names.data ? names.data : "");
}

static void fail_value(struct reading *r, const struct key *k, const char *value, int code)
{
	_cleanup_(strbuf_release) struct strbuf values = {};

	r->result = code;
	if (code == -ENOMEM)
		return;
	describe_values(k, &values);
	error_set(&r->why, EINVAL, "BadFile", "%s:%u: \"%s\" is no value for %s", r->path, r->line,
		  value, k->name);
	error_fix(&r->why, "write %s", values.data ? values.data : "another value");
}

static void fail_twice(struct reading *r, const char *name)
{
	r->result = -EINVAL;
	error_set(&r->why, EINVAL, "BadFile", "%s:%u: a second value for %s", r->path, r->line,
		  name);
	error_fix(&r->why, "remove one of the two; an indented line continues the line above it");
}

/* inih calls it for every value; 0 says that it was not right. */
static int take_value(void *arg, const char *section, const char *name, const char *value)
{
	struct reading *r = arg;

	for (size_t i = 0; i < ARRAY_SIZE(keys) && !r->result; i++) {
		int code;

		if (!streq(keys[i].section, section) || !streq(keys[i].name, name))
			continue;
		if (r->seen[i]) {
			fail_twice(r, name);
			return 0;
		}
		r->seen[i] = true;
		code = set_value(r->config, &keys[i], value);
		if (code < 0)
			fail_value(r, &keys[i], value, code);
		return code == 0;
	}
	if (!r->result)
		fail_unknown(r, section, name);
	return 0;
}

/* Lines are counted here, as inih does not tell a handler which one it is at. */
static char *read_line(char *text, int size, void *arg)
{
	struct reading *r = arg;

	if (r->result || !fgets(text, size, r->file))
		return NULL;
	r->line++;
	if (strlen(text) + 1 == (size_t)size && text[size - 2] != '\n') {
		r->result = -EINVAL;
		error_set(&r->why, EINVAL, "BadFile", "%s:%u: a line of more than %d bytes",
			  r->path, r->line, size - 2);
		return NULL;
	}
	return text;
}

static int read_settings(struct reading *r, struct error *error)
{
	/* inih goes on after a line it does not understand: a value behind it may fail as well. */
	int bad_line = ini_parse_stream(read_line, r, take_value, r);

	if (bad_line > 0 && (!r->result || (unsigned int)bad_line < r->line)) {
		error_set(error, EINVAL, "BadFile", "%s:%d: neither [section] nor key = value",
			  r->path, bad_line);
		error_fix(error, "comments begin with #");
		return -EINVAL;
	}
	if (r->result) {
		error_set(error, -r->result, r->why.name, "%s", r->why.message);
		error_fix(error, "%s", r->why.fix);
		return r->result;
	}
	if (ferror(r->file))
		return error_set(error, EIO, "NoSuchFile", "cannot read %s", r->path);
	return bad_line < 0 ? -ENOMEM : 0;
}

int config_load(const char *path, struct config **ret, struct error *error)
{
	_cleanup_(config_freep) struct config *c = calloc(1, sizeof(*c));
	_cleanup_(fclosep) FILE *file = NULL;
	struct reading reading = {.path = path ? path : CONFIG_PATH, .config = c};

	if (!c)
		return -ENOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (set_value(c, &keys[i], keys[i].fallback) < 0)
			return -ENOMEM;
	file = fopen(reading.path, "re");
	if (file) {
		int r;

		reading.file = file;
		r = read_settings(&reading, error);
		if (r < 0)
			return r;
	} else if (path || errno != ENOENT) {
		int code = errno;

		error_set(error, code, "NoSuchFile", "cannot open %s: %s", reading.path,
			  strerror(code));
		error_fix(error, "give the path of a readable file to --config, or leave it out");
		return -code;
	}
	*ret = TAKE_PTR(c);
	return 0;
}

int config_set_store(struct config *c, const char *dir)
{
	char *copy = dir[0] == '/' ? strdup(dir) : NULL;

	if (!copy)
		return dir[0] == '/' ? -ENOMEM : -EINVAL;
	free(c->store);
	c->store = copy;
	return 0;
}

static void describe_meaning(const char *meaning, struct strbuf *out)
{
	while (*meaning) {
		size_t len = strcspn(meaning, "\n");

		strbuf_printf(out, "# %.*s\n", (int)len, meaning);
		meaning += len + (meaning[len] == '\n');
	}
}

void config_describe(struct strbuf *out)
{
	const char *section = "";

	strbuf_puts(out, "# " CONFIG_PATH ": every key with its default.\n");
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const struct key *k = &keys[i];

		if (!streq(section, k->section))
			strbuf_printf(out, "\n[%s]\n", k->section);
		else
			strbuf_putc(out, '\n');
		section = k->section;
		describe_meaning(k->meaning, out);
		strbuf_puts(out, "# Takes ");
		describe_values(k, out);
		strbuf_printf(out, ".\n#%s = %s\n", k->name, k->fallback);
	}
}
