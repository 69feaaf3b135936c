/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/attach_multi.h"

#include "probe/bisect.h"
#include "probe/link.h"
#include "probe/reaper.h"
#include "probe/suspect.h"

enum { MAX_ATTEMPTS = 400, MAX_ROUNDS = 4 };

/* One multi link in the making. */
struct multi {
	struct attachment *a;
	uint32_t file;
	enum end end;
	pid_t pid;
	char path[LINK_PATH_MAX];
	int noop_fd; /* program for attempts; negative until one is needed */
	struct attach_item *items;
	uint32_t *members; /* indices of items, for the search */
	uint64_t *offsets, *cookies, *counters;
	size_t n;
};

static void multi_clear(struct multi *m)
{
	free(m->items);
	free(m->members);
	free(m->offsets);
	free(m->cookies);
	free(m->counters);
	m->items = NULL;
	m->members = NULL;
	m->offsets = m->cookies = m->counters = NULL;
}

static void multi_release(struct multi *m)
{
	safe_close(m->noop_fd);
	multi_clear(m);
}

static int leave_out(uint32_t member, int code, void *data)
{
	struct multi *m = data;

	return attach_leave_out(m->a, m->items[member].point, code);
}

/* The places in the file that are not left out. */
static int multi_fill(struct multi *m)
{
	int r;

	multi_clear(m);
	link_path(m->path, m->a->set->files[m->file].fd);
	r = attach_items(m->a, m->file, m->end, &m->items, &m->n);
	if (r < 0)
		return r;
	m->members = calloc(m->n + 1, sizeof(*m->members));
	m->offsets = calloc(m->n + 1, sizeof(*m->offsets));
	m->cookies = calloc(m->n + 1, sizeof(*m->cookies));
	m->counters = calloc(m->n + 1, sizeof(*m->counters));
	if (!m->members || !m->offsets || !m->cookies || !m->counters)
		return -ENOMEM;
	for (size_t i = 0; i < m->n; i++)
		m->members[i] = (uint32_t)i;
	return 0;
}

static int multi_type(const struct multi *m)
{
	return m->end == END_BOTH ? LINK_UPROBE_SESSION : LINK_UPROBE_MULTI;
}

static int multi_create(struct multi *m, int prog_fd, const uint32_t *members, size_t n)
{
	bool counted = false;

	for (size_t i = 0; i < n; i++) {
		m->offsets[i] = m->items[members[i]].offset;
		m->cookies[i] = m->items[members[i]].cookie;
		m->counters[i] = m->items[members[i]].counter;
		counted |= m->counters[i];
	}
	return link_multi(prog_fd, multi_type(m), m->path, m->offsets, m->cookies,
			  counted ? m->counters : NULL, n, m->end == END_RETURN, m->pid);
}

/* With a program that does nothing, as the real one would see calls while the attempt ends. */
static int multi_attempt(const uint32_t *members, size_t n, void *data)
{
	struct multi *m = data;
	int fd;

	if (m->noop_fd < 0)
		m->noop_fd = link_noop_program(multi_type(m));
	if (m->noop_fd < 0)
		return m->noop_fd == -EINVAL ? -EPROTO : m->noop_fd;
	fd = multi_create(m, m->noop_fd, members, n);
	if (fd < 0)
		return fd;
	reaper_close(&fd, 1, REAPER_LINKS);
	return 0;
}

/* Nothing of the file can be probed, for a reason that is the file's: say so once. */
static int leave_out_file(struct multi *m, int code)
{
	struct attachment *a = m->a;

	for (size_t i = 0; i < m->n; i++) {
		a->n_bad += !a->bad[m->items[i].point];
		a->bad[m->items[i].point] = true;
	}
	return attach_note(a, a->set->files[m->file].path, link_strerror(code));
}

/* What the kernel said about each suspect class: a negative errno; 0 is not known yet. */
static _Atomic int verdicts[ARRAY_SIZE(suspect_classes)];

/*
 * Leaves out the functions of suspect classes. The kernel is asked once about each class, about
 * one function of it, as even a refusal costs a wait like that of detaching.
 */
static int leave_out_suspects(struct multi *m)
{
	int fd = m->a->set->files[m->file].fd;
	_cleanup_(freep) uint8_t *class = calloc(m->n + 1, 1);

	if (!class)
		return -ENOMEM;
	for (size_t i = 0; i < m->n; i++)
		class[i] = suspect_class(fd, m->items[i].offset);
	for (size_t k = 0; k < ARRAY_SIZE(suspect_classes); k++) {
		uint8_t *first = memchr(class, suspect_classes[k], m->n);

		if (!first)
			continue;
		if (verdicts[k] == 0) {
			int code = multi_attempt(&m->members[first - class], 1, m);

			if (code < 0 && !attach_is_function_error(-code))
				return code;
			/* Success proves nothing where no process has the file mapped. */
			if (code >= 0)
				continue;
			verdicts[k] = code;
		}
		for (size_t i = first - class; i < m->n; i++) {
			int r = class[i] == suspect_classes[k]
					? leave_out((uint32_t)i, -verdicts[k], m)
					: 0;

			if (r < 0)
				return r;
		}
	}
	return 0;
}

/*
 * Creates the link of one end of a file's functions. When the kernel refuses it, the functions
 * that are to blame are searched for and left out.
 */
static int multi_attach(struct multi *m)
{
	struct bisect b = {.attempt = multi_attempt,
			   .is_members = attach_is_function_error,
			   .report = leave_out,
			   .data = m,
			   .max_attempts = MAX_ATTEMPTS};
	int prog = attach_program(m->a, m->end);
	struct attached l = {.event_fd = -EBADF, .pid = m->pid, .end = m->end};

	for (int round = 0; round < MAX_ROUNDS; round++) {
		int r = multi_fill(m);

		if (r >= 0 && m->n > 0 && round == 0)
			r = leave_out_suspects(m);
		if (r >= 0 && round == 0)
			r = multi_fill(m);
		if (r < 0 || m->n == 0)
			return r;
		l.link_fd = multi_create(m, prog, m->members, m->n);
		if (l.link_fd >= 0) {
			r = attach_add_link(m->a, &l);
			if (r < 0)
				safe_close(l.link_fd);
			return r;
		}
		if (!attach_is_function_error(-l.link_fd))
			return l.link_fd;
		r = bisect_run(&b, m->members, m->n, l.link_fd);
		if (r < 0 && attach_is_function_error(-r))
			return leave_out_file(m, -r);
		if (r < 0)
			return r;
	}
	return leave_out_file(m, EINVAL);
}

int attach_end_multi(struct attachment *a, enum end end, pid_t pid)
{
	_cleanup_(multi_release) struct multi m = {
		.a = a, .end = end, .pid = pid, .noop_fd = -EBADF};

	for (size_t file = 0; file < a->set->n_files; file++) {
		int r;

		m.file = file;
		r = multi_attach(&m);
		if (r < 0)
			return r;
	}
	return 0;
}
