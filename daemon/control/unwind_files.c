/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/unwind_files.h"

#include "sonde/base/format.h"
#include "sonde/base/log.h"
#include "sonde/base/table.h"

enum { PAGE = 4096 };

struct unwind_file {
	uint8_t build_id[BUILD_ID_LEN];
	char *path;
	enum unwind_file_state state;
	uint32_t table, users;
	uint64_t bytes, base;
	struct elf_segment *code; /* the executable segments */
	size_t n_code;
	struct python_file *python; /* NULL: there is no CPython in it */
	uint64_t used;		    /* tick of the last use */
};

struct unwind_files {
	struct unwinder *unwinder;
	struct symbolizer *symbolizer;
	struct worker *worker;
	struct unwind_files_owner owner;
	struct unwind_file *items; /* the number of a file is its index + 1 */
	size_t len, cap;
	struct table index;    /* hash of the build-id → number */
	struct builds *wanted; /* since the last unwind_files_build() */
	uint64_t max_bytes, bytes, tick, evictions;
};

int unwind_files_new(sd_event *event, struct unwinder *unwinder, struct symbolizer *symbolizer,
		     uint64_t max_bytes, const struct unwind_files_owner *owner,
		     struct unwind_files **ret)
{
	_cleanup_(unwind_files_freep) struct unwind_files *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return -ENOMEM;
	f->unwinder = unwinder;
	f->symbolizer = symbolizer;
	f->max_bytes = max_bytes;
	f->owner = *owner;
	r = worker_new(event, "sonded-unwind", &f->worker);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(f);
	return 0;
}

/* What the worker does for one file. */
struct build {
	uint32_t file;
	uint8_t build_id[BUILD_ID_LEN];
	char *path;
	/* The result. */
	int status;
	struct unwinder_table table;
	uint64_t base;
	struct elf_segment *code;
	size_t n_code;
	struct python_file python;
	struct build *next;
};

/* The files that were wanted together. */
struct builds {
	struct unwind_files *files;
	struct build *first;
	size_t n;
};

static int build(struct unwind_files *f, struct build *b, struct error *error)
{
	_cleanup_(unwind_image_freep) struct unwind_image *u = NULL;
	int r = symbolizer_unwind(f->symbolizer, b->build_id, b->path, error, &u);

	if (r < 0)
		return r;
	b->code = TAKE_PTR(u->segments);
	b->n_code = u->n_segments;
	b->base = u->table.base;
	b->python = u->python;
	return unwinder_make_table(f->unwinder, u->table.rows, u->table.len, &b->table);
}

/* Adds those that could be made to the kernel's. */
static int add_tables(struct builds *all)
{
	struct unwinder_table *tables = calloc(MAX(all->n, 1U), sizeof(*tables));
	size_t n = 0;
	int r = -ENOMEM;

	if (!tables)
		return r;
	for (struct build *b = all->first; b; b = b->next)
		if (b->status >= 0)
			tables[n++] = b->table;
	r = unwinder_add_tables(all->files->unwinder, tables, n);
	free(tables);
	return r;
}

static void build_run(void *arg)
{
	struct builds *all = arg;
	uint64_t began = now_monotonic_ns();
	int r;

	for (struct build *b = all->first; b; b = b->next) {
		struct error error = {0};

		b->status = build(all->files, b, &error);
		if (b->status < 0)
			log_debug("no unwind table of %s: %s", b->path,
				  error.message[0] ? error.message : strerror(-b->status));
	}
	r = add_tables(all);
	for (struct build *b = all->first; b && r < 0; b = b->next)
		b->status = MIN(b->status, r);
	log_debug("%zu unwind tables in %llu us", all->n,
		  (unsigned long long)(now_monotonic_ns() - began) / 1000);
}

/* A table that is to be taken out of the kernel. */
struct removal {
	struct unwinder *unwinder;
	uint32_t table;
};

static void remove_run(void *arg)
{
	struct removal *r = arg;

	unwinder_remove_table(r->unwinder, r->table);
}

static void remove_done(void *arg, bool cancelled)
{
	(void)cancelled;
	free(arg);
}

static void push_out(struct unwind_files *f, struct unwind_file *file)
{
	struct removal *r = calloc(1, sizeof(*r));

	if (!r)
		return;
	*r = (struct removal){.unwinder = f->unwinder, .table = file->table};
	if (worker_submit(f->worker, remove_run, remove_done, r) < 0) {
		free(r);
		return;
	}
	f->bytes -= file->bytes;
	f->evictions++;
	file->state = UNWIND_FILE_UNKNOWN;
}

/* The table that nobody uses and that was used longest ago. */
static struct unwind_file *oldest_unused(struct unwind_files *f)
{
	struct unwind_file *oldest = NULL;

	for (size_t i = 0; i < f->len; i++) {
		struct unwind_file *file = &f->items[i];

		if (file->state == UNWIND_FILE_READY && file->users == 0 &&
		    (!oldest || file->used < oldest->used))
			oldest = file;
	}
	return oldest;
}

static void make_room(struct unwind_files *f)
{
	while (f->bytes > f->max_bytes) {
		struct unwind_file *file = oldest_unused(f);

		if (file)
			push_out(f, file);
		else if (!f->owner.crowded(f->owner.arg))
			break;
	}
}

static void take_result(struct unwind_files *f, struct build *b)
{
	struct unwind_file *file = &f->items[b->file - 1];

	file->state = b->status < 0 ? UNWIND_FILE_NONE : UNWIND_FILE_READY;
	free(file->code);
	file->code = TAKE_PTR(b->code);
	file->n_code = b->n_code;
	if (b->python.found && !file->python)
		file->python = malloc(sizeof(*file->python));
	if (b->python.found && file->python)
		*file->python = b->python;
	file->base = b->base;
	file->table = b->table.id;
	file->bytes = b->status < 0 ? 0 : b->table.bytes;
	file->used = ++f->tick;
	f->bytes += file->bytes;
}

static void free_builds(struct builds *all)
{
	while (all->first) {
		struct build *b = all->first;

		all->first = b->next;
		free(b->code);
		free(b->path);
		free(b);
	}
	free(all);
}

struct unwind_files *unwind_files_free(struct unwind_files *f)
{
	if (!f)
		return NULL;
	worker_free(f->worker);
	if (f->wanted)
		free_builds(f->wanted);
	for (size_t i = 0; i < f->len; i++) {
		free(f->items[i].path);
		free(f->items[i].code);
		free(f->items[i].python);
	}
	free(f->items);
	table_release(&f->index);
	free(f);
	return NULL;
}

static void build_done(void *arg, bool cancelled)
{
	struct builds *all = arg;
	struct unwind_files *f = all->files;

	for (struct build *b = all->first; b && !cancelled; b = b->next)
		take_result(f, b);
	free_builds(all);
	if (cancelled)
		return;
	f->owner.settled(f->owner.arg);
	make_room(f);
}

void unwind_files_build(struct unwind_files *f)
{
	struct builds *all = f->wanted;

	f->wanted = NULL;
	if (!all || worker_submit(f->worker, build_run, build_done, all) >= 0)
		return;
	for (struct build *b = all->first; b; b = b->next)
		f->items[b->file - 1].state = UNWIND_FILE_UNKNOWN;
	free_builds(all);
}

static int add_build(struct unwind_files *f, uint32_t number)
{
	struct unwind_file *file = &f->items[number - 1];
	struct build *b = calloc(1, sizeof(*b));

	if (b)
		b->path = strdup(file->path);
	if (!f->wanted)
		f->wanted = calloc(1, sizeof(*f->wanted));
	if (!b || !b->path || !f->wanted) {
		if (b)
			free(b->path);
		free(b);
		return -ENOMEM;
	}
	b->file = number;
	memcpy(b->build_id, file->build_id, BUILD_ID_LEN);
	b->next = f->wanted->first;
	f->wanted->first = b;
	f->wanted->files = f;
	f->wanted->n++;
	file->state = UNWIND_FILE_BUILDING;
	return 0;
}

/* The [vdso] has no build-id in the model: its path is its identity. */
static uint64_t identity(const uint8_t *build_id, const char *path)
{
	static const uint8_t none[BUILD_ID_LEN];

	if (memcmp(build_id, none, BUILD_ID_LEN) == 0)
		return streq(path, "[vdso]") ? 1 : 0;
	return hash_bytes(build_id, BUILD_ID_LEN, 0);
}

static uint32_t add_file(struct unwind_files *f, const uint8_t *build_id, const char *path)
{
	struct unwind_file *file;

	if (f->len == f->cap) {
		size_t cap = MAX(f->cap * 2, 64U);
		struct unwind_file *items = reallocarray(f->items, cap, sizeof(*items));

		if (!items)
			return 0;
		f->items = items;
		f->cap = cap;
	}
	file = &f->items[f->len];
	memset(file, 0, sizeof(*file));
	file->path = strdup(path);
	if (!file->path)
		return 0;
	memcpy(file->build_id, build_id, BUILD_ID_LEN);
	return (uint32_t)++f->len;
}

uint32_t unwind_files_want(struct unwind_files *f, const uint8_t build_id[static BUILD_ID_LEN],
			   const char *path)
{
	uint64_t key = identity(build_id, path);
	uint32_t *number;
	bool is_new;

	if (key == 0)
		return 0;
	number = table_put(&f->index, key, &is_new);
	if (!number)
		return 0;
	if (is_new || *number == 0)
		*number = add_file(f, build_id, path);
	if (*number && f->items[*number - 1].state == UNWIND_FILE_UNKNOWN)
		(void)add_build(f, *number);
	return *number;
}

enum unwind_file_state unwind_files_state(const struct unwind_files *f, uint32_t file)
{
	return file == 0 || file > f->len ? UNWIND_FILE_NONE : f->items[file - 1].state;
}

/* The segment that a mapping shows, or NULL. */
static const struct elf_segment *find_segment(const struct unwind_file *f,
					      const struct model_mapping *mapping)
{
	for (size_t i = 0; i < f->n_code; i++) {
		const struct elf_segment *s = &f->code[i];

		/* Mappings begin with the page that the segment begins in. */
		if (mapping->offset >= s->offset / PAGE * PAGE &&
		    mapping->offset < s->offset + s->file_size)
			return s;
	}
	return NULL;
}

static uint64_t bias_of(const struct elf_segment *s, const struct model_mapping *mapping)
{
	return mapping->start - (mapping->offset - s->offset + s->vaddr);
}

const struct python_file *unwind_files_python(const struct unwind_files *f, uint32_t file,
					      const struct model_mapping *mapping,
					      uint64_t *ret_bias)
{
	const struct unwind_file *u = file && file <= f->len ? &f->items[file - 1] : NULL;
	const struct elf_segment *s = u && u->python ? find_segment(u, mapping) : NULL;

	if (!s)
		return NULL;
	*ret_bias = bias_of(s, mapping);
	return u->python;
}

bool unwind_files_place(const struct unwind_files *f, uint32_t file,
			const struct model_mapping *mapping, struct unwind_mapping *ret)
{
	const struct unwind_file *u = &f->items[file - 1];
	const struct elf_segment *s = find_segment(u, mapping);

	if (!s)
		return false;
	*ret = (struct unwind_mapping){
		.start = mapping->start,
		.end = mapping->end,
		.base = bias_of(s, mapping) + u->base,
		.table = u->table,
	};
	return true;
}

void unwind_files_use(struct unwind_files *f, uint32_t file)
{
	f->items[file - 1].users++;
	f->items[file - 1].used = ++f->tick;
}

void unwind_files_unuse(struct unwind_files *f, uint32_t file)
{
	f->items[file - 1].users--;
	f->items[file - 1].used = ++f->tick;
}

void unwind_files_settle(struct unwind_files *f)
{
	worker_drain(f->worker);
}

void unwind_files_stats(const struct unwind_files *f, struct unwind_files_stats *ret)
{
	*ret = (struct unwind_files_stats){.bytes = f->bytes, .evictions = f->evictions};
	for (size_t i = 0; i < f->len; i++) {
		ret->tables += f->items[i].state == UNWIND_FILE_READY;
		ret->building += f->items[i].state == UNWIND_FILE_BUILDING;
		ret->none += f->items[i].state == UNWIND_FILE_NONE;
	}
}
