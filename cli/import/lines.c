/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lines.h"

void import_lines_release(struct import_lines *l)
{
	strbuf_release(&l->line);
}

int import_lines_bad(const struct import_lines *l, struct error *error, const char *what)
{
	return error_set(error, EBADMSG, "BadFile", "%s:%llu: %s", import_input_name(l->in),
			 (unsigned long long)l->number, what);
}

static int give(struct import_lines *l, char **ret, size_t *ret_len)
{
	struct strbuf *line = &l->line;

	strbuf_append(line, "", 0);
	if (line->len && line->data[line->len - 1] == '\r')
		line->data[--line->len] = '\0';
	for (char *p = line->data; (p = memchr(p, '\0', line->len - (size_t)(p - line->data)));)
		*p = '?';
	*ret = line->data;
	*ret_len = line->len;
	return 1;
}

int import_lines_next(struct import_lines *l, char **ret, size_t *ret_len, struct error *error)
{
	strbuf_reset(&l->line);
	l->number++;
	for (;;) {
		const char *from, *end;
		size_t n;
		int r;

		if (l->at == l->len) {
			r = l->ended ? 0 : import_input_read(l->in, &l->block, &l->len, error);
			if (r < 0)
				return r;
			l->at = 0;
			if (r == 0) {
				l->ended = true;
				l->len = 0;
				return l->line.len ? give(l, ret, ret_len) : 0;
			}
			continue;
		}
		from = l->block + l->at;
		end = memchr(from, '\n', l->len - l->at);
		n = end ? (size_t)(end - from) : l->len - l->at;
		if (n > IMPORT_LINE_MAX - l->line.len)
			return import_lines_bad(l, error, "the line has more than 1 MiB");
		strbuf_append(&l->line, from, n);
		if (strbuf_error(&l->line) < 0)
			return -ENOMEM;
		l->at += n + (end != NULL);
		if (end)
			return give(l, ret, ret_len);
	}
}
