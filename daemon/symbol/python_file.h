/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where things are in a file that has CPython in it: the executable, or libpython. Files without
 * are told by their sections, at no cost.
 */
#ifndef SONDE_SYMBOL_PYTHON_FILE_H
#define SONDE_SYMBOL_PYTHON_FILE_H

#include "symbol/elf_image.h"

enum { PYTHON_MAX_EVAL = 8 };

/* Without holes, as it is part of what the reader process answers. */
struct python_file {
	uint32_t found; /* 0 or 1 */
	uint32_t n_eval;
	uint64_t runtime; /* _PyRuntime: an address of the file's own */
	uint64_t version; /* Py_Version, likewise; 0: the file does not say */
	/* _PyEval_EvalFrameDefault and its parts that are elsewhere, in file offsets. */
	struct {
		uint64_t start, end;
	} eval[PYTHON_MAX_EVAL];
};

/* Everything that can be had; a damaged file has nothing. */
void python_file_read(struct elf_image *image, struct python_file *ret);
/* Whether it may be what python_file_read() made. */
bool python_file_valid(const struct python_file *f);
/* Whether that place in the file is in the function that runs Python code. */
bool python_file_evaluates(const struct python_file *f, uint64_t offset);

#endif
