/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "flame_tree.h"

#include "sonde/base/format.h"
#include "sonde/base/json.h"
#include "sonde/base/table.h"

/* Two name ids, a kind and a flag are packed into one table key: 30 + 30 + 3 + 1 bits. */
#define NAME_BITS 30
#define NAMES_MAX (1U << NAME_BITS)
#define NODES_MAX UINT32_MAX

struct frame_ids {
	uint32_t name, binary;
	enum flame_kind kind;
	bool inlined;
};

struct tree_node {
	uint32_t parent, frame;
	uint64_t total, self, before, before_self, first_ns;
};

struct flame_tree {
	char **names;
	size_t n_names, cap_names;
	struct frame_ids *frames;
	size_t n_frames, cap_frames;
	struct tree_node *nodes; /* a parent comes before its children */
	size_t n_nodes, cap_nodes;
	struct table name_index;  /* hash of the text -> name; a collision tries the next seed */
	struct table frame_index; /* packed struct frame_ids -> frame */
	struct table node_index;  /* parent, frame -> node */
	struct strbuf scratch;
	struct flame_node *layout;
	size_t n_layout;
	bool laid_out;
};

static const char *const kind_names[FLAME_KINDS] = {
	[FLAME_PROCESS] = "process", [FLAME_USER] = "user", [FLAME_KERNEL] = "kernel",
	[FLAME_PYTHON] = "python",   [FLAME_SPAN] = "span",
};

const char *flame_kind_name(enum flame_kind kind)
{
	return (unsigned int)kind < FLAME_KINDS ? kind_names[kind] : "unknown";
}

enum flame_kind flame_kind_of(const char *kind)
{
	return streq(kind, "kernel") ? FLAME_KERNEL : streq(kind, "span") ? FLAME_SPAN : FLAME_USER;
}

/* What XML has no place for, as one of U+FFFE and U+FFFF, or a terminal obeys. */
static bool can_be_shown(const char *s, size_t n)
{
	return n && !utf8_is_control(s, n) &&
	       !(n == 3 &&
		 (memcmp(s, "\xef\xbf\xbe", 3) == 0 || memcmp(s, "\xef\xbf\xbf", 3) == 0));
}

void flame_clean(struct strbuf *out, const char *text)
{
	size_t len = strlen(text);

	for (size_t at = 0, n; at < len; at += n) {
		n = utf8_sequence(text + at, len - at);
		if (can_be_shown(text + at, n))
			strbuf_append(out, text + at, n);
		else
			strbuf_puts(out, n == 1 ? "?" : "\xef\xbf\xbd");
		n = MAX(n, 1U);
	}
}

void flame_escape(struct strbuf *out, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		switch (text[i]) {
		case '<':
			strbuf_puts(out, "&lt;");
			break;
		case '>':
			strbuf_puts(out, "&gt;");
			break;
		case '&':
			strbuf_puts(out, "&amp;");
			break;
		case '"':
			strbuf_puts(out, "&quot;");
			break;
		default:
			strbuf_putc(out, text[i]);
		}
	}
}

static int intern_name(struct flame_tree *t, const char *text, uint32_t *ret_id)
{
	uint32_t *slot;
	size_t len;
	int r;

	strbuf_reset(&t->scratch);
	flame_clean(&t->scratch, text);
	r = strbuf_error(&t->scratch);
	if (r < 0)
		return r;
	len = t->scratch.len;

	for (uint64_t seed = 0;; seed++) {
		uint64_t key = hash_bytes(len ? t->scratch.data : "", len, seed);
		_cleanup_(freep) char *copy = NULL;
		bool is_new = false;

		slot = table_get(&t->name_index, key);
		if (slot) {
			if (strncmp(t->names[*slot], len ? t->scratch.data : "", len) == 0 &&
			    t->names[*slot][len] == '\0') {
				*ret_id = *slot;
				return 0;
			}
			continue;
		}
		if (t->n_names >= NAMES_MAX)
			return -E2BIG;
		r = array_reserve(&t->names, &t->cap_names, t->n_names + 1, sizeof(*t->names));
		if (r < 0)
			return r;
		copy = strndup(len ? t->scratch.data : "", len);
		if (!copy)
			return -ENOMEM;
		slot = table_put(&t->name_index, key, &is_new);
		if (!slot)
			return -ENOMEM;
		*slot = (uint32_t)t->n_names;
		*ret_id = *slot;
		t->names[t->n_names++] = TAKE_PTR(copy);
		return 0;
	}
}

static int intern_frame(struct flame_tree *t, const struct flame_frame *f, uint32_t *ret_id)
{
	struct frame_ids ids = {.kind = f->kind, .inlined = f->inlined};
	bool is_new = false;
	uint32_t *slot;
	int r;

	if ((unsigned int)f->kind >= FLAME_KINDS)
		return -EINVAL;
	r = intern_name(t, f->name && *f->name ? f->name : "[unknown]", &ids.name);
	if (r < 0)
		return r;
	r = intern_name(t, f->binary ? f->binary : "", &ids.binary);
	if (r < 0)
		return r;
	if (t->n_frames >= UINT32_MAX)
		return -E2BIG;
	r = array_reserve(&t->frames, &t->cap_frames, t->n_frames + 1, sizeof(*t->frames));
	if (r < 0)
		return r;
	slot = table_put(&t->frame_index,
			 (uint64_t)ids.name << (NAME_BITS + 4) | (uint64_t)ids.binary << 4 |
				 (uint64_t)ids.kind << 1 | ids.inlined,
			 &is_new);
	if (!slot)
		return -ENOMEM;
	if (is_new) {
		*slot = (uint32_t)t->n_frames;
		t->frames[t->n_frames++] = ids;
	}
	*ret_id = *slot;
	return 0;
}

static int child_of(struct flame_tree *t, uint32_t parent, uint32_t frame, uint32_t *ret_node)
{
	bool is_new = false;
	uint32_t *slot;
	int r;

	if (t->n_nodes >= NODES_MAX)
		return -E2BIG;
	r = array_reserve(&t->nodes, &t->cap_nodes, t->n_nodes + 1, sizeof(*t->nodes));
	if (r < 0)
		return r;
	slot = table_put(&t->node_index, (uint64_t)parent << 32 | frame, &is_new);
	if (!slot)
		return -ENOMEM;
	if (is_new) {
		*slot = (uint32_t)t->n_nodes;
		t->nodes[t->n_nodes++] = (struct tree_node){
			.parent = parent, .frame = frame, .first_ns = FLAME_NO_TIME};
	}
	*ret_node = *slot;
	return 0;
}

struct flame_tree *flame_tree_new(void)
{
	const struct flame_frame all = {.name = "all", .kind = FLAME_PROCESS};
	_cleanup_(flame_tree_freep) struct flame_tree *t = calloc(1, sizeof(*t));
	uint32_t frame = 0;

	if (!t || intern_frame(t, &all, &frame) < 0 ||
	    array_reserve(&t->nodes, &t->cap_nodes, 1, sizeof(*t->nodes)) < 0)
		return NULL;
	t->nodes[t->n_nodes++] = (struct tree_node){.frame = frame, .first_ns = FLAME_NO_TIME};
	return TAKE_PTR(t);
}

struct flame_tree *flame_tree_free(struct flame_tree *t)
{
	if (!t)
		return NULL;
	for (size_t i = 0; i < t->n_names; i++)
		free(t->names[i]);
	free(t->names);
	free(t->frames);
	free(t->nodes);
	free(t->layout);
	table_release(&t->name_index);
	table_release(&t->frame_index);
	table_release(&t->node_index);
	strbuf_release(&t->scratch);
	free(t);
	return NULL;
}

/* The node of a stack, made where there is none. What fails leaves only nodes of 0. */
static int node_of(struct flame_tree *t, const struct flame_frame *frames, size_t n, uint32_t *ret)
{
	uint32_t node = 0;

	if (n > FLAME_MAX_DEPTH)
		return -E2BIG;
	for (size_t i = 0; i < n; i++) {
		uint32_t frame = 0;
		int r = intern_frame(t, &frames[i], &frame);

		if (r >= 0)
			r = child_of(t, node, frame, &node);
		if (r < 0)
			return r;
	}
	t->laid_out = false;
	*ret = node;
	return 0;
}

int flame_tree_began(struct flame_tree *t, const struct flame_frame *frames, size_t n,
		     uint64_t time_ns)
{
	uint32_t node;
	int r = node_of(t, frames, n, &node);

	if (r >= 0)
		t->nodes[node].first_ns = MIN(t->nodes[node].first_ns, time_ns);
	return r;
}

static int add(struct flame_tree *t, const struct flame_frame *frames, size_t n, uint64_t value,
	       bool before)
{
	uint32_t node;
	int r;

	if (n > FLAME_MAX_DEPTH)
		return -E2BIG;
	if (value == 0)
		return 0;
	if ((before ? t->nodes[0].before : t->nodes[0].total) > UINT64_MAX - value)
		return -EOVERFLOW;

	r = node_of(t, frames, n, &node);
	if (r < 0)
		return r;
	*(before ? &t->nodes[node].before_self : &t->nodes[node].self) += value;
	for (;; node = t->nodes[node].parent) {
		*(before ? &t->nodes[node].before : &t->nodes[node].total) += value;
		if (node == 0)
			return 0;
	}
}

int flame_tree_add(struct flame_tree *t, const struct flame_frame *frames, size_t n, uint64_t value)
{
	return add(t, frames, n, value, false);
}

int flame_tree_add_before(struct flame_tree *t, const struct flame_frame *frames, size_t n,
			  uint64_t value)
{
	return add(t, frames, n, value, true);
}

uint64_t flame_tree_before(const struct flame_tree *t)
{
	return t->nodes[0].before;
}

static double share(uint64_t part, uint64_t whole)
{
	return whole ? (double)part / (double)whole : 0;
}

double flame_tree_change(const struct flame_tree *t, const struct flame_node *node)
{
	return share(node->total, t->nodes[0].total) - share(node->before, t->nodes[0].before);
}

uint64_t flame_tree_total(const struct flame_tree *t)
{
	return t->nodes[0].total;
}

size_t flame_tree_frames(const struct flame_tree *t)
{
	return t->n_frames;
}

struct flame_frame flame_tree_frame(const struct flame_tree *t, uint32_t frame)
{
	const struct frame_ids *ids = &t->frames[frame];

	return (struct flame_frame){
		.name = t->names[ids->name],
		.binary = t->names[ids->binary],
		.kind = ids->kind,
		.inlined = ids->inlined,
	};
}

static int compare_siblings(const void *pa, const void *pb, void *arg)
{
	const struct flame_tree *t = arg;
	const struct tree_node *a = &t->nodes[*(const uint32_t *)pa];
	const struct tree_node *b = &t->nodes[*(const uint32_t *)pb];
	struct flame_frame fa, fb;
	int r;

	if (a->parent != b->parent)
		return a->parent < b->parent ? -1 : 1;
	if (a->total != b->total)
		return a->total > b->total ? -1 : 1;
	fa = flame_tree_frame(t, a->frame);
	fb = flame_tree_frame(t, b->frame);
	r = strcmp(fa.name, fb.name);
	if (r == 0)
		r = strcmp(fa.binary, fb.binary);
	if (r == 0)
		r = (int)fa.kind - (int)fb.kind;
	return r ? r : fa.inlined - fb.inlined;
}

struct todo {
	uint32_t node;	 /* in tree->nodes */
	uint32_t parent; /* in the layout */
};

/*
 * Pre-order over order[], in which siblings are neighbours and first[p] is where those of p
 * begin. Of each popped node all children are pushed, last first, so todo never holds more than
 * the number of nodes. used[p] is how much of p (in the layout) its children have taken so far.
 */
static size_t walk(const struct flame_tree *t, const uint32_t *order, const uint32_t *first,
		   struct todo *todo, uint64_t *used, struct flame_node *out)
{
	size_t n_todo = 0, n = 0;

	todo[n_todo++] = (struct todo){0, 0};
	while (n_todo > 0) {
		struct todo now = todo[--n_todo];
		const struct tree_node *node = &t->nodes[now.node];
		uint32_t at = (uint32_t)n++;
		uint32_t end = first[now.node];

		out[at] = (struct flame_node){
			.parent = now.parent,
			.frame = node->frame,
			.total = node->total,
			.self = node->self,
			.before = node->before,
			.before_self = node->before_self,
			.first_ns = node->first_ns,
		};
		if (at > 0) {
			out[at].depth = out[now.parent].depth + 1;
			out[at].start = out[now.parent].start + used[now.parent];
			used[now.parent] += node->total;
		}
		while (end < t->n_nodes - 1 && t->nodes[order[end]].parent == now.node)
			end++;
		for (; end > first[now.node]; end--)
			if (t->nodes[order[end - 1]].total > 0 ||
			    t->nodes[order[end - 1]].before > 0)
				todo[n_todo++] = (struct todo){order[end - 1], at};
	}
	return n;
}

static int layout(struct flame_tree *t)
{
	size_t n = t->n_nodes;
	_cleanup_(freep) uint32_t *order = calloc(n, sizeof(*order));
	_cleanup_(freep) uint32_t *first = calloc(n, sizeof(*first));
	_cleanup_(freep) struct todo *todo = calloc(n, sizeof(*todo));
	_cleanup_(freep) uint64_t *used = calloc(n, sizeof(*used));
	struct flame_node *out = calloc(n, sizeof(*out));

	if (!order || !first || !todo || !used || !out) {
		free(out);
		return -ENOMEM;
	}
	for (size_t i = 1; i < n; i++)
		order[i - 1] = (uint32_t)i;
	qsort_r(order, n - 1, sizeof(*order), compare_siblings, t);
	for (size_t i = n - 1; i > 0; i--)
		first[t->nodes[order[i - 1]].parent] = (uint32_t)(i - 1);
	/* A leaf's first[] stays 0; order[0] is not its child, so its run is empty. */
	free(t->layout);
	t->layout = out;
	t->n_layout = walk(t, order, first, todo, used, out);
	t->laid_out = true;
	return 0;
}

int flame_tree_layout(struct flame_tree *t, const struct flame_node **ret_nodes, size_t *ret_n)
{
	if (!t->laid_out) {
		int r = layout(t);

		if (r < 0)
			return r;
	}
	*ret_nodes = t->layout;
	*ret_n = t->n_layout;
	return 0;
}

void flame_value(enum flame_unit unit, uint64_t value, struct strbuf *out)
{
	char buf[FORMAT_MAX];

	if (unit == FLAME_NANOSECONDS)
		strbuf_puts(out, format_duration(buf, value));
	else
		strbuf_printf(out, "%s sample%s", format_count(buf, value), value == 1 ? "" : "s");
}

void flame_info_subtitle(const struct flame_info *info, struct strbuf *out)
{
	char buf[FORMAT_MAX];

	if (info->target && *info->target) {
		flame_clean(out, info->target);
		strbuf_puts(out, " \u00b7 ");
	}
	if (info->period && *info->period) {
		flame_clean(out, info->period);
		strbuf_puts(out, " \u00b7 ");
	}
	strbuf_printf(out, "%s %s", format_count(buf, info->count), info->counted);
	strbuf_printf(out, " \u00b7 %s lost", format_count(buf, info->lost));
}
