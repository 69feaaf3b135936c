/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol/usdt_image.h"

#include <assert.h>

#include "sonde/base/strbuf.h"
#include "symbol/usdt_internal.h"

static_assert(sizeof(struct usdt_image_header) == 24, "no holes");
static_assert(sizeof(struct usdt_image_note) == 16, "no holes");

int usdt_image_write(const struct usdt_notes *notes, int fd)
{
	struct usdt_image_header h = {
		.magic = USDT_IMAGE_MAGIC,
		.version = USDT_IMAGE_VERSION,
		.n_notes = (uint32_t)notes->n,
	};
	struct usdt_image_note *flat _cleanup_(freep) = calloc(notes->n + 1, sizeof(*flat));
	struct strbuf strings _cleanup_(strbuf_release) = {};
	int r;

	if (!flat)
		return -ENOMEM;
	for (size_t i = 0; i < notes->n; i++) {
		const struct usdt_note *note = &notes->items[i];
		const char *const texts[] = {note->provider, note->name, note->args};

		flat[i] = (struct usdt_image_note){note->vaddr, note->semaphore};
		for (size_t k = 0; k < ARRAY_SIZE(texts); k++)
			strbuf_append(&strings, texts[k], strlen(texts[k]) + 1);
	}
	r = strbuf_error(&strings);
	h.strings_size = strings.len;
	if (r >= 0)
		r = write_fully(fd, &h, sizeof(h));
	if (r >= 0)
		r = write_fully(fd, flat, notes->n * sizeof(*flat));
	if (r >= 0)
		r = write_fully(fd, strings.data, strings.len);
	return r;
}

/* The next string, each of which lies right behind the one before; NULL when there is none. */
static const char *take(const char **at, const char *end)
{
	const char *text = *at;
	const char *nul = memchr(text, '\0', MIN((size_t)(end - text), USDT_TEXT_MAX + 1));

	if (nul)
		*at = nul + 1;
	return nul ? text : NULL;
}

static int take_notes(struct usdt_notes *n, const struct usdt_image_header *h, struct error *error)
{
	const struct usdt_image_note *flat = (const void *)(h + 1);
	const char *at = (const char *)(flat + h->n_notes), *end = at + h->strings_size;

	for (; n->n < h->n_notes; n->n++) {
		struct usdt_note *note = &n->items[n->n];

		note->vaddr = flat[n->n].vaddr;
		note->semaphore = flat[n->n].semaphore;
		note->provider = take(&at, end);
		note->name = note->provider ? take(&at, end) : NULL;
		note->args = note->name ? take(&at, end) : NULL;
		if (!note->args)
			return flat_bad(error, "a probe has texts without an end");
		if (!usdt_is_name(note->provider) || !usdt_is_name(note->name))
			return flat_bad(error, "a probe has an impossible name");
		if (n->n > 0 && usdt_note_compare(note - 1, note) >= 0)
			return flat_bad(error, "its probes are not in order");
	}
	return at == end ? 0 : flat_bad(error, "there are texts of nothing");
}

static int use(struct usdt_notes *n, struct error *error)
{
	const struct usdt_image_header *h = (const void *)n->flat.data;

	if (memcmp(h->magic, USDT_IMAGE_MAGIC, sizeof(h->magic)) != 0 ||
	    h->version != USDT_IMAGE_VERSION)
		return flat_bad(error, "it has another format");
	if (h->n_notes == 0 || h->n_notes > USDT_MAX_NOTES || h->strings_size > FLAT_SIZE_MAX ||
	    n->flat.size !=
		    sizeof(*h) + h->n_notes * sizeof(struct usdt_image_note) + h->strings_size)
		return flat_bad(error, "it has another size than it says");
	n->items = calloc(h->n_notes, sizeof(*n->items));
	if (!n->items)
		return -ENOMEM;
	return take_notes(n, h, error);
}

int usdt_image_open(int fd, struct error *error, struct usdt_notes **ret)
{
	_cleanup_(usdt_notes_freep) struct usdt_notes *n = calloc(1, sizeof(*n));
	int r;

	if (!n)
		return -ENOMEM;
	r = flat_map(fd, sizeof(struct usdt_image_header), error, &n->flat);
	if (r < 0)
		return r;
	r = use(n, error);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(n);
	return 0;
}
