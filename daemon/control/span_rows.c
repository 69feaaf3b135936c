/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/span_rows.h"

#include "query/group.h"

static const char *probe_text(const struct model *m, const struct model_probe *p)
{
	return p ? model_string_get(m, model_probe_label(p)) : "";
}

bool span_row_of(const struct model *m, const struct raw_span *span, const struct span_more *more,
		 struct span_row *ret)
{
	const struct model_path *path = model_path_get(m, span->path), *parent;
	const struct model_process *process = model_process_peek(m, span->process);
	const struct model_probe *probe = path ? model_probe_get(m, path->probe) : NULL;
	struct snapshot_frame frame = {.kind = FRAME_SPAN, .file_path = ""};
	const struct model_file *file;

	if (!process || !probe)
		return false;
	parent = path->parent ? model_path_get(m, path->parent) : NULL;
	file = model_file_get(m, probe->file);
	if (file)
		frame.file_path = model_string_get(m, file->path);
	*ret = (struct span_row){
		.span = *span,
		.more = *more,
		.pid = process->pid,
		.ns_pid = process->ns_pid,
		.container = process->container ? model_string_get(m, process->container) : NULL,
		.comm = model_string_get(m, process->comm),
		.name = probe_text(m, probe),
		.binary = frame_binary(&frame),
		.caller = parent ? probe_text(m, model_probe_get(m, parent->probe)) : "",
	};
	return true;
}
