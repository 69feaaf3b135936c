/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One stack of the native one and Python's own: each native frame of the function that runs Python
 * code gives way to the Python frames that it was running.
 */
#ifndef SONDE_CONTROL_PYTHON_STACK_H
#define SONDE_CONTROL_PYTHON_STACK_H

#include "sonde/base/util.h"
#include "sonde/record.h"

enum { MERGED_MAX = RECORD_MAX_STACK + RECORD_MAX_PYTHON };

/* A native stack, leaf first. */
struct native_stack {
	const uint32_t *frames;
	const bool *evaluates; /* of each frame: it runs Python code */
	size_t n;
	bool whole; /* up to the outermost frame */
};

/*
 * frames: of each entry of the record, 0 for those that are no frames. How many frames there are
 * in ret, leaf first; 0: the two do not fit together, and the native stack is all that is certain.
 */
size_t python_stack_merge(const struct native_stack *native, const struct record_python *r,
			  const uint32_t *frames, uint32_t ret[static MERGED_MAX]);

#endif
