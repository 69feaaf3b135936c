/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "protobuf.h"

#include "sonde/base/varint.h"

enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

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
	if (!varint_get(&p->at, p->end, &tag) || tag >> 32 || tag < 8)
		return -EBADMSG;
	*ret = (struct protobuf_field){.number = (uint32_t)(tag >> 3)};
	switch (tag & 7) {
	case VARINT:
		r = varint_get(&p->at, p->end, &ret->value) ? 0 : -EBADMSG;
		break;
	case FIXED64:
		r = skip(p, 8);
		break;
	case FIXED32:
		r = skip(p, 4);
		break;
	case BYTES:
		r = varint_get(&p->at, p->end, &len) ? 0 : -EBADMSG;
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

int protobuf_numbers(struct protobuf p, uint64_t *const *to, size_t n)
{
	struct protobuf_field field;
	int r;

	while ((r = protobuf_next(&p, &field)) > 0)
		if (field.number < n && to[field.number])
			*to[field.number] = field.value;
	return r;
}

int protobuf_repeated(struct protobuf_field *field, bool *first, uint64_t *ret)
{
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
	return varint_get(&field->bytes.at, field->bytes.end, ret) ? 1 : -EBADMSG;
}
