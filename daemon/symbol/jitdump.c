/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "jitdump.h"

#include <byteswap.h>
#include "code_ranges.h"
#include "jit_names.h"
#include "sonde/base/table.h"

enum {
	HEADER_SIZE = 40, /* magic, version, size, machine, pad, pid, time, flags */
	RECORD_SIZE = 16, /* id, size, time */
	LOAD_SIZE = 56,	 /* with the record's: pid, tid, vma, address, size, index, then the name */
	MOVE_SIZE = 64,	 /* pid, tid, vma, old address, new address, size, index */
	DEBUG_SIZE = 32, /* address, number of entries, then these */
	ENTRY_SIZE = 16, /* address, line, discriminator, then the file's name */
	FLAG_OTHER_CLOCK = 1,
	MAX_SEARCHED = 65536, /* codes looked at for one that was replaced */
};

static const uint32_t MAGIC = 0x4A695444;
/* A compiler may write the record after the code has begun to run. */
static const uint64_t LATE_NS = 100 * NSEC_PER_MSEC;

enum record_id { CODE_LOAD, CODE_MOVE, CODE_DEBUG_INFO, CODE_CLOSE };

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
	struct jit_stream stream;
	bool has_header, swapped, timeless, closed, bad;
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
	j->stream.fd = -EBADF;
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
	j->stream.fd = jit_file_open_mapped(owner, start, end, &reason);
	if (j->stream.fd < 0) {
		if (ret_reason)
			*ret_reason = reason;
		return j->stream.fd;
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
	*j = (struct jitdump){.stream = {.fd = j->stream.fd}};
}

struct jitdump *jitdump_free(struct jitdump *j)
{
	if (!j)
		return NULL;
	forget(j);
	safe_close(j->stream.fd);
	free(j);
	return NULL;
}

static uint32_t get_u32(const struct jitdump *j, const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return j->swapped ? bswap_32(v) : v;
}

static uint64_t get_u64(const struct jitdump *j, const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return j->swapped ? bswap_64(v) : v;
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

static void take_load(struct jitdump *j, const uint8_t *r, uint64_t time_ns, const char *name,
		      size_t name_len)
{
	struct code code = {.start = get_u64(j, r + 32), .time_ns = time_ns};

	code.end = code.start + get_u64(j, r + 40);
	code.name = jit_names_add(&j->names, name, name_len);
	if (j->n_pending && j->pending_address == code.start) {
		code.lines_at = j->pending_at;
		code.n_lines = j->n_pending;
	}
	j->n_pending = 0;
	if (code.name)
		remember_index(j, get_u64(j, r + 48), add_code(j, &code));
}

static void take_move(struct jitdump *j, const uint8_t *r, uint64_t time_ns)
{
	uint64_t from = get_u64(j, r + 32), to = get_u64(j, r + 40), size = get_u64(j, r + 48);
	const uint32_t *known = table_get(&j->by_index, get_u64(j, r + 56));
	struct code gone = {.start = from, .end = from + size, .time_ns = time_ns}, code;

	if (!known)
		return;
	code = j->codes[*known - 1];
	code.lines_moved += to - code.start;
	code.start = to;
	code.end = to + size;
	code.time_ns = time_ns;
	(void)add_code(j, &gone);
	remember_index(j, get_u64(j, r + 56), add_code(j, &code));
}

/* Lines of the code that is loaded next; r is all of the record. */
static void take_debug(struct jitdump *j, const uint8_t *r, size_t size)
{
	uint64_t n = get_u64(j, r + 24);
	uint32_t file = 0;

	j->pending_address = get_u64(j, r + 16);
	j->pending_at = (uint32_t)j->n_lines;
	j->n_pending = 0;
	for (size_t at = DEBUG_SIZE; n > 0 && at + ENTRY_SIZE < size; n--) {
		const uint8_t *entry = r + at;
		const char *name = (const char *)entry + ENTRY_SIZE;
		size_t len = strnlen(name, size - at - ENTRY_SIZE);

		/* The same file as before is written as one byte. */
		if (!(len == 1 && (uint8_t)name[0] == 0xff))
			file = jit_names_add(&j->names, name, len);
		at += ENTRY_SIZE + len + 1;
		if (at > size || j->n_lines >= JITDUMP_MAX_LINES ||
		    array_reserve(&j->lines, &j->lines_cap, j->n_lines + 1, sizeof(*j->lines)) < 0)
			break;
		j->lines[j->n_lines++] =
			(struct line){get_u64(j, entry), get_u32(j, entry + 8), file};
		j->n_pending++;
	}
}

/* How long the record is, or 0 when more of it is needed. Of a code its name is enough. */
static size_t take_record(struct jitdump *j, const uint8_t *r, size_t size)
{
	uint64_t time_ns;
	size_t total, have;

	if (size < RECORD_SIZE)
		return 0;
	total = get_u32(j, r + 4);
	have = MIN(total, size);
	time_ns = j->timeless ? 0 : get_u64(j, r + 8);
	if (total < RECORD_SIZE) {
		j->bad = true;
		return 0;
	}
	switch (get_u32(j, r)) {
	case CODE_LOAD: {
		size_t len = have > LOAD_SIZE
				     ? strnlen((const char *)r + LOAD_SIZE, have - LOAD_SIZE)
				     : 0;

		if (have < total && LOAD_SIZE + len >= have && len <= JIT_NAME_MAX)
			return 0;
		if (total > LOAD_SIZE)
			take_load(j, r, time_ns, (const char *)r + LOAD_SIZE, len);
		return total;
	}
	case CODE_MOVE:
		if (have < total)
			return 0;
		if (total >= MOVE_SIZE)
			take_move(j, r, time_ns);
		return total;
	case CODE_DEBUG_INFO:
		/* What is larger than a block is left out. */
		if (have < total && j->stream.fd >= 0 && total <= JIT_STREAM_BLOCK)
			return 0;
		if (have == total && total >= DEBUG_SIZE)
			take_debug(j, r, total);
		return total;
	case CODE_CLOSE:
		j->closed = true;
		return total;
	}
	return total;
}

/* The header's length, 0 when more is needed or it is bad. */
static size_t take_header(struct jitdump *j, const uint8_t *h, size_t size)
{
	uint32_t magic, length;

	if (size < HEADER_SIZE)
		return 0;
	memcpy(&magic, h, sizeof(magic));
	j->swapped = magic == bswap_32(MAGIC);
	length = get_u32(j, h + 8);
	if ((magic != MAGIC && !j->swapped) || get_u32(j, h + 4) != 1 || length < HEADER_SIZE) {
		j->bad = true;
		return 0;
	}
	j->timeless = get_u64(j, h + 32) & FLAG_OTHER_CLOCK;
	j->has_header = true;
	return length;
}

size_t jitdump_feed(struct jitdump *j, const void *data, size_t size)
{
	const uint8_t *at = data;
	size_t done = 0;

	while (done < size && !j->closed && !j->bad) {
		size_t n = j->has_header ? take_record(j, at + done, size - done)
					 : take_header(j, at + done, size - done);

		if (n == 0)
			break;
		done += n;
	}
	return done;
}

bool jitdump_is_bad(const struct jitdump *j)
{
	return j->bad;
}

size_t jitdump_bytes(const struct jitdump *j)
{
	return j->names.cap + j->codes_cap * sizeof(*j->codes) + j->lines_cap * sizeof(*j->lines) +
	       j->n_codes * 2 * sizeof(struct code_range);
}

static size_t take(void *arg, const uint8_t *data, size_t size, bool *ret_stop)
{
	struct jitdump *j = arg;
	size_t done = jitdump_feed(j, data, size);

	*ret_stop = j->closed || j->bad || j->n_codes >= JITDUMP_MAX_CODES;
	return done;
}

int jitdump_refresh(struct jitdump *j, size_t max)
{
	int r = 0;

	if (!j->closed && !j->bad && j->n_codes < JITDUMP_MAX_CODES)
		r = jit_stream_read(&j->stream, max, take, j);
	if (r == -ESTALE) {
		forget(j);
		r = jit_stream_read(&j->stream, max, take, j);
	}
	return j->bad ? -EBADMSG : r;
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
