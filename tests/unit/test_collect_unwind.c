/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unwind tables and mappings as they lie in the kernel's maps. Needs root, else it is skipped. */
#include "collect_help.h"

#include "collect/unwinder.h"

TestSuite(unwinder, .init = take_turn);

static struct kernel_side *kernel;

static struct unwinder *open_unwinder(void)
{
	struct unwinder *u = NULL;

	kernel = open_kernel(1 << 16);
	cr_assert_eq(unwinder_new(kernel, &u), 0);
	return u;
}

static void close_unwinder(struct unwinder *u)
{
	unwinder_free(u);
	kernel_side_free(kernel);
}

/* Rows with gaps of 1 to 100 between their pcs, the first not at 0. */
static struct unwind_row *make_rows(size_t n)
{
	struct unwind_row *rows = calloc(n, sizeof(*rows));
	uint32_t pc = 5;

	cr_assert_not_null(rows);
	for (size_t i = 0; i < n; i++, pc += 1 + (uint32_t)rand() % 100) {
		rows[i].pc = pc;
		rows[i].cfa_offset = (int16_t)i;
		rows[i].rule = UNWIND_RSP;
	}
	return rows;
}

static union unwind_node node_of(int table, uint32_t index)
{
	union unwind_node node;

	cr_assert_eq(bpf_map_lookup_elem(table, &index, &node), 0, "node %u", index);
	return node;
}

static size_t last_not_above(const uint32_t *keys, size_t n, size_t stride, uint32_t pc)
{
	size_t at = 0;

	for (size_t i = 1; i < n; i++)
		if (keys[i * stride] <= pc)
			at = i;
	return at;
}

/* As the header says that trees are read, one comparison after the other. */
static struct unwind_row look_up(int table, const struct unwind_tree *tree, uint32_t pc)
{
	uint32_t in_level = 0, index = 0;
	union unwind_node node = node_of(table, 0);

	for (uint32_t level = 0; level < tree->levels; level++) {
		in_level = in_level * UNWIND_FANOUT +
			   (uint32_t)last_not_above(node.keys, UNWIND_FANOUT, 1, pc);
		index = tree->start[level] + in_level;
		node = node_of(table, index);
	}
	return node.rows[last_not_above(&node.rows[0].pc, UNWIND_LEAF_ROWS,
					sizeof(struct unwind_row) / sizeof(uint32_t), pc)];
}

static int open_table(uint32_t id, struct unwind_tree *ret_tree)
{
	uint32_t map;
	int fd;

	cr_assert_eq(bpf_map_lookup_elem(find_map("unwind_trees"), &id, ret_tree), 0);
	cr_assert_eq(bpf_map_lookup_elem(find_map("unwind_tables"), &id, &map), 0);
	fd = bpf_map_get_fd_by_id(map);
	cr_assert_geq(fd, 0);
	return fd;
}

static void check_table(struct unwinder *u, size_t n, uint32_t levels)
{
	struct unwind_row *rows = make_rows(n);
	struct unwinder_table made;
	struct unwind_tree tree;
	int table;

	cr_assert_eq(unwinder_make_table(u, rows, n, &made), 0, "%zu rows", n);
	cr_assert_eq(unwinder_add_tables(u, &made, 1), 0);
	cr_assert_eq(made.fd, -EBADF, "its descriptor is left");
	table = open_table(made.id, &tree);
	cr_expect_eq(tree.levels, levels, "%zu rows: %u levels", n, tree.levels);
	cr_expect_lt(made.bytes, n * sizeof(*rows) * 103 / 100 + 3 * sizeof(union unwind_node));
	for (int i = 0; i < 300; i++) {
		size_t row = i < 4 ? (i & 1 ? n - 1 : 0) : (size_t)rand() % n;
		uint32_t after = row + 1 < n ? rows[row + 1].pc : rows[row].pc + 1000;
		uint32_t pc = rows[row].pc + (uint32_t)rand() % (after - rows[row].pc);

		cr_assert_eq(look_up(table, &tree, pc).cfa_offset, rows[row].cfa_offset,
			     "%zu rows, row %zu, pc %u", n, row, pc);
	}
	cr_expect_gt(look_up(table, &tree, rows[0].pc - 1).pc, rows[0].pc - 1);
	close(table);
	unwinder_remove_table(u, made.id);
	free(rows);
}

Test(unwinder, rows_are_found_in_trees_of_every_height)
{
	struct unwinder *u = open_unwinder();
	unsigned int seed = (unsigned int)getpid();
	struct unwinder_table none = {.id = 99};

	cr_log_info("seed %u", seed);
	srand(seed);
	check_table(u, 1, 0);
	check_table(u, UNWIND_LEAF_ROWS, 0);
	check_table(u, UNWIND_LEAF_ROWS + 1, 1);
	check_table(u, UNWIND_LEAF_ROWS * UNWIND_FANOUT, 1);
	check_table(u, UNWIND_LEAF_ROWS * UNWIND_FANOUT + 1, 2);
	check_table(u, UNWIND_LEAF_ROWS * UNWIND_FANOUT * UNWIND_FANOUT + 1, 3);
	cr_expect_eq(unwinder_make_table(u, NULL, 0, &none), -EINVAL);
	cr_expect_eq(none.id, 99);
	close_unwinder(u);
}

Test(unwinder, places_of_tables_are_given_again)
{
	struct unwinder *u = open_unwinder();
	struct unwind_row row = {.pc = 1, .rule = UNWIND_END};
	struct unwinder_table made[3] = {};
	int tables = find_map("unwind_tables");
	uint32_t map;

	cr_assert_eq(unwinder_make_table(u, &row, 1, &made[0]), 0);
	cr_assert_eq(unwinder_make_table(u, &row, 1, &made[1]), 0);
	cr_assert_neq(made[0].id, made[1].id);
	cr_assert_eq(bpf_map_lookup_elem(tables, &made[1].id, &map), -ENOENT);
	cr_assert_eq(unwinder_add_tables(u, made, 2), 0);
	cr_assert_eq(bpf_map_lookup_elem(tables, &made[0].id, &map), 0);
	cr_assert_eq(bpf_map_lookup_elem(tables, &made[1].id, &map), 0);
	unwinder_remove_table(u, made[0].id);
	cr_assert_eq(bpf_map_lookup_elem(tables, &made[0].id, &map), -ENOENT);
	cr_assert_eq(unwinder_make_table(u, &row, 1, &made[2]), 0);
	cr_assert_eq(made[2].id, made[0].id);
	cr_assert_eq(unwinder_add_tables(u, &made[2], 1), 0);
	cr_assert_eq(unwinder_add_tables(u, NULL, 0), 0);
	close_unwinder(u);
}

/* Mappings of 16 pages with a page between them. */
static void set_mappings(struct unwinder *u, uint32_t pid, size_t n, int wanted)
{
	struct unwind_mapping *m = calloc(MAX(n, 1U), sizeof(*m));

	cr_assert_not_null(m);
	for (size_t i = 0; i < n; i++)
		m[i] = (struct unwind_mapping){.start = (i + 1) << 17,
					       .end = ((i + 1) << 17) + (1 << 16),
					       .table = (uint32_t)i};
	cr_assert_eq(unwinder_set_process(u, pid, m, n), wanted, "%zu mappings", n);
	free(m);
}

static size_t count_mappings(uint32_t pid)
{
	struct unwind_process p, first;
	size_t n = 0;

	for (uint32_t part = 0; part < UNWIND_MAX_PARTS + 1; part++) {
		struct unwind_process_key key = {.pid = pid, .part = part};

		if (bpf_map_lookup_elem(find_map("unwind_mappings"), &key, &p) < 0)
			continue;
		if (part == 0)
			first = p;
		cr_expect_eq(first.part_start[part], p.mappings[0].start);
		for (size_t i = 0; i < UNWIND_PART_MAPPINGS; i++) {
			if (p.mappings[i].start == UNWIND_NO_START)
				continue;
			cr_expect_eq(p.mappings[i].table, n, "part %u", part);
			n++;
		}
	}
	return n;
}

Test(unwinder, mappings_are_in_parts)
{
	static const size_t sizes[] = {0, 1, 64, 65, 512, 130, 3};
	struct unwinder *u = open_unwinder();

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		set_mappings(u, 17, sizes[i], 0);
		cr_expect_eq(count_mappings(17), sizes[i], "%zu are %zu", sizes[i],
			     count_mappings(17));
	}
	set_mappings(u, 17, UNWIND_PART_MAPPINGS * UNWIND_MAX_PARTS + 1, -E2BIG);
	cr_expect_eq(count_mappings(17), 3, "what is refused changes something");
	set_mappings(u, 18, 70, 0);
	unwinder_remove_process(u, 17);
	cr_expect_eq(count_mappings(17), 0);
	cr_expect_eq(count_mappings(18), 70);
	close_unwinder(u);
}
