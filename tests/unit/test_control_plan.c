/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A session's conditions and captures, bound to functions whose types are made here by hand. */
#include <criterion/criterion.h>

#include "control/call_plan.h"

static const struct ctype type_int = {
	.kind = CTYPE_INT, .is_signed = true, .name = "int", .size = 4};
static const struct ctype type_char = {
	.kind = CTYPE_CHAR, .is_signed = true, .name = "char", .size = 1};
static const struct ctype type_text = {
	.kind = CTYPE_POINTER, .name = "const char *", .size = 8, .target = &type_char};

static struct function_param params[] = {
	{"path", &type_text, PARAM_IN_REGISTER, 0},
	{"len", &type_int, PARAM_IN_REGISTER, 1},
};
static const struct function_type open_type = {
	.name = "open_it", .params = params, .n_params = 2, .ret = &type_int, .file = ""};
static const struct function_type close_type = {
	.name = "close_it", .params = params, .n_params = 1, .ret = &type_int, .file = ""};

static struct probe_point points[] = {
	{.symbol = "open_it"}, {.symbol = "close_it"}, {.symbol = "gate", .role = ROLE_GATE}};
static const struct probe_set set = {.points = points, .n = 3};

static struct call_plan *plan_of(const struct call_wishes *wishes)
{
	struct call_plan *plan = NULL;
	struct error e = {};

	cr_assert_eq(call_plan_new(wishes, 0, &plan, &e), 0, "%s", e.message);
	return plan;
}

/* Describes the first n points; returns what the last one needs, or -1 when it is left out. */
static int describe(struct call_plan *plan, size_t n, struct error *e)
{
	const struct function_type *const types[] = {&open_type, &close_type, NULL};
	uint8_t needed = 0;

	for (size_t i = 0; i < n; i++) {
		int r = call_plan_describe(plan, &points[i], "/usr/lib/libdoor-2.so.1", types[i],
					   &needed, e);

		cr_assert(r == 0 || r == 1, "%d", r);
		if (r == 1)
			return -1;
	}
	return needed;
}

Test(call_plan, without_wishes_asks_nothing)
{
	struct call_plan *plan = plan_of(&(struct call_wishes){.types = true});
	struct error e = {};

	cr_expect_not(call_plan_is_rich(plan));
	cr_expect(call_plan_wants_types(plan));
	cr_expect_eq(describe(plan, 2, &e), 0, "no register is needed");
	cr_expect_eq(call_plan_bind(plan, &set, &e), 0);
	cr_expect_eq(call_plan_wants(plan), 0);
	cr_expect_not(call_plan_sends_calls(plan));
	cr_expect_str_eq(call_plan_name(plan, 1), "close_it");
	cr_expect_str_eq(call_plan_name(plan, 7), "");
	cr_expect_null(call_plan_get(plan, 2));
	call_plan_free(plan);
}

Test(call_plan, needs_what_its_conditions_name)
{
	struct call_plan *plan = plan_of(&(struct call_wishes){
		.where = "args.len > 3 && duration > 1ms && cat == \"libdoor\"",
		.begin = "comm == \"door\"",
	});
	const struct planned_call *call;
	struct error e = {};

	cr_expect_eq(describe(plan, 1, &e), 2, "the second register");
	cr_expect_eq(call_plan_bind(plan, &set, &e), 0, "%s", e.message);
	cr_expect_eq(call_plan_wants(plan), WANT_ARGS | WANT_COMM);
	cr_expect_not(call_plan_sends_calls(plan), "the kernel decides");
	call = call_plan_get(plan, 0);
	cr_assert_not_null(call);
	cr_expect(call->where && call->begin && !call->stack_if);
	cr_expect_not(bound_has(call->where, EXPR_DAEMON));
	call_plan_free(plan);
}

Test(call_plan, captures_are_values_and_the_daemons_part_needs_calls)
{
	const char *const captures[] = {"str(args.path)"};
	struct call_plan *plan = plan_of(&(struct call_wishes){
		.where = "str(args.path) =~ /^a+$/",
		.captures = (char *const *)captures,
		.n_captures = 1,
	});
	struct error e = {};
	size_t n;

	cr_expect_eq(describe(plan, 2, &e), 1);
	cr_expect_eq(call_plan_bind(plan, &set, &e), 0, "%s", e.message);
	cr_expect_eq(call_plan_wants(plan), WANT_VALUES);
	cr_expect(call_plan_sends_calls(plan));
	signature_fetches(call_plan_get(plan, 0)->signature, &n);
	cr_expect_eq(n, 1, "the condition uses the capture that is there");
	call_plan_free(plan);
}

/* A function without the argument is left out, and the error says of what column. */
Test(call_plan, functions_that_do_not_fit_are_left_out)
{
	struct call_plan *plan = plan_of(&(struct call_wishes){.where = "args.len > 3"});
	struct error e = {};

	cr_expect_eq(describe(plan, 2, &e), -1);
	cr_expect_str_eq(e.name, "BadCondition");
	cr_expect(strstr(e.message, "column 1") && strstr(e.message, "no argument len"), "%s",
		  e.message);
	cr_expect_not_null(call_plan_get(plan, 0));
	cr_expect_null(call_plan_get(plan, 1));
	call_plan_free(plan);
}

Test(call_plan, entry_and_stacks_are_the_kernels_to_decide)
{
	struct call_plan *plan =
		plan_of(&(struct call_wishes){.stack_if = "str(args.path) =~ /x/ && ret == 0"});
	struct error e = {};

	cr_expect_eq(describe(plan, 1, &e), 1);
	cr_expect_eq(call_plan_bind(plan, &set, &e), -EINVAL);
	cr_expect(strstr(e.message, "--stack-if") && strstr(e.message, "=~ /x/"), "%s", e.message);
	cr_expect(strstr(e.fix, "--where"));
	call_plan_free(plan);

	plan = plan_of(&(struct call_wishes){.begin = "duration > 1ms"});
	e = (struct error){};
	cr_expect_eq(describe(plan, 1, &e), -1);
	cr_expect(startswith(e.message, "--begin: "), "%s", e.message);
	call_plan_free(plan);
}

Test(call_plan, callers_are_known_by_index_when_all_are_there)
{
	struct call_plan *plan = plan_of(&(struct call_wishes){.where = "caller == \"open_it\""});
	struct error e = {};

	cr_expect_geq(describe(plan, 2, &e), 0);
	cr_expect_eq(call_plan_bind(plan, &set, &e), 0);
	cr_expect_eq(call_plan_wants(plan), WANT_CALLER);
	cr_expect_not(call_plan_sends_calls(plan), "by index the kernel can");
	call_plan_free(plan);
}

/* What is captured keeps its place when conditions are replaced. */
Test(call_plan, replaced_conditions_leave_their_captures)
{
	struct call_plan *first =
		plan_of(&(struct call_wishes){.where = "str(args.path) == \"a\""});
	struct call_plan *second =
		plan_of(&(struct call_wishes){.where = "args.len > 3", .previous = first});
	struct call_plan *third =
		plan_of(&(struct call_wishes){.where = "args.len < 3", .previous = second});
	struct error e = {};
	uint32_t len;
	size_t n;

	cr_expect_geq(describe(first, 1, &e), 0);
	cr_expect_geq(describe(third, 1, &e), 0, "%s", e.message);
	cr_expect_eq(call_plan_bind(third, &set, &e), 0, "%s", e.message);
	len = signature_values_len(call_plan_get(first, 0)->signature);
	cr_expect_gt(len, 64);
	cr_expect_eq(signature_values_len(call_plan_get(third, 0)->signature), len);
	signature_fetches(call_plan_get(third, 0)->signature, &n);
	cr_expect_eq(n, 1);
	call_plan_free(third);
	call_plan_free(second);
	call_plan_free(first);
}

Test(call_plan, redacted_arguments_are_neither_kept_nor_asked_about)
{
	const char *const redact[] = {"pa*"};
	struct call_wishes wishes = {.args = true, .redact = (char *const *)redact, .n_redact = 1};
	struct call_plan *plan = plan_of(&wishes);
	struct error e = {};

	cr_expect_eq(describe(plan, 1, &e), 2, "the other register only");
	cr_expect_eq(call_plan_bind(plan, &set, &e), 0);
	cr_expect_eq(signature_kept_args(call_plan_get(plan, 0)->signature), 2);
	cr_expect_eq(signature_values_len(call_plan_get(plan, 0)->signature), 0);
	call_plan_free(plan);

	wishes.where = "str(args.path) == \"secret\"";
	plan = plan_of(&wishes);
	cr_expect_eq(describe(plan, 1, &e), -1);
	cr_expect(strstr(e.message, "redact"), "%s", e.message);
	call_plan_free(plan);
}

Test(call_plan, gates_are_not_looked_at)
{
	struct call_plan *plan = plan_of(&(struct call_wishes){.where = "args.len > 3"});
	struct probe_point gate = points[2];
	struct error e = {};
	uint8_t needed = 0;

	cr_expect_eq(call_plan_describe(plan, &gate, "/bin/x", NULL, &needed, &e), 0);
	cr_expect_eq(needed, 0);
	cr_expect_null(call_plan_get(plan, 0)->where);
	call_plan_free(plan);
}

Test(call_plan, texts_that_cannot_be_parsed)
{
	static const char *const bad_capture[] = {"args."};
	struct call_plan *plan = NULL;
	struct error e = {};

	cr_expect_eq(call_plan_new(&(struct call_wishes){.where = "duration >"}, 0, &plan, &e),
		     -EINVAL);
	cr_expect_str_eq(e.name, "BadCondition");
	e = (struct error){};
	cr_expect_eq(call_plan_new(&(struct call_wishes){.captures = (char *const *)bad_capture,
							 .n_captures = 1},
				   0, &plan, &e),
		     -EINVAL);
	cr_expect(startswith(e.message, "--capture args.: "), "%s", e.message);
	cr_expect_null(plan);
}
