/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hist_pack.h"

#include "schema.h"

size_t hist_pack(const struct hist *h, uint8_t out[static HIST_PACKED_MAX])
{
	uint32_t next = 0;
	uint8_t *p = out;

	for (uint32_t i = 0; i < h->len; i++) {
		if (!h->counts[i])
			continue;
		p = varint_put(p, h->first + i - next);
		p = varint_put(p, MIN(h->counts[i], STORE_MAX_NUMBER));
		next = h->first + i + 1;
	}
	return p - out;
}

bool hist_unpack(const uint8_t *p, size_t size, struct hist *h)
{
	const uint8_t *end = p + size;
	uint64_t skip, count, bucket = 0;

	while (p < end) {
		if (!varint_get(&p, end, &skip) || !varint_get(&p, end, &count) ||
		    skip >= HIST_BUCKETS || bucket + skip >= HIST_BUCKETS ||
		    count > STORE_MAX_NUMBER)
			return false;
		bucket += skip;
		if (hist_add_bucket(h, bucket++, count) < 0)
			return false;
	}
	return true;
}
