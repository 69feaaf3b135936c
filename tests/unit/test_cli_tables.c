/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables of the command in terminals of several widths, flat and as trees. */
#include "cli_run.h"

TestSuite(cli_tables, .init = setup, .fini = teardown, .timeout = 60);

/* What can be missed goes first; a file has no width. */
Test(cli_tables, tables_fit_the_terminal)
{
	setenv("LC_ALL", "C", 1);
	setenv("COLUMNS", "110", 1);
	check("report", "report-110.txt", 0);
	check("graph", "graph-110.txt", 0);
	setenv("COLUMNS", "50", 1);
	check("report", "report-50.txt", 0);
	check("report --tree", "graph-50.txt", 0);
	expect_asked("io.sonde.Graph");
	check("graph --flat", "report-50.txt", 0);
	sonde_ok("report -o wide.txt && grep -q sqlite3_column_text.*0.8.6] wide.txt");
	expect_error("report --tree --by comm", 2, "a tree (--tree) has no --by");
	expect_error("report --tree -n 3", 2, "a tree (--tree) has no --limit (-n)");
	expect_error("graph --flat --depth 3", 2, "a flat profile (--flat) has no --depth");
	expect_error("graph --flat --tree", 2, "either --tree or --flat");
}
