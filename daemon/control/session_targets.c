/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which processes a session is about, and how that changes: by fork, exec and exit. */
#include "control/session_targets.h"

#include <dirent.h>
#include "control/recorded.h"
#include "query/selectors.h"
#include "sonde/base/log.h"
#include "sonde/base/strbuf.h"

bool session_has_targets(const struct session_options *o)
{
	return o->n_pids > 0 || session_selects(o);
}

static int add_pid(struct session *s, uint32_t pid)
{
	struct session_options *o = &s->options;
	uint32_t *pids = reallocarray(o->pids, o->n_pids + 1, sizeof(*pids));

	if (!pids)
		return -ENOMEM;
	o->pids = pids;
	o->pids[o->n_pids++] = pid;
	return 0;
}

/* By all but its number. placed: where it is by now counts, and not what was known of that. */
static bool is_selected(const struct session *s, uint32_t pid, bool placed)
{
	const struct session_options *o = &s->options;
	const struct selectors selectors = {.comm = o->comm,
					    .cgroup = o->cgroup,
					    .container = o->container,
					    .has_uid = o->has_uid,
					    .uid = o->uid};
	bool look = placed && (o->cgroup || o->container);
	uint32_t id = look ? processes_find_placed(s->context->processes, pid)
			   : processes_find(s->context->processes, pid);
	const struct model_process *p = model_process_peek(s->context->model, id);

	return p && selectors_match(&selectors, s->context->model, p);
}

/* Of processes that were named by PID, those that the other selectors let through. */
static int narrow_pids(struct session *s, struct error *error)
{
	struct session_options *o = &s->options;
	size_t kept = 0;

	for (size_t i = 0; i < o->n_pids; i++)
		if (is_selected(s, o->pids[i], true))
			o->pids[kept++] = o->pids[i];
	if (kept == 0) {
		error_set(error, ESRCH, "NoSuchProcess",
			  "none of the processes named by PID is what the other selectors ask for");
		error_fix(error, "leave out -c, --uid, --cgroup and --container, or -p");
		return -ESRCH;
	}
	o->n_pids = kept;
	return 0;
}

/*
 * Processes selected by what they are that run now; those to come are added by session_execed().
 * With PIDs, all selectors must hold, as in questions.
 */
static int select_running(struct session *s, struct error *error)
{
	DIR *dir;
	struct dirent *e;
	uint64_t pid;
	int r = 0;

	if (!session_selects(&s->options))
		return 0;
	if (s->options.n_pids > 0)
		return narrow_pids(s, error);
	s->selects_by_name = true;
	s->options.pids_found = true;
	dir = opendir("/proc");
	if (!dir)
		return -errno;
	while (r >= 0 && (e = readdir(dir)))
		if (parse_u64(e->d_name, &pid) == 0 && pid <= INT32_MAX &&
		    is_selected(s, (uint32_t)pid, true))
			r = add_pid(s, (uint32_t)pid);
	closedir(dir);
	return r;
}

int session_add_targets(struct session *s, struct error *error)
{
	struct session_options *o = &s->options;
	int selected = select_running(s, error);

	if (selected < 0)
		return selected;
	for (size_t i = 0; i < o->n_pids; i++) {
		uint32_t pid = o->pids[i];
		char path[64];
		int r;

		snprintf(path, sizeof(path), "/proc/%u", pid);
		if (access(path, F_OK) < 0 && o->pids_found) {
			/* It has ended since it was selected. */
			o->pids[i--] = o->pids[--o->n_pids];
			continue;
		}
		if (access(path, F_OK) < 0) {
			error_set(error, ESRCH, "NoSuchProcess", "no process has PID %u", pid);
			error_fix(
				error,
				"find it with pgrep NAME, or use -- COMMAND to start the program");
			return -ESRCH;
		}
		r = kernel_side_add_target(s->context->kernel, s->slot, pid);
		if (r < 0)
			return error_set(error, -r, "TooMany", "cannot follow PID %u: %s", pid,
					 strerror(-r));
		/* Its names and mappings are read while it is there for certain. */
		(void)processes_find_mapped(s->context->processes, pid);
	}
	s->live_pids = o->n_pids;
	return 0;
}

static void describe_selection(struct strbuf *b, const struct session_options *o)
{
	strbuf_puts(b, "processes");
	if (o->comm)
		strbuf_printf(b, " named %s", o->comm);
	if (o->has_uid)
		strbuf_printf(b, " of user %u", o->uid);
	if (o->cgroup)
		strbuf_printf(b, " of control group %s", o->cgroup);
	if (o->container)
		strbuf_printf(b, " in container %s", o->container);
}

char *session_describe_targets(const struct session_options *o)
{
	_cleanup_(strbuf_release) struct strbuf b = {0};

	if (o->n_files > 0)
		strbuf_printf(&b, "command %s", o->files[0]);
	else if (session_selects(o))
		describe_selection(&b, o);
	else if (o->n_pids > 0)
		strbuf_puts(&b, "pid");
	else
		strbuf_puts(&b, "all");
	for (size_t i = 0; i < o->n_pids && o->n_files == 0 && !session_selects(o); i++)
		strbuf_printf(&b, "%s%u", i ? "," : " ", o->pids[i]);
	return strbuf_error(&b) ? NULL : TAKE_PTR(b.data);
}

bool session_has_pid(const struct session *s, uint32_t pid)
{
	for (size_t i = 0; i < s->options.n_pids; i++)
		if (s->options.pids[i] == pid)
			return true;
	return false;
}

/* A process that has become one of the session's while it runs. */
static void add_live(struct session *s, uint32_t pid)
{
	struct error error = {0};

	if (add_pid(s, pid) < 0)
		return;
	s->live_pids++;
	if (s->attachment && s->follows_forks &&
	    attachment_add_pid(s->attachment, (pid_t)pid, &error) < 0)
		log_info("session %s: process %u is not probed: %s", s->name, pid, error.message);
}

void session_forked(struct session *s, uint32_t parent, uint32_t child)
{
	if (s->active && session_has_pid(s, parent) && !session_has_pid(s, child))
		add_live(s, child);
}

void session_execed(struct session *s, uint32_t pid)
{
	if (!s->active || !s->selects_by_name || session_has_pid(s, pid) ||
	    !is_selected(s, pid, false))
		return;
	if (kernel_side_add_target(s->context->kernel, s->slot, pid) == 0)
		add_live(s, pid);
}

bool session_exited(struct session *s, uint32_t pid)
{
	struct session_options *o = &s->options;

	for (size_t i = 0; i < o->n_pids; i++) {
		if (o->pids[i] != pid)
			continue;
		if (s->writer && !s->replay && (s->recorded || recorded_new(s, &s->recorded) >= 0))
			recorded_exited(s->recorded, model_process_find(s->context->model, pid));
		if (s->attachment && s->follows_forks)
			attachment_drop_pid(s->attachment, (pid_t)pid);
		if (s->program && pid == s->first_target)
			span_program_set_first_target(s->program, 0);
		s->live_pids--;
		/* The list is also what the session was asked for: only its last one stays. */
		if (o->n_pids > 1)
			o->pids[i] = o->pids[--o->n_pids];
		return s->live_pids == 0 && !s->selects_by_name;
	}
	return false;
}
