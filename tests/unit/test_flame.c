/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The flame graph tree and its three pictures. What the html does is tested by browser.py. */
#include <criterion/criterion.h>
#include <time.h>

#include "flame_folded.h"
#include "flame_html.h"
#include "flame_svg.h"
#include "flame_times.h"

#define USER(n)	   ((struct flame_frame){.name = (n), .binary = "/bin/app", .kind = FLAME_USER})
#define KERNEL(n)  ((struct flame_frame){.name = (n), .kind = FLAME_KERNEL})
#define PROCESS(n) ((struct flame_frame){.name = (n), .kind = FLAME_PROCESS})
#define ADD(t, value, ...)                                                                         \
	do {                                                                                       \
		const struct flame_frame _f[] = {__VA_ARGS__};                                     \
		cr_assert_eq(flame_tree_add(t, _f, ARRAY_SIZE(_f), value), 0);                     \
	} while (0)

static const struct flame_info info = {
	.title = "CPU samples of app",
	.target = "app (1)",
	.period = "1 s at 99 Hz",
	.count = 20,
	.counted = "samples",
	.lost = 3,
};

static struct flame_tree *small_tree(void)
{
	struct flame_tree *t = flame_tree_new();

	cr_assert_not_null(t);
	ADD(t, 12, PROCESS("comm"), USER("main"), USER("foo"));
	ADD(t, 5, PROCESS("comm"), USER("main"), USER("bar"), KERNEL("sys read"));
	ADD(t, 2, PROCESS("comm"), USER("main"));
	ADD(t, 1, PROCESS("comm"), USER("main"), USER("foo"));
	return t;
}

static const struct flame_node *find(struct flame_tree *t, const char *name, size_t *ret_n)
{
	const struct flame_node *nodes;

	cr_assert_eq(flame_tree_layout(t, &nodes, ret_n), 0);
	for (size_t i = 0; i < *ret_n; i++)
		if (streq(flame_tree_frame(t, nodes[i].frame).name, name))
			return &nodes[i];
	cr_assert_fail("no node named %s", name);
	return NULL;
}

static size_t occurrences(const char *text, const char *what)
{
	size_t n = 0;

	for (const char *p = text; (p = strstr(p, what)); p += strlen(what))
		n++;
	return n;
}

static bool valid_utf8(const char *s)
{
	for (const unsigned char *p = (const unsigned char *)s; *p;) {
		int more = *p < 0x80	   ? 0
			   : *p >> 5 == 6  ? 1
			   : *p >> 4 == 14 ? 2
			   : *p >> 3 == 30 ? 3
					   : -1;

		if (more < 0)
			return false;
		for (p++; more > 0; more--, p++)
			if ((*p & 0xc0) != 0x80)
				return false;
	}
	return true;
}

Test(flame, totals_and_self)
{
	_cleanup_(flame_tree_freep) struct flame_tree *t = small_tree();
	const struct flame_node *node;
	size_t n;

	cr_assert_eq(flame_tree_total(t), 20);
	node = find(t, "all", &n);
	cr_assert_eq(n, 6);
	cr_assert_eq(node->total, 20);
	cr_assert_eq(node->self, 0);
	node = find(t, "main", &n);
	cr_assert_eq(node->total, 20);
	cr_assert_eq(node->self, 2);
	cr_assert_eq(node->depth, 2);
	node = find(t, "foo", &n);
	cr_assert_eq(node->total, 13);
	cr_assert_eq(node->self, 13);
	cr_assert_eq(node->start, 0);
	node = find(t, "bar", &n);
	cr_assert_eq(node->total, 5);
	cr_assert_eq(node->self, 0);
	cr_assert_eq(node->start, 13, "the larger sibling comes first");
	node = find(t, "sys read", &n);
	cr_assert_eq(flame_tree_frame(t, node->frame).kind, FLAME_KERNEL);
	cr_assert_str_empty(flame_tree_frame(t, node->frame).binary);
}

Test(flame, same_name_other_binary_or_kind_is_another_frame)
{
	_cleanup_(flame_tree_freep) struct flame_tree *t = flame_tree_new();
	struct flame_frame other = {.name = "f", .binary = "/lib/b.so", .kind = FLAME_USER};
	const struct flame_node *nodes;
	size_t n;

	ADD(t, 1, USER("f"));
	ADD(t, 1, other);
	ADD(t, 1, KERNEL("f"));
	ADD(t, 1, USER("f"));
	cr_assert_eq(flame_tree_layout(t, &nodes, &n), 0);
	cr_assert_eq(n, 4);
}

Test(flame, recursion_is_not_folded_together)
{
	_cleanup_(flame_tree_freep) struct flame_tree *t = flame_tree_new();
	_cleanup_(strbuf_release) struct strbuf out = {0};

	ADD(t, 3, USER("f"), USER("f"), USER("f"));
	ADD(t, 2, USER("f"), USER("f"));
	cr_assert_eq(flame_folded_write(&out, t), 0);
	cr_assert_str_eq(out.data, "f;f 2\nf;f;f 3\n");
}

Test(flame, comparison)
{
	const struct flame_frame foo[] = {PROCESS("comm"), USER("main"), USER("foo")};
	const struct flame_frame gone[] = {PROCESS("comm"), USER("main"), USER("gone")};
	_cleanup_(flame_tree_freep) struct flame_tree *t = small_tree();
	_cleanup_(strbuf_release) struct strbuf folded = {0}, svg = {0}, html = {0};
	size_t n;

	cr_expect_eq(flame_tree_before(t), 0);
	cr_assert_eq(flame_tree_add_before(t, foo, 3, 10), 0);
	cr_assert_eq(flame_tree_add_before(t, gone, 3, 30), 0);
	cr_expect_eq(flame_tree_before(t), 40);
	cr_expect_eq(flame_tree_total(t), 20, "widths stay");
	/* 13 of 20 after 10 of 40; 5 of 20 after none; none after 30 of 40. */
	cr_expect_float_eq(flame_tree_change(t, find(t, "foo", &n)), 0.4, 1e-12);
	cr_expect_float_eq(flame_tree_change(t, find(t, "bar", &n)), 0.25, 1e-12);
	cr_expect_float_eq(flame_tree_change(t, find(t, "gone", &n)), -0.75, 1e-12);
	cr_expect_float_eq(flame_tree_change(t, find(t, "main", &n)), 0, 1e-12);
	cr_assert_eq(flame_folded_write(&folded, t), 0);
	cr_expect(strstr(folded.data, "comm;main;foo 10 13\n"), "%s", folded.data);
	cr_expect(strstr(folded.data, "comm;main;gone 30 0\n"), "%s", folded.data);
	cr_expect(strstr(folded.data, "comm;main 0 2\n"), "%s", folded.data);
	cr_assert_eq(flame_svg_write(&svg, t, &info), 0);
	/* As red as 0.4 is of 0.75; what is as before is white; what is gone has no width. */
	cr_expect(strstr(svg.data, "style=\"fill:#ff9a9a\""), "%s", svg.data);
	cr_expect(strstr(svg.data, "style=\"fill:#ffffff\""));
	cr_expect(strstr(svg.data, "before 25.00 %, change +40.00 points"));
	cr_expect(strstr(svg.data, "at most 75.00 points"));
	cr_expect_null(strstr(svg.data, ">gone"));
	cr_assert_eq(flame_html_write(&html, t, &info), 0);
	cr_expect(strstr(html.data, "\"before\":[40,40,40,10,"), "%s", html.data);
}

Test(flame, folded_is_exact)
{
	_cleanup_(flame_tree_freep) struct flame_tree *t = small_tree();
	_cleanup_(strbuf_release) struct strbuf out = {0};

	cr_assert_eq(flame_folded_write(&out, t), 0);
	cr_assert_str_eq(out.data, "comm;main 2\ncomm;main;foo 13\ncomm;main;bar;sys read 5\n");
}

Test(flame, hostile_names_in_folded)
{
	_cleanup_(flame_tree_freep) struct flame_tree *t = flame_tree_new();
	_cleanup_(strbuf_release) struct strbuf out = {0};

	ADD(t, 1, USER("a;b\nc"), USER(""), USER(NULL), USER("x\xff\xc3y"), USER("\x1b[31m\x7f"),
	    USER("\xed\xa0\x80"), USER("\xc0\xaf"), USER("\xc2\x85"), USER("\u202e\u2028"),
	    USER("gr\xc3\xb6\xc3\x9f"));
	cr_assert_eq(flame_folded_write(&out, t), 0);
#define BAD "\xef\xbf\xbd"
	cr_assert_str_eq(out.data, "a:b?c;[unknown];[unknown];x" BAD BAD "y;?[31m?;" BAD BAD BAD
				   ";" BAD BAD ";" BAD ";" BAD BAD ";gr\xc3\xb6\xc3\x9f 1\n");
}

Test(flame, hostile_names_in_html_and_svg)
{
	static const char *const names[] = {
		"</script><script>alert(1)</script>",
		"<!--",
		"\"quotes\" & 'more' <b>",
		"\xff\xfe\x80",
		"a\nb\tc\x01",
		"\\u003c\\",
		"${x}`@DATA@",
		"]]>",
	};
	_cleanup_(flame_tree_freep) struct flame_tree *t = flame_tree_new();
	_cleanup_(strbuf_release) struct strbuf html = {0}, svg = {0};
	struct flame_info hostile = {.title = "</script><x>&\xff", .target = "</title>\n"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		ADD(t, 1000, USER(names[i]),
		    ((struct flame_frame){.name = "leaf", .binary = names[i], .kind = FLAME_SPAN}));
	cr_assert_eq(flame_html_write(&html, t, &hostile), 0);
	cr_assert_eq(occurrences(html.data, "</script"), 2, "only the page's own two end tags");
	cr_assert_eq(occurrences(html.data, "<!--"), 1);
	cr_assert_null(strstr(html.data, "<b>\""));
	cr_assert(valid_utf8(html.data));
	cr_assert_null(strstr(html.data, "http:"));
	cr_assert_null(strstr(html.data, "https:"));

	cr_assert_eq(flame_svg_write(&svg, t, &hostile), 0);
	cr_assert_null(strstr(svg.data, "<script"));
	cr_assert_null(strstr(svg.data, "<b>"));
	cr_assert_null(strstr(svg.data, "]]>"));
	cr_assert_not_null(strstr(svg.data, "&lt;/script&gt;&lt;script&gt;"));
	cr_assert_not_null(strstr(svg.data, "&quot;quotes&quot; &amp; "));
	cr_assert(valid_utf8(svg.data));
	for (const char *p = svg.data; *p; p++)
		cr_assert((unsigned char)*p >= 0x20 || *p == '\n', "XML has no control characters");
	cr_assert_eq(occurrences(svg.data, "http:"), 1, "the namespace and nothing else");
}

Test(flame, deep_stacks)
{
	enum { DEEP = 20000 };
	_cleanup_(flame_tree_freep) struct flame_tree *t = flame_tree_new();
	_cleanup_(freep) struct flame_frame *frames = calloc(FLAME_MAX_DEPTH + 1, sizeof(*frames));
	_cleanup_(strbuf_release) struct strbuf folded = {0}, html = {0}, svg = {0};
	const struct flame_node *nodes;
	size_t n;

	for (size_t i = 0; i <= FLAME_MAX_DEPTH; i++)
		frames[i] = i % 2 ? USER("ping") : USER("pong");
	cr_assert_eq(flame_tree_add(t, frames, DEEP, 7), 0);
	cr_assert_eq(flame_tree_add(t, frames, DEEP / 2, 1), 0);
	cr_assert_eq(flame_tree_add(t, frames, FLAME_MAX_DEPTH + 1, 1), -E2BIG);
	cr_assert_eq(flame_tree_layout(t, &nodes, &n), 0);
	cr_assert_eq(n, DEEP + 1);
	cr_assert_eq(nodes[n - 1].depth, DEEP);
	cr_assert_eq(nodes[n - 1].total, 7);
	cr_assert_eq(nodes[DEEP / 2].total, 8);
	cr_assert_eq(nodes[DEEP / 2].self, 1);
	cr_assert_eq(flame_folded_write(&folded, t), 0);
	cr_assert_eq(occurrences(folded.data, "ping"), DEEP / 2 + DEEP / 4);
	cr_assert_eq(flame_svg_write(&svg, t, &info), 0);
	cr_assert_eq(flame_html_write(&html, t, &info), 0);
}

Test(flame, limits_change_nothing)
{
	_cleanup_(flame_tree_freep) struct flame_tree *t = flame_tree_new();
	struct flame_frame bad = {.name = "x", .kind = FLAME_KINDS};
	struct flame_frame good = USER("x");

	cr_assert_eq(flame_tree_add(t, &bad, 1, 1), -EINVAL);
	cr_assert_eq(flame_tree_add(t, &good, 1, 0), 0);
	cr_assert_eq(flame_tree_total(t), 0);
	cr_assert_eq(flame_tree_add(t, &good, 1, UINT64_MAX - 1), 0);
	cr_assert_eq(flame_tree_add(t, &good, 1, 2), -EOVERFLOW);
	cr_assert_eq(flame_tree_total(t), UINT64_MAX - 1);
}

Test(flame, empty_tree)
{
	_cleanup_(flame_tree_freep) struct flame_tree *t = flame_tree_new();
	_cleanup_(strbuf_release) struct strbuf folded = {0}, html = {0}, svg = {0};

	cr_assert_eq(flame_folded_write(&folded, t), 0);
	cr_assert_eq(folded.len, 0);
	cr_assert_eq(flame_svg_write(&svg, t, &info), 0);
	cr_assert_not_null(strstr(svg.data, "Nothing was sampled."));
	cr_assert_eq(flame_html_write(&html, t, &info), 0);
	cr_assert_not_null(strstr(html.data, "\"self\":[0]"));
}

Test(flame, inlined_frames_are_said_to_be)
{
	_cleanup_(flame_tree_freep) struct flame_tree *t = flame_tree_new();
	_cleanup_(strbuf_release) struct strbuf html = {0}, svg = {0};
	struct flame_frame frames[] = {USER("main"), USER("f")};

	cr_assert_eq(flame_tree_add(t, frames, 2, 3), 0);
	frames[1].inlined = true;
	cr_assert_eq(flame_tree_add(t, frames, 2, 4), 0);
	cr_assert_eq(flame_svg_write(&svg, t, &info), 0);
	cr_expect_not_null(strstr(svg.data, "<title>f\n/bin/app (user, inlined)\ntotal 4 samples"));
	cr_expect_not_null(strstr(svg.data, "<title>f\n/bin/app (user)\ntotal 3 samples"));
	cr_assert_eq(flame_html_write(&html, t, &info), 0);
	cr_expect_not_null(strstr(html.data, "\"names\":[\"all\",\"main\",\"f\",\"f\"]"));
	cr_expect_not_null(strstr(html.data, "\"inlined\":[3]"));
}

Test(flame, when_call_paths_first_began)
{
	_cleanup_(flame_tree_freep) struct flame_tree *t = flame_tree_new();
	_cleanup_(timeline_release) struct timeline times = {};
	_cleanup_(strbuf_release) struct strbuf html = {0};
	const struct flame_frame server = {.name = "server", .binary = "pid 7"};
	struct flame_frame frames[] = {server,
				       {.name = "handle", .kind = FLAME_SPAN},
				       {.name = "parse", .kind = FLAME_SPAN}};
	/* thread, function, start, duration: handle has parse in it twice, and once it stands
	 * alone. */
	static const uint64_t spans[][4] = {
		{0, 1, 130, 10}, {0, 1, 110, 10}, {0, 0, 100, 50}, {1, 1, 105, 1}};

	cr_assert_eq(timeline_add_process(&times, 7, "server"), 0);
	cr_assert_eq(timeline_add_thread(&times, 0, 70), 0);
	cr_assert_eq(timeline_add_thread(&times, 0, 71), 1);
	cr_assert_eq(timeline_add_function(&times, "handle", ""), 0);
	cr_assert_eq(timeline_add_function(&times, "parse", ""), 1);
	for (size_t i = 0; i < ARRAY_SIZE(spans); i++)
		cr_assert_eq(timeline_add_span(&times,
					       &(struct timeline_span){
						       .thread = (uint32_t)spans[i][0],
						       .function = (uint32_t)spans[i][1],
						       .start_ns = spans[i][2],
						       .duration_ns = spans[i][3],
					       }),
			     0);
	cr_assert_eq(flame_tree_add(t, frames, 3, 20), 0);
	cr_assert_eq(flame_tree_add(t, frames, 2, 30), 0);
	cr_assert_eq(flame_times_add(t, &times), 0);
	frames[1] = frames[2];
	cr_assert_eq(flame_tree_add(t, frames, 2, 1), 0);
	cr_assert_eq(flame_html_write(&html, t, &info), 0);
	/* all, server, handle, handle > parse, parse */
	cr_expect(strstr(html.data, "\"first\":[null,null,0,10,5]"), "%s",
		  strstr(html.data, "\"depth\""));
}

Test(flame, svg_counts_what_it_does_not_show)
{
	_cleanup_(flame_tree_freep) struct flame_tree *t = flame_tree_new();
	_cleanup_(strbuf_release) struct strbuf svg = {0};

	ADD(t, 1000000, USER("main"),
	    USER("a name of a function that is far too long for its box, "
		 "so long that no picture of 1200 pixels could hold it, and which "
		 "must therefore be cut with an ellipsis somewhere in the middle, "
		 "however wide the frame may be that it was given"));
	ADD(t, 1, USER("main"), USER("tiny"), USER("tinier"));
	cr_assert_eq(flame_svg_write(&svg, t, &info), 0);
	cr_assert_not_null(strstr(svg.data, "3 frames shown, 2 narrower than 0.1 pixel not shown"));
	cr_assert_null(strstr(svg.data, "tiny"));
	cr_assert_not_null(strstr(svg.data, "\u2026</text>"));
	cr_assert_not_null(
		strstr(svg.data, "app (1) \u00b7 1 s at 99 Hz \u00b7 20 samples \u00b7 3 lost"));
	cr_assert_not_null(strstr(svg.data, "total 1,000,001 samples, 100.00 %"));
}

Test(flame, values_in_nanoseconds)
{
	_cleanup_(flame_tree_freep) struct flame_tree *t = flame_tree_new();
	_cleanup_(strbuf_release) struct strbuf svg = {0};
	struct flame_info ns = info;

	ns.unit = FLAME_NANOSECONDS;
	ADD(t, 1240000, USER("main"));
	cr_assert_eq(flame_svg_write(&svg, t, &ns), 0);
	cr_assert_not_null(strstr(svg.data, "total 1.24 ms, 100.00 %"));
}

/* Whatever the order of adding, the layout is the same, and its numbers are consistent. */
Test(flame, random_stacks)
{
	enum { STACKS = 3000, DEPTH = 12 };
	_cleanup_(flame_tree_freep) struct flame_tree *a = flame_tree_new(), *b = flame_tree_new();
	_cleanup_(strbuf_release) struct strbuf fa = {0}, fb = {0};
	_cleanup_(freep) uint64_t *below = NULL;
	static struct flame_frame stacks[STACKS][DEPTH];
	static size_t depths[STACKS];
	unsigned int seed = (unsigned int)time(NULL);
	static char names[8][2];
	const struct flame_node *nodes;
	uint64_t sum = 0, selfs = 0;
	size_t n;

	fprintf(stderr, "random_stacks: seed %u\n", seed);
	srand(seed);
	for (int i = 0; i < 8; i++)
		names[i][0] = (char)('a' + i);
	for (int i = 0; i < STACKS; i++) {
		depths[i] = (size_t)rand() % (DEPTH - 1) + 1;
		for (size_t d = 0; d < depths[i]; d++)
			stacks[i][d] = (struct flame_frame){.name = names[rand() % 8],
							    .kind = rand() % 2 + FLAME_USER};
	}
	for (int i = 0; i < STACKS; i++) {
		cr_assert_eq(flame_tree_add(a, stacks[i], depths[i], i + 1), 0);
		sum += i + 1;
	}
	for (int i = STACKS - 1; i >= 0; i--)
		cr_assert_eq(flame_tree_add(b, stacks[i], depths[i], i + 1), 0);
	cr_assert_eq(flame_folded_write(&fa, a), 0);
	cr_assert_eq(flame_folded_write(&fb, b), 0);
	cr_assert_str_eq(fa.data, fb.data);

	cr_assert_eq(flame_tree_layout(a, &nodes, &n), 0);
	below = calloc(n, sizeof(*below));
	cr_assert_not_null(below);
	for (size_t i = 0; i < n; i++) {
		const struct flame_node *up = &nodes[nodes[i].parent];

		selfs += nodes[i].self;
		if (i == 0)
			continue;
		cr_assert_lt(nodes[i].parent, i);
		cr_assert_eq(nodes[i].depth, up->depth + 1);
		cr_assert_eq(nodes[i].start, up->start + below[nodes[i].parent],
			     "no gap, no overlap");
		below[nodes[i].parent] += nodes[i].total;
	}
	for (size_t i = 0; i < n; i++)
		cr_assert_eq(nodes[i].total, nodes[i].self + below[i]);
	cr_assert_eq(selfs, sum);
	cr_assert_eq(nodes[0].total, sum);
}
