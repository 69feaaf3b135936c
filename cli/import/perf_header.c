/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "perf_header.h"

#include <ctype.h>

#include "number.h"

/* A word of the line: up to the next white space. */
struct word {
	char *at;
	size_t len;
};

static struct word next_word(char *from)
{
	struct word w;

	while (*from == ' ' || *from == '\t')
		from++;
	w.at = from;
	w.len = strcspn(from, " \t");
	return w;
}

/* "4711" or "4711/4712"; perf writes -1 for what it does not know. */
static bool parse_ids(struct word w, struct perf_header *ret)
{
	const char *slash = memchr(w.at, '/', w.len);
	size_t first = slash ? (size_t)(slash - w.at) : w.len;
	uint64_t pid, tid;

	if (import_digits(w.at, first, &pid) < 0 || pid > INT32_MAX)
		return false;
	tid = pid;
	if (slash && (import_digits(slash + 1, w.len - first - 1, &tid) < 0 || tid > INT32_MAX))
		return false;
	ret->pid = (uint32_t)pid;
	ret->tid = (uint32_t)tid;
	return true;
}

static bool is_cpu(struct word w)
{
	return w.len > 2 && w.at[0] == '[' && w.at[w.len - 1] == ']' &&
	       strspn(w.at + 1, "0123456789") == w.len - 2;
}

/* "12.345678:" */
static bool parse_time(struct word w, int64_t *ret_us)
{
	size_t n = w.len ? w.len - 1 : 0;

	return w.len > 3 && w.at[n] == ':' && isdigit((unsigned char)w.at[0]) &&
	       memchr(w.at, '.', n) && strspn(w.at, "0123456789.") == n &&
	       import_number(w.at, n, 6, ret_us) == 0;
}

/* What follows the process: false when this is no header after all. */
static bool parse_rest(struct word w, struct perf_header *ret)
{
	uint64_t period;

	if (is_cpu(w))
		w = next_word(w.at + w.len);
	ret->time_us = 0;
	ret->has_time = parse_time(w, &ret->time_us);
	if (ret->has_time)
		w = next_word(w.at + w.len);
	ret->period = 0;
	if (import_digits(w.at, w.len, &period) == 0) {
		ret->period = period;
		w = next_word(w.at + w.len);
	}
	/* No event begins with a digit: that is a time, behind what was no process. */
	if (w.len < 2 || w.at[w.len - 1] != ':' || isdigit((unsigned char)w.at[0]))
		return false;
	ret->event = w.at;
	ret->rest = w.at + w.len;
	w.at[w.len - 1] = '\0';
	/* The modifiers are not a part of its name: "cpu-clock:pppH", but "sched:sched_switch". */
	w.at = strrchr(w.at, ':');
	if (w.at && w.at[1] && strspn(w.at + 1, "ukhGHIpPSDWeb") == strlen(w.at + 1))
		*w.at = '\0';
	return true;
}

bool perf_header_parse(char *line, struct perf_header *ret)
{
	char *start = line + strspn(line, " \t");
	struct word w = next_word(start);

	/* A name may have spaces, and even words of digits: the first that fits is taken. */
	for (w = next_word(w.at + w.len); w.len; w = next_word(w.at + w.len)) {
		char *end = w.at;

		if (!parse_ids(w, ret) || !parse_rest(next_word(w.at + w.len), ret))
			continue;
		while (end > start && (end[-1] == ' ' || end[-1] == '\t'))
			end--;
		*end = '\0';
		ret->comm = start;
		return true;
	}
	return false;
}

/* Takes "+0x12" off the end. */
static void cut_offset(char *symbol)
{
	char *plus = strrchr(symbol, '+');

	if (plus && plus > symbol && plus[1] == '0' && plus[2] == 'x' && plus[3] &&
	    strspn(plus + 3, "0123456789abcdef") == strlen(plus + 3))
		*plus = '\0';
}

bool perf_frame_parse(char *line, struct perf_frame *ret)
{
	struct word w = next_word(line);
	char *symbol, *end, *open;
	char digits[24];

	if (!w.len || w.len > 16 || strspn(w.at, "0123456789abcdef") != w.len)
		return false;
	snprintf(digits, sizeof(digits), "0x%.*s", (int)w.len, w.at);
	if (parse_u64(digits, &ret->address) < 0)
		return false;
	symbol = w.at + w.len;
	symbol += strspn(symbol, " \t");
	end = symbol + strlen(symbol);
	while (end > symbol && (end[-1] == ' ' || end[-1] == '\t'))
		*--end = '\0';
	ret->binary = NULL;
	/* The file is in the last brackets; names of functions, and of files, may have some, too.
	 */
	open = strstr(symbol, " (/");
	for (char *more = open; more; more = strstr(more + 1, " (/"))
		open = more;
	if (!open)
		open = strrchr(symbol, '(');
	else
		open++;
	if (open && end > open && end[-1] == ')' && (open == symbol || open[-1] == ' ')) {
		end[-1] = '\0';
		ret->binary = open + 1;
		while (open > symbol && open[-1] == ' ')
			open--;
		*open = '\0';
	}
	cut_offset(symbol);
	ret->symbol = symbol[0] ? symbol : "[unknown]";
	return true;
}
