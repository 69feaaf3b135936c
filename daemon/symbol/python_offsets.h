/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where fields are in CPython's structures, release by release: known here for 3.11 and 3.12, read
 * from the process for 3.13 and 3.14, which publish them (_Py_DebugOffsets, at the start of
 * _PyRuntime). What a process says is checked to be possible, no more: it may lie.
 */
#ifndef SONDE_SYMBOL_PYTHON_OFFSETS_H
#define SONDE_SYMBOL_PYTHON_OFFSETS_H

#include "sonde/base/error.h"
#include "sonde/base/util.h"
#include "sonde/python.h"

enum { PYTHON_PUBLISHED_BYTES = 1024 }; /* of _PyRuntime, for python_offsets_find() */

/*
 * version: as PY_VERSION_HEX. start: the first bytes of _PyRuntime, as many as there are.
 * ret_interpreters: where in _PyRuntime the list of interpreters begins. -ENOTSUP: a release, or
 * a kind of build, that is not known; -EBADMSG: what it publishes cannot be.
 */
int python_offsets_find(uint32_t version, const uint8_t *start, size_t size, struct error *error,
			struct python_offsets *ret, uint32_t *ret_interpreters);

/* Whether _PyRuntime begins with what 3.13 and later publish; if so, their version. */
bool python_offsets_published(const uint8_t *start, size_t size, uint32_t *ret_version);

#endif
