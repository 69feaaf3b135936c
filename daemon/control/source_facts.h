/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The attributes of a span written in source code, as conditions ask for them. */
#ifndef SONDE_CONTROL_SOURCE_FACTS_H
#define SONDE_CONTROL_SOURCE_FACTS_H

#include "expr/expr.h"
#include "model/span_more.h"

/* For expr_facts.attr, with the span's struct span_more as its argument. */
bool source_facts_attr(void *more, const char *key, struct expr_attr *ret);

#endif
