/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ring.h"

#include <bpf/bpf.h>
#include <sys/mman.h>

/* More than the kernel side reserves for any record, the ring's own header included. */
enum { MAX_RECORD = 65536 };

struct ring {
	uint64_t *consumer; /* a page of its own, ours to write */
	/* A page of its own, then the data. The kernel has them a second time behind that, so that
	 * a record at the end is in one piece: of this as much as a record takes is mapped, as all
	 * of it would count as the daemon's memory once more. */
	const uint64_t *producer;
	const uint8_t *data;
	size_t page, mask, produced_len;
};

int ring_open(int map_fd, size_t bytes, struct ring **ret)
{
	_cleanup_(ring_freep) struct ring *r = calloc(1, sizeof(*r));
	struct bpf_map_info info = {0};
	uint32_t info_len = sizeof(info);
	void *p;

	if (!r)
		return -ENOMEM;
	/* Any file can be mapped; what lies behind its end kills the reader. */
	if (bpf_obj_get_info_by_fd(map_fd, &info, &info_len) < 0)
		return -errno;
	if (info.type != BPF_MAP_TYPE_RINGBUF || info.max_entries != bytes)
		return -EINVAL;
	r->page = (size_t)sysconf(_SC_PAGESIZE);
	r->mask = bytes - 1;
	p = mmap(NULL, r->page, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	r->consumer = p;
	r->produced_len = r->page + bytes + MIN(bytes, MAX_RECORD);
	p = mmap(NULL, r->produced_len, PROT_READ, MAP_SHARED, map_fd, (off_t)r->page);
	if (p == MAP_FAILED)
		return -errno;
	r->producer = p;
	r->data = (const uint8_t *)p + r->page;
	*ret = TAKE_PTR(r);
	return 0;
}

struct ring *ring_free(struct ring *r)
{
	if (!r)
		return NULL;
	if (r->consumer)
		munmap(r->consumer, r->page);
	if (r->producer)
		munmap((void *)r->producer, r->produced_len);
	free(r);
	return NULL;
}

uint64_t ring_producer(const struct ring *r)
{
	return __atomic_load_n(r->producer, __ATOMIC_ACQUIRE);
}

uint64_t ring_consumer(const struct ring *r)
{
	return *r->consumer;
}

size_t ring_drain(struct ring *r, uint64_t limit,
		  int (*each)(void *arg, const void *data, size_t size), void *arg)
{
	uint64_t start = *r->consumer, pos = start, published = start;

	while (pos < limit) {
		const uint32_t *header = (const uint32_t *)(r->data + (pos & r->mask));
		uint32_t len = __atomic_load_n(header, __ATOMIC_ACQUIRE);
		size_t size;

		if (len & BPF_RINGBUF_BUSY_BIT)
			break;
		size = len & ~BPF_RINGBUF_DISCARD_BIT;
		if (!(len & BPF_RINGBUF_DISCARD_BIT) &&
		    each(arg, (const uint8_t *)header + BPF_RINGBUF_HDR_SZ, size) != 0)
			break;
		pos += (size + BPF_RINGBUF_HDR_SZ + 7) & ~7ULL;
		/* Giving space back touches a line that writers read: not for each record. */
		if (pos - published >= 65536) {
			__atomic_store_n(r->consumer, pos, __ATOMIC_RELEASE);
			published = pos;
		}
	}
	__atomic_store_n(r->consumer, pos, __ATOMIC_RELEASE);
	return (size_t)(pos - start);
}
