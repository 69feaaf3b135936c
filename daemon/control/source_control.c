/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/source_control.h"

#include <dirent.h>
#include <fcntl.h>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

#include "control/session_source.h"
#include "control/source_wishes.h"
#include "sonde/base/format.h"
#include "sonde/base/log.h"

enum { MAPS_MAX = 64 << 20 };

/* A control that has been written. */
struct written {
	uint32_t pid;
	uint64_t address;
	ino_t ino; /* of the file that is mapped there */
	struct source_wishes wishes;
	bool seen; /* by the update at hand */
};

struct source_control {
	struct written *items;
	size_t n, cap;
	uint32_t generation; /* of the last write: never one that any program has seen before */
};

int source_control_new(struct source_control **ret)
{
	*ret = calloc(1, sizeof(**ret));
	if (!*ret)
		return -ENOMEM;
	/* Daemons come and go while programs run: the next one goes on above. */
	(*ret)->generation = (uint32_t)(now_epoch_us() / (NSEC_PER_SEC / 1000)) << 4;
	return 0;
}

struct source_control *source_control_free(struct source_control *c)
{
	if (c)
		free(c->items);
	free(c);
	return NULL;
}

struct sonde_anchor source_control_clock(void)
{
	struct sonde_anchor a = {};

#if defined(__x86_64__)
	a.ticks = __rdtsc();
#elif defined(__aarch64__)
	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(a.ticks));
#endif
	a.ns = now_monotonic_ns();
	return a;
}

/* A line of /proc/PID/maps that shows a file. */
struct mapping {
	uint64_t start, end, offset;
	ino_t ino;
	bool writable;
};

static bool parse_mapping(const char *line, struct mapping *ret)
{
	unsigned long long start, end, offset, ino;
	char perms[5];
	int n;

	n = sscanf(line, "%llx-%llx %4s %llx %*x:%*x %llu", &start, &end, perms, &offset, &ino);
	if (n != 5 || !ino)
		return false;
	*ret = (struct mapping){.start = start,
				.end = end,
				.offset = offset,
				.ino = ino,
				.writable = perms[1] == 'w'};
	return true;
}

/* The next one of what read_maps() has; *at moves behind it. */
static bool next_mapping(char **at, struct mapping *ret)
{
	char *line;

	while ((line = strsep(at, "\n")))
		if (parse_mapping(line, ret))
			return true;
	return false;
}

static char *read_maps(uint32_t pid)
{
	char path[64], *maps = NULL;

	snprintf(path, sizeof(path), "/proc/%u/maps", pid);
	return read_file(path, MAPS_MAX, &maps, NULL) < 0 ? NULL : maps;
}

/* The address of the control of that point's file, where the mapping has it; else 0. File systems
 * that lie over others say another device, so the inode alone must do then. */
static uint64_t control_in(const struct probe_set *set, const struct probe_point *p,
			   const struct mapping *m)
{
	if (p->role != ROLE_SOURCE || !p->control || !m->writable ||
	    set->files[p->file].ino != m->ino || p->control < m->offset ||
	    p->control - m->offset >= m->end - m->start)
		return 0;
	return m->start + (p->control - m->offset);
}

const char *source_control_file(const struct probe_set *set, uint32_t pid, uint64_t control)
{
	_cleanup_(freep) char *maps = NULL;
	const char *only = NULL;
	bool several = false;
	struct mapping m;

	for (size_t i = 0; i < set->n; i++) {
		const char *path = set->files[set->points[i].file].path;

		if (set->points[i].role != ROLE_SOURCE)
			continue;
		several |= only && only != path;
		only = only ? only : path;
	}
	maps = several ? read_maps(pid) : NULL;
	for (char *at = maps; next_mapping(&at, &m);)
		for (size_t i = 0; i < set->n; i++)
			if (control_in(set, &set->points[i], &m) == control)
				return set->files[set->points[i].file].path;
	return only;
}

static bool write_at(int fd, uint64_t address, const void *data, size_t len)
{
	return pwrite(fd, data, len, (off_t)address) == (ssize_t)len;
}

/* Whether the file is mapped there, for writing. */
static bool is_mapped(const struct written *at)
{
	_cleanup_(freep) char *maps = read_maps(at->pid);
	struct mapping m;

	for (char *next = maps; next_mapping(&next, &m);)
		if (m.writable && m.ino == at->ino && at->address >= m.start && at->address < m.end)
			return true;
	return false;
}

/*
 * generation 0: nobody asks any more. False: it is no control, or the process is gone. A process
 * may run another program by now, or be another one, that its number was given to: the memory is
 * opened first, and stays that of one program, whatever is found mapped then.
 */
static bool write_control(const struct written *at, const struct source_wishes *w,
			  uint32_t generation)
{
	const uint64_t address = at->address;
	struct sonde_control control;
	_cleanup_(closep) int fd = -EBADF;
	const size_t from = offsetof(struct sonde_control, flush_ms);
	char path[64];

	snprintf(path, sizeof(path), "/proc/%u/mem", at->pid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 || !is_mapped(at) ||
	    pread(fd, &control, sizeof(control), (off_t)address) != (ssize_t)sizeof(control) ||
	    control.version != SONDE_CONTROL_VERSION || control.size != sizeof(control))
		return false;
	control.threshold_ns = w->threshold_ns;
	control.flush_ms = 0;
	control.n_bytes = w->n_bytes;
	memcpy(control.rules, w->rules, sizeof(control.rules));
	return write_at(fd, address + offsetof(struct sonde_control, threshold_ns),
			&control.threshold_ns, sizeof(control.threshold_ns)) &&
	       write_at(fd, address + from, (const char *)&control + from,
			sizeof(control) - from) &&
	       write_at(fd, address + offsetof(struct sonde_control, generation), &generation,
			sizeof(generation));
}

static struct written *find_written(struct source_control *c, uint32_t pid, uint64_t address)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->items[i].pid == pid && c->items[i].address == address)
			return &c->items[i];
	if (array_reserve(&c->items, &c->cap, c->n + 1, sizeof(*c->items)) < 0)
		return NULL;
	c->items[c->n] = (struct written){.pid = pid, .address = address};
	return &c->items[c->n++];
}

static void tell(struct source_control *c, uint32_t pid, uint64_t address, ino_t ino,
		 const struct source_wishes *w, bool anew)
{
	struct written *have = find_written(c, pid, address);

	if (!have)
		return;
	have->seen = true;
	have->ino = ino;
	if (!anew && have->wishes.n_sessions > 0 && have->wishes.threshold_ns == w->threshold_ns &&
	    have->wishes.n_bytes == w->n_bytes &&
	    memcmp(have->wishes.rules, w->rules, w->n_bytes) == 0)
		return;
	c->generation += c->generation == UINT32_MAX ? 2 : 1;
	if (write_control(have, w, c->generation))
		have->wishes = *w;
	else
		log_debug("the control of process %u at 0x%llx cannot be written", pid,
			  (unsigned long long)address);
}

bool source_control_is_about(const struct session *s, uint32_t pid)
{
	if (!s->sources || !s->active)
		return false;
	return (s->options.n_pids == 0 && !session_selects(&s->options)) || session_has_pid(s, pid);
}

/* What the sessions ask of the objects that a mapping has. */
static void tell_mapping(struct source_control *c, const struct session *sessions, uint32_t pid,
			 const struct mapping *m, const struct session *asking)
{
	uint64_t address = 0;
	struct source_wishes w = {};
	bool anew = false;

	for (const struct session *s = sessions; s; s = s->next) {
		uint64_t own = 0;

		if (!source_control_is_about(s, pid))
			continue;
		for (size_t i = 0; i < s->probes->n && !own; i++)
			own = control_in(s->probes, &s->probes->points[i], m);
		if (!own)
			continue;
		address = own;
		anew |= s == asking;
		source_wishes_add(&w, s);
	}
	if (!address)
		return;
	source_wishes_finish(&w);
	tell(c, pid, address, m->ino, &w, anew);
}

static void update(struct source_control *c, const struct session *sessions, uint32_t pid,
		   const struct session *asking)
{
	_cleanup_(freep) char *maps = read_maps(pid);
	struct mapping m;

	for (char *at = maps; next_mapping(&at, &m);)
		if (m.writable)
			tell_mapping(c, sessions, pid, &m, asking);
}

void source_control_update_process(struct source_control *c, const struct session *sessions,
				   uint32_t pid)
{
	update(c, sessions, pid, NULL);
}

static void update_everybody(struct source_control *c, const struct session *sessions,
			     const struct session *asking)
{
	DIR *dir = opendir("/proc");
	struct dirent *e;
	uint64_t pid;

	if (!dir)
		return;
	while ((e = readdir(dir)))
		if (parse_u64(e->d_name, &pid) == 0 && pid <= INT32_MAX)
			update(c, sessions, (uint32_t)pid, asking);
	closedir(dir);
}

/* What nobody asks any more is put back. */
static void put_back(struct source_control *c)
{
	const struct source_wishes none = {};
	size_t kept = 0;

	for (size_t i = 0; i < c->n; i++) {
		if (c->items[i].seen)
			c->items[kept++] = c->items[i];
		else
			(void)write_control(&c->items[i], &none, 0);
	}
	c->n = kept;
}

void source_control_update(struct source_control *c, const struct session *sessions,
			   const struct session *asking)
{
	bool everybody = false;

	for (size_t i = 0; i < c->n; i++)
		c->items[i].seen = false;
	for (const struct session *s = sessions; s; s = s->next)
		everybody |= s->sources && s->active && s->options.n_pids == 0 &&
			     !session_selects(&s->options);
	if (everybody) {
		update_everybody(c, sessions, asking);
	} else {
		for (const struct session *s = sessions; s; s = s->next)
			for (size_t i = 0; s->sources && s->active && i < s->options.n_pids; i++)
				update(c, sessions, s->options.pids[i], asking);
	}
	put_back(c);
}

void source_control_forget(struct source_control *c, uint32_t pid)
{
	size_t kept = 0;

	for (size_t i = 0; i < c->n; i++) {
		if (c->items[i].pid == pid)
			continue;
		if (kept != i)
			c->items[kept] = c->items[i];
		kept++;
	}
	c->n = kept;
}
