/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * history_day STORE DIR TIMES: what a rolling store becomes when what STORE (of this boot of the
 * machine) has happens TIMES times one after the other: its windows are written again and again,
 * with shifted clocks and other processes, into a store of DIR, which is tended as the daemon does.
 * Prints lines NAME VALUE. Besides the times that pass are those of the CPU: others may use it,
 * too.
 */
#include <sys/resource.h>
#include <time.h>

#include "history_store.h"
#include "sonde/base/format.h"
#include "store/history_load.h"

enum { MAX_LIFE = 30, LIFE_SECONDS = 10 }; /* starts and ends of processes, as the daemon notes */

struct replay {
	struct model *model;
	struct history *history;
	struct history_sent sent;
	int64_t session;
	uint64_t boot_ns;   /* what a time since the boot needs to be one of the epoch */
	uint32_t processes; /* of the model, that were shifted */
	uint64_t events;
	uint64_t first_ns, shift_ns, last_ns; /* of the epoch */
	uint64_t windows, tended_ns;
	struct error error;
};

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_nsec;
}

static uint64_t since_boot_to_epoch_ns(void)
{
	struct timespec now, boot;

	clock_gettime(CLOCK_REALTIME, &now);
	clock_gettime(CLOCK_BOOTTIME, &boot);
	return (uint64_t)((now.tv_sec - boot.tv_sec) * (int64_t)NSEC_PER_SEC + now.tv_nsec -
			  boot.tv_nsec);
}

static int add_life(struct replay *r, struct history_batch *b, uint32_t process, uint64_t time_ns,
		    const char *kind, uint64_t *room, uint64_t *more)
{
	const struct history_event_item e = {time_ns, process, kind, 0};

	if (!time_ns)
		return 0;
	if (!*room) {
		++*more;
		return 0;
	}
	--*room;
	r->events++;
	return history_batch_add_event(b, r->model, &e, &r->sent);
}

/* Starts and ends of the processes from `first` on: the window is the first that names them. */
static int add_lives(struct replay *r, struct history_batch *b, uint32_t first)
{
	uint64_t seconds = (b->window.end_ns - b->window.start_ns) / NSEC_PER_SEC, more = 0;
	uint64_t room = MAX_LIFE * (1 + seconds / LIFE_SECONDS);
	int x = 0;

	for (uint32_t id = first + 1; id <= r->processes && x >= 0; id++) {
		const struct model_process *p = model_process_peek(r->model, id);

		x = add_life(r, b, id, p->exec_ns, "exec", &room, &more);
		if (x >= 0)
			x = add_life(r, b, id, p->exit_ns, "exit", &room, &more);
	}
	if (more && x >= 0)
		x = history_batch_add_event(
			b, r->model,
			&(struct history_event_item){b->window.end_ns, 0, "more", (int64_t)more},
			&r->sent);
	return x;
}

/* Each round has processes of its own, but for those that still run. */
static void shift_processes(struct replay *r)
{
	struct model_counts have;

	model_counts(r->model, &have);
	while (r->processes < have.processes) {
		struct model_process *p = model_process_get(r->model, ++r->processes);

		p->start_ns += r->boot_ns + (p->flags & PROCESS_EXITED ? r->shift_ns : 0);
		p->exec_ns += p->exec_ns ? r->shift_ns : 0;
		p->exit_ns += p->exit_ns ? r->shift_ns : 0;
	}
}

static int tend(struct replay *r)
{
	r->tended_ns = r->last_ns;
	return store_tend(r->history, r->last_ns, &r->error);
}

static int put(void *arg, struct window *w)
{
	struct replay *r = arg;
	_cleanup_(history_batch_freep) struct history_batch *b = NULL;
	uint32_t first = r->processes;
	int x;

	shift_processes(r);
	if (!r->first_ns)
		r->first_ns = w->start_ns;
	w->start_ns += r->shift_ns;
	w->end_ns += r->shift_ns;
	for (size_t i = 0; i < w->n_spans; i++)
		w->spans[i].start_ns += r->shift_ns;
	r->last_ns = MAX(r->last_ns, w->end_ns);
	x = history_batch_new(r->model, w, &r->sent, &b);
	if (x >= 0)
		x = add_lives(r, b, first);
	if (x >= 0)
		x = history_write(r->history, r->session, b, NULL, NULL, &r->error);
	r->windows++;
	if (x >= 0 && r->last_ns > r->tended_ns + 30 * NSEC_PER_SEC)
		x = tend(r);
	return x;
}

static int replay(struct replay *r, const char *from, int times)
{
	const struct history_range range = {};
	uint64_t length_ns = 0;

	for (int i = 0; i < times; i++) {
		struct history_part part = {};
		int x = model_new(&r->model);

		if (x >= 0)
			x = history_each_window(from, &range, r->model, put, r, &r->error, &part);
		if (i == 0 && x >= 0)
			length_ns = (part.last_us - part.first_us) * 1000;
		r->shift_ns += length_ns;
		history_part_release(&part);
		history_sent_reset(&r->sent);
		r->processes = 0;
		r->model = model_free(r->model);
		if (x < 0)
			return x;
	}
	return tend(r);
}

/* Loads what was since then as a question does, and says what that takes. */
static void time_load(const char *dir, const char *name, uint64_t since_us)
{
	const struct history_range range = {.since_us = since_us, .samples = true};
	struct history_part part = {};
	struct model *m = NULL;
	struct error e = {};
	char path[4096];
	uint64_t begin = now_monotonic_ns(), cpu = cpu_ns();

	snprintf(path, sizeof(path), "%s/" HISTORY_FILE, dir);
	if (model_new(&m) < 0 || history_load(path, &range, m, &e, &part) < 0)
		fprintf(stderr, "history_day: %s\n", e.message);
	printf("load_%s_ms %.0f\n", name, (double)(now_monotonic_ns() - begin) / 1e6);
	printf("load_%s_cpu_ms %.0f\n", name, (double)(cpu_ns() - cpu) / 1e6);
	printf("load_%s_samples %llu\n", name, (unsigned long long)part.samples);
	printf("load_%s_rows %zu\n", name, part.total.n_samples);
	history_part_release(&part);
	model_free(m);
}

int main(int argc, char **argv)
{
	struct replay r = {.boot_ns = since_boot_to_epoch_ns()};
	struct history_stats stats = {};
	uint64_t times = 0, begin = now_monotonic_ns();
	struct rusage usage;

	if (argc != 4 || parse_u64(argv[3], &times) < 0 || times < 1 || times > 100000) {
		fprintf(stderr, "usage: history_day STORE DIR TIMES\n");
		return 2;
	}
	if (store_begin(argv[2], 1ULL << 30, &r.error, &r.history, &r.session) < 0 ||
	    replay(&r, argv[1], (int)times) < 0 || history_stats(r.history, &stats) < 0) {
		fprintf(stderr, "history_day: %s\n", r.error.message);
		return 1;
	}
	printf("seconds %.1f\n", (double)(stats.last_us - stats.first_us) / 1e6);
	printf("windows_written %llu\nwindows %llu\n", (unsigned long long)r.windows,
	       (unsigned long long)stats.windows);
	printf("bytes %llu\n", (unsigned long long)stats.bytes);
	printf("events_written %llu\n", (unsigned long long)r.events);
	printf("write_ms %.0f\n", (double)(now_monotonic_ns() - begin) / 1e6);
	printf("write_cpu_ms %.0f\n", (double)cpu_ns() / 1e6);
	getrusage(RUSAGE_SELF, &usage);
	printf("rss_kib %ld\n", usage.ru_maxrss);
	history_free(r.history);
	history_sent_release(&r.sent);
	time_load(argv[2], "hour", stats.last_us - 3600 * 1000000ULL);
	time_load(argv[2], "all", 0);
	getrusage(RUSAGE_SELF, &usage);
	printf("rss_kib_after_load %ld\n", usage.ru_maxrss);
	return 0;
}
