/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names that stand for numbers: enumerators, errors, users, points in time. */
#include <pwd.h>
#include <time.h>

#include "expr/bind.h"
#include "sonde/base/format.h"
#include "sonde/base/strbuf.h"

enum { LAST_ERRNO = 133 };

static bool find_errno(const char *name, int *ret)
{
	static const struct {
		const char *name;
		int value;
	} aliases[] = {
		{"EWOULDBLOCK", EWOULDBLOCK}, {"EDEADLOCK", EDEADLOCK}, {"ENOTSUP", ENOTSUP}};

	for (int i = 1; i <= LAST_ERRNO; i++) {
		const char *known = strerrorname_np(i);

		if (known && streq(known, name)) {
			*ret = i;
			return true;
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(aliases); i++)
		if (streq(aliases[i].name, name)) {
			*ret = aliases[i].value;
			return true;
		}
	return false;
}

static const struct expr_name *find_enumerator(const struct hint *hint, const char *name)
{
	const char *last = strrchr(name, ':');

	for (size_t i = 0; hint && i < hint->n_names; i++) {
		const char *known = hint->names[i].name;
		const char *known_last = strrchr(known, ':');

		if (streq(known, name) || (known_last && streq(known_last + 1, name)) ||
		    (last && streq(known, last + 1)))
			return &hint->names[i];
	}
	return NULL;
}

static void suggest_enumerator(struct binder *b, const struct hint *hint)
{
	_cleanup_(strbuf_release) struct strbuf list = {};

	for (size_t i = 0; i < MIN(hint->n_names, (size_t)12); i++)
		strbuf_printf(&list, "%s%s", i ? ", " : "", hint->names[i].name);
	if (hint->n_names > 12)
		strbuf_puts(&list, ", …");
	error_fix(b->e, "write one of %s", strbuf_error(&list) < 0 ? "its names" : list.data);
}

static int unknown_name(struct binder *b, const struct node *n, const struct hint *hint)
{
	static const char *const others[] = {"args", "arg0", "arg1", "arg2", "arg3", "arg4", "arg5",
					     "ret",  "attr", "str",  "buf",  "true", "false"};
	struct nearest near = {};
	size_t len = strlen(n->text);
	bool has_names = hint && hint->n_names;
	int r;

	for (size_t i = 0; has_names && i < hint->n_names; i++)
		nearest_offer(&near, n->text, len, hint->names[i].name);
	for (int f = 0; f < FIELD_COUNT; f++)
		nearest_offer(&near, n->text, len, field_name(f));
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		nearest_offer(&near, n->text, len, others[i]);
	for (int i = 1; n->text[0] == 'E' && i <= LAST_ERRNO; i++)
		if (strerrorname_np(i))
			nearest_offer(&near, n->text, len, strerrorname_np(i));
	r = bind_complain(b, n, "expected a field or a value, found `%s`, which is neither",
			  n->text);
	if (hint && hint->other &&
	    (hint->other->kind == EXPR_STRING ||
	     (hint->other->node->kind == NODE_FIELD && hint->other->node->field == FIELD_uid)))
		error_fix(b->e, "write `\"%s\"`", n->text);
	else if (near.name)
		error_fix(b->e, "write `%s`", near.name);
	else if (has_names)
		suggest_enumerator(b, hint);
	else
		error_fix(b->e, "write `args.%s` for an argument, or `\"%s\"` for a text", n->text,
			  n->text);
	return r;
}

int bind_name(struct binder *b, const struct node *n, const struct hint *hint, struct typed *ret)
{
	const struct expr_name *known = find_enumerator(hint, n->text);
	int number;

	ret->kind = EXPR_INT;
	ret->is_literal = true;
	if (known)
		ret->ir = ir_const(b->a, known->value, true);
	else if (find_errno(n->text, &number))
		ret->ir = ir_const(b->a, number, true);
	else
		return unknown_name(b, n, hint);
	return ret->ir ? 0 : -ENOMEM;
}

int bind_user(struct binder *b, const struct node *n, struct typed *ret)
{
	char buffer[16384];
	struct passwd pw, *found = NULL;
	int r;

	getpwnam_r(n->text, &pw, buffer, sizeof(buffer), &found);
	if (!found) {
		r = bind_complain(b, n, "expected a user of this system, found \"%s\"", n->text);
		error_fix(b->e, "write the user's number, as in `uid == 1000`");
		return r;
	}
	ret->kind = EXPR_INT;
	ret->ir = ir_const(b->a, found->pw_uid, true);
	return ret->ir ? 0 : -ENOMEM;
}

static const struct {
	const char *format;
	bool has_date, has_seconds;
} time_formats[] = {
	{"%Y-%m-%d %H:%M:%S", true, true}, {"%Y-%m-%dT%H:%M:%S", true, true},
	{"%Y-%m-%d %H:%M", true, false},   {"%Y-%m-%dT%H:%M", true, false},
	{"%Y-%m-%d", true, false},	   {"%H:%M:%S", false, true},
	{"%H:%M", false, false},
};

/* Digits behind the seconds, at most nine. Moves *at behind them. */
static int64_t parse_fraction(const char **at)
{
	int64_t ns = 0, unit = NSEC_PER_SEC / 10;

	if (**at != '.' || (*at)[1] < '0' || (*at)[1] > '9')
		return 0;
	for ((*at)++; **at >= '0' && **at <= '9'; (*at)++) {
		ns += (**at - '0') * unit;
		unit /= 10;
	}
	return ns;
}

static bool parse_time(const char *text, int64_t *ret_ns)
{
	time_t now = now_epoch_us() / 1000000;

	for (size_t i = 0; i < ARRAY_SIZE(time_formats); i++) {
		struct tm tm = {};
		const char *end;
		int64_t ns;
		time_t seconds;

		if (!time_formats[i].has_date && !localtime_r(&now, &tm))
			return false;
		tm.tm_sec = 0;
		end = strptime(text, time_formats[i].format, &tm);
		if (!end)
			continue;
		ns = time_formats[i].has_seconds ? parse_fraction(&end) : 0;
		tm.tm_isdst = -1;
		seconds = *end == 'Z' ? timegm(&tm) : mktime(&tm);
		end += *end == 'Z';
		/* What nanoseconds since the epoch can say. */
		if (*end || seconds < 0 || seconds > (time_t)(INT64_MAX / NSEC_PER_SEC) - 1)
			continue;
		*ret_ns = seconds * (int64_t)NSEC_PER_SEC + ns;
		return true;
	}
	return false;
}

int bind_time(struct binder *b, const struct node *n, struct typed *ret)
{
	int64_t ns;
	int r;

	if (!parse_time(n->text, &ns)) {
		r = bind_complain(b, n, "expected a point in time, found \"%s\"", n->text);
		error_fix(b->e, "write `\"12:30\"` for today, or `\"2026-11-30 12:30:00.5\"`");
		return r;
	}
	ret->kind = EXPR_TIME;
	ret->ir = ir_const(b->a, ns, true);
	return ret->ir ? 0 : -ENOMEM;
}
