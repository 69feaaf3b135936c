/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "stat.h"
#include "tree.h"

struct sum {
	uint64_t self, total; /* nanoseconds */
	uint64_t samples, self_samples;
	uint64_t children; /* total of the children */
	uint64_t weight;   /* what pruning goes by: the larger of own and children's time */
	uint32_t id;	   /* of the row; 0: not shown */
};

struct builder {
	const struct snapshot *s;
	enum query_kind kind;
	struct call_tree tree;
	struct sum *sums;	 /* of each node */
	struct span_stat *stats; /* of each node; spans only */
	uint32_t *kept;		 /* nodes that are shown, by parent, then as siblings are ordered */
	size_t n_kept;
	uint32_t *first; /* where the children of each node begin in kept; [0]: the roots */
	struct graph *graph;
};

static void builder_release(struct builder *b)
{
	stat_free_array(b->stats, b->tree.n);
	call_tree_release(&b->tree);
	free(b->sums);
	free(b->kept);
	free(b->first);
	graph_free(b->graph);
}

static int sum_rows(struct builder *b)
{
	const struct snapshot *s = b->s;
	struct graph *g = b->graph;

	if (query_is_about_samples(b->kind)) {
		for (size_t i = 0; i < s->n_samples; i++) {
			uint32_t node = b->tree.of[s->samples[i].stack];

			b->sums[node].self += s->samples[i].ns;
			b->sums[node].self_samples += s->samples[i].count;
			g->total_ns += s->samples[i].ns;
			g->total_samples += s->samples[i].count;
		}
		return 0;
	}
	b->stats = calloc(b->tree.n + 1, sizeof(*b->stats));
	if (!b->stats)
		return -ENOMEM;
	for (size_t i = 0; i < s->n_stats; i++) {
		uint32_t node = b->tree.of[s->stats[i].path];
		int r = stat_add(&b->stats[node], &s->stats[i].stat);

		if (r < 0)
			return r;
		b->sums[node].self += s->stats[i].stat.self_ns;
		b->sums[node].self_samples += s->stats[i].samples;
		g->total_ns += s->stats[i].stat.self_ns;
		g->total_samples += s->stats[i].samples;
	}
	return 0;
}

/* Children have higher numbers than their parent: from the last node on, all below is known. */
static void sum_totals(struct builder *b)
{
	for (size_t i = b->tree.n; i-- > 0;) {
		struct sum *sum = &b->sums[i];
		uint32_t parent = b->tree.nodes[i].parent;
		uint64_t below = sum->weight; /* of the children, so far */

		sum->samples += sum->self_samples;
		if (query_is_about_samples(b->kind))
			sum->total = sum->self + sum->children;
		else
			sum->total = b->stats[i].calls ? b->stats[i].total_ns : sum->children;
		sum->weight = MAX(sum->total, below);
		if (parent) {
			b->sums[parent - 1].children += sum->total;
			b->sums[parent - 1].samples += sum->samples;
			b->sums[parent - 1].weight += sum->weight;
		}
	}
}

static int compare_nodes(const void *pa, const void *pb, void *arg)
{
	const struct builder *b = arg;
	uint32_t ia = *(const uint32_t *)pa, ib = *(const uint32_t *)pb;
	const struct call_node *na = &b->tree.nodes[ia], *nb = &b->tree.nodes[ib];
	const struct group *ga = &b->tree.groups.items[na->group];
	const struct group *gb = &b->tree.groups.items[nb->group];
	uint64_t ta = b->sums[ia].total, tb = b->sums[ib].total;
	int r;

	if (na->parent != nb->parent)
		return na->parent < nb->parent ? -1 : 1;
	if (ta != tb)
		return ta < tb ? 1 : -1;
	r = strcmp(ga->name, gb->name);
	if (r == 0)
		r = strcmp(ga->binary, gb->binary);
	if (r == 0)
		r = (int)ga->kind - (int)gb->kind;
	return r ? r : ga->inlined - gb->inlined;
}

/* Chooses the nodes to show and puts siblings side by side. */
static int keep_nodes(struct builder *b, double min_percent, uint32_t max_depth)
{
	size_t n = b->tree.n;
	uint64_t total = b->graph->total_ns;
	_cleanup_(freep) bool *is_kept = calloc(n + 1, sizeof(*is_kept));

	b->kept = calloc(n + 1, sizeof(*b->kept));
	b->first = calloc(n + 2, sizeof(*b->first));
	if (!is_kept || !b->kept || !b->first)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct call_node *node = &b->tree.nodes[i];

		if (node->parent && !is_kept[node->parent - 1])
			continue;
		if (max_depth && node->depth >= max_depth)
			continue;
		if ((double)b->sums[i].weight * 100 < min_percent * (double)total)
			continue;
		is_kept[i] = true;
		b->kept[b->n_kept++] = i;
		b->first[node->parent + 1]++;
	}
	/* first[] held how many children the one before has: add up to where they begin. */
	for (size_t i = 1; i < n + 2; i++)
		b->first[i] += b->first[i - 1];
	qsort_r(b->kept, b->n_kept, sizeof(*b->kept), compare_nodes, b);
	return 0;
}

static struct graph_row make_row(struct builder *b, uint32_t node)
{
	const struct call_node *n = &b->tree.nodes[node];
	const struct group *group = &b->tree.groups.items[n->group];
	const struct sum *sum = &b->sums[node];
	struct graph_row row = {
		.id = sum->id,
		.parent = n->parent ? b->sums[n->parent - 1].id : 0,
		.depth = n->depth,
		.func = group->name,
		.binary = group->binary,
		.kind = (enum frame_kind)group->kind,
		.inlined = group->inlined,
		.self_ns = sum->self,
		.total_ns = sum->total,
	};

	row.samples = sum->samples;
	row.self_samples = sum->self_samples;
	if (!query_is_about_samples(b->kind)) {
		row.calls = b->stats[node].calls;
		row.errors = b->stats[node].errors;
		row.avg_ns = stat_average(&b->stats[node]);
		row.p50_ns = stat_quantile(&b->stats[node], 0.50);
		row.p99_ns = stat_quantile(&b->stats[node], 0.99);
		row.max_ns = b->stats[node].max_ns;
		row.hist = hist_take(&b->stats[node].hist);
	}
	return row;
}

/* Depth first with an explicit stack: each node waits there at most once. */
static int make_rows(struct builder *b)
{
	_cleanup_(freep) uint32_t *todo = calloc(b->n_kept + 1, sizeof(*todo));
	size_t n_todo = 0;

	b->graph->rows = calloc(b->n_kept + 1, sizeof(*b->graph->rows));
	if (!todo || !b->graph->rows)
		return -ENOMEM;
	for (size_t i = b->first[1]; i-- > b->first[0];)
		todo[n_todo++] = b->kept[i];
	while (n_todo) {
		uint32_t node = todo[--n_todo];

		b->sums[node].id = ++b->graph->n_rows;
		b->graph->rows[b->graph->n_rows - 1] = make_row(b, node);
		for (size_t i = b->first[node + 2]; i-- > b->first[node + 1];)
			todo[n_todo++] = b->kept[i];
	}
	return 0;
}

int query_graph(const struct snapshot *s, enum query_kind kind, double min_percent,
		uint32_t max_depth, struct graph **ret)
{
	_cleanup_(builder_release) struct builder b = {.s = s, .kind = kind};
	int r;

	b.graph = calloc(1, sizeof(*b.graph));
	if (!b.graph)
		return -ENOMEM;
	r = call_tree_make(&b.tree, s, kind);
	if (r < 0)
		return r;
	b.sums = calloc(b.tree.n + 1, sizeof(*b.sums));
	if (!b.sums)
		return -ENOMEM;
	r = sum_rows(&b);
	if (r < 0)
		return r;
	sum_totals(&b);
	r = keep_nodes(&b, min_percent, max_depth);
	if (r >= 0)
		r = make_rows(&b);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(b.graph);
	return 0;
}

struct graph *graph_free(struct graph *g)
{
	if (!g)
		return NULL;
	for (size_t i = 0; i < g->n_rows; i++)
		hist_release(&g->rows[i].hist);
	free(g->rows);
	free(g);
	return NULL;
}
