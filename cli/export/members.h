/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Members of JSON that say of a span which function and which thread it is of ("name" and "cat",
 * "pid" and "tid"): written once for each, and copied for each span.
 */
#ifndef SONDE_EXPORT_MEMBERS_H
#define SONDE_EXPORT_MEMBERS_H

#include "sonde/base/json.h"
#include "span_source.h"

/* Starts as all zero. */
struct members {
	struct strbuf *threads, *functions;
	size_t n_threads, threads_cap, n_functions, functions_cap;
};

/*
 * Those of what has been named since. "cat" is the category of a span written in source code; of
 * others what category() says, NULL: the binary. 0 or -ENOMEM.
 */
int members_update(struct members *m, const struct span_source *source,
		   const char *(*category)(const struct exported_function *f));
void members_put(const struct members *m, struct json_writer *w, const struct exported_span *span);
/* The thread alone. */
void members_put_thread(const struct members *m, struct json_writer *w, uint32_t thread);
void members_release(struct members *m);

#endif
