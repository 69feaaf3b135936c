/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The answer of ExportStacks: what a snapshot holds, by tables, nothing merged or left out. */
#ifndef SONDE_CONTROL_ANSWER_EXPORT_H
#define SONDE_CONTROL_ANSWER_EXPORT_H

#include "control/answer.h"

/* The members "processes", "frames", "parents" and "leaves". */
void answer_export_places(struct json_writer *w, const struct snapshot *s, enum query_kind kind);
/* These, "samples" and "calls". */
void answer_export_stacks(struct json_writer *w, const struct snapshot *s, enum query_kind kind);

#endif
