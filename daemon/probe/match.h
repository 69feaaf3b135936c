/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside resolve: holds the functions of one file against the specifications, and says why
 * nothing was found. Shared state of one run of probe_resolve().
 */
#ifndef SONDE_PROBE_MATCH_H
#define SONDE_PROBE_MATCH_H

#include "probe/kernel_functions.h"
#include "probe/btf_type.h"
#include "probe/resolve.h"
#include "sonde/base/strbuf.h"
#include "symbol/reader_probe.h"
#include "symbol/symtab.h"

/* What goes with a file of the set while it is resolved. */
struct match_file {
	bool *wanted; /* by specification: whether it includes, or excludes from, this file */
	bool must;    /* named by the user: an error here is one of the whole */
	bool stripped;
	struct file_image *image;
	struct symtab *symtab;
	struct landing_table *landings;
};

/* Functions that were left out for the same reason; the first few by name. */
struct match_reason {
	const char *text;
	struct strbuf names;
	size_t n;
};

enum { MATCH_REASONS = 12, MATCH_NAMES = 8 };

struct resolver {
	const struct probe_target *target;
	struct spec *const *specs;
	size_t n_specs;
	struct probe_set *set;
	struct match_file *files; /* beside set->files */
	size_t n_files, files_cap;
	struct target_files mapped;
	size_t *matched; /* by specification: functions that matched, probed or left out */
	size_t total;	 /* functions to probe, also those beyond the limit */
	size_t excluded;
	struct btf_types *kernel_types; /* opened when the first is wanted */
	const struct resolve_options *options;
	unsigned int process_hazards; /* of all processes of the target together */
	struct match_reason reasons[MATCH_REASONS];
	size_t n_described;		 /* functions that the session left out, … */
	struct error described;		 /* … and why the first one was, … */
	char *described_name;		 /* … which has this name */
	struct error types_failure;	 /* of a reader that died over the types of a file */
	struct kernel_functions *kernel; /* NULL: no specification is about the kernel */
	struct error *e;
};

/* Adds the functions of file `index` to the set, or its reasons. The file is loaded already. */
int match_functions(struct resolver *r, uint32_t index);
/* Takes note of a function that is left out. The reason is static. */
void match_leave_out(struct resolver *r, const char *name, const char *reason);

/* Whether --inside names it: the last specifications do. */
bool match_is_gate(const struct resolver *r, size_t spec);
/* Asks the session about a point: 0, 1 when it is left out (and counted), -errno. */
int match_describe(struct resolver *r, const struct probe_point *p,
		   const struct function_type *type, uint8_t *ret_needed_args);

/* Adds a note to the set; control characters become blanks. 0 or -ENOMEM. */
int match_note(struct resolver *r, const char *fmt, ...) _printf_(2, 3);
/* Turns the collected reasons into notes. */
int match_reasons_to_notes(struct resolver *r);

/* Sets the error that fits a run without any function, and returns it. */
int match_explain(struct resolver *r);

#endif
