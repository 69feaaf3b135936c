/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Resolution against real processes and files. What a machine lacks is skipped with the reason. */
#include "probe_help.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "symbol/demangler.h"

#define TESTED(name, k)                                                                            \
	__attribute__((__noinline__, __noclone__, __used__)) int name(int n)                       \
	{                                                                                          \
		__asm__ volatile("" : "+r"(n));                                                    \
		return n + k;                                                                      \
	}
TESTED(probe_test_f0, 0)
TESTED(probe_test_f1, 1)
TESTED(probe_test_f2, 2)
TESTED(probe_test_f3, 3)
TESTED(probe_test_f4, 4)

/* Stays open while other probed calls are made, as main does. */
__attribute__((__noinline__, __noclone__, __used__)) int probe_test_outer(int ms)
{
	int n = 0;

	for (; ms > 0; ms--, n += probe_test_f0(ms))
		usleep(1000);
	return n;
}
int probe_test_alias(int n) __attribute__((__alias__("probe_test_f2")));

static int (*resolve_ifunc(void))(int)
{
	return probe_test_f0;
}
int probe_test_ifunc(int n) __attribute__((__ifunc__("resolve_ifunc")));

#define ASM_FUNCTION(name, body)                                                                   \
	__asm__(".text\n.globl " name "\n.type " name ",@function\n.p2align 4\n" name ":\n" body   \
		"\n.size " name ", . - " name "\n")
ASM_FUNCTION("probe_test_endbr", "endbr64\npush %rbp\npop %rbp\nmov %edi, %eax\nret");
ASM_FUNCTION("probe_test_only_endbr", "endbr64");
ASM_FUNCTION("probe_test_after", "ret");
ASM_FUNCTION("probe_test_lock", "lock incl (%rdi)\nret");
/* Refused by the kernel, but not for a prefix: only bisection finds it. */
ASM_FUNCTION("probe_test_hlt", "hlt\nret");
ASM_FUNCTION("probe_test_part.cold", "ret");

Test(resolve, own_process)
{
	lock_own_code();
	pid_t pid = getpid();
	struct probe_target t = of_pid(&pid);
	_cleanup_(probe_set_freep) struct probe_set *set =
		resolve_ok(&t, "probe_test_*", "!*_f1", NULL);
	const struct probe_point *p;

	cr_expect_eq(set->n_files, 1);
	cr_expect_str_eq(set->files[0].path, self_path());
	cr_expect_not_null(find_point(set, "probe_test_f0"));
	cr_expect_null(find_point(set, "probe_test_f1"), "exclusion");
	/* One point for two names of one address. */
	cr_expect_eq(!find_point(set, "probe_test_f2") + !find_point(set, "probe_test_alias"), 1);
	cr_expect_null(find_point(set, "probe_test_ifunc"));
	cr_expect(has_note(set, "probe_test_ifunc", "name the variant"));
	cr_expect_null(find_point(set, "probe_test_part.cold"));
	cr_expect(has_note(set, "probe_test_part.cold", "call"));

	p = find_point(set, "probe_test_endbr");
	cr_assert_not_null(p);
	cr_expect_eq(p->skipped, 4);
	p = find_point(set, "probe_test_only_endbr");
	cr_assert_not_null(p);
	cr_expect_eq(p->skipped, 0, "nothing of the function is behind its endbr64");
	p = find_point(set, "probe_test_lock");
	cr_assert_not_null(p);
	cr_expect_eq(p->skipped, 3, "behind what the kernel refuses");
	cr_expect_null(find_point(set, "probe_test_hlt"));
	cr_expect(has_note(set, "probe_test_hlt", "the kernel cannot probe"));

	/* What is at the offset is the function's code. */
	unsigned char code[8];
	p = find_point(set, "probe_test_endbr");
	cr_assert_eq(pread(set->files[0].fd, code, 8, p->offset), 8);
	cr_expect_arr_eq(code, (unsigned char *)probe_test_endbr + 4, 8);
	for (size_t i = 1; i < set->n; i++)
		cr_expect_neq(set->points[i].offset, set->points[i - 1].offset);
}

Test(resolve, libraries_paths_and_command_files)
{
	pid_t pids[2] = {getpid(), getppid()};
	struct probe_target t = {.pids = pids, .n_pids = 1};
	const char *files[] = {SQLITE, "/lib/x86_64-linux-gnu/libsqlite3.so.0"};
	struct probe_target command = {.files = files, .n_files = 2}, all = {.all = true};
	_cleanup_(probe_set_freep) struct probe_set *a = resolve_ok(&t, "libc:malloc", NULL, NULL);
	_cleanup_(probe_set_freep) struct probe_set *b = NULL, *c = NULL, *d = NULL;
	char path_spec[4200];

	cr_expect_eq(a->n, 1);
	cr_expect_eq(a->points[0].spec, 0);

	/* The same file by two ways, and of two processes, is one file. */
	t.n_pids = 2;
	snprintf(path_spec, sizeof(path_spec), "uprobe:%s:malloc", a->files[0].path);
	b = resolve_ok(&t, path_spec, "libc:malloc", "libc:free");
	cr_expect_eq(b->n_files, 1);
	cr_expect_eq(b->n, 2);

	if (access(SQLITE, R_OK) == 0) {
		c = resolve_ok(&command, "libsqlite3:sqlite3_*", "!libsqlite3:sqlite3_step", NULL);
		cr_expect_gt(c->n, 150);
		cr_expect_not_null(find_point(c, "sqlite3_prepare_v2"));
		cr_expect_null(find_point(c, "sqlite3_step"));
	}
	d = resolve_ok(&all, "libc:malloc", NULL, NULL);
	cr_expect_geq(d->n, 1);
	resolve_fails(&all, "malloc", "BadSpec");
}

Test(resolve, ifuncs_and_unsafe_functions_of_libc)
{
	pid_t pid = getpid();
	struct probe_target t = of_pid(&pid);
	_cleanup_(probe_set_freep) struct probe_set *set =
		resolve_ok(&t, "libc:memm*", "libc:*setjmp", "libc:malloc");
	struct error e;

	cr_expect_not_null(find_point(set, "malloc"));
	cr_expect_null(find_point(set, "memmove"));
	cr_expect_null(find_point(set, "_setjmp"));
	cr_expect_null(find_point(set, "setjmp"));
	cr_expect(has_note(set, "setjmp", "break the program"));
	e = resolve_fails(&t, "libc:setjmp", "NothingMatches");
	cr_expect(strstr(e.message, "break the program"), "%s", e.message);
	e = resolve_fails(&t, "libc:memmove", "NothingMatches");
	cr_expect(strstr(e.message, "name the variant"), "%s", e.message);
}

Test(resolve, nothing_matches)
{
	pid_t pid = getpid();
	struct probe_target t = of_pid(&pid);
	struct error e = resolve_fails(&t, "probe_tset_f1", "NothingMatches");

	cr_expect(strstr(e.message, "did you mean"), "%s", e.message);
	cr_expect(strstr(e.message, "probe_test_f1"), "%s", e.message);
	e = resolve_fails(&t, "libsqlite9:f", "NothingMatches");
	cr_expect(strstr(e.fix, "mapped are"), "%s", e.fix);
	e = resolve_fails(&t, "libelv:f", "NothingMatches");
	cr_expect(strstr(e.fix, "libelf"), "%s", e.fix);

	/* With another one that matches, it is but a note. */
	_cleanup_(probe_set_freep) struct probe_set *set =
		resolve_ok(&t, "probe_test_f1", "no_such_function", NULL);
	cr_expect_eq(set->n, 1);
	cr_expect(has_note(set, "no_such_function", "matches no function"));
	resolve_fails(&t, "!probe_test_f1", "BadSpec");
	const char *texts[4] = {"probe_test_f1", "!probe_*"};
	struct probe_set *none = NULL;
	struct error excluded = {};
	cr_expect_lt(resolve(&t, texts, &none, &excluded), 0);
	cr_expect(strstr(excluded.message, "excluded"), "%s", excluded.message);
}

Test(resolve, near_names_of_sqlite)
{
	const char *files[] = {SQLITE, "/lib/x86_64-linux-gnu/libsqlite3.so.0"};
	struct probe_target t = {.files = files, .n_files = 2};
	struct error e;

	if (access(files[1], R_OK) < 0)
		cr_skip("libsqlite3 is not installed");
	e = resolve_fails(&t, "libsqlite3:sqlite3_setp", "NothingMatches");
	cr_expect(strstr(e.message, "did you mean"), "%s", e.message);
	cr_expect(strstr(e.message, "sqlite3_step"), "%s", e.message);
}

Test(resolve, hostile_targets)
{
	pid_t missing = 999999, init = 0;
	struct probe_target t = of_pid(&missing);
	char dir[] = "/tmp/sonde-probe-XXXXXX", path[128], spec[200];
	struct probe_target none = {.all = true};
	struct error e;
	int fd;

	resolve_fails(&t, "main", "NoSuchProcess");
	resolve_fails(&t, "uprobe:/usr/bin/python3.11:Py*", "NoSuchProcess");
	t = of_pid(&init);
	resolve_fails(&t, "main", "BadArgument");
	resolve_fails(&none, "uprobe:/nowhere/at/all:f", "NoSuchFile");
	e = resolve_fails(&none, "uprobe:/tmp:f", "BadFile");
	cr_expect(strstr(e.message, "directory"), "%s", e.message);
	resolve_fails(&none, "uprobe:/dev/zero:f", "BadFile");
	e = resolve_fails(&none, "uprobe:/etc/passwd:f", "BadFile");
	cr_expect(strstr(e.message, "/etc/passwd"), "%s", e.message);

	cr_assert_not_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/script", dir);
	fd = open(path, O_CREAT | O_WRONLY, 0755);
	cr_assert_eq(write(fd, "#!/bin/sh\n", 10), 10);
	close(fd);
	snprintf(spec, sizeof(spec), "uprobe:%s:f", path);
	e = resolve_fails(&none, spec, "BadFile");
	cr_expect(strstr(e.message, "script"), "%s", e.message);
	unlink(path);
	/* Opening a FIFO for reading would wait for a writer. */
	cr_assert_eq(mkfifo(path, 0600), 0);
	resolve_fails(&none, spec, "BadFile");
	unlink(path);
	rmdir(dir);
}

Test(resolve, threads_are_not_processes)
{
	pid_t pid;
	struct probe_target t;
	char tid[64];
	FILE *f = popen("ls /proc/*/task 2>/dev/null | awk '/^\\/proc/{split($0,a,\"/\");p=a[3]} "
			"/^[0-9]/{if($0!=p){print $0;exit}}'",
			"r");

	cr_assert_not_null(f);
	if (!fgets(tid, sizeof(tid), f)) {
		pclose(f);
		cr_skip("no process with two threads runs");
	}
	pclose(f);
	pid = atoi(tid);
	t = of_pid(&pid);
	resolve_fails(&t, "main", "NoSuchProcess");
}

Test(resolve, stripped)
{
	char path[] = "/tmp/sonde-stripped-XXXXXX", command[9000];
	int fd = mkstemp(path);
	const char *files[] = {path};
	struct probe_target t = {.files = files, .n_files = 1};
	struct error e;

	close(fd);
	snprintf(command, sizeof(command), "strip -o %s %s 2>/dev/null", path, self_path());
	if (system(command) != 0) {
		unlink(path);
		cr_skip("strip (binutils) is not installed");
	}
	e = resolve_fails(&t, "probe_test_f1", "NothingMatches");
	cr_expect(strstr(e.message, "stripped"), "%s", e.message);
	cr_expect(strstr(e.fix, "dbgsym"), "%s", e.fix);
	unlink(path);
}

Test(resolve, limit)
{
	const char *files[] = {"/usr/lib/x86_64-linux-gnu/libLLVM-14.so.1"};
	struct probe_target t = {.files = files, .n_files = 1};
	struct error e;

	if (access(files[0], R_OK) < 0)
		cr_skip("libLLVM-14 is not installed");
	e = resolve_fails(&t, "*", "TooMany");
	cr_expect(strstr(e.message, "20000"), "%s", e.message);
	cr_expect(strstr(e.fix, "narrow"), "%s", e.fix);
	_cleanup_(probe_set_freep) struct probe_set *set =
		resolve_ok(&t, "llvm::Module::*", NULL, NULL);
	cr_expect_gt(set->n, 10);
	cr_expect(startswith(set->points[0].symbol, "_ZN"), "%s", set->points[0].symbol);
}

/* Functions are then looked at in chunks, many more than one: the same are found. */
Test(resolve, names_of_a_demangler)
{
	const char *files[] = {"/usr/lib/x86_64-linux-gnu/libstdc++.so.6"};
	struct probe_target t = {.files = files, .n_files = 1};
	_cleanup_(demangler_freep) struct demangler *d = NULL;
	static const char *const texts[] = {"std::ios_base::*", "std::ios_base::Init::Init()",
					    "*basic_string*append*"};

	cr_assert_eq(demangler_new(&d), 0);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct resolve_options options = {.returns = RETURN_AUTO, .demangler = d};
		_cleanup_(probe_set_freep) struct probe_set *here = NULL, *there = NULL;
		_cleanup_(spec_freep) struct spec *spec = NULL;
		struct error e = {};

		if (spec_parse(texts[i], &spec, &e) < 0)
			cr_assert_fail("%s", e.message);
		cr_assert_eq(probe_resolve(&t, &spec, 1, NULL, &here, &e), 0, "%s", e.message);
		cr_assert_eq(probe_resolve(&t, &spec, 1, &options, &there, &e), 0, "%s", e.message);
		cr_assert_gt(here->n, 0);
		cr_assert_eq(here->n, there->n);
		for (size_t k = 0; k < here->n; k++)
			cr_assert_str_eq(here->points[k].symbol, there->points[k].symbol);
	}
}

Test(resolve, exceptions_do_not_meet_return_probes)
{
	const char *files[] = {"/usr/lib/x86_64-linux-gnu/libLLVM-14.so.1"};
	struct probe_target t = {.files = files, .n_files = 1};
	_cleanup_(probe_set_freep) struct probe_set *set = NULL;
	_cleanup_(spec_freep) struct spec *spec = NULL;
	struct error e = {};
	size_t sites = 0;

	if (access(files[0], R_OK) < 0)
		cr_skip("libLLVM-14 is not installed");
	cr_assert_eq(spec_parse("llvm::Module::*", &spec, &e), 0);
	cr_assert_eq(probe_resolve(&t, &spec, 1, NULL, &set, &e), 0, "%s", e.message);
	for (size_t i = 0; i < set->n; i++) {
		if (set->points[i].ret != RETURN_SITES)
			continue;
		sites++;
		cr_assert_not_null(set->points[i].reason);
		cr_expect(strstr(set->points[i].reason, "unwinder") ||
				  strstr(set->points[i].reason, "stacks"),
			  "%s", set->points[i].reason);
	}
	cr_expect_gt(sites, 10);
}

/* Names that tell what a function is hold for all its aliases, be they matched or not. */
Test(resolve, aliases_are_as_unsafe)
{
	const char *files[] = {"/usr/lib/x86_64-linux-gnu/libc.so.6"};
	struct probe_target t = {.files = files, .n_files = 1};
	_cleanup_(probe_set_freep) struct probe_set *set = NULL;

	if (access(files[0], R_OK) < 0)
		cr_skip("there is no glibc");
	set = resolve_ok(&t, "libc:*setjmp", "libc:dlsym", "libc:malloc");
	for (size_t i = 0; i < set->n; i++)
		cr_expect_str_eq(set->points[i].symbol, "malloc");
	cr_expect(has_note(set, "setjmp", "return address"));
	cr_expect(has_note(set, "dlsym", "return address"));
}
