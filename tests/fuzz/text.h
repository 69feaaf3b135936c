/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the fuzzers of parsers of text share. */
#ifndef SONDE_FUZZ_TEXT_H
#define SONDE_FUZZ_TEXT_H

#include "sonde/base/util.h"

/* A text of these bytes, up to their first NUL; NULL: no memory. */
static inline char *text_of(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	if (!text)
		return NULL;
	memcpy(text, data, size);
	text[size] = '\0';
	return text;
}

#endif
