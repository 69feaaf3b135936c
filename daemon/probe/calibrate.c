/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/calibrate.h"

#include <sys/mman.h>
#include <time.h>

#include "probe/link.h"
#include "probe/reaper.h"

#if defined(__x86_64__)

/* A round is short, so that some are not interrupted; the first calls may be slow. */
enum { CALLS = 100, ROUNDS = 6, WARM_UP = 20, SPACE = 64, LINKS_MAX = 16, CODE_SIZE = 4096 };

enum subject {
	SUBJECT_OPTIMISED,
	SUBJECT_EMULATED,
	SUBJECT_STEPPED,
	SUBJECT_PAIR,
	SUBJECT_SESSION,
	SUBJECTS,
};

#define PUSH                                                                                       \
	{                                                                                          \
		0x55, 0x5d, 0xc3                                                                   \
	} /* push %rbp; pop %rbp; ret */

/* A function for each, so that nothing has to be detached in between: that can take long. */
static const uint8_t functions[SUBJECTS][SPACE] = {
	[SUBJECT_OPTIMISED] = {0x0f, 0x1f, 0x44, 0x00, 0x00, 0xc3}, /* nop5; ret */
	[SUBJECT_EMULATED] = PUSH,
	[SUBJECT_STEPPED] = {0x48, 0x89, 0xf8, 0xc3}, /* mov %rdi,%rax; ret */
	[SUBJECT_PAIR] = PUSH,
	[SUBJECT_SESSION] = PUSH,
};

struct bench {
	int fd;
	uint8_t *code;
	/* The kernel's multi links, else perf events: a descriptor or two each. */
	bool multi;
	int links[LINKS_MAX];
	size_t n_links;
};

static void release(struct bench *b)
{
	reaper_close(b->links, b->n_links, b->multi ? REAPER_LINKS : REAPER_EVENTS);
	if (b->code)
		munmap(b->code, CODE_SIZE);
	safe_close(b->fd);
}

static int map_code(struct bench *b)
{
	void *code;

	b->fd = memfd_create("sonde-calibrate", MFD_CLOEXEC);
	if (b->fd < 0)
		return -errno;
	if (ftruncate(b->fd, CODE_SIZE) < 0)
		return -errno;
	if (pwrite(b->fd, functions, sizeof(functions), 0) != sizeof(functions))
		return -EIO;
	code = mmap(NULL, CODE_SIZE, PROT_READ | PROT_EXEC, MAP_PRIVATE, b->fd, 0);
	if (code == MAP_FAILED)
		return -errno;
	b->code = code;
	return 0;
}

static int attach(struct bench *b, enum subject subject, int type, bool is_return)
{
	_cleanup_(closep) int prog = link_noop_program(type);
	uint64_t offset = (uint64_t)subject * SPACE, cookie = 0;
	char path[LINK_PATH_MAX];
	int link = -EBADF, event = -EBADF, r;

	if (prog < 0)
		return prog;
	link_path(path, b->fd);
	if (type) {
		link = link_multi(prog, type, path, &offset, &cookie, NULL, 1, is_return, getpid());
		r = link < 0 ? link : 0;
	} else {
		r = link_perf(prog, path, offset, cookie, 0, is_return, getpid(), &link, &event);
	}
	if (r < 0)
		return r;
	b->links[b->n_links++] = link;
	if (event >= 0)
		b->links[b->n_links++] = event;
	return 0;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* Nanoseconds of a call, times CALLS. */
static uint64_t measure(const struct bench *b, enum subject subject)
{
	void (*volatile call)(void) = (void (*)(void))(uintptr_t)(b->code + subject * SPACE);
	uint64_t best = UINT64_MAX;

	for (int i = 0; i < WARM_UP; i++)
		call();
	for (int round = 0; round < ROUNDS; round++) {
		uint64_t start = now_ns();

		for (int i = 0; i < CALLS; i++)
			call();
		best = MIN(best, now_ns() - start);
	}
	return best;
}

/* What attaching adds to a call; 0 when nothing can be attached, never when something is. */
static int cost(struct bench *b, enum subject subject, uint32_t *ret_ns)
{
	int type = b->multi ? LINK_UPROBE_MULTI : 0;
	uint64_t without = measure(b, subject), with;
	int r;

	if (subject == SUBJECT_SESSION)
		type = LINK_UPROBE_SESSION;
	r = attach(b, subject, type, false);
	if (r >= 0 && subject == SUBJECT_PAIR)
		r = attach(b, subject, type, true);
	if (r < 0)
		return r;
	with = measure(b, subject);
	*ret_ns = (uint32_t)MAX(with > without ? (with - without) / CALLS : 0, (uint64_t)1);
	return 0;
}

static int measure_all(struct bench *b, struct hit_costs *c)
{
	uint32_t pair = 0;
	int r;

	b->multi = true;
	r = cost(b, SUBJECT_EMULATED, &c->hit_ns[HIT_EMULATED]);
	if (r < 0) {
		b->multi = false;
		r = cost(b, SUBJECT_EMULATED, &c->hit_ns[HIT_EMULATED]);
	}
	if (r >= 0)
		r = cost(b, SUBJECT_OPTIMISED, &c->hit_ns[HIT_OPTIMISED]);
	if (r >= 0)
		r = cost(b, SUBJECT_STEPPED, &c->hit_ns[HIT_STEPPED]);
	if (r >= 0)
		r = cost(b, SUBJECT_PAIR, &pair);
	if (r < 0)
		return r;
	c->return_ns = pair > c->hit_ns[HIT_EMULATED] ? pair - c->hit_ns[HIT_EMULATED] : 1;
	/* Kernels before 6.13 have no sessions. */
	if (cost(b, SUBJECT_SESSION, &c->session_ns) < 0)
		c->session_ns = 0;
	return 0;
}

int calibrate_hits(struct hit_costs *ret, struct error *e)
{
	struct bench b _cleanup_(release) = {.fd = -EBADF};
	struct hit_costs costs = {};
	int r;

	r = map_code(&b);
	if (r >= 0)
		r = measure_all(&b, &costs);
	if (r < 0)
		return error_set(e, -r, "NotSupported", "cannot measure what probes cost here: %s",
				 link_strerror(-r));
	*ret = costs;
	return 0;
}

#else

int calibrate_hits(struct hit_costs *ret, struct error *e)
{
	(void)ret;
	return error_set(e, EOPNOTSUPP, "NotSupported",
			 "what probes cost is measured on x86-64 only");
}

#endif
