/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DFTracer: an object a line. The first line, and maybe the last, is a bracket, and in newer files
 * a comma ends each line, so that the whole is an array; neither is there for sure. Strings come
 * once, with a hash that stands for them: the program of a process is known by one.
 */
#include "formats.h"
#include "intern.h"
#include "lines.h"
#include "trace_event.h"

struct program {
	uint32_t pid, hash;
};

struct reader {
	struct import_events *events;
	struct import_sink *sink;
	struct import_strings hashes; /* and what they stand for: */
	uint32_t *texts;	      /* by number of hashes: number of strings, 0 for not known */
	size_t texts_cap;
	struct import_strings strings;
	struct program *programs;
	size_t n_programs, programs_cap;
};

static void reader_release(struct reader *d)
{
	import_events_free(d->events);
	import_strings_release(&d->hashes);
	import_strings_release(&d->strings);
	free(d->texts);
	free(d->programs);
}

static int put_hash(struct reader *d, const struct import_value *v, uint32_t *ret)
{
	bool is_new;

	*ret = import_strings_put(&d->hashes, v->text, v->len, &is_new);
	if (!*ret)
		return -ENOMEM;
	return array_reserve(&d->texts, &d->texts_cap, (size_t)*ret + 1, sizeof(*d->texts));
}

/* The name of a process. */
static int take_process(struct reader *d, const struct import_value *v)
{
	uint32_t pid;
	int r;

	if (v[FIELD_ARGS_NAME].kind != IMPORT_JSON_STRING || !v[FIELD_ARGS_NAME].len)
		return 0;
	r = import_events_pid(d->events, &v[FIELD_PID], &pid);
	return r < 0 ? r : d->sink->process(d->sink->arg, pid, path_base(v[FIELD_ARGS_NAME].text));
}

/* A string and its hash; of files and hosts, which have kinds of their own, nothing is kept. */
static int take_string(struct reader *d, const struct import_value *v)
{
	const struct import_value *name = &v[FIELD_ARGS_NAME];
	uint32_t hash;
	bool is_new;
	int r;

	if (!streq(v[FIELD_NAME].text, "SH") || name->kind != IMPORT_JSON_STRING ||
	    !import_is_text(&v[FIELD_ARGS_VALUE]))
		return 0;
	r = put_hash(d, &v[FIELD_ARGS_VALUE], &hash);
	if (r < 0)
		return r;
	d->texts[hash] = import_strings_put(&d->strings, name->text, name->len, &is_new);
	return d->texts[hash] ? 0 : -ENOMEM;
}

/* An event that says which program its process runs. */
static int note_program(struct reader *d, const struct import_value *v)
{
	struct program p;
	int r = put_hash(d, &v[FIELD_ARGS_EXEC], &p.hash);

	if (r >= 0)
		r = import_events_pid(d->events, &v[FIELD_PID], &p.pid);
	if (r < 0)
		return r;
	if (d->n_programs && d->programs[d->n_programs - 1].pid == p.pid)
		return 0;
	if (array_reserve(&d->programs, &d->programs_cap, d->n_programs + 1, sizeof(*d->programs)) <
	    0)
		return -ENOMEM;
	d->programs[d->n_programs++] = p;
	return 0;
}

/* What else is a number among the arguments says where an event belongs, or adds calls up. */
static struct import_series only_value(const struct import_series *all)
{
	struct import_series only = {};

	for (size_t i = 0; i < all->n; i++)
		if (streq(all->items[i].name, "value")) {
			only.items[0] = all->items[i];
			only.n = 1;
		}
	return only;
}

static int on_event(void *arg, const struct import_value v[IMPORT_FIELDS],
		    const struct import_series *series)
{
	const struct import_series value = only_value(series);
	struct reader *d = arg;
	bool is_meta = v[FIELD_PH].kind == IMPORT_JSON_STRING && streq(v[FIELD_PH].text, "M");

	if (is_meta && v[FIELD_NAME].kind == IMPORT_JSON_STRING &&
	    !streq(v[FIELD_NAME].text, "process_name"))
		return streq(v[FIELD_NAME].text, "PR") ? take_process(d, v) : take_string(d, v);
	if (import_is_text(&v[FIELD_ARGS_EXEC])) {
		int r = note_program(d, v);

		if (r < 0)
			return r;
	}
	return import_events_add(d->events, v, &value);
}

/* Strings may come after the events that name them. */
static int tell_programs(struct reader *d)
{
	int r = 0;

	for (size_t i = 0; i < d->n_programs && r >= 0; i++) {
		const char *text = import_strings_get(&d->strings, d->texts[d->programs[i].hash]);

		if (text[0])
			r = d->sink->process(d->sink->arg, d->programs[i].pid, path_base(text));
	}
	return r;
}

/* What of a line is an event: without brackets alone on it, and commas between lines. */
static void trim(char **line, size_t *len)
{
	while (*len && strchr(" \t", (*line)[*len - 1]))
		--*len;
	if (*len && (*line)[*len - 1] == ',')
		--*len;
	while (*len && strchr(" \t", **line)) {
		++*line;
		--*len;
	}
	/* "[{…}" and "{…}]" have been seen, too. */
	if (*len && **line == '[') {
		++*line;
		--*len;
	}
	if (*len && (*line)[*len - 1] == ']' && **line != '{')
		--*len;
	else if (*len > 1 && (*line)[*len - 1] == ']' && (*line)[*len - 2] == '}')
		--*len;
}

static int read_lines(struct reader *d, struct import_lines *lines, struct error *error)
{
	_cleanup_(import_json_freep) struct import_json *json =
		import_json_new(import_input_name(lines->in), IMPORT_JSON_ROWS, on_event, d);
	size_t len;
	char *line;
	int r;

	if (!json)
		return -ENOMEM;
	while ((r = import_lines_next(lines, &line, &len, error)) > 0) {
		struct error why = {};

		trim(&line, &len);
		if (!len)
			continue;
		line[len] = '\n';
		r = import_json_feed(json, line, len + 1, &why);
		if (r < 0 && why.name[0])
			return import_lines_bad(lines, error, "the line is no event in JSON");
		if (r < 0)
			return r;
	}
	if (r >= 0)
		r = import_json_end(json, error);
	return r;
}

int import_dftracer(struct import_input *in, struct import_sink *sink, struct error *error)
{
	_cleanup_(import_lines_release) struct import_lines lines = {.in = in};
	_cleanup_(reader_release) struct reader d = {.sink = sink};
	int r;

	d.events = import_events_new(sink, error);
	if (!d.events)
		return -ENOMEM;
	r = read_lines(&d, &lines, error);
	if (r >= 0)
		r = tell_programs(&d);
	return r < 0 ? r : import_events_finish(d.events);
}

/* Objects that follow each other without a comma, or strings by hash. */
bool import_is_dftracer(const char *head, size_t len)
{
	const char *end;

	if (memmem(head, len, "\"hhash\"", 7))
		return true;
	if (head[0] != '[' && head[0] != '{')
		return false;
	end = memmem(head, len, "}\n{", 3);
	return end != NULL;
}
