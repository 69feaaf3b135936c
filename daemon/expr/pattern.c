/* SPDX-License-Identifier: GPL-2.0-or-later */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "expr/pattern.h"

#include <pcre2.h>

/* What a match may cost: a condition decides thousands of spans a second. */
enum { MATCH_LIMIT = 100000, MATCH_DEPTH = 1000, MATCH_HEAP_KIB = 1024 };

struct regex {
	struct regex *next;
	pcre2_code *code;
	pcre2_match_context *limits;
};

static bool regex_matches(const struct regex *r, const char *text, size_t len)
{
	/* Made for each match, so that threads may share a bound condition. */
	pcre2_match_data *data = pcre2_match_data_create(1, NULL);
	int n;

	if (!data)
		return false;
	n = pcre2_match(r->code, (PCRE2_SPTR)text, len, 0, 0, data, r->limits);
	pcre2_match_data_free(data);
	return n >= 0;
}

/* The byte against a set such as [a-z] or [!0-9], which *set points behind the [ of. */
static bool set_matches(const char **set, unsigned char c)
{
	const char *p = *set;
	bool negated = *p == '!' || *p == '^', found = false;

	p += negated;
	do {
		unsigned char from, to;

		p += *p == '\\' && p[1];
		from = to = *p++;
		if (*p == '-' && p[1] && p[1] != ']') {
			p++;
			p += *p == '\\' && p[1];
			to = *p++;
		}
		found |= from <= c && c <= to;
	} while (*p != ']');
	*set = p + 1;
	return found != negated;
}

/* Where the set ends that begins behind the [, or NULL: then it is no set. */
static const char *set_end(const char *p)
{
	p += *p == '!' || *p == '^';
	p += *p == ']';
	for (; *p && *p != ']'; p++)
		p += *p == '\\' && p[1];
	return *p ? p : NULL;
}

/* Takes what stands for one byte off the pattern; false when this byte is not meant by it. */
static bool one_matches(const char **pattern, unsigned char c)
{
	const char *p = *pattern;

	if (*p == '[' && set_end(p + 1)) {
		(*pattern)++;
		return set_matches(pattern, c);
	}
	if (*p == '?') {
		*pattern = p + 1;
		return true;
	}
	p += *p == '\\' && p[1];
	*pattern = p + 1;
	return (unsigned char)*p == c;
}

/*
 * As fnmatch() without flags, in time of pattern × text: only the last star is ever tried again.
 * fnmatch() itself takes exponential time for a hostile pattern.
 */
static bool glob_matches(const char *glob, const char *text, size_t len)
{
	const char *star = NULL, *end = text + len, *retry = NULL;

	while (text < end || *glob == '*') {
		if (*glob == '*') {
			star = ++glob;
			retry = text;
			continue;
		}
		if (*glob && one_matches(&glob, *text)) {
			text++;
			continue;
		}
		if (!star || retry >= end)
			return false;
		glob = star;
		text = ++retry;
	}
	return !*glob;
}

bool pattern_matches(const struct pattern *p, const char *text, size_t len)
{
	switch (p->kind) {
	case PATTERN_EXACT:
		return len == p->len && !memcmp(text, p->text, len);
	case PATTERN_PREFIX:
		return len >= p->len && !memcmp(text, p->text, p->len);
	case PATTERN_GLOB:
		return glob_matches(p->text, text, len);
	case PATTERN_REGEX:
		return regex_matches(p->regex, text, len);
	case PATTERN_SOURCE:
		break;
	}
	return false;
}

int pattern_from_glob(struct arena *a, const char *glob, struct pattern *ret)
{
	char *plain = arena_alloc(a, strlen(glob) + 1);
	size_t len = 0;

	if (!plain)
		return -ENOMEM;
	*ret = (struct pattern){.kind = PATTERN_EXACT, .text = plain};
	for (const char *p = glob; *p; p++) {
		if (*p == '*' && !p[strspn(p, "*")]) {
			ret->kind = PATTERN_PREFIX;
			break;
		}
		if (strchr("*?[", *p)) {
			*ret = (struct pattern){.kind = PATTERN_GLOB,
						.text = arena_strndup(a, glob, strlen(glob))};
			return ret->text ? 0 : -ENOMEM;
		}
		if (*p == '\\' && p[1])
			p++;
		plain[len++] = *p;
	}
	ret->len = len;
	return 0;
}

int regex_compile(const char *text, bool caseless, struct regex **list, const struct regex **ret,
		  char *ret_message, size_t size, size_t *ret_at)
{
	struct regex *r = calloc(1, sizeof(*r));
	PCRE2_SIZE at = 0;
	int code = 0;

	if (!r)
		return -ENOMEM;
	/* Texts are bytes: they need not be UTF-8. */
	r->code = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED,
				PCRE2_NEVER_UTF | PCRE2_NEVER_UCP | PCRE2_NEVER_BACKSLASH_C |
					(caseless ? PCRE2_CASELESS : 0),
				&code, &at, NULL);
	if (!r->code) {
		free(r);
		if (pcre2_get_error_message(code, (PCRE2_UCHAR *)ret_message, size) < 0)
			snprintf(ret_message, size, "not valid");
		*ret_at = at;
		return -EINVAL;
	}
	r->limits = pcre2_match_context_create(NULL);
	if (!r->limits) {
		regex_free(r);
		return -ENOMEM;
	}
	pcre2_set_match_limit(r->limits, MATCH_LIMIT);
	pcre2_set_depth_limit(r->limits, MATCH_DEPTH);
	pcre2_set_heap_limit(r->limits, MATCH_HEAP_KIB);
	r->next = *list;
	*list = r;
	*ret = r;
	return 0;
}

struct regex *regex_free(struct regex *list)
{
	while (list) {
		struct regex *next = list->next;

		pcre2_match_context_free(list->limits);
		pcre2_code_free(list->code);
		free(list);
		list = next;
	}
	return NULL;
}
