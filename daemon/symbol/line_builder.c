/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol/line_builder.h"

int line_builder_begin(struct line_builder *b, const struct elf_image *image,
		       const uint64_t *offsets, size_t n)
{
	size_t n_segments;
	const struct elf_segment *segments = elf_image_segments(image, &n_segments);

	b->budget = 4 * dwarf_file_info_size(b->file) + 1000;
	b->addresses = calloc(n + 1, sizeof(*b->addresses));
	if (!b->addresses)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct line_query *a = &b->addresses[b->n];

		if (elf_segments_to_vaddr(segments, n_segments, offsets[i], &a->vaddr) < 0)
			continue;
		a->index = (uint32_t)i;
		b->n++;
	}
	strbuf_append(&b->strings, "", 1);
	return strbuf_error(&b->strings);
}

uint32_t line_builder_text(struct line_builder *b, const char *text)
{
	size_t len = strlen(text);

	if (len == 0 || len >= LINE_STRINGS_MAX - b->strings.len)
		return 0;
	/* Two texts of one hash: the later one is kept under the hash of the hash. */
	for (uint64_t key = hash_bytes(text, len, 0);; key = hash_mix(key, 1)) {
		bool is_new;
		uint32_t *slot = table_put(&b->index, key, &is_new);

		if (!slot)
			return 0;
		if (is_new) {
			*slot = (uint32_t)b->strings.len;
			strbuf_append(&b->strings, text, len + 1);
			return strbuf_error(&b->strings) < 0 ? 0 : *slot;
		}
		if (strbuf_error(&b->strings) < 0 || streq(b->strings.data + *slot, text))
			return *slot;
	}
}

int line_builder_enter(struct line_builder *b, struct line_query *a, const struct line_scope *scope)
{
	int r;

	if (a->depth >= LINE_DEPTH_MAX)
		return 0;
	r = array_reserve(&b->scopes, &b->scopes_cap, b->n_scopes + 1, sizeof(*b->scopes));
	if (r < 0)
		return r;
	b->scopes[b->n_scopes] = *scope;
	b->scopes[b->n_scopes].outer = a->last;
	a->last = (uint32_t)++b->n_scopes;
	a->depth++;
	return 0;
}

/* Where an address is in its innermost function the line table says; in each outer one, the call.
 */
static void write_chain(const struct line_builder *b, const struct line_query *a,
			struct line_entry *entries, struct line_address *ret)
{
	uint32_t file = a->file, line = a->line;

	for (uint32_t at = a->last; at; at = b->scopes[at - 1].outer) {
		const struct line_scope *scope = &b->scopes[at - 1];

		entries[ret->first + ret->count++] =
			(struct line_entry){scope->function, file, line};
		file = scope->call_file;
		line = scope->call_line;
	}
	/* Assembler has lines but no functions. */
	if (!ret->count && file)
		entries[ret->first + ret->count++] = (struct line_entry){0, file, line};
}

int line_builder_write(struct line_builder *b, size_t n, int fd)
{
	struct line_address *addresses _cleanup_(freep) = calloc(n + 1, sizeof(*addresses));
	struct line_entry *entries _cleanup_(freep) =
		calloc(b->n_scopes + b->n + 1, sizeof(*entries));
	struct line_image image = {.addresses = addresses, .n_addresses = n, .entries = entries};

	if (!addresses || !entries || strbuf_error(&b->strings) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < b->n; i++) {
		struct line_address *a = &addresses[b->addresses[i].index];

		a->first = (uint32_t)image.n_entries;
		write_chain(b, &b->addresses[i], entries, a);
		image.n_entries += a->count;
	}
	image.strings = b->strings.data;
	image.strings_size = b->strings.len;
	return line_image_write(&image, fd);
}

void line_builder_release(struct line_builder *b)
{
	free(b->addresses);
	free(b->scopes);
	strbuf_release(&b->strings);
	table_release(&b->index);
}
