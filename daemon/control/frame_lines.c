/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/frame_lines.h"

#include "sonde/base/format.h"
#include "sonde/base/strbuf.h"
#include "sonde/base/table.h"

/* Some 20 MiB. Beyond it all is forgotten: what is asked again is read again. */
enum { PLACES_MAX = 256 << 10, ENTRIES_MAX = 512 << 10, TEXTS_MAX = 8 << 20 };
#define QUESTION_NS (5 * NSEC_PER_SEC)
/* A file without debug information may get some: its package is installed, it is not busy now. */
#define RETRY_NS (60 * NSEC_PER_SEC)

struct place {
	uint8_t build_id[BUILD_ID_LEN];
	uint64_t offset;
	uint32_t first, count; /* in entries */
};

struct frame_lines {
	struct symbolizer *symbolizer;
	enum demangle_style style;
	uint64_t until_ns, retry_ns; /* until_ns 0: nothing was asked for so far */
	struct place *places;
	size_t n_places, places_cap;
	struct line_entry *entries; /* with texts of the below */
	size_t n_entries, entries_cap;
	struct strbuf texts;
	struct table by_place, by_text; /* hashes to index, to offset */
	struct table states;		/* hashes of build-ids to enum query_lines */
};

int frame_lines_new(struct symbolizer *symbolizer, struct frame_lines **ret)
{
	struct frame_lines *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->symbolizer = symbolizer;
	*ret = l;
	return 0;
}

struct frame_lines *frame_lines_free(struct frame_lines *l)
{
	if (!l)
		return NULL;
	free(l->places);
	free(l->entries);
	strbuf_release(&l->texts);
	table_release(&l->by_place);
	table_release(&l->by_text);
	table_release(&l->states);
	free(l);
	return NULL;
}

static void forget(struct frame_lines *l)
{
	l->n_places = l->n_entries = 0;
	strbuf_reset(&l->texts);
	table_clear(&l->by_place);
	table_clear(&l->by_text);
}

/* NULL: out of memory, or, without ret_new, not known. */
static struct place *find_place(struct frame_lines *l, const uint8_t *build_id, uint64_t offset,
				bool *ret_new)
{
	uint64_t key = hash_bytes(build_id, BUILD_ID_LEN, offset);

	/* Two places of one hash: the later one is kept under the hash of the hash. */
	for (;; key = hash_mix(key, 1)) {
		bool is_new = false;
		uint32_t *slot = ret_new ? table_put(&l->by_place, key, &is_new)
					 : table_get(&l->by_place, key);
		struct place *p;

		if (!slot)
			return NULL;
		if (is_new)
			*slot = (uint32_t)l->n_places++;
		p = &l->places[*slot];
		if (is_new) {
			*p = (struct place){.offset = offset};
			memcpy(p->build_id, build_id, BUILD_ID_LEN);
		} else if (p->offset != offset ||
			   memcmp(p->build_id, build_id, BUILD_ID_LEN) != 0) {
			continue;
		}
		if (ret_new)
			*ret_new = is_new;
		return p;
	}
}

static int keep_text(struct frame_lines *l, const char *text, uint32_t *ret)
{
	size_t len = strlen(text);

	for (uint64_t key = hash_bytes(text, len, 0);; key = hash_mix(key, 1)) {
		bool is_new;
		uint32_t *slot = table_put(&l->by_text, key, &is_new);

		if (!slot)
			return -ENOMEM;
		if (is_new) {
			*slot = (uint32_t)l->texts.len;
			strbuf_append(&l->texts, text, len + 1);
		}
		if (strbuf_error(&l->texts) < 0)
			return -ENOMEM;
		*ret = *slot;
		if (is_new || streq(l->texts.data + *slot, text))
			return 0;
	}
}

static int keep(struct frame_lines *l, const uint8_t *build_id, uint64_t offset,
		const struct line_image *image, size_t i)
{
	const struct line_address *a = &image->addresses[i];
	struct place *p;
	bool is_new;
	int r;

	r = array_reserve(&l->places, &l->places_cap, l->n_places + 1, sizeof(*l->places));
	if (r >= 0)
		r = array_reserve(&l->entries, &l->entries_cap, l->n_entries + a->count,
				  sizeof(*l->entries));
	if (r < 0)
		return r;
	p = find_place(l, build_id, offset, &is_new);
	if (!p)
		return -ENOMEM;
	if (!is_new)
		return 0;
	p->first = (uint32_t)l->n_entries;
	for (uint32_t k = 0; k < a->count; k++) {
		const struct line_entry *from = &image->entries[a->first + k];
		struct line_entry *to = &l->entries[l->n_entries];

		*to = (struct line_entry){.line = from->line};
		r = keep_text(l, image->strings + from->function, &to->function);
		if (r >= 0)
			r = keep_text(l, image->strings + from->file, &to->file);
		if (r < 0)
			return r;
		l->n_entries++;
		p->count++;
	}
	return 0;
}

/* Leaves the offsets that are not known yet. */
static size_t leave_unknown(struct frame_lines *l, const uint8_t *build_id, const uint64_t *offsets,
			    size_t n, uint64_t *ret)
{
	size_t n_unknown = 0;

	for (size_t i = 0; i < n; i++)
		if (!find_place(l, build_id, offsets[i], NULL))
			ret[n_unknown++] = offsets[i];
	return n_unknown;
}

enum query_lines frame_lines_state(const struct frame_lines *l,
				   const uint8_t build_id[static BUILD_ID_LEN])
{
	const uint32_t *state = table_get(&l->states, hash_bytes(build_id, BUILD_ID_LEN, 0));

	return state ? (enum query_lines) * state : LINES_UNKNOWN;
}

static int set_state(struct frame_lines *l, const uint8_t *build_id, enum query_lines state)
{
	uint32_t *slot = table_put(&l->states, hash_bytes(build_id, BUILD_ID_LEN, 0), NULL);

	if (!slot)
		return -ENOMEM;
	*slot = state;
	return 0;
}

static int read_lines(struct frame_lines *l, const uint8_t *build_id, const char *path,
		      const uint64_t *offsets, size_t n)
{
	struct line_image *image _cleanup_(line_image_freep) = NULL;
	enum query_lines state = frame_lines_state(l, build_id);
	int r = 0;

	/* Without any that are not known it has been read. */
	if (n == 0)
		return set_state(l, build_id, LINES_READ);
	if (state == LINES_NONE || state == LINES_NO_FILE)
		return 0;
	/* Names of a batch's frames are found first, which may take as long. */
	if (!l->until_ns)
		l->until_ns = now_monotonic_ns() + QUESTION_NS;
	if (now_monotonic_ns() > l->until_ns)
		return -EAGAIN;
	r = symbolizer_lines(l->symbolizer, build_id, path, offsets, n, NULL, &image);
	if (r < 0)
		return set_state(l, build_id, r == -ENODATA ? LINES_NONE : LINES_NO_FILE);
	r = set_state(l, build_id, LINES_READ);
	for (size_t i = 0; i < n && r >= 0; i++)
		r = keep(l, build_id, offsets[i], image, i);
	return r;
}

/* Demangles the functions of all those offsets. */
static int prepare_names(struct frame_lines *l, const uint8_t *build_id, const uint64_t *offsets,
			 size_t n)
{
	const char **names _cleanup_(freep) = NULL;
	size_t n_names = 0, cap = 0;

	for (size_t i = 0; i < n; i++) {
		const struct place *p = find_place(l, build_id, offsets[i], NULL);

		if (!p)
			continue;
		if (array_reserve(&names, &cap, n_names + p->count, sizeof(*names)) < 0)
			return -ENOMEM;
		for (uint32_t k = 0; k < p->count; k++)
			names[n_names++] = l->texts.data + l->entries[p->first + k].function;
	}
	return demangler_prepare(symbolizer_demangler(l->symbolizer), names, n_names, l->style);
}

static int prepare(void *arg, const struct model_file *file, const char *path,
		   const uint64_t *offsets, size_t n)
{
	struct frame_lines *l = arg;
	uint64_t *unknown _cleanup_(freep) = calloc(n + 1, sizeof(*unknown));
	const uint64_t *all = offsets;
	size_t n_all = n;
	int r;

	if (!unknown)
		return -ENOMEM;
	if (l->n_places > PLACES_MAX || l->n_entries > ENTRIES_MAX || l->texts.len > TEXTS_MAX)
		forget(l);
	n = leave_unknown(l, file->build_id, offsets, n, unknown);
	r = read_lines(l, file->build_id, path, unknown, n);
	/* Half of what was to be kept is not what the file says. */
	if (r < 0 && r != -EAGAIN)
		forget(l);
	return r < 0 ? r : prepare_names(l, file->build_id, all, n_all);
}

static int get(void *arg, const struct model_file *file, uint64_t offset, size_t depth,
	       struct source_line *ret)
{
	struct frame_lines *l = arg;
	const struct place *p = find_place(l, file->build_id, offset, NULL);
	const struct line_entry *e;
	const char *function;

	if (!p || depth >= p->count)
		return 0;
	e = &l->entries[p->first + depth];
	function = l->texts.data + e->function;
	*ret = (struct source_line){.line = e->line};
	ret->function = demangler_name(symbolizer_demangler(l->symbolizer), function, l->style);
	if (!ret->function)
		ret->function = strdup(*function ? function : "[unknown]");
	if (l->texts.data[e->file])
		ret->file = strdup(l->texts.data + e->file);
	return ret->function && (ret->file || !l->texts.data[e->file]) ? 1 : -ENOMEM;
}

static char *show(void *arg, const char *symbol)
{
	struct frame_lines *l = arg;
	char *shown = demangler_name(symbolizer_demangler(l->symbolizer), symbol, l->style);

	return shown ? shown : strdup(symbol);
}

struct source_lines frame_lines_begin(struct frame_lines *l, enum demangle_style style)
{
	uint64_t now = now_monotonic_ns();

	l->style = style;
	l->until_ns = 0;
	if (now > l->retry_ns) {
		table_clear(&l->states);
		l->retry_ns = now + RETRY_NS;
	}
	return (struct source_lines){.prepare = prepare, .get = get, .arg = l, .show = show};
}

void frame_lines_forget(struct frame_lines *l)
{
	forget(l);
	table_clear(&l->states);
}
