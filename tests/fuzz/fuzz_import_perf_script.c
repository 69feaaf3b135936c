/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "import_sink.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	import_bytes("perf-script", data, size);
	return 0;
}
