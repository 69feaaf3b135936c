/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The functions of one Python program, as RECORD_PYTHON_CODE announces them, and frames of the
 * model for places in them: file, line, qualified name.
 */
#ifndef SONDE_CONTROL_PYTHON_CODES_H
#define SONDE_CONTROL_PYTHON_CODES_H

#include "model/model.h"
#include "sonde/record.h"

struct python_codes;

/* The model is borrowed. */
struct python_codes *python_codes_new(struct model *model);
struct python_codes *python_codes_free(struct python_codes *c);
DEFINE_CLEANUP(struct python_codes *, python_codes_free)

/* Replaces what was at that address. 0, -ENOSPC for too many, or -ENOMEM. */
int python_codes_add(struct python_codes *c, const struct record_python_code *r);
/* The model's frame of an instruction; `[python]` for a function that is not known; 0: no memory.
 */
uint32_t python_codes_frame(struct python_codes *c, uint64_t code, uint32_t offset);

/*
 * Text of a record as UTF-8, NUL-terminated; what cannot be said is U+FFFD. At most `size` bytes
 * with the NUL are written, cut off at a whole character.
 */
void python_text(const uint8_t *text, size_t len, uint8_t kind, char *ret, size_t size);

#endif
