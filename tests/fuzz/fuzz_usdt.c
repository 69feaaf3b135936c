/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The input is an ELF file with notes of static probes, or the argument string of one. */
#include <stdint.h>
#include <sys/mman.h>

#include "probe/signature_note.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use_arg(const struct usdt_arg *a)
{
	struct fetch f;

	if (a->place == USDT_UNREADABLE) {
		if (!a->reason || signature_note_number(a, &f))
			abort();
		return;
	}
	if (!signature_note_number(a, &f) || f.size == 0 || f.size > 8 || (f.size & (f.size - 1)) ||
	    f.n_steps > FETCH_MAX_STEPS)
		abort();
	if (a->place != USDT_CONSTANT && (a->base > 15 || f.arg != a->base))
		abort();
	if (a->index != USDT_NO_REGISTER && a->index > 15)
		abort();
	(void)signature_note_address(a, &f);
}

static void use_text(const char *text)
{
	struct usdt_arg args[USDT_MAX_ARGS];
	size_t n = usdt_parse_args(text, args);

	if (n > USDT_MAX_ARGS)
		abort();
	for (size_t i = 0; i < n; i++)
		use_arg(&args[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(elf_image_freep) struct elf_image *image = NULL;
	_cleanup_(usdt_notes_freep) struct usdt_notes *notes = NULL;
	_cleanup_(freep) char *text = strndup((const char *)data, size);
	_cleanup_(closep) int fd = memfd_create("fuzz", MFD_CLOEXEC);
	const struct usdt_note *all;
	size_t n;

	if (text)
		use_text(text);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		return 0;
	if (elf_image_open(fd, NULL, &image) < 0 || usdt_notes_read(image, &notes) < 0)
		return 0;
	all = usdt_notes_all(notes, &n);
	for (size_t i = 0; i < n; i++) {
		struct usdt_type type;

		use_text(all[i].args);
		usdt_type_make(&all[i], i > 0 ? &all[i - 1] : NULL, &type);
		if (type.type.n_params > USDT_MAX_ARGS || !all[i].provider[0] || !all[i].name[0])
			abort();
	}
	return 0;
}
