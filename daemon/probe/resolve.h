/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From probe specifications and a target to the functions to probe: files, kept open so that they
 * stay the same whatever happens to their paths, and offsets in them.
 */
#ifndef SONDE_PROBE_RESOLVE_H
#define SONDE_PROBE_RESOLVE_H

#include "probe/place.h"
#include "probe/spec.h"
#include "probe/target.h"
#include "sonde/fetch.h"
#include "sonde/probe_info.h"
#include "symbol/function_type.h"

enum {
	PROBE_MAX_POINTS = 20000, /* of a session */
	PROBE_MAX_FILES = 1024,
	PROBE_MAX_FENTRY = 256, /* functions of fentry: specifications; each takes two programs */
};

struct demangler;
struct reader;

struct probe_file {
	char *path; /* as the process sees it; for people, as it may lead elsewhere by now */
	int fd;	    /* what is probed, deleted or not; negative for the kernel and its modules */
	dev_t dev;
	ino_t ino;
	bool deleted;
	bool is_go;
};

/* How the end of a call is seen. */
enum return_mode {
	RETURN_AUTO,  /* asked for: whatever is safe, else the function is left out */
	RETURN_PROBE, /* the kernel's return probe */
	RETURN_SITES, /* probes on the instructions that leave the function */
};

enum probe_role {
	ROLE_SPAN,   /* calls are spans */
	ROLE_GATE,   /* --inside: spans are looked for below calls of it; none themselves */
	ROLE_THROW,  /* __cxa_throw: its entry only */
	ROLE_CATCH,  /* __cxa_begin_catch: its entry only */
	ROLE_SOURCE, /* hands on spans written in source code: see `source` */
	ROLE_END,    /* a static probe: ends the spans of those that are `back` before it */
};

/* The static probes of sonde/span.h that are attached. */
enum source_probe { SOURCE_AT_THREAD, SOURCE_AT_BATCH, SOURCE_AT_SINGLE };

/* A function to probe. Its index in the set is the cookie its hits are known by. */
struct probe_point {
	char *symbol;	  /* raw, as in the file; the first of its aliases that matched */
	uint64_t offset;  /* in the file: where the probe goes; of a kernel function, its address */
	uint32_t file;	  /* index in files */
	uint32_t spec;	  /* index of the specification it came from */
	uint32_t size;	  /* bytes of the function, from its first one */
	uint32_t skipped; /* bytes between the function's first one and offset */
	enum probe_role role;
	bool kernel;	      /* a kernel function: its file is "[kernel]" or "[MODULE]" */
	bool fentry;	      /* of kernel: nothing but fentry and fexit will do */
	bool ambiguous;	      /* of kernel: other functions have its name */
	bool gate;	      /* of ROLE_SPAN: --inside names it, too */
	bool asks_caller;     /* it looks at its own return address */
	bool is_static;	      /* no function but a static probe; symbol is "PROVIDER:NAME" */
	enum return_mode ret; /* RETURN_PROBE or RETURN_SITES */
	enum hit_kind hit;    /* at offset */
	const char *reason;   /* why RETURN_SITES, a clause; NULL when it was asked for. Static. */
	uint32_t first_site, n_sites; /* in the set's sites */
	uint8_t sp_below;     /* bytes the stack pointer is below that of the entry, at offset */
	uint8_t lost_args;    /* bit i: argument register i has another value at offset */
	char instruction[32]; /* at offset, for people */
	/* Of static probes. Those that pair up are in a row: n_begins points, then n_ends points.
	 */
	uint64_t semaphore;	   /* offset in the file; 0: it has none */
	uint32_t n_begins, n_ends; /* n_ends 0: an instant */
	uint32_t back;		   /* from it to the first that begins */
	uint32_t note, end_note;   /* in the file's notes; end_note: the first that ends */
	struct fetch result;	   /* of ROLE_END; FETCH_NONE: it tells none */
	enum source_probe source;  /* of ROLE_SOURCE */
	uint64_t control; /* of ROLE_SOURCE: where the file has its struct sonde_control; 0: none */
};

/* An instruction that leaves a function. */
struct probe_site {
	uint64_t offset; /* in the file */
	uint32_t point;
	enum return_way way;
	uint8_t code;	/* see SITE_CODE_SHIFT */
	uint32_t delta; /* bytes from the function's start */
	enum hit_kind hit;
};

/* No file appears twice (by device and inode, the kernel's by name), nor an offset of a file with
 * the same role. */
struct probe_set {
	struct probe_file *files;
	size_t n_files, files_cap;
	struct probe_point *points;
	size_t n, cap;
	struct probe_site *sites;
	size_t n_sites, sites_cap;
	unsigned int hazards; /* of the programs they are in: enum hazard */
	char **notes;	      /* what the user should know: "NAMES: why they are left out" … */
	size_t n_notes, notes_cap;
};

/*
 * Says what registers a function's probe must be able to read, after the function was resolved and
 * before it is placed. type: NULL when it is not known (or not wanted). 0; 1: the function is to
 * be left out, for the reason in e->message; -errno ends resolving. Called in the order of the
 * points, once for each that is kept or left out by it.
 */
typedef int (*describe_t)(void *arg, const struct probe_point *point, const char *path,
			  const struct function_type *type, uint8_t *ret_needed_args,
			  struct error *e);

struct resolve_options {
	enum return_mode returns;
	bool single_spans;  /* of spans written in source code each is a hit, none are in batches */
	bool nop5_is_cheap; /* here a hit of a nop of five bytes costs less than one of a shorter */
	size_t n_gates;	    /* the last so many specifications say below what functions to look */
	bool want_types;    /* read debug information for describe */
	struct demangler *demangler; /* of names in files; NULL: this process, for tests */
	struct reader *reader;	     /* reads the files; NULL as in reader_probe.h */
	bool exceptions; /* add points that see C++ exceptions, where there can be any */
	describe_t describe;
	void *arg;
};

/* The names of a set's functions will be asked for, from the first-th on: by a few questions. */
void probe_set_prepare_names(const struct probe_set *set, size_t first,
			     struct demangler *demangler);
/*
 * Resolves n specifications, of which at least one includes, against a target, and finds the places
 * of their probes. options NULL: as is safe, without types. Errors: BadSpec (a
 * specification that does not fit the target), NothingMatches, NoSuchProcess, NoSuchFile, BadFile,
 * NotSupported, TooMany, PermissionDenied. A specification without a match is an
 * error only when none has one, otherwise a note. The set does not refer to the specifications.
 */
int probe_resolve(const struct probe_target *target, struct spec *const *specs, size_t n,
		  const struct resolve_options *options, struct probe_set **ret_set,
		  struct error *e);
/*
 * Calls describe for each point of a set, in order, with its type: as probe_resolve() has, for all
 * but those of exceptions, which come last. A result of 1 is an error. reader as in the options.
 */
int probe_set_describe(const struct probe_set *set, struct reader *reader, describe_t describe,
		       void *arg, struct error *e);
struct probe_set *probe_set_free(struct probe_set *set);
DEFINE_CLEANUP(struct probe_set *, probe_set_free)

#endif
