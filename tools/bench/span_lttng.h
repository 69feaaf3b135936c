/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tracepoints that LTTng-UST has for span_cost.c. Included several times, as it demands. */
#undef LTTNG_UST_TRACEPOINT_PROVIDER
#define LTTNG_UST_TRACEPOINT_PROVIDER span_cost
#undef LTTNG_UST_TRACEPOINT_INCLUDE
#define LTTNG_UST_TRACEPOINT_INCLUDE "span_lttng.h"

#if !defined(SONDE_BENCH_SPAN_LTTNG_H) || defined(LTTNG_UST_TRACEPOINT_HEADER_MULTI_READ)
#define SONDE_BENCH_SPAN_LTTNG_H

#include <lttng/tracepoint.h>

LTTNG_UST_TRACEPOINT_EVENT(span_cost, begin,
			   LTTNG_UST_TP_ARGS(const char *, category, const char *, name),
			   LTTNG_UST_TP_FIELDS(lttng_ust_field_string(category, category)
						       lttng_ust_field_string(name, name)))
LTTNG_UST_TRACEPOINT_EVENT(span_cost, end,
			   LTTNG_UST_TP_ARGS(const char *, category, const char *, name),
			   LTTNG_UST_TP_FIELDS(lttng_ust_field_string(category, category)
						       lttng_ust_field_string(name, name)))

#endif

#include <lttng/tracepoint-event.h>
