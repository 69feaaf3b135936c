/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/source_match.h"

static const char provider[] = "sonde";

bool source_match_wanted(const struct resolver *r, uint32_t index)
{
	for (size_t i = 0; i < r->n_specs; i++)
		if (r->files[index].wanted[i] && !r->specs[i]->exclude && r->specs[i]->is_source)
			return true;
	return false;
}

static const struct usdt_note *find_note(const struct usdt_notes *notes, const char *name)
{
	size_t n;
	const struct usdt_note *all = usdt_notes_all(notes, &n);

	for (size_t i = 0; i < n; i++)
		if (streq(all[i].provider, provider) && streq(all[i].name, name))
			return &all[i];
	return NULL;
}

bool source_match_has(struct resolver *r, int fd, const char *path)
{
	_cleanup_(usdt_notes_freep) struct usdt_notes *notes = NULL;

	return reader_notes(r->options->reader, fd, path, NULL, &notes) >= 0 &&
	       find_note(notes, "batch") && find_note(notes, "control");
}

/* What is the same of all probes of a file. */
struct wanted {
	uint32_t file, spec;
	uint64_t control;
};

/*
 * Behind the nop that a note points at, later versions of sonde/span.h have one of five bytes and
 * the return. The call that the kernel makes of it overwrites what is below the stack pointer,
 * which nothing reads any more, whatever the function is that these bytes are in.
 */
static void take_nop5(const struct resolver *r, struct probe_point *p)
{
	static const uint8_t expected[] = {0x90, 0x0f, 0x1f, 0x44, 0x00, 0x00, 0xc3};
	uint8_t bytes[sizeof(expected)];
	const struct place_code code = {.bytes = bytes, .size = sizeof(bytes)};

	if (pread(r->set->files[p->file].fd, bytes, sizeof(bytes), (off_t)p->offset) !=
		    sizeof(bytes) ||
	    memcmp(bytes, expected, sizeof(bytes)) != 0)
		return;
	p->offset++;
	p->skipped = 1;
	p->hit = HIT_OPTIMISED;
	place_instruction(&code, 1, p->instruction, sizeof(p->instruction));
}

static int add_point(struct resolver *r, const struct wanted *w, const struct usdt_note *note,
		     enum source_probe source)
{
	struct probe_set *set = r->set;
	struct probe_point p = {.file = w->file,
				.spec = w->spec,
				.is_static = true,
				.role = ROLE_SOURCE,
				.source = source,
				.control = w->control,
				.ret = RETURN_SITES};
	const char *reason = static_match_place(r, w->file, note, &p);
	char label[32];
	uint8_t needed;
	int x;

	snprintf(label, sizeof(label), "%s:%.16s", provider, note->name);
	if (reason) {
		match_leave_out(r, label, reason);
		return 0;
	}
	/* The others are hit too seldom for it to matter. */
	if (source == SOURCE_AT_SINGLE && r->options->nop5_is_cheap)
		take_nop5(r, &p);
	r->total++;
	if (set->n >= PROBE_MAX_POINTS)
		return 0;
	x = array_reserve(&set->points, &set->cap, set->n + 1, sizeof(*set->points));
	if (x < 0)
		return x;
	p.symbol = strdup(label);
	if (!p.symbol)
		return -ENOMEM;
	x = match_describe(r, &p, NULL, &needed);
	if (x != 0) {
		free(p.symbol);
		r->total--;
		return MIN(x, 0);
	}
	set->points[set->n++] = p;
	return 0;
}

/* With link-time optimisation a probe may be in several places: all that bear its name. */
static int add_points(struct resolver *r, const struct wanted *w, const struct usdt_notes *notes,
		      const char *name, enum source_probe source)
{
	size_t n;
	const struct usdt_note *all = usdt_notes_all(notes, &n);
	int x = 0;

	for (size_t i = 0; i < n && x >= 0; i++)
		if (streq(all[i].provider, provider) && streq(all[i].name, name))
			x = add_point(r, w, &all[i], source);
	return x;
}

int source_match(struct resolver *r, uint32_t index, const struct usdt_notes *notes)
{
	const struct file_image *image = r->files[index].image;
	const struct usdt_note *control = find_note(notes, "control");
	struct wanted w = {.file = index};
	int x;

	for (size_t i = r->n_specs; i-- > 0;) {
		if (!r->files[index].wanted[i] || r->specs[i]->exclude || !r->specs[i]->is_source)
			continue;
		w.spec = (uint32_t)i;
		r->matched[i] += find_note(notes, "batch") != NULL;
	}
	if (control && elf_segments_to_offset(image->segments, image->n_segments,
					      control->semaphore, &w.control) < 0)
		w.control = 0;
	/* Who is attached when a thread first asks learns where it keeps its spans. */
	x = add_points(r, &w, notes, "thread", SOURCE_AT_THREAD);
	if (x < 0)
		return x;
	if (!r->options->single_spans)
		return add_points(r, &w, notes, "batch", SOURCE_AT_BATCH);
	x = add_points(r, &w, notes, "span", SOURCE_AT_SINGLE);
	return x < 0 ? x : add_points(r, &w, notes, "event", SOURCE_AT_SINGLE);
}

int source_match_explain(struct resolver *r, const struct spec *s)
{
	/* Anew, whatever reading files has left there. */
	*r->e = (struct error){};
	if (s->kind == SPEC_PATH)
		error_set(r->e, ENOENT, "NothingMatches", "'%s': %s has no spans of sonde/span.h",
			  s->text, s->binary);
	else
		error_set(r->e, ENOENT, "NothingMatches",
			  "'%s': no file that the target has mapped has spans of sonde/span.h",
			  s->text);
	error_fix(r->e, "build the program with #include <sonde/span.h> and SONDE_SPAN(\"name\"), "
			"or name functions instead");
	return -ENOENT;
}
