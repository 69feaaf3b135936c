/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any string is either a specification whose parts are whole, or refused with a message. */
#include "probe/spec.h"
#include "text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(spec_freep) struct spec *s = NULL;
	_cleanup_(freep) char *text = text_of(data, size);
	struct error e = {};
	int r;

	if (!text)
		return 0;
	r = spec_parse(text, &s, &e);
	if (r == -ENOMEM)
		return 0;
	if (r < 0) {
		if (s || !e.name[0] || !e.message[0])
			abort();
		return 0;
	}
	/* Of the kernel a module may be named. */
	if (!s->pattern[0] ||
	    (s->kind != SPEC_KERNEL && (s->kind == SPEC_EXECUTABLE) != !s->binary))
		abort();
	if ((s->is_static || s->is_source) != (s->provider != NULL) ||
	    (s->provider && !s->provider[0]))
		abort();
	if (s->kind == SPEC_PATH && s->binary[0] != '/')
		abort();
	if (s->kind == SPEC_LIBRARY && (!s->binary[0] || strchr(s->binary, '/')))
		abort();
	spec_library_matches(s->binary ? s->binary : s->pattern, text);
	return 0;
}
