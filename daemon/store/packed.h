/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What all packed columns have around them: a version byte, the number of rows and the size of the
 * raw form as varints, then the raw form as one zstd frame.
 */
#ifndef SONDE_STORE_PACKED_H
#define SONDE_STORE_PACKED_H

#include "sonde/base/util.h"

/* *ret is malloc'd and no larger than it need be. 0 or -ENOMEM. */
int packed_wrap(uint8_t version, size_t rows, const uint8_t *raw, size_t raw_size, int level,
		uint8_t **ret, size_t *ret_size);

/* What is taken for good: what wants more memory than that is none of ours. */
struct packed_limits {
	uint8_t last_version; /* from 1 on */
	size_t max_rows;
	size_t fixed, row; /* bytes of the raw form: at most as many, and as many for each row */
};
struct packed {
	uint8_t version;
	size_t rows; /* from 1 on */
	uint8_t *raw;
	size_t raw_size;
};
/* The caller frees ret->raw. -EBADMSG, -ENOMEM. */
int packed_unwrap(const uint8_t *data, size_t size, const struct packed_limits *limits,
		  struct packed *ret);

#endif
