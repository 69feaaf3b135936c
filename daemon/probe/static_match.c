/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/static_match.h"

#include <fnmatch.h>

#include "probe/insn.h"
#include "probe/signature_note.h"

static const char not_code[] = "its place is no code that the file holds";
static const char refused[] = "the kernel cannot probe its instruction";
static const char no_semaphore[] = "its semaphore is not in the file";
static const char no_inside[] = "an instant has nothing inside it";
static const char red_zone[] = "its nop of five bytes would become a call in this kernel, which "
			       "overwrites what a function "
			       "may keep below its stack pointer";

/* The notes of one probe: items[first] … items[end - 1]. */
struct group {
	size_t first, end;
};

struct matcher {
	struct resolver *r;
	uint32_t file;
	const struct elf_segment *segments;
	size_t n_segments;
	const struct usdt_note *notes;
	size_t n;
	int optimises; /* whether the kernel makes calls of nops; -1: not known yet */
};

static struct group group_at(const struct matcher *m, size_t first)
{
	struct group g = {first, first + 1};

	while (g.end < m->n && streq(m->notes[g.end].provider, m->notes[first].provider) &&
	       streq(m->notes[g.end].name, m->notes[first].name))
		g.end++;
	return g;
}

/* The length of a name without that end; 0 when it has another. */
static size_t base_of(const char *name, const char *end)
{
	size_t len = strlen(name), tail = strlen(end);

	return len > tail && streq(name + len - tail, end) ? len - tail : 0;
}

static int compare_name(const struct usdt_note *a, const char *provider, const char *name,
			size_t base, const char *end)
{
	int r = strcmp(a->provider, provider);

	if (r == 0)
		r = strncmp(a->name, name, base);
	return r ? r : strcmp(a->name + base, end);
}

/* The group of what has the same base and another end; first == end when there is none. */
static struct group find_other(const struct matcher *m, const struct usdt_note *note, size_t base,
			       const char *end)
{
	size_t low = 0, high = m->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_name(&m->notes[middle], note->provider, note->name, base, end) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == m->n || compare_name(&m->notes[low], note->provider, note->name, base, end) != 0)
		return (struct group){};
	return group_at(m, low);
}

static bool spec_has(const struct spec *s, const struct usdt_note *note, const char *base)
{
	return s->is_static && fnmatch(s->provider, note->provider, 0) == 0 &&
	       (fnmatch(s->pattern, note->name, 0) == 0 ||
		(base && fnmatch(s->pattern, base, 0) == 0));
}

/* The first specification that includes it, or -ENOENT; base: of a pair. Gates come last. */
static int find_spec(const struct matcher *m, const struct usdt_note *note, const char *base,
		     bool *ret_gate)
{
	struct resolver *r = m->r;
	int found = -ENOENT;

	*ret_gate = false;
	for (size_t i = 0; i < r->n_specs; i++) {
		if (!r->files[m->file].wanted[i] || r->specs[i]->exclude ||
		    (found >= 0 && !match_is_gate(r, i)) || !spec_has(r->specs[i], note, base))
			continue;
		*ret_gate |= match_is_gate(r, i);
		r->matched[i]++;
		found = found < 0 ? (int)i : found;
	}
	return found;
}

/* An exclusion that says nothing of a binary holds for all that has the name. */
static bool is_excluded(const struct matcher *m, const struct usdt_note *note, const char *base)
{
	const struct resolver *r = m->r;

	for (size_t i = 0; i < r->n_specs; i++) {
		const struct spec *s = r->specs[i];

		if (!s->exclude || !r->files[m->file].wanted[i])
			continue;
		if (spec_has(s, note, base) ||
		    (!s->is_static && s->kind == SPEC_EXECUTABLE &&
		     fnmatch(s->pattern, base ? base : note->name, 0) == 0))
			return true;
	}
	return false;
}

static bool kernel_optimises(struct matcher *m)
{
	const struct function_type *type;

	if (m->optimises < 0) {
		/* What cannot be found out is taken to be so. */
		m->optimises = 1;
		if (m->r->kernel_types || btf_types_open(NULL, &m->r->kernel_types) >= 0)
			m->optimises = btf_types_find(m->r->kernel_types, "arch_uprobe_optimize",
						      &type) >= 0;
	}
	return m->optimises;
}

/* lea -0x80(%rsp),%rsp in front of it: who wrote that knew. */
static bool spares_red_zone(int fd, uint64_t offset)
{
	static const uint8_t lea[5] = {0x48, 0x8d, 0x64, 0x24, 0x80};
	uint8_t before[sizeof(lea)];

	return offset >= sizeof(before) &&
	       pread(fd, before, sizeof(before), (off_t)(offset - sizeof(before))) ==
		       sizeof(before) &&
	       memcmp(before, lea, sizeof(lea)) == 0;
}

static bool is_in_code(const struct matcher *m, uint64_t vaddr)
{
	for (size_t i = 0; i < m->n_segments; i++) {
		const struct elf_segment *s = &m->segments[i];

		if (s->executable && vaddr >= s->vaddr && vaddr - s->vaddr < s->file_size)
			return true;
	}
	return false;
}

/* Where it is, and what a hit costs. NULL, or the reason why it is left out. */
static const char *place(struct matcher *m, const struct usdt_note *note, struct probe_point *p)
{
	int fd = m->r->set->files[m->file].fd;
	uint8_t bytes[16];
	struct place_code code = {.bytes = bytes, .vaddr = note->vaddr};
	ssize_t n;

	if (!is_in_code(m, note->vaddr) ||
	    elf_segments_to_offset(m->segments, m->n_segments, note->vaddr, &p->offset) < 0)
		return not_code;
	n = pread(fd, bytes, sizeof(bytes), (off_t)p->offset);
	if (n <= 0)
		return not_code;
	code.size = (size_t)n;
	p->hit = place_hit(bytes, code.size, false);
	if (p->hit == HIT_KINDS)
		return refused;
	place_instruction(&code, 0, p->instruction, sizeof(p->instruction));
	if (insn_is_nop5(bytes, code.size) && !spares_red_zone(fd, p->offset) &&
	    kernel_optimises(m))
		return red_zone;
	if (note->semaphore &&
	    elf_segments_to_offset(m->segments, m->n_segments, note->semaphore, &p->semaphore) < 0)
		return no_semaphore;
	return NULL;
}

/* What is the same of all points of a probe. */
struct plan {
	const char *label;
	uint32_t spec;
	bool gate;
	struct group begins, ends; /* ends.first == ends.end: an instant */
};

/* Adds one place; 0, 1 when it is left out, -errno. */
static int add_point(struct matcher *m, const struct plan *plan, size_t note, bool is_end)
{
	struct probe_set *set = m->r->set;
	bool is_pair = plan->ends.end > plan->ends.first;
	struct usdt_type type;
	struct probe_point p = {.file = m->file,
				.spec = plan->spec,
				.is_static = true,
				.gate = plan->gate,
				.note = (uint32_t)note,
				.end_note = (uint32_t)plan->ends.first,
				.n_ends = (uint32_t)(plan->ends.end - plan->ends.first),
				.ret = RETURN_SITES};
	const char *reason = place(m, &m->notes[note], &p);
	uint8_t needed;
	int r;

	p.role = is_end ? ROLE_END : match_is_gate(m->r, plan->spec) ? ROLE_GATE : ROLE_SPAN;
	if (!reason && !is_pair && p.role == ROLE_GATE)
		reason = no_inside;
	if (reason) {
		match_leave_out(m->r, plan->label, reason);
		return 1;
	}
	m->r->total++;
	if (set->n >= PROBE_MAX_POINTS)
		return 1;
	r = array_reserve(&set->points, &set->cap, set->n + 1, sizeof(*set->points));
	if (r < 0)
		return r;
	p.symbol = strdup(plan->label);
	if (!p.symbol)
		return -ENOMEM;
	if (is_end)
		signature_note_result(&m->notes[note], &p.result);
	else
		usdt_type_make(&m->notes[note], is_pair ? &m->notes[plan->ends.first] : NULL,
			       &type);
	r = match_describe(m->r, &p, is_end ? NULL : &type.type, &needed);
	if (r != 0) {
		free(p.symbol);
		m->r->total--;
		return r;
	}
	set->points[set->n++] = p;
	return 0;
}

/* Adds the places of a probe, and those of its end behind them. */
static int add_points(struct matcher *m, const struct plan *plan)
{
	struct probe_set *set = m->r->set;
	size_t first = set->n, n_begins, n_ends;
	int r;

	for (size_t i = plan->begins.first; i < plan->begins.end; i++) {
		r = add_point(m, plan, i, false);
		if (r < 0)
			return r;
	}
	n_begins = set->n - first;
	for (size_t i = plan->ends.first; i < plan->ends.end && n_begins > 0; i++) {
		r = add_point(m, plan, i, true);
		if (r < 0)
			return r;
	}
	n_ends = set->n - first - n_begins;
	for (size_t i = first; i < set->n; i++) {
		set->points[i].n_begins = (uint32_t)n_begins;
		set->points[i].n_ends = (uint32_t)n_ends;
		set->points[i].back = (uint32_t)(i - first);
	}
	return 0;
}

/* What begins at `at` in the notes, and is not the end of something that is matched itself. */
static int match_group(struct matcher *m, struct group g)
{
	const struct usdt_note *note = &m->notes[g.first];
	size_t entry = base_of(note->name, "__entry"), end = base_of(note->name, "__return");
	struct plan plan = {.begins = g};
	_cleanup_(freep) char *base = NULL, *label = NULL;
	int spec;

	if (end) {
		struct group begin = find_other(m, note, end, "__entry");
		bool gate;

		base = strndup(note->name, end);
		if (!base)
			return -ENOMEM;
		if (begin.end > begin.first &&
		    find_spec(m, &m->notes[begin.first], base, &gate) >= 0)
			return 0;
		free(base);
		base = NULL;
	}
	if (entry)
		plan.ends = find_other(m, note, entry, "__return");
	if (plan.ends.end > plan.ends.first)
		base = strndup(note->name, entry);
	if (plan.ends.end > plan.ends.first && !base)
		return -ENOMEM;
	spec = find_spec(m, note, base, &plan.gate);
	if (spec < 0)
		return 0;
	if (is_excluded(m, note, base)) {
		m->r->excluded++;
		return 0;
	}
	if (asprintf(&label, "%s:%s", note->provider, base ? base : note->name) < 0) {
		label = NULL;
		return -ENOMEM;
	}
	plan.label = label;
	plan.spec = (uint32_t)spec;
	return add_points(m, &plan);
}

bool static_match_wanted(const struct resolver *r, uint32_t index, bool is_static)
{
	for (size_t i = 0; i < r->n_specs; i++)
		if (r->files[index].wanted[i] && !r->specs[i]->exclude && !r->specs[i]->is_source &&
		    r->specs[i]->is_static == is_static)
			return true;
	return false;
}

const char *static_match_place(struct resolver *r, uint32_t index, const struct usdt_note *note,
			       struct probe_point *p)
{
	struct matcher m = {.r = r, .file = index, .optimises = -1};

	m.segments = r->files[index].image->segments;
	m.n_segments = r->files[index].image->n_segments;
	return place(&m, note, p);
}

int static_match(struct resolver *r, uint32_t index, const struct usdt_notes *notes)
{
	struct matcher m = {.r = r, .file = index, .optimises = -1};
	int x;

	m.notes = usdt_notes_all(notes, &m.n);
	m.segments = r->files[index].image->segments;
	m.n_segments = r->files[index].image->n_segments;
	for (size_t i = 0; i < m.n;) {
		struct group g = group_at(&m, i);

		x = match_group(&m, g);
		if (x < 0)
			return x;
		i = g.end;
	}
	return 0;
}

bool static_match_type(const struct usdt_notes *notes, const struct probe_point *p, uint64_t vaddr,
		       struct usdt_type *ret)
{
	size_t n;
	const struct usdt_note *all = usdt_notes_all(notes, &n);
	bool is_pair = p->n_ends > 0;

	/* The file may have been written over since. */
	if (p->note >= n || all[p->note].vaddr != vaddr || (is_pair && p->end_note >= n))
		return false;
	usdt_type_make(&all[p->note], is_pair ? &all[p->end_note] : NULL, ret);
	return true;
}
