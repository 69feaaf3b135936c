/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Static probes of this very program, resolved. */
#include "../workloads/usdt_note.h"
#include "probe/btf_type.h"
#include "probe_help.h"

NOTE_SEMAPHORE(st, turned);

#define NOP5	     ".byte 0x0f, 0x1f, 0x44, 0, 0"
#define MOVE_STACK   "lea -128(%%rsp), %%rsp\n"
#define MOVE_BACK    "lea 128(%%rsp), %%rsp\n"
#define PASSED(code) "jmp 1f\n990: " code "\n1:"

__attribute__((noinline, used)) static void static_test(int n)
{
	NOTE_PROBE("st", "pair__entry", "0", "-4@%0", "r"(n));
	NOTE_PROBE("st", "pair__entry", "0", "8@$1", "r"(n));
	NOTE_PROBE("st", "pair__return", "0", "-8@$-3", "r"(n));
	NOTE_PROBE("st", "pair__return", "0", "", "r"(n));
	NOTE_PROBE("st", "pair__return", "0", "8@%%xmm0", "r"(n));
	NOTE_PROBE("st", "alone__entry", "0", "", "r"(n));
	NOTE_PROBE("st", "last__return", "0", "", "r"(n));
	NOTE_PROBE("st", "turned", "st_turned_semaphore", "", "r"(n));
	NOTE_PROBE("other", "pair__return", "0", "", "r"(n));
	NOTE_PROBE("st", "nowhere", "0x7fffffff0000", "", "r"(n));
	NOTE_AT("990: " NOP5, "st", "long", "0", "", "r"(n));
	NOTE_PROBE("sonde", "thread", "0", "", "r"(n));
	NOTE_PROBE("sonde", "control", "0", "", "r"(n));
	NOTE_AT(PASSED("nop\n" NOP5 "\nret"), "sonde", "batch", "0", "", "r"(n));
	NOTE_AT(PASSED("nop\n" NOP5 "\nret"), "sonde", "span", "0", "", "r"(n));
	NOTE_AT(PASSED("nop\n" NOP5 "\nnop\nret"), "sonde", "event", "0", "", "r"(n));
	NOTE_AT(MOVE_STACK "990: " NOP5 "\n" MOVE_BACK, "st", "spared", "0", "", "r"(n));
}

static struct probe_set *of_self(const char *names, const char *more)
{
	pid_t pid = getpid();
	struct probe_target t = {.pids = &pid, .n_pids = 1};
	char spec[64];

	snprintf(spec, sizeof(spec), "usdt:%s", names);
	return resolve_ok(&t, spec, more, NULL);
}

static const struct probe_point *find(const struct probe_set *set, const char *symbol)
{
	for (size_t i = 0; i < set->n; i++)
		if (streq(set->points[i].symbol, symbol))
			return &set->points[i];
	return NULL;
}

Test(statics, pairs_are_in_a_row)
{
	_cleanup_(probe_set_freep) struct probe_set *set = of_self("st:pair", NULL);

	cr_assert_eq(set->n, 5, "%zu", set->n);
	for (uint32_t i = 0; i < 5; i++) {
		const struct probe_point *p = &set->points[i];

		cr_expect_str_eq(p->symbol, "st:pair");
		cr_expect(p->is_static);
		cr_expect_eq(p->role, i < 2 ? ROLE_SPAN : ROLE_END);
		cr_expect_eq(p->n_begins, 2);
		cr_expect_eq(p->n_ends, 3);
		cr_expect_eq(p->back, i);
		cr_expect_eq(p->hit, HIT_EMULATED);
		cr_expect_str_eq(p->instruction, "nop");
		cr_expect_eq(p->semaphore, 0);
	}
	cr_expect_eq(set->points[2].result.kind, FETCH_NUMBER);
	cr_expect_eq(set->points[2].result.flags, FETCH_CONSTANT | FETCH_SIGNED);
	cr_expect_eq(set->points[2].result.steps[0], -3);
	cr_expect_eq(set->points[2].result.steps[1], -1);
	cr_expect_eq(set->points[3].result.kind, FETCH_NONE, "no argument");
	cr_expect_eq(set->points[4].result.kind, FETCH_NONE, "not readable");
}

Test(statics, what_is_a_pair)
{
	_cleanup_(probe_set_freep) struct probe_set *by_entry = of_self("st:pair__entry", NULL);
	_cleanup_(probe_set_freep) struct probe_set *by_return = of_self("st:pair__return", NULL);
	_cleanup_(probe_set_freep) struct probe_set *all = of_self("*:*", NULL);
	const struct probe_point *p;

	cr_expect_eq(by_entry->n, 5, "the ends come with it");
	cr_expect_eq(by_return->n, 3, "asked for alone they are instants");
	cr_expect_str_eq(by_return->points[0].symbol, "st:pair__return");
	cr_expect_eq(by_return->points[0].n_ends, 0);
	cr_expect_not_null(find(all, "st:pair"));
	cr_expect_null(find(all, "st:pair__return"));
	p = find(all, "st:alone__entry");
	cr_assert_not_null(p);
	cr_expect_eq(p->n_ends, 0);
	cr_expect_not_null(find(all, "st:last__return"));
	cr_expect_not_null(find(all, "other:pair__return"), "of another provider");
	p = find(all, "st:turned");
	cr_assert_not_null(p);
	cr_expect_neq(p->semaphore, 0);
}

Test(statics, exclusions)
{
	_cleanup_(probe_set_freep) struct probe_set *pair = of_self("st:*", "!usdt:st:pair");
	_cleanup_(probe_set_freep) struct probe_set *entry = of_self("st:*", "!usdt:*:pair__entry");
	_cleanup_(probe_set_freep) struct probe_set *plain = of_self("st:*", "!turned");
	_cleanup_(probe_set_freep) struct probe_set *other = of_self("st:*", "!usdt:other:*");

	cr_expect_null(find(pair, "st:pair"));
	cr_expect_not_null(find(pair, "st:turned"));
	cr_expect_null(find(entry, "st:pair"));
	cr_expect_null(find(entry, "st:pair__return"), "the ends go with it");
	cr_expect_null(find(plain, "st:turned"));
	cr_expect_not_null(find(plain, "st:pair"));
	cr_expect_not_null(find(other, "st:turned"));
}

Test(statics, what_is_left_out)
{
	_cleanup_(probe_set_freep) struct probe_set *set = of_self("st:*", NULL);
	_cleanup_(btf_types_freep) struct btf_types *types = NULL;
	const struct function_type *type;
	bool optimises = btf_types_open(NULL, &types) < 0 ||
			 btf_types_find(types, "arch_uprobe_optimize", &type) >= 0;

	cr_expect_null(find(set, "st:nowhere"));
	cr_expect(has_note(set, "st:nowhere", "semaphore is not in the file"));
	cr_expect_not_null(find(set, "st:spared"), "it keeps off the red zone");
	cr_expect_eq(!find(set, "st:long"), optimises);
	cr_expect_eq(has_note(set, "st:long", "below its stack pointer"), optimises);
}

Test(statics, functions_beside_them)
{
	_cleanup_(probe_set_freep) struct probe_set *set = of_self("st:turned", "probe_test_f0");
	const struct probe_point *f = find(set, "probe_test_f0"), *s = find(set, "st:turned");

	cr_assert(f && s);
	cr_expect_not(f->is_static);
	cr_expect_eq(f->file, s->file);
	cr_expect_eq(set->n, 2);
}

/* Those of sonde/span.h, with and without what it has for kernels that make calls of nops. */
static struct probe_set *spans_of_self(bool single, bool cheap)
{
	const struct resolve_options options = {.single_spans = single, .nop5_is_cheap = cheap};
	pid_t pid = getpid();
	const struct probe_target t = {.pids = &pid, .n_pids = 1};
	struct probe_set *set = NULL;
	struct spec *spec = NULL;
	struct error e = {};

	cr_assert_eq(spec_parse("span:*", &spec, &e), 0);
	cr_assert_eq(probe_resolve(&t, &spec, 1, &options, &set, &e), 0, "%s", e.message);
	spec_free(spec);
	return set;
}

Test(statics, a_cheaper_nop_behind_that_of_a_span)
{
	_cleanup_(probe_set_freep) struct probe_set *cheap = spans_of_self(true, true);
	_cleanup_(probe_set_freep) struct probe_set *dear = spans_of_self(true, false);
	_cleanup_(probe_set_freep) struct probe_set *batches = spans_of_self(false, true);
	const struct probe_point *at = find(cheap, "sonde:span"), *nop = find(dear, "sonde:span");

	cr_assert(at && nop && find(cheap, "sonde:event") && find(batches, "sonde:batch"));
	cr_expect_eq(nop->hit, HIT_EMULATED);
	cr_expect_str_eq(nop->instruction, "nop");
	cr_expect_eq(at->hit, HIT_OPTIMISED);
	cr_expect_eq(at->offset, nop->offset + 1);
	cr_expect_eq(at->skipped, 1);
	cr_expect_eq(find(cheap, "sonde:event")->hit, HIT_EMULATED, "no return follows at once");
	cr_expect_eq(find(cheap, "sonde:thread")->hit, HIT_EMULATED);
	cr_expect_eq(find(batches, "sonde:batch")->hit, HIT_EMULATED, "it is hit seldom");
}

Test(statics, none_matches)
{
	pid_t pid = getpid();
	struct probe_target t = {.pids = &pid, .n_pids = 1};
	struct error e = resolve_fails(&t, "usdt:st:turn", "NothingMatches");

	cr_expect(strstr(e.message, "did you mean turned"), "%s", e.message);
	e = resolve_fails(&t, "usdt:nobody:*", "NothingMatches");
	cr_expect(strstr(e.message, "has the provider nobody; there are other, sonde, st"), "%s",
		  e.message);
	e = resolve_fails(&t, "usdt:libc:x:y", "NothingMatches");
	cr_expect(strstr(e.message, "no static probes"), "%s", e.message);
}
