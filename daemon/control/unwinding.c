/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/unwinding.h"

#include "sonde/base/format.h"
#include "sonde/base/log.h"

/* How long a process that had to go stays away: else two that do not fit would push each other out
 * for ever. */
#define AWAY_NS (60 * NSEC_PER_SEC)

struct target {
	uint32_t process, pid; /* process 0: the place is free */
	bool placed;	       /* its mappings are in the kernel */
	bool changed;	       /* they are not those the process has now */
	uint32_t *files;       /* whose tables it uses while it is placed */
	size_t n_files;
	uint64_t used_ns, away_until_ns;
};

struct unwinding {
	struct unwinder *unwinder;
	struct unwind_files *files;
	struct python *python;
	struct model *model;
	struct target *targets;
	size_t len, cap;
	uint32_t *by_process; /* process of the model → index + 1 */
	size_t by_process_len;
	bool changed; /* some target is */
	uint32_t placed;
};

static void displace(struct unwinding *u, struct target *t)
{
	if (!t->placed)
		return;
	unwinder_remove_process(u->unwinder, t->pid);
	for (size_t i = 0; i < t->n_files; i++)
		unwind_files_unuse(u->files, t->files[i]);
	t->n_files = 0;
	t->placed = false;
	u->placed--;
}

/* The placed process that has yielded no stack for longest has to go. */
static bool crowded(void *arg)
{
	struct unwinding *u = arg;
	struct target *oldest = NULL;

	for (size_t i = 0; i < u->len; i++)
		if (u->targets[i].placed && (!oldest || u->targets[i].used_ns < oldest->used_ns))
			oldest = &u->targets[i];
	if (!oldest)
		return false;
	log_debug("memory for unwind tables is short: process %u does without", oldest->pid);
	displace(u, oldest);
	oldest->away_until_ns = now_monotonic_ns() + AWAY_NS;
	return true;
}

static void settled(void *arg)
{
	struct unwinding *u = arg;

	/* Those that waited for it. */
	u->changed = true;
	unwinding_refresh(u);
}

int unwinding_new(sd_event *event, struct kernel_side *kernel, struct symbolizer *symbolizer,
		  uint64_t max_bytes, struct unwinding **ret)
{
	_cleanup_(unwinding_freep) struct unwinding *u = calloc(1, sizeof(*u));
	struct unwind_files_owner owner = {.settled = settled, .crowded = crowded, .arg = u};
	int r;

	if (!u)
		return -ENOMEM;
	r = unwinder_new(kernel, &u->unwinder);
	if (r < 0)
		return r;
	r = python_new(kernel, &u->python);
	if (r < 0)
		return r;
	r = unwind_files_new(event, u->unwinder, symbolizer, max_bytes, &owner, &u->files);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(u);
	return 0;
}

static void release_target(struct unwinding *u, struct target *t)
{
	displace(u, t);
	free(t->files);
	memset(t, 0, sizeof(*t));
}

void unwinding_set_model(struct unwinding *u, struct model *model)
{
	for (size_t i = 0; i < u->len; i++)
		release_target(u, &u->targets[i]);
	free(TAKE_PTR(u->by_process));
	u->by_process_len = 0;
	u->len = 0;
	u->changed = false;
	u->model = model;
	python_set_model(u->python, model);
}

struct unwinding *unwinding_free(struct unwinding *u)
{
	if (!u)
		return NULL;
	u->files = unwind_files_free(u->files);
	for (size_t i = 0; i < u->len; i++)
		free(u->targets[i].files);
	free(u->targets);
	free(u->by_process);
	python_free(u->python);
	unwinder_free(u->unwinder);
	free(u);
	return NULL;
}

static struct target *find_target(const struct unwinding *u, uint32_t process)
{
	uint32_t at = process < u->by_process_len ? u->by_process[process] : 0;

	return at ? &u->targets[at - 1] : NULL;
}

static struct target *free_place(struct unwinding *u)
{
	for (size_t i = 0; i < u->len; i++)
		if (u->targets[i].process == 0)
			return &u->targets[i];
	if (u->len == u->cap) {
		size_t cap = MAX(u->cap * 2, 16U);
		struct target *targets = reallocarray(u->targets, cap, sizeof(*targets));

		if (!targets)
			return NULL;
		u->targets = targets;
		u->cap = cap;
	}
	return memset(&u->targets[u->len++], 0, sizeof(*u->targets));
}

static struct target *add_target(struct unwinding *u, uint32_t process)
{
	const struct model_process *p = model_process_peek(u->model, process);
	struct target *t;

	if (!p || p->flags & PROCESS_EXITED)
		return NULL;
	if (process >= u->by_process_len) {
		size_t len = MAX(u->by_process_len * 2, (size_t)process + 64);
		uint32_t *grown = reallocarray(u->by_process, len, sizeof(*grown));

		if (!grown)
			return NULL;
		memset(grown + u->by_process_len, 0, (len - u->by_process_len) * sizeof(*grown));
		u->by_process = grown;
		u->by_process_len = len;
	}
	t = free_place(u);
	if (!t)
		return NULL;
	t->process = process;
	t->pid = p->pid;
	u->by_process[process] = (uint32_t)(t - u->targets) + 1;
	return t;
}

/* The mappings of a process whose files have tables; false: some are still being built. */
static bool collect_mappings(struct unwinding *u, const struct model_process *p,
			     struct unwind_mapping *mappings, uint32_t *files, size_t *ret_n)
{
	bool complete = true;
	size_t n = 0;

	for (size_t i = 0; i < p->n_mappings; i++) {
		const struct model_file *file = model_file_get(u->model, p->mappings[i].file);
		const char *path = file ? model_string_get(u->model, file->path) : "";
		uint32_t number;

		if (!file || (file->flags & FILE_SPECIAL && !streq(path, "[vdso]")))
			continue;
		number = unwind_files_want(u->files, file->build_id, path);
		if (unwind_files_state(u->files, number) == UNWIND_FILE_BUILDING)
			complete = false;
		else if (unwind_files_state(u->files, number) == UNWIND_FILE_READY &&
			 unwind_files_place(u->files, number, &p->mappings[i], &mappings[n]))
			files[n++] = number;
	}
	*ret_n = n;
	return complete;
}

static void place(struct unwinding *u, struct target *t, const struct unwind_mapping *mappings,
		  uint32_t *files, size_t n)
{
	struct target before = *t;

	if (unwinder_set_process(u->unwinder, t->pid, mappings, n) < 0) {
		displace(u, t);
		t->away_until_ns = now_monotonic_ns() + AWAY_NS;
		return;
	}
	/* Those that stay are in use all the time. */
	t->files = files;
	t->n_files = n;
	for (size_t i = 0; i < n; i++)
		unwind_files_use(u->files, files[i]);
	for (size_t i = 0; i < before.n_files; i++)
		unwind_files_unuse(u->files, before.files[i]);
	free(before.files);
	u->placed += !t->placed;
	t->placed = true;
}

/* Files of the process that have CPython in them. */
static void look_for_python(struct unwinding *u, const struct target *t,
			    const struct model_process *p)
{
	for (size_t i = 0; i < p->n_mappings; i++) {
		const struct model_file *file = model_file_get(u->model, p->mappings[i].file);
		struct python_place place = {.model_file = p->mappings[i].file};
		const struct python_file *python;

		if (!file || file->flags & FILE_SPECIAL)
			continue;
		python = unwind_files_python(
			u->files,
			unwind_files_want(u->files, file->build_id,
					  model_string_get(u->model, file->path)),
			&p->mappings[i], &place.bias);
		if (!python)
			continue;
		place.file = *python;
		python_found(u->python, t->process, t->pid, &place);
	}
}

static void refresh(struct unwinding *u, struct target *t)
{
	const struct model_process *p = model_process_peek(u->model, t->process);
	_cleanup_(freep) struct unwind_mapping *mappings = NULL;
	_cleanup_(freep) uint32_t *files = NULL;
	size_t n;

	if (!p || p->n_mappings == 0)
		return;
	mappings = calloc(p->n_mappings, sizeof(*mappings));
	files = calloc(p->n_mappings, sizeof(*files));
	if (!mappings || !files || !collect_mappings(u, p, mappings, files, &n))
		return;
	t->changed = false;
	look_for_python(u, t, p);
	if (n > 0)
		place(u, t, mappings, TAKE_PTR(files), n);
	else /* nothing to unwind by: not worth looking again at every stack */
		t->away_until_ns = now_monotonic_ns() + AWAY_NS;
}

void unwinding_refresh(struct unwinding *u)
{
	uint64_t now;

	if (!u->changed || !u->model)
		return;
	u->changed = false;
	now = now_monotonic_ns();
	for (size_t i = 0; i < u->len; i++) {
		struct target *t = &u->targets[i];

		if (t->process && t->changed && now >= t->away_until_ns)
			refresh(u, t);
	}
	unwind_files_build(u->files);
}

void unwinding_want(struct unwinding *u, uint32_t process)
{
	struct target *t = find_target(u, process);

	if (!t)
		t = add_target(u, process);
	if (!t)
		return;
	t->used_ns = now_monotonic_ns();
	python_wanted(u->python, process);
	if (!t->placed && t->used_ns >= t->away_until_ns)
		t->changed = u->changed = true;
}

void unwinding_mapped(struct unwinding *u, uint32_t process)
{
	struct target *t = find_target(u, process);

	if (t)
		t->changed = u->changed = true;
}

void unwinding_forked(struct unwinding *u, uint32_t parent, uint32_t child)
{
	if (find_target(u, parent))
		unwinding_want(u, child);
}

void unwinding_gone(struct unwinding *u, uint32_t process)
{
	struct target *t = find_target(u, process);

	python_gone(u->python, process);
	if (!t)
		return;
	release_target(u, t);
	u->by_process[process] = 0;
}

void unwinding_settle(struct unwinding *u)
{
	unwinding_refresh(u);
	unwind_files_settle(u->files);
}

struct python *unwinding_python(const struct unwinding *u)
{
	return u->python;
}

void unwinding_stats(const struct unwinding *u, struct unwinding_stats *ret)
{
	unwind_files_stats(u->files, &ret->files);
	ret->processes = u->placed;
}
