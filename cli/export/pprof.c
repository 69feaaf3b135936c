/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * profile.proto of google/pprof, compressed. A location is a place in a file with all functions
 * that are inlined there, innermost first; its address is the offset in the file, so that profiles
 * of several processes and hosts merge.
 */
#include "formats.h"
#include "intern.h"
#include "profile.pb-c.h"
#include "stacks.h"

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
	struct intern strings;
	struct table mappings, functions, locations; /* to the ids of the profile */
	size_t mappings_cap, functions_cap, locations_cap, samples_cap;
	bool failed; /* out of memory */
};

static int64_t put_string(struct pprof *p, const char *s)
{
	uint32_t n = 0;

	if (intern_put_utf8(&p->strings, s, &n) < 0)
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
	put_string(p, "");
	p->profile->time_nanos = (int64_t)(reply_u64(x->session, "started_us") * NSEC_PER_USEC);
	return p->failed ? -ENOMEM : 0;
}

static uint64_t mapping_of(struct pprof *p, const struct stacks_frame *f)
{
	int64_t path = put_string(p, f->kind == FLAME_KERNEL ? "[kernel.kallsyms]" : f->path);
	int64_t build_id = put_string(p, f->build_id);
	uint32_t *slot;
	Mapping *m;
	bool is_new;

	if (!*f->path)
		return 0;
	slot = table_put(&p->mappings, (uint64_t)path << 32 | (uint64_t)build_id, &is_new);
	if (!slot) {
		p->failed = true;
		return 0;
	}
	if (!is_new)
		return *slot;
	m = APPEND(p, p->profile->mapping, p->profile->n_mapping, p->mappings_cap, Mapping,
		   perftools__profiles__mapping__init);
	if (!m)
		return 0;
	m->id = *slot = (uint32_t)p->profile->n_mapping;
	m->filename = path;
	m->build_id = build_id;
	m->memory_limit = UINT64_MAX;
	/* They are named already: the reader need not look for the files. */
	m->has_functions = m->has_filenames = m->has_line_numbers = m->has_inline_frames = true;
	return m->id;
}

static uint64_t function_of(struct pprof *p, const struct stacks_frame *f)
{
	int64_t name = put_string(p, f->func);
	int64_t file = put_string(p, *f->file ? f->file : "");
	uint32_t *slot;
	Function *to;
	bool is_new;

	slot = table_put(&p->functions, (uint64_t)name << 32 | (uint64_t)file, &is_new);
	if (!slot) {
		p->failed = true;
		return 0;
	}
	if (!is_new)
		return *slot;
	to = APPEND(p, p->profile->function, p->profile->n_function, p->functions_cap, Function,
		    perftools__profiles__function__init);
	if (!to)
		return 0;
	to->id = *slot = (uint32_t)p->profile->n_function;
	to->name = to->system_name = name;
	to->filename = file;
	return to->id;
}

static void put_lines(struct pprof *p, Location *l, const struct stacks *s, const uint32_t *frames,
		      size_t n)
{
	size_t cap = 0;

	while (n-- > 0) {
		const struct stacks_frame *f = &s->frames[frames[n]];
		Line *line =
			APPEND(p, l->line, l->n_line, cap, Line, perftools__profiles__line__init);

		if (!line)
			return;
		line->function_id = function_of(p, f);
		line->line = f->line;
	}
}

/* Of a frame and those that are inlined into it, n in all. */
static uint64_t location_of(struct pprof *p, const struct stacks *s, const uint32_t *frames,
			    size_t n)
{
	const struct stacks_frame *f = &s->frames[frames[0]];
	uint32_t *slot;
	Location *l;
	bool is_new;

	slot = table_put(&p->locations, (uint64_t)frames[0] << 32 | frames[n - 1], &is_new);
	if (!slot) {
		p->failed = true;
		return 0;
	}
	if (!is_new)
		return *slot;
	l = APPEND(p, p->profile->location, p->profile->n_location, p->locations_cap, Location,
		   perftools__profiles__location__init);
	if (!l)
		return 0;
	l->id = *slot = (uint32_t)p->profile->n_location;
	l->mapping_id = mapping_of(p, f);
	l->address = f->offset;
	put_lines(p, l, s, frames, n);
	return l->id;
}

/* Leaf first, as profiles have them. */
static void put_locations(struct pprof *p, Sample *sample, const struct stacks *s, uint32_t stack)
{
	size_t n, first;
	const uint32_t *chain = stacks_chain(s, stack, &n);

	sample->location_id = calloc(n, sizeof(*sample->location_id));
	if (!sample->location_id) {
		p->failed = true;
		return;
	}
	for (; n > 0; n = first) {
		first = n - 1;
		while (first > 0 && s->frames[chain[first]].inlined)
			first--;
		sample->location_id[sample->n_location_id++] =
			location_of(p, s, chain + first, n - first);
	}
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
	put_locations(p, sample, s, from->stack);
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

/*
 * The first mapping is what readers call the program: the file that most samples begin in, which is
 * neither the kernel nor, of the first moments, the loader.
 */
static void put_main_mapping(struct pprof *p, const struct stacks *s)
{
	_cleanup_(freep) uint64_t *counts = calloc(s->n_frames + 1, sizeof(*counts));
	_cleanup_(intern_release) struct intern paths = {};
	const struct stacks_frame *best = NULL;
	uint64_t most = 0;

	for (size_t i = 0; i < s->n_samples && counts; i++) {
		uint32_t root = stacks_chain(s, s->samples[i].stack, &(size_t){0})[0], path;
		const struct stacks_frame *f = &s->frames[root];

		if (f->kind == FLAME_KERNEL || f->path[0] != '/')
			continue;
		if (intern_put(&paths, f->path, &path) < 0)
			break;
		counts[path] += s->samples[i].count;
		if (counts[path] > most) {
			most = counts[path];
			best = f;
		}
	}
	if (best)
		mapping_of(p, best);
}

static int pprof_stacks(struct export *x, reply_t *reply)
{
	_cleanup_(stacks_release) struct stacks s = {};
	struct pprof *p = x->state;
	int r = stacks_read(reply, &s, x->error);

	if (r < 0)
		return r;
	put_types(p, &s);
	put_main_mapping(p, &s);
	for (size_t i = 0; i < s.n_samples && !p->failed; i++)
		put_sample(p, &s, &s.samples[i]);
	return p->failed ? -ENOMEM : 0;
}

static int pprof_end(struct export *x)
{
	struct pprof *p = x->state;
	Profile *profile = p->profile;
	uint8_t *to;

	/* The strings change hands: whoever frees the profile frees them. */
	profile->string_table = TAKE_PTR(p->strings.strings);
	profile->n_string_table = p->strings.n;
	p->strings.n = 0;
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
	table_release(&p->mappings);
	table_release(&p->functions);
	table_release(&p->locations);
	intern_release(&p->strings);
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
