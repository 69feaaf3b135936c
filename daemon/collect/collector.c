/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "collector.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include "mmap_events.h"
#include "record_check.h"
#include "ring.h"
#include "sonde/base/format.h"
#include "sonde/base/thread.h"

enum {
	BATCH_BYTES = 256 << 10,
	QUEUE_LEN = 64,
	/* A drain of more makes the next one come sooner, one of less later: wakeups are what
	   costs. */
	BUSY_BYTES = 1 << 20,
	IDLE_BYTES = 256 << 10,
	FASTEST_MS = 1,
	SLOWEST_MS = 100,
};

struct collector {
	struct ring *ring;
	struct mmap_events *maps;
	pthread_t thread;
	bool running;
	int ready_fd;	/* eventfd towards the main thread */
	int control_fd; /* eventfd towards the thread: stop or flush */
	int epoll_fd;
	bool stop; /* atomic */

	pthread_mutex_t lock; /* what is below */
	pthread_cond_t flushed;
	struct batch *queue[QUEUE_LEN];
	unsigned int head, len;
	uint64_t flush_asked, flush_done, flush_position;
	bool flush_incomplete;
	struct collector_stats stats;

	struct batch *open;	   /* the thread's own: being filled */
	uint64_t records, invalid; /* the thread's own: not yet in stats */
};

static void signal_fd(int fd)
{
	uint64_t one = 1;

	(void)!write(fd, &one, sizeof(one));
}

/* Puts the open batch into the queue; false when it is full. */
static bool push_open(struct collector *c)
{
	bool pushed = false;

	if (!c->open || c->open->len == 0)
		return true;
	pthread_mutex_lock(&c->lock);
	if (c->len < QUEUE_LEN) {
		c->queue[(c->head + c->len++) % QUEUE_LEN] = TAKE_PTR(c->open);
		pushed = true;
	} else {
		c->stats.queue_full++;
	}
	pthread_mutex_unlock(&c->lock);
	if (pushed)
		signal_fd(c->ready_fd);
	return pushed;
}

static int take_record(void *arg, const void *data, size_t size)
{
	struct collector *c = arg;
	size_t need = (sizeof(uint64_t) + size + 7) & ~(size_t)7;
	uint32_t length = (uint32_t)size;

	c->records++;
	if (!record_valid(data, size)) {
		c->invalid++;
		return 0;
	}
	if (c->open && c->open->len + need > BATCH_BYTES && !push_open(c)) {
		c->records--;
		return -EAGAIN;
	}
	if (!c->open) {
		c->open = malloc(sizeof(struct batch) + BATCH_BYTES);
		if (!c->open) {
			c->records--;
			return -ENOMEM;
		}
		c->open->len = 0;
	}
	memcpy(c->open->data + c->open->len, &length, sizeof(length));
	memcpy(c->open->data + c->open->len + sizeof(uint64_t), data, size);
	c->open->len += need;
	return 0;
}

/* One round. Returns the bytes taken from the ring. */
static size_t drain(struct collector *c)
{
	/*
	 * Everything below this position was written before the mapping events are read, so the
	 * mapping a sample needs is among them.
	 */
	uint64_t limit = ring_producer(c->ring), lost;
	size_t bytes = 0;

	lost = mmap_events_drain(c->maps, take_record, c);
	bytes = ring_drain(c->ring, limit, take_record, c);
	push_open(c);
	pthread_mutex_lock(&c->lock);
	c->stats.records += c->records;
	c->stats.invalid += c->invalid;
	c->stats.lost_maps += lost;
	c->stats.bytes += bytes;
	c->stats.wakeups++;
	pthread_mutex_unlock(&c->lock);
	c->records = c->invalid = 0;
	return bytes;
}

/* Whether everything below the position is in the queue. */
static bool is_flushed(const struct collector *c, uint64_t position)
{
	return !c->open && (int64_t)(ring_consumer(c->ring) - position) >= 0;
}

static void answer_flush(struct collector *c, uint64_t asked, uint64_t position)
{
	struct timespec ms = {.tv_nsec = NSEC_PER_MSEC};
	bool full = false;

	while (!__atomic_load_n(&c->stop, __ATOMIC_RELAXED) && !is_flushed(c, position) && !full) {
		pthread_mutex_lock(&c->lock);
		full = c->len == QUEUE_LEN;
		pthread_mutex_unlock(&c->lock);
		/* What is left is a record that a program is just writing. */
		if (!full && drain(c) == 0 && !c->open)
			nanosleep(&ms, NULL);
	}
	pthread_mutex_lock(&c->lock);
	c->flush_done = asked;
	c->flush_incomplete = full;
	pthread_cond_broadcast(&c->flushed);
	pthread_mutex_unlock(&c->lock);
}

static void *collector_main(void *arg)
{
	struct collector *c = arg;
	const struct timespec coalesce = {.tv_nsec = NSEC_PER_MSEC / 2};
	int wait_ms = FASTEST_MS;

	while (!__atomic_load_n(&c->stop, __ATOMIC_RELAXED)) {
		struct epoll_event events[2];
		uint64_t asked, position, count;
		int n = epoll_wait(c->epoll_fd, events, ARRAY_SIZE(events), wait_ms);
		size_t bytes;

		for (int i = 0; i < n; i++) {
			if (events[i].data.fd == c->control_fd)
				(void)!read(c->control_fd, &count, sizeof(count));
			else
				nanosleep(&coalesce,
					  NULL); /* an exec brings a dozen of mappings at once */
		}
		pthread_mutex_lock(&c->lock);
		asked = c->flush_asked;
		position = c->flush_position;
		pthread_mutex_unlock(&c->lock);
		bytes = drain(c);
		if (asked != c->flush_done)
			answer_flush(c, asked, position);
		if (bytes > BUSY_BYTES)
			wait_ms = MAX(wait_ms / 4, FASTEST_MS);
		else if (bytes < IDLE_BYTES)
			wait_ms = MIN(wait_ms * 2, SLOWEST_MS);
	}
	return NULL;
}

static int add_epoll(struct collector *c, int fd, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.fd = fd};

	return epoll_ctl(c->epoll_fd, EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0;
}

int collector_start(const struct kernel_side *kernel, struct error *error, struct collector **ret)
{
	_cleanup_(collector_freep) struct collector *c = calloc(1, sizeof(*c));
	int ring_fd = kernel_side_ring_fd(kernel), r;

	if (!c)
		return -ENOMEM;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->flushed, NULL);
	c->ready_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	c->control_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	c->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (c->ready_fd < 0 || c->control_fd < 0 || c->epoll_fd < 0)
		return -errno;
	r = ring_open(ring_fd, kernel_side_ring_bytes(kernel), &c->ring);
	if (r < 0)
		return error_set(error, -r, "NotSupported", "cannot map the ring buffer: %s",
				 strerror(-r));
	r = mmap_events_open(error, &c->maps);
	if (r < 0)
		return r;
	/*
	 * Edge-triggered: the ring's descriptor is readable whenever data waits, but only an
	 * explicit wakeup by a program is to end the sleep.
	 */
	r = add_epoll(c, ring_fd, EPOLLIN | EPOLLET);
	if (r < 0)
		return r;
	r = add_epoll(c, c->control_fd, EPOLLIN);
	if (r < 0)
		return r;
	r = thread_start(&c->thread, NULL, collector_main, c);
	if (r < 0)
		return r;
	pthread_setname_np(c->thread, "sonded-collect");
	c->running = true;
	*ret = TAKE_PTR(c);
	return 0;
}

struct collector *collector_free(struct collector *c)
{
	struct batch *b;

	if (!c)
		return NULL;
	if (c->running) {
		__atomic_store_n(&c->stop, true, __ATOMIC_RELAXED);
		signal_fd(c->control_fd);
		pthread_join(c->thread, NULL);
	}
	while ((b = collector_take(c)))
		free(b);
	free(c->open);
	ring_free(c->ring);
	mmap_events_free(c->maps);
	safe_close(c->ready_fd);
	safe_close(c->control_fd);
	safe_close(c->epoll_fd);
	pthread_mutex_destroy(&c->lock);
	pthread_cond_destroy(&c->flushed);
	free(c);
	return NULL;
}

int collector_fd(const struct collector *c)
{
	return c->ready_fd;
}

struct batch *collector_take(struct collector *c)
{
	struct batch *b = NULL;

	pthread_mutex_lock(&c->lock);
	if (c->len > 0) {
		b = c->queue[c->head];
		c->head = (c->head + 1) % QUEUE_LEN;
		c->len--;
	}
	if (c->len == 0) {
		uint64_t count;

		(void)!read(c->ready_fd, &count, sizeof(count));
	}
	pthread_mutex_unlock(&c->lock);
	return b;
}

void batch_each(const struct batch *b, void (*each)(void *arg, const void *record, size_t size),
		void *arg)
{
	size_t pos = 0;

	while (pos < b->len) {
		uint32_t size;

		memcpy(&size, b->data + pos, sizeof(size));
		each(arg, b->data + pos + sizeof(uint64_t), size);
		pos += (sizeof(uint64_t) + size + 7) & ~(size_t)7;
	}
}

void collector_set_prompt(struct collector *c, bool prompt)
{
	long configured = sysconf(_SC_NPROCESSORS_CONF);
	_cleanup_(freep) int *fds = calloc((size_t)MAX(configured, 1L), sizeof(*fds));
	size_t n = fds ? mmap_events_fds(c->maps, fds) : 0;

	/* Adding what is there or removing what is not fails, and that is right. */
	for (size_t i = 0; i < n; i++) {
		struct epoll_event e = {.events = EPOLLIN | EPOLLET, .data.fd = fds[i]};

		(void)epoll_ctl(c->epoll_fd, prompt ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, fds[i], &e);
	}
}

uint64_t collector_position(const struct collector *c)
{
	return ring_producer(c->ring);
}

int collector_flush(struct collector *c, uint64_t position, int timeout_ms)
{
	struct timespec until;
	uint64_t asked;
	int r = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += timeout_ms / 1000;
	until.tv_nsec += (long)(timeout_ms % 1000) * (long)NSEC_PER_MSEC;
	if (until.tv_nsec >= (long)NSEC_PER_SEC) {
		until.tv_nsec -= (long)NSEC_PER_SEC;
		until.tv_sec++;
	}
	pthread_mutex_lock(&c->lock);
	asked = ++c->flush_asked;
	c->flush_position = position;
	signal_fd(c->control_fd);
	while (r == 0 && c->flush_done < asked)
		r = pthread_cond_timedwait(&c->flushed, &c->lock, &until);
	if (r == 0 && c->flush_incomplete)
		r = EAGAIN;
	pthread_mutex_unlock(&c->lock);
	return -r;
}

void collector_stats(struct collector *c, struct collector_stats *ret)
{
	struct timespec cpu = {0};
	clockid_t clock;

	if (c->running && pthread_getcpuclockid(c->thread, &clock) == 0)
		clock_gettime(clock, &cpu);
	pthread_mutex_lock(&c->lock);
	*ret = c->stats;
	pthread_mutex_unlock(&c->lock);
	ret->cpu_ns = (uint64_t)cpu.tv_sec * NSEC_PER_SEC + (uint64_t)cpu.tv_nsec;
}
