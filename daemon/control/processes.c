/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/processes.h"
#include "control/mapped_files.h"
#include "control/proc.h"
#include "control/unclaimed.h"

#include <limits.h>
#include <sys/stat.h>
#include "sonde/base/format.h"
#include "sonde/base/log.h"
#include "sonde/base/table.h"

enum { MAX_THREAD_NAMES = 65536 };

struct processes {
	struct model *model;
	struct mapped_files files;
	struct table threads; /* (pid, tid) → string id */
	struct unclaimed unclaimed;
	bool track_all;
	bool recorded; /* of another time, or another machine: /proc says nothing of them */
	uint32_t last_pid, last_process; /* most records come from the process of the one before */
};

/*
 * /proc gives a process's start in ticks of 10 ms, the kernel side in nanoseconds: both are cut
 * to ticks so that they name the same process.
 */
static uint64_t start_tick(uint64_t start_ns)
{
	uint64_t tick = NSEC_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK);

	return start_ns / tick * tick;
}

int processes_new(struct model *model, struct symbolizer *symbolizer, struct processes **ret)
{
	struct processes *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->model = model;
	p->files = (struct mapped_files){.model = model, .symbolizer = symbolizer};
	*ret = p;
	return 0;
}

struct processes *processes_free(struct processes *p)
{
	if (!p)
		return NULL;
	mapped_files_release(&p->files);
	table_release(&p->threads);
	unclaimed_release(&p->unclaimed);
	free(p);
	return NULL;
}

void processes_track_all(struct processes *p, bool all)
{
	p->track_all = all;
}

static bool is_noted(const struct processes *p, uint32_t pid)
{
	return p->track_all || model_process_find(p->model, pid) != 0;
}

struct claim {
	struct processes *processes;
	uint64_t since_ns; /* what is older is of another process that had the number */
};

static void on_unclaimed(void *arg, const struct record_header *record)
{
	const struct record_image *image = (const struct record_image *)record;
	const struct record_mmap *map = (const struct record_mmap *)record;
	const struct claim *c = arg;

	if (record->kind == RECORD_IMAGE && image->time_ns >= c->since_ns)
		processes_image(c->processes, image);
	else if (record->kind == RECORD_MMAP && map->time_ns >= c->since_ns)
		processes_mmap(c->processes, map);
}

void processes_fork(struct processes *p, const struct record_fork *r)
{
	struct claim claim = {p, r->time_ns};
	uint32_t parent, comm, child;
	struct model_process *c, *from;

	/* A number that is given again must not stay the earlier process's. */
	if (!p->track_all && !(r->h.flags & FORK_FOLLOWED) && !model_process_find(p->model, r->pid))
		return;
	parent = processes_find(p, r->parent_pid);
	comm = model_stringn(p->model, r->comm, strnlen(r->comm, RECORD_COMM_LEN));
	child = model_process(p->model, r->pid, start_tick(r->start_ns));
	c = model_process_get(p->model, child);
	p->last_pid = 0;
	if (!c)
		return;
	c->ppid = r->parent_pid;
	c->uid = r->uid;
	c->comm = comm;
	from = model_process_get(p->model, parent);
	if (!from)
		return;
	c->exe = from->exe;
	c->cmdline = from->cmdline;
	/* By fork it is where its parent was, but for its number in the parent's PID namespace. */
	c->cgroup = from->cgroup;
	c->container = from->container;
	if (from->ns_pid)
		proc_read_ns_pid(p->model, child, r->pid);
	/* A parent whose mappings are not known tells nothing: the child's are read when needed. */
	if (from->flags & PROCESS_MAPPED && model_process_inherit(p->model, child, parent) == 0)
		model_process_get(p->model, child)->flags |= PROCESS_MAPPED;
	unclaimed_take(&p->unclaimed, r->pid, on_unclaimed, &claim);
}

void processes_exec(struct processes *p, const struct record_exec *r)
{
	uint32_t id, comm, filename, *thread;
	struct model_process *process;

	if (!is_noted(p, r->pid))
		return;
	id = model_process(p->model, r->pid, start_tick(r->start_ns));
	comm = model_stringn(p->model, r->comm, strnlen(r->comm, RECORD_COMM_LEN));
	filename = model_string(p->model, r->filename);
	process = model_process_get(p->model, id);
	p->last_pid = 0;
	if (!process)
		return;
	process->comm = comm;
	process->uid = r->uid;
	process->exe = filename;
	process->cmdline = 0;
	thread = table_get(&p->threads, (uint64_t)r->pid << 32 | r->pid);
	if (thread)
		*thread = comm;
	proc_read_names(p->model, id, r->pid);
}

void processes_exit(struct processes *p, const struct record_exit *r)
{
	uint32_t id = model_process_find(p->model, r->pid);
	struct model_process *process = model_process_get(p->model, id);

	p->last_pid = 0;
	if (!process)
		return;
	process->flags |= PROCESS_EXITED;
	process->exit_status = r->status;
	process->exit_ns = r->time_ns;
	/* Its samples were made frames as they came in. */
	model_process_forget_mappings(p->model, id);
}

void processes_image(struct processes *p, const struct record_image *r)
{
	struct model_process *process;
	uint32_t id;

	if (!is_noted(p, r->pid)) {
		unclaimed_keep(&p->unclaimed, r->pid, &r->h, sizeof(*r));
		return;
	}
	id = processes_find(p, r->pid);
	process = model_process_get(p->model, id);
	if (!process)
		return;
	model_process_exec(p->model, id, r->time_ns);
	/* From here on every mapping is reported: nothing needs to be read from /proc. */
	process->flags |= PROCESS_MAPPED;
}

void processes_mmap(struct processes *p, const struct record_mmap *r)
{
	struct model_mapping map = {.start = r->address,
				    .end = r->address + r->length,
				    .offset = r->file_offset,
				    .since_ns = r->time_ns};
	struct mapped mapped = {r->address, r->address + r->length, r->inode};
	struct model_process *process;
	char path[PATH_MAX];
	uint32_t id;

	if (!is_noted(p, r->pid)) {
		unclaimed_keep(&p->unclaimed, r->pid, &r->h, sizeof(*r) + r->path_len);
		return;
	}
	id = processes_find(p, r->pid);
	process = model_process_get(p->model, id);
	/* Of a process whose mappings were never asked for, all are read when they are. */
	if (!process || (!(process->flags & PROCESS_MAPPED) && process->exec_ns == 0))
		return;
	memcpy(path, r->path, r->path_len);
	path[r->path_len] = 0;
	map.file = mapped_files_find(&p->files, r->pid, path, &mapped);
	if (map.file)
		(void)model_process_map(p->model, id, &map);
}

static uint32_t read_process(struct processes *p, uint32_t pid)
{
	uint64_t start_ns = 0;
	uint32_t ppid = 0, id, comm;
	struct model_process *process;
	struct stat st;
	char path[64];

	/* Gone already: what is known of it, if anything, stays as it is. */
	if (proc_read_stat(pid, &start_ns, &ppid) < 0)
		return model_process(p->model, pid, 0);
	snprintf(path, sizeof(path), "/proc/%u/comm", pid);
	comm = proc_read_comm(p->model, path);
	id = model_process(p->model, pid, start_ns);
	process = model_process_get(p->model, id);
	if (!process)
		return 0;
	process->comm = comm;
	process->ppid = ppid;
	snprintf(path, sizeof(path), "/proc/%u", pid);
	if (stat(path, &st) == 0)
		process->uid = st.st_uid;
	proc_read_names(p->model, id, pid);
	return id;
}

uint32_t processes_find(struct processes *p, uint32_t pid)
{
	uint32_t id;

	if (pid == p->last_pid && (pid != 0 || p->recorded))
		return p->last_process;
	if (p->recorded)
		return 0;
	id = model_process_find(p->model, pid);
	/* A number that was given to another process, whose fork has not been read yet. */
	if (!id || model_process_get(p->model, id)->flags & PROCESS_EXITED)
		id = read_process(p, pid);
	p->last_pid = id ? pid : 0;
	p->last_process = id;
	return id;
}

void processes_expect(struct processes *p, uint32_t pid, uint32_t process)
{
	p->recorded = true;
	p->last_pid = pid;
	p->last_process = process;
}

uint32_t processes_find_placed(struct processes *p, uint32_t pid)
{
	uint32_t id = processes_find(p, pid);

	if (id)
		proc_read_cgroup(p->model, id, pid);
	return id;
}

static void read_maps(struct processes *p, uint32_t id, uint32_t pid)
{
	_cleanup_(fclosep) FILE *f = NULL;
	_cleanup_(freep) char *line = NULL;
	uint64_t now = now_monotonic_ns();
	size_t cap = 0;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%u/maps", pid);
	f = fopen(path, "re");
	if (!f)
		return;
	while (getline(&line, &cap, f) > 0) {
		struct model_mapping map = {.since_ns = now};
		unsigned long long start, end, offset, inode;
		struct mapped mapped;
		char *deleted, perms[8];
		int at = 0;

		if (sscanf(line, "%llx-%llx %7s %llx %*s %llu %n", &start, &end, perms, &offset,
			   &inode, &at) < 5 ||
		    at == 0 || perms[2] != 'x')
			continue;
		line[strcspn(line, "\n")] = 0;
		deleted = strstr(line + at, " (deleted)");
		if (deleted)
			*deleted = 0;
		map.start = start;
		map.end = end;
		map.offset = offset;
		mapped = (struct mapped){start, end, inode};
		map.file =
			mapped_files_find(&p->files, pid, line[at] ? line + at : "//anon", &mapped);
		if (map.file)
			(void)model_process_map(p->model, id, &map);
	}
}

uint32_t processes_find_mapped(struct processes *p, uint32_t pid)
{
	uint32_t id = processes_find(p, pid);
	struct model_process *process = model_process_get(p->model, id);

	if (process && !(process->flags & PROCESS_MAPPED)) {
		/* Set first: mappings reported from now on are newer than what is read. */
		process->flags |= PROCESS_MAPPED;
		read_maps(p, id, pid);
	}
	return id;
}

char *processes_name_frame_as(struct symbolizer *symbolizer, const struct model_file *file,
			      const char *path, uint64_t offset, enum demangle_style style)
{
	char name[4096];
	size_t size = processes_name_max(style) + 1;
	uint64_t at;
	int r;

	/* Memory that looks like a path: the file of that name, if there is one, is another. */
	if (file->flags & FILE_SPECIAL && path[0] == '/')
		return NULL;
	if (file->flags & FILE_KERNEL)
		r = symbolizer_resolve_kernel(symbolizer, offset, name, size, &at);
	else
		r = symbolizer_resolve(symbolizer, file->build_id, path, offset, style, name, size,
				       &at);
	return r < 0 ? NULL : strdup(name);
}

char *processes_name_frame(void *arg, const struct model_file *file, const char *path,
			   uint64_t offset)
{
	return processes_name_frame_as(arg, file, path, offset, DEMANGLE_SHORT);
}

uint32_t processes_anyone(struct processes *p)
{
	uint32_t comm = model_string(p->model, "(all)");
	uint32_t id = model_process(p->model, 0, 1);
	struct model_process *process = model_process_get(p->model, id);

	if (process)
		process->comm = comm;
	return id;
}

uint32_t processes_thread_name(struct processes *p, uint32_t pid, uint32_t tid)
{
	struct model_process *process;
	uint32_t *name, id;
	char path[64];
	bool is_new;

	if (p->recorded)
		return 0;
	/* Threads come and go for ever: start anew rather than grow. */
	if (p->threads.len > MAX_THREAD_NAMES)
		table_clear(&p->threads);
	name = table_put(&p->threads, (uint64_t)pid << 32 | tid, &is_new);
	if (!name)
		return 0;
	if (!is_new)
		return *name;
	id = processes_find(p, pid);
	process = model_process_get(p->model, id);
	if (process)
		*name = process->comm;
	snprintf(path, sizeof(path), "/proc/%u/task/%u/comm", pid, tid);
	id = proc_read_comm(p->model, path);
	if (id)
		*name = id;
	return *name;
}
