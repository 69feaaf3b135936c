/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "request.h"

enum { DEFAULT_FREQUENCY = 99 };

static bool selects(const struct options *o)
{
	return o->n_pids || o->comm || o->uid.set || o->cgroup || o->container;
}

bool request_names_whom(const struct options *o)
{
	return selects(o) || o->all || o->command;
}

/* Samples are wanted when asked for, or when a recording says nothing of what it is to hold. */
static uint64_t frequency(const struct options *o)
{
	if (o->frequency.set)
		return o->frequency.value;
	return o->verb == &verbs[VERB_record] && !o->n_operands ? DEFAULT_FREQUENCY : 0;
}

int request_check(const struct options *o, struct error *e)
{
	if (o->all && selects(o))
		return usage_error(o, e,
				   "-a means every process: leave out -p, -c, --uid, --cgroup and "
				   "--container");
	if (o->command && selects(o))
		return usage_error(o, e,
				   "either a command behind --, or -p, -c, --uid, --cgroup and "
				   "--container");
	if (o->stats_only && (o->args || o->capture.n || o->stack_if || o->exceptions))
		return usage_error(o, e,
				   "--args, --capture, --stack-if and --exceptions are about raw "
				   "spans, and --stats-only keeps none");
	if (!o->n_operands && !frequency(o) && !o->off_cpu) {
		bool samples = option_known(o->verb, "frequency");

		return usage_error(o, e, "say what to probe: a SPEC such as 'parse_*'%s",
				   samples ? ", -F HZ for CPU samples, or --off-cpu" : "");
	}
	if ((frequency(o) || o->off_cpu) && !request_names_whom(o))
		return usage_error(
			o, e,
			"say whom to sample: -p PID, -c NAME, --uid USER, --cgroup GLOB, "
			"--container ID%s or -a",
			o->verb == &verbs[VERB_record] ? ", -- COMMAND" : "");
	return 0;
}

void request_begin(struct json_writer *w, struct strbuf *out)
{
	json_begin(w, out);
	json_object_begin(w, NULL);
}

int request_end(struct json_writer *w, struct error *e)
{
	json_object_end(w);
	return strbuf_error(w->out) < 0 ? error_set(e, ENOMEM, "Internal", "out of memory") : 0;
}

static void write_selectors(struct json_writer *w, const struct options *o, pid_t command)
{
	json_object_begin(w, "selectors");
	if (o->n_pids || command > 0) {
		json_array_begin(w, "pids");
		for (size_t i = 0; i < o->n_pids; i++)
			json_u64(w, NULL, o->pids[i]);
		if (command > 0)
			json_i64(w, NULL, command);
		json_array_end(w);
	}
	if (o->comm)
		json_string(w, "comm", o->comm);
	if (o->uid.set)
		json_u64(w, "uid", o->uid.value);
	if (o->cgroup)
		json_string(w, "cgroup", o->cgroup);
	if (o->container)
		json_string(w, "container", o->container);
	json_object_end(w);
}

static void write_strings(struct json_writer *w, const char *key, const char *const *strings,
			  size_t n)
{
	json_array_begin(w, key);
	for (size_t i = 0; i < n; i++)
		json_string(w, NULL, strings[i]);
	json_array_end(w);
}

static void write_number(struct json_writer *w, const char *key, const struct number *n)
{
	if (n->set)
		json_u64(w, key, n->value);
}

static void write_flag(struct json_writer *w, const char *key, bool value)
{
	if (value)
		json_bool(w, key, true);
}

static void write_texts(struct json_writer *w, const char *key, const struct texts *t)
{
	if (t->n)
		write_strings(w, key, (const char *const *)t->items, t->n);
}

void request_selectors(struct json_writer *w, const struct options *o)
{
	if (selects(o))
		write_selectors(w, o, 0);
}

void request_conditions(struct json_writer *w, const struct options *o)
{
	if (o->where)
		json_string(w, "where", o->where);
	if (o->begin)
		json_string(w, "begin", o->begin);
	if (o->stack_if)
		json_string(w, "stack_if", o->stack_if);
}

void request_session_options(struct json_writer *w, const struct options *o,
			     const struct command *command)
{
	/* With -a a command only says how long to look: every process counts, not just it. */
	bool follow = command && !o->all;
	size_t n_files = 0;
	const char *const *files = follow ? command_files(command, &n_files) : NULL;

	json_object_begin(w, "options");
	if (o->name)
		json_string(w, "name", o->name);
	write_strings(w, "specs", o->operands, o->n_operands);
	write_selectors(w, o, follow ? command_pid(command) : 0);
	write_flag(w, "all", o->all);
	if (n_files)
		write_strings(w, "files", files, n_files);
	if (frequency(o))
		json_u64(w, "frequency", frequency(o));
	write_flag(w, "offcpu", o->off_cpu);
	/* As fine as the samples of the CPU, where somebody chose how fine. */
	if (o->off_cpu && o->frequency.set)
		json_u64(w, "offcpu_period_ns", NSEC_PER_SEC / MAX(o->frequency.value, 1U));
	write_number(w, "min_duration_ns", &o->min_duration);
	write_number(w, "max_depth", &o->max_depth);
	write_flag(w, "errors_only", o->errors);
	if (o->null_is_error)
		json_string(w, "error_rule", "null");
	write_flag(w, "args", o->args);
	write_flag(w, "stats_only", o->stats_only);
	write_flag(w, "exceptions", o->exceptions);
	request_conditions(w, o);
	write_texts(w, "inside", &o->inside);
	write_texts(w, "capture", &o->capture);
	write_texts(w, "redact", &o->redact);
	if (o->returns)
		json_string(w, "returns", o->returns);
	if (o->span_mode)
		json_string(w, "span_mode", o->span_mode);
	json_object_end(w);
}

void request_query_of(struct json_writer *w, const struct options *o, const char *kind)
{
	json_object_begin(w, "query");
	if (o->session)
		json_string(w, "session", o->session);
	if (kind)
		json_string(w, "kind", kind);
	if (o->where)
		json_string(w, "where", o->where);
	if (o->in)
		json_string(w, "in", o->in);
	write_number(w, "since_us", &o->since);
	write_number(w, "until_us", &o->until);
	if (o->demangle)
		json_string(w, "demangle", o->demangle);
	if (o->no_inline)
		json_bool(w, "inlined", false);
	if (!o->all && selects(o))
		write_selectors(w, o, 0);
	if (o->host)
		json_string(w, "host", o->host);
	json_object_end(w);
}

void request_query(struct json_writer *w, const struct options *o)
{
	request_query_of(w, o, o->kind);
}

void request_spans(struct json_writer *w, const struct options *o)
{
	struct options only = *o;

	/* That is about samples. */
	only.in = NULL;
	request_query(w, &only);
	write_number(w, "min_duration_ns", &o->min_duration);
	if (o->name)
		json_string(w, "name", o->name);
	write_flag(w, "errors_only", o->errors);
}

/* Which spans the options choose, as Query.in says it; nothing when they choose none. */
static void write_in(struct strbuf *out, const struct options *o)
{
	const char *and = "";

	if (o->name)
		strbuf_printf(out, "%s: ", o->name);
	if (o->where) {
		strbuf_printf(out, "(%s)", o->where);
		and = " && ";
	}
	/* A name with blanks in it would be taken for a condition, if there was none behind it. */
	if (o->min_duration.set || (o->name && !o->where && !o->errors)) {
		strbuf_printf(out, "%sduration >= %lluns", and,
			      (unsigned long long)o->min_duration.value);
		and = " && ";
	}
	if (o->errors)
		strbuf_printf(out, "%serror", and);
}

int request_samples(struct json_writer *w, const struct options *o, const char *kind)
{
	_cleanup_(strbuf_release) struct strbuf in = {};
	struct options only = *o;

	write_in(&in, o);
	if (strbuf_error(&in) < 0)
		return -ENOMEM;
	if (in.len && !only.in)
		only.in = in.data;
	only.where = NULL;
	request_query_of(w, &only, kind);
	return 0;
}

char *absolute_path(const char *path)
{
	_cleanup_(freep) char *cwd = NULL;
	char *joined;

	if (*path == '/')
		return strdup(path);
	cwd = getcwd(NULL, 0);
	return cwd && asprintf(&joined, "%s/%s", cwd, path) >= 0 ? joined : NULL;
}
