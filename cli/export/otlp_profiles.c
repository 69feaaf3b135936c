/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Profiles v1development: a ResourceProfiles a process, and one dictionary. Entry 0 of each of its
 * tables is the zero value, so what places.h numbers from 0 on is one further there.
 */
#include "otlp.h"
#include "places.h"
#include "profiles.pb-c.h"

#define P(name)	      Opentelemetry__Proto__Profiles__V1development__##name
#define INIT(name, p) opentelemetry__proto__profiles__v1development__##name##__init(p)

/* A table of pointers in the arena, its first element the zero value. */
#define TABLE(o, Type, name, n)                                                                    \
	({                                                                                         \
		P(Type) **_table = ARENA_ARRAY(&(o)->arena, P(Type) *, (n) + 1);                   \
		P(Type) *_all = ARENA_ARRAY(&(o)->arena, P(Type), (n) + 1);                        \
		for (size_t _i = 0; _table && _all && _i <= (n); _i++) {                           \
			INIT(name, &_all[_i]);                                                     \
			_table[_i] = &_all[_i];                                                    \
		}                                                                                  \
		_all ? _table : NULL;                                                              \
	})

struct profiles {
	struct export *x;
	struct otlp *o;
	const struct stacks *s;
	struct places places;
	struct table stack_index; /* of stacks to the dictionary's */
	uint32_t *stacks;	  /* those that samples have, in its order */
	size_t n_stacks, stacks_cap;
	struct table thread_index; /* of strings to attributes */
	uint32_t *threads;
	size_t n_threads, threads_cap;
	uint32_t key_thread, key_build_id, type, unit, period_type, period_unit;
};

static void profiles_release(struct profiles *p)
{
	places_release(&p->places);
	table_release(&p->stack_index);
	table_release(&p->thread_index);
	free(p->stacks);
	free(p->threads);
}

/* The place of a number in a list of those that are used, from 1 on: 0 is the zero value. */
static int use(struct table *index, uint32_t **list, size_t *n, size_t *cap, uint32_t number,
	       int32_t *ret)
{
	uint32_t *slot;
	bool is_new;

	slot = table_put(index, number, &is_new);
	if (!slot || array_reserve(list, cap, *n + 1, sizeof(**list)) < 0)
		return -ENOMEM;
	if (is_new) {
		(*list)[(*n)++] = number;
		*slot = (uint32_t)*n;
	}
	*ret = (int32_t)*slot;
	return 0;
}

static int32_t *one(struct otlp *o, int32_t value)
{
	int32_t *p = ARENA_NEW(&o->arena, int32_t);

	if (p)
		*p = value;
	return p;
}

static int put_sample(struct profiles *p, const struct stacks_sample *from, P(Sample) * to)
{
	int32_t attribute;
	uint32_t name;
	int r = use(&p->stack_index, &p->stacks, &p->n_stacks, &p->stacks_cap, from->stack,
		    &to->stack_index);

	to->values = ARENA_NEW(&p->o->arena, int64_t);
	if (r < 0 || !to->values)
		return -ENOMEM;
	to->n_values = 1;
	to->values[0] = (int64_t)MIN(stacks_value(p->s, from), (uint64_t)INT64_MAX);
	if (!*from->thread)
		return 0;
	r = intern_put_utf8(&p->places.strings, from->thread, &name);
	if (r >= 0)
		r = use(&p->thread_index, &p->threads, &p->n_threads, &p->threads_cap, name,
			&attribute);
	if (r < 0)
		return r;
	to->attribute_indices = one(p->o, attribute);
	to->n_attribute_indices = to->attribute_indices ? 1 : 0;
	return 0;
}

static P(ValueType) * value_type(struct otlp *o, uint32_t type, uint32_t unit)
{
	P(ValueType) *v = ARENA_NEW(&o->arena, P(ValueType));

	if (!v)
		return NULL;
	INIT(value_type, v);
	v->type_strindex = (int32_t)type;
	v->unit_strindex = (int32_t)unit;
	return v;
}

static P(Profile) * profile_of(struct profiles *p, uint32_t process)
{
	uint64_t started_ns = reply_u64(p->x->session, "started_us") * NSEC_PER_USEC;
	uint64_t of[] = {p->s->processes[process].pid, started_ns, (uint64_t)p->s->kind};
	P(Profile) *to = ARENA_NEW(&p->o->arena, P(Profile));

	if (!to)
		return NULL;
	INIT(profile, to);
	to->sample_type = value_type(p->o, p->type, p->unit);
	to->time_unix_nano = started_ns;
	if (p->s->kind == ANSWER_CPU) {
		to->period_type = value_type(p->o, p->period_type, p->period_unit);
		to->period = (int64_t)p->s->period_ns;
	}
	to->profile_id.data = arena_get(&p->o->arena, 16);
	if (!to->profile_id.data)
		return NULL;
	to->profile_id.len = 16;
	otlp_id(to->profile_id.data, 16, of, ARRAY_SIZE(of));
	return to;
}

/* All samples of one process. */
static int put_process(struct profiles *p, struct stacks_sample **samples, size_t n)
{
	const struct stacks_process *process = &p->s->processes[samples[0]->process];
	struct otlp *o = p->o;
	P(ResourceProfiles) *rp = ARENA_NEW(&o->arena, P(ResourceProfiles));
	P(ScopeProfiles) *scope = ARENA_NEW(&o->arena, P(ScopeProfiles));
	P(Profile) *profile = profile_of(p, samples[0]->process);
	P(Sample) **table = TABLE(o, Sample, sample, n);

	if (!rp || !scope || !profile || !table)
		return -ENOMEM;
	INIT(resource_profiles, rp);
	INIT(scope_profiles, scope);
	rp->resource = otlp_resource(o, &(struct otlp_process){process->pid, process->comm,
							       process->container,
							       export_host(p->x, process->host)});
	rp->scope_profiles = ARENA_NEW(&o->arena, P(ScopeProfiles) *);
	scope->profiles = ARENA_NEW(&o->arena, P(Profile) *);
	if (!rp->scope_profiles || !scope->profiles)
		return -ENOMEM;
	rp->scope_profiles[0] = scope;
	rp->n_scope_profiles = scope->n_profiles = 1;
	scope->profiles[0] = profile;
	scope->scope = otlp_scope(o);
	for (size_t i = 0; i < n; i++)
		if (put_sample(p, samples[i], table[i]) < 0)
			return -ENOMEM;
	profile->samples = table;
	profile->n_samples = n;
	return otlp_emit(p->x, 1, "resourceProfiles", true, &rp->base);
}

static void put_lines(struct profiles *p, const struct place_location *from, P(Location) * to)
{
	P(Line) **lines = TABLE(p->o, Line, line, from->n_lines);

	if (!lines)
		return;
	for (uint32_t i = 0; i < from->n_lines; i++) {
		lines[i]->function_index =
			(int32_t)p->places.lines[from->first_line + i].function + 1;
		lines[i]->line = p->places.lines[from->first_line + i].line;
	}
	to->lines = lines;
	to->n_lines = from->n_lines;
}

static int put_stacks(struct profiles *p, P(ProfilesDictionary) * d)
{
	d->stack_table = TABLE(p->o, Stack, stack, p->n_stacks);
	if (!d->stack_table)
		return -ENOMEM;
	d->n_stack_table = p->n_stacks + 1;
	for (size_t i = 0; i < p->n_stacks; i++) {
		P(Stack) *to = d->stack_table[i + 1];
		const uint32_t *locations;
		size_t n;

		if (places_stack(&p->places, p->s, p->stacks[i], &locations, &n) < 0)
			return -ENOMEM;
		to->location_indices = ARENA_ARRAY(&p->o->arena, int32_t, n);
		if (!to->location_indices)
			return -ENOMEM;
		for (; to->n_location_indices < n; to->n_location_indices++)
			to->location_indices[to->n_location_indices] =
				(int32_t)locations[to->n_location_indices] + 1;
	}
	return 0;
}

static int put_places(struct profiles *p, P(ProfilesDictionary) * d)
{
	const struct places *from = &p->places;

	d->mapping_table = TABLE(p->o, Mapping, mapping, from->n_mappings);
	d->function_table = TABLE(p->o, Function, function, from->n_functions);
	d->location_table = TABLE(p->o, Location, location, from->n_locations);
	if (!d->mapping_table || !d->function_table || !d->location_table)
		return -ENOMEM;
	d->n_mapping_table = from->n_mappings + 1;
	d->n_function_table = from->n_functions + 1;
	d->n_location_table = from->n_locations + 1;
	for (size_t i = 0; i < from->n_functions; i++) {
		d->function_table[i + 1]->name_strindex = (int32_t)from->functions[i].name;
		d->function_table[i + 1]->filename_strindex = (int32_t)from->functions[i].file;
	}
	for (size_t i = 0; i < from->n_locations; i++) {
		d->location_table[i + 1]->mapping_index = (int32_t)from->locations[i].mapping;
		d->location_table[i + 1]->address = from->locations[i].address;
		put_lines(p, &from->locations[i], d->location_table[i + 1]);
	}
	return 0;
}

static void put_attribute(struct profiles *p, P(KeyValueAndUnit) * to, uint32_t key, uint32_t text)
{
	to->key_strindex = (int32_t)key;
	to->value = ARENA_NEW(&p->o->arena, AnyValue);
	if (!to->value)
		return;
	opentelemetry__proto__common__v1__any_value__init(to->value);
	to->value->value_case = OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_STRING_VALUE;
	to->value->string_value = p->places.strings.strings[text];
}

/* Names of threads, and behind them the build-ids of mappings. */
static int put_attributes(struct profiles *p, P(ProfilesDictionary) * d)
{
	size_t n = p->n_threads;

	d->attribute_table = TABLE(p->o, KeyValueAndUnit, key_value_and_unit,
				   p->n_threads + p->places.n_mappings);
	if (!d->attribute_table)
		return -ENOMEM;
	for (size_t i = 0; i < p->n_threads; i++)
		put_attribute(p, d->attribute_table[i + 1], p->key_thread, p->threads[i]);
	for (size_t i = 0; i < p->places.n_mappings; i++) {
		const struct place_mapping *from = &p->places.mappings[i];
		P(Mapping) *to = d->mapping_table[i + 1];

		to->memory_limit = UINT64_MAX;
		to->filename_strindex = (int32_t)from->path;
		if (!from->build_id)
			continue;
		put_attribute(p, d->attribute_table[++n], p->key_build_id, from->build_id);
		to->attribute_indices = one(p->o, (int32_t)n);
		to->n_attribute_indices = to->attribute_indices ? 1 : 0;
	}
	d->n_attribute_table = n + 1;
	return 0;
}

static int put_dictionary(struct profiles *p)
{
	static uint8_t zeros[16];
	P(ProfilesDictionary) *d = ARENA_NEW(&p->o->arena, P(ProfilesDictionary));
	int r;

	if (!d)
		return -ENOMEM;
	INIT(profiles_dictionary, d);
	r = put_stacks(p, d);
	if (r >= 0)
		r = put_places(p, d);
	if (r >= 0)
		r = put_attributes(p, d);
	d->link_table = TABLE(p->o, Link, link, 0);
	if (r < 0 || !d->link_table)
		return -ENOMEM;
	d->n_link_table = 1;
	d->link_table[0]->trace_id = (ProtobufCBinaryData){.len = 16, .data = zeros};
	d->link_table[0]->span_id = (ProtobufCBinaryData){.len = 8, .data = zeros};
	d->string_table = p->places.strings.strings;
	d->n_string_table = p->places.strings.n;
	return otlp_emit(p->x, 2, "dictionary", false, &d->base);
}

static int put_names(struct profiles *p)
{
	static const char *const types[][2] = {
		[ANSWER_SPANS] = {"self", "nanoseconds"},
		[ANSWER_CPU] = {"samples", "count"},
		[ANSWER_WAITS] = {"off_cpu", "nanoseconds"},
	};
	const struct {
		const char *text;
		uint32_t *to;
	} names[] = {{"thread.name", &p->key_thread},
		     {"process.executable.build_id.gnu", &p->key_build_id},
		     {types[p->s->kind][0], &p->type},
		     {types[p->s->kind][1], &p->unit},
		     {"cpu", &p->period_type},
		     {"nanoseconds", &p->period_unit}};
	int r = places_begin(&p->places);

	for (size_t i = 0; i < ARRAY_SIZE(names) && r >= 0; i++)
		r = intern_put(&p->places.strings, names[i].text, names[i].to);
	return r;
}

static int compare(const void *pa, const void *pb)
{
	const struct stacks_sample *a = *(struct stacks_sample *const *)pa,
				   *b = *(struct stacks_sample *const *)pb;

	return a->process < b->process ? -1 : a->process > b->process;
}

int otlp_profiles(struct export *x, reply_t *reply)
{
	_cleanup_(stacks_release) struct stacks s = {};
	_cleanup_(profiles_release) struct profiles p = {.x = x, .o = x->state, .s = &s};
	_cleanup_(freep) struct stacks_sample **order = NULL;
	int r = stacks_read(reply, &s, x->error);

	if (r >= 0)
		r = put_names(&p);
	if (r >= 0)
		r = places_main_mapping(&p.places, &s);
	order = calloc(s.n_samples + 1, sizeof(*order));
	if (r < 0 || !order)
		return r < 0 ? r : -ENOMEM;
	for (size_t i = 0; i < s.n_samples; i++)
		order[i] = &s.samples[i];
	qsort(order, s.n_samples, sizeof(*order), compare);
	for (size_t i = 0, n; i < s.n_samples && r >= 0; i += n) {
		for (n = 1; i + n < s.n_samples && order[i + n]->process == order[i]->process; n++)
			;
		r = put_process(&p, order + i, n);
	}
	return r < 0 ? r : put_dictionary(&p);
}
