/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/jit.h"

#include "sonde/base/format.h"
#include "sonde/base/log.h"
#include "sonde/base/table.h"
#include "symbol/jitdump.h"
#include "symbol/perf_map.h"

enum {
	MAX_PENDING = 65536, /* frames of a process that wait for a name */
	MAX_TARGETS = 4096,
	READ_STEP = 1 << 20, /* bytes of a file at a time */
	READ_LAST = 8 << 20, /* when the process is gone, at once */
	MAX_SAID = 100,	     /* refusals in the log */
	EAGER_LOOKS = 100,   /* for a map that is not there; then less often */
};

#define LOOK_NS	  (100 * NSEC_PER_MSEC)
#define SELDOM_NS NSEC_PER_SEC
#define WAIT_NS	  (10 * NSEC_PER_SEC)
/* All maps together take about this much; then what is new has no names. */
#define MAX_BYTES ((size_t)512 << 20)

struct pending {
	uint32_t frame;
	uint64_t address, time_ns, until_ns;
};

struct target {
	uint32_t process, pid;	/* process 0: the place is free */
	struct jit_owner owner; /* known when has_owner */
	bool has_owner;
	struct perf_map *map;
	struct jitdump *dump;
	bool map_refused, dump_refused;
	bool map_unreadable; /* for good: trying again may take seconds each time */
	uint32_t looks;	     /* in vain */
	uint64_t next_ns;    /* not read before */
	size_t bytes;
	struct pending *pending;
	size_t n_pending, pending_cap;
	struct table waited; /* frames that are or were pending → 1 */
};

struct jit {
	struct model *model;
	struct reader *reader; /* NULL: files are read in this process */
	struct target *targets;
	size_t len, cap;
	struct table by_process; /* process of the model → index + 1, or 0 */
	uint32_t file;		 /* "[jit]" */
	size_t bytes;		 /* of all maps */
	uint64_t next_ns;
	uint32_t said;
	uint32_t process; /* whose stack is looked at */
	uint64_t time_ns;
};

int jit_new(struct model *model, struct jit **ret)
{
	struct jit *j = calloc(1, sizeof(*j));

	if (!j)
		return -ENOMEM;
	j->model = model;
	*ret = j;
	return 0;
}

void jit_set_reader(struct jit *j, struct reader *reader)
{
	j->reader = reader;
}

static void release_target(struct jit *j, struct target *t)
{
	j->bytes -= t->bytes;
	if (t->has_owner)
		jit_owner_close(&t->owner);
	perf_map_free(t->map);
	jitdump_free(t->dump);
	free(t->pending);
	table_release(&t->waited);
	*t = (struct target){};
}

struct jit *jit_free(struct jit *j)
{
	if (!j)
		return NULL;
	for (size_t i = 0; i < j->len; i++)
		release_target(j, &j->targets[i]);
	free(j->targets);
	table_release(&j->by_process);
	free(j);
	return NULL;
}

/* Memory that is no file's and may hold code; the kernel's own pages are not of that kind. */
static bool is_anonymous(const struct jit *j, uint32_t file)
{
	static const char *const prefixes[] = {"//",	    "/memfd:", "[anon",	 "[heap]",
					       "/dev/zero", "/SYSV",   "[stack", "/anon_hugepage"};
	const struct model_file *f = model_file_get(j->model, file);
	const char *path;

	if (!f || !(f->flags & FILE_SPECIAL))
		return false;
	path = model_string_get(j->model, f->path);
	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (startswith(path, prefixes[i]))
			return true;
	return false;
}

static struct target *find_target(const struct jit *j, uint32_t process)
{
	const uint32_t *at = table_get(&j->by_process, process);

	return at && *at ? &j->targets[*at - 1] : NULL;
}

static struct target *add_target(struct jit *j, uint32_t process)
{
	const struct model_process *p = model_process_peek(j->model, process);
	uint32_t *slot;
	size_t i = 0;

	if (!p || p->flags & PROCESS_EXITED)
		return NULL;
	while (i < j->len && j->targets[i].process)
		i++;
	if (i == MAX_TARGETS || array_reserve(&j->targets, &j->cap, i + 1, sizeof(*j->targets)) < 0)
		return NULL;
	slot = table_put(&j->by_process, process, NULL);
	if (!slot)
		return NULL;
	j->len = MAX(j->len, i + 1);
	*slot = (uint32_t)i + 1;
	j->targets[i] = (struct target){.process = process, .pid = p->pid};
	return &j->targets[i];
}

static struct target *want_target(struct jit *j, uint32_t process)
{
	struct target *t = find_target(j, process);

	return t ? t : add_target(j, process);
}

/* Not for ever: processes that come and go could fill the log. */
static void say_refused(struct jit *j, const struct target *t, const char *what, const char *reason)
{
	if (j->said++ < MAX_SAID)
		log_info("the %s of process %u is not read: %s", what, t->pid, reason);
}

/* Again and again, as a process may change its user and its root; as long as it is there. */
static void know_owner(struct target *t)
{
	struct jit_owner owner;

	if (jit_owner_open(t->pid, &owner) < 0)
		return;
	if (t->has_owner)
		jit_owner_close(&t->owner);
	t->owner = owner;
	t->has_owner = true;
}

static void open_map(struct jit *j, struct target *t)
{
	const char *reason = NULL;
	int r;

	if (t->map_refused || (t->map && !perf_map_is_unlinked(t->map)))
		return;
	know_owner(t);
	if (!t->has_owner)
		return;
	if (t->map) {
		struct perf_map *other = NULL;

		if (perf_map_open(&t->owner, &other, &reason) < 0)
			return;
		perf_map_free(t->map);
		t->map = other;
		return;
	}
	r = perf_map_open(&t->owner, &t->map, &reason);
	/* What another process has left may be overwritten yet. */
	if (r < 0 && r != -ESTALE && reason) {
		t->map_refused = true;
		say_refused(j, t, "perf map", reason);
	}
}

static void open_dump(struct jit *j, struct target *t)
{
	const struct model_process *p = model_process_peek(j->model, t->process);
	const char *reason = NULL;

	for (size_t i = 0; p && t->has_owner && i < p->n_mappings && !t->dump && !t->dump_refused;
	     i++) {
		const struct model_file *f = model_file_get(j->model, p->mappings[i].file);

		if (!f || !jitdump_is_path(model_string_get(j->model, f->path)))
			continue;
		if (jitdump_open(&t->owner, p->mappings[i].start, p->mappings[i].end, &t->dump,
				 &reason) < 0 &&
		    reason) {
			t->dump_refused = true;
			say_refused(j, t, "jitdump", reason);
		}
	}
}

/*
 * Whether a file is not to be read again: it is no such file, or the reader failed at it, which may
 * take time. That the reader cannot be started, or memory, is no fault of the file.
 */
static bool is_hopeless(int r)
{
	return r == -EBADMSG || r == -EPIPE || r == -ETIMEDOUT || r == -EPROTO || r == -EUCLEAN;
}

static void read_map(struct jit *j, struct target *t, size_t max)
{
	struct error error = {};
	int r;

	if (j->bytes >= MAX_BYTES || !t->map || t->map_unreadable)
		return;
	r = perf_map_refresh(t->map, j->reader, max, &error);
	t->map_unreadable = is_hopeless(r);
	if (t->map_unreadable)
		say_refused(j, t, "perf map", error.message);
}

static void read_dump(struct jit *j, struct target *t, size_t max)
{
	struct error error = {};
	int r;

	if (j->bytes >= MAX_BYTES || !t->dump || t->dump_refused)
		return;
	r = jitdump_refresh(t->dump, j->reader, max, &error);
	t->dump_refused = is_hopeless(r);
	if (t->dump_refused)
		say_refused(j, t, "jitdump", error.message);
}

/* Reads what is new. True when there may be names that were not there before. */
static bool read_new(struct jit *j, struct target *t, size_t max)
{
	size_t before = t->bytes;

	read_map(j, t, max);
	read_dump(j, t, max);
	t->bytes = (t->map ? perf_map_bytes(t->map) : 0) + (t->dump ? jitdump_bytes(t->dump) : 0);
	j->bytes += t->bytes - before;
	return t->bytes != before;
}

/* recent: what the perf map says now can be right for that time. */
static const char *find_name(const struct target *t, uint64_t address, uint64_t time_ns,
			     bool recent)
{
	struct jitdump_place place;

	/* It knows of times. */
	if (t->dump && jitdump_find(t->dump, address, time_ns, &place))
		return place.name;
	return t->map && recent ? perf_map_find(t->map, address) : NULL;
}

static struct model_frame named_frame(struct jit *j, uint64_t address, const char *name)
{
	if (!j->file)
		j->file = model_file(j->model, NULL, "[jit]", FILE_SPECIAL);
	return (struct model_frame){
		.file = j->file, .function = model_string(j->model, name), .offset = address};
}

/*
 * Gives what waits the names there are by now; what has waited for long waits no more. A compiler
 * may hold a jitdump's records back for as long as it likes, but they say of what time they are.
 */
static void name_pending(struct jit *j, struct target *t, uint64_t now)
{
	size_t kept = 0;

	for (size_t i = 0; i < t->n_pending; i++) {
		const struct pending *p = &t->pending[i];
		const char *name = find_name(t, p->address, p->time_ns, now < p->until_ns);

		if (name) {
			struct model_frame frame = named_frame(j, p->address, name);

			if (frame.file && frame.function)
				model_frame_become(j->model, p->frame, &frame);
		} else if (now < p->until_ns || t->dump) {
			t->pending[kept++] = *p;
		}
	}
	t->n_pending = kept;
}

static void look(struct jit *j, struct target *t, uint64_t now)
{
	bool is_new;

	if (now < t->next_ns)
		return;
	open_map(j, t);
	open_dump(j, t);
	t->looks += !t->map && !t->dump;
	t->next_ns = now + (t->looks > EAGER_LOOKS ? SELDOM_NS : LOOK_NS);
	is_new = read_new(j, t, READ_STEP);
	if (t->n_pending && (is_new || (!t->dump && t->pending[0].until_ns < now)))
		name_pending(j, t, now);
}

/*
 * Where names may come with times, what has none is another frame after a while, as it may get
 * another name: the less soon the more of them there are.
 */
static uint64_t spell_of(const struct target *t, uint64_t time_ns)
{
	if (!t->dump || t->n_pending >= MAX_PENDING)
		return 0;
	if (t->n_pending < MAX_PENDING / 4)
		return time_ns / (20 * NSEC_PER_MSEC);
	return time_ns / (t->n_pending < MAX_PENDING / 2 ? NSEC_PER_SEC / 5 : 2 * NSEC_PER_SEC);
}

/*
 * The frame of what has no name (yet). Its file is that memory of that one process (for a spell),
 * unlike the one of the mapping, which is all processes': it may get a name.
 */
static uint32_t unnamed_frame(struct jit *j, struct target *t, const struct model_mapping *map,
			      uint64_t address, uint64_t now)
{
	const struct model_file *f = model_file_get(j->model, map->file);
	uint8_t id[BUILD_ID_LEN] = {0};
	uint32_t file, frame;
	uint64_t spell = spell_of(t, j->time_ns);
	bool is_new = false;

	memcpy(id, &t->process, sizeof(t->process));
	memcpy(id + sizeof(t->process), &spell, sizeof(spell));
	file = model_file(j->model, id, model_string_get(j->model, f->path), FILE_SPECIAL);
	frame = file ? model_frame(j->model, file, address - map->start + map->offset) : 0;
	if (!frame || t->n_pending >= MAX_PENDING || !table_put(&t->waited, frame, &is_new) ||
	    !is_new ||
	    array_reserve(&t->pending, &t->pending_cap, t->n_pending + 1, sizeof(*t->pending)) < 0)
		return frame;
	t->pending[t->n_pending++] = (struct pending){frame, address, j->time_ns, now + WAIT_NS};
	return frame;
}

void jit_begin(struct jit *j, uint32_t process, uint64_t time_ns)
{
	if (!j)
		return;
	j->process = process;
	j->time_ns = time_ns;
}

uint32_t jit_frame(struct jit *j, const struct model_mapping *map, uint64_t address)
{
	struct model_frame frame;
	struct target *t;
	const char *name;
	uint64_t now;

	if (!j || !is_anonymous(j, map->file))
		return 0;
	t = want_target(j, j->process);
	if (!t)
		return 0;
	now = now_monotonic_ns();
	look(j, t, now);
	name = find_name(t, address, j->time_ns, true);
	if (!name)
		return unnamed_frame(j, t, map, address, now);
	frame = named_frame(j, address, name);
	return frame.file && frame.function
		       ? model_named_frame(j->model, frame.file, frame.offset, frame.function)
		       : 0;
}

void jit_mapped(struct jit *j, uint32_t process, uint64_t address)
{
	const struct model_mapping *map = model_mapping_at(j->model, process, address);
	const struct model_file *f = map ? model_file_get(j->model, map->file) : NULL;
	struct target *t;

	if (!f ||
	    (!is_anonymous(j, map->file) && !jitdump_is_path(model_string_get(j->model, f->path))))
		return;
	/* Opened now, as the process may be gone when its samples are read. */
	t = want_target(j, process);
	if (t)
		look(j, t, now_monotonic_ns());
}

void jit_refresh(struct jit *j)
{
	uint64_t now = now_monotonic_ns();

	if (now < j->next_ns)
		return;
	j->next_ns = now + LOOK_NS;
	for (size_t i = 0; i < j->len; i++)
		if (j->targets[i].process && j->targets[i].n_pending)
			look(j, &j->targets[i], now);
}

void jit_gone(struct jit *j, uint32_t process)
{
	struct target *t = find_target(j, process);
	uint32_t *slot;

	if (!t)
		return;
	open_map(j, t);
	(void)read_new(j, t, READ_LAST);
	name_pending(j, t, now_monotonic_ns());
	slot = table_get(&j->by_process, process);
	if (slot)
		*slot = 0;
	release_target(j, t);
}
