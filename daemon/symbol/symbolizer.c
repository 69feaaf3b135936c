/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol/symbolizer.h"

#include <fcntl.h>
#include <pthread.h>

#include "symbol/kallsyms.h"
#include "symbol/symbol_files.h"

struct symbolizer {
	struct symbol_sources sources; /* set before first use */
	struct demangler *demangler;
	char *debug_dir;
	pthread_mutex_t mutex; /* guards all below; free while a file is read */
	pthread_cond_t loaded; /* no file is loading any more that was */
	struct symbol_files files;
	char *kallsyms_path;
	struct kallsyms *kernel;
	char *kernel_failure;
};

static void unlockp(pthread_mutex_t **mutex)
{
	pthread_mutex_unlock(*mutex);
}

static pthread_mutex_t *lock(struct symbolizer *s)
{
	pthread_mutex_lock(&s->mutex);
	return &s->mutex;
}

int symbolizer_new(struct symbolizer **ret)
{
	struct symbolizer *s = calloc(1, sizeof(*s));

	if (!s || demangler_new(&s->demangler) < 0) {
		free(s);
		return -ENOMEM;
	}
	pthread_mutex_init(&s->mutex, NULL);
	pthread_cond_init(&s->loaded, NULL);
	symbol_files_init(&s->files);
	*ret = s;
	return 0;
}

struct symbolizer *symbolizer_free(struct symbolizer *s)
{
	if (!s)
		return NULL;
	symbol_files_release(&s->files);
	demangler_free(s->demangler);
	kallsyms_free(s->kernel);
	free(s->kernel_failure);
	free(s->kallsyms_path);
	free(s->debug_dir);
	pthread_cond_destroy(&s->loaded);
	pthread_mutex_destroy(&s->mutex);
	free(s);
	return NULL;
}

void symbolizer_set_limits(struct symbolizer *s, size_t table_bytes, size_t fds, size_t files)
{
	pthread_mutex_t *held _cleanup_(unlockp) _unused_ = lock(s);

	if (table_bytes > 0)
		s->files.max_bytes = table_bytes;
	if (fds > 0)
		s->files.max_fds = fds;
	if (files > 0)
		s->files.max_files = files;
}

static int set_string(char **field, const char *value)
{
	char *copy = value ? strdup(value) : NULL;

	if (value && !copy)
		return -ENOMEM;
	free(*field);
	*field = copy;
	return 0;
}

int symbolizer_set_sources(struct symbolizer *s, const char *kallsyms, const char *debug_dir)
{
	pthread_mutex_t *held _cleanup_(unlockp) _unused_ = lock(s);
	int r;

	r = set_string(&s->kallsyms_path, kallsyms);
	if (r < 0)
		return r;
	r = set_string(&s->debug_dir, debug_dir);
	if (r >= 0)
		s->sources.debug_dir = s->debug_dir;
	return r;
}

void symbolizer_set_reader(struct symbolizer *s, struct reader *reader)
{
	s->sources.reader = reader;
	demangler_set_reader(s->demangler, reader);
}

struct demangler *symbolizer_demangler(struct symbolizer *s)
{
	return s->demangler;
}

void symbolizer_set_cache(struct symbolizer *s, struct symbol_cache *cache)
{
	s->sources.cache = cache;
}

int symbolizer_identify(struct symbolizer *s, int fd, const char *path, struct error *error,
			struct reader_identity *ret)
{
	struct elf_image *image _cleanup_(elf_image_freep) = NULL;
	int r;

	if (s->sources.reader)
		return reader_identify(s->sources.reader, fd, path, error, ret);
	r = elf_image_open(fd, error, &image);
	if (r >= 0)
		reader_identity_of(image, ret);
	return r;
}

int symbolizer_add_file(struct symbolizer *s, const uint8_t build_id[static BUILD_ID_SIZE],
			const char *path, int fd)
{
	pthread_mutex_t *held _cleanup_(unlockp) _unused_ = lock(s);
	struct symbol_file *file;

	return symbol_files_add(&s->files, build_id, path, fd, &file);
}

void symbolizer_forget_files(struct symbolizer *s)
{
	pthread_mutex_t *held _cleanup_(unlockp) _unused_ = lock(s);

	symbol_files_clear(&s->files);
}

void symbolizer_reread(struct symbolizer *s, const uint8_t build_id[static BUILD_ID_SIZE])
{
	pthread_mutex_t *held _cleanup_(unlockp) _unused_ = lock(s);
	struct symbol_file *file;

	if (symbol_is_unknown(build_id))
		return;
	if (s->sources.cache)
		symbol_cache_remove(s->sources.cache, build_id);
	/* What a thread is reading just now was looked for before. */
	while ((file = symbol_files_find(&s->files, build_id, "")) && file->loading)
		pthread_cond_wait(&s->loaded, &s->mutex);
	if (file)
		symbol_files_drop(&s->files, file);
}

/* What is known of where a file is, to be used while the mutex is free. */
struct place {
	int fd; /* negative: none is kept */
	char *path;
};

static void place_donep(struct place *p)
{
	safe_close(p->fd);
	free(p->path);
}

static int copy_place(const struct symbol_file *file, struct place *ret)
{
	ret->path = strdup(file->path);
	if (file->fd >= 0)
		ret->fd = fcntl(file->fd, F_DUPFD_CLOEXEC, 0);
	return ret->path && (ret->fd < 0) == (file->fd < 0) ? 0 : -ENOMEM;
}

/*
 * Reads the table of a file, which is marked as loading, so that others wait for it. The mutex is
 * free meanwhile: a file may take seconds, and adding files must not. So the file may have moved or
 * be forgotten afterwards.
 */
static int load_table(struct symbolizer *s, struct symbol_file *file, const uint8_t *build_id,
		      const char *path, struct symbol_file **ret)
{
	struct place place _cleanup_(place_donep) = {.fd = -EBADF};
	struct symtab *st _cleanup_(symtab_freep) = NULL;
	struct error error = {};
	int r;

	r = copy_place(file, &place);
	if (r < 0)
		return r;
	file->loading = true;
	pthread_mutex_unlock(&s->mutex);
	(void)symbol_load(&s->sources, build_id, place.path, place.fd, &error, &st);
	pthread_mutex_lock(&s->mutex);
	file = symbol_files_find(&s->files, build_id, path);
	if (!file)
		r = symbol_files_add(&s->files, build_id, path, -1, &file);
	if (r >= 0) {
		file->loading = false;
		/* What failed without a descriptor may work with one that came meanwhile. */
		if (st || place.fd >= 0 || file->fd < 0)
			symbol_files_keep(&s->files, file, TAKE_PTR(st), error.message);
		*ret = file;
	}
	pthread_cond_broadcast(&s->loaded);
	return r;
}

static int find_place(struct symbolizer *s, const uint8_t *build_id, const char *path,
		      struct place *ret)
{
	pthread_mutex_t *held _cleanup_(unlockp) _unused_ = lock(s);
	struct symbol_file *file = symbol_files_find(&s->files, build_id, path);
	int r = file ? 0 : symbol_files_add(&s->files, build_id, path, -1, &file);

	return r < 0 ? r : copy_place(file, ret);
}

int symbolizer_unwind(struct symbolizer *s, const uint8_t build_id[static BUILD_ID_SIZE],
		      const char *path, struct error *error, struct unwind_image **ret)
{
	struct place place _cleanup_(place_donep) = {.fd = -EBADF};
	int r = find_place(s, build_id, path, &place);

	return r < 0 ? r
		     : symbol_load_unwind(&s->sources, build_id, place.path, place.fd, error, ret);
}

int symbolizer_lines(struct symbolizer *s, const uint8_t build_id[static BUILD_ID_SIZE],
		     const char *path, const uint64_t *offsets, size_t n, struct error *error,
		     struct line_image **ret)
{
	struct place place _cleanup_(place_donep) = {.fd = -EBADF};
	int r = find_place(s, build_id, path, &place);

	return r < 0 ? r
		     : symbol_load_lines(&s->sources, build_id, place.path, place.fd, offsets, n,
					 error, ret);
}

static int find_table(struct symbolizer *s, const uint8_t *build_id, const char *path,
		      const struct symtab **ret)
{
	struct symbol_file *file;

	for (;;) {
		file = symbol_files_find(&s->files, build_id, path);
		if (!file && symbol_files_add(&s->files, build_id, path, -1, &file) < 0)
			return -ENOENT;
		if (!file->loading)
			break;
		pthread_cond_wait(&s->loaded, &s->mutex);
	}
	if (!file->symtab && !file->failure && load_table(s, file, build_id, path, &file) < 0)
		return -ENOENT;
	file->used = ++s->files.tick;
	*ret = file->symtab;
	return file->symtab ? 0 : -ENOENT;
}

/* As in the file, a copy. */
static int find_name(struct symbolizer *s, const uint8_t *build_id, const char *path,
		     uint64_t file_offset, char **ret, uint64_t *ret_offset_in_function)
{
	pthread_mutex_t *held _cleanup_(unlockp) _unused_ = lock(s);
	const struct symtab *st;
	const char *mangled;
	int r;

	r = find_table(s, build_id, path, &st);
	if (r >= 0)
		r = symtab_lookup_offset(st, file_offset, &mangled, ret_offset_in_function);
	if (r < 0)
		return r;
	*ret = strdup(mangled);
	return *ret ? 0 : -ENOMEM;
}

int symbolizer_resolve(struct symbolizer *s, const uint8_t build_id[static BUILD_ID_SIZE],
		       const char *path, uint64_t file_offset, enum demangle_style style,
		       char *name, size_t name_size, uint64_t *ret_offset_in_function)
{
	char *mangled _cleanup_(freep) = NULL, *demangled _cleanup_(freep) = NULL;
	int r;

	/* The page of return trampolines: it holds no function, but people know it by this name. */
	if (streq(path, "[uprobes]")) {
		snprintf(name, name_size, "%s", path);
		*ret_offset_in_function = file_offset;
		return 0;
	}
	/* Other special mappings, [heap], [stack], [vsyscall], are no files at all. */
	if (path[0] == '[' && !streq(path, "[vdso]"))
		return -ENOENT;
	r = find_name(s, build_id, path, file_offset, &mangled, ret_offset_in_function);
	if (r < 0)
		return r;
	/* The mutex is free meanwhile: the reader may take its time. */
	demangled = demangler_name(s->demangler, mangled, style);
	snprintf(name, name_size, "%s", demangled ? demangled : mangled);
	return 0;
}

int symbolizer_resolve_kernel(struct symbolizer *s, uint64_t address, char *name, size_t name_size,
			      uint64_t *ret_offset)
{
	pthread_mutex_t *held _cleanup_(unlockp) _unused_ = lock(s);
	struct error error = {};
	int r;

	if (!s->kernel && !s->kernel_failure) {
		r = kallsyms_load(s->kallsyms_path, &error, &s->kernel);
		if (r < 0)
			s->kernel_failure = strdup(error.message[0] ? error.message : strerror(-r));
	}
	return s->kernel ? kallsyms_lookup(s->kernel, address, name, name_size, ret_offset)
			 : -ENOENT;
}

int symbolizer_failure(struct symbolizer *s, const uint8_t build_id[static BUILD_ID_SIZE],
		       const char *path, char *text, size_t size)
{
	pthread_mutex_t *held _cleanup_(unlockp) _unused_ = lock(s);
	const struct symbol_file *file = symbol_files_find(&s->files, build_id, path);

	if (!file || !file->failure)
		return -ENOENT;
	snprintf(text, size, "%s", file->failure);
	return 0;
}

int symbolizer_kernel_failure(struct symbolizer *s, char *text, size_t size)
{
	pthread_mutex_t *held _cleanup_(unlockp) _unused_ = lock(s);

	if (!s->kernel_failure)
		return -ENOENT;
	snprintf(text, size, "%s", s->kernel_failure);
	return 0;
}

void symbolizer_reload_kernel(struct symbolizer *s)
{
	pthread_mutex_t *held _cleanup_(unlockp) _unused_ = lock(s);

	s->kernel = kallsyms_free(s->kernel);
	free(TAKE_PTR(s->kernel_failure));
}

void symbolizer_get_stats(struct symbolizer *s, struct symbolizer_stats *ret)
{
	pthread_mutex_t *held _cleanup_(unlockp) _unused_ = lock(s);

	*ret = (struct symbolizer_stats){
		.files = s->files.len,
		.open_fds = s->files.n_fds,
		.loaded_tables = s->files.n_tables,
		.table_bytes = s->files.bytes + (s->kernel ? kallsyms_memory(s->kernel) : 0),
		.table_loads = s->files.loads,
		.table_evictions = s->files.evictions,
	};
}
