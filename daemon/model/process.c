/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "private.h"

enum {
	MAX_MAPPINGS = 65536, /* the kernel's own limit (vm.max_map_count) is about that */
	MAX_REUSE_WALK = 64,  /* how many earlier owners of a pid are looked at */
};

/*
 * /proc gives start times in clock ticks, rounded down; the kernel's records give nanoseconds. A
 * pid cannot come round within a tick, so two starts this close are one process.
 */
static const uint64_t START_TOLERANCE_NS = 10 * NSEC_PER_MSEC;

static struct process_slot *slot_get(const struct model *m, uint32_t id)
{
	return id && id <= m->n_processes ? &m->processes[id] : NULL;
}

void model_release_processes(struct model *m)
{
	for (uint32_t id = 1; id <= m->n_processes; id++)
		free(m->processes[id].process.mappings);
	free(m->processes);
	table_release(&m->live);
}

uint32_t model_process_find(const struct model *m, uint32_t pid)
{
	const uint32_t *slot = table_get(&m->live, pid);

	return slot ? *slot : 0;
}

uint32_t model_process_append(struct model *m, uint32_t pid, uint64_t start_ns)
{
	uint32_t *slot;

	if (MODEL_RESERVE(m, processes) < 0)
		return 0;
	slot = table_put(&m->live, pid, NULL);
	if (!slot)
		return 0;
	m->processes[++m->n_processes] = (struct process_slot){
		.process = {.pid = pid, .start_ns = start_ns},
		.older = *slot,
	};
	*slot = m->n_processes;
	return m->n_processes;
}

static bool same_start(uint64_t a, uint64_t b)
{
	return (a > b ? a - b : b - a) < START_TOLERANCE_NS;
}

uint32_t model_process(struct model *m, uint32_t pid, uint64_t start_ns)
{
	uint32_t id = model_process_find(m, pid);
	struct model_process *live = model_process_get(m, id);

	if (live && !start_ns)
		return id;
	if (live && !live->start_ns && !(live->flags & PROCESS_EXITED)) {
		live->start_ns = start_ns;
		return id;
	}
	for (int i = 0; id && i < MAX_REUSE_WALK; i++) {
		struct process_slot *s = &m->processes[id];

		if (s->process.start_ns && same_start(s->process.start_ns, start_ns)) {
			/* Ticks are rounded down: the later one is the exact one. */
			s->process.start_ns = MAX(s->process.start_ns, start_ns);
			return id;
		}
		id = s->older;
	}
	return model_process_append(m, pid, start_ns);
}

int model_set_host(struct model *m, const char *host, const char *boot)
{
	uint32_t host_id, boot_id;

	if (!host)
		return 0;
	host_id = model_string(m, host);
	boot_id = model_string(m, boot ? boot : "");
	if (!host_id || !boot_id)
		return -ENOMEM;
	m->host = host_id;
	m->boot = boot_id;
	return 0;
}

uint32_t model_process_host(const struct model *m, const struct model_process *p)
{
	return p->host ? p->host : m->host;
}

uint32_t model_process_boot(const struct model *m, const struct model_process *p)
{
	return p->boot ? p->boot : m->boot;
}

bool model_has_several_hosts(const struct model *m)
{
	bool several = false;

	for (uint32_t id = 2; id <= m->n_processes; id++)
		several |= model_process_host(m, &m->processes[id].process) !=
			   model_process_host(m, &m->processes[1].process);
	return several;
}

static bool is_same(const struct model *m, const struct model_process *a,
		    const struct model_process *b)
{
	return a->start_ns && same_start(a->start_ns, b->start_ns) &&
	       model_process_host(m, a) == model_process_host(m, b) &&
	       model_process_boot(m, a) == model_process_boot(m, b);
}

static uint64_t last_heard_of(const struct model_process *p)
{
	return MAX(p->exec_ns, p->exit_ns);
}

uint32_t model_process_same(struct model *m, const struct model_process *p)
{
	uint32_t id = model_process_find(m, p->pid);

	for (int i = 0; id && i < MAX_REUSE_WALK; i++, id = m->processes[id].older) {
		struct model_process *have = &m->processes[id].process;
		uint64_t start_ns = MAX(have->start_ns, p->start_ns);

		if (!is_same(m, p, have))
			continue;
		if (last_heard_of(p) > last_heard_of(have))
			*have = *p;
		have->start_ns = start_ns;
		return id;
	}
	id = model_process_append(m, p->pid, p->start_ns);
	if (id)
		m->processes[id].process = *p;
	return id;
}

struct model_process *model_process_get(struct model *m, uint32_t id)
{
	struct process_slot *s = slot_get(m, id);

	return s ? &s->process : NULL;
}

const struct model_process *model_process_peek(const struct model *m, uint32_t id)
{
	const struct process_slot *s = slot_get(m, id);

	return s ? &s->process : NULL;
}

/* The index of the first mapping that ends above the address. */
static size_t find_mapping(const struct model_process *p, uint64_t address)
{
	size_t low = 0, high = p->n_mappings;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (p->mappings[mid].end <= address)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Replaces `removed` mappings from index `at` on by `n` others. Room was reserved before. */
static void splice(struct model_process *p, size_t at, size_t removed,
		   const struct model_mapping *with, size_t n)
{
	memmove(&p->mappings[at + n], &p->mappings[at + removed],
		(p->n_mappings - at - removed) * sizeof(*p->mappings));
	memcpy(&p->mappings[at], with, n * sizeof(*with));
	p->n_mappings = p->n_mappings - removed + n;
}

/* As mmap() with MAP_FIXED: what the new mapping covers goes, what it touches is cut. */
static int put_mapping(struct model_process *p, const struct model_mapping *map)
{
	struct model_mapping pieces[3];
	size_t first = find_mapping(p, map->start), end = first, n = 0;

	if (array_reserve(&p->mappings, &p->mappings_cap, p->n_mappings + 2, sizeof(*p->mappings)) <
	    0)
		return -ENOMEM;
	while (end < p->n_mappings && p->mappings[end].start < map->end)
		end++;
	if (end == first && p->n_mappings >= MAX_MAPPINGS)
		return -ENOSPC;
	if (end > first && p->mappings[first].start < map->start) {
		pieces[n] = p->mappings[first];
		pieces[n++].end = map->start;
	}
	pieces[n++] = *map;
	if (end > first && p->mappings[end - 1].end > map->end) {
		pieces[n] = p->mappings[end - 1];
		pieces[n].offset += map->end - pieces[n].start;
		pieces[n++].start = map->end;
	}
	splice(p, first, end - first, pieces, n);
	return 0;
}

int model_process_map(struct model *m, uint32_t process, const struct model_mapping *map)
{
	struct model_process *p = model_process_get(m, process);

	if (!p || map->start >= map->end || map->file > m->n_files)
		return -EINVAL;
	if (map->since_ns < p->exec_ns)
		return 0;
	return put_mapping(p, map);
}

void model_process_exec(struct model *m, uint32_t process, uint64_t time_ns)
{
	struct model_process *p = model_process_get(m, process);
	size_t kept = 0;

	if (!p || time_ns < p->exec_ns)
		return;
	for (size_t i = 0; i < p->n_mappings; i++)
		if (p->mappings[i].since_ns >= time_ns)
			p->mappings[kept++] = p->mappings[i];
	p->n_mappings = kept;
	p->exec_ns = time_ns;
}

int model_process_inherit(struct model *m, uint32_t child, uint32_t parent)
{
	struct model_process *c = model_process_get(m, child), *p = model_process_get(m, parent);
	_cleanup_(freep) struct model_mapping *own = NULL;
	size_t n_own, cap = 0;
	int r;

	if (!c || !p || c == p)
		return -EINVAL;
	/* The child has run another program since: nothing of the parent is left in it. */
	if (c->exec_ns || !p->n_mappings)
		return 0;
	/* What is known of the child itself lies on top of what it began with. */
	n_own = c->n_mappings;
	r = array_reserve(&own, &cap, n_own, sizeof(*own));
	if (r >= 0)
		r = array_reserve(&c->mappings, &c->mappings_cap, p->n_mappings,
				  sizeof(*c->mappings));
	if (r < 0)
		return r;
	if (n_own)
		memcpy(own, c->mappings, n_own * sizeof(*own));
	memcpy(c->mappings, p->mappings, p->n_mappings * sizeof(*p->mappings));
	c->n_mappings = p->n_mappings;
	c->flags |= p->flags & PROCESS_MAPPED;
	for (size_t i = 0; i < n_own && r >= 0; i++)
		r = put_mapping(c, &own[i]);
	return r;
}

void model_process_forget_mappings(struct model *m, uint32_t process)
{
	struct model_process *p = model_process_get(m, process);

	if (!p)
		return;
	free(p->mappings);
	p->mappings = NULL;
	p->n_mappings = p->mappings_cap = 0;
	p->flags &= ~(uint32_t)PROCESS_MAPPED;
}

const struct model_mapping *model_mapping_at(const struct model *m, uint32_t process,
					     uint64_t address)
{
	const struct model_process *p = model_process_peek(m, process);
	size_t i = p ? find_mapping(p, address) : 0;

	return p && i < p->n_mappings && p->mappings[i].start <= address ? &p->mappings[i] : NULL;
}

uint32_t model_frame_at(struct model *m, uint32_t process, uint64_t address)
{
	const struct model_mapping *map = model_mapping_at(m, process, address);

	if (!map)
		return model_frame(m, 0, address);
	return model_frame(m, map->file, address - map->start + map->offset);
}
