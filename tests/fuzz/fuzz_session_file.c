/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any text as a file of a session that starts with the daemon: read, or refused with a reason. */
#include "control/session_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FILE *f = size ? fmemopen((void *)(uintptr_t)data, size, "r") : NULL;
	struct session_options o = {};
	struct error e = {};

	if (!f)
		return 0;
	if (session_file_parse(f, "x.conf", &o, &e) == 0) {
		if (!o.name || (!o.n_specs && !o.frequency_hz && !o.offcpu))
			abort();
	} else if (!e.name[0] || !e.message[0]) {
		abort();
	}
	session_options_release(&o);
	fclose(f);
	return 0;
}
