/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * soak DIR HOURS MIB: HOURS of a busy machine, on a clock that runs as fast as it can, into a
 * rolling store of DIR that is bounded to MIB: windows of ten seconds of processes that live
 * shortly and of some that stay, through what the daemon does with them, a new model included.
 * Prints a line for each two hours: what the file and the heap have. Fails when the file exceeds
 * its bound by more than a tenth, or when the heap at the end is larger than after a quarter of the
 * time by as much.
 */
#include <malloc.h>

#include "history_store.h"
#include "sonde/base/format.h"

enum {
	WINDOW_SECONDS = 10,
	TEND_SECONDS = 30,
	STAY = 100,    /* processes that never end */
	COME = 60,     /* that come and go in a window */
	SAMPLES = 380, /* 19 Hz on two CPUs */
	FUNCTIONS = 20000,
	DEPTH = 25,
	/* As control/always.c has them. */
	MANY_STACKS = 200000,
	MANY_PROCESSES = 20000,
};

struct soak {
	struct history *history;
	struct model *model;
	struct history_sent sent;
	int64_t session;
	uint64_t now_ns, rng; /* of the epoch */
	uint32_t pid, stay[STAY];
	struct error error;
};

static uint64_t below(struct soak *s, uint64_t n)
{
	s->rng ^= s->rng << 13;
	s->rng ^= s->rng >> 7;
	s->rng ^= s->rng << 17;
	return s->rng % n;
}

static uint32_t add_process(struct soak *s, uint32_t pid, uint64_t start_ns, uint64_t lives_ns)
{
	uint32_t id = model_process(s->model, pid, start_ns);
	struct model_process *p = model_process_get(s->model, id);
	char text[128];

	snprintf(text, sizeof(text), "program%u", pid % 50);
	p->comm = p->exe = model_string(s->model, text);
	snprintf(text, sizeof(text), "program%u --input=/tmp/build/%u.o --verbose", pid % 50, pid);
	p->cmdline = model_string(s->model, text);
	if (lives_ns) {
		p->exec_ns = start_ns;
		p->exit_ns = start_ns + lives_ns;
		p->flags |= PROCESS_EXITED;
	}
	return id;
}

/* Most are those seen before: functions near the root are few, and rare ones are ever others. */
static uint32_t a_stack(struct soak *s)
{
	uint32_t file = model_file(s->model, NULL, "/usr/bin/program", 0), stack = 0;
	uint64_t spread = below(s, 20) ? 3 : FUNCTIONS;

	for (uint64_t i = 0; i < DEPTH; i++) {
		uint64_t offset = i * 64 + (i > DEPTH - 6 ? below(s, spread) * 4096 : 0);

		stack = model_stack(s->model, stack, model_frame(s->model, file, offset));
	}
	return stack;
}

static int renew_model(struct soak *s)
{
	struct model_counts have = {};
	int r;

	if (s->model)
		model_counts(s->model, &have);
	if (s->model && have.stacks < MANY_STACKS && have.processes < MANY_PROCESSES)
		return 0;
	s->model = model_free(s->model);
	history_sent_reset(&s->sent);
	r = model_new(&s->model);
	for (uint32_t i = 0; i < STAY && r >= 0; i++)
		s->stay[i] = add_process(s, 10 + i, 1000 + i, 0);
	return r;
}

static int write_window(struct soak *s)
{
	_cleanup_(history_batch_freep) struct history_batch *b = NULL;
	struct window w = {};
	uint32_t come[COME];
	int r = renew_model(s);

	window_reset(&w, s->now_ns);
	for (int i = 0; i < COME && r >= 0; i++)
		come[i] = add_process(s, 1000 + s->pid++ % 4000000,
				      s->now_ns + below(s, 5 * NSEC_PER_SEC),
				      1 + below(s, 5 * NSEC_PER_SEC));
	for (int i = 0; i < SAMPLES && r >= 0; i++) {
		uint32_t process = below(s, 3) ? come[below(s, COME)] : s->stay[below(s, STAY)];

		r = window_add_sample(&w, process, model_process_peek(s->model, process)->comm,
				      a_stack(s), 1);
	}
	w.end_ns = s->now_ns += WINDOW_SECONDS * NSEC_PER_SEC;
	if (r >= 0)
		r = history_batch_new(s->model, &w, &s->sent, &b);
	for (int i = 0; i < 15 && r >= 0; i++) {
		const struct model_process *p = model_process_peek(s->model, come[i]);
		const struct history_event_item e[] = {{p->exec_ns, come[i], "exec", 0},
						       {p->exit_ns, come[i], "exit", 0}};

		r = history_batch_add_event(b, s->model, &e[0], &s->sent);
		if (r >= 0)
			r = history_batch_add_event(b, s->model, &e[1], &s->sent);
	}
	if (r >= 0)
		r = history_write(s->history, s->session, b, NULL, NULL, &s->error);
	window_release(&w);
	return r;
}

/* The file's bytes and the heap's, by *ret_*. */
static int look(struct soak *s, uint64_t hour, uint64_t *ret_file, uint64_t *ret_heap)
{
	struct history_stats stats = {};
	int r = history_stats(s->history, &stats);

	*ret_file = stats.bytes;
	*ret_heap = mallinfo2().uordblks + mallinfo2().hblkhd;
	printf("hour %llu file_kib %llu windows %llu heap_kib %llu\n", (unsigned long long)hour,
	       (unsigned long long)stats.bytes >> 10, (unsigned long long)stats.windows,
	       (unsigned long long)*ret_heap >> 10);
	fflush(stdout);
	return r;
}

static int run(struct soak *s, uint64_t hours, uint64_t max_bytes)
{
	uint64_t most_file = 0, quarter = 0, last = 0, file, heap;
	int r = 0;

	for (uint64_t hour = 1; hour <= hours && r >= 0; hour++) {
		uint64_t most_heap = 0;

		for (int i = 0; i < 3600 / WINDOW_SECONDS && r >= 0; i++) {
			r = write_window(s);
			if (r >= 0 && i % (TEND_SECONDS / WINDOW_SECONDS) == 0)
				r = store_tend(s->history, s->now_ns, &s->error);
			most_heap = MAX(most_heap, mallinfo2().uordblks + mallinfo2().hblkhd);
		}
		if (r < 0 || hour % 2)
			continue;
		r = look(s, hour, &file, &heap);
		most_file = MAX(most_file, file);
		last = most_heap;
		if (hour <= hours / 4 + 1)
			quarter = MAX(quarter, most_heap);
	}
	if (r < 0)
		return r;
	printf("file_most_kib %llu\nheap_quarter_kib %llu\nheap_end_kib %llu\n",
	       (unsigned long long)most_file >> 10, (unsigned long long)quarter >> 10,
	       (unsigned long long)last >> 10);
	return most_file <= max_bytes + max_bytes / 10 && last <= quarter + quarter / 10 ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct soak s = {.now_ns = 1800000000ULL * NSEC_PER_SEC, .rng = 1};
	uint64_t hours, mib;
	int r;

	if (argc != 4 || parse_u64(argv[2], &hours) < 0 || parse_u64(argv[3], &mib) < 0 ||
	    hours > 10000 || mib < 1 || mib > 1 << 20) {
		fprintf(stderr, "usage: soak DIR HOURS MIB\n");
		return 2;
	}
	r = store_begin(argv[1], mib << 20, &s.error, &s.history, &s.session);
	if (r >= 0)
		r = run(&s, hours, mib << 20);
	if (r < 0)
		fprintf(stderr, "soak: %s\n", s.error.message[0] ? s.error.message : strerror(-r));
	history_free(s.history);
	history_sent_release(&s.sent);
	model_free(s.model);
	return r != 0;
}
