/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol/jitdump.h"

#include <limits.h>

#include "sonde/base/table.h"
#include "symbol/code_ranges.h"
#include "symbol/jit_parse.h"

enum { MAX_SEARCHED = 65536 }; /* codes looked at for one that was replaced */

/* A compiler may write the record after the code has begun to run. */
static const uint64_t LATE_NS = 100 * NSEC_PER_MSEC;

struct line {
	uint64_t address;
	uint32_t line, file; /* name */
};

struct code {
	uint64_t start, end, time_ns;
	uint64_t lines_moved; /* lines are those of the address that much lower */
	uint32_t name;	      /* 0: from then on there is nothing */
	uint32_t lines_at, n_lines;
};

struct jitdump {
	int fd;
	struct jit_cursor cursor;
	bool has_more;	    /* to read */
	struct code *codes; /* in the order of the file; ids of ranges are indices + 1 */
	struct line *lines;
	size_t n_codes, codes_cap, n_lines, lines_cap;
	uint64_t pending_address; /* of lines that come before their code */
	uint32_t pending_at, n_pending;
	struct code_ranges ranges;
	struct table by_index; /* the compiler's number of a code → index + 1 */
	struct jit_names names;
};

bool jitdump_is_path(const char *path)
{
	const char *base = strrchr(path, '/');
	size_t digits;

	base = base ? base + 1 : path;
	if (!startswith(base, "jit-"))
		return false;
	base += strlen("jit-");
	digits = strspn(base, "0123456789");
	return digits > 0 && streq(base + digits, ".dump");
}

int jitdump_new(struct jitdump **ret)
{
	struct jitdump *j = calloc(1, sizeof(*j));

	if (!j)
		return -ENOMEM;
	j->fd = -EBADF;
	*ret = j;
	return 0;
}

int jitdump_open(const struct jit_owner *owner, uint64_t start, uint64_t end, struct jitdump **ret,
		 const char **ret_reason)
{
	_cleanup_(jitdump_freep) struct jitdump *j = NULL;
	const char *reason = NULL;
	int r = jitdump_new(&j);

	if (r < 0)
		return r;
	j->fd = jit_file_open_mapped(owner, start, end, &reason);
	if (j->fd < 0) {
		if (ret_reason)
			*ret_reason = reason;
		return j->fd;
	}
	*ret = TAKE_PTR(j);
	return 0;
}

static void forget(struct jitdump *j)
{
	code_ranges_release(&j->ranges);
	table_release(&j->by_index);
	free(j->names.text);
	free(j->codes);
	free(j->lines);
	*j = (struct jitdump){.fd = j->fd};
}

struct jitdump *jitdump_free(struct jitdump *j)
{
	if (!j)
		return NULL;
	forget(j);
	safe_close(j->fd);
	free(j);
	return NULL;
}

/* Adds a code; nothing when it is none, or there are too many. Its index + 1, or 0. */
static uint32_t add_code(struct jitdump *j, const struct code *code)
{
	if (code->start >= code->end || j->n_codes >= JITDUMP_MAX_CODES ||
	    array_reserve(&j->codes, &j->codes_cap, j->n_codes + 1, sizeof(*j->codes)) < 0 ||
	    code_ranges_add(&j->ranges, code->start, code->end, (uint32_t)j->n_codes + 1) < 0)
		return 0;
	j->codes[j->n_codes++] = *code;
	return (uint32_t)j->n_codes;
}

static void remember_index(struct jitdump *j, uint64_t index, uint32_t id)
{
	uint32_t *slot = id ? table_put(&j->by_index, index, NULL) : NULL;

	if (slot)
		*slot = id;
}

static uint32_t add_name(struct jitdump *j, const struct jit_image *image, uint32_t name)
{
	const char *text = jit_image_name(image, name);

	return text ? jit_names_add(&j->names, text, strnlen(text, JIT_NAME_MAX)) : 0;
}

static void take_code(struct jitdump *j, const struct jit_image *image, const struct jit_record *r)
{
	struct code code = {
		.start = r->start,
		.end = r->start + r->size,
		.time_ns = r->time_ns,
		.name = add_name(j, image, r->name),
	};

	if (j->n_pending && j->pending_address == code.start) {
		code.lines_at = j->pending_at;
		code.n_lines = j->n_pending;
	}
	j->n_pending = 0;
	if (code.name)
		remember_index(j, r->index, add_code(j, &code));
}

static void take_move(struct jitdump *j, const struct jit_record *r)
{
	const uint32_t *known = table_get(&j->by_index, r->index);
	struct code gone = {.start = r->start, .end = r->start + r->size, .time_ns = r->time_ns};
	struct code code;

	if (!known)
		return;
	code = j->codes[*known - 1];
	code.lines_moved += r->to - code.start;
	code.start = r->to;
	code.end = r->to + r->size;
	code.time_ns = r->time_ns;
	(void)add_code(j, &gone);
	remember_index(j, r->index, add_code(j, &code));
}

/* Lines of the code that is loaded next. */
static void take_lines(struct jitdump *j, const struct jit_image *image, const struct jit_record *r)
{
	uint32_t from = 0, file = 0;

	j->pending_address = r->start;
	j->pending_at = (uint32_t)j->n_lines;
	j->n_pending = 0;
	for (uint32_t i = 0; i < r->n_lines; i++) {
		const struct jit_line *line = &image->lines[r->first_line + i];

		if (line->file != from)
			file = add_name(j, image, line->file);
		from = line->file;
		if (j->n_lines >= JITDUMP_MAX_LINES ||
		    array_reserve(&j->lines, &j->lines_cap, j->n_lines + 1, sizeof(*j->lines)) < 0)
			break;
		j->lines[j->n_lines++] = (struct line){line->address, line->line, file};
		j->n_pending++;
	}
}

void jitdump_take(struct jitdump *j, const struct jit_image *image)
{
	for (size_t i = 0; i < image->n_records; i++) {
		const struct jit_record *r = &image->records[i];

		switch (r->kind) {
		case JIT_CODE:
			take_code(j, image, r);
			break;
		case JIT_MOVE:
			take_move(j, r);
			break;
		case JIT_LINES:
			take_lines(j, image, r);
			break;
		}
	}
}

size_t jitdump_feed(struct jitdump *j, const void *data, size_t size)
{
	struct jit_image image _cleanup_(jit_image_release) = {.max_records = JIT_RECORDS_MAX,
							       .max_lines = JIT_LINES_MAX};
	size_t done = jitdump_parse(&image, &j->cursor.flags, false, data, size);

	jitdump_take(j, &image);
	return done;
}

bool jitdump_is_bad(const struct jitdump *j)
{
	return j->cursor.flags & JIT_BAD;
}

size_t jitdump_bytes(const struct jitdump *j)
{
	return j->names.cap + j->codes_cap * sizeof(*j->codes) + j->lines_cap * sizeof(*j->lines) +
	       j->n_codes * 2 * sizeof(struct code_range);
}

static bool wants_more(const struct jitdump *j)
{
	return !(j->cursor.flags & (JIT_CLOSED | JIT_BAD)) && j->n_codes < JITDUMP_MAX_CODES &&
	       (j->has_more || !jit_stream_is_unchanged(j->fd, &j->cursor));
}

int jitdump_refresh(struct jitdump *j, struct reader *reader, size_t max, struct error *error)
{
	struct jit_image image _cleanup_(jit_image_release) = {};
	struct jit_question q = {
		.cursor = j->cursor,
		.max = max,
		.max_records = JIT_RECORDS_MAX,
		.max_lines = JITDUMP_MAX_LINES - j->n_lines,
	};
	char path[PATH_MAX];
	int r;

	if (wants_more(j)) {
		jit_file_path(j->fd, path, sizeof(path));
		r = jit_read(reader, JIT_DUMP, j->fd, path, &q, error, &image);
		if (r < 0)
			return r;
		if (image.flags & JIT_IMAGE_ANEW)
			forget(j);
		j->cursor = image.cursor;
		j->has_more = image.flags & JIT_IMAGE_MORE;
		jitdump_take(j, &image);
	}
	if (jitdump_is_bad(j))
		return error_set(error, EBADMSG, "BadFile", "It is damaged from some place on.");
	return j->has_more;
}

static void find_line(const struct jitdump *j, const struct code *code, uint64_t address,
		      struct jitdump_place *ret)
{
	const struct line *best = NULL;

	address -= code->lines_moved;
	for (uint32_t i = 0; i < code->n_lines; i++) {
		const struct line *line = &j->lines[code->lines_at + i];

		if (line->address <= address && (!best || line->address >= best->address))
			best = line;
	}
	if (!best)
		return;
	ret->file = jit_names_get(&j->names, best->file);
	ret->line = best->line;
}

bool jitdump_find(const struct jitdump *j, uint64_t address, uint64_t time_ns,
		  struct jitdump_place *ret)
{
	uint32_t id = code_ranges_find(&j->ranges, address), lowest;
	const struct code *earliest = NULL;

	lowest = id > MAX_SEARCHED ? id - MAX_SEARCHED : 0;
	for (; id > lowest; id--) {
		const struct code *code = &j->codes[id - 1];

		if (address < code->start || address >= code->end)
			continue;
		if (code->name || code->time_ns <= time_ns)
			earliest = code;
		if (code->time_ns <= time_ns)
			break;
	}
	if (!earliest || !earliest->name || earliest->time_ns > time_ns + LATE_NS)
		return false;
	*ret = (struct jitdump_place){.name = jit_names_get(&j->names, earliest->name)};
	find_line(j, earliest, address, ret);
	return true;
}
