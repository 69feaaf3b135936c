/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "mmap_events.h"

#include <limits.h>
#include <linux/perf_event.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include "sonde/base/format.h"

enum { DATA_PAGES = 32 }; /* 128 KiB a CPU: about 1,000 mappings between two drains */

struct cpu_events {
	int fd;
	struct perf_event_mmap_page *page;
	/* During a drain: */
	uint64_t head, tail, next_time;
	const struct perf_event_header *next;
	uint64_t scratch[8192]; /* one record, when it wraps around the end of the buffer: size is
				   16 bits */
};

struct mmap_events {
	struct cpu_events *cpus;
	size_t n_cpus, page_size;
	uint64_t out[(sizeof(struct record_mmap) + PATH_MAX) / sizeof(uint64_t) + 1];
};

/* The fixed part of PERF_RECORD_MMAP2 (perf_event_open(2)); the file name and the sample id follow.
 */
struct mmap2 {
	struct perf_event_header header;
	uint32_t pid, tid;
	uint64_t address, length, file_offset;
	uint32_t major, minor;
	uint64_t inode, generation;
	uint32_t prot, flags;
	char filename[];
};

struct sample_id { /* PERF_SAMPLE_TID | PERF_SAMPLE_TIME */
	uint32_t pid, tid;
	uint64_t time;
};

static int open_cpu(struct mmap_events *m, int cpu)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_DUMMY,
		.sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_TIME,
		.sample_id_all = 1,
		.mmap = 1,
		.mmap2 = 1,
		.comm = 1,
		.comm_exec = 1,
		.watermark = 1,
		.wakeup_watermark = 1, /* whoever polls wants to know at once */
		.use_clockid = 1,
		.clockid = CLOCK_MONOTONIC,
	};
	struct cpu_events *c = &m->cpus[m->n_cpus];
	void *p;
	int fd;

	fd = (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		return -errno;
	p = mmap(NULL, (DATA_PAGES + 1) * m->page_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED) {
		int r = -errno;

		close(fd);
		return r;
	}
	c->fd = fd;
	c->page = p;
	m->n_cpus++;
	return 0;
}

int mmap_events_open(struct error *error, struct mmap_events **ret)
{
	_cleanup_(mmap_events_freep) struct mmap_events *m = calloc(1, sizeof(*m));
	long configured = sysconf(_SC_NPROCESSORS_CONF);
	int r;

	if (!m || configured <= 0)
		return -ENOMEM;
	m->page_size = (size_t)sysconf(_SC_PAGESIZE);
	m->cpus = calloc((size_t)configured, sizeof(*m->cpus));
	if (!m->cpus)
		return -ENOMEM;
	for (int cpu = 0; cpu < configured; cpu++) {
		r = open_cpu(m, cpu);
		if (r == -ENODEV) /* a CPU that is offline */
			continue;
		if (r < 0) {
			error_set(error, -r,
				  r == -EACCES || r == -EPERM ? "PermissionDenied" : "NotSupported",
				  "the kernel does not report executable mappings "
				  "(perf_event_open): %s",
				  strerror(-r));
			error_fix(error, "run sonded as root, or with CAP_PERFMON and "
					 "kernel.perf_event_paranoid at most 2");
			return r;
		}
	}
	*ret = TAKE_PTR(m);
	return 0;
}

struct mmap_events *mmap_events_free(struct mmap_events *m)
{
	if (!m)
		return NULL;
	for (size_t i = 0; i < m->n_cpus; i++) {
		munmap(m->cpus[i].page, (DATA_PAGES + 1) * m->page_size);
		close(m->cpus[i].fd);
	}
	free(m->cpus);
	free(m);
	return NULL;
}

size_t mmap_events_fds(const struct mmap_events *m, int *ret_fds)
{
	for (size_t i = 0; i < m->n_cpus; i++)
		ret_fds[i] = m->cpus[i].fd;
	return m->n_cpus;
}

/* Turns one MMAP2 record of `size` bytes into a record_mmap and hands it on. */
static int convert(struct mmap_events *m, const struct mmap2 *e, size_t size,
		   int (*each)(void *arg, const void *data, size_t size), void *arg)
{
	struct record_mmap *r = (struct record_mmap *)m->out;
	const struct sample_id *id;
	size_t room, len;

	if (size < sizeof(*e) + sizeof(*id) || !(e->prot & PROT_EXEC))
		return 0;
	room = size - sizeof(*e) - sizeof(*id);
	len = strnlen(e->filename, MIN(room, (size_t)PATH_MAX - 1));
	id = (const struct sample_id *)((const uint8_t *)e + size - sizeof(*id));
	memset(r, 0, sizeof(*r));
	r->h.kind = RECORD_MMAP;
	r->pid = e->pid;
	r->time_ns = id->time;
	r->address = e->address;
	r->length = e->length;
	r->file_offset = e->file_offset;
	/* Whatever header.misc says: see the header. */
	r->inode = e->inode;
	r->path_len = (uint32_t)len;
	memcpy(r->path, e->filename, len);
	return each(arg, r, sizeof(*r) + len);
}

/* An exec that has passed the point of no return, from the record of the new name it gives. */
static int convert_exec(const struct perf_event_header *h, size_t size,
			int (*each)(void *arg, const void *data, size_t size), void *arg)
{
	const uint32_t *pid = (const uint32_t *)(h + 1);
	struct record_image r = {.h.kind = RECORD_IMAGE};

	if (!(h->misc & PERF_RECORD_MISC_COMM_EXEC) ||
	    size < sizeof(*h) + 2 * sizeof(*pid) + sizeof(struct sample_id))
		return 0;
	r.pid = *pid;
	r.time_ns =
		((const struct sample_id *)((const uint8_t *)h + size - sizeof(struct sample_id)))
			->time;
	return each(arg, &r, sizeof(r));
}

/* The next waiting record of a CPU, in one piece; NULL when there is none. Yields when it was made.
 */
static const struct perf_event_header *peek(struct mmap_events *m, struct cpu_events *c,
					    uint64_t *ret_time)
{
	const uint8_t *data = (const uint8_t *)c->page + m->page_size;
	size_t bytes = DATA_PAGES * m->page_size, at = c->tail % bytes;
	const struct perf_event_header *h = (const void *)(data + at);
	struct sample_id id;

	if (c->tail >= c->head || h->size < sizeof(*h) + sizeof(id))
		return NULL;
	if (at + h->size > bytes) {
		size_t size = h->size;

		memcpy(c->scratch, data + at, bytes - at);
		memcpy((uint8_t *)c->scratch + bytes - at, data, size - (bytes - at));
		h = (const void *)c->scratch;
	}
	memcpy(&id, (const uint8_t *)h + h->size - sizeof(id), sizeof(id));
	*ret_time = id.time;
	return h;
}

/*
 * In the order of time over all CPUs: a process that moves between two execs has its images in
 * different buffers. What is newer than the beginning of the drain waits for the next one, as
 * something older may be in a buffer that was looked at before.
 */
uint64_t mmap_events_drain(struct mmap_events *m,
			   int (*each)(void *arg, const void *data, size_t size), void *arg)
{
	uint64_t lost = 0, limit = now_monotonic_ns();
	bool stop = false;

	for (size_t i = 0; i < m->n_cpus; i++) {
		struct cpu_events *c = &m->cpus[i];

		c->head = __atomic_load_n(&c->page->data_head, __ATOMIC_ACQUIRE);
		c->tail = c->page->data_tail;
		c->next = peek(m, c, &c->next_time);
	}
	while (!stop) {
		const struct perf_event_header *h;
		struct cpu_events *first = NULL;

		for (size_t i = 0; i < m->n_cpus; i++)
			if (m->cpus[i].next && m->cpus[i].next_time <= limit &&
			    (!first || m->cpus[i].next_time < first->next_time))
				first = &m->cpus[i];
		if (!first)
			break;
		h = first->next;
		if (h->type == PERF_RECORD_LOST && h->size >= sizeof(*h) + 16)
			lost += ((const uint64_t *)(h + 1))[1];
		else if (h->type == PERF_RECORD_MMAP2)
			stop = convert(m, (const void *)h, h->size, each, arg) != 0;
		else if (h->type == PERF_RECORD_COMM)
			stop = convert_exec(h, h->size, each, arg) != 0;
		if (stop)
			break;
		first->tail += h->size;
		first->next = peek(m, first, &first->next_time);
	}
	for (size_t i = 0; i < m->n_cpus; i++)
		__atomic_store_n(&m->cpus[i].page->data_tail, m->cpus[i].tail, __ATOMIC_RELEASE);
	return lost;
}
