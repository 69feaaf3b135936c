/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Profiles in the pprof format: counts by stack, no times of samples. Of several values that a
 * sample has, the number of samples is taken where the other one is CPU time, the time where the
 * profile is one of waits, and else the one that the profile shows by default.
 */
#include "formats.h"
#include "pprof_tables.h"

enum { PPROF_MAX = 512 << 20, FRAMES_MAX = 4095 };

struct reader {
	struct pprof_tables tables;
	char **texts;		  /* of tables.strings, NUL-terminated; made when they are needed */
	size_t count_at, time_at; /* which value; SIZE_MAX: there is none */
	bool other;		  /* neither samples nor time: what the profile shows by default */
	struct import_frame *frames;
	size_t n, cap;
	struct import_sink *sink;
};

static void reader_release(struct reader *p)
{
	for (size_t i = 0; p->texts && i < p->tables.n_strings; i++)
		free(p->texts[i]);
	free(p->texts);
	free(p->frames);
	pprof_tables_release(&p->tables);
}

/* "" for what is not there; NULL: out of memory. */
static const char *text(struct reader *p, uint64_t number)
{
	const struct protobuf *s;

	if (number >= p->tables.n_strings)
		return "";
	s = &p->tables.strings[number];
	if (!p->texts[number])
		p->texts[number] = strndup((const char *)s->at, (size_t)(s->end - s->at));
	return p->texts[number];
}

static size_t find_type(const struct pprof_tables *t, const char *type, const char *unit)
{
	for (size_t i = 0; i < t->n_types; i++)
		if (pprof_string_is(t, t->types[i].type, type) &&
		    pprof_string_is(t, t->types[i].unit, unit))
			return i;
	return SIZE_MAX;
}

static size_t default_type(const struct pprof_tables *t)
{
	for (size_t i = 0; i < t->n_types && t->default_type; i++)
		if (t->types[i].type == t->default_type)
			return i;
	return t->n_types - 1;
}

static void choose(struct reader *p)
{
	const struct pprof_tables *t = &p->tables;
	bool cpu = pprof_string_is(t, t->period_type.type, "cpu") &&
		   pprof_string_is(t, t->period_type.unit, "nanoseconds");

	p->count_at = find_type(t, "samples", "count");
	p->time_at = SIZE_MAX;
	if (p->count_at != SIZE_MAX) {
		if (cpu)
			p->sink->period_ns = t->period;
		return;
	}
	/* Of runtime.SetBlockProfileRate() and mutexes; and of sonde's own waits. */
	p->time_at = find_type(t, "delay", "nanoseconds");
	p->count_at = find_type(t, "contentions", "count");
	if (p->time_at == SIZE_MAX) {
		p->time_at = find_type(t, "offcpu", "nanoseconds");
		p->count_at = find_type(t, "waits", "count");
	}
	if (p->time_at != SIZE_MAX && p->count_at == SIZE_MAX)
		p->count_at = p->time_at;
	p->other = p->time_at == SIZE_MAX;
	if (p->other)
		p->count_at = default_type(t);
}

static int put_frame(struct reader *p, const struct import_frame *f)
{
	if (array_reserve(&p->frames, &p->cap, p->n + 1, sizeof(*p->frames)) < 0)
		return -ENOMEM;
	p->frames[p->n] = *f;
	if (!f->binary[0])
		p->frames[p->n].binary = NULL;
	p->n++;
	return 0;
}

/* A build-id is hexadecimal; other writers put other things there. */
static bool is_build_id(const char *id)
{
	size_t len = strlen(id);

	return len && len % 2 == 0 && len <= 40 && strspn(id, "0123456789abcdefABCDEF") == len;
}

/* Nothing but where it is: its function is looked up when somebody asks, if the file is there. */
static int add_address(struct reader *p, const struct pprof_location *l,
		       const struct pprof_mapping *m, struct import_frame *f)
{
	f->build_id = m && !f->kernel ? text(p, m->build_id) : "";
	if (!f->build_id)
		return -ENOMEM;
	if (is_build_id(f->build_id)) {
		f->name = NULL;
		f->offset = l->address >= m->start ? l->address - m->start + m->offset : 0;
	} else {
		f->name = "[unknown]";
		f->build_id = NULL;
	}
	return put_frame(p, f);
}

/* A frame for each function that is inlined there: they are named as the profile has them. */
static int add_location(struct reader *p, const struct pprof_location *l)
{
	const struct pprof_mapping *m = pprof_mapping(&p->tables, l->mapping);
	struct import_frame f = {.binary = m ? text(p, m->path) : ""};
	int r = 0;

	if (!f.binary)
		return -ENOMEM;
	f.kernel = startswith(f.binary, "[kernel");
	if (!l->n_lines)
		return add_address(p, l, m, &f);
	for (uint32_t i = 0; i < l->n_lines && r >= 0; i++) {
		const struct pprof_function *fn =
			pprof_function(&p->tables, p->tables.lines[l->first_line + i]);

		f.name = fn ? text(p, fn->name) : "";
		if (!f.name)
			return -ENOMEM;
		if (!f.name[0])
			f.name = "[unknown]";
		r = put_frame(p, &f);
	}
	return r;
}

static int add_locations(struct reader *p, struct protobuf_field *field)
{
	bool first = true;
	uint64_t id;
	int r;

	while ((r = protobuf_repeated(field, &first, &id)) > 0) {
		const struct pprof_location *l = pprof_location(&p->tables, id);

		if (!l)
			return -EBADMSG;
		if (p->n > FRAMES_MAX)
			continue;
		r = add_location(p, l);
		if (r < 0)
			return r;
	}
	return r;
}

struct label {
	const char *comm, *thread;
	uint64_t pid, tid;
};

/* The labels that say whose sample it is, as sonde and others call them. */
static int read_label(struct reader *p, struct protobuf bytes, struct label *label)
{
	uint64_t key = 0, str = 0, number = 0;
	uint64_t *const to[] = {[1] = &key, [2] = &str, [3] = &number};
	int r = protobuf_numbers(bytes, to, ARRAY_SIZE(to));

	if (r < 0)
		return r;
	if (pprof_string_is(&p->tables, key, "comm"))
		label->comm = text(p, str);
	else if (pprof_string_is(&p->tables, key, "thread"))
		label->thread = text(p, str);
	else if (pprof_string_is(&p->tables, key, "pid"))
		label->pid = number;
	else if (pprof_string_is(&p->tables, key, "tid"))
		label->tid = number;
	return 0;
}

static int read_values(struct reader *p, struct protobuf_field *field, size_t *at, uint64_t *count,
		       uint64_t *time)
{
	bool first = true;
	uint64_t value;
	int r;

	while ((r = protobuf_repeated(field, &first, &value)) > 0) {
		if (*at == p->count_at)
			*count = value;
		if (*at == p->time_at)
			*time = value;
		++*at;
	}
	return r;
}

static int give(struct reader *p, const struct label *label, uint64_t count, uint64_t time)
{
	struct import_sample sample = {
		.waits = p->time_at != SIZE_MAX,
		.pid = label->pid <= INT32_MAX ? (uint32_t)label->pid : 0,
		.tid = label->tid <= INT32_MAX ? (uint32_t)label->tid : 0,
		.comm = label->comm,
		.thread = label->thread ? label->thread : label->comm,
		.count = count,
		.total_ns = time,
	};

	if (sample.waits && p->count_at == p->time_at)
		sample.count = 1;
	/* Values below 0 are of profiles that are a difference. */
	if (count > IMPORT_MAX_SPAN || time > IMPORT_MAX_SPAN) {
		p->sink->notes[NOTE_HUGE]++;
		return 0;
	}
	if (!sample.count) {
		p->sink->notes[NOTE_ZERO]++;
		return 0;
	}
	p->sink->notes[NOTE_UNIT] += p->other;
	return p->sink->sample(p->sink->arg, &sample, p->frames, p->n);
}

static int read_sample(struct reader *p, struct protobuf bytes, const char *comm)
{
	struct label label = {.comm = comm};
	uint64_t count = 0, time = 0;
	struct protobuf_field field;
	size_t at = 0;
	int r;

	p->n = 0;
	while ((r = protobuf_next(&bytes, &field)) > 0) {
		if (field.number == 1)
			r = add_locations(p, &field);
		else if (field.number == 2)
			r = read_values(p, &field, &at, &count, &time);
		else if (field.number == 3 && field.bytes.at)
			r = read_label(p, field.bytes, &label);
		if (r < 0)
			return r;
	}
	if (!label.comm)
		return -ENOMEM;
	return r < 0 ? r : give(p, &label, count, time);
}

/* Without labels it is the program of the first mapping. */
static const char *program(struct reader *p)
{
	const char *path = p->tables.n_mappings ? text(p, p->tables.mappings[0].path) : "";

	return path ? path_base(path) : NULL;
}

static int read_samples(struct reader *p, struct protobuf data)
{
	const char *comm = program(p);
	struct protobuf_field field;
	int r;

	if (!comm)
		return -ENOMEM;
	while ((r = protobuf_next(&data, &field)) > 0) {
		if (field.number != 2 || !field.bytes.at)
			continue;
		r = read_sample(p, field.bytes, comm);
		if (r < 0)
			return r;
	}
	return r;
}

int import_pprof(struct import_input *in, struct import_sink *sink, struct error *error)
{
	_cleanup_(reader_release) struct reader p = {.sink = sink};
	_cleanup_(freep) char *data = NULL;
	struct protobuf bytes;
	size_t len;
	int r = import_input_all(in, PPROF_MAX, &data, &len, error);

	if (r < 0)
		return r;
	bytes = (struct protobuf){(const uint8_t *)data, (const uint8_t *)data + len};
	r = len ? pprof_tables_read(&p.tables, bytes) : -EBADMSG;
	if (r >= 0) {
		p.texts = calloc(p.tables.n_strings, sizeof(*p.texts));
		if (!p.texts)
			return -ENOMEM;
		choose(&p);
		r = read_samples(&p, bytes);
	}
	return r == -EBADMSG ? error_set(error, EBADMSG, "BadFile",
					 "%s: this is no profile in the pprof format, or it is "
					 "damaged or truncated",
					 import_input_name(in))
			     : r;
}

/* A message that begins with a value type (field 1), as all writers have it. */
bool import_is_pprof(const char *head, size_t len)
{
	struct protobuf p = {(const uint8_t *)head, (const uint8_t *)head + len};
	struct protobuf_field field;

	if (len < 2 || head[0] != 0x0a || (uint8_t)head[1] > 32)
		return false;
	return protobuf_next(&p, &field) > 0 && protobuf_next(&p, &field) > 0 &&
	       field.number <= 14 && field.number;
}
