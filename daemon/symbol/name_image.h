/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names to be demangled, as the reader process gets them, and demangled, as one flat block that it
 * answers: a header, where each text begins (0: there is none), the texts in that order, behind an
 * empty one.
 */
#ifndef SONDE_SYMBOL_NAME_IMAGE_H
#define SONDE_SYMBOL_NAME_IMAGE_H

#include "symbol/demangle.h"
#include "symbol/flat.h"

enum {
	NAME_IMAGE_VERSION = 1,
	NAMES_MAX = 4096,	  /* of one question */
	NAME_TEXT_MAX = 32 << 10, /* bytes of one that is demangled */
};
#define NAME_IMAGE_MAGIC "SONDEnam"

/* The names lie behind it, each with its end. */
struct name_question {
	uint32_t n, style; /* enum demangle_style */
	uint64_t size;	   /* of the names */
};

struct name_image_header {
	char magic[8];
	uint32_t version, n;
	uint64_t texts_size;
};

struct name_image {
	const uint32_t *texts_at;
	size_t n;
	const char *texts;
	size_t texts_size;
	struct flat flat; /* what the above point into */
};

int name_question_write(const char *const *names, size_t n, enum demangle_style style, int fd);
/*
 * In the reader process: fd has a question, and becomes a name image. Until then there is a byte
 * behind the question for each name that was begun, so that it is known which one it died of.
 */
int name_question_answer(int fd);
/* How many names were begun, of a question that was not answered. */
size_t name_question_begun(const char *const *names, size_t n, int fd);

/* Writes the first four at the position of fd. */
int name_image_write(const struct name_image *image, int fd);
/* Maps what fd holds, which must be sealed. -EBADMSG: not valid or not of n names; -ENOMEM. */
int name_image_open(int fd, size_t n, struct error *error, struct name_image *ret);
void name_image_release(struct name_image *image);
/* The i-th, or NULL. */
const char *name_image_get(const struct name_image *image, size_t i);

#endif
