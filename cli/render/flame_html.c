/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "flame_html.h"

#include "flame_page.h"
#include "page.h"
#include "sonde/base/json.h"
#include "sonde/base/table.h"

static void write_info(struct json_writer *w, const struct flame_info *info)
{
	json_string(w, "title", info->title ? info->title : "Flame graph");
	json_string(w, "target", info->target ? info->target : "");
	json_string(w, "period", info->period ? info->period : "");
	json_string(w, "unit", info->unit == FLAME_NANOSECONDS ? "ns" : "samples");
	json_u64(w, "count", info->count);
	json_string(w, "counted", info->counted);
	json_u64(w, "lost", info->lost);
	json_string(w, "order", info->order ? info->order : "size");
}

/* The distinct frames as parallel arrays; binaries, which repeat, through a table of their own. */
static int write_frames(struct json_writer *w, const struct flame_tree *tree)
{
	size_t n = flame_tree_frames(tree), n_binaries = 0;
	_cleanup_(freep) uint32_t *binary = calloc(n, sizeof(*binary));
	_cleanup_(freep) const char **binaries = calloc(n, sizeof(*binaries));
	_cleanup_(table_release) struct table seen = {0};

	if (!binary || !binaries)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		/* Names are interned: the same text is the same pointer. */
		const char *text = flame_tree_frame(tree, (uint32_t)i).binary;
		bool is_new = false;
		uint32_t *slot = table_put(&seen, (uint64_t)(uintptr_t)text, &is_new);

		if (!slot)
			return -ENOMEM;
		if (is_new) {
			*slot = (uint32_t)n_binaries;
			binaries[n_binaries++] = text;
		}
		binary[i] = *slot;
	}
	json_array_begin(w, "kinds");
	for (int k = 0; k < FLAME_KINDS; k++)
		json_string(w, NULL, flame_kind_name(k));
	json_array_end(w);
	json_array_begin(w, "binaries");
	for (size_t b = 0; b < n_binaries; b++)
		json_string(w, NULL, binaries[b]);
	json_array_end(w);
	json_array_begin(w, "names");
	for (size_t i = 0; i < n; i++)
		json_string(w, NULL, flame_tree_frame(tree, (uint32_t)i).name);
	json_array_end(w);
	json_array_begin(w, "kind");
	for (size_t i = 0; i < n; i++)
		json_u64(w, NULL, flame_tree_frame(tree, (uint32_t)i).kind);
	json_array_end(w);
	/* Few are, of most programs none: their numbers. */
	json_array_begin(w, "inlined");
	for (size_t i = 0; i < n; i++)
		if (flame_tree_frame(tree, (uint32_t)i).inlined)
			json_u64(w, NULL, i);
	json_array_end(w);
	json_array_begin(w, "binary");
	for (size_t i = 0; i < n; i++)
		json_u64(w, NULL, binary[i]);
	json_array_end(w);
	return 0;
}

/* Nanoseconds from the first one on, null where it is not known; nothing when no time is. */
static void write_times(struct json_writer *w, const struct flame_node *nodes, size_t n)
{
	uint64_t zero = FLAME_NO_TIME;

	for (size_t i = 0; i < n; i++)
		zero = MIN(zero, nodes[i].first_ns);
	if (zero == FLAME_NO_TIME)
		return;
	json_array_begin(w, "first");
	for (size_t i = 0; i < n; i++) {
		if (nodes[i].first_ns == FLAME_NO_TIME)
			json_string(w, NULL, NULL);
		else
			json_u64(w, NULL, nodes[i].first_ns - zero);
	}
	json_array_end(w);
}

/* Pre-order, depth and self are the whole tree: the page derives parents, totals and positions. */
static int write_nodes(struct json_writer *w, struct flame_tree *tree)
{
	const struct flame_node *nodes;
	size_t n;
	int r;

	r = flame_tree_layout(tree, &nodes, &n);
	if (r < 0)
		return r;
	json_array_begin(w, "frame");
	for (size_t i = 0; i < n; i++)
		json_u64(w, NULL, nodes[i].frame);
	json_array_end(w);
	json_array_begin(w, "depth");
	for (size_t i = 0; i < n; i++)
		json_u64(w, NULL, nodes[i].depth);
	json_array_end(w);
	json_array_begin(w, "self");
	for (size_t i = 0; i < n; i++)
		json_u64(w, NULL, nodes[i].self);
	json_array_end(w);
	write_times(w, nodes, n);
	if (!flame_tree_before(tree))
		return 0;
	json_array_begin(w, "before");
	for (size_t i = 0; i < n; i++)
		json_u64(w, NULL, nodes[i].before);
	json_array_end(w);
	return 0;
}

int flame_html_write(struct strbuf *out, struct flame_tree *tree, const struct flame_info *info)
{
	_cleanup_(strbuf_release) struct strbuf json = {0};
	struct json_writer w;
	int r;

	json_begin(&w, &json);
	json_object_begin(&w, NULL);
	json_u64(&w, "schema", 1);
	write_info(&w, info);
	r = write_frames(&w, tree);
	if (r < 0)
		return r;
	r = write_nodes(&w, tree);
	if (r < 0)
		return r;
	json_object_end(&w);
	r = strbuf_error(&json);
	if (r < 0)
		return r;

	strbuf_append(out, flame_page_before, sizeof(flame_page_before) - 1);
	page_append_json(out, &json);
	strbuf_append(out, flame_page_after, sizeof(flame_page_after) - 1);
	return strbuf_error(out);
}
