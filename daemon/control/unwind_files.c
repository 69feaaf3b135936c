/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/unwind_files.h"

#include "sonde/base/format.h"
#include "sonde/base/log.h"
#include "sonde/base/table.h"
#include "symbol/unwind_table.h"

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
	struct table index; /* hash of the build-id → number */
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

struct unwind_files *unwind_files_free(struct unwind_files *f)
{
	if (!f)
		return NULL;
	worker_free(f->worker);
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

/* What the worker does for one file. */
struct build {
	struct unwind_files *files;
	uint32_t file;
	uint8_t build_id[BUILD_ID_LEN];
	char *path;
	/* The result. */
	int status;
	uint32_t table;
	uint64_t bytes, base;
	struct elf_segment *code;
	size_t n_code;
	struct python_file python;
};

static int copy_code_segments(struct build *b, const struct elf_image *image)
{
	size_t n;
	const struct elf_segment *segments = elf_image_segments(image, &n);

	b->code = calloc(MAX(n, 1U), sizeof(*b->code));
	if (!b->code)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (segments[i].executable)
			b->code[b->n_code++] = segments[i];
	return 0;
}

static int build(struct build *b, struct error *error)
{
	_cleanup_(unwind_table_freep) struct unwind_table *t = NULL;
	_cleanup_(elf_image_freep) struct elf_image *image = NULL;
	int r = symbolizer_open_file(b->files->symbolizer, b->build_id, b->path, error, &image);

	if (r < 0)
		return r;
	r = copy_code_segments(b, image);
	if (r < 0)
		return r;
	python_file_read(image, &b->python);
	r = unwind_table_new(image, error, &t);
	if (r < 0)
		return r;
	b->base = t->base;
	return unwinder_add_table(b->files->unwinder, t->rows, t->len, &b->table, &b->bytes);
}

static void build_run(void *arg)
{
	struct build *b = arg;
	struct error error = {0};
	uint64_t began = now_monotonic_ns();

	b->status = build(b, &error);
	if (b->status < 0)
		log_debug("no unwind table of %s: %s", b->path,
			  error.message[0] ? error.message : strerror(-b->status));
	else
		log_debug("unwind table of %s: %llu bytes in %llu us", b->path,
			  (unsigned long long)b->bytes,
			  (unsigned long long)(now_monotonic_ns() - began) / 1000);
}

static void remove_run(void *arg)
{
	struct build *b = arg;

	unwinder_remove_table(b->files->unwinder, b->table);
}

static void remove_done(void *arg, bool cancelled)
{
	(void)cancelled;
	free(arg);
}

static void push_out(struct unwind_files *f, struct unwind_file *file)
{
	struct build *b = calloc(1, sizeof(*b));

	if (!b)
		return;
	b->files = f;
	b->table = file->table;
	if (worker_submit(f->worker, remove_run, remove_done, b) < 0) {
		free(b);
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

static void build_done(void *arg, bool cancelled)
{
	struct build *b = arg;
	struct unwind_files *f = b->files;
	struct unwind_file *file = &f->items[b->file - 1];

	if (!cancelled) {
		free(file->code);
		file->code = TAKE_PTR(b->code);
		file->n_code = b->n_code;
		if (b->python.found && !file->python)
			file->python = malloc(sizeof(*file->python));
		if (b->python.found && file->python)
			*file->python = b->python;
		file->base = b->base;
		file->table = b->table;
		file->bytes = b->bytes;
		file->used = ++f->tick;
		file->state = b->status < 0 ? UNWIND_FILE_NONE : UNWIND_FILE_READY;
		f->bytes += file->bytes;
		f->owner.settled(f->owner.arg);
		make_room(f);
	}
	free(b->code);
	free(b->path);
	free(b);
}

static int begin_build(struct unwind_files *f, uint32_t number)
{
	struct unwind_file *file = &f->items[number - 1];
	struct build *b = calloc(1, sizeof(*b));

	if (!b)
		return -ENOMEM;
	b->files = f;
	b->file = number;
	memcpy(b->build_id, file->build_id, BUILD_ID_LEN);
	b->path = strdup(file->path);
	if (!b->path || worker_submit(f->worker, build_run, build_done, b) < 0) {
		free(b->path);
		free(b);
		return -ENOMEM;
	}
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
		(void)begin_build(f, *number);
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
