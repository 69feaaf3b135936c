/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol/usdt_internal.h"

enum { NOTE_TYPE = 3, NOTE_WORDS = 3, NOTE_HEAD = 12 };

static const char owner[] = "stapsdt";

struct usdt_notes *usdt_notes_free(struct usdt_notes *n)
{
	if (n) {
		flat_unmap(&n->flat);
		free(n->text);
		free(n->items);
		free(n);
	}
	return NULL;
}

const struct usdt_note *usdt_notes_all(const struct usdt_notes *n, size_t *ret_n)
{
	*ret_n = n->n;
	return n->items;
}

/* A string with its NUL at *at, which moves behind it; NULL when it does not end. */
static const char *take_text(const char **at, const char *end)
{
	const char *text = *at, *nul = memchr(text, '\0', (size_t)(end - text));

	if (!nul || nul - text > USDT_TEXT_MAX)
		return NULL;
	*at = nul + 1;
	return text;
}

/* Names are shown and matched by globs: no control characters, and not nothing. */
bool usdt_is_name(const char *s)
{
	for (const char *c = s; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return false;
	return *s;
}

/* What a note describes, from `text` to `end`; false when it is damaged. */
static bool take_description(const char *text, const char *end, uint64_t base, bool has_base,
			     struct usdt_note *ret)
{
	uint64_t words[NOTE_WORDS], moved;

	if ((size_t)(end - text) < sizeof(words))
		return false;
	memcpy(words, text, sizeof(words));
	text += sizeof(words);
	*ret = (struct usdt_note){};
	ret->provider = take_text(&text, end);
	ret->name = ret->provider ? take_text(&text, end) : NULL;
	ret->args = ret->name ? take_text(&text, end) : NULL;
	if (!ret->args || !usdt_is_name(ret->provider) || !usdt_is_name(ret->name))
		return false;
	/* prelink moves sections, but nobody tells notes: the base was where it is noted. */
	moved = has_base && words[1] ? base - words[1] : 0;
	ret->vaddr = words[0] + moved;
	ret->semaphore = words[2] ? words[2] + moved : 0;
	return true;
}

static size_t aligned(size_t n)
{
	return (n + 3) & ~(size_t)3;
}

/* The notes of a section's bytes, which `text` is a copy of. */
static int take_notes(struct usdt_notes *n, size_t size, uint64_t base, bool has_base)
{
	size_t at = 0;

	while (size - at >= NOTE_HEAD && n->n < USDT_MAX_NOTES) {
		uint32_t head[3]; /* bytes of the owner's name, of the description; type */
		size_t name, description;
		struct usdt_note note;
		int r;

		memcpy(head, n->text + at, sizeof(head));
		name = at + NOTE_HEAD;
		if (head[0] > size - name || aligned(head[0]) > size - name)
			break;
		description = name + aligned(head[0]);
		if (head[1] > size - description)
			break;
		at = MIN(description + aligned(head[1]), size);
		if (head[2] != NOTE_TYPE || head[0] != sizeof(owner) ||
		    memcmp(n->text + name, owner, sizeof(owner)) != 0 ||
		    !take_description(n->text + description, n->text + description + head[1], base,
				      has_base, &note))
			continue;
		r = array_reserve(&n->items, &n->cap, n->n + 1, sizeof(*n->items));
		if (r < 0)
			return r;
		n->items[n->n++] = note;
	}
	return 0;
}

int usdt_note_compare(const void *a, const void *b)
{
	const struct usdt_note *x = a, *y = b;
	int r = strcmp(x->provider, y->provider);

	if (r == 0)
		r = strcmp(x->name, y->name);
	return r ? r : (x->vaddr > y->vaddr) - (x->vaddr < y->vaddr);
}

static void sort(struct usdt_notes *n)
{
	size_t kept = 0;

	if (n->n == 0)
		return;
	qsort(n->items, n->n, sizeof(*n->items), usdt_note_compare);
	for (size_t i = 1; i < n->n; i++)
		if (usdt_note_compare(&n->items[kept], &n->items[i]) != 0)
			n->items[++kept] = n->items[i];
	n->n = kept + 1;
}

int usdt_notes_read(struct elf_image *image, struct usdt_notes **ret)
{
	_cleanup_(usdt_notes_freep) struct usdt_notes *n = calloc(1, sizeof(*n));
	const struct elf_section *section = elf_image_find_section(image, ".note.stapsdt");
	const struct elf_section *base = elf_image_find_section(image, ".stapsdt.base");
	const uint8_t *data;
	size_t size;
	int r;

	if (!n)
		return -ENOMEM;
	if (!section || !elf_image_is_64bit(image))
		return -ENODATA;
	r = elf_image_section_data(image, section, &data, &size);
	if (r < 0)
		return r;
	n->text = malloc(size + 1);
	if (!n->text)
		return -ENOMEM;
	memcpy(n->text, data, size);
	r = take_notes(n, size, base ? base->vaddr : 0, base);
	if (r < 0)
		return r;
	sort(n);
	if (n->n == 0)
		return -ENODATA;
	*ret = TAKE_PTR(n);
	return 0;
}

static const struct ctype *type_of(const struct usdt_arg *a)
{
	static const struct ctype types[2][4] = {
		{{.kind = CTYPE_UINT, .name = "uint8_t", .size = 1},
		 {.kind = CTYPE_UINT, .name = "uint16_t", .size = 2},
		 {.kind = CTYPE_UINT, .name = "uint32_t", .size = 4},
		 {.kind = CTYPE_UINT, .name = "uint64_t", .size = 8}},
		{{.kind = CTYPE_INT, .is_signed = true, .name = "int8_t", .size = 1},
		 {.kind = CTYPE_INT, .is_signed = true, .name = "int16_t", .size = 2},
		 {.kind = CTYPE_INT, .is_signed = true, .name = "int32_t", .size = 4},
		 {.kind = CTYPE_INT, .is_signed = true, .name = "int64_t", .size = 8}},
	};
	static const struct ctype float_type = {.kind = CTYPE_FLOAT, .name = "float", .size = 4};
	static const struct ctype double_type = {.kind = CTYPE_FLOAT, .name = "double", .size = 8};
	static const struct ctype unknown = {.kind = CTYPE_UNKNOWN, .name = "?"};

	if (a->is_float)
		return a->size == 4 ? &float_type : a->size == 8 ? &double_type : &unknown;
	switch (a->size) {
	case 1:
		return &types[a->is_signed][0];
	case 2:
		return &types[a->is_signed][1];
	case 4:
		return &types[a->is_signed][2];
	case 8:
		return &types[a->is_signed][3];
	default:
		return &unknown;
	}
}

void usdt_type_make(const struct usdt_note *note, const struct usdt_note *returns,
		    struct usdt_type *ret)
{
	static const char *const names[USDT_MAX_ARGS] = {"arg0", "arg1", "arg2",  "arg3",
							 "arg4", "arg5", "arg6",  "arg7",
							 "arg8", "arg9", "arg10", "arg11"};
	static const struct ctype nothing = {.kind = CTYPE_VOID, .name = ""};
	struct usdt_arg results[USDT_MAX_ARGS];
	size_t n = usdt_parse_args(note->args, ret->args);

	for (size_t i = 0; i < n; i++)
		ret->params[i] = (struct function_param){.name = names[i],
							 .type = type_of(&ret->args[i]),
							 .place = PARAM_IN_NOTE,
							 .reg = (uint32_t)i,
							 .note = &ret->args[i]};
	ret->type = (struct function_type){.name = note->name,
					   .params = ret->params,
					   .n_params = n,
					   .ret = &nothing,
					   .file = "",
					   .is_static = true};
	if (returns && usdt_parse_args(returns->args, results) > 0 &&
	    results[0].place != USDT_UNREADABLE)
		ret->type.ret = type_of(&results[0]);
}
