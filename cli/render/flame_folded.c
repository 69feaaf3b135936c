/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "flame_folded.h"

static void append_name(struct strbuf *out, const char *name)
{
	size_t at = out->len;

	strbuf_puts(out, name);
	if (strbuf_error(out) < 0)
		return;
	for (; at < out->len; at++)
		if (out->data[at] == ';')
			out->data[at] = ':';
}

int flame_folded_write(struct strbuf *out, struct flame_tree *tree)
{
	_cleanup_(strbuf_release) struct strbuf line = {0};
	_cleanup_(freep) size_t *ends = NULL; /* how much of line the frames up to a depth take */
	const struct flame_node *nodes;
	size_t n, cap = 0;
	int r;

	r = flame_tree_layout(tree, &nodes, &n);
	if (r < 0)
		return r;

	/* In pre-order the line of a node is a beginning of the line before it, and one frame more.
	 */
	for (size_t i = 1; i < n; i++) {
		uint32_t depth = nodes[i].depth;

		r = array_reserve(&ends, &cap, depth + 1, sizeof(*ends));
		if (r < 0)
			return r;
		line.len = depth > 1 ? ends[depth - 1] : 0;
		if (depth > 1)
			strbuf_putc(&line, ';');
		append_name(&line, flame_tree_frame(tree, nodes[i].frame).name);
		r = strbuf_error(&line);
		if (r < 0)
			return r;
		ends[depth] = line.len;
		if (nodes[i].self == 0 && nodes[i].before_self == 0)
			continue;
		strbuf_append(out, line.data, line.len);
		/* As difffolded.pl has it: before, after. */
		if (flame_tree_before(tree))
			strbuf_printf(out, " %llu", (unsigned long long)nodes[i].before_self);
		strbuf_printf(out, " %llu\n", (unsigned long long)nodes[i].self);
	}
	return strbuf_error(out);
}
