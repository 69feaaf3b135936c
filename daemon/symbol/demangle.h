/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * C++ (Itanium ABI) and Rust (legacy and v0) names as people write them. Names come from files of
 * users: input and output are bounded, as a short mangled name can describe an endless one. Of the
 * reader process, as libiberty has a history of faults; others ask for names by demangler.h.
 */
#ifndef SONDE_SYMBOL_DEMANGLE_H
#define SONDE_SYMBOL_DEMANGLE_H

#include "sonde/base/util.h"

/*
 * Both return a string the caller frees, or NULL when the name is not mangled, is damaged, is
 * beyond the bounds, or there is no memory: then show it as it is. Short: `ns::f`; full:
 * `ns::f(int, char const*)`. Clones keep their mark, as in `ns::f [clone .cold]`.
 */
enum { DEMANGLE_INPUT_MAX = 4096 }; /* bytes of a name */
/* Whether a name may be mangled: none else is worth asking for. */
bool demangle_is_mangled(const char *name);
char *demangle_short(const char *name);
char *demangle_full(const char *name);

/* How a name is to be shown: as above, or as it stands in the file. */
enum demangle_style { DEMANGLE_SHORT, DEMANGLE_FULL, DEMANGLE_NONE };
/* "full", "short", "none"; NULL is short. -EINVAL for anything else. */
int demangle_style_parse(const char *text, enum demangle_style *ret);
/* NULL for DEMANGLE_NONE, else as above. */
char *demangle_as(const char *name, enum demangle_style style);

#endif
