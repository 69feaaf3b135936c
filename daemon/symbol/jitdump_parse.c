/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <byteswap.h>

#include "symbol/jit_parse.h"

enum {
	HEADER_SIZE = 40, /* magic, version, size, machine, pad, pid, time, flags */
	RECORD_SIZE = 16, /* id, size, time */
	LOAD_SIZE = 56,	 /* with the record's: pid, tid, vma, address, size, index, then the name */
	MOVE_SIZE = 64,	 /* pid, tid, vma, old address, new address, size, index */
	DEBUG_SIZE = 32, /* address, number of entries, then these */
	ENTRY_SIZE = 16, /* address, line, discriminator, then the file's name */
	FLAG_OTHER_CLOCK = 1,
};

static const uint32_t MAGIC = 0x4A695444;

enum record_id { CODE_LOAD, CODE_MOVE, CODE_DEBUG_INFO, CODE_CLOSE };

struct parser {
	struct jit_image *out;
	uint32_t *flags;
	bool is_file;
};

static uint32_t get_u32(const struct parser *p, const uint8_t *at)
{
	uint32_t v;

	memcpy(&v, at, sizeof(v));
	return *p->flags & JIT_SWAPPED ? bswap_32(v) : v;
}

static uint64_t get_u64(const struct parser *p, const uint8_t *at)
{
	uint64_t v;

	memcpy(&v, at, sizeof(v));
	return *p->flags & JIT_SWAPPED ? bswap_64(v) : v;
}

static void take_load(struct parser *p, const uint8_t *r, uint64_t time_ns, const char *name,
		      size_t name_len)
{
	struct jit_record record = {
		.kind = JIT_CODE,
		.name = jit_names_add(&p->out->names, name, name_len),
		.start = get_u64(p, r + 32),
		.size = get_u64(p, r + 40),
		.time_ns = time_ns,
		.index = get_u64(p, r + 48),
	};

	(void)jit_image_add(p->out, &record);
}

static void take_move(struct parser *p, const uint8_t *r, uint64_t time_ns)
{
	struct jit_record record = {
		.kind = JIT_MOVE,
		.start = get_u64(p, r + 32),
		.to = get_u64(p, r + 40),
		.size = get_u64(p, r + 48),
		.time_ns = time_ns,
		.index = get_u64(p, r + 56),
	};

	(void)jit_image_add(p->out, &record);
}

/* Lines of the code that is loaded next; r is all of the record. */
static void take_debug(struct parser *p, const uint8_t *r, size_t size)
{
	struct jit_record record = {
		.kind = JIT_LINES,
		.start = get_u64(p, r + 16),
		.first_line = (uint32_t)p->out->n_lines,
	};
	uint64_t n = get_u64(p, r + 24);
	uint32_t file = 0;

	for (size_t at = DEBUG_SIZE; n > 0 && at + ENTRY_SIZE < size; n--) {
		const uint8_t *entry = r + at;
		const char *name = (const char *)entry + ENTRY_SIZE;
		size_t len = strnlen(name, size - at - ENTRY_SIZE);
		struct jit_line line = {get_u64(p, entry), get_u32(p, entry + 8), 0};

		/* The same file as before is written as one byte. */
		if (!(len == 1 && (uint8_t)name[0] == 0xff))
			file = jit_names_add(&p->out->names, name, len);
		line.file = file;
		at += ENTRY_SIZE + len + 1;
		if (at > size || !jit_image_add_line(p->out, &line))
			break;
		record.n_lines++;
	}
	(void)jit_image_add(p->out, &record);
}

/* How long the record is, or 0 when more of it is needed. Of a code its name is enough. */
static size_t take_record(struct parser *p, const uint8_t *r, size_t size)
{
	uint64_t time_ns;
	size_t total, have;

	if (size < RECORD_SIZE)
		return 0;
	total = get_u32(p, r + 4);
	have = MIN(total, size);
	time_ns = *p->flags & JIT_TIMELESS ? 0 : get_u64(p, r + 8);
	if (total < RECORD_SIZE) {
		*p->flags |= JIT_BAD;
		return 0;
	}
	switch (get_u32(p, r)) {
	case CODE_LOAD: {
		size_t len = have > LOAD_SIZE
				     ? strnlen((const char *)r + LOAD_SIZE, have - LOAD_SIZE)
				     : 0;

		if (have < total && LOAD_SIZE + len >= have && len <= JIT_NAME_MAX)
			return 0;
		if (total > LOAD_SIZE)
			take_load(p, r, time_ns, (const char *)r + LOAD_SIZE, len);
		return total;
	}
	case CODE_MOVE:
		if (have < total)
			return 0;
		if (total >= MOVE_SIZE)
			take_move(p, r, time_ns);
		return total;
	case CODE_DEBUG_INFO:
		/* What is larger than a block is left out. */
		if (have < total && p->is_file && total <= JIT_STREAM_BLOCK)
			return 0;
		if (have == total && total >= DEBUG_SIZE)
			take_debug(p, r, total);
		return total;
	case CODE_CLOSE:
		*p->flags |= JIT_CLOSED;
		return total;
	}
	return total;
}

/* The header's length, 0 when more is needed or it is bad. */
static size_t take_header(struct parser *p, const uint8_t *h, size_t size)
{
	uint32_t magic, length;

	if (size < HEADER_SIZE)
		return 0;
	memcpy(&magic, h, sizeof(magic));
	if (magic == bswap_32(MAGIC))
		*p->flags |= JIT_SWAPPED;
	length = get_u32(p, h + 8);
	if ((magic != MAGIC && !(*p->flags & JIT_SWAPPED)) || get_u32(p, h + 4) != 1 ||
	    length < HEADER_SIZE) {
		*p->flags |= JIT_BAD;
		return 0;
	}
	if (get_u64(p, h + 32) & FLAG_OTHER_CLOCK)
		*p->flags |= JIT_TIMELESS;
	*p->flags |= JIT_HEADER;
	return length;
}

size_t jitdump_parse(struct jit_image *out, uint32_t *flags, bool is_file, const uint8_t *data,
		     size_t size)
{
	struct parser p = {out, flags, is_file};
	size_t done = 0;

	while (done < size && !(*flags & (JIT_CLOSED | JIT_BAD))) {
		size_t n = *flags & JIT_HEADER ? take_record(&p, data + done, size - done)
					       : take_header(&p, data + done, size - done);

		if (n == 0)
			break;
		done += n;
	}
	return done;
}
