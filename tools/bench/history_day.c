/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * history_day STORE DIR TIMES: what a rolling store becomes when what STORE (a store or recording)
 * has happens TIMES times one after the other: its windows are written again and again with
 * shifted clocks into a store of DIR, which is tended as the daemon does. Prints lines NAME VALUE.
 */
#include <sys/resource.h>

#include "sonde/base/format.h"
#include "store/history.h"
#include "store/history_load.h"

struct replay {
	struct model *model;
	struct history *history;
	struct history_sent sent;
	int64_t session;
	uint64_t first_ns, shift_ns, last_ns; /* of the epoch */
	uint64_t windows, tended_ns;
	struct error error;
};

static int tend(struct replay *r)
{
	int n;

	while ((n = history_maintain(r->history, r->last_ns / 1000, &r->error)) > 0)
		;
	r->tended_ns = r->last_ns;
	return n;
}

static int put(void *arg, struct window *w)
{
	struct replay *r = arg;
	_cleanup_(history_batch_freep) struct history_batch *b = NULL;
	int x;

	if (!r->first_ns)
		r->first_ns = w->start_ns;
	w->start_ns += r->shift_ns;
	w->end_ns += r->shift_ns;
	for (size_t i = 0; i < w->n_spans; i++)
		w->spans[i].start_ns += r->shift_ns;
	r->last_ns = MAX(r->last_ns, w->end_ns);
	x = history_batch_new(r->model, w, &r->sent, &b);
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
		r->model = model_free(r->model);
		if (x < 0)
			return x;
	}
	return tend(r);
}

static int open_store(struct replay *r, const char *dir)
{
	const struct history_limits limits = {.max_bytes = 1ULL << 30,
					      .max_age_us = 7 * 86400ULL * 1000000,
					      .fine_us = 600 * 1000000ULL,
					      .medium_us = 2 * 3600 * 1000000ULL};
	struct store_session session = {.name = "always", .targets = "all", .frequency = 19};
	struct history_found found = {};
	int x = history_open(dir, &limits, &r->error, &found, &r->history);

	free(found.set_aside);
	return x < 0 ? x : history_begin_session(r->history, &session, &r->error, &r->session);
}

static double load_ms(const char *dir, uint64_t since_us, uint64_t *ret_samples)
{
	const struct history_range range = {.since_us = since_us, .samples = true};
	struct history_part part = {};
	struct model *m = NULL;
	struct error e = {};
	char path[4096];
	uint64_t begin = now_monotonic_ns();

	snprintf(path, sizeof(path), "%s/" HISTORY_FILE, dir);
	if (model_new(&m) < 0 || history_load(path, &range, m, &e, &part) < 0)
		fprintf(stderr, "history_day: %s\n", e.message);
	*ret_samples = part.samples;
	history_part_release(&part);
	model_free(m);
	return (double)(now_monotonic_ns() - begin) / 1e6;
}

int main(int argc, char **argv)
{
	struct replay r = {};
	struct history_stats stats = {};
	uint64_t times = 0, samples = 0, begin = now_monotonic_ns();
	struct rusage usage;

	if (argc != 4 || parse_u64(argv[3], &times) < 0 || times < 1 || times > 100000) {
		fprintf(stderr, "usage: history_day STORE DIR TIMES\n");
		return 2;
	}
	if (open_store(&r, argv[2]) < 0 || replay(&r, argv[1], (int)times) < 0 ||
	    history_stats(r.history, &stats) < 0) {
		fprintf(stderr, "history_day: %s\n", r.error.message);
		return 1;
	}
	printf("seconds %.1f\n", (double)(stats.last_us - stats.first_us) / 1e6);
	printf("windows_written %llu\nwindows %llu\n", (unsigned long long)r.windows,
	       (unsigned long long)stats.windows);
	printf("bytes %llu\n", (unsigned long long)stats.bytes);
	printf("write_ms %.0f\n", (double)(now_monotonic_ns() - begin) / 1e6);
	getrusage(RUSAGE_SELF, &usage);
	printf("rss_kib %ld\n", usage.ru_maxrss);
	history_free(r.history);
	history_sent_release(&r.sent);
	printf("load_all_ms %.0f\n", load_ms(argv[2], 0, &samples));
	printf("samples %llu\n", (unsigned long long)samples);
	printf("load_hour_ms %.0f\n",
	       load_ms(argv[2], stats.last_us - 3600 * 1000000ULL, &samples));
	return 0;
}
