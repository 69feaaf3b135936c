/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a text is held against, and where the text comes from. Private to the module. */
#ifndef SONDE_EXPR_PATTERN_H
#define SONDE_EXPR_PATTERN_H

#include "expr/arena.h"

enum text_kind {
	TEXT_CONST,
	TEXT_UNDEF,
	TEXT_COMM,
	TEXT_CAPTURE,
	TEXT_NAME,
	TEXT_BINARY,
	TEXT_CAT,
	TEXT_CALLER,
	TEXT_CGROUP,
	TEXT_ATTR,
};

struct text_source {
	enum text_kind kind;
	const char *text; /* of a constant; the key of an attr */
	size_t len;	  /* of a constant */
	uint16_t slot, room;
	uint8_t bit;
};

enum pattern_kind {
	PATTERN_EXACT,	/* text, len */
	PATTERN_PREFIX, /* text, len; none of it: every text */
	PATTERN_GLOB,	/* text: as fnmatch() takes it */
	PATTERN_REGEX,
	PATTERN_SOURCE, /* the text of `other`, exactly */
};

struct regex;

struct pattern {
	enum pattern_kind kind;
	const char *text;
	size_t len;
	const struct regex *regex;
	struct text_source other;
};

/* Not for PATTERN_SOURCE. The text needs no NUL. */
bool pattern_matches(const struct pattern *p, const char *text, size_t len);
/* A glob in the simplest form that says the same; strings go to the arena. 0 or -ENOMEM. */
int pattern_from_glob(struct arena *a, const char *glob, struct pattern *ret);

/*
 * -EINVAL: ret_message says why (PCRE2's words) and ret_at is the byte of the pattern. The regexes
 * of a condition form a list, for regex_free() to free.
 */
int regex_compile(const char *text, bool caseless, struct regex **list, const struct regex **ret,
		  char *ret_message, size_t size, size_t *ret_at);
struct regex *regex_free(struct regex *list);

#endif
