/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A library with spans that is loaded and unloaded; it catches them itself. */
#include <sonde/span.h>

#include "span_help.h"

__attribute__((visibility("default"))) const char *plugin_run(int end);

const char *plugin_run(int end)
{
	SONDE_SHARED(interest) = SONDE_INTEREST_BATCH;
	{
		SONDE_SPAN_CAT("plugin", "run");
	}
	if (end)
		sonde_send_batch(SONDE_SHARED(thread));
	return span_lines();
}
