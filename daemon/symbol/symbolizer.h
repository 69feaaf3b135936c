/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Turns frames, (build-id, file offset) or a kernel address, into function names. It keeps files
 * open, so that a program that was deleted or replaced still gets its names, and caches the
 * symbol tables of those in use. A name is given only when the file has the build-id asked for;
 * files of the same build-id are one file to it.
 *
 * Any thread may call any function; one internal mutex serialises them. A call that has to load a
 * file takes as long as that does: up to some 0.5 s for the largest libraries, up to the reader's
 * limit for a hostile file. So the collector and the main loop must not resolve names themselves.
 * They may add files meanwhile.
 */
#ifndef SONDE_SYMBOL_SYMBOLIZER_H
#define SONDE_SYMBOL_SYMBOLIZER_H

#include "symbol/demangler.h"
#include "symbol/reader.h"

struct symbolizer;
struct symbol_cache;

struct symbolizer_stats {
	size_t files, open_fds, loaded_tables;
	size_t table_bytes; /* of the symbol tables, kernel included */
	uint64_t table_loads, table_evictions;
};

int symbolizer_new(struct symbolizer **ret);
struct symbolizer *symbolizer_free(struct symbolizer *s);
DEFINE_CLEANUP(struct symbolizer *, symbolizer_free)

/*
 * Bounds, before first use: bytes of cached symbol tables (64 MiB by default; one table is kept
 * even when it is larger), descriptors (1024), and files known (32768). 0 leaves one as it is.
 */
void symbolizer_set_limits(struct symbolizer *s, size_t table_bytes, size_t fds, size_t files);
/*
 * Other sources than /proc/kallsyms and /usr/lib/debug, which NULL stands for; debug_dir may be
 * several, see debug_dirs.h. Before first use. 0 or -ENOMEM.
 */
int symbolizer_set_sources(struct symbolizer *s, const char *kallsyms, const char *debug_dir);

/*
 * From then on files are read by the reader, which is borrowed and to outlive the symbolizer, and
 * never in this process (but the kernel's vDSO); names are demangled by it. Before first use.
 */
void symbolizer_set_reader(struct symbolizer *s, struct reader *reader);
/* What it demangles names with, and others may; the symbolizer's. */
struct demangler *symbolizer_demangler(struct symbolizer *s);
/* Tables of the reader are kept there; borrowed likewise. NULL: nowhere. */
void symbolizer_set_cache(struct symbolizer *s, struct symbol_cache *cache);
/* The identity of an open file, for symbolizer_add_file(): see reader_identify(). Never waits for
 * symbols that are being read. */
int symbolizer_identify(struct symbolizer *s, int fd, const char *path, struct error *error,
			struct reader_identity *ret);

/*
 * Makes a file known. Takes fd, also on failure; -1 when it could not be opened, then path is
 * tried when the first name is asked for. A build-id of zeros is unknown: such a file is known by
 * its path and resolved from fd only. 0, -EINVAL (path too long), -ENOMEM.
 *
 * Beyond the limit of descriptors the one unused for longest is closed, if possible one whose path
 * still leads to the same file.
 */
int symbolizer_add_file(struct symbolizer *s, const uint8_t build_id[static BUILD_ID_SIZE],
			const char *path, int fd);

/*
 * How to unwind through a file that was made known: see reader_unwind(). -ENOENT: it is not known,
 * or was not kept; -ESTALE: it was replaced by another. Nothing is remembered of it.
 */
int symbolizer_unwind(struct symbolizer *s, const uint8_t build_id[static BUILD_ID_SIZE],
		      const char *path, struct error *error, struct unwind_image **ret);

/* What debug information says of n offsets in such a file: see reader_lines(). */
int symbolizer_lines(struct symbolizer *s, const uint8_t build_id[static BUILD_ID_SIZE],
		     const char *path, const uint64_t *offsets, size_t n, struct error *error,
		     struct line_image **ret);

/* Forgets all files: nobody will ask for their names, and kept files take space on disk when
 * deleted. */
void symbolizer_forget_files(struct symbolizer *s);

/*
 * Forgets what was read of the files of a build-id, or that they could not be read: there is more
 * to be had by now. The files stay known. Waits while one of them is being read.
 */
void symbolizer_reread(struct symbolizer *s, const uint8_t build_id[static BUILD_ID_SIZE]);

/*
 * The function at an offset in a file, in that style and cut off to fit. -ENOENT
 * when there is none or the file cannot be had. `[vdso]` and `[uprobes]` are known as paths.
 */
int symbolizer_resolve(struct symbolizer *s, const uint8_t build_id[static BUILD_ID_SIZE],
		       const char *path, uint64_t file_offset, enum demangle_style style,
		       char *name, size_t name_size, uint64_t *ret_offset_in_function);
/* As above for a kernel address; the functions of modules are named `func [module]`. */
int symbolizer_resolve_kernel(struct symbolizer *s, uint64_t address, char *name, size_t name_size,
			      uint64_t *ret_offset);

/*
 * Why a file has no names, as one sentence: cut off to fit. -ENOENT when nothing went wrong or it
 * was never asked for. A failure is remembered and not tried again until the file is added anew.
 */
int symbolizer_failure(struct symbolizer *s, const uint8_t build_id[static BUILD_ID_SIZE],
		       const char *path, char *text, size_t size);
/* The same for the kernel. */
int symbolizer_kernel_failure(struct symbolizer *s, char *text, size_t size);
/* Forgets the kernel's functions, to be read again: a module or BPF program was loaded. */
void symbolizer_reload_kernel(struct symbolizer *s);

void symbolizer_get_stats(struct symbolizer *s, struct symbolizer_stats *ret);

#endif
