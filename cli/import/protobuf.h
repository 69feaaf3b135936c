/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading the wire format of protocol buffers, field by field, in place; nothing is trusted. */
#ifndef SONDE_CLI_IMPORT_PROTOBUF_H
#define SONDE_CLI_IMPORT_PROTOBUF_H

#include "sonde/base/util.h"

struct protobuf {
	const uint8_t *at, *end;
};

struct protobuf_field {
	uint32_t number;
	uint64_t value;	       /* of integers; 0 for the others */
	struct protobuf bytes; /* of strings, messages and packed integers; else at is NULL */
};

/* 1, 0 at the end, -EBADMSG. */
int protobuf_next(struct protobuf *p, struct protobuf_field *ret);
/*
 * Reads the integers of a whole message: that of field i into to[i], which may be NULL, for i below
 * n; 0 for what is no integer. The last one of a field counts. 0, -EBADMSG.
 */
int protobuf_numbers(struct protobuf p, uint64_t *const *to, size_t n);
/*
 * The next integer of a repeated field, which is packed or stands alone: bytes is used up. 1, 0
 * when there is none (any more), -EBADMSG.
 */
int protobuf_repeated(struct protobuf_field *field, bool *first, uint64_t *ret);

#endif
