/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside source_control: what sessions ask of an object that has spans, put together so that each
 * gets all it wants, as the rules of its struct sonde_control.
 */
#ifndef SONDE_CONTROL_SOURCE_WISHES_H
#define SONDE_CONTROL_SOURCE_WISHES_H

#include "model/source_batch.h"

struct session;

/* Starts as all zero. */
struct source_wishes {
	bool has_all, excludes;
	size_t n_sessions;
	uint64_t threshold_ns;
	uint32_t n_bytes;
	char rules[SONDE_RULES_SIZE];
};

void source_wishes_add(struct source_wishes *w, const struct session *s);
/* After the last one. */
void source_wishes_finish(struct source_wishes *w);

#endif
