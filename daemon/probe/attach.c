/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/attach.h"

#include "probe/bisect.h"
#include "probe/link.h"
#include "probe/reaper.h"
#include "probe/suspect.h"

enum { MAX_ATTEMPTS = 400, MAX_ROUNDS = 4 };

/* The ends of a function, in the order in which they are attached. */
enum end { END_RETURN, END_ENTRY, END_BOTH };

struct attached {
	int link_fd, event_fd; /* event_fd is negative for multi and session links */
	pid_t pid;
	uint32_t point; /* of a perf event */
	enum end end;
};

struct attachment {
	struct attach_programs programs;
	enum attach_mode mode;
	const struct probe_set *set;
	bool *bad; /* by point: left out */
	size_t n_bad;
	struct attached *links;
	size_t n, cap;
	char **left_out;
	size_t n_left_out, left_out_cap;
};

/* One multi link in the making. */
struct multi {
	struct attachment *a;
	uint32_t file;
	enum end end;
	pid_t pid;
	char path[LINK_PATH_MAX];
	int noop_fd;	  /* program for attempts; negative until one is needed */
	uint32_t *points; /* indices in the set */
	uint64_t *offsets, *cookies;
	size_t n;
};

static int note_left_out(struct attachment *a, const char *name, const char *reason)
{
	int r = array_reserve(&a->left_out, &a->left_out_cap, a->n_left_out + 1,
			      sizeof(*a->left_out));
	char *text;

	if (r < 0)
		return r;
	if (asprintf(&text, "%s: %s", name, reason) < 0)
		return -ENOMEM;
	for (char *c = text; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = ' ';
	a->left_out[a->n_left_out++] = text;
	return 0;
}

static void mark_bad(struct attachment *a, uint32_t point)
{
	a->n_bad += !a->bad[point];
	a->bad[point] = true;
}

static int leave_out(uint32_t point, int code, void *data)
{
	struct attachment *a = ((struct multi *)data)->a;

	if (a->bad[point])
		return 0;
	mark_bad(a, point);
	return note_left_out(a, a->set->points[point].symbol,
			     code ? link_strerror(code)
				  : "too many functions here cannot be probed to try each one");
}

/* Errors that say something about a function's code, rather than about us. */
static bool is_function_error(int code)
{
	return code == LINK_ENOTSUPP || code == EOPNOTSUPP || code == EINVAL || code == EILSEQ ||
	       code == EIO || code == EEXIST;
}

static int attach_failed(const struct attachment *a, int code, pid_t pid, struct error *e)
{
	int r;

	switch (code) {
	case ENOMEM:
		return -ENOMEM;
	case ESRCH:
		return error_set(e, ESRCH, "NoSuchProcess", "process %d ended before it was probed",
				 pid);
	case EPERM:
	case EACCES:
		r = error_set(e, code, "PermissionDenied",
			      "the kernel refuses to attach probes: %s", strerror(code));
		error_fix(e, "run sonded as root, or with CAP_BPF, CAP_PERFMON and, for perf "
			     "events, CAP_SYS_ADMIN");
		return r;
	case EMFILE:
	case ENFILE:
		r = error_set(e, code, "AttachFailed",
			      "%zu functions need more file descriptors than are allowed",
			      a->set->n);
		error_fix(e, "narrow the glob, or raise LimitNOFILE of sonded (ulimit -n)");
		return r;
	default:
		r = error_set(e, code, "AttachFailed", "the kernel refused all %zu functions: %s",
			      a->set->n, a->n_left_out ? a->left_out[0] : link_strerror(code));
		error_fix(e, "name other functions; sonde doctor says what this kernel can do");
		return r;
	}
}

static int add_link(struct attachment *a, const struct attached *l)
{
	int r = array_reserve(&a->links, &a->cap, a->n + 1, sizeof(*a->links));

	if (r < 0)
		return r;
	a->links[a->n++] = *l;
	return 0;
}

static bool is_chosen(const struct attachment *a, size_t i, size_t from, pid_t pid)
{
	return i >= from && (pid < 0 || a->links[i].pid == pid);
}

/*
 * Detaches the links from index `from` on, of one process or (-1) of all. Entries begin first, but
 * nobody waits for them: as long as returns are on, the wait may never end (see reaper.h).
 */
static void detach(struct attachment *a, size_t from, pid_t pid)
{
	static const enum end order[] = {END_BOTH, END_ENTRY, END_RETURN};
	size_t kept = 0;

	for (size_t o = 0; o < 2 * ARRAY_SIZE(order); o++) {
		/* The links of perf events come off before the slow events themselves. */
		bool events = o >= ARRAY_SIZE(order);

		for (size_t i = 0; i < a->n; i++) {
			const struct attached *l = &a->links[i];

			if (!is_chosen(a, i, from, pid) || l->end != order[o % ARRAY_SIZE(order)])
				continue;
			reaper_close(events ? &l->event_fd : &l->link_fd, 1,
				     l->event_fd < 0 ? REAPER_LINKS : REAPER_EVENTS);
		}
	}
	for (size_t i = 0; i < a->n; i++)
		if (!is_chosen(a, i, from, pid))
			a->links[kept++] = a->links[i];
	a->n = kept;
}

static void multi_release(struct multi *m)
{
	safe_close(m->noop_fd);
	free(m->points);
	free(m->offsets);
	free(m->cookies);
}

/* The points of a file that are not left out. */
static int multi_fill(struct multi *m, struct attachment *a, uint32_t file)
{
	const struct probe_set *set = a->set;

	if (!m->points) {
		m->points = calloc(set->n + 1, sizeof(*m->points));
		m->offsets = calloc(set->n + 1, sizeof(*m->offsets));
		m->cookies = calloc(set->n + 1, sizeof(*m->cookies));
	}
	if (!m->points || !m->offsets || !m->cookies)
		return -ENOMEM;
	m->a = a;
	m->file = file;
	m->n = 0;
	link_path(m->path, set->files[file].fd);
	for (size_t i = 0; i < set->n; i++)
		if (set->points[i].file == file && !a->bad[i])
			m->points[m->n++] = i;
	return 0;
}

static int multi_type(const struct multi *m)
{
	return m->end == END_BOTH ? LINK_UPROBE_SESSION : LINK_UPROBE_MULTI;
}

static int multi_create(struct multi *m, int prog_fd, const uint32_t *points, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		m->offsets[i] = m->a->set->points[points[i]].offset;
		m->cookies[i] = points[i];
	}
	return link_multi(prog_fd, multi_type(m), m->path, m->offsets, m->cookies, n,
			  m->end == END_RETURN, m->pid);
}

/* With a program that does nothing, as the real one would see calls while the attempt ends. */
static int multi_attempt(const uint32_t *points, size_t n, void *data)
{
	struct multi *m = data;
	int fd;

	if (m->noop_fd < 0)
		m->noop_fd = link_noop_program(multi_type(m));
	if (m->noop_fd < 0)
		return m->noop_fd == -EINVAL ? -EPROTO : m->noop_fd;
	fd = multi_create(m, m->noop_fd, points, n);
	if (fd < 0)
		return fd;
	reaper_close(&fd, 1, REAPER_LINKS);
	return 0;
}

/* Nothing of the file can be probed, for a reason that is the file's: say so once. */
static int leave_out_file(struct multi *m, int code)
{
	for (size_t i = 0; i < m->n; i++)
		mark_bad(m->a, m->points[i]);
	return note_left_out(m->a, m->a->set->files[m->file].path, link_strerror(code));
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
		class[i] = suspect_class(fd, m->a->set->points[m->points[i]].offset);
	for (size_t k = 0; k < ARRAY_SIZE(suspect_classes); k++) {
		uint8_t *first = memchr(class, suspect_classes[k], m->n);

		if (!first)
			continue;
		if (verdicts[k] == 0) {
			int code = multi_attempt(&m->points[first - class], 1, m);

			if (code < 0 && !is_function_error(-code))
				return code;
			/* Success proves nothing where no process has the file mapped. */
			if (code >= 0)
				continue;
			verdicts[k] = code;
		}
		for (size_t i = first - class; i < m->n; i++) {
			int r = class[i] == suspect_classes[k]
					? leave_out(m->points[i], -verdicts[k], m)
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
			   .is_members = is_function_error,
			   .report = leave_out,
			   .data = m,
			   .max_attempts = MAX_ATTEMPTS};
	const struct attach_programs *p = &m->a->programs;
	int prog = m->end == END_BOTH ? p->session : m->end == END_RETURN ? p->ret : p->entry;
	struct attached l = {.event_fd = -EBADF, .pid = m->pid, .end = m->end};

	for (int round = 0; round < MAX_ROUNDS; round++) {
		int r = multi_fill(m, m->a, m->file);

		if (r >= 0 && m->n > 0 && round == 0)
			r = leave_out_suspects(m);
		if (r >= 0 && round == 0)
			r = multi_fill(m, m->a, m->file);
		if (r < 0 || m->n == 0)
			return r;
		l.link_fd = multi_create(m, prog, m->points, m->n);
		if (l.link_fd >= 0) {
			r = add_link(m->a, &l);
			if (r < 0)
				safe_close(l.link_fd);
			return r;
		}
		if (!is_function_error(-l.link_fd))
			return l.link_fd;
		r = bisect_run(&b, m->points, m->n, l.link_fd);
		if (r < 0 && is_function_error(-r))
			return leave_out_file(m, -r);
		if (r < 0)
			return r;
	}
	return leave_out_file(m, EINVAL);
}

static int attach_end_multi(struct attachment *a, enum end end, pid_t pid)
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

static int attach_end_perf(struct attachment *a, enum end end, pid_t pid)
{
	int prog = end == END_RETURN ? a->programs.ret : a->programs.entry;
	struct multi m = {.a = a};

	for (size_t i = 0; i < a->set->n; i++) {
		const struct probe_point *p = &a->set->points[i];
		struct attached l = {.pid = pid, .point = i, .end = end};
		int r;

		if (a->bad[i])
			continue;
		link_path(m.path, a->set->files[p->file].fd);
		r = link_perf(prog, m.path, p->offset, i, end == END_RETURN, pid, &l.link_fd,
			      &l.event_fd);
		if (r < 0 && is_function_error(-r))
			r = leave_out(i, -r, &m);
		else if (r >= 0) {
			r = add_link(a, &l);
			if (r < 0) {
				safe_close(l.link_fd);
				safe_close(l.event_fd);
			}
		}
		if (r < 0)
			return r;
	}
	return 0;
}

static int attach_ends(struct attachment *a, pid_t pid)
{
	int r;

	switch (a->mode) {
	case ATTACH_SESSION:
		return attach_end_multi(a, END_BOTH, pid);
	case ATTACH_PERF:
		r = attach_end_perf(a, END_RETURN, pid);
		return r < 0 ? r : attach_end_perf(a, END_ENTRY, pid);
	default:
		r = attach_end_multi(a, END_RETURN, pid);
		return r < 0 ? r : attach_end_multi(a, END_ENTRY, pid);
	}
}

int attachment_add_pid(struct attachment *a, pid_t pid, struct error *e)
{
	size_t before = a->n;
	int r = pid < 0 ? -EINVAL : attach_ends(a, pid);

	if (r >= 0 && a->n_bad < a->set->n)
		return 0;
	detach(a, before, -1);
	return attach_failed(a, r < 0 ? -r : LINK_ENOTSUPP, pid, e);
}

void attachment_drop_pid(struct attachment *a, pid_t pid)
{
	detach(a, 0, pid);
}

int attachment_new(const struct attach_programs *programs, enum attach_mode mode,
		   const struct probe_set *set, pid_t pid, struct attachment **ret, struct error *e)
{
	_cleanup_(attachment_freep) struct attachment *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		return -ENOMEM;
	a->programs = *programs;
	a->mode = mode;
	a->set = set;
	a->bad = calloc(set->n + 1, sizeof(*a->bad));
	if (!a->bad)
		return -ENOMEM;
	r = attachment_add_pid(a, pid, e);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(a);
	return 0;
}

struct attachment *attachment_free(struct attachment *a)
{
	if (!a)
		return NULL;
	detach(a, 0, -1);
	for (size_t i = 0; i < a->n_left_out; i++)
		free(a->left_out[i]);
	free(a->left_out);
	free(a->links);
	free(a->bad);
	free(a);
	return NULL;
}

char *const *attachment_left_out(const struct attachment *a, size_t *ret_n)
{
	*ret_n = a->n_left_out;
	return a->left_out;
}

bool attachment_is_left_out(const struct attachment *a, size_t point)
{
	return point < a->set->n && a->bad[point];
}

size_t attachment_links(const struct attachment *a)
{
	size_t n = 0;

	for (size_t i = 0; i < a->n; i++)
		n += a->links[i].event_fd < 0 ? 1 : 2;
	return n;
}

size_t attach_reaper_pending(void)
{
	return reaper_pending();
}

int attach_reaper_wait(unsigned int timeout_ms)
{
	return reaper_wait(timeout_ms);
}
