/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol/reader_private.h"

int reader_jit(struct reader *r, enum jit_kind kind, int fd, const char *path,
	       const struct jit_question *q, struct error *error, struct jit_image *ret)
{
	pthread_mutex_t *held _cleanup_(reader_unlockp) _unused_ = reader_lock(&r->quick.mutex);
	struct question ask _cleanup_(reader_question_donep) =
		reader_question(kind == JIT_PERF_MAP ? READ_PERF_MAP : READ_JITDUMP, fd, path);
	struct error why = {};
	int x;

	ask.data = q;
	ask.size = sizeof(*q);
	x = reader_ask(r, &r->quick, &ask, error);
	if (x < 0)
		return x;
	x = jit_image_open(ask.answer_fd, q->max, &why, ret);
	return x < 0 ? reader_check(r, &r->quick, &ask, x, &why, error) : 0;
}
