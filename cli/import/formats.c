/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "formats.h"

#include <strings.h>

static bool is_json(const char *head, size_t len)
{
	size_t i = len >= 3 && !memcmp(head, "\xef\xbb\xbf", 3) ? 3 : 0;

	while (i < len && strchr(" \t\r\n", head[i]) && head[i])
		i++;
	return i < len && (head[i] == '[' || head[i] == '{');
}

static bool is_dftracer(const char *head, size_t len)
{
	return is_json(head, len) && import_is_dftracer(head, len);
}

/* By content the first one that fits; by name the first one that has the suffix. */
static const struct import_format formats[] = {
	{"dftracer", import_dftracer, (const char *const[]){".pfw", NULL}, is_dftracer},
	{"chrome", import_chrome, (const char *const[]){".trace", NULL}, is_json},
	{"pprof", import_pprof, (const char *const[]){".pb", ".pprof", ".prof", NULL},
	 import_is_pprof},
	{"perf-script", import_perf_script, (const char *const[]){".perf", NULL},
	 import_is_perf_script},
	{"folded", import_folded, (const char *const[]){".folded", ".collapsed", NULL},
	 import_is_folded},
};

const struct import_format *import_format_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
		if (streq(formats[i].name, name))
			return &formats[i];
	return NULL;
}

static bool has_suffix(const char *name, size_t len, const char *suffix)
{
	size_t n = strlen(suffix);

	return len > n && strncasecmp(name + len - n, suffix, n) == 0;
}

static const struct import_format *by_name(const char *name)
{
	size_t len = strlen(name);

	if (has_suffix(name, len, ".gz"))
		len -= 3;
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
		for (const char *const *s = formats[i].suffixes; *s; s++)
			if (has_suffix(name, len, *s))
				return &formats[i];
	return NULL;
}

/* What people try that is no text to import, and what to do with it. */
static const struct {
	const char *head, *what, *fix;
} others[] = {
	{"SQLite format 3", "is a recording of sonde, or another database",
	 "a recording is asked as it is: sonde report -i FILE"},
	{"PERFILE2", "is what perf record has written, not the text of it",
	 "let perf write the text: perf script -i FILE | sonde import - -o app.sonde"},
};

static int refuse_others(const struct import_input *in, const char *head, size_t len,
			 struct error *error)
{
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		size_t n = strlen(others[i].head);

		if (len < n || memcmp(head, others[i].head, n) != 0)
			continue;
		error_set(error, EBADMSG, "BadFile", "%s %s", import_input_name(in),
			  others[i].what);
		error_fix(error, "%s", others[i].fix);
		return -EBADMSG;
	}
	return 0;
}

int import_format_detect(struct import_input *in, const struct import_format **ret,
			 struct error *error)
{
	const char *head;
	size_t len;
	int r = import_input_head(in, &head, &len, error);

	if (r < 0)
		return r;
	if (!len)
		return error_set(error, EBADMSG, "BadFile", "%s is empty", import_input_name(in));
	r = refuse_others(in, head, len, error);
	if (r < 0)
		return r;
	*ret = by_name(import_input_name(in));
	for (size_t i = 0; i < ARRAY_SIZE(formats) && !*ret; i++)
		if (formats[i].is(head, len))
			*ret = &formats[i];
	if (*ret)
		return 0;
	r = error_set(error, EBADMSG, "BadFile",
		      "%s: it does not look like any format that can be imported",
		      import_input_name(in));
	error_fix(error, "say which one it is: --format chrome, pprof, perf-script, folded or "
			 "dftracer");
	return r;
}
