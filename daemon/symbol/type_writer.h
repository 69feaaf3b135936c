/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes types of functions as a type image: the reader process's side of type_image.h. */
#ifndef SONDE_SYMBOL_TYPE_WRITER_H
#define SONDE_SYMBOL_TYPE_WRITER_H

#include "symbol/type_image.h"

/*
 * Answers a question: the types of the functions at n addresses and the members of n_structs
 * structs, at the position of fd. A function that there is not is left empty, a struct as well.
 * -E2BIG when it is too much for one answer, -ENOMEM.
 */
int type_image_write(struct function_types *t, const uint64_t *vaddrs, size_t n,
		     const struct type_key *structs, size_t n_structs, int fd);

#endif
