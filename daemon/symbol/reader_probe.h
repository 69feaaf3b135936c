/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What attaching to the functions of a file has to know of it, read by the reader process; by a
 * process for this alone, as nobody who attaches should wait for others' files. For types see
 * reader_types.h.
 *
 * A reader of NULL: all is read in this process, which tests and fuzzers do. fd is open for
 * reading and stays the caller's, path is for messages. Errors are those of reader.h.
 */
#ifndef SONDE_SYMBOL_READER_PROBE_H
#define SONDE_SYMBOL_READER_PROBE_H

#include "symbol/file_image.h"
#include "symbol/landing.h"
#include "symbol/reader.h"
#include "symbol/usdt.h"

/*
 * Sections, segments, and which of the n names .dynsym has (at most FILE_IMAGE_SYMBOLS_MAX).
 * file_image_free() it.
 */
int reader_file(struct reader *r, int fd, const char *path, const char *const *names, size_t n,
		struct error *error, struct file_image **ret);
/* reader_symbols(), but by that process. */
int reader_functions(struct reader *r, int fd, const char *path, const char *debug_dir,
		     struct error *error, struct symtab **ret);
/* landing_table_new(). landing_table_free() it. */
int reader_landings(struct reader *r, int fd, const char *path, struct error *error,
		    struct landing_table **ret);
/* usdt_notes_read(). usdt_notes_free() it. */
int reader_notes(struct reader *r, int fd, const char *path, struct error *error,
		 struct usdt_notes **ret);

/* Whether it is no answer about the file, but a reader that died, lied or took too long. */
bool reader_gave_up(int result);

#endif
