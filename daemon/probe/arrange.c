/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/arrange.h"

#include "probe/hazard.h"
#include "probe/place_file.h"
#include "probe/unwind.h"
#include "symbol/reader_types.h"

struct arranger {
	struct resolver *r;
	uint32_t file;
	struct match_file *m;
	const struct elf_segment *segments;
	size_t n_segments;
	unsigned int hazards, known_hazards; /* known: not just possible */
	bool is_go;
	struct place_file *places;  /* NULL: not code of this machine's kind */
	struct unwind_graph *graph; /* NULL likewise */
	struct reader_types *types;
};

static void arranger_release(struct arranger *a)
{
	place_file_free(a->places);
	unwind_graph_free(a->graph);
	reader_types_free(a->types);
}

/* What can happen in the programs that run this file's code. */
static void find_hazards(struct arranger *a)
{
	const struct resolver *r = a->r;

	a->hazards = hazard_of_image(a->m->image) | r->process_hazards;
	a->known_hazards = a->hazards;
	/* Of a library that any process may map nothing is known, but of its own code. */
	if (r->target->all && strstr(r->set->files[a->file].path, ".so"))
		a->hazards |= HAZARD_UNWINDER | HAZARD_STACKS;
}

/* -ENODATA: its code cannot be looked at. */
static int read_function(struct arranger *a, const struct probe_point *p, struct place_code *ret)
{
	uint64_t vaddr;
	int x = elf_segments_to_vaddr(a->segments, a->n_segments, p->offset, &vaddr);

	if (x < 0)
		return -ENODATA;
	*ret = (struct place_code){.vaddr = vaddr};
	if (!a->places)
		return 0;
	x = place_file_code(a->places, vaddr, p->size, ret);
	return x < 0 && x != -ENOMEM ? -ENODATA : x;
}

/*
 * Return probes put the address of the kernel's trampoline where the function's return address
 * was. That harms who reads it while the function runs (an unwinder, Go's stack copies), and the
 * kernel loses track when the stack pointer jumps to another stack. A longjmp is fine with it as
 * long as fewer than 64 calls have been jumped over: with more, the thread's later calls have no
 * return probes at all, as the kernel clears its list only when it adds to it.
 */
static enum return_mode safe_mode(struct arranger *a, const struct place_code *code,
				  bool asks_caller, const char **ret_reason)
{
	unsigned int always = HAZARD_GO | HAZARD_STACKS | HAZARD_SECCOMP;

	*ret_reason = NULL;
	if (asks_caller) {
		*ret_reason = "it looks at its return address, to know its caller";
		return RETURN_SITES;
	}
	if (a->hazards & always) {
		*ret_reason = a->known_hazards & always
				      ? hazard_reason(a->known_hazards & always)
				      : "any program may map it, one that switches stacks, too";
		return RETURN_SITES;
	}
	if (a->hazards & (HAZARD_UNWINDER | HAZARD_CANCEL) &&
	    (!a->graph || unwind_graph_can(a->graph, code->vaddr))) {
		*ret_reason = hazard_reason(a->hazards);
		return RETURN_SITES;
	}
	if (a->hazards & HAZARD_JUMPS && a->graph && unwind_graph_can(a->graph, code->vaddr) &&
	    unwind_graph_recurs(a->graph, code->vaddr)) {
		*ret_reason = hazard_reason(HAZARD_JUMPS);
		return RETURN_SITES;
	}
	return RETURN_PROBE;
}

static int add_sites(struct arranger *a, const struct place_code *code, uint32_t point,
		     const struct return_site *sites, size_t n)
{
	static const enum return_way ways[] = {
		[SITE_RET] = WAY_RET,
		[SITE_JUMP] = WAY_JUMP,
		[SITE_JUMP_IF] = WAY_JUMP_IF,
		[SITE_JUMP_REG] = WAY_JUMP_REG,
	};
	struct probe_set *set = a->r->set;
	int x = array_reserve(&set->sites, &set->sites_cap, set->n_sites + n, sizeof(*set->sites));

	if (x < 0)
		return x;
	for (size_t i = 0; i < n; i++) {
		struct probe_site *s = &set->sites[set->n_sites + i];

		*s = (struct probe_site){
			.point = point,
			.way = ways[sites[i].kind],
			.code = sites[i].code,
			.delta = (uint32_t)(sites[i].vaddr - code->vaddr),
			.hit = sites[i].hit,
		};
		if (elf_segments_to_offset(a->segments, a->n_segments, sites[i].vaddr, &s->offset) <
		    0)
			return -EOPNOTSUPP;
	}
	set->points[point].first_site = (uint32_t)set->n_sites;
	set->points[point].n_sites = (uint32_t)n;
	set->n_sites += n;
	return 0;
}

/* 0, 1 when the function cannot be probed for the reason in *ret_reason, or -errno. */
static int place_ends(struct arranger *a, const struct place_code *code, uint32_t point,
		      const char **ret_reason)
{
	struct probe_point *p = &a->r->set->points[point];
	_cleanup_(freep) struct return_site *sites = NULL;
	const char *why = NULL;
	size_t n = 0;
	int x;

	p->ret = a->r->options->returns;
	if (p->ret == RETURN_AUTO)
		p->ret = safe_mode(a, code, p->asks_caller, &p->reason);
	if (p->ret == RETURN_PROBE) {
		if (a->is_go)
			*ret_reason = "a return probe would crash a Go program, which moves its "
				      "stacks";
		else if (p->asks_caller)
			*ret_reason = "it looks at its return address, which a return probe hides";
		return *ret_reason ? 1 : 0;
	}
	x = place_returns(code, &sites, &n, &why);
	if (x >= 0)
		x = add_sites(a, code, point, sites, n);
	if (x != -EOPNOTSUPP)
		return x;
	*ret_reason = "the ends of its calls cannot be found in its code, and a return probe could "
		      "break the program (--return uretprobe insists)";
	return 1;
}

static void place_start(struct arranger *a, const struct place_code *code, uint8_t needed,
			struct probe_point *p)
{
	struct entry_place place;

	if (!code->bytes)
		return;
	/* A return probe replaces the word at the stack pointer: it must be the return address. */
	place_entry(code, needed, p->ret == RETURN_SITES, a->hazards & HAZARD_SECCOMP, &place);
	p->skipped = place.skipped;
	p->offset += place.skipped;
	p->hit = place.hit;
	p->lost_args = place.lost_args;
	p->sp_below = place.sp_below;
	memcpy(p->instruction, place.instruction, sizeof(p->instruction));
}

/* Whether the kernel takes an instruction near the function's start, whatever has to be readable.
 */
static bool has_place(struct arranger *a, const struct place_code *code, enum return_mode ret)
{
	struct entry_place place = {.hit = HIT_STEPPED};

	if (code->bytes)
		place_entry(code, (1U << RECORD_ARGS) - 1, ret == RETURN_SITES,
			    a->hazards & HAZARD_SECCOMP, &place);
	return place.hit != HIT_KINDS;
}

/* Two probes on one instruction have no order: a call would end before it has begun. */
static const struct probe_site *find_site(const struct probe_set *set, const struct probe_point *p)
{
	for (uint32_t i = 0; i < p->n_sites; i++)
		if (set->sites[p->first_site + i].offset == p->offset)
			return &set->sites[p->first_site + i];
	return NULL;
}

/* The function's first instruction, whatever it costs. */
static void place_first(const struct place_code *code, struct probe_point *p)
{
	p->offset -= p->skipped;
	p->skipped = 0;
	p->lost_args = p->sp_below = 0;
	p->hit = place_hit(code->bytes, code->size, true);
	place_instruction(code, 0, p->instruction, sizeof(p->instruction));
}

static const struct function_type *find_type(struct arranger *a, uint64_t vaddr)
{
	const struct function_type *type;

	return a->types && reader_types_find(a->types, vaddr, &type) >= 0 ? type : NULL;
}

/* 0, 1 when it is left out, -errno. */
static int arrange_point(struct arranger *a, uint32_t point)
{
	struct probe_set *set = a->r->set;
	struct probe_point *p = &set->points[point];
	const char *reason = NULL;
	struct place_code code;
	uint8_t needed = 0;
	int x = read_function(a, p, &code);

	if (x == -ENODATA) {
		match_leave_out(a->r, p->symbol, "its code cannot be read");
		return 1;
	}
	if (x < 0)
		return x;
	x = place_ends(a, &code, point, &reason);
	if (x == 0 && find_site(set, p)) {
		set->n_sites -= p->n_sites;
		reason = "its first instruction leaves it, so a call has no duration";
		x = 1;
	}
	if (x == 0 && !has_place(a, &code, p->ret)) {
		set->n_sites -= p->n_sites;
		reason = "the kernel cannot probe its first instruction";
		x = 1;
	}
	if (x > 0)
		match_leave_out(a->r, p->symbol, reason);
	if (x != 0)
		return x;
	x = match_describe(a->r, p, find_type(a, code.vaddr), &needed);
	if (x != 0) {
		set->n_sites -= p->n_sites;
		return x;
	}
	place_start(a, &code, needed, p);
	if (find_site(set, p))
		place_first(&code, p);
	set->hazards |= a->hazards;
	return 0;
}

static struct place_source source_of(const struct match_file *m, const struct probe_file *f)
{
	return (struct place_source){m->image, m->symtab, m->landings, f->fd};
}

static int arranger_init(struct arranger *a, struct resolver *r, uint32_t file)
{
	struct match_file *m = &r->files[file];
	struct probe_file *f = &r->set->files[file];
	const struct place_source source = source_of(m, f);
	int x;

	*a = (struct arranger){.r = r, .file = file, .m = m};
	a->segments = m->image->segments;
	a->n_segments = m->image->n_segments;
	find_hazards(a);
	a->is_go = file_image_section(m->image, ".gopclntab") ||
		   file_image_section(m->image, ".note.go.buildid");
	f->is_go = a->is_go;
	x = place_file_new(&source, &a->places);
	if (x >= 0)
		x = unwind_graph_new(&source, &a->graph);
	if (x < 0 && x != -EOPNOTSUPP)
		return x;
	return 0;
}

/* Reads the types of all points at once. What goes wrong with the reader is worth a note. */
static int open_types(struct arranger *a, size_t first)
{
	const struct resolver *r = a->r;
	const struct probe_file *f = &r->set->files[a->file];
	size_t n = 0, total = r->set->n - first;
	uint64_t *vaddrs _cleanup_(freep) = NULL;
	struct error why = {};
	int x;

	/* What Go says of its arguments and results does not fit the C ABI: they have numbers. */
	if (!r->options->want_types || a->is_go)
		return 0;
	x = reader_types_open(r->options->reader, f->fd, f->path, NULL, &why, &a->types);
	if (x < 0)
		return x == -ENOMEM	   ? x
		       : reader_gave_up(x) ? match_note(a->r, "%s", why.message)
					   : 0;
	vaddrs = calloc(total + 1, sizeof(*vaddrs));
	if (!vaddrs)
		return -ENOMEM;
	for (size_t i = first; i < r->set->n; i++)
		if (elf_segments_to_vaddr(a->segments, a->n_segments, r->set->points[i].offset,
					  &vaddrs[n]) >= 0)
			n++;
	reader_types_fetch(a->types, vaddrs, n);
	return 0;
}

static int note_failure(struct arranger *a)
{
	const char *failure = a->types ? reader_types_failure(a->types) : NULL;

	if (!failure)
		return 0;
	error_set(&a->r->types_failure, EIO, "BadFile", "%s", failure);
	return match_note(a->r, "no types of arguments are known: %s", failure);
}

int arrange_file(struct resolver *r, uint32_t file, size_t first)
{
	_cleanup_(arranger_release) struct arranger a = {};
	struct probe_set *set = r->set;
	size_t kept = first;
	int x;

	if (set->n == first)
		return 0;
	x = arranger_init(&a, r, file);
	if (x >= 0)
		x = open_types(&a, first);
	if (x < 0)
		return x;
	for (size_t i = first; i < set->n; i++) {
		/* Moved first: its sites name it by its index. */
		struct probe_point p = set->points[i];

		if (kept < i) {
			set->points[i] = (struct probe_point){};
			set->points[kept] = p;
		}
		x = arrange_point(&a, (uint32_t)kept);
		if (x > 0) {
			free(set->points[kept].symbol);
			set->points[kept] = (struct probe_point){};
			r->total--;
			continue;
		}
		kept++;
		if (x < 0)
			break;
	}
	if (x < 0) {
		/* What was not looked at still owns its name. */
		for (size_t i = kept; i < set->n; i++)
			free(set->points[i].symbol);
	}
	set->n = kept;
	return x < 0 ? x : note_failure(&a);
}

struct runtime_function {
	const char *name;
	enum probe_role role;
	uint64_t offset;
	uint32_t size;
};

static int find_runtime(const struct symbol *s, void *data)
{
	struct runtime_function *f = data;

	for (size_t i = 0; i < 2; i++)
		if (!f[i].offset && !(s->flags & SYMBOL_PLT) && streq(s->name, f[i].name)) {
			f[i].offset = s->file_offset;
			f[i].size = s->size;
		}
	return 0;
}

static int add_runtime(struct arranger *a, const struct runtime_function *f)
{
	struct probe_set *set = a->r->set;
	struct place_code code;
	struct probe_point *p;
	int x = array_reserve(&set->points, &set->cap, set->n + 1, sizeof(*set->points));

	if (x < 0)
		return x;
	p = &set->points[set->n];
	*p = (struct probe_point){
		.symbol = strdup(f->name),
		.offset = f->offset,
		.size = f->size,
		.file = a->file,
		.role = f->role,
		.ret = RETURN_PROBE, /* the stack pointer at the catch is compared: the entry's */
	};
	if (!p->symbol)
		return -ENOMEM;
	x = read_function(a, p, &code);
	if (x >= 0)
		place_start(a, &code, 3, p);
	else
		free(p->symbol);
	set->n += x >= 0;
	return x == -ENODATA ? 0 : x;
}

/* What was let go when the file was done with, or never read. */
static int load_again(struct resolver *r, struct match_file *m, const struct probe_file *f)
{
	struct reader *reader = r->options->reader;
	int x;

	x = m->image ? 0 : hazard_read_file(reader, f->fd, f->path, NULL, &m->image);
	if (x >= 0 && !m->symtab)
		x = reader_functions(reader, f->fd, f->path, NULL, NULL, &m->symtab);
	if (x >= 0 && !m->landings)
		x = reader_landings(reader, f->fd, f->path, NULL, &m->landings);
	return x;
}

int arrange_exceptions(struct resolver *r, uint32_t file)
{
	struct runtime_function found[2] = {
		{.name = "__cxa_throw", .role = ROLE_THROW},
		{.name = "__cxa_begin_catch", .role = ROLE_CATCH},
	};
	_cleanup_(arranger_release) struct arranger a = {};
	struct match_file *m = &r->files[file];
	const struct probe_file *f = &r->set->files[file];
	struct place_source source;
	int x;

	x = load_again(r, m, f);
	if (x < 0)
		return x == -ENOMEM ? x : 0;
	symtab_each(m->symtab, find_runtime, found);
	a = (struct arranger){.r = r, .file = file, .m = m};
	a.segments = m->image->segments;
	a.n_segments = m->image->n_segments;
	source = source_of(m, f);
	x = place_file_new(&source, &a.places);
	if (x < 0 && x != -EOPNOTSUPP)
		return x;
	for (size_t i = 0; i < 2; i++) {
		x = found[i].offset ? add_runtime(&a, &found[i]) : 0;
		if (x < 0)
			return x;
	}
	return 0;
}
