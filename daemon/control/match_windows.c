/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/match_windows.h"

void match_windows_release(struct match_windows *m)
{
	raw_spans_release(&m->raw);
	for (size_t i = 0; i < m->n; i++)
		window_release(&m->windows[i]);
	free(m->windows);
	free(m->list);
	*m = (struct match_windows){};
}

static int copy_times(const struct session *s, struct match_windows *m)
{
	size_t n = s->reader ? (size_t)store_reader_windows(s->reader) : 0;

	m->windows = calloc(n + 1, sizeof(*m->windows));
	m->list = calloc(n + 1, sizeof(*m->list));
	if (!m->windows || !m->list)
		return -ENOMEM;
	for (const struct window *w; m->n < n && (w = store_reader_window(s->reader, m->n));
	     m->n++) {
		m->windows[m->n].start_ns = w->start_ns;
		m->windows[m->n].end_ns = w->end_ns;
		m->list[m->n] = &m->windows[m->n];
	}
	return 0;
}

int match_windows_take(struct daemon *d, struct session *s, const struct selectors *selectors,
		       const char *where, struct match_windows *ret, struct error *error)
{
	int r = raw_spans_take(d, s, selectors, NULL, where, &ret->raw, error);

	return r < 0 ? r : copy_times(s, ret);
}

/* The first window that ends then or later; what ended after all of them is of the last. */
static struct window *window_at(const struct match_windows *m, uint64_t ns)
{
	size_t low = 0, high = m->n - 1;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (m->windows[middle].end_ns < ns)
			low = middle + 1;
		else
			high = middle;
	}
	return &m->windows[low];
}

static int add_row(void *arg, const struct span_row *row)
{
	const struct match_windows *m = arg;
	const struct raw_span *span = &row->span;

	return m->n ? window_add_span(window_at(m, span->start_ns + span->duration_ns), span, NULL,
				      false)
		    : 0;
}

int match_windows_ask(struct match_windows *m, struct error *error)
{
	const struct spans_filter filter = {.each = add_row, .arg = m};
	struct spans_query *query = NULL;
	int r = raw_spans_ask(&m->raw, &filter, &query, error);

	spans_query_free(query);
	return r;
}
