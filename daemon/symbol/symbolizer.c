/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol/symbolizer.h"

#include <pthread.h>

#include "symbol/demangle.h"
#include "symbol/kallsyms.h"
#include "symbol/symbol_files.h"

struct symbolizer {
	pthread_mutex_t mutex; /* guards all below */
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

	if (!s)
		return -ENOMEM;
	pthread_mutex_init(&s->mutex, NULL);
	symbol_files_init(&s->files);
	*ret = s;
	return 0;
}

struct symbolizer *symbolizer_free(struct symbolizer *s)
{
	if (!s)
		return NULL;
	symbol_files_release(&s->files);
	kallsyms_free(s->kernel);
	free(s->kernel_failure);
	free(s->kallsyms_path);
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
	return set_string(&s->files.debug_dir, debug_dir);
}

int symbolizer_add_file(struct symbolizer *s, const uint8_t build_id[static BUILD_ID_SIZE],
			const char *path, int fd)
{
	pthread_mutex_t *held _cleanup_(unlockp) _unused_ = lock(s);
	struct symbol_file *file;

	return symbol_files_add(&s->files, build_id, path, fd, &file);
}

int symbolizer_open_file(struct symbolizer *s, const uint8_t build_id[static BUILD_ID_SIZE],
			 const char *path, struct error *error, struct elf_image **ret)
{
	pthread_mutex_t *held _cleanup_(unlockp) _unused_ = lock(s);
	struct symbol_file *file = symbol_files_find(&s->files, build_id, path);

	if (!file && symbol_files_add(&s->files, build_id, path, -1, &file) < 0)
		return -ENOENT;
	return symbol_file_open(file, error, ret);
}

void symbolizer_forget_files(struct symbolizer *s)
{
	pthread_mutex_t *held _cleanup_(unlockp) _unused_ = lock(s);

	symbol_files_clear(&s->files);
}

static void write_name(char *name, size_t size, const char *mangled)
{
	char *demangled _cleanup_(freep) = demangle_short(mangled);

	snprintf(name, size, "%s", demangled ? demangled : mangled);
}

int symbolizer_resolve(struct symbolizer *s, const uint8_t build_id[static BUILD_ID_SIZE],
		       const char *path, uint64_t file_offset, char *name, size_t name_size,
		       uint64_t *ret_offset_in_function)
{
	pthread_mutex_t *held _cleanup_(unlockp) _unused_ = lock(s);
	struct symbol_file *file;
	const struct symtab *st;
	const char *mangled;
	uint64_t offset;
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
	file = symbol_files_find(&s->files, build_id, path);
	if (!file && symbol_files_add(&s->files, build_id, path, -1, &file) < 0)
		return -ENOENT;
	r = symbol_files_load(&s->files, file, &st);
	if (r < 0)
		return r;
	r = symtab_lookup_offset(st, file_offset, &mangled, &offset);
	if (r < 0)
		return r;
	write_name(name, name_size, mangled);
	*ret_offset_in_function = offset;
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
