/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the collector is made of: the check of records, the ring, mapping events, slots. */
#include "collect_help.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>

#include "base_random.h"
#include "collect/ring.h"

/* A record of any kind with room behind it, so that a size that is too long can be claimed. */
union any {
	struct record_header h;
	struct record_sample sample;
	struct record_exec exec;
	struct record_mmap mmap;
	struct record_stack stack;
	struct record_python python;
	struct record_python_code code;
	struct record_source source;
	uint64_t words[1024];
};

static union any record; /* zero but for what a test sets: Criterion forks for each */

static void only_size(size_t exact)
{
	for (size_t size = 0; size <= exact + 64; size++)
		cr_expect_eq(record_valid(&record, size), size == exact,
			     "kind %u flags %u: %zu bytes, not %zu", record.h.kind, record.h.flags,
			     size, exact);
}

/* A batch and open spans behind it; the ring has more room than there is. */
Test(collect_record, sources)
{
	static const struct {
		uint32_t bytes, open, need;
	} cases[] = {{0, 0, 0},	    {1, 0, 8},	{8, 0, 8},	 {112, 0, 112},
		     {113, 3, 192}, {0, 2, 48}, {4000, 64, 5536}};

	record.h.kind = RECORD_SOURCE;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		record.source.bytes = cases[i].bytes;
		record.source.n_open = cases[i].open;
		for (size_t size = 0; size <= sizeof(record); size++)
			cr_assert_eq(record_valid(&record, size),
				     size >= sizeof(record.source) + cases[i].need,
				     "case %zu: %zu bytes", i, size);
	}
	record.source.n_open = RECORD_MAX_OPEN + 1;
	cr_expect_not(record_valid(&record, sizeof(record)));
	record.source.n_open = 0;
	record.source.bytes = RECORD_SOURCE_BYTES;
	cr_expect(record_valid(&record, sizeof(record.source) + RECORD_SOURCE_BYTES));
	record.source.bytes = RECORD_SOURCE_BYTES + 1;
	cr_expect_not(record_valid(&record, 2 * RECORD_SOURCE_BYTES));
	record.source.bytes = record.source.n_open = UINT32_MAX;
	cr_expect_not(record_valid(&record, sizeof(record)));
}

Test(collect_record, fixed_sizes)
{
	static const size_t sizes[] = {
		[RECORD_SPAN] = sizeof(struct record_span),
		[RECORD_PATH] = sizeof(struct record_path),
		[RECORD_FORK] = sizeof(struct record_fork),
		[RECORD_EXEC] = sizeof(struct record_exec),
		[RECORD_EXIT] = sizeof(struct record_exit),
		[RECORD_IMAGE] = sizeof(struct record_image),
		[RECORD_THROW] = sizeof(struct record_throw),
		[RECORD_WAIT_END] = sizeof(struct record_wait_end),
		[RECORD_AROUND] = sizeof(struct record_around),
	};

	for (record.h.kind = 0; record.h.kind < ARRAY_SIZE(sizes); record.h.kind++)
		if (sizes[record.h.kind])
			only_size(sizes[record.h.kind]);
	record.h = (struct record_header){.kind = RECORD_SPAN, .flags = SPAN_ARGS | SPAN_ERROR};
	only_size(sizeof(struct record_span_args));
	record.h.flags = 0;
	for (unsigned int kind = 0; kind <= UINT16_MAX; kind++) {
		record.h.kind = kind;
		if (kind == 0 || kind > RECORD_AROUND)
			for (size_t size = 0; size < 200; size += 8)
				cr_assert_not(record_valid(&record, size), "kind %u", kind);
	}
}

Test(collect_record, session_bounds)
{
	record.h.kind = RECORD_EXIT;
	for (unsigned int session = 0; session <= UINT16_MAX; session++) {
		record.h.session = session;
		cr_assert_eq(record_valid(&record, sizeof(struct record_exit)),
			     session < RECORD_MAX_SESSIONS, "session %u", session);
	}
}

Test(collect_record, sample_counts)
{
	static const uint16_t counts[] = {0, 1, 126, 127, 128, 255, 32768, 65535};

	record.h.kind = RECORD_SAMPLE;
	for (size_t u = 0; u < ARRAY_SIZE(counts); u++)
		for (size_t k = 0; k < ARRAY_SIZE(counts); k++) {
			size_t exact = sizeof(record.sample) + 8UL * (counts[u] + counts[k]);

			record.sample.user_count = counts[u];
			record.sample.kernel_count = counts[k];
			if (counts[u] <= RECORD_MAX_STACK && counts[k] <= RECORD_MAX_STACK)
				only_size(exact);
			else
				cr_expect_not(record_valid(&record, exact), "%u + %u", counts[u],
					      counts[k]);
		}
}

Test(collect_record, python_frames)
{
	static const uint32_t counts[] = {0, 1, 126, 127, 128, 255, 1U << 28, UINT32_MAX};

	record.h.kind = RECORD_PYTHON;
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		record.python.count = counts[i];
		if (counts[i] <= RECORD_MAX_PYTHON)
			only_size(32 + 16UL * counts[i]);
		else /* also what the size is in 32 bits */
			cr_expect_not(record_valid(&record, (uint32_t)(32 + 16 * counts[i])));
	}
}

/* Characters are whole, nothing is longer than its place, no line is more than the table has. */
Test(collect_record, python_code)
{
	const size_t none = offsetof(struct record_python_code, lines);

	record.h.kind = RECORD_PYTHON_CODE;
	only_size(none);
	record.code.lines_len = 5;
	cr_expect_not(record_valid(&record, none + 5), "more than the table has");
	record.code.lines_size = 5;
	only_size(none + 5);
	record.code.lines_len = record.code.lines_size = RECORD_PYTHON_LINES_LEN + 1;
	cr_expect_not(record_valid(&record, none + RECORD_PYTHON_LINES_LEN + 1));
	record.code.lines_len = 0;
	for (uint32_t kind = 0; kind < 256; kind++)
		for (uint32_t len = 0; len < 65536; len += len < 600 ? 1 : 997) {
			bool known = kind == 1 || kind == 2 || kind == 4, good;

			good = kind == 0 ? len == 0 : known && len % kind == 0;
			record.code.file_kind = 0;
			record.code.file_len = 0;
			record.code.name_kind = (uint8_t)kind;
			record.code.name_len = (uint16_t)len;
			cr_assert_eq(record_valid(&record, none),
				     good && len <= RECORD_PYTHON_NAME_LEN, "%u %u", kind, len);
			record.code.name_kind = 0;
			record.code.name_len = 0;
			record.code.file_kind = (uint8_t)kind;
			record.code.file_len = (uint16_t)len;
			cr_assert_eq(record_valid(&record, none),
				     good && len <= RECORD_PYTHON_FILE_LEN, "%u %u", kind, len);
		}
}

Test(collect_record, exec_filename_must_end)
{
	record.h.kind = RECORD_EXEC;
	memset(record.exec.filename, 'x', RECORD_FILENAME_LEN - 1);
	cr_expect(record_valid(&record, sizeof(record.exec)));
	record.exec.filename[RECORD_FILENAME_LEN - 1] = 'x';
	cr_expect_not(record_valid(&record, sizeof(record.exec)));
}

Test(collect_record, mmap_bounds)
{
	static const uint32_t lies[] = {PATH_MAX, 1U << 31, UINT32_MAX,
					UINT32_MAX - sizeof(struct record_mmap) + 1};

	record.h.kind = RECORD_MMAP;
	only_size(sizeof(record.mmap));
	record.mmap.path_len = 5;
	only_size(sizeof(record.mmap) + 5);
	record.mmap.path_len = PATH_MAX - 1;
	only_size(sizeof(record.mmap) + PATH_MAX - 1);
	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		record.mmap.path_len = lies[i];
		cr_expect_not(record_valid(&record, sizeof(record.mmap)));
		cr_expect_not(record_valid(&record, sizeof(record.mmap) + lies[i]), "%u", lies[i]);
		/* What the sum is when it is made in 32 bits. */
		cr_expect_not(record_valid(&record, (uint32_t)(sizeof(record.mmap) + lies[i])));
	}
	record.mmap.path_len = 0;
	record.mmap.address = 0xffffffffff600000;
	record.mmap.length = UINT64_MAX - record.mmap.address;
	cr_expect(record_valid(&record, sizeof(record.mmap)));
	record.mmap.length++;
	cr_expect_not(record_valid(&record, sizeof(record.mmap)), "the end wraps around");
}

/* Says on its own, in sums of 64 bits, how long a record must be; 0 when it cannot be valid. */
static uint64_t expected_size(const union any *r)
{
	switch (r->h.kind) {
	case RECORD_SPAN:
		return 64 + (r->h.flags & SPAN_ARGS ? 48 : 0);
	case RECORD_PATH:
		return 40;
	case RECORD_SAMPLE:
		return r->sample.user_count > 127 || r->sample.kernel_count > 127
			       ? 0
			       : 48 + 8ULL * r->sample.user_count + 8ULL * r->sample.kernel_count;
	case RECORD_FORK:
		return 56;
	case RECORD_EXEC:
		return 176;
	case RECORD_AROUND:
		return 56;
	case RECORD_MMAP:
		return 56ULL + r->mmap.path_len;
	case RECORD_EXIT:
	case RECORD_IMAGE:
		return 24;
	case RECORD_THROW:
		return 216;
	case RECORD_STACK:
		return r->stack.user_count > 127 ? 0 : 32 + 8ULL * r->stack.user_count;
	case RECORD_PYTHON:
		return r->python.count > 127 ? 0 : 32 + 16ULL * r->python.count;
	case RECORD_PYTHON_CODE:
		return r->code.lines_len > 4092 ? 0 : 800ULL + r->code.lines_len;
	default:
		return 0;
	}
}

/* Closer to right than by chance, mostly. */
static void shape_python(union any *r)
{
	static const uint8_t kinds[] = {0, 1, 2, 3, 4, 4, 1, 1};

	if (r->h.kind == RECORD_PYTHON)
		r->python.count %= 129;
	if (r->h.kind != RECORD_PYTHON_CODE)
		return;
	r->code.name_kind = kinds[r->code.name_kind % 8];
	r->code.file_kind = kinds[r->code.file_kind % 8];
	r->code.name_len = r->code.name_len % 300 & ~3U;
	r->code.file_len = r->code.file_len % 600 & ~3U;
	r->code.lines_len %= 3000;
}

/* The record ends where an unreadable page begins: a read far behind the size is a crash. */
Test(collect_record, random_buffers)
{
	uint8_t *pages =
		mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned int accepted = 0;
	uint8_t *at;

	seed_rng();
	cr_assert_neq(pages, MAP_FAILED);
	cr_assert_eq(mprotect(pages + 4096, 4096, PROT_NONE), 0);
	for (int round = 0; round < 200000; round++) {
		static union any r;
		size_t size;

		for (size_t i = 0; i < 24; i++)
			r.words[i] = next_random();
		r.h.kind %= 14;
		r.h.session %= 66;
		if (round & 1) { /* close to right more often than by chance */
			r.sample.user_count %= 129;
			if (r.h.kind == RECORD_STACK)
				r.stack.user_count %= 129;
			r.sample.kernel_count %= 129;
			shape_python(&r);
		}
		if (r.h.kind == RECORD_MMAP && round & 1)
			r.mmap.path_len %= 120;
		size = next_random() % 400;
		if (next_random() % 4 == 0 && expected_size(&r) < 4000)
			size = expected_size(&r) + next_random() % 2;
		at = pages + ((4096 - size) & ~7UL); /* as aligned as the ring has them */
		memcpy(at, &r, MIN(size, sizeof(r)));
		if (!record_valid(at, size))
			continue;
		accepted++;
		cr_assert_lt(r.h.session, RECORD_MAX_SESSIONS);
		if (r.h.kind == RECORD_CALL) { /* cut off behind the values it has */
			cr_assert(size >= 160 && size <= 160 + RECORD_MAX_VALUES);
			continue;
		}
		cr_assert_eq(size, expected_size(&r), "round %d: kind %u, %zu bytes", round,
			     r.h.kind, size);
		cr_assert_lt(r.h.session, RECORD_MAX_SESSIONS);
	}
	cr_expect_gt(accepted, 5000, "only %u were accepted: the test tests nothing", accepted);
}

/* A ring in the kernel and programs that write the first word of their context into it. */
struct writer {
	int map, output, discard;
	struct ring *ring;
};

enum { WRITE_BYTES = 40 }; /* with its header 48: does not divide a page */

static int load_output(int map)
{
	const struct bpf_insn program[] = {
		{.code = BPF_LDX | BPF_MEM | BPF_DW, .dst_reg = 3, .src_reg = 1},
		{.code = BPF_STX | BPF_MEM | BPF_DW, .dst_reg = 10, .src_reg = 3, .off = -40},
		{.code = BPF_STX | BPF_MEM | BPF_DW, .dst_reg = 10, .src_reg = 3, .off = -32},
		{.code = BPF_STX | BPF_MEM | BPF_DW, .dst_reg = 10, .src_reg = 3, .off = -24},
		{.code = BPF_STX | BPF_MEM | BPF_DW, .dst_reg = 10, .src_reg = 3, .off = -16},
		{.code = BPF_STX | BPF_MEM | BPF_DW, .dst_reg = 10, .src_reg = 3, .off = -8},
		{.code = BPF_LD | BPF_DW | BPF_IMM,
		 .dst_reg = 1,
		 .src_reg = BPF_PSEUDO_MAP_FD,
		 .imm = map},
		{},
		{.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 2, .src_reg = 10},
		{.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = 2, .imm = -WRITE_BYTES},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 3, .imm = WRITE_BYTES},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 4, .imm = 0},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_ringbuf_output},
		{.code = BPF_JMP | BPF_EXIT},
	};

	return bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "output", "GPL", program,
			     ARRAY_SIZE(program), NULL);
}

static int load_discard(int map)
{
	const struct bpf_insn program[] = {
		{.code = BPF_LD | BPF_DW | BPF_IMM,
		 .dst_reg = 1,
		 .src_reg = BPF_PSEUDO_MAP_FD,
		 .imm = map},
		{},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 2, .imm = 20},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 3, .imm = 0},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_ringbuf_reserve},
		{.code = BPF_JMP | BPF_JEQ | BPF_K, .dst_reg = 0, .off = 4, .imm = 0},
		{.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 1, .src_reg = 0},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 2, .imm = 0},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_ringbuf_discard},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 0},
		{.code = BPF_JMP | BPF_EXIT},
	};

	return bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "discard", "GPL", program,
			     ARRAY_SIZE(program), NULL);
}

static struct writer writer_open(uint32_t bytes)
{
	struct writer w = {
		.map = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "test_ring", 0, 0, bytes, NULL)};

	if (w.map == -EPERM)
		cr_skip_test("the kernel does not let this process make a ring: %s",
			     strerror(EPERM));
	cr_assert_geq(w.map, 0, "%s", strerror(-w.map));
	w.output = load_output(w.map);
	w.discard = load_discard(w.map);
	cr_assert(w.output >= 0 && w.discard >= 0, "%d %d", w.output, w.discard);
	cr_assert_eq(ring_open(w.map, bytes, &w.ring), 0);
	return w;
}

static void writer_close(struct writer *w)
{
	ring_free(w->ring);
	close(w->output);
	close(w->discard);
	close(w->map);
}

/* What the program returned: 0, or -EAGAIN when the ring is full. */
static int run(int program, uint64_t value)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = &value, .ctx_size_in = sizeof(value));

	cr_assert_eq(bpf_prog_test_run_opts(program, &opts), 0, "%s", strerror(errno));
	return (int)opts.retval;
}

/* Expects 40-byte records with rising numbers; stops before the one called `stop`. */
struct reader {
	struct ring *ring;
	uint64_t next, stop, published;
};

static int read_one(void *arg, const void *data, size_t size)
{
	struct reader *r = arg;
	const uint64_t *words = data;

	r->published = MAX(r->published, ring_consumer(r->ring));
	if (r->next == r->stop)
		return 1;
	cr_assert_eq(size, WRITE_BYTES);
	for (size_t i = 0; i < WRITE_BYTES / 8; i++)
		cr_assert_eq(words[i], r->next, "word %zu is %lu, not %lu", i, words[i], r->next);
	r->next++;
	return 0;
}

Test(collect_ring, order_stop_and_limit)
{
	struct writer w = writer_open(4096);
	struct reader r = {.ring = w.ring, .next = 100, .stop = 103};
	uint64_t limit = 0;

	cr_expect_eq(ring_drain(w.ring, ring_producer(w.ring), read_one, &r), 0);
	for (uint64_t i = 100; i < 110; i++) {
		if (i == 107)
			limit = ring_producer(w.ring);
		cr_assert_eq(run(w.output, i), 0);
	}
	cr_expect_eq(ring_producer(w.ring), 10 * 48);
	cr_expect_eq(ring_drain(w.ring, limit, read_one, &r), 3 * 48);
	cr_expect_eq(r.next, 103, "each() said stop at 103");
	cr_expect_eq(ring_consumer(w.ring), 3 * 48);
	cr_expect_eq(ring_drain(w.ring, limit, read_one, &r), 0, "it still says so");
	r.stop = 0;
	cr_expect_eq(ring_drain(w.ring, limit, read_one, &r), 4 * 48);
	cr_expect_eq(r.next, 107, "the limit is after 106");
	cr_expect_eq(ring_drain(w.ring, ring_producer(w.ring), read_one, &r), 3 * 48);
	cr_expect_eq(r.next, 110);
	cr_expect_eq(ring_consumer(w.ring), ring_producer(w.ring));
	writer_close(&w);
}

Test(collect_ring, discarded_are_left_out)
{
	struct writer w = writer_open(4096);
	struct reader r = {.ring = w.ring};

	r.next = 1;
	for (uint64_t i = 1; i <= 5; i++) {
		cr_assert_eq(run(w.discard, i), 0);
		cr_assert_eq(run(w.output, i), 0);
	}
	cr_assert_eq(run(w.discard, 0), 0);
	/* 20 bytes and a header take 32. */
	cr_expect_eq(ring_drain(w.ring, ring_producer(w.ring), read_one, &r), 5 * 48 + 6 * 32);
	cr_expect_eq(r.next, 6);
	writer_close(&w);
}

/* 4,096 is no multiple of 48: records lie across the end of the ring again and again. */
Test(collect_ring, wraps_around_and_fills)
{
	struct writer w = writer_open(4096);
	struct reader r = {.ring = w.ring, .stop = UINT64_MAX};
	uint64_t written = 0, full = 0;

	for (int round = 0; round < 400; round++) {
		for (int i = 0; i <= round % 90; i++) {
			int got = run(w.output, written);

			cr_assert(got == 0 || got == -EAGAIN, "%d", got);
			written += got == 0;
			full += got != 0;
		}
		ring_drain(w.ring, ring_producer(w.ring), read_one, &r);
		cr_assert_eq(r.next, written, "round %d", round);
	}
	cr_expect_gt(full, 0, "85 records fit in, 86 and more were tried");
	cr_expect_gt(ring_consumer(w.ring), 100 * 4096);
	cr_expect_eq(ring_consumer(w.ring), written * 48);
	writer_close(&w);
}

Test(collect_ring, gives_space_back_during_a_drain)
{
	struct writer w = writer_open(1 << 18);
	struct reader r = {.ring = w.ring, .stop = UINT64_MAX};

	for (uint64_t i = 0; i < 4000; i++)
		cr_assert_eq(run(w.output, i), 0);
	cr_expect_eq(ring_drain(w.ring, ring_producer(w.ring), read_one, &r), 4000 * 48);
	cr_expect_geq(r.published, 2 * 65536, "at its end only %lu were free", r.published);
	cr_expect_lt(r.published, 4000 * 48);
	writer_close(&w);
}

Test(collect_ring, what_is_no_ring)
{
	int array = bpf_map_create(BPF_MAP_TYPE_ARRAY, "test_array", 4, 8, 16, NULL);
	int small = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "test_small", 0, 0, 4096, NULL);
	int memory = memfd_create("test", MFD_CLOEXEC);
	struct ring *ring = NULL;

	if (array == -EPERM)
		cr_skip_test("the kernel does not let this process make maps: %s", strerror(EPERM));
	cr_assert(array >= 0 && small >= 0 && memory >= 0);
	cr_expect_lt(ring_open(-1, 4096, &ring), 0);
	cr_expect_lt(ring_open(array, 4096, &ring), 0, "an array");
	cr_expect_lt(ring_open(small, 8192, &ring), 0, "a ring of 4,096 bytes is none of 8,192");
	cr_expect_lt(ring_open(memory, 4096, &ring), 0, "an empty memfd");
	cr_assert_eq(ftruncate(memory, 1 << 20), 0);
	cr_expect_lt(ring_open(memory, 4096, &ring), 0, "a memfd of the right size");
	cr_expect_null(ring, "the output was written on an error");
	ring_free(ring);
	close(array);
	close(small);
	close(memory);
}
