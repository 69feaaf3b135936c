/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Return sites of code made by hand, which compilers do not write or tests could not see. */
#include "place_help.h"

#define RET 0xc3

struct sites {
	struct return_site *items;
	size_t n;
	const char *reason;
	int r;
};

static struct sites returns(const struct place_code *code)
{
	struct sites s = {};

	s.r = place_returns(code, &s.items, &s.n, &s.reason);
	return s;
}

static bool knows_2000(void *arg, uint64_t vaddr)
{
	(void)arg;
	return vaddr == 0x2000;
}

Test(place_returns, every_way_out)
{
	/* test; je +8; jne 0x2000; jmp *%rdx; rep ret; ret $8 */
	struct place_code code = CODE(0x85, 0xff, 0x74, 8, 0x0f, 0x85, 0xf6, 0x0f, 0, 0, 0xff, 0xe2,
				      0x75, 2, 0xf3, RET, 0xc2, 8, 0);
	struct sites s;

	SKIP_ELSEWHERE();
	code.is_function = knows_2000;
	s = returns(&code);
	cr_assert_eq(s.r, 0, "%s", s.reason);
	cr_assert_eq(s.n, 4);
	cr_expect(s.items[0].vaddr == 0x1004 && s.items[0].kind == SITE_JUMP_IF);
	cr_expect_eq(s.items[0].code, 5, "not equal");
	cr_expect_eq(s.items[0].hit, HIT_EMULATED);
	cr_expect(s.items[1].vaddr == 0x100a && s.items[1].kind == SITE_JUMP_REG);
	cr_expect_eq(s.items[1].code, 2, "rdx");
	cr_expect(s.items[2].vaddr == 0x100e && s.items[2].kind == SITE_RET);
	cr_expect(s.items[3].vaddr == 0x1010 && s.items[3].kind == SITE_RET);
	free(s.items);
}

Test(place_returns, data_in_the_text_is_never_a_site)
{
	/* jmp +4; four bytes that look like ret; ret */
	struct place_code code = CODE(0xeb, 4, RET, RET, RET, RET, 0x90, RET);
	struct sites s;

	SKIP_ELSEWHERE();
	s = returns(&code);
	cr_assert_eq(s.r, 0);
	cr_assert_eq(s.n, 1);
	cr_expect_eq(s.items[0].vaddr, 0x1007);
	free(s.items);
	/* call far away; zeros: the call does not return, and what follows is no code */
	code = CODE(0xe8, 0, 0, 1, 0, 0, 0, 0, 0, RET);
	s = returns(&code);
	cr_expect_eq(s.r, 0);
	cr_expect_eq(s.n, 0);
}

Test(place_returns, what_cannot_be_known_is_refused)
{
	struct place_code cases[] = {
		/* je +1; mov $0xc3,%al: the jump leads into the mov. */
		CODE(0x74, 1, 0xb0, RET, RET),
		/* push %rbx; notrack jmp *%rax */
		CODE(0x53, 0x3e, 0xff, 0xe0),
		/* push %rbx; jmp *%rax: with a frame, it is no tail call */
		CODE(0x53, 0xff, 0xe0),
		/* runs off its end */
		CODE(0x48, 0x89, 0xf8),
		/* no instruction at all */
		CODE(0x06, RET),
		/* lea 0x4000(%rip),%rdx; movslq (%rdx,%rdi,4),%rax; add %rdx,%rax; jmp *%rax */
		CODE(0x48, 0x8d, 0x15, 0xf9, 0x3f, 0, 0, 0x48, 0x63, 0x04, 0xba, 0x48, 0x01, 0xd0,
		     0xff, 0xe0),
		/* The same by a byte, which need not take all its values: movzbl (%rdi),%eax */
		CODE(0x0f, 0xb6, 0x07, 0x48, 0x8d, 0x15, 0xf6, 0x3f, 0, 0, 0x48, 0x63, 0x04, 0x82,
		     0x48, 0x01, 0xd0, 0xff, 0xe0),
		CODE(0xe2, 0x80, RET),
	};
	static const char *const reasons[] = {"overlap",	"computed", "computed",
					      "behind it",	"code",	    "unknown length",
					      "unknown length", "loop"};

	SKIP_ELSEWHERE();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sites s = returns(&cases[i]);

		cr_assert_eq(s.r, -EOPNOTSUPP, "case %zu", i);
		cr_expect(strstr(s.reason, reasons[i]), "case %zu: %s", i, s.reason);
		cr_expect(place_can_unwind(&cases[i], NULL, NULL), "case %zu", i);
	}
}

static uint8_t table[16];
static const uint8_t part[] = {0x31, 0xc0, 0x5b, RET}; /* xor; pop %rbx; ret */

static size_t read_memory(void *arg, uint64_t vaddr, void *buf, size_t size)
{
	const uint8_t *from = NULL;
	size_t n = 0;

	(void)arg;
	if (vaddr >= 0x5000 && vaddr < 0x5000 + sizeof(table)) {
		from = table + (vaddr - 0x5000);
		n = MIN(size, sizeof(table) - (vaddr - 0x5000));
	} else if (vaddr >= 0x8000 && vaddr < 0x8000 + sizeof(part)) {
		from = part + (vaddr - 0x8000);
		n = MIN(size, sizeof(part) - (vaddr - 0x8000));
	}
	if (n > 0)
		memcpy(buf, from, n);
	return n;
}

Test(place_returns, jump_tables)
{
	/* 0: cmp $1,%edi; 3: ja 19; 5: lea 0x5000,%rdx; c: movslq; 10: add; 13: jmp *%rax;
	 * 15: ret; 16: ret; 17: nop nop; 19: ret */
	struct place_code code =
		CODE(0x83, 0xff, 1, 0x77, 0x14, 0x48, 0x8d, 0x15, 0xf4, 0x3f, 0, 0, 0x48, 0x63,
		     0x04, 0xba, 0x48, 0x01, 0xd0, 0xff, 0xe0, RET, RET, 0x90, 0x90, RET);
	int32_t entries[4] = {0x1015 - 0x5000, 0x1016 - 0x5000, 0x1017 - 0x5000, 0x1018 - 0x5000};
	struct sites s;

	SKIP_ELSEWHERE();
	memcpy(table, entries, sizeof(table));
	code.read = read_memory;
	s = returns(&code);
	cr_assert_eq(s.r, 0, "%s", s.reason);
	cr_assert_eq(s.n, 3, "two cases and the default, and not the entries behind the table");
	cr_expect_eq(s.items[0].vaddr, 0x1015);
	cr_expect_eq(s.items[1].vaddr, 0x1016);
	cr_expect_eq(s.items[2].vaddr, 0x1019);
	free(s.items);
	code.read = NULL;
	s = returns(&code);
	cr_expect_eq(s.r, -EOPNOTSUPP);
}

Test(place_returns, parts_moved_away)
{
	/* push %rbx; test %edi,%edi; je 0x8000; pop %rbx; ret */
	struct place_code code = CODE(0x53, 0x85, 0xff, 0x0f, 0x84, 0xf7, 0x6f, 0, 0, 0x5b, RET);
	struct sites s;

	SKIP_ELSEWHERE();
	code.read = read_memory;
	s = returns(&code);
	cr_assert_eq(s.r, 0, "%s", s.reason);
	cr_assert_eq(s.n, 2);
	cr_expect_eq(s.items[1].vaddr, 0x8003, "the part's ret");
	free(s.items);
}

Test(place_returns, landings)
{
	/* call; ret; 6: ret, which only an unwinder comes to */
	struct place_code code = CODE(0xe8, 0, 0, 1, 0, RET, RET);
	const uint64_t landing = 0x1006;
	struct sites s;

	SKIP_ELSEWHERE();
	s = returns(&code);
	cr_expect_eq(s.n, 1);
	free(s.items);
	code.landings = &landing;
	code.n_landings = 1;
	s = returns(&code);
	cr_expect_eq(s.n, 2);
	free(s.items);
}

static bool calls_2000(void *arg, uint64_t vaddr)
{
	++*(int *)arg;
	return vaddr == 0x2000;
}

Test(place_returns, unwinding)
{
	struct place_code leaf = CODE(0x31, 0xc0, RET), calls = CODE(0xe8, 0xfb, 0x0f, 0, 0, RET),
			  other = CODE(0xe8, 0xfb, 0x1f, 0, 0, RET),
			  pointer = CODE(0xff, 0xd0, RET), tail = CODE(0xe9, 0xfb, 0x0f, 0, 0),
			  self = CODE(0x74, 5, 0xe8, 0xf9, 0xff, 0xff, 0xff, RET);
	int asked = 0;

	SKIP_ELSEWHERE();
	cr_expect_not(place_can_unwind(&leaf, NULL, NULL));
	cr_expect(place_can_unwind(&calls, NULL, NULL));
	cr_expect(place_can_unwind(&calls, calls_2000, &asked));
	cr_expect(place_can_unwind(&tail, calls_2000, &asked));
	cr_expect_eq(asked, 2);
	cr_expect_not(place_can_unwind(&other, calls_2000, &asked));
	cr_expect(place_can_unwind(&pointer, calls_2000, &asked));
	cr_expect_not(place_can_unwind(&self, NULL, NULL), "calling itself alone");
}
