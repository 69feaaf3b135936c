/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Formats that other tools read, one a file, each behind a struct of functions. A format appends to
 * out and never writes: what is there is written, or compressed, between two calls. Functions
 * return 0 or -errno, where a message is needed with the error set.
 */
#ifndef SONDE_EXPORT_EXPORT_H
#define SONDE_EXPORT_EXPORT_H

#include "../options.h"
#include "sonde/base/host.h"
#include "sample_source.h"

/* What a format carries, in the order in which it is asked for. */
enum export_data {
	EXPORT_SPANS = 1 << 0,	 /* raw spans, one after another */
	EXPORT_STACKS = 1 << 1,	 /* samples, or the self time of spans, by stack: ExportStacks */
	EXPORT_ANSWER = 1 << 2,	 /* the answer to a question: Report */
	EXPORT_SAMPLES = 1 << 3, /* samples and waits one by one, behind the spans */
};

enum export_order {
	ORDER_ANY,
	ORDER_START,  /* as they began, callers first */
	ORDER_THREAD, /* the same, a thread after the other */
};

/* What a format sees of the export. All is borrowed. */
struct export
{
	const struct options *options;
	struct strbuf *out;
	const struct span_source *source;
	const struct sample_source *samples;
	reply_t *session; /* a Session; NULL until the first reply */
	struct error *error;
	void *state;			  /* the format's own */
	char here[HOST_NAME_MAX_LEN + 1]; /* what export_host() has found */
	bool look_again; /* set by look(): all spans are to be looked at in order */
	char note[256];	 /* what is to be said about the file when it is complete */
	/* Writes what is in out; NULL: it may grow. */
	int (*write)(void *arg);
	void *write_arg;
};

enum { EXPORT_CHUNK = 256 << 10 };

/* Between two pieces of what may be long: writes out when there is much. 0, -errno. */
static inline int export_relieve(struct export *x)
{
	return x->write && x->out->len >= EXPORT_CHUNK ? x->write(x->write_arg) : 0;
}

/*
 * The name of the machine that a process ran on, "" when it is not known: what is said of the
 * process (NULL: nothing), else of the session; what no recording has ran here.
 */
const char *export_host(struct export *x, const char *of_process);

struct export_format {
	const char *name;
	const char *extensions; /* separated by '|', the first is the usual one */
	const char *summary;
	unsigned int carries;	 /* enum export_data */
	bool binary;		 /* not for a terminal */
	bool gzipped;		 /* always, whatever the file's name */
	bool everything;	 /* not one kind, but all that there are; stacks before spans */
	enum export_order order; /* in which spans come */
	int (*begin)(struct export *x);
	/* Of formats with an order, NULL: not needed: each span as it comes, before span() is given
	 * any; and once more in order when x->look_again says so after that. */
	int (*look)(struct export *x, const struct exported_span *span, bool in_order);
	int (*span)(struct export *x, const struct exported_span *span);
	int (*sample)(struct export *x, const struct exported_sample *sample);
	int (*stacks)(struct export *x, reply_t *reply);
	int (*answer)(struct export *x, reply_t *reply);
	int (*end)(struct export *x);
	void (*free)(struct export *x); /* also when begin() has failed */
};

/* For those without anything to begin, or to end; and whose state is one piece of memory. */
int export_nothing(struct export *x);
void export_free_state(struct export *x);

extern const struct export_format *const export_formats[];
extern const size_t export_formats_count;

/* NULL: there is none of that name. */
const struct export_format *export_format_find(const char *name);
/* By the longest extension that the path ends with; NULL: none is known. */
const struct export_format *export_format_of(const char *path);
/* Whether the path says that what is written there is compressed. */
bool export_is_gzip(const char *path);

#endif
