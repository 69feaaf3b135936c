/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "members.h"

int members_update(struct members *m, const struct span_source *s,
		   const char *(*category)(const struct exported_function *f))
{
	if (array_reserve(&m->threads, &m->threads_cap, s->n_threads, sizeof(*m->threads)) < 0 ||
	    array_reserve(&m->functions, &m->functions_cap, s->n_functions, sizeof(*m->functions)) <
		    0)
		return -ENOMEM;
	for (; m->n_threads < s->n_threads; m->n_threads++) {
		const struct exported_thread *t = &s->threads[m->n_threads];

		strbuf_printf(&m->threads[m->n_threads], "\"pid\":%u,\"tid\":%u",
			      s->processes[t->process].pid, t->tid);
	}
	for (; m->n_functions < s->n_functions; m->n_functions++) {
		const struct exported_function *f = &s->functions[m->n_functions];
		struct json_writer w;

		json_begin(&w, &m->functions[m->n_functions]);
		json_string(&w, "name", f->name);
		json_string(&w, "cat",
			    f->category ? f->category
			    : category	? category(f)
					: f->binary);
	}
	return 0;
}

void members_put(const struct members *m, struct json_writer *w, const struct exported_span *span)
{
	const struct strbuf *function = &m->functions[span->function];

	json_raw(w, NULL, function->data, function->len);
	members_put_thread(m, w, span->thread);
}

void members_put_thread(const struct members *m, struct json_writer *w, uint32_t thread)
{
	json_raw(w, NULL, m->threads[thread].data, m->threads[thread].len);
}

void members_release(struct members *m)
{
	for (size_t i = 0; i < m->n_threads; i++)
		strbuf_release(&m->threads[i]);
	for (size_t i = 0; i < m->n_functions; i++)
		strbuf_release(&m->functions[i]);
	free(m->threads);
	free(m->functions);
	*m = (struct members){};
}
