/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * profile.proto of google/pprof, compressed. A location is a place in a file with all functions
 * that are inlined there, innermost first; its address is the offset in the file, so that profiles
 * of several processes and hosts merge.
 */
#include "formats.h"
#include "places.h"
#include "profile.pb-c.h"

typedef Perftools__Profiles__Profile Profile;
typedef Perftools__Profiles__ValueType ValueType;
typedef Perftools__Profiles__Sample Sample;
typedef Perftools__Profiles__Label Label;
typedef Perftools__Profiles__Mapping Mapping;
typedef Perftools__Profiles__Location Location;
typedef Perftools__Profiles__Line Line;
typedef Perftools__Profiles__Function Function;

struct pprof {
	Profile *profile; /* all of it malloc'd, and freed by protobuf-c */
	struct places places;
	size_t mappings_cap, functions_cap, locations_cap, samples_cap;
	bool failed; /* out of memory */
};

static int64_t put_string(struct pprof *p, const char *s)
{
	uint32_t n = 0;

	if (intern_put_utf8(&p->places.strings, s, &n) < 0)
		p->failed = true;
	return n;
}

/* A new message of that type at the end of an array of pointers, or NULL. */
#define APPEND(p, array, count, cap, Type, init)                                                   \
	({                                                                                         \
		Type *_new = malloc(sizeof(*_new));                                                \
		if (!_new || array_reserve(&(array), &(cap), (count) + 1, sizeof(*(array))) < 0) { \
			free(_new);                                                                \
			_new = NULL;                                                               \
			(p)->failed = true;                                                        \
		} else {                                                                           \
			init(_new);                                                                \
			(array)[(count)++] = _new;                                                 \
		}                                                                                  \
		_new;                                                                              \
	})

static ValueType *value_type(struct pprof *p, const char *type, const char *unit)
{
	ValueType *v = malloc(sizeof(*v));

	if (!v) {
		p->failed = true;
		return NULL;
	}
	perftools__profiles__value_type__init(v);
	v->type = put_string(p, type);
	v->unit = put_string(p, unit);
	return v;
}

/* The first kind of value counts, the second is time; only whole arrays are hung on the profile. */
static void put_types(struct pprof *p, const struct stacks *s)
{
	static const char *const names[][2] = {
		[ANSWER_SPANS] = {"calls", "self"},
		[ANSWER_CPU] = {"samples", "cpu"},
		[ANSWER_WAITS] = {"waits", "offcpu"},
	};
	Profile *profile = p->profile;

	profile->sample_type = calloc(2, sizeof(*profile->sample_type));
	if (!profile->sample_type) {
		p->failed = true;
		return;
	}
	profile->sample_type[0] = value_type(p, names[s->kind][0], "count");
	profile->sample_type[1] = value_type(p, names[s->kind][1], "nanoseconds");
	profile->n_sample_type = 2;
	profile->default_sample_type = put_string(p, names[s->kind][1]);
	if (s->kind != ANSWER_CPU)
		return;
	profile->period_type = value_type(p, "cpu", "nanoseconds");
	profile->period = (int64_t)s->period_ns;
}

static int pprof_begin(struct export *x)
{
	struct pprof *p = calloc(1, sizeof(*p));

	x->state = p;
	if (!p)
		return -ENOMEM;
	p->profile = malloc(sizeof(*p->profile));
	if (!p->profile)
		return -ENOMEM;
	perftools__profiles__profile__init(p->profile);
	if (places_begin(&p->places) < 0)
		return -ENOMEM;
	p->profile->time_nanos = (int64_t)(reply_u64(x->session, "started_us") * NSEC_PER_USEC);
	return p->failed ? -ENOMEM : 0;
}

/* Ids are indices + 1. */
static void put_mappings(struct pprof *p)
{
	for (size_t i = 0; i < p->places.n_mappings; i++) {
		Mapping *m = APPEND(p, p->profile->mapping, p->profile->n_mapping, p->mappings_cap,
				    Mapping, perftools__profiles__mapping__init);

		if (!m)
			return;
		m->id = i + 1;
		m->filename = p->places.mappings[i].path;
		m->build_id = p->places.mappings[i].build_id;
		m->memory_limit = UINT64_MAX;
		/* All is named already: the reader need not look for the files. */
		m->has_functions = m->has_filenames = m->has_line_numbers = true;
		m->has_inline_frames = true;
	}
}

static void put_functions(struct pprof *p)
{
	for (size_t i = 0; i < p->places.n_functions; i++) {
		Function *f =
			APPEND(p, p->profile->function, p->profile->n_function, p->functions_cap,
			       Function, perftools__profiles__function__init);

		if (!f)
			return;
		f->id = i + 1;
		f->name = f->system_name = p->places.functions[i].name;
		f->filename = p->places.functions[i].file;
	}
}

static void put_lines(struct pprof *p, Location *to, const struct place_location *l)
{
	size_t cap = 0;

	for (uint32_t i = 0; i < l->n_lines; i++) {
		const struct place_line *from = &p->places.lines[l->first_line + i];
		Line *line =
			APPEND(p, to->line, to->n_line, cap, Line, perftools__profiles__line__init);

		if (!line)
			return;
		line->function_id = (uint64_t)from->function + 1;
		line->line = from->line;
	}
}

static void put_locations(struct pprof *p)
{
	for (size_t i = 0; i < p->places.n_locations; i++) {
		const struct place_location *from = &p->places.locations[i];
		Location *l =
			APPEND(p, p->profile->location, p->profile->n_location, p->locations_cap,
			       Location, perftools__profiles__location__init);

		if (!l)
			return;
		l->id = i + 1;
		l->mapping_id = from->mapping;
		l->address = from->address;
		put_lines(p, l, from);
	}
}

/* Leaf first, as profiles have them. */
static void put_stack(struct pprof *p, Sample *sample, const struct stacks *s, uint32_t stack)
{
	const uint32_t *locations;
	size_t n;

	if (places_stack(&p->places, s, stack, &locations, &n) < 0 ||
	    !(sample->location_id = calloc(n, sizeof(*sample->location_id)))) {
		p->failed = true;
		return;
	}
	for (; sample->n_location_id < n; sample->n_location_id++)
		sample->location_id[sample->n_location_id] =
			(uint64_t)locations[sample->n_location_id] + 1;
}

static Label *put_label(struct pprof *p, Sample *sample, size_t *cap, const char *key)
{
	Label *l = APPEND(p, sample->label, sample->n_label, *cap, Label,
			  perftools__profiles__label__init);

	if (l)
		l->key = put_string(p, key);
	return l;
}

static void put_text_label(struct pprof *p, Sample *sample, size_t *cap, const char *key,
			   const char *value)
{
	Label *l = *value ? put_label(p, sample, cap, key) : NULL;

	if (l)
		l->str = put_string(p, value);
}

static void put_labels(struct pprof *p, Sample *sample, const struct stacks *s,
		       const struct stacks_sample *from)
{
	const struct stacks_process *process = &s->processes[from->process];
	size_t cap = 0;
	Label *pid = put_label(p, sample, &cap, "pid");

	if (pid)
		pid->num = process->pid;
	put_text_label(p, sample, &cap, "comm", process->comm);
	put_text_label(p, sample, &cap, "thread", from->thread);
	put_text_label(p, sample, &cap, "container", process->container);
	if (s->kind == ANSWER_SPANS)
		put_text_label(p, sample, &cap, "span", s->frames[s->leaves[from->stack]].func);
}

static void put_sample(struct pprof *p, const struct stacks *s, const struct stacks_sample *from)
{
	Sample *sample = APPEND(p, p->profile->sample, p->profile->n_sample, p->samples_cap, Sample,
				perftools__profiles__sample__init);

	if (!sample)
		return;
	put_stack(p, sample, s, from->stack);
	put_labels(p, sample, s, from);
	sample->value = calloc(2, sizeof(*sample->value));
	if (!sample->value) {
		p->failed = true;
		return;
	}
	sample->n_value = 2;
	sample->value[0] = (int64_t)MIN(from->count, (uint64_t)INT64_MAX);
	sample->value[1] = (int64_t)MIN(from->ns, (uint64_t)INT64_MAX);
}

static int pprof_stacks(struct export *x, reply_t *reply)
{
	_cleanup_(stacks_release) struct stacks s = {};
	struct pprof *p = x->state;
	int r = stacks_read(reply, &s, x->error);

	if (r < 0)
		return r;
	put_types(p, &s);
	if (places_main_mapping(&p->places, &s) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < s.n_samples && !p->failed; i++)
		put_sample(p, &s, &s.samples[i]);
	return p->failed ? -ENOMEM : 0;
}

static int pprof_end(struct export *x)
{
	struct pprof *p = x->state;
	Profile *profile = p->profile;
	uint8_t *to;

	put_mappings(p);
	put_functions(p);
	put_locations(p);
	if (p->failed)
		return -ENOMEM;
	/* The strings change hands: whoever frees the profile frees them. */
	profile->string_table = TAKE_PTR(p->places.strings.strings);
	profile->n_string_table = p->places.strings.n;
	p->places.strings.n = 0;
	to = (uint8_t *)strbuf_extend(x->out,
				      perftools__profiles__profile__get_packed_size(profile));
	if (!to)
		return -ENOMEM;
	perftools__profiles__profile__pack(profile, to);
	return 0;
}

static void pprof_free(struct export *x)
{
	struct pprof *p = x->state;

	if (!p)
		return;
	if (p->profile)
		perftools__profiles__profile__free_unpacked(p->profile, NULL);
	places_release(&p->places);
	free(p);
}

const struct export_format export_pprof = {
	.name = "pprof",
	.extensions = ".pb|.pprof",
	.summary = "profile.proto, always compressed (go tool pprof, Pyroscope, Parca)",
	.carries = EXPORT_STACKS,
	.binary = true,
	.gzipped = true,
	.begin = pprof_begin,
	.stacks = pprof_stacks,
	.end = pprof_end,
	.free = pprof_free,
};
