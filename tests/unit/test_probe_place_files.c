/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Return sites and places of real code, held against objdump and the kernel. */
#include "place_help.h"

#include <sys/mman.h>

#include "probe/flow.h"
#include "probe/link.h"
#include "probe/reaper.h"
#include "probe/zydis.h"

static const char c_program[] =
	"#include <stdarg.h>\n#include <stdlib.h>\n#include <string.h>\n"
	"#define N __attribute__((noinline, noclone, used))\n"
	"N int leaf(int a, int b) { return a * 3 + b; }\n"
	"N int tail(int a, int b) { return leaf(b, a + 1); }\n"
	"N int either(int a) { return a > 3 ? leaf(a, 1) : tail(a, 2); }\n"
	"N int by_pointer(int (*f)(int, int), int a) { return f(a, a); }\n"
	"N __attribute__((cold)) void rare(int a) { volatile int x = a; exit(x); }\n"
	"N int has_cold(int *p, int n) { int s = 0; for (int i = 0; i < n; i++) {\n"
	"  if (__builtin_expect(p[i] < 0, 0)) { rare(p[i]); s += leaf(p[i], s); }\n"
	"  s += p[i]; } return s; }\n"
	"N int cases(int a, int b) { switch (a) { case 1: return b * 7; case 2: return b - 1;\n"
	"  case 3: b ^= 5; case 4: return leaf(b, 9); case 5: return b << 3; case 6: return b / "
	"3;\n"
	"  case 7: return tail(b, a); case 8: return b * b; case 9: return -b; default: return 0; "
	"} }\n"
	"N int chars(const char *s) { int n = 0; for (;; s++) switch (*s) { case 0: return n;\n"
	"  case 'a': n += leaf(n, 1); break; case 'b': n++; break; case 'c': n ^= 3; break;\n"
	"  case 'd': n -= tail(n, 2); break; case 'e': n *= 3; break; case 'f': return -n;\n"
	"  case 'g': n = leaf(n, n); break; default: n += 7; } }\n"
	"N int sum(int n, ...) { va_list ap; int s = 0; va_start(ap, n); while (n-- > 0)\n"
	"  s += va_arg(ap, int); va_end(ap); return s; }\n"
	"N double many(double *p, int n) { double s = 0; while (n--) s += p[n] * p[n]; return s; "
	"}\n"
	"N int frame(int n) { char b[n + 1]; memset(b, n, n + 1); return leaf(b[n / 2], n); }\n"
	"N __attribute__((noreturn)) void never(int a) { rare(a); abort(); }\n"
	"int main(int c, char **v) { int x[3] = {c, 2, 3}; double d[2] = {1, 2}; if (c > 9) "
	"never(c);\n"
	"  return either(c) + by_pointer(leaf, c) + has_cold(x, 3) + cases(c, 4) + chars(v[0]) +\n"
	"    sum(2, c, 3) + (int)many(d, 2) + frame(c); }\n";

static const char cc_program[] =
	"#include <stdexcept>\n#include <string>\n"
	"#define N __attribute__((noinline, noclone, used))\n"
	"struct guard { int *p; ~guard() { ++*p; } };\n"
	"N int thrower(int a) { if (a > 2) throw std::runtime_error(\"x\"); return a; }\n"
	"N int catcher(int a) { try { return thrower(a); } catch (std::exception &e) {\n"
	"  return std::string(e.what()).size() > 3 ? 1 : 2; } }\n"
	"N int guarded(int *p) { guard g{p}; int r = thrower(*p); return r + thrower(r + 1); }\n"
	"struct base { virtual int f(int) = 0; };\nstruct one : base { int f(int a) { return a; } "
	"};\n"
	"N int through(base *b, int a) { return b->f(a); }\n"
	"int main(int c, char **) { one o; return catcher(c) + guarded(&c) + through(&o, c); }\n";

struct check {
	struct opened *o;
	const struct listing *l;
	size_t functions, failed, sites, rets, missed;
	uint64_t last;
};

static const char *const conditions[] = {"jo", "jno", "jb", "jae", "je", "jne", "jbe", "ja",
					 "js", "jns", "jp", "jnp", "jl", "jge", "jle", "jg"};

/* A site is the start of an instruction of that kind. */
static void check_site(const struct check *c, const struct symbol *symbol,
		       const struct return_site *site)
{
	size_t i = line_at(c->l, site->vaddr);
	const struct line *line = &c->l->lines[i];
	const char *wanted = site->kind == SITE_RET	  ? "ret"
			     : site->kind == SITE_JUMP_IF ? conditions[site->code & 15]
							  : "jmp";

	cr_assert(i < c->l->n && line->vaddr == site->vaddr, "%s: site 0x%lx is inside 0x%lx",
		  symbol->name, site->vaddr, i ? c->l->lines[i - 1].vaddr : 0);
	cr_assert_str_eq(line->name, wanted, "%s: site 0x%lx", symbol->name, site->vaddr);
	cr_assert(site->kind != SITE_JUMP_REG || line->is_indirect, "%s", symbol->name);
	cr_assert_neq(site->hit, HIT_KINDS);
}

static bool has_site(const struct return_site *sites, size_t n, uint64_t vaddr)
{
	for (size_t i = 0; i < n; i++)
		if (sites[i].vaddr == vaddr)
			return true;
	return false;
}

static int check_function(const struct symbol *symbol, void *data)
{
	struct check *c = data;
	struct return_site *sites _cleanup_(freep) = NULL;
	const char *reason = NULL;
	struct entry_place place;
	struct place_code code;
	size_t n = 0, at;
	int r;

	if (symbol->size == 0 || symbol->vaddr == c->last ||
	    place_file_code(c->o->file, symbol->vaddr, symbol->size, &code) < 0)
		return 0;
	c->last = symbol->vaddr;
	c->functions++;
	place_entry(&code, 0, false, true, &place);
	at = line_at(c->l, code.vaddr + place.skipped);
	cr_assert(at < c->l->n && c->l->lines[at].vaddr == code.vaddr + place.skipped,
		  "%s+%u is no instruction", symbol->name, place.skipped);
	r = place_returns(&code, &sites, &n, &reason);
	if (r < 0) {
		cr_assert_eq(r, -EOPNOTSUPP);
		cr_assert_not_null(reason);
		c->failed++;
		return 0;
	}
	c->sites += n;
	for (size_t i = 0; i < n; i++)
		check_site(c, symbol, &sites[i]);
	for (size_t i = line_at(c->l, symbol->vaddr);
	     i < c->l->n && c->l->lines[i].vaddr < symbol->vaddr + symbol->size; i++) {
		if (!streq(c->l->lines[i].name, "ret"))
			continue;
		c->rets++;
		c->missed += !has_site(sites, n, c->l->lines[i].vaddr);
	}
	return 0;
}

static struct check check_file(const char *path)
{
	struct check c = {.last = UINT64_MAX};
	struct listing l;
	struct opened o;

	if (!open_file(path, &o))
		return c;
	l = disassemble(path);
	c.o = &o;
	c.l = &l;
	symtab_each(o.st, check_function, &c);
	free(l.lines);
	close_file(&o);
	fprintf(stderr, "%s: %zu functions, %zu not followed, %zu sites, %zu rets, %zu missed\n",
		path, c.functions, c.failed, c.sites, c.rets, c.missed);
	return c;
}

Test(place_files, compiled_programs, .init = make_dir, .fini = remove_dir)
{
	static const char *const options[] = {
		"-O0",
		"-O1",
		"-O2",
		"-O3",
		"-Os",
		"-O2 -fcf-protection=full",
		"-O0 -fno-pic -no-pie",
		"-O2 -fno-pic -no-pie",
		"-O2 -fno-omit-frame-pointer",
		"-O2 -fcf-protection=none",
	};
	static const char *const compilers[] = {"gcc", "clang", "g++"};

	SKIP_ELSEWHERE();
	for (size_t k = 0; k < ARRAY_SIZE(compilers); k++)
		for (size_t i = 0; i < ARRAY_SIZE(options); i += EVERY_OPTION) {
			const char *text = k == 2 ? cc_program : c_program;
			struct check c;

			if (k == 1 && access("/usr/bin/clang", X_OK) < 0)
				continue;
			c = check_file(compile_text(text, compilers[k], options[i]));
			cr_assert_gt(c.functions, 5);
			cr_assert_eq(c.failed, 0, "%s %s", compilers[k], options[i]);
			cr_assert_eq(c.missed, 0, "%s %s", compilers[k], options[i]);
		}
}

/* Of every function of large programs; a few use tables that cannot be read for certain. */
Test(place_files, libraries)
{
	static const char *const paths[] = {
		"/usr/lib/x86_64-linux-gnu/libc.so.6",
		"/usr/lib/x86_64-linux-gnu/libsqlite3.so.0",
		"/usr/lib/x86_64-linux-gnu/libstdc++.so.6",
	};
	size_t functions = 0;

	SKIP_ELSEWHERE();
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		struct check c = check_file(paths[i]);

		functions += c.functions;
		cr_expect_leq(c.failed * 100, c.functions * 4, "%s", paths[i]);
		cr_expect_leq(c.missed * 100, c.rets, "%s", paths[i]);
	}
	if (functions == 0)
		cr_skip_test("none of the libraries is here");
}

/* Instructions of libc, one of each opcode and prefix: what the kernel refuses is known. */
struct kinds {
	struct opened o;
	uint8_t bytes[512][16];
	size_t n;
};

static int collect(const struct symbol *symbol, void *data)
{
	struct kinds *k = data;
	struct place_code code;

	if (place_file_code(k->o.file, symbol->vaddr, symbol->size, &code) < 0)
		return 0;
	for (size_t at = 0; at + 16 <= code.size && k->n < ARRAY_SIZE(k->bytes);) {
		struct insn insn;
		size_t i = 0;

		if (!insn_decode(code.bytes + at, code.size - at, code.vaddr, &insn))
			break;
		while (i < k->n && memcmp(k->bytes[i], code.bytes + at, 2) != 0)
			i++;
		if (i == k->n) {
			memset(k->bytes[k->n], 0x90, 16);
			memcpy(k->bytes[k->n++], code.bytes + at, insn.length);
		}
		at += insn.length;
	}
	return 0;
}

Test(place_files, the_kernel_takes_what_is_thought_probeable)
{
	static struct kinds k;
	_cleanup_(closep) int prog = link_noop_program(LINK_UPROBE_MULTI);
	_cleanup_(closep) int fd = memfd_create("place", MFD_CLOEXEC);
	char path[LINK_PATH_MAX];
	size_t refused = 0, known = 0;
	void *code;

	SKIP_ELSEWHERE();
	if (prog < 0)
		cr_skip_test("no multi links here: %s", strerror(-prog));
	cr_assert(open_file("/usr/lib/x86_64-linux-gnu/libc.so.6", &k.o));
	symtab_each(k.o.st, collect, &k);
	cr_assert_eq(ftruncate(fd, sizeof(k.bytes)), 0);
	cr_assert_eq(pwrite(fd, k.bytes, sizeof(k.bytes), 0), sizeof(k.bytes));
	code = mmap(NULL, sizeof(k.bytes), PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	cr_assert_neq(code, MAP_FAILED);
	link_path(path, fd);
	for (size_t i = 0; i < k.n; i++) {
		uint64_t offset = i * 16, cookie = 0;
		int link = link_multi(prog, LINK_UPROBE_MULTI, path, &offset, &cookie, NULL, 1,
				      false, getpid());
		enum hit_kind hit = place_hit(k.bytes[i], 16, false);
		char text[64];

		place_instruction(&(struct place_code){.bytes = k.bytes[i], .size = 16}, 0, text,
				  sizeof(text));
		if (link < 0 && i == 0 && (link == -EINVAL || link == -EPERM))
			cr_skip_test("no multi links here: %s", strerror(-link));
		if (link < 0)
			cr_expect_eq(hit, HIT_KINDS, "%s: %s", text, link_strerror(-link));
		refused += link < 0;
		known += hit == HIT_KINDS;
		if (link >= 0)
			reaper_close(&link, 1, REAPER_LINKS);
	}
	fprintf(stderr, "%zu instructions: the kernel refuses %zu, %zu are left alone\n", k.n,
		refused, known);
	cr_expect_gt(k.n, 200);
	close_file(&k.o);
	cr_expect_eq(reaper_wait(20000), 0);
}
