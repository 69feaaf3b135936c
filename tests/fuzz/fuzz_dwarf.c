/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads the input as an ELF file with debug information, walks the types of its functions and
 * captures what their arguments lead to.
 */
#include <stdint.h>
#include <sys/mman.h>

#include "probe/signature.h"
#include "symbol/function_type.h"
#include "symbol/symtab.h"
#include "type_walk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Each member of the parameter, and what is behind it, as a number and as text. */
static void capture(struct signature *s, const struct function_param *p)
{
	const struct ctype *t = p->type->target ? p->type->target : p->type;
	struct expr_step steps[3] = {{.member = p->name}};
	char text[32];
	struct expr_ref ref = {.steps = steps, .column = 1, .text = text};
	static unsigned number;

	ctype_complete(t);
	for (size_t i = 0; i <= t->n_members && i < 32; i++) {
		steps[1] = (struct expr_step){.member = i > 0 ? t->members[i - 1].name : NULL};
		for (ref.n_steps = 1; ref.n_steps <= 3; ref.n_steps++) {
			snprintf(text, sizeof(text), "%u", number++);
			ref.str = number % 2;
			signature_capture(s, &ref, NULL);
		}
	}
}

static void check_fetches(const struct signature *s)
{
	const struct fetch *f;
	size_t n;

	f = signature_fetches(s, &n);
	for (size_t i = 0; i < n; i++)
		if (f[i].arg >= FETCH_MAX_ARGS || f[i].n_steps > FETCH_MAX_STEPS ||
		    f[i].slot % 8 != 0 || f[i].slot + 8 > RECORD_MAX_VALUES ||
		    f[i].shift + f[i].bits > 64 ||
		    (f[i].kind == FETCH_TEXT && f[i].slot + 4 + f[i].room > RECORD_MAX_VALUES))
			abort();
}

static void use_signature(const struct function_type *f)
{
	struct signature *s _cleanup_(signature_freep) = NULL,
			    *again _cleanup_(signature_freep) = NULL;
	char *text _cleanup_(freep) = NULL;
	struct strbuf out _cleanup_(strbuf_release) = {};

	if (signature_new(f, 0, NULL, 0, &s) < 0)
		return;
	for (size_t i = 0; i < f->n_params; i++)
		capture(s, &f->params[i]);
	signature_capture_strings(s, NULL);
	check_fetches(s);
	signature_print_type(s, f->name, &out);
	text = signature_encode(s);
	if (text && signature_decode(text, &again) < 0)
		abort();
}

static void use(struct function_types *types, uint64_t vaddr)
{
	const struct function_type *f;

	if (function_types_find(types, vaddr, &f) < 0)
		return;
	budget = 2000;
	walk(f->ret, 6);
	for (size_t i = 0; i < f->n_params; i++) {
		const struct function_param *p = &f->params[i];

		if ((p->place == PARAM_IN_REGISTER && p->reg >= 6) ||
		    (p->place == PARAM_SPREAD && p->reg >= 5))
			abort();
		if (strlen(p->name) + walk(p->type, 6) > 100000000)
			abort();
	}
	use_signature(f);
}

static int use_symbol(const struct symbol *symbol, void *data)
{
	use(data, symbol->vaddr);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct elf_image *image _cleanup_(elf_image_freep) = NULL;
	struct function_types *types _cleanup_(function_types_freep) = NULL;
	struct symtab *st _cleanup_(symtab_freep) = NULL;
	int fd _cleanup_(closep) = memfd_create("fuzz", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size ||
	    elf_image_open(fd, NULL, &image) < 0 ||
	    function_types_open(image, NULL, "/nonexistent", NULL, &types) < 0)
		return 0;
	if (symtab_load(image, NULL, "/nonexistent", NULL, &st) == 0)
		symtab_each(st, use_symbol, types);
	/* Functions that only the debug information has. */
	for (uint64_t at = 0x1000; at < 0x1200; at += 16)
		use(types, at);
	return 0;
}
