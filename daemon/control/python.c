/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/python.h"

#include "control/python_codes.h"
#include "control/python_probe.h"
#include "control/python_stack.h"
#include "sonde/base/format.h"
#include "sonde/base/log.h"
#include "sonde/base/table.h"

/* A program that has just begun has no interpreter yet; one that is no Python never will. */
enum { MAX_PLACES = 4 };
#define FIRST_WAIT_NS	(5 * NSEC_PER_MSEC)
#define LONGEST_WAIT_NS (10 * NSEC_PER_SEC)

struct target {
	uint32_t process, pid; /* process 0: the place is free */
	uint32_t program;      /* 0: not in the kernel */
	struct python_place places[MAX_PLACES];
	size_t n_places, place; /* the one that works */
	uint64_t retry_ns, wait_ns;
	struct python_codes *codes;
};

struct python {
	struct kernel_side *kernel;
	struct model *model;
	struct target *targets;
	size_t len, cap;
	struct table by_process, by_program; /* → index + 1 */
	uint32_t programs;
	struct python_stats stats;
	struct error failure;
};

int python_new(struct kernel_side *kernel, struct python **ret)
{
	struct python *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->kernel = kernel;
	*ret = p;
	return 0;
}

static void release(struct python *p, struct target *t)
{
	if (t->program) {
		kernel_side_remove_python(p->kernel, t->pid);
		p->stats.processes--;
	}
	python_codes_free(t->codes);
	memset(t, 0, sizeof(*t));
}

struct python *python_free(struct python *p)
{
	if (!p)
		return NULL;
	python_set_model(p, NULL);
	free(p->targets);
	table_release(&p->by_process);
	table_release(&p->by_program);
	free(p);
	return NULL;
}

void python_set_model(struct python *p, struct model *model)
{
	for (size_t i = 0; i < p->len; i++)
		release(p, &p->targets[i]);
	p->len = 0;
	table_clear(&p->by_process);
	table_clear(&p->by_program);
	p->model = model;
}

static struct target *find(const struct python *p, const struct table *by, uint32_t key)
{
	const uint32_t *at = table_get(by, key);

	return at && *at ? &p->targets[*at - 1] : NULL;
}

static struct target *add_target(struct python *p, uint32_t process, uint32_t pid)
{
	struct target *t = NULL;
	uint32_t *slot;

	for (size_t i = 0; i < p->len && !t; i++)
		if (p->targets[i].process == 0)
			t = &p->targets[i];
	if (!t) {
		if (array_reserve(&p->targets, &p->cap, p->len + 1, sizeof(*t)) < 0)
			return NULL;
		t = &p->targets[p->len++];
		memset(t, 0, sizeof(*t));
	}
	slot = table_put(&p->by_process, process, NULL);
	if (!slot)
		return NULL;
	*slot = (uint32_t)(t - p->targets) + 1;
	t->process = process;
	t->pid = pid;
	t->wait_ns = FIRST_WAIT_NS;
	return t;
}

/* Puts a process that was found to be as expected into the kernel. */
static int place(struct python *p, struct target *t, struct python_process *process)
{
	uint32_t *slot;
	int r;

	t->codes = python_codes_new(p->model);
	slot = table_put(&p->by_program, p->programs + 1, NULL);
	if (!t->codes || !slot)
		return -ENOMEM;
	*slot = (uint32_t)(t - p->targets) + 1;
	process->program = ++p->programs;
	r = kernel_side_set_python(p->kernel, t->pid, process);
	if (r < 0) {
		t->codes = python_codes_free(t->codes);
		return r;
	}
	t->program = process->program;
	p->stats.processes++;
	log_debug("process %u: Python frames are read", t->pid);
	return 0;
}

static void try_to_place(struct python *p, struct target *t)
{
	struct python_process process;
	struct error error = {};
	int r = -EAGAIN;

	for (size_t i = 0; i < t->n_places && r < 0; i++) {
		t->place = i;
		r = python_probe(t->pid, &t->places[i].file, t->places[i].bias, &error, &process);
	}
	if (r >= 0)
		r = place(p, t, &process);
	if (r >= 0) {
		if (p->stats.failed_pid == t->pid)
			p->stats.failed_pid = 0;
		return;
	}
	t->retry_ns = now_monotonic_ns() + t->wait_ns;
	t->wait_ns = MIN(t->wait_ns * 2, LONGEST_WAIT_NS);
	if (r == -ENOTSUP || r == -EBADMSG)
		t->wait_ns = LONGEST_WAIT_NS;
	/* At first it is most likely too early, which is no failure. */
	if (t->wait_ns < NSEC_PER_SEC)
		return;
	p->failure = error;
	p->stats.failed_pid = t->pid;
	log_debug("process %u: no Python frames: %s", t->pid, error.message);
}

void python_found(struct python *p, uint32_t process, uint32_t pid,
		  const struct python_place *found)
{
	struct target *t = find(p, &p->by_process, process);

	if (!t)
		t = add_target(p, process, pid);
	if (!t || t->program)
		return;
	for (size_t i = 0; i < t->n_places; i++)
		if (t->places[i].model_file == found->model_file)
			return;
	if (t->n_places == MAX_PLACES)
		return;
	t->places[t->n_places++] = *found;
	try_to_place(p, t);
}

void python_wanted(struct python *p, uint32_t process)
{
	struct target *t = find(p, &p->by_process, process);

	if (t && !t->program && t->n_places && now_monotonic_ns() >= t->retry_ns)
		try_to_place(p, t);
}

void python_gone(struct python *p, uint32_t process)
{
	struct target *t = find(p, &p->by_process, process);
	uint32_t *at;

	if (!t)
		return;
	at = table_get(&p->by_program, t->program);
	if (at)
		*at = 0;
	release(p, t);
	*table_get(&p->by_process, process) = 0;
}

void python_add_code(struct python *p, const struct record_python_code *r)
{
	struct target *t = find(p, &p->by_program, r->program);

	if (t && t->pid == r->pid)
		(void)python_codes_add(t->codes, r);
}

static bool evaluates(const struct python *p, const struct target *t, uint32_t frame)
{
	const struct model_frame *f = model_frame_peek(p->model, frame);
	const struct python_place *place = &t->places[t->place];

	return f && f->file == place->model_file && python_file_evaluates(&place->file, f->offset);
}

size_t python_interleave(struct python *p, const struct record_python *r, bool whole,
			 uint32_t *frames, size_t n)
{
	struct target *t = find(p, &p->by_program, r->program);
	struct native_stack native = {.frames = frames, .n = n, .whole = whole};
	uint32_t python[RECORD_MAX_PYTHON], merged[MERGED_MAX];
	bool evaluating[RECORD_MAX_STACK];
	size_t n_merged;

	if (!t || t->pid != r->pid || n > RECORD_MAX_STACK)
		return n;
	for (size_t i = 0; i < n; i++)
		evaluating[i] = evaluates(p, t, frames[i]);
	native.evaluates = evaluating;
	for (uint32_t i = 0; i < r->count; i++) {
		const struct record_python_frame *f = &r->frames[i];

		python[i] = f->flags & (PYTHON_BEGIN | PYTHON_SHIM)
				    ? 0
				    : python_codes_frame(t->codes, f->code, f->offset);
	}
	n_merged = python_stack_merge(&native, r, python, merged);
	p->stats.merged += n_merged > 0;
	p->stats.unfitting += n_merged == 0;
	if (n_merged == 0)
		return n;
	memcpy(frames, merged, n_merged * sizeof(*frames));
	return n_merged;
}

void python_stats(const struct python *p, struct python_stats *ret)
{
	*ret = p->stats;
	ret->failure = p->failure.message;
}
