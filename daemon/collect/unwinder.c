// SPDX-License-Identifier: GPL-2.0-or-later
#include "unwinder.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

struct unwinder {
	int tables, trees, processes; /* maps; the kernel side's */
	bool taken[UNWIND_MAX_TABLES];
};

int unwinder_new(const struct kernel_side *kernel, struct unwinder **ret)
{
	struct unwinder *u = calloc(1, sizeof(*u));

	if (!u)
		return -ENOMEM;
	kernel_side_unwind_maps(kernel, &u->tables, &u->trees, &u->processes);
	*ret = u;
	return 0;
}

static void remove_processes(struct unwinder *u)
{
	struct unwind_process_key key;

	while (bpf_map_get_next_key(u->processes, NULL, &key) == 0)
		if (bpf_map_delete_elem(u->processes, &key) < 0)
			break;
}

struct unwinder *unwinder_free(struct unwinder *u)
{
	if (!u)
		return NULL;
	remove_processes(u);
	free(u);
	return NULL;
}

/* How many nodes each level has, leaves first; returns the levels above the leaves, or -EINVAL. */
static int measure(size_t rows, size_t sizes[static UNWIND_MAX_LEVELS + 1])
{
	int levels = 0;

	if (rows == 0)
		return -EINVAL;
	sizes[0] = (rows + UNWIND_LEAF_ROWS - 1) / UNWIND_LEAF_ROWS;
	while (sizes[levels] > 1) {
		if (levels == UNWIND_MAX_LEVELS)
			return -EINVAL;
		sizes[levels + 1] = (sizes[levels] + UNWIND_FANOUT - 1) / UNWIND_FANOUT;
		levels++;
	}
	return levels;
}

static void fill_leaf(union unwind_node *node, const struct unwind_row *rows, size_t n)
{
	for (size_t i = 0; i < UNWIND_LEAF_ROWS; i++)
		node->rows[i] = i < n ? rows[i] : (struct unwind_row){.pc = UINT32_MAX};
}

/* The keys of a node: of its children, each leaf behind them stands for `span` rows. */
static void fill_keys(union unwind_node *node, const struct unwind_row *rows, size_t n,
		      size_t first, size_t span)
{
	for (size_t i = 0; i < UNWIND_FANOUT; i++) {
		size_t row = (first + i) * span;

		node->keys[i] = row < n ? rows[row].pc : UINT32_MAX;
	}
}

static union unwind_node *make_nodes(const struct unwind_row *rows, size_t n,
				     struct unwind_tree *ret_tree, size_t *ret_n)
{
	size_t sizes[UNWIND_MAX_LEVELS + 1] = {0}, total = 0, at = 0, span = UNWIND_LEAF_ROWS;
	int levels = measure(n, sizes);
	union unwind_node *nodes;

	for (int i = 0; i <= levels; i++)
		total += sizes[i];
	nodes = calloc(total, sizeof(*nodes));
	if (!nodes)
		return NULL;
	memset(ret_tree, 0, sizeof(*ret_tree));
	ret_tree->levels = (uint32_t)levels;
	for (int i = levels - 1; i >= 0; i--) {
		at += sizes[i + 1];
		ret_tree->start[levels - 1 - i] = (uint32_t)at;
	}
	for (size_t i = 0; i < sizes[0]; i++)
		fill_leaf(&nodes[at + i], rows + i * UNWIND_LEAF_ROWS, n - i * UNWIND_LEAF_ROWS);
	for (int level = 1; level <= levels; level++, span *= UNWIND_FANOUT) {
		at -= sizes[level];
		for (size_t i = 0; i < sizes[level]; i++)
			fill_keys(&nodes[at + i], rows, n, i * UNWIND_FANOUT, span);
	}
	*ret_n = total;
	return nodes;
}

/* An array with those nodes; a descriptor or -errno. */
static int create_table(const union unwind_node *nodes, size_t n)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_INNER_MAP);
	_cleanup_(closep) int fd =
		bpf_map_create(BPF_MAP_TYPE_ARRAY, "unwind_table", sizeof(uint32_t), sizeof(*nodes),
			       (uint32_t)n, &options);
	_cleanup_(freep) uint32_t *keys = NULL;
	uint32_t done = (uint32_t)n;

	if (fd < 0)
		return -errno;
	keys = malloc(n * sizeof(*keys));
	if (!keys)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		keys[i] = i;
	if (bpf_map_update_batch(fd, keys, nodes, &done, NULL) < 0)
		return -errno;
	return TAKE_FD(fd);
}

static int64_t free_table(const struct unwinder *u)
{
	for (uint32_t i = 0; i < UNWIND_MAX_TABLES; i++)
		if (!u->taken[i])
			return i;
	return -ENOSPC;
}

int unwinder_make_table(struct unwinder *u, const struct unwind_row *rows, size_t n,
			struct unwinder_table *ret)
{
	size_t sizes[UNWIND_MAX_LEVELS + 1], n_nodes = 0;
	_cleanup_(freep) union unwind_node *nodes = NULL;
	_cleanup_(closep) int fd = -EBADF;
	int64_t id = free_table(u);
	struct unwind_tree tree;
	uint32_t table;

	if (id < 0)
		return (int)id;
	table = (uint32_t)id;
	if (measure(n, sizes) < 0)
		return -EINVAL;
	nodes = make_nodes(rows, n, &tree, &n_nodes);
	if (!nodes)
		return -ENOMEM;
	fd = create_table(nodes, n_nodes);
	if (fd < 0)
		return fd;
	if (bpf_map_update_elem(u->trees, &table, &tree, BPF_ANY) < 0)
		return -errno;
	u->taken[table] = true;
	*ret = (struct unwinder_table){
		.id = table, .fd = TAKE_FD(fd), .bytes = n_nodes * sizeof(*nodes)};
	return 0;
}

static int add_one_by_one(struct unwinder *u, const uint32_t *ids, const int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (bpf_map_update_elem(u->tables, &ids[i], &fds[i], BPF_ANY) < 0)
			return -errno;
	return 0;
}

int unwinder_add_tables(struct unwinder *u, struct unwinder_table *tables, size_t n)
{
	_cleanup_(freep) uint32_t *ids = calloc(MAX(n, 1U), sizeof(*ids));
	_cleanup_(freep) int *fds = calloc(MAX(n, 1U), sizeof(*fds));
	uint32_t done = (uint32_t)n;
	int r = ids && fds ? 0 : -ENOMEM;

	for (size_t i = 0; i < n && r >= 0; i++) {
		ids[i] = tables[i].id;
		fds[i] = tables[i].fd;
	}
	/* Not every kernel takes many at a time. */
	if (r >= 0 && n > 0 && bpf_map_update_batch(u->tables, ids, fds, &done, NULL) < 0)
		r = add_one_by_one(u, ids, fds, n);
	for (size_t i = 0; i < n; i++) {
		close(tables[i].fd);
		tables[i].fd = -EBADF;
		if (r < 0)
			unwinder_remove_table(u, tables[i].id);
	}
	return r;
}

void unwinder_remove_table(struct unwinder *u, uint32_t table)
{
	if (table >= UNWIND_MAX_TABLES || !u->taken[table])
		return;
	(void)bpf_map_delete_elem(u->tables, &table);
	u->taken[table] = false;
}

static void remove_parts(struct unwinder *u, uint32_t pid, uint32_t from)
{
	struct unwind_process_key key = {.pid = pid, .part = from};

	for (; key.part < UNWIND_MAX_PARTS; key.part++)
		if (bpf_map_delete_elem(u->processes, &key) < 0)
			break;
}

static void fill_part(struct unwind_process *p, const struct unwind_mapping *mappings, size_t n,
		      size_t part)
{
	size_t first = part * UNWIND_PART_MAPPINGS;

	for (size_t i = 0; i < UNWIND_MAX_PARTS; i++)
		p->part_start[i] = i * UNWIND_PART_MAPPINGS < n
					   ? mappings[i * UNWIND_PART_MAPPINGS].start
					   : UNWIND_NO_START;
	for (size_t i = 0; i < UNWIND_PART_MAPPINGS; i++)
		p->mappings[i] = first + i < n ? mappings[first + i]
					       : (struct unwind_mapping){.start = UNWIND_NO_START};
}

int unwinder_set_process(struct unwinder *u, uint32_t pid, const struct unwind_mapping *mappings,
			 size_t n)
{
	size_t parts = MAX((n + UNWIND_PART_MAPPINGS - 1) / UNWIND_PART_MAPPINGS, 1U);
	struct unwind_process p;

	if (parts > UNWIND_MAX_PARTS)
		return -E2BIG;
	/* The first part last, as it leads to the others. */
	for (size_t part = parts; part-- > 0;) {
		struct unwind_process_key key = {.pid = pid, .part = (uint32_t)part};

		fill_part(&p, mappings, n, part);
		if (bpf_map_update_elem(u->processes, &key, &p, BPF_ANY) < 0) {
			int r = -errno;

			remove_parts(u, pid, 0);
			return r;
		}
	}
	remove_parts(u, pid, (uint32_t)parts);
	return 0;
}

void unwinder_remove_process(struct unwinder *u, uint32_t pid)
{
	remove_parts(u, pid, 0);
}
