/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/kernel_attach.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>

#include "probe/bisect.h"
#include "probe/kernel_link.h"
#include "probe/link.h"
#include "probe/reaper.h"

enum { MAX_ATTEMPTS = 400, MAX_ROUNDS = 4 };

static const char no_types[] = "the kernel does not describe its type (BTF), which fentry needs";
static const char too_many[] = "too many functions here cannot be probed to try each one";

struct kernel_attached {
	int link_fd, event_fd; /* event_fd is negative but for perf events */
	bool is_return;
};

/* What becomes of a point: a way, or one of these. */
enum { NOT_KERNEL = KERNEL_WAYS, LEFT_OUT };

struct kernel_attachment {
	struct kernel_programs programs;
	const struct probe_set *set;
	uint8_t *ways; /* by point */
	size_t n_points, n_left_out;
	struct kernel_attached *links;
	size_t n, cap;
	char **left_out;
	size_t left_out_cap;
};

static int leave_out(struct kernel_attachment *a, uint32_t point, const char *reason)
{
	char *text;
	int r;

	if (a->ways[point] == LEFT_OUT)
		return 0;
	r = array_reserve(&a->left_out, &a->left_out_cap, a->n_left_out + 1, sizeof(*a->left_out));
	if (r < 0)
		return r;
	if (asprintf(&text, "%s: %s", a->set->points[point].symbol, reason) < 0)
		return -ENOMEM;
	a->ways[point] = LEFT_OUT;
	a->left_out[a->n_left_out++] = text;
	return 0;
}

/* Errors that say something about a function, rather than about us. */
static bool is_function_error(int code)
{
	return code == LINK_ENOTSUPP || code == EOPNOTSUPP || code == EINVAL || code == ENOENT ||
	       code == ESRCH || code == EILSEQ || code == EBUSY || code == E2BIG;
}

static int add_link(struct kernel_attachment *a, int link, int event, bool is_return)
{
	int r = array_reserve(&a->links, &a->cap, a->n + 1, sizeof(*a->links));

	if (r < 0) {
		safe_close(link);
		safe_close(event);
		return r;
	}
	a->links[a->n++] = (struct kernel_attached){link, event, is_return};
	return 0;
}

/* Closes the links from an index on: entries first, and links before their slow events. */
static void detach(struct kernel_attachment *a, size_t from)
{
	for (int pass = 0; pass < 4; pass++) {
		bool returns = pass & 1, events = pass & 2;

		for (size_t i = from; i < a->n; i++) {
			const struct kernel_attached *l = &a->links[i];

			if (l->is_return != returns)
				continue;
			reaper_close(events ? &l->event_fd : &l->link_fd, 1,
				     l->event_fd < 0 ? REAPER_LINKS : REAPER_EVENTS);
		}
	}
	a->n = MIN(a->n, from);
}

static int attach_tracing_end(struct kernel_attachment *a, uint32_t point, uint32_t id,
			      bool is_return)
{
	_cleanup_(closep) int prog = a->programs.load_tracing(a->programs.arg, is_return, id,
							      a->set->points[point].symbol);
	int link;

	if (prog < 0)
		return prog;
	/* The link keeps the program. */
	link = kernel_link_tracing(prog, point, is_return);
	return link < 0 ? link : add_link(a, link, -EBADF, is_return);
}

/* 0, or why fentry cannot be had for that function; other ways may do. */
static int attach_tracing(struct kernel_attachment *a, uint32_t point, const struct btf *btf,
			  const char **ret_reason)
{
	const struct probe_point *p = &a->set->points[point];
	int id = btf ? btf__find_by_name_kind(btf, p->symbol, BTF_KIND_FUNC) : -ENOENT, r;
	size_t before = a->n;

	if (id < 0) {
		*ret_reason = no_types;
		return -ENOENT;
	}
	r = attach_tracing_end(a, point, (uint32_t)id, true);
	if (r >= 0)
		r = attach_tracing_end(a, point, (uint32_t)id, false);
	if (r >= 0)
		return 0;
	detach(a, before);
	*ret_reason = kernel_link_strerror(-r);
	return r;
}

static bool is_few(const struct kernel_attachment *a, uint32_t point)
{
	const struct probe_point *p = &a->set->points[point];

	return a->n_points <= KERNEL_FEW && !p->ambiguous &&
	       streq(a->set->files[p->file].path, "[kernel]");
}

/* What cannot have fentry, and does not insist, is left to the other ways. */
static int attach_all_tracing(struct kernel_attachment *a)
{
	struct btf *btf = NULL;
	int r = 0;

	for (uint32_t i = 0; r >= 0 && i < a->set->n; i++) {
		bool insists = a->set->points[i].fentry;
		const char *reason = NULL;

		if (a->ways[i] == NOT_KERNEL || (!insists && !is_few(a, i)))
			continue;
		if (!btf)
			btf = btf__load_vmlinux_btf();
		r = attach_tracing(a, i, btf, &reason);
		if (r >= 0)
			a->ways[i] = KERNEL_FENTRY;
		else if (insists && is_function_error(-r))
			r = leave_out(a, i, reason);
		else if (!insists && r != -ENOMEM)
			r = 0;
	}
	btf__free(btf);
	return r;
}

/* One multi link in the making. */
struct multi {
	struct kernel_attachment *a;
	bool is_return;
	int noop_fd; /* program for attempts; negative until one is needed */
	uint32_t *points;
	uint64_t *addresses, *cookies;
	size_t n;
};

static void multi_release(struct multi *m)
{
	safe_close(m->noop_fd);
	free(m->points);
	free(m->addresses);
	free(m->cookies);
}

static int multi_create(struct multi *m, int prog, const uint32_t *points, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		m->addresses[i] = m->a->set->points[points[i]].offset;
		m->cookies[i] = points[i];
	}
	return kernel_link_multi(prog, m->addresses, m->cookies, n, m->is_return);
}

/* With a program that does nothing, as the real one would see calls while the attempt ends. */
static int multi_attempt(const uint32_t *points, size_t n, void *data)
{
	struct multi *m = data;
	int fd;

	if (m->noop_fd < 0)
		m->noop_fd = link_noop_program(LINK_KPROBE_MULTI);
	if (m->noop_fd < 0)
		return m->noop_fd == -EINVAL ? -EPROTO : m->noop_fd;
	fd = multi_create(m, m->noop_fd, points, n);
	if (fd < 0)
		return fd;
	safe_close(fd);
	return 0;
}

static int multi_report(uint32_t point, int code, void *data)
{
	struct multi *m = data;

	return leave_out(m->a, point, code ? kernel_link_strerror(code) : too_many);
}

static void multi_fill(struct multi *m)
{
	m->n = 0;
	for (uint32_t i = 0; i < m->a->set->n; i++)
		if (m->a->ways[i] == KERNEL_MULTI)
			m->points[m->n++] = i;
}

static int multi_attach(struct multi *m, int prog)
{
	struct bisect b = {.attempt = multi_attempt,
			   .is_members = is_function_error,
			   .report = multi_report,
			   .data = m,
			   .max_attempts = MAX_ATTEMPTS};
	int r = 0;

	for (int round = 0; round < MAX_ROUNDS; round++) {
		multi_fill(m);
		if (m->n == 0)
			return 0;
		r = multi_create(m, prog, m->points, m->n);
		if (r >= 0)
			return add_link(m->a, r, -EBADF, m->is_return);
		if (!is_function_error(-r))
			return r;
		r = bisect_run(&b, m->points, m->n, r);
		if (r < 0)
			return r;
	}
	return -EINVAL;
}

static int attach_all_multi(struct kernel_attachment *a)
{
	_cleanup_(multi_release) struct multi m = {.a = a, .noop_fd = -EBADF, .is_return = true};
	int r;

	m.points = calloc(a->set->n + 1, sizeof(*m.points));
	m.addresses = calloc(a->set->n + 1, sizeof(*m.addresses));
	m.cookies = calloc(a->set->n + 1, sizeof(*m.cookies));
	if (!m.points || !m.addresses || !m.cookies)
		return -ENOMEM;
	r = multi_attach(&m, a->programs.multi_return);
	m.is_return = false;
	return r < 0 ? r : multi_attach(&m, a->programs.multi_entry);
}

static int attach_perf(struct kernel_attachment *a, uint32_t point, bool is_return)
{
	int prog = is_return ? a->programs.perf_return : a->programs.perf_entry, link, event;
	int r = kernel_link_perf(prog, a->set->points[point].offset, point, is_return, &link,
				 &event);

	if (r >= 0)
		return add_link(a, link, event, is_return);
	return is_function_error(-r) ? leave_out(a, point, kernel_link_strerror(-r)) : r;
}

static int attach_all_perf(struct kernel_attachment *a)
{
	for (int end = 1; end >= 0; end--)
		for (uint32_t i = 0; i < a->set->n; i++) {
			int r = a->ways[i] == KERNEL_PERF ? attach_perf(a, i, end) : 0;

			if (r < 0)
				return r;
		}
	return 0;
}

/* Decides who goes the ways that take no special program. How many points there are. */
static size_t choose_rest(struct kernel_attachment *a, enum kernel_way way)
{
	size_t n = 0;

	for (uint32_t i = 0; i < a->set->n; i++) {
		if (a->ways[i] == NOT_KERNEL || a->ways[i] == LEFT_OUT ||
		    a->ways[i] == KERNEL_FENTRY)
			continue;
		a->ways[i] = (uint8_t)way;
		n++;
	}
	return n;
}

static int attach_all(struct kernel_attachment *a)
{
	const struct kernel_programs *p = &a->programs;
	bool multi = p->multi_entry >= 0 && p->multi_return >= 0;
	bool perf = p->perf_entry >= 0 && p->perf_return >= 0;
	size_t rest;
	int r = 0;

	for (uint32_t i = 0; i < a->set->n; i++)
		if (a->set->points[i].fentry && !p->load_tracing)
			return -EOPNOTSUPP;
	if (p->load_tracing)
		r = attach_all_tracing(a);
	if (r < 0)
		return r;
	rest = choose_rest(a, multi ? KERNEL_MULTI : KERNEL_PERF);
	if (rest == 0)
		return 0;
	return multi ? attach_all_multi(a) : perf ? attach_all_perf(a) : -EOPNOTSUPP;
}

static int attach_failed(const struct kernel_attachment *a, int code, struct error *e)
{
	int r;

	if (code == ENOMEM)
		return -ENOMEM;
	if (code == EPERM || code == EACCES) {
		r = error_set(e, code, "PermissionDenied",
			      "the kernel refuses probes on its functions: %s", strerror(code));
		error_fix(e, "run sonded as root, or with CAP_BPF, CAP_PERFMON and, for kprobes, "
			     "CAP_SYS_ADMIN, on a kernel without lockdown; sonde doctor says more");
	} else if (code == EOPNOTSUPP && a->n_left_out == 0) {
		r = error_set(e, code, "NotSupported",
			      "this kernel has no probes on its functions of the kind asked for");
		error_fix(e, "sonde doctor says what there is; kprobe: takes what there is");
	} else if (code == EMFILE || code == ENFILE) {
		r = error_set(e, code, "AttachFailed",
			      "%zu kernel functions need more file descriptors than are allowed",
			      a->n_points);
		error_fix(e, "narrow the glob, or raise LimitNOFILE of sonded (ulimit -n)");
	} else {
		r = error_set(e, code, "AttachFailed",
			      "the kernel refused all %zu kernel functions: %s", a->n_points,
			      a->n_left_out ? a->left_out[0] : kernel_link_strerror(code));
		error_fix(e, "name other functions; sonde doctor says what this kernel can do");
	}
	return r;
}

int kernel_attachment_new(const struct kernel_programs *programs, const struct probe_set *set,
			  struct kernel_attachment **ret, struct error *e)
{
	_cleanup_(kernel_attachment_freep) struct kernel_attachment *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		return -ENOMEM;
	a->programs = *programs;
	a->set = set;
	a->ways = calloc(set->n + 1, sizeof(*a->ways));
	if (!a->ways)
		return -ENOMEM;
	for (size_t i = 0; i < set->n; i++) {
		a->ways[i] = set->points[i].kernel ? KERNEL_PERF : NOT_KERNEL;
		a->n_points += set->points[i].kernel;
	}
	r = a->n_points > 0 ? attach_all(a) : 0;
	if (r < 0 || (a->n_points > 0 && a->n_left_out == a->n_points))
		return attach_failed(a, r < 0 ? -r : LINK_ENOTSUPP, e);
	*ret = TAKE_PTR(a);
	return 0;
}

struct kernel_attachment *kernel_attachment_free(struct kernel_attachment *a)
{
	if (!a)
		return NULL;
	detach(a, 0);
	for (size_t i = 0; i < a->n_left_out; i++)
		free(a->left_out[i]);
	free(a->left_out);
	free(a->links);
	free(a->ways);
	free(a);
	return NULL;
}

char *const *kernel_attachment_left_out(const struct kernel_attachment *a, size_t *ret_n)
{
	*ret_n = a->n_left_out;
	return a->left_out;
}

bool kernel_attachment_is_left_out(const struct kernel_attachment *a, size_t point)
{
	return point < a->set->n && a->ways[point] == LEFT_OUT;
}

size_t kernel_attachment_links(const struct kernel_attachment *a)
{
	size_t n = 0;

	for (size_t i = 0; i < a->n; i++)
		n += a->links[i].event_fd < 0 ? 1 : 2;
	return n;
}

const char *kernel_attachment_strategy(const struct kernel_attachment *a, size_t point)
{
	static const char *const names[KERNEL_WAYS] = {
		[KERNEL_FENTRY] = "fentry",
		[KERNEL_MULTI] = "kprobe.multi",
		[KERNEL_PERF] = "kprobe",
	};

	return point < a->set->n && a->ways[point] < KERNEL_WAYS ? names[a->ways[point]] : "";
}
