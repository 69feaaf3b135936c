/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Gates: conditions on a comparison under which a build is to fail.
 *
 *   mean(parse_*) > +5% || p99(handle) > 20ms
 *
 * A comparison is METRIC(GLOB) OP VALUE, combined by || && ! and brackets. VALUE is +N% or -N%, the
 * change from before to after, which must be significant, too; or what is to hold afterwards: a
 * duration, a number, or for error_rate and share a percentage. It holds when it does for one of
 * the functions the glob matches. Chance has as many tries as there are functions, so each change
 * is tested at (1 - confidence) / functions (Bonferroni).
 */
#ifndef SONDE_QUERY_GATE_H
#define SONDE_QUERY_GATE_H

#include "compare.h"
#include "sonde/base/error.h"

enum gate_op { GATE_GREATER, GATE_LESS, GATE_GREATER_EQUAL, GATE_LESS_EQUAL };
enum gate_value { GATE_CHANGE, GATE_DURATION, GATE_NUMBER, GATE_PERCENT };

struct gate_comparison {
	enum compare_metric metric;
	enum gate_op op;
	enum gate_value kind;
	double value; /* ns, a number, or 0.05 for 5 % */
	char *glob;   /* over names of functions */
	char *text;   /* as it was written */
};

struct gate_node;

struct gate {
	char *text;
	struct gate_comparison *comparisons; /* in the order in which they are written */
	size_t n_comparisons, comparisons_cap;
	struct gate_node *nodes; /* operands before operators: the last one is the root */
	size_t n_nodes, nodes_cap;
};

/* -EINVAL: a BadCondition whose message begins with "column N:", with a fix. */
int gate_parse(const char *text, struct error *e, struct gate **ret);
struct gate *gate_free(struct gate *g);
DEFINE_CLEANUP(struct gate *, gate_free)

/* Of a comparison: whether it holds; of a gate: HOLDS means that the build fails. */
enum gate_verdict { GATE_HOLDS_NOT, GATE_HOLDS, GATE_UNDECIDED };
enum gate_reason {
	GATE_DECIDED,
	GATE_NO_FUNCTION, /* the glob matches none of either side */
	GATE_FEW_CALLS,	  /* calls (or samples): have, of which there must be need */
	GATE_FEW_WINDOWS, /* nothing is known of how the figure varies */
};

/* What one comparison says of one function. */
struct gate_finding {
	const struct gate_comparison *comparison;
	const struct compare_row *row; /* NULL: GATE_NO_FUNCTION */
	struct change change;	       /* of a value: totals, calls, … of the whole sides */
	enum gate_verdict verdict;
	enum gate_reason reason;
	uint64_t have, need;
};

struct gate_result {
	enum gate_verdict verdict;
	struct gate_finding *findings; /* by comparison, then in order of the comparison's rows */
	size_t n_findings, findings_cap;
};

struct gate_options {
	double confidence;
	uint64_t min_calls;
};

/*
 * Asks a comparison by function. Functions of a glob with too few calls are left out, unless all
 * have too few: then, as when there are none, the comparison is undecided; what || and && make of
 * that is decided where the other side decides it. -EINVAL with a BadArgument when the gate is
 * about spans and the comparison about samples, or the other way round. gate and comparison must
 * outlive the result, which gate_result_release() empties.
 */
int gate_evaluate(const struct gate *g, const struct comparison *c, const struct gate_options *o,
		  struct error *e, struct gate_result *ret);
void gate_result_release(struct gate_result *r);

#endif
