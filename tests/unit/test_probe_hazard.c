/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What makes return probes dangerous: of files and processes, and which functions unwind. */
#include "place_help.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "probe/hazard.h"
#include "probe/unwind.h"

static unsigned int of_file(const char *path)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	unsigned int hazards = ~0U;

	cr_assert_geq(fd, 0, "%s", path);
	cr_assert_eq(hazard_of_file(NULL, fd, path, &hazards), 0);
	return hazards;
}

Test(hazard, of_files, .init = make_dir, .fini = remove_dir)
{
	const char *path = compile_text("int main(void) { return 0; }", "gcc", "");

	cr_expect_eq(of_file(path), 0);
	path = compile_text(
		"#include <ucontext.h>\nucontext_t a, b;\n"
		"int main(int c, char **v) { if (c > 9) swapcontext(&a, &b); return 0; }",
		"gcc", "");
	cr_expect_eq(of_file(path), HAZARD_STACKS);
	path = compile_text("#include <pthread.h>\nint main(int c, char **v)\n"
			    "{ if (c > 9) pthread_cancel(pthread_self()); return 0; }",
			    "gcc", "");
	cr_expect_eq(of_file(path), HAZARD_CANCEL);
	path = compile_text(
		"int main(int c, char **) { try { if (c > 9) throw 1; } catch (int) {} }", "g++",
		"");
	cr_expect(of_file(path) & HAZARD_UNWINDER);
	path = compile_text(
		"#include <setjmp.h>\njmp_buf b;\n"
		"int main(int c, char **v) { if (c > 9) longjmp(b, 1); return setjmp(b); }",
		"gcc", "");
	cr_expect_eq(of_file(path), HAZARD_JUMPS);
	if (access("/usr/lib/x86_64-linux-gnu/libc.so.6", R_OK) == 0)
		cr_expect_eq(of_file("/usr/lib/x86_64-linux-gnu/libc.so.6"), 0,
			     "the C library has it for others");
	if (access("/usr/lib/go-1.19/bin/go", R_OK) == 0)
		cr_expect(of_file("/usr/lib/go-1.19/bin/go") & HAZARD_GO);
}

/* Starts the program, which ends with its stdin. */
static pid_t start(const char *path, int *ret_stdin)
{
	int in[2], out[2];
	pid_t pid;
	char ready;

	cr_assert_eq(pipe2(in, O_CLOEXEC), 0);
	cr_assert_eq(pipe2(out, O_CLOEXEC), 0);
	pid = fork();
	cr_assert_geq(pid, 0);
	if (pid == 0) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		execl(path, path, NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	cr_assert_eq(read(out[0], &ready, 1), 1);
	close(out[0]);
	*ret_stdin = in[1];
	return pid;
}

static unsigned int of_program(const char *path)
{
	unsigned int hazards = 0;
	int in;
	pid_t pid = start(path, &in);

	cr_expect_eq(hazard_of_process(NULL, pid, &hazards), 0);
	/* Again, by what is remembered of its files. */
	cr_expect_eq(hazard_of_process(NULL, pid, &hazards), 0);
	close(in);
	waitpid(pid, NULL, 0);
	return hazards;
}

Test(hazard, of_processes, .init = make_dir, .fini = remove_dir)
{
	static const char plain[] = "#include <unistd.h>\nint main(void) { char c = 'x';\n"
				    "write(1, &c, 1); return read(0, &c, 1); }";
	static const char filtered[] =
		"#include <sys/prctl.h>\n#include <linux/seccomp.h>\n#include <linux/filter.h>\n"
		"#include <unistd.h>\nint main(void) { char c = 'x';\n"
		"struct sock_filter f[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};\n"
		"struct sock_fprog p = {1, f}; prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);\n"
		"prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p);\n"
		"write(1, &c, 1); return read(0, &c, 1); }";
	unsigned int hazards;

	cr_expect_eq(of_program(compile_text(plain, "gcc", "")) & ~HAZARD_SECCOMP, 0);
	cr_expect(of_program(compile_text(plain, "g++", "-Wl,--no-as-needed")) & HAZARD_UNWINDER,
		  "it maps libstdc++");
	cr_expect_eq(of_program(compile_text(filtered, "gcc", "")), HAZARD_SECCOMP);
	cr_expect_eq(hazard_of_process(NULL, 1 << 22, &hazards), -ESRCH);
}

Test(hazard, reasons)
{
	cr_expect(strstr(hazard_reason(HAZARD_UNWINDER), "unwinder"));
	cr_expect(strstr(hazard_reason(HAZARD_GO | HAZARD_UNWINDER), "Go"));
	for (unsigned int bit = 1; bit <= HAZARD_JUMPS; bit <<= 1)
		cr_expect_neq(hazard_reason(bit)[0], '\0');
}

static const char graph_program[] =
	"#include <stdlib.h>\n#include <string.h>\n#include <stdio.h>\n"
	"#define N __attribute__((noinline, noclone, used))\n"
	"N int leaf(int a) { return a + 1; }\n"
	"N int calls_leaf(int a) { return leaf(a) * leaf(a + 2); }\n"
	"N int copies(char *p, int n) { char *q = malloc(n); memcpy(q, p, n); n = q[0]; free(q);\n"
	"  return n; }\n"
	"N int prints(int a) { printf(\"%d\\n\", a); return a; }\n"
	"N int calls_prints(int a) { return calls_leaf(prints(a)); }\n"
	"N int by_pointer(int (*f)(int)) { return f(1) + 1; }\n"
	"int even(int n);\n"
	"N int odd(int n) { return n == 0 ? 0 : even(n - 1) + 1; }\n"
	"N int even(int n) { return n == 0 ? 1 : odd(n - 1) + 1; }\n"
	"int bad_a(int n);\n"
	"N int bad_b(int n) { return n == 0 ? 0 : bad_a(n - 1) + 1; }\n"
	"N int bad_a(int n) { int r = bad_b(n) + 1; return prints(r) + 1; }\n"
	"int main(int c, char **v) { return calls_prints(c) + by_pointer(leaf) + odd(c) + "
	"bad_a(c)\n"
	"  + copies(v[0], 3); }\n";

struct wanted {
	const char *name;
	uint64_t vaddr;
};

static int match(const struct symbol *symbol, void *data)
{
	struct wanted *w = data;

	if (!streq(symbol->name, w->name))
		return 0;
	w->vaddr = symbol->vaddr;
	return 1;
}

Test(hazard, unwinding_by_what_is_called, .init = make_dir, .fini = remove_dir)
{
	static const struct {
		const char *name;
		bool can, recurs;
	} cases[] = {
		{"leaf", false, false},	 {"calls_leaf", false, false},	{"copies", false, false},
		{"prints", true, false}, {"calls_prints", true, false}, {"by_pointer", true, false},
		{"odd", false, true},	 {"even", false, true},		{"bad_a", true, true},
		{"bad_b", true, true},	 {"main", true, false},
	};
	struct unwind_graph *g = NULL;
	struct opened o;

	SKIP_ELSEWHERE();
	cr_assert(open_file(compile_text(graph_program, "gcc", "-O2"), &o));
	/* In both orders, as answers are remembered. */
	for (int round = 0; round < 2; round++) {
		cr_assert_eq(unwind_graph_new(&o.source, &g), 0);
		for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
			size_t k = round ? ARRAY_SIZE(cases) - 1 - i : i;
			struct wanted w = {.name = cases[k].name};

			symtab_each(o.st, match, &w);
			cr_assert_neq(w.vaddr, 0, "%s", w.name);
			cr_expect_eq(unwind_graph_can(g, w.vaddr), cases[k].can, "%s, round %d",
				     w.name, round);
			cr_expect_eq(unwind_graph_recurs(g, w.vaddr), cases[k].recurs,
				     "%s, round %d", w.name, round);
		}
		cr_expect_not(unwind_graph_recurs(g, 1));
		cr_expect(unwind_graph_can(g, 1), "what is not known can");
		unwind_graph_free(g);
	}
	close_file(&o);
	cr_expect(unwind_is_harmless("memcpy"));
	cr_expect_not(unwind_is_harmless("write"));
	cr_expect_not(unwind_is_harmless("qsort"));
}
