/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The CPython in a live process: which release, where its interpreters are, and whether what is
 * known of its structures is true of it. */
#ifndef SONDE_CONTROL_PYTHON_PROBE_H
#define SONDE_CONTROL_PYTHON_PROBE_H

#include "sonde/base/error.h"
#include "sonde/python.h"
#include "symbol/python_file.h"

/*
 * bias: of the file's addresses in the process. All of ret but the program is filled in. -EAGAIN:
 * it may be too early, no thread runs Python code yet; -ENOTSUP and -EBADMSG: it will never be.
 */
int python_probe(uint32_t pid, const struct python_file *file, uint64_t bias, struct error *error,
		 struct python_process *ret);

#endif
