/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A timeline as one HTML file that makes no network request, as flame_html.h. The data is JSON (who
 * and where) and a block of numbers, compressed (zlib) and in base64:
 *
 * For each row (in the order of "rows"), for each of its "levels" of detail (timeline_lod.h), which
 * are [shift, how many boxes]: for each box the gap from the end of the one before (for the first:
 * from the beginning), then for each the length, then for each the function. Level 0 has then a
 * byte of flags for each, and when "offcpu" is true the time off the CPU; other levels the share in
 * spans, 0 to 255, then how many spans it is.
 *
 * Then for each thread of "samples": for each of its "cpu" samples the gap from the one before (for
 * the first: from the beginning), for each of its "waits" the gap between their starts, then for
 * each wait the length, for each sample the stack, for each wait the stack: 1 + an index, 0 for
 * none. Then for each of the "stacks" the stack that its frame is below of, likewise, and for each
 * its frame, an index into "frames" (function, binary, where in the source). Last are counters, see
 * timeline_counters.h.
 *
 * Times are nanoseconds from "zero" on; all numbers but the flags are varints.
 */
#ifndef SONDE_RENDER_TIMELINE_HTML_H
#define SONDE_RENDER_TIMELINE_HTML_H

#include "timeline_spans.h"

struct timeline_info {
	const char *title, *target; /* borrowed; may be NULL */
	uint64_t lost;		    /* spans */
	uint64_t more;		    /* spans that there are beyond those that were added */
};

/* Appends the page to out; arranges the timeline. 0, -ENOMEM. */
int timeline_html_write(struct strbuf *out, struct timeline *t, const struct timeline_info *info);

#endif
