/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A probe specification as a person writes it, taken apart. One string holds one specification:
 *
 *   FUNC_GLOB                    of the target's main executable
 *   LIB:FUNC_GLOB                of a library the target has mapped
 *   uprobe:/path/bin:FUNC_GLOB   of a file ("uprobe:" may be left out before a path; u: is short)
 *   uprobe:LIB:FUNC_GLOB         the same as LIB:FUNC_GLOB
 *   uretprobe:...                the same as uprobe:..., as a span has both ends (noted)
 *   kprobe:FUNC_GLOB             kernel functions, by the best mechanism there is (k: is short)
 *   kprobe:MODULE:FUNC_GLOB      of a kernel module, or of the kernel itself, vmlinux
 *   fentry:...                   the same, and only by fentry and fexit (f:, kfunc:)
 *   usdt:/path/bin:PROV:NAME_GLOB static probes of a file, PROV being a glob as well (U: is short)
 *   usdt:LIB:PROV:NAME_GLOB      of a library the target has mapped
 *   usdt:PROV:NAME_GLOB          of the target's main executable
 *   span:CATEGORY_GLOB/NAME_GLOB spans written in source code (sonde/span.h), of all that the
 *                                target has mapped; without '/' all names of the categories
 *   span:/path/bin:CATEGORY/NAME of a file, span:LIB:CATEGORY/NAME of a library, as above
 *   !SPEC                        leaves out what it matches, whatever the other ones say
 *
 * The function begins after the last single colon, so that paths may contain colons and C++ names
 * "::" (of three colons in a row, the first separates). Binary and function may be put in double
 * quotes, as bpftrace allows; "cpp:" before the function means that it is a demangled name.
 */
#ifndef SONDE_PROBE_SPEC_H
#define SONDE_PROBE_SPEC_H

#include "sonde/base/error.h"

enum { SPEC_MAX_LEN = 1024 };

enum spec_binary {
	SPEC_EXECUTABLE, /* the main executable of the target; binary is NULL */
	SPEC_LIBRARY,	 /* binary is a glob over library names: libssl */
	SPEC_PATH,	 /* binary is an absolute path */
	SPEC_KERNEL,	 /* binary is a glob over modules; NULL: the kernel and all of them */
};

struct spec {
	char *text; /* as written, without surrounding white space */
	enum spec_binary kind;
	char *binary;
	char *pattern;	/* glob over function names, never empty */
	bool demangled; /* the pattern is (also) to be held against demangled names */
	bool exclude;
	bool fentry;	/* of SPEC_KERNEL: nothing but fentry and fexit will do */
	bool is_static; /* static probes: pattern is a glob over their names, … */
	char *provider; /* … this one over their providers; NULL for functions */
	/* Spans written in source code: pattern is a glob over their names, provider over their
	 * categories; SPEC_EXECUTABLE stands for all files of the target. */
	bool is_source;
	const char *note; /* what the user should know about how it was taken, or NULL; static */
};

/*
 * Takes a specification apart; the caller frees *ret_spec. -EINVAL with BadSpec, whose message
 * names the column (from 1) and what was expected there; -EOPNOTSUPP with NotSupported for kinds
 * of probes that come with a later version; -ENOMEM.
 */
int spec_parse(const char *text, struct spec **ret_spec, struct error *e);
struct spec *spec_free(struct spec *s);
DEFINE_CLEANUP(struct spec *, spec_free)

/*
 * Whether a file name is the library a specification means: "libc" is libc.so.6, libc-2.36.so and
 * libc.a; never libcrypto. The glob is held against the whole name, against the name up to its
 * first ".so" (libgtk-3, liblua5.4), and against its stem.
 */
bool spec_library_matches(const char *glob, const char *file_name);
/* The length of a file name's stem: up to its first "." or "-" with a digit behind it. */
size_t spec_library_stem(const char *file_name);

#endif
