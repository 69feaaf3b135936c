/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Specifications, the names that are never probed, and bisection. */
#include <criterion/criterion.h>

#include <time.h>

#include "probe/bisect.h"
#include "probe/safety.h"
#include "probe/spec.h"

/* ---- specifications ---- */

struct spec_case {
	const char *text;
	enum spec_binary kind;
	const char *binary, *pattern;
	bool exclude, demangled, note, fentry;
	const char *provider;
};

Test(spec, accepted)
{
	static const struct spec_case cases[] = {
		{"handle_*", SPEC_EXECUTABLE, NULL, "handle_*"},
		{"  handle_*\n", SPEC_EXECUTABLE, NULL, "handle_*"},
		{"*", SPEC_EXECUTABLE, NULL, "*"},
		{"libssl:SSL_*", SPEC_LIBRARY, "libssl", "SSL_*"},
		{"uprobe:/usr/bin/x:f", SPEC_PATH, "/usr/bin/x", "f"},
		{"u:/usr/bin/x:f", SPEC_PATH, "/usr/bin/x", "f"},
		{"/usr/bin/x:f", SPEC_PATH, "/usr/bin/x", "f"},
		{"uprobe:libc:malloc", SPEC_LIBRARY, "libc", "malloc"},
		{"uretprobe:/usr/bin/x:f", SPEC_PATH, "/usr/bin/x", "f", .note = true},
		{"ur:/x:f", SPEC_PATH, "/x", "f", .note = true},
		{"!*_free", SPEC_EXECUTABLE, NULL, "*_free", .exclude = true},
		{"!libc:str*", SPEC_LIBRARY, "libc", "str*", .exclude = true},
		{"!uprobe:/x:g", SPEC_PATH, "/x", "g", .exclude = true},
		{"uprobe:/opt/a:b/x:f", SPEC_PATH, "/opt/a:b/x", "f"},
		{"uprobe:\"/opt/a:b/x\":\"f\"", SPEC_PATH, "/opt/a:b/x", "f"},
		{"ns::Class::method*", SPEC_EXECUTABLE, NULL, "ns::Class::method*",
		 .demangled = true},
		{"libx:ns::f", SPEC_LIBRARY, "libx", "ns::f", .demangled = true},
		{"uprobe:/x:ns::f(int, char)", SPEC_PATH, "/x", "ns::f(int, char)",
		 .demangled = true},
		{"uprobe:/x:cpp:\"ns::f(int)\"", SPEC_PATH, "/x", "ns::f(int)", .demangled = true},
		{"uprobe:/x:cpp:f", SPEC_PATH, "/x", "f", .demangled = true},
		{"libx:::f", SPEC_LIBRARY, "libx", "::f", .demangled = true},
		{"u::f", SPEC_EXECUTABLE, NULL, "u::f", .demangled = true},
		{"ns::operator new*", SPEC_EXECUTABLE, NULL, "ns::operator new*",
		 .demangled = true},
		{"f[a,b]", SPEC_EXECUTABLE, NULL, "f[a,b]"},
		{"deadbeef", SPEC_EXECUTABLE, NULL, "deadbeef"},
		{"kprobe:vfs_*", SPEC_KERNEL, NULL, "vfs_*"},
		{"k:vfs_read", SPEC_KERNEL, NULL, "vfs_read"},
		{"kprobe:ext4:ext4_*", SPEC_KERNEL, "ext4", "ext4_*"},
		{"kretprobe:vfs_read", SPEC_KERNEL, NULL, "vfs_read", .note = true},
		{"kr:vfs_read", SPEC_KERNEL, NULL, "vfs_read", .note = true},
		{"fentry:vfs_*", SPEC_KERNEL, NULL, "vfs_*", .fentry = true},
		{"f:vmlinux:vfs_*", SPEC_KERNEL, "vmlinux", "vfs_*", .fentry = true},
		{"kfunc:x", SPEC_KERNEL, NULL, "x", .fentry = true},
		{"fexit:x", SPEC_KERNEL, NULL, "x", .fentry = true, .note = true},
		{"kretfunc:x", SPEC_KERNEL, NULL, "x", .fentry = true, .note = true},
		{"fr:x", SPEC_KERNEL, NULL, "x", .fentry = true, .note = true},
		{"!kprobe:*_lock", SPEC_KERNEL, NULL, "*_lock", .exclude = true},
		{"usdt:/usr/bin/x:prov:name", SPEC_PATH, "/usr/bin/x", "name", .provider = "prov"},
		{"U:/usr/bin/x:prov:na*", SPEC_PATH, "/usr/bin/x", "na*", .provider = "prov"},
		{"usdt:/usr/bin/x:name", SPEC_PATH, "/usr/bin/x", "name", .provider = "*"},
		{"usdt:/usr/bin/x::name", SPEC_PATH, "/usr/bin/x", "name", .provider = "*"},
		{"usdt:/a:b/x:prov:name", SPEC_PATH, "/a:b/x", "name", .provider = "prov"},
		{"usdt:\"/a:b\":\"p q\":n", SPEC_PATH, "/a:b", "n", .provider = "p q"},
		{"usdt:libc:libc:set*", SPEC_LIBRARY, "libc", "set*", .provider = "libc"},
		{"usdt:prov:name", SPEC_EXECUTABLE, NULL, "name", .provider = "prov"},
		{"usdt:name", SPEC_EXECUTABLE, NULL, "name", .provider = "*"},
		{"usdt:prov:", SPEC_EXECUTABLE, NULL, "*", .provider = "prov"},
		{"!usdt:*:x__entry", SPEC_EXECUTABLE, NULL, "x__entry", .exclude = true,
		 .provider = "*"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct spec_case *c = &cases[i];
		_cleanup_(spec_freep) struct spec *s = NULL;
		struct error e = {};

		cr_assert_eq(spec_parse(c->text, &s, &e), 0, "%s: %s", c->text, e.message);
		cr_expect_eq(s->kind, c->kind, "%s", c->text);
		cr_expect_eq(!s->binary, !c->binary, "%s", c->text);
		if (s->binary && c->binary)
			cr_expect_str_eq(s->binary, c->binary);
		cr_expect_str_eq(s->pattern, c->pattern);
		cr_expect_eq(s->exclude, c->exclude, "%s", c->text);
		cr_expect_eq(s->demangled, c->demangled, "%s", c->text);
		cr_expect_eq(s->note != NULL, c->note, "%s", c->text);
		cr_expect_eq(s->fentry, c->fentry, "%s", c->text);
		cr_expect_eq(s->is_static, c->provider != NULL, "%s", c->text);
		if (s->provider && c->provider)
			cr_expect_str_eq(s->provider, c->provider, "%s", c->text);
	}
}

Test(spec, refused)
{
	static const struct {
		const char *text, *name, *message;
	} cases[] = {
		{"", "BadSpec", "column 1 "},
		{"!", "BadSpec", "column 2 "},
		{"!!f", "BadSpec", "column 2 "},
		{"uprobe:", "BadSpec", "column 8 "},
		{"uprobe:f", "BadSpec", "column 9 "},
		{"uprobe:/usr/bin/x", "BadSpec", "column 18 "},
		{"/usr/bin/x", "BadSpec", "column 11 "},
		{"uprobe:/usr/bin/x:", "BadSpec", "column 19 "},
		{"libc:", "BadSpec", "column 6 "},
		{":f", "BadSpec", "column 1 "},
		{"./x:f", "BadSpec", "absolute path"},
		{"a,b", "BadSpec", "column 2 "},
		{"libc:malloc libc:free", "BadSpec", "column 12 "},
		{"libc:malloc,free", "BadSpec", "column 12 "},
		{"a:b:c", "BadSpec", "column 2 "},
		{"malloc free", "BadSpec", "column 7 "},
		{"uprobe:\"/usr/bin/x:f", "BadSpec", "expected"},
		{"a\tb", "BadSpec", "column 2 "},
		{"kprobe:", "BadSpec", "column 8 "},
		{"kprobe:/x:f", "BadSpec", "column 8 "},
		{"kprobe:a,b", "BadSpec", "column 9 "},
		{"usdt:", "BadSpec", "column 6 "},
		{"usdt:/usr/bin/x", "BadSpec", "column 16 "},
		{"usdt:a:b/c", "BadSpec", "PROVIDER:NAME behind the path"},
		{"usdt:a:b,c:d", "BadSpec", "column 9 "},
		{"usdt:a/b:c:d", "BadSpec", "absolute path"},
		{"usdt:a:\"b", "BadSpec", "expected"},
		{"kprobe:vfs_read+4", "NotSupported", "later version"},
		{"tracepoint:sched:sched_switch", "NotSupported", "later version"},
		{"span:", "BadSpec", "column 6 "},
		{"span:/usr/bin/x", "BadSpec", "column 16 "},
		{"span:io/*,net/*", "BadSpec", "column 10 "},
		{"span:a/b:io/*", "BadSpec", "absolute path"},
		{"!tracepoint:*", "NotSupported", "later version"},
		{"uprobe:/x:f+4", "NotSupported", "later version"},
		{"uprobe:/x:f+0x10", "NotSupported", "later version"},
		{"uprobe:/x:0x1234", "NotSupported", "later version"},
	};
	char long_text[SPEC_MAX_LEN + 2];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct spec *s = NULL;
		struct error e = {};
		int r = spec_parse(cases[i].text, &s, &e);

		cr_expect_lt(r, 0, "'%s' was accepted", cases[i].text);
		cr_expect_null(s);
		cr_expect_str_eq(e.name, cases[i].name, "'%s': %s", cases[i].text, e.message);
		cr_expect(strstr(e.message, cases[i].message), "'%s': %s", cases[i].text,
			  e.message);
		cr_expect(e.fix[0], "'%s' has no fix", cases[i].text);
	}
	memset(long_text, 'a', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	struct spec *s = NULL;
	struct error e = {};
	cr_expect_eq(spec_parse(long_text, &s, &e), -EINVAL);
	cr_expect_str_eq(e.name, "BadSpec");
}

Test(spec, library_names)
{
	static const struct {
		const char *glob, *name;
		bool matches;
	} cases[] = {
		{"libc", "libc.so.6", true},
		{"libc", "libc-2.36.so", true},
		{"libc", "libcrypto.so.3", false},
		{"libsqlite3", "libsqlite3.so.0.8.6", true},
		{"libssl", "libsslfoo.so", false},
		{"libssl*", "libsslfoo.so", true},
		{"libssl", "libssl.so.3", true},
		{"libc.so.6", "libc.so.6", true},
		{"libgtk-3", "libgtk-3.so.0", true},
		{"libgtk", "libgtk-3.so.0", true},
		{"liblua5.4", "liblua5.4.so.0", true},
		{"libstdc++", "libstdc++.so.6.0.30", true},
		{"python3", "python3.11", true},
		{"lib", "libc.so.6", false},
		{"libpthread", "libpthread-2.31.so", true},
		{"nss-files", "nss-files.so", true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		cr_expect_eq(spec_library_matches(cases[i].glob, cases[i].name), cases[i].matches,
			     "%s against %s", cases[i].glob, cases[i].name);
}

Test(safety, names)
{
	cr_expect_not_null(safety_reason("setjmp"));
	cr_expect_not_null(safety_reason("__sigsetjmp"));
	cr_expect_not_null(safety_reason("_start"));
	cr_expect_not_null(safety_reason("f.cold"));
	cr_expect_not_null(safety_reason("f.cold.3"));
	cr_expect_not_null(safety_reason("__cxa_throw"));
	cr_expect_null(safety_reason("malloc"));
	cr_expect_null(safety_reason("cold"));
	cr_expect_null(safety_reason("f.part.0"));
	cr_expect_null(safety_reason("restart"));
}

/* ---- bisection ---- */

struct bisected {
	const uint32_t *bad;
	size_t n_bad, attempts, reported;
	bool seen[2048];
};

static int fake_attempt(const uint32_t *members, size_t n, void *data)
{
	struct bisected *b = data;

	b->attempts++;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < b->n_bad; k++)
			if (members[i] == b->bad[k])
				return -EINVAL;
	return 0;
}

static bool fake_is_members(int code)
{
	return code == EINVAL;
}

static int fake_report(uint32_t member, int code, void *data)
{
	struct bisected *b = data;

	(void)code;
	cr_expect(!b->seen[member], "%u reported twice", member);
	b->seen[member] = true;
	b->reported++;
	return 0;
}

Test(bisect, finds_exactly_the_bad_ones)
{
	unsigned int seed = time(NULL) ^ getpid();

	fprintf(stderr, "bisect seed %u\n", seed);
	srandom(seed);
	for (int round = 0; round < 200; round++) {
		struct bisected b = {};
		struct bisect ops = {fake_attempt, fake_is_members, fake_report, &b, 100000};
		uint32_t members[2048], bad[8];
		size_t n = 20 + random() % 2000, n_bad = 1 + random() % 8;

		for (size_t i = 0; i < n; i++)
			members[i] = i;
		for (size_t i = 0; i < n_bad; i++)
			bad[i] = random() % n;
		b.bad = bad;
		b.n_bad = n_bad;
		cr_assert_eq(bisect_run(&ops, members, n, -EINVAL), 0, "seed %u", seed);
		for (size_t i = 0; i < n_bad; i++)
			cr_assert(b.seen[bad[i]], "seed %u: %u was not found", seed, bad[i]);
		cr_assert_leq(b.reported, n_bad);
		cr_assert_leq(b.attempts, n_bad * 24, "%zu attempts for %zu of %zu", b.attempts,
			      n_bad, n);
	}
}

Test(bisect, gives_up)
{
	uint32_t members[1000];
	struct bisected b = {.bad = members, .n_bad = ARRAY_SIZE(members)};
	struct bisect ops = {fake_attempt, fake_is_members, fake_report, &b, 100000};
	struct bisected few = {.bad = members, .n_bad = 1}, half = {.bad = members + 500};

	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		members[i] = i;
	/* Everything fails: not the members' fault, and found out soon. */
	cr_expect_eq(bisect_run(&ops, members, ARRAY_SIZE(members), -EINVAL), -EINVAL);
	cr_expect_lt(b.attempts, 60);
	/* An error that is nobody's fault ends it at once. */
	ops.data = &few;
	cr_expect_eq(bisect_run(&ops, members, ARRAY_SIZE(members), -EPERM), -EPERM);
	cr_expect_eq(few.reported, 0);
	/* Out of attempts: the rest is reported rather than tried. */
	half.n_bad = 500;
	ops.data = &half;
	ops.max_attempts = 30;
	cr_expect_eq(bisect_run(&ops, members, ARRAY_SIZE(members), -EINVAL), 0);
	cr_expect_eq(half.reported, 500);
	cr_expect_leq(half.attempts, 30);
}
