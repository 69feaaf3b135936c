/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol/symtab_internal.h"

#include <elf.h>

#define SYMBOLS_MAX    (4U << 20)
#define NAMES_SIZE_MAX (256ULL << 20)
#define VADDR_MAX      (1ULL << 56)
enum { NAME_LEN_MAX = 16384 };

uint8_t symbol_underscores(const char *name, size_t len)
{
	size_t n = 0;

	if (len >= 2 && name[0] == '_' && (name[1] == 'Z' || name[1] == 'R'))
		return 0;
	while (n < len && n < UINT8_MAX && name[n] == '_')
		n++;
	return n;
}

int symtab_builder_name(struct symtab_builder *b, const uint8_t *strings, size_t size,
			uint32_t offset, const char **ret_name, uint32_t *ret_len)
{
	const uint8_t *name, *end, *version;
	size_t limit;

	*ret_name = "";
	*ret_len = 0;
	if (offset >= size)
		return 0;
	name = strings + offset;
	limit = MIN(size - offset, NAME_LEN_MAX + 1);
	end = memchr(name, '\0', limit);
	b->names_read += end ? (size_t)(end - name) : limit;
	if (b->names_read > NAMES_SIZE_MAX)
		return -EFBIG;
	if (!end)
		return 0;
	version = end > name ? memchr(name, '@', end - name) : NULL;
	*ret_name = (const char *)name;
	*ret_len = (version ? version : end) - name;
	return 0;
}

int symtab_builder_add(struct symtab_builder *b, const struct raw_symbol *symbol)
{
	size_t n_segments;
	const struct elf_segment *segments = elf_image_segments(b->image, &n_segments);
	bool in_code = false;
	int r;

	if (symbol->name_len == 0 || symbol->name_len > NAME_LEN_MAX || symbol->vaddr >= VADDR_MAX)
		return 0;
	for (size_t i = 0; i < n_segments && !in_code; i++)
		in_code = segments[i].executable && symbol->vaddr >= segments[i].vaddr &&
			  symbol->vaddr - segments[i].vaddr < segments[i].file_size;
	if (!in_code)
		return 0;
	if (b->len >= SYMBOLS_MAX)
		return -EFBIG;
	r = array_reserve(&b->symbols, &b->cap, b->len + 1, sizeof(*b->symbols));
	if (r < 0)
		return r;
	b->symbols[b->len] = *symbol;
	b->symbols[b->len].underscores = symbol_underscores(symbol->name, symbol->name_len);
	b->len++;
	return 0;
}

static int compare(const void *left, const void *right)
{
	const struct raw_symbol *a = left, *b = right;
	int r;

	if (a->vaddr != b->vaddr)
		return a->vaddr < b->vaddr ? -1 : 1;
	if ((a->flags ^ b->flags) & SYMBOL_PLT)
		return a->flags & SYMBOL_PLT ? 1 : -1;
	if ((a->flags ^ b->flags) & SYMBOL_LOCAL)
		return a->flags & SYMBOL_LOCAL ? 1 : -1;
	if (a->underscores != b->underscores)
		return (int)a->underscores - b->underscores;
	if ((a->flags ^ b->flags) & SYMBOL_WEAK)
		return a->flags & SYMBOL_WEAK ? 1 : -1;
	if (a->name_len != b->name_len)
		return a->name_len < b->name_len ? -1 : 1;
	r = memcmp(a->name, b->name, a->name_len);
	if (r != 0)
		return r;
	return (a->size < b->size) - (a->size > b->size); /* the one with a size survives */
}

static bool same(const struct raw_symbol *a, const struct raw_symbol *b)
{
	return a->vaddr == b->vaddr && a->name_len == b->name_len &&
	       !((a->flags ^ b->flags) & SYMBOL_PLT) && memcmp(a->name, b->name, a->name_len) == 0;
}

void symtab_builder_sort(struct symtab_builder *b)
{
	size_t n = 0;

	if (b->len == 0)
		return;
	qsort(b->symbols, b->len, sizeof(*b->symbols), compare);
	for (size_t i = 1; i < b->len; i++)
		if (!same(&b->symbols[n], &b->symbols[i]))
			b->symbols[++n] = b->symbols[i];
	b->len = n + 1;
}

const struct raw_symbol *symtab_builder_at(const struct symtab_builder *b, uint64_t vaddr)
{
	size_t low = 0, high = b->len;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (b->symbols[middle].vaddr < vaddr)
			low = middle + 1;
		else
			high = middle;
	}
	return low < b->len && b->symbols[low].vaddr == vaddr ? &b->symbols[low] : NULL;
}

struct code_range {
	uint64_t start, end;
};

static int compare_range(const void *left, const void *right)
{
	const struct code_range *a = left, *b = right;

	return (a->start > b->start) - (a->start < b->start);
}

/* The executable sections, or the executable segments where the file has no section headers. */
static int find_code(const struct elf_image *image, struct code_range **ret, size_t *ret_n)
{
	size_t n_sections, n_segments, n = 0;
	const struct elf_section *sections = elf_image_sections(image, &n_sections);
	const struct elf_segment *segments = elf_image_segments(image, &n_segments);
	struct code_range *ranges = calloc(n_sections + n_segments + 1, sizeof(*ranges));

	if (!ranges)
		return -ENOMEM;
	for (size_t i = 0; i < n_sections; i++)
		if ((sections[i].flags & SHF_EXECINSTR) && sections[i].size > 0 &&
		    sections[i].vaddr + sections[i].size > sections[i].vaddr)
			ranges[n++] = (struct code_range){sections[i].vaddr,
							  sections[i].vaddr + sections[i].size};
	for (size_t i = 0; i < n_segments && n_sections == 0; i++)
		if (segments[i].executable)
			ranges[n++] = (struct code_range){
				segments[i].vaddr, segments[i].vaddr + segments[i].file_size};
	if (n > 0)
		qsort(ranges, n, sizeof(*ranges), compare_range);
	*ret = ranges;
	*ret_n = n;
	return 0;
}

/* Functions without a size reach to the next one, but not beyond their section. */
static int extend_sizeless(struct symtab_builder *b)
{
	struct code_range *code _cleanup_(freep) = NULL;
	size_t n_code, at = 0;
	uint64_t next = UINT64_MAX;
	int r;

	r = find_code(b->image, &code, &n_code);
	if (r < 0)
		return r;
	at = n_code;
	for (size_t i = b->len; i-- > 0;) {
		struct raw_symbol *s = &b->symbols[i];

		if (i + 1 < b->len && b->symbols[i + 1].vaddr != s->vaddr)
			next = b->symbols[i + 1].vaddr;
		while (at > 0 && code[at - 1].start > s->vaddr)
			at--;
		if (s->size == 0 && at > 0 && s->vaddr < code[at - 1].end)
			s->size = MIN(MIN(next, code[at - 1].end) - s->vaddr, UINT32_MAX);
	}
	return 0;
}

int symtab_builder_finish(struct symtab_builder *b, struct error *error, struct symtab **ret)
{
	struct symtab *st _cleanup_(symtab_freep) = NULL;
	const struct elf_segment *segments;
	size_t used = 0, names_size = 1;
	int r;

	r = extend_sizeless(b);
	if (r < 0)
		return r;
	for (size_t i = 0; i < b->len; i++)
		names_size += b->symbols[i].name_len + sizeof("@plt");
	if (names_size > NAMES_SIZE_MAX)
		return error_set(error, EFBIG, "BadFile",
				 "The names of the file's functions exceed 256 MiB.");

	st = calloc(1, sizeof(*st));
	if (!st)
		return -ENOMEM;
	segments = elf_image_segments(b->image, &st->n_segments);
	st->segments = calloc(st->n_segments + 1, sizeof(*segments));
	st->entries = calloc(b->len + 1, sizeof(*st->entries));
	st->names = malloc(names_size);
	if (!st->segments || !st->entries || !st->names)
		return -ENOMEM;
	memcpy(st->segments, segments, st->n_segments * sizeof(*segments));
	for (size_t i = 0; i < b->len; i++) {
		const struct raw_symbol *s = &b->symbols[i];
		const char *suffix = s->flags & SYMBOL_PLT ? "@plt" : "";

		st->entries[i] = (struct symtab_entry){
			.vaddr = s->vaddr, .flags = s->flags, .size = s->size, .name = used};
		memcpy(st->names + used, s->name, s->name_len);
		used += s->name_len;
		memcpy(st->names + used, suffix, strlen(suffix) + 1);
		used += strlen(suffix) + 1;
	}
	st->len = b->len;
	st->names_size = used;
	if (used > 0) {
		char *shrunk = realloc(st->names, used);

		if (shrunk)
			st->names = shrunk;
	}
	*ret = TAKE_PTR(st);
	return 0;
}

void symtab_builder_release(struct symtab_builder *b)
{
	free(b->symbols);
	*b = (struct symtab_builder){};
}
