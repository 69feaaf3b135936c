/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line. One table (option_defs) describes every option; parsing, `sonde VERB --help`
 * and shell completion read it. Times are nanoseconds. Everything in struct options is borrowed
 * from argv or static, except the arrays, which options_release() frees.
 */
#ifndef SONDE_CLI_OPTIONS_H
#define SONDE_CLI_OPTIONS_H

#include "timespec.h"
#include "verbs.h"

enum option_kind {
	OPTION_FLAG,	 /* bool */
	OPTION_TEXT,	 /* const char * */
	OPTION_NUMBER,	 /* struct number, at least 1 */
	OPTION_UID,	 /* struct number, a number or a user's name */
	OPTION_DURATION, /* struct number in ns; needs a unit */
	OPTION_SECONDS,	 /* struct number in ns; a plain number is seconds, as for perf */
	OPTION_SIZE,	 /* struct number in bytes: 4KiB, 2MB, a plain number */
	OPTION_PERCENT,	 /* struct percent */
	OPTION_FACTOR,	 /* struct percent, whose value is above 0: 10, 0.5, 10x */
	OPTION_PIDS,	 /* appends to pids */
	OPTION_CHOICE,	 /* const char *, one of choices */
	OPTION_TEXTS,	 /* appends to a struct texts; separated by commas outside brackets */
	OPTION_RANGE,	 /* struct range */
	OPTION_TIME,	 /* struct number: a point in time in microseconds since the epoch */
	OPTION_REPEAT,	 /* appends to a struct texts, as it is */
};

struct option_def {
	char letter;	  /* 0: long only */
	const char *name; /* NULL: short only */
	enum option_kind kind;
	const char *argument; /* how help calls the value; NULL for flags */
	const char *help;
	const char *choices; /* separated by '|' */
	uint64_t verbs;	     /* bit 1 << VERB_x for each verb that takes it; all bits: global */
	size_t offset;	     /* in struct options */
};

#define OPTION_GLOBAL UINT64_MAX

extern const struct option_def option_defs[];
extern const size_t option_defs_count;

struct number {
	bool set;
	uint64_t value;
};

struct percent {
	bool set;
	double value;
};

struct texts {
	char **items; /* owned */
	size_t n, cap;
};

struct options {
	const struct verb *verb; /* NULL: none was given */
	/* global */
	const char *socket;
	bool socket_given; /* by --socket, not by the environment or the default */
	bool json, no_pager, quiet, help, version;
	const char *output, *color;
	/* whom */
	uint32_t *pids;
	size_t n_pids, cap_pids;
	const char *comm, *cgroup, *container; /* globs */
	struct number uid;
	bool all;
	/* history */
	struct texts inputs; /* recordings that are asked, as one */
	const char *input, *session, *host;
	struct number since, until; /* us since the epoch */
	struct range range;
	/* what to collect */
	struct number min_duration, max_depth, frequency, duration, count, timeout;
	bool errors, null_is_error, args, stats_only;
	const char *name;
	const char *where, *in, *begin, *stack_if, *returns, *span_mode;
	bool exceptions, off_cpu, persist;
	struct texts inside, capture, redact;
	/* how to answer */
	bool by_category; /* then by says so, too */
	const char *by, *sort, *kind, *title, *demangle, *order, *format, *answer, *framing;
	bool no_inline, debuginfod, follow, csv, tree, flat;
	/* what to fetch */
	bool fetch;
	const char *urls;
	struct number max_size, max_time, cache_size;
	struct percent min_percent;
	struct number depth;
	/* comparisons and gates */
	bool diff;
	struct texts fail_if, report;
	struct percent confidence, drift, min_coverage, speed;
	struct number min_calls, before, after, span;
	/* the rest */
	const char **operands;
	size_t n_operands, cap_operands;
	char **command; /* NULL, or the NULL-terminated rest of argv behind "--" */
};

/*
 * Parses argv[1 … argc-1]. 0, or -EINVAL with a BadArgument that names the problem and a fix
 * "see sonde VERB --help"; o->verb and o->json hold what was understood until then.
 */
int options_parse(struct options *o, int argc, char **argv, struct error *e);
void options_release(struct options *o);

/* -EINVAL with a BadArgument of the verb at hand; fix is "see sonde VERB --help". */
int usage_error(const struct options *o, struct error *e, const char *fmt, ...) _printf_(3, 4);

/* Whether -o names a file; it does not when it is absent or "-", standard output. */
static inline bool options_to_file(const struct options *o)
{
	return o->output && !streq(o->output, "-");
}

/* Does the verb take the option of that long name? */
bool option_known(const struct verb *v, const char *name);

static inline bool option_taken_by(const struct option_def *d, const struct verb *v)
{
	return d->verbs == OPTION_GLOBAL || (v && d->verbs >> (v - verbs) & 1);
}

#endif
