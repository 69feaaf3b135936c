/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DFTracer's trace (.pfw): a JSON object a line, complete events and metadata. Names of hosts,
 * files and processes are there once, as metadata with a number that events then have. ts and dur
 * are whole microseconds: the nanoseconds of a duration are an argument.
 */
#include "formats.h"
#include "intern.h"
#include "members.h"

enum { FIRST_NUMBER = 1 }; /* of a host, and of a file: 0 is none */

struct dftracer_process {
	uint64_t events; /* so far: the index of the next one */
	uint64_t host;
};

struct dftracer {
	struct members members;
	struct dftracer_process *processes;
	size_t n_processes, processes_cap;
	struct intern hosts, files; /* HH, and what calls have opened: FH */
};

static bool is_legacy(const struct options *o)
{
	return !o->framing || streq(o->framing, "legacy");
}

static int dftracer_begin(struct export *x)
{
	x->state = calloc(1, sizeof(struct dftracer));
	if (!x->state)
		return -ENOMEM;
	if (is_legacy(x->options))
		strbuf_puts(x->out, "[\n");
	return 0;
}

/* Calls of the C library that analysers look for by their layer; others are of their binary. */
static const char *category_of(const struct exported_function *f)
{
	static const char *const posix[] = {
		"open",	    "open64",	 "openat", "openat64",	"creat",   "close",   "read",
		"pread",    "readv",	 "write",  "pwrite",	"writev",  "pread64", "pwrite64",
		"lseek",    "lseek64",	 "fsync",  "fdatasync", "stat",	   "fstat",   "lstat",
		"mkdir",    "rmdir",	 "unlink", "rename",	"opendir", "readdir", "closedir",
		"truncate", "ftruncate", "mmap",   "munmap"};
	static const char *const stdio[] = {"fopen",  "fopen64", "fclose", "fread",
					    "fwrite", "fseek",	 "fseeko", "ftell",
					    "fflush", "fgets",	 "fputs"};

	if (!startswith(f->binary, "libc.so") && !startswith(f->binary, "libc-"))
		return *f->binary ? f->binary : "other";
	for (size_t i = 0; i < ARRAY_SIZE(posix); i++)
		if (streq(posix[i], f->name))
			return "POSIX";
	for (size_t i = 0; i < ARRAY_SIZE(stdio); i++)
		if (streq(stdio[i], f->name))
			return "STDIO";
	return f->binary;
}

static void put_metadata(struct export *x, uint32_t process, uint32_t tid, const char *kind,
			 const char *name, uint64_t value)
{
	struct dftracer *d = x->state;
	struct json_writer w;

	json_begin(&w, x->out);
	json_object_begin(&w, NULL);
	json_u64(&w, "id", d->processes[process].events++);
	json_string(&w, "name", kind);
	json_string(&w, "cat", "dftracer");
	json_u64(&w, "pid", x->source->processes[process].pid);
	json_u64(&w, "tid", tid);
	json_string(&w, "ph", "M");
	json_object_begin(&w, "args");
	json_string(&w, "name", name);
	json_u64(&w, "value", value);
	json_object_end(&w);
	json_object_end(&w);
	strbuf_putc(x->out, '\n');
}

static int put_process(struct export *x, struct dftracer *d, uint32_t process)
{
	const struct exported_process *p = &x->source->processes[process];
	const char *host = export_host(x, p->host);
	uint32_t i;

	host = *host ? host : "unknown";
	if (intern_put(&d->hosts, host, &i) < 0)
		return -ENOMEM;
	d->processes[process].host = (uint64_t)FIRST_NUMBER + i;
	put_metadata(x, process, p->pid, "HH", host, d->processes[process].host);
	put_metadata(x, process, p->pid, "PR", p->comm, p->pid);
	return 0;
}

/* What has been named since: each is introduced once. */
static int introduce(struct export *x, struct dftracer *d)
{
	const struct span_source *s = x->source;

	if (array_reserve(&d->processes, &d->processes_cap, s->n_processes, sizeof(*d->processes)) <
	    0)
		return -ENOMEM;
	for (; d->n_processes < s->n_processes; d->n_processes++)
		if (put_process(x, d, (uint32_t)d->n_processes) < 0)
			return -ENOMEM;
	return members_update(&d->members, s, category_of);
}

/* The file that a call names in an argument called so, as text with or without its quotes. */
static char *file_of(const struct exported_span *span)
{
	static const char *const names[] = {"path",   "pathname", "filename",  "file",
					    "__path", "__file",	  "__filename"};

	reply_foreach(arg, span->details, "args")
	{
		const char *text = reply_text(arg);
		size_t len = strlen(text);

		for (size_t i = 0; i < ARRAY_SIZE(names); i++)
			if (streq(names[i], reply_name(arg)) && len > 2 && text[0] == '"' &&
			    text[len - 1] == '"')
				return strndup(text + 1, len - 2);
	}
	return NULL;
}

/* The number of the file that a call names; 0: it names none. */
static int put_file(struct export *x, struct dftracer *d, const struct exported_span *span,
		    uint64_t *ret)
{
	_cleanup_(freep) char *file = span->details ? file_of(span) : NULL;
	const struct exported_thread *t = &x->source->threads[span->thread];
	size_t n = d->files.n;
	uint32_t i;

	*ret = 0;
	if (!file)
		return 0;
	if (intern_put(&d->files, file, &i) < 0)
		return -ENOMEM;
	*ret = (uint64_t)FIRST_NUMBER + i;
	if (d->files.n > n)
		put_metadata(x, t->process, t->tid, "FH", file, *ret);
	return 0;
}

/* An argument of the function that is called as one of the trace's own goes by another name. */
static void put_argument(struct json_writer *w, reply_t *arg)
{
	static const char *const taken[] = {"hhash", "fhash", "level",	"dur_ns",
					    "ret",   "error", "unwound"};
	char name[256];

	snprintf(name, sizeof(name), "%s", reply_name(arg));
	for (size_t i = 0; i < ARRAY_SIZE(taken); i++)
		if (streq(taken[i], name))
			snprintf(name, sizeof(name), "arg_%s", taken[i]);
	json_string(w, name, reply_text(arg));
}

static bool is_counter(const struct exported_span *span)
{
	return span->flags & EXPORTED_COUNTER && reply_get(span->details, "value");
}

/* As an event of a counter has it: a number, where JSON has one. */
static void put_value(struct json_writer *w, const struct exported_span *span)
{
	reply_write(w, "value", reply_get(span->details, "value"), NULL, NULL);
}

static void put_args(struct json_writer *w, const struct exported_span *span, uint64_t host,
		     uint64_t file)
{
	json_object_begin(w, "args");
	json_u64(w, "hhash", host);
	if (file)
		json_u64(w, "fhash", file);
	json_u64(w, "level", span->depth);
	if (is_counter(span)) {
		put_value(w, span);
		json_object_end(w);
		return;
	}
	json_u64(w, "dur_ns", span->duration_ns);
	if (!(span->flags & (EXPORTED_UNWOUND | EXPORTED_TAIL | EXPORTED_INSTANT)))
		json_hex(w, "ret", span->ret);
	if (span->flags & EXPORTED_ERROR)
		json_bool(w, "error", true);
	if (span->flags & EXPORTED_UNWOUND)
		json_bool(w, "unwound", true);
	reply_foreach(arg, span->details, "args") put_argument(w, arg);
	json_object_end(w);
}

static int dftracer_span(struct export *x, const struct exported_span *span)
{
	uint32_t process = x->source->threads[span->thread].process;
	struct dftracer *d = x->state;
	struct json_writer w;
	uint64_t file;
	int r = introduce(x, d);

	if (r >= 0)
		r = put_file(x, d, span, &file);
	if (r < 0)
		return r;
	json_begin(&w, x->out);
	json_object_begin(&w, NULL);
	json_u64(&w, "id", d->processes[process].events++);
	members_put(&d->members, &w, span);
	json_u64(&w, "ts", span->start_ns / NSEC_PER_USEC);
	if (!is_counter(span))
		json_u64(&w, "dur", span->duration_ns / NSEC_PER_USEC);
	json_string(&w, "ph", is_counter(span) ? "C" : "X");
	put_args(&w, span, d->processes[process].host, file);
	json_object_end(&w);
	strbuf_putc(x->out, '\n');
	return 0;
}

static int dftracer_end(struct export *x)
{
	if (is_legacy(x->options))
		strbuf_puts(x->out, "]\n");
	return 0;
}

static void dftracer_free(struct export *x)
{
	struct dftracer *d = x->state;

	if (!d)
		return;
	members_release(&d->members);
	intern_release(&d->hosts);
	intern_release(&d->files);
	free(d->processes);
	free(d);
}

const struct export_format export_dftracer = {
	.name = "dftracer",
	.extensions = ".pfw",
	.summary = "DFTracer's trace (DFAnalyzer, Perfetto)",
	.carries = EXPORT_SPANS,
	.begin = dftracer_begin,
	.span = dftracer_span,
	.end = dftracer_end,
	.free = dftracer_free,
};
