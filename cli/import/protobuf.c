/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "protobuf.h"

enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

static int varint(struct protobuf *p, uint64_t *ret)
{
	uint64_t v = 0;

	for (unsigned int shift = 0; shift < 64 && p->at < p->end; shift += 7) {
		uint8_t byte = *p->at++;

		v |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			*ret = v;
			return 0;
		}
	}
	return -EBADMSG;
}

static int skip(struct protobuf *p, uint64_t n)
{
	if (n > (size_t)(p->end - p->at))
		return -EBADMSG;
	p->at += n;
	return 0;
}

int protobuf_next(struct protobuf *p, struct protobuf_field *ret)
{
	uint64_t tag, len;
	int r;

	if (p->at == p->end)
		return 0;
	r = varint(p, &tag);
	if (r < 0 || tag >> 32 || tag < 8)
		return -EBADMSG;
	*ret = (struct protobuf_field){.number = (uint32_t)(tag >> 3)};
	switch (tag & 7) {
	case VARINT:
		r = varint(p, &ret->value);
		break;
	case FIXED64:
		r = skip(p, 8);
		break;
	case FIXED32:
		r = skip(p, 4);
		break;
	case BYTES:
		r = varint(p, &len);
		ret->bytes.at = p->at;
		if (r >= 0)
			r = skip(p, len);
		ret->bytes.end = p->at;
		break;
	default:
		r = -EBADMSG;
	}
	return r < 0 ? r : 1;
}

int protobuf_repeated(struct protobuf_field *field, bool *first, uint64_t *ret)
{
	int r;

	if (!field->bytes.at) {
		if (!*first)
			return 0;
		*first = false;
		*ret = field->value;
		return 1;
	}
	*first = false;
	if (field->bytes.at == field->bytes.end)
		return 0;
	r = varint(&field->bytes, ret);
	return r < 0 ? r : 1;
}
