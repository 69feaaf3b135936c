/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/attach_multi.h"

#include "probe/link.h"
#include "probe/reaper.h"

int attach_note(struct attachment *a, const char *name, const char *reason)
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

int attach_leave_out(struct attachment *a, uint32_t point, int code)
{
	if (a->bad[point])
		return 0;
	mark_bad(a, point);
	return attach_note(a, a->set->points[point].symbol,
			   code ? link_strerror(code)
				: "too many functions here cannot be probed to try each one");
}

bool attach_is_function_error(int code)
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

int attach_add_link(struct attachment *a, const struct attached *l)
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
	static const enum end order[] = {END_BOTH,	     END_ENTRY,		END_STATIC_ENTRY,
					 END_STATIC_INSTANT, END_SOURCE_SINGLE, END_SOURCE_BATCH,
					 END_SOURCE_THREAD,  END_CATCH,		END_THROW,
					 END_STATIC_RETURN,  END_SITE,		END_RETURN};
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

int attach_program(const struct attachment *a, enum end end)
{
	switch (end) {
	case END_RETURN:
		return a->programs.ret;
	case END_SITE:
		return a->programs.site;
	case END_THROW:
		return a->programs.throw;
	case END_CATCH:
		return a->programs.catch;
	case END_ENTRY:
		return a->programs.entry;
	case END_STATIC_ENTRY:
		return a->programs.static_entry;
	case END_STATIC_RETURN:
		return a->programs.static_return;
	case END_STATIC_INSTANT:
		return a->programs.static_instant;
	case END_SOURCE_THREAD:
		return a->programs.source_thread;
	case END_SOURCE_BATCH:
		return a->programs.source_batch;
	case END_SOURCE_SINGLE:
		return a->programs.source_single;
	case END_BOTH:
		break;
	}
	return a->programs.session;
}

static bool has_end(const struct probe_point *p, enum end end)
{
	bool is_call = (p->role == ROLE_SPAN || p->role == ROLE_GATE) && !p->is_static;
	bool is_instant = p->is_static && p->n_ends == 0;

	if (p->role == ROLE_SOURCE)
		return end == END_SOURCE_THREAD + (enum end)p->source;
	switch (end) {
	case END_RETURN:
		return is_call && p->ret == RETURN_PROBE;
	case END_THROW:
		return p->role == ROLE_THROW;
	case END_CATCH:
		return p->role == ROLE_CATCH;
	case END_STATIC_RETURN:
		return p->role == ROLE_END;
	case END_STATIC_INSTANT:
		return is_instant && p->role != ROLE_END;
	case END_STATIC_ENTRY:
		return p->is_static && !is_instant && p->role != ROLE_END;
	case END_SITE:
	case END_SOURCE_THREAD:
	case END_SOURCE_BATCH:
	case END_SOURCE_SINGLE:
		return false;
	default:
		return is_call;
	}
}

static uint64_t site_cookie(const struct probe_site *s)
{
	return s->point | (uint64_t)s->way << SITE_KIND_SHIFT |
	       (uint64_t)s->code << SITE_CODE_SHIFT | (uint64_t)s->delta << SITE_DELTA_SHIFT;
}

static uint64_t entry_cookie(const struct probe_set *set, uint32_t point)
{
	const struct probe_point *p = &set->points[point];

	if (p->role == ROLE_END)
		return point | (uint64_t)p->back << PAIR_BACK_SHIFT |
		       (uint64_t)p->n_begins << PAIR_COUNT_SHIFT;
	return point | (uint64_t)(p->ret == RETURN_SITES) << ENTRY_SITES_SHIFT;
}

int attach_items(const struct attachment *a, uint32_t file, enum end end,
		 struct attach_item **ret_items, size_t *ret_n)
{
	const struct probe_set *set = a->set;
	size_t max = end == END_SITE ? set->n_sites : set->n, n = 0;
	struct attach_item *items = calloc(max + 1, sizeof(*items));

	if (!items)
		return -ENOMEM;
	for (size_t i = 0; i < max; i++) {
		const struct probe_site *s = end == END_SITE ? &set->sites[i] : NULL;
		uint32_t point = s ? s->point : (uint32_t)i;
		const struct probe_point *p = &set->points[point];

		if (p->kernel || p->file != file || a->bad[point] || (!s && !has_end(p, end)))
			continue;
		items[n++] = (struct attach_item){.offset = s ? s->offset : p->offset,
						  .cookie = s ? site_cookie(s)
							      : entry_cookie(set, point),
						  .counter = s ? 0 : p->semaphore,
						  .point = point};
	}
	*ret_items = items;
	*ret_n = n;
	return 0;
}

static int attach_item_perf(struct attachment *a, enum end end, pid_t pid,
			    const struct attach_item *item)
{
	struct attached l = {.pid = pid, .point = item->point, .end = end};
	char path[LINK_PATH_MAX];
	int r;

	/* A function with several sites may have been left out by now. */
	if (a->bad[item->point])
		return 0;
	link_path(path, a->set->files[a->set->points[item->point].file].fd);
	r = link_perf(attach_program(a, end), path, item->offset, item->cookie, item->counter,
		      end == END_RETURN, pid, &l.link_fd, &l.event_fd);
	if (r < 0)
		return attach_is_function_error(-r) ? attach_leave_out(a, item->point, -r) : r;
	r = attach_add_link(a, &l);
	if (r < 0) {
		safe_close(l.link_fd);
		safe_close(l.event_fd);
	}
	return r;
}

static int attach_end_perf(struct attachment *a, enum end end, pid_t pid)
{
	for (uint32_t file = 0; file < a->set->n_files; file++) {
		_cleanup_(freep) struct attach_item *items = NULL;
		size_t n;
		int r = attach_items(a, file, end, &items, &n);

		for (size_t i = 0; r >= 0 && i < n; i++)
			r = attach_item_perf(a, end, pid, &items[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

static int attach_ends(struct attachment *a, pid_t pid)
{
	int r = 0;

	if (a->mode == ATTACH_SESSION)
		return attach_end_multi(a, END_BOTH, pid);
	for (enum end end = END_RETURN; end < END_BOTH && r >= 0; end++) {
		if (attach_program(a, end) < 0)
			continue;
		r = a->mode == ATTACH_PERF ? attach_end_perf(a, end, pid)
					   : attach_end_multi(a, end, pid);
	}
	return r;
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
