/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the daemon is answered before it attaches. The first byte says what the rest is: a file
 * image, a landing image, an image of notes or a type image, as a reader process that was taken
 * over may answer them, or a file of which the reader makes all four. What passes the checks is
 * used.
 */
#include <stdint.h>
#include <sys/mman.h>

#include "probe/signature.h"
#include "symbol/landing_image.h"
#include "symbol/reader_probe.h"
#include "symbol/reader_types.h"
#include "symbol/type_image.h"
#include "symbol/usdt_image.h"
#include "type_walk.h"

enum what { A_FILE_IMAGE, A_LANDING_IMAGE, A_NOTE_IMAGE, A_TYPE_IMAGE, A_FILE, WHATS };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use_file_image(const struct file_image *f)
{
	uint64_t vaddr, offset;

	for (size_t i = 0; i < f->n_sections; i++)
		if (!file_image_section(f, f->strings + f->sections[i].name))
			abort();
	for (size_t i = 0; i < f->n_segments; i++)
		if (elf_segments_to_vaddr(f->segments, f->n_segments, f->segments[i].offset,
					  &vaddr) == 0)
			(void)elf_segments_to_offset(f->segments, f->n_segments, vaddr, &offset);
}

static void use_landings(const struct landing_table *t)
{
	size_t n, some, sum = 0;
	const uint64_t *all = landing_table_find(t, 0, UINT64_MAX, &n);
	struct landing_part part;

	for (size_t i = 0; i < n; i++)
		if (landing_table_part(t, all[i], &part) && part.size == 0)
			abort();
	for (uint64_t at = 0; at < 1 << 16; at += 256) {
		landing_table_find(t, at, 256, &some);
		sum += some;
	}
	if (sum > n)
		abort();
}

static void use_notes(const struct usdt_notes *notes)
{
	size_t n;
	const struct usdt_note *all = usdt_notes_all(notes, &n);
	struct usdt_type type;

	for (size_t i = 0; i < n; i++) {
		usdt_type_make(&all[i], i > 0 ? &all[i - 1] : NULL, &type);
		if (type.type.n_params > USDT_MAX_ARGS || !all[i].provider[0] || !all[i].name[0])
			abort();
	}
}

static void use_function(const struct function_type *f)
{
	struct signature *s _cleanup_(signature_freep) = NULL;
	struct strbuf out _cleanup_(strbuf_release) = {};
	const char *const redact[] = {"secret*"};

	budget = 2000;
	walk(f->ret, 6);
	for (size_t i = 0; i < f->n_params; i++)
		walk(f->params[i].type, 6);
	if (signature_new(f, 0, redact, 1, &s) < 0)
		return;
	for (size_t i = 0; i < f->n_params; i++) {
		struct expr_step steps[] = {{.member = f->params[i].name}, {.member = "no such"}};
		struct expr_ref ref = {
			.steps = steps, .n_steps = 2, .column = 1, .text = "args.x.y"};

		(void)signature_capture(s, &ref, NULL);
	}
	signature_capture_strings(s, NULL);
	signature_print_type(s, f->name, &out);
}

static struct ctype_member *members;
static size_t n_members;

/* Every struct is the one of the answer: types that contain themselves. */
static void complete(struct ctype *t)
{
	t->complete = NULL;
	t->members = members;
	t->n_members = n_members;
}

static void use_types(const struct type_image *image)
{
	struct type_arena arena _cleanup_(type_arena_release) = {};
	const char *strings;
	struct lazy_ctype *types = type_image_types(image, &arena, complete, NULL, &strings);

	if (!types)
		return;
	members = type_image_members(image, 0, types, strings, &arena);
	n_members = members ? image->n_members : 0;
	for (size_t i = 0; i < image->n_functions; i++) {
		const struct function_type *f;

		if (!(image->functions[i].flags & FLAT_FUNCTION_FOUND))
			continue;
		f = type_image_function(image, i, types, strings, &arena);
		if (f)
			use_function(f);
	}
}

static int use_symbol(const struct symbol *symbol, void *data)
{
	const struct function_type *f;

	if (reader_types_find(data, symbol->vaddr, &f) >= 0)
		use_function(f);
	return 0;
}

/* What the reader writes the daemon must take. */
static void use_file(int fd)
{
	static const char *const names[] = {"longjmp", "main"};
	_cleanup_(file_image_freep) struct file_image *file = NULL;
	_cleanup_(landing_table_freep) struct landing_table *landings = NULL;
	_cleanup_(usdt_notes_freep) struct usdt_notes *notes = NULL;
	_cleanup_(symtab_freep) struct symtab *st = NULL;
	_cleanup_(reader_types_freep) struct reader_types *types = NULL;

	if (reader_file(NULL, fd, "FILE", names, ARRAY_SIZE(names), NULL, &file) < 0)
		return;
	if (reader_landings(NULL, fd, "FILE", NULL, &landings) == -EBADMSG ||
	    reader_notes(NULL, fd, "FILE", NULL, &notes) == -EBADMSG)
		abort();
	use_file_image(file);
	if (landings)
		use_landings(landings);
	if (notes)
		use_notes(notes);
	if (reader_functions(NULL, fd, NULL, "/nonexistent", NULL, &st) < 0 ||
	    reader_types_open(NULL, fd, "FILE", "/nonexistent", NULL, &types) < 0)
		return;
	symtab_each(st, use_symbol, types);
	if (reader_types_failure(types))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(closep) int fd = memfd_create("fuzz", MFD_CLOEXEC);
	_cleanup_(file_image_freep) struct file_image *file = NULL;
	_cleanup_(landing_table_freep) struct landing_table *landings = NULL;
	_cleanup_(usdt_notes_freep) struct usdt_notes *notes = NULL;
	_cleanup_(type_image_freep) struct type_image *types = NULL;

	if (fd < 0 || size == 0 || write_fully(fd, data + 1, size - 1) < 0)
		return 0;
	switch (data[0] % WHATS) {
	case A_FILE_IMAGE:
		if (file_image_open(fd, NULL, &file) >= 0)
			use_file_image(file);
		break;
	case A_LANDING_IMAGE:
		if (landing_image_open(fd, NULL, &landings) >= 0)
			use_landings(landings);
		break;
	case A_NOTE_IMAGE:
		if (usdt_image_open(fd, NULL, &notes) >= 0)
			use_notes(notes);
		break;
	case A_TYPE_IMAGE:
		if (type_image_open(fd, 1, 1, NULL, &types) >= 0)
			use_types(types);
		break;
	case A_FILE:
		use_file(fd);
		break;
	}
	return 0;
}
