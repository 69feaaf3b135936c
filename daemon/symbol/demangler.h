/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Demangled names by the reader process (demangle.h says what they are), remembered within a bound.
 * Who needs many says so first: a few questions answer them all. A name at which the process dies
 * is left as it is from then on. Any thread may call any function.
 */
#ifndef SONDE_SYMBOL_DEMANGLER_H
#define SONDE_SYMBOL_DEMANGLER_H

#include "symbol/demangle.h"

struct demangler;
struct reader;

int demangler_new(struct demangler **ret);
struct demangler *demangler_free(struct demangler *d);
DEFINE_CLEANUP(struct demangler *, demangler_free)
/* The reader is borrowed. Without one names are demangled in this process, and not remembered. */
void demangler_set_reader(struct demangler *d, struct reader *reader);

/* Asks for what is not known of these. What cannot be had is not there; 0 or -ENOMEM. */
int demangler_prepare(struct demangler *d, const char *const *names, size_t n,
		      enum demangle_style style);
/* As demangle_as(); asks when it is not known. */
char *demangler_name(struct demangler *d, const char *name, enum demangle_style style);

/* How often the reader was asked, for tests. */
uint64_t demangler_questions(struct demangler *d);

#endif
