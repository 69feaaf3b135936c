/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "expr/within.h"

#include <ctype.h>

#include "sonde/base/util.h"

enum { MAX_LEN = 4096 };

void within_release(struct within *w)
{
	free(w->glob);
	free(w->condition);
	*w = (struct within){};
}

/* Behind the text or regular expression that begins at p, or at its end when it has none. */
static const char *skip_quoted(const char *p)
{
	char quote = *p++;

	for (; *p && *p != quote; p++)
		if (*p == '\\' && p[1])
			p++;
	return *p ? p + 1 : p;
}

/* The colon that ends the glob, or NULL. Those of C++'s names come in pairs. */
static const char *find_colon(const char *text)
{
	bool matches = false; /* `=~` or `!~` is what came before: `/` begins a pattern */

	for (const char *p = text; *p;) {
		if (*p == '"' || *p == '\'' || (*p == '/' && matches)) {
			p = skip_quoted(p);
			matches = false;
		} else if (*p == ':' && p[1] == ':') {
			p += 2;
		} else if (*p == ':') {
			return p;
		} else {
			matches = isspace((unsigned char)*p)
					  ? matches
					  : *p == '~' && p > text && strchr("=!", p[-1]);
			p++;
		}
	}
	return NULL;
}

/* One word that a function could be called, or a glob over such names. */
static bool is_glob(const char *begin, const char *end)
{
	size_t len = (size_t)(end - begin);
	int depth = 0;

	if ((len == 5 && startswith(begin, "error")) ||
	    (len == 7 && startswith(begin, "unwound")) || startswith(begin, "attr."))
		return false;
	for (const char *p = begin; p < end; p++) {
		depth += *p == '[' ? 1 : *p == ']' ? -1 : 0;
		if (!isalnum((unsigned char)*p) && (unsigned char)*p < 0x80 &&
		    !strchr(depth > 0 ? "_*?[]:.$@~!^-" : "_*?[]:.$@~", *p))
			return false;
	}
	return true;
}

/* The text from `at` on, with a blank for each character before it, so that columns are the same.
 */
static char *blanked(const char *text, const char *at)
{
	size_t blanks = at > text ? error_column(text, (size_t)(at - text) - 1) : 0;
	char *copy = malloc(blanks + strlen(at) + 1);

	if (!copy)
		return NULL;
	memset(copy, ' ', blanks);
	strcpy(copy + blanks, at);
	return copy;
}

static int complain_empty(struct error *e, const char *text, size_t at, const char *what)
{
	int r = error_complain(e, text, at, "expected %s", what);

	error_fix(e, "write `parse_*`, `parse_*: duration > 10ms` or `duration > 10ms`");
	return r;
}

int within_parse(const char *text, struct within *ret, struct error *e)
{
	const char *begin = text + strspn(text, " \t\n\r\v\f"), *end = text + strlen(text);
	const char *colon = find_colon(begin), *condition = colon ? colon + 1 : NULL;
	struct within w = {};

	if (strlen(text) > MAX_LEN) {
		error_set(e, EINVAL, "BadCondition", "column 1: expected at most %d characters",
			  MAX_LEN);
		return error_fix(e, "write a shorter condition"), -EINVAL;
	}
	if (begin == end || colon == begin)
		return complain_empty(e, text, (size_t)(begin - text),
				      "the name of a function or a condition");
	if (condition && !condition[strspn(condition, " \t\n\r\v\f")])
		return complain_empty(e, text, (size_t)(end - text),
				      "a condition behind the colon");
	if (colon)
		end = colon;
	while (isspace((unsigned char)end[-1]))
		end--;
	if (!colon && !is_glob(begin, end))
		condition = begin;
	if (condition && !(w.condition = blanked(text, condition)))
		return -ENOMEM;
	if (condition != begin && !(w.glob = strndup(begin, (size_t)(end - begin)))) {
		within_release(&w);
		return -ENOMEM;
	}
	*ret = w;
	return 0;
}
