/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "formats.h"
#include "trace_event.h"

int import_chrome(struct import_input *in, struct import_sink *sink, struct error *error)
{
	_cleanup_(import_events_freep) struct import_events *events =
		import_events_new(sink, error);
	_cleanup_(import_json_freep) struct import_json *json =
		events ? import_json_new(import_input_name(in), IMPORT_JSON_TRACE,
					 import_events_add, events)
		       : NULL;
	const char *data;
	size_t len;
	int r;

	if (!json)
		return -ENOMEM;
	import_json_on_frame(json, import_events_frame, events);
	while ((r = import_input_read(in, &data, &len, error)) > 0) {
		r = import_json_feed(json, data, len, error);
		if (r < 0)
			return r;
	}
	if (r >= 0)
		r = import_json_end(json, error);
	if (r < 0)
		return r;
	if (import_json_epoch(json) > 0 && import_json_epoch(json) <= IMPORT_MAX_US)
		sink->epoch_us = import_json_epoch(json);
	if (import_json_frequency(json) > 0 && import_json_frequency(json) <= (int64_t)NSEC_PER_SEC)
		sink->period_ns = NSEC_PER_SEC / (uint64_t)import_json_frequency(json);
	return import_events_finish(events);
}
