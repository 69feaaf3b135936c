/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Return sites of functions that catch exceptions: what only an unwinder comes to is found. */
#include "place_help.h"

static const char program[] =
	"#include <stdexcept>\n#include <cstdio>\n"
	"#define N extern \"C\" __attribute__((noinline, noclone, used))\n"
	"N int may(int a) { if (a > 2) throw a; return a; }\n"
	"N __attribute__((noreturn)) void always(int a) { if (a & 1) throw a;\n"
	"  throw std::runtime_error(\"x\"); }\n"
	"struct guard { int *p; ~guard() { if (++*p > 5) puts(\"g\"); } };\n"
	"N int inside(int a) { try { always(a); } catch (int x) { return x; }\n"
	"  catch (std::exception &e) { if (a > 6) return a * 3; puts(e.what()); return 2; } }\n"
	"N int shared(int a) { try { return may(a); } catch (int x) { return x + 1; } }\n"
	"N void ends(int a) { try { may(a); } catch (...) { } }\n"
	"N int nested(int a) { try { try { always(a); } catch (int x) { always(x + 1); } }\n"
	"  catch (std::exception &) { return a; } catch (...) { puts(\"n\"); return -a; } }\n"
	"N int again(int a) { try { return may(a); } catch (int x) { if (x & 1) throw;\n"
	"  puts(\"r\"); return x; } }\n"
	"N int cleans(int *p) { guard g{p}; int r = may(*p); return r + may(r + 1); }\n"
	"N int whole(int a) try { always(a); } catch (int x) { return x; } catch (...) { return 7; "
	"}\n"
	"N int rare(int a) { if (__builtin_expect(a == 5, 0)) { try { always(a + 1); }\n"
	"  catch (int x) { for (int i = 0; i < x; i++) { puts(\"i\"); if (may(i) > 1) return i; }\n"
	"    return x; } catch (std::exception &) { if (a > 3) return may(1); return 2; } } "
	"return a; }\n"
	"N int chooses(int a) { try { always(a); } catch (int x) { switch (x) {\n"
	"  case 1: return may(3); case 3: puts(\"3\"); return 1; case 5: return x * may(2);\n"
	"  case 7: return -may(x); case 9: puts(\"9\"); case 11: return may(1);\n"
	"  case 13: return 99; default: return may(0); } } catch (...) { return 0; } }\n"
	"struct made { int v; made(int a) try : v(may(a)) { } catch (int x) { puts(\"c\"); } };\n"
	"N int makes(int a) { try { made m(a); return m.v; } catch (...) { return 4; } }\n"
	"N int tails(int a) { try { always(a); } catch (...) { } return may(a); }\n"
	"int main(int c, char **) { int n = c; return inside(c) + shared(c) + nested(c) + again(c) "
	"+\n"
	"  cleans(&n) + whole(c) + rare(c) + chooses(c) + makes(c) + tails(c) + (ends(c), 0); }\n";

/* Functions of the program, and the parts that were moved away from them. */
struct range {
	char name[64];
	uint64_t start, end;
};

struct functions {
	struct range items[64];
	size_t n;
};

static int add_function(const struct symbol *symbol, void *data)
{
	struct functions *f = data;

	if (symbol->size > 0 && f->n < ARRAY_SIZE(f->items)) {
		struct range *r = &f->items[f->n++];

		snprintf(r->name, sizeof(r->name), "%s", symbol->name);
		r->start = symbol->vaddr;
		r->end = symbol->vaddr + symbol->size;
	}
	return 0;
}

static bool belongs(const struct range *part, const struct range *function)
{
	size_t len = strlen(function->name);

	return part == function || (strncmp(part->name, function->name, len) == 0 &&
				    startswith(part->name + len, ".cold"));
}

static const struct range *range_of(const struct functions *f, uint64_t vaddr)
{
	for (size_t i = 0; i < f->n; i++)
		if (vaddr >= f->items[i].start && vaddr < f->items[i].end)
			return &f->items[i];
	return NULL;
}

struct found {
	struct return_site *items;
	size_t n;
};

static struct found sites_of(struct opened *o, const struct range *r, bool with_landings)
{
	struct found s = {};
	struct place_code code;
	const char *reason = "";

	cr_assert_eq(place_file_code(o->file, r->start, r->end - r->start, &code), 0);
	if (!with_landings) {
		code.n_landings = 0;
		code.part = NULL;
	}
	cr_assert_eq(place_returns(&code, &s.items, &s.n, &reason), 0, "%s: %s", r->name, reason);
	return s;
}

static bool has(const struct found *s, uint64_t vaddr)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->items[i].vaddr == vaddr)
			return true;
	return false;
}

/* Rets of the function in the disassembly that are no sites. */
static size_t missed(const struct listing *l, const struct functions *f, const struct range *r,
		     const struct found *s)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++) {
		const struct range *in = range_of(f, l->lines[i].vaddr);

		if (in && belongs(in, r) && streq(l->lines[i].name, "ret"))
			n += !has(s, l->lines[i].vaddr);
	}
	return n;
}

struct sums {
	size_t rets_gained, sites_gained, cold;
};

static void check_function(struct opened *o, struct opened *stripped, const struct listing *l,
			   const struct functions *f, const struct range *r, struct sums *sums)
{
	struct found with = sites_of(o, r, true), without = sites_of(o, r, false),
		     nameless = sites_of(stripped, r, true);

	cr_expect_eq(missed(l, f, r, &with), 0, "%s: %zu rets are missed", r->name,
		     missed(l, f, r, &with));
	for (size_t i = 0; i < with.n; i++) {
		uint64_t vaddr = with.items[i].vaddr;
		const struct range *in = range_of(f, vaddr);
		size_t k = line_at(l, vaddr);

		cr_assert(in && belongs(in, r), "%s: site 0x%lx is not its own", r->name, vaddr);
		cr_assert(k < l->n && l->lines[k].vaddr == vaddr, "%s: 0x%lx", r->name, vaddr);
		sums->cold += in != r;
		cr_expect(has(&nameless, vaddr), "%s: without names, 0x%lx is missed", r->name,
			  vaddr);
	}
	cr_expect_eq(nameless.n, with.n, "%s: without names, %zu sites", r->name, nameless.n);
	for (size_t i = 0; i < without.n; i++)
		cr_expect(has(&with, without.items[i].vaddr), "%s: a site is lost", r->name);
	sums->rets_gained += missed(l, f, r, &without);
	sums->sites_gained += with.n - without.n;
	free(with.items);
	free(without.items);
	free(nameless.items);
}

static struct sums check_program(const char *path)
{
	static const char *const names[] = {"inside", "shared",	 "ends",  "nested", "again",
					    "cleans", "whole",	 "rare",  "makes",  "tails",
					    "may",    "chooses", "always"};
	struct functions f = {};
	struct sums sums = {};
	struct opened o, stripped;
	struct listing l = disassemble(path);

	shell("strip -o %s/stripped %s", place_dir, path);
	cr_assert(open_file(path, &o));
	cr_assert(open_file(strcat(strcpy((char[128]){}, place_dir), "/stripped"), &stripped));
	symtab_each(o.st, add_function, &f);
	for (size_t i = 0; i < f.n; i++)
		for (size_t k = 0; k < ARRAY_SIZE(names); k++)
			if (streq(f.items[i].name, names[k]))
				check_function(&o, &stripped, &l, &f, &f.items[i], &sums);
	free(l.lines);
	close_file(&o);
	close_file(&stripped);
	return sums;
}

Test(place_catch, compiled_programs, .init = make_dir, .fini = remove_dir)
{
	static const char *const compilers[] = {"g++", "clang++"};
	static const char *const options[] = {
		"-O0",
		"-O1",
		"-O2",
		"-O3",
		"-Os",
		"-O2 -fno-pic -no-pie",
		"-O3 -fno-pic -no-pie",
		"-O2 -fcf-protection=none",
		"-O2 -fno-omit-frame-pointer",
		/* Not known to clang. */
		"-O2 -fno-reorder-blocks-and-partition",
	};

	struct sums sum = {};

	SKIP_ELSEWHERE();
	for (size_t k = 0; k < ARRAY_SIZE(compilers); k++)
		for (size_t i = 0; i < ARRAY_SIZE(options) - k; i += EVERY_OPTION) {
			struct sums s;

			if (k == 1 && access("/usr/bin/clang++", X_OK) < 0)
				continue;
			s = check_program(compile_text(program, compilers[k], options[i]));
			fprintf(stderr, "%s %s: %zu rets and %zu sites more, %zu sites elsewhere\n",
				compilers[k], options[i], s.rets_gained, s.sites_gained, s.cold);
			sum.rets_gained += s.rets_gained;
			sum.sites_gained += s.sites_gained;
			sum.cold += s.cold;
		}
	cr_expect_gt(sum.rets_gained, 0, "no ret is come to by an unwinder alone");
	cr_expect_gt(sum.sites_gained, sum.rets_gained, "nor a jump to __cxa_end_catch");
	cr_expect_gt(sum.cold, 0, "nothing was moved away");
}

struct gains {
	struct opened *o;
	const struct listing *l;
	size_t functions, gained, sites, lost;
	uint64_t last;
};

static int count_gain(const struct symbol *symbol, void *data)
{
	struct gains *g = data;
	struct return_site *with _cleanup_(freep) = NULL, *without _cleanup_(freep) = NULL;
	size_t n_with = 0, n_without = 0;
	struct place_code code;
	const char *reason;
	int r;

	if (symbol->size == 0 || symbol->vaddr == g->last ||
	    place_file_code(g->o->file, symbol->vaddr, symbol->size, &code) < 0)
		return 0;
	g->last = symbol->vaddr;
	g->functions++;
	r = place_returns(&code, &with, &n_with, &reason);
	place_file_code(g->o->file, symbol->vaddr, symbol->size, &code);
	code.n_landings = 0;
	code.part = NULL;
	g->lost += place_returns(&code, &without, &n_without, &reason) == 0 && r < 0;
	g->gained += n_with > n_without;
	g->lost += r == 0 && n_with < n_without;
	for (size_t i = 0; i < n_with; i++) {
		size_t k = line_at(g->l, with[i].vaddr);

		g->sites++;
		cr_assert(k < g->l->n && g->l->lines[k].vaddr == with[i].vaddr,
			  "%s: 0x%lx is no instruction", symbol->name, with[i].vaddr);
	}
	return 0;
}

Test(place_catch, libraries)
{
	const char *path = "/usr/lib/x86_64-linux-gnu/libstdc++.so.6";
	struct gains g = {.last = UINT64_MAX};
	struct opened o;
	struct listing l;

	SKIP_ELSEWHERE();
	if (!open_file(path, &o))
		cr_skip_test("%s is not here", path);
	l = disassemble(path);
	g.o = &o;
	g.l = &l;
	symtab_each(o.st, count_gain, &g);
	fprintf(stderr, "%s: %zu functions, %zu sites; %zu have more by landings, %zu less\n", path,
		g.functions, g.sites, g.gained, g.lost);
	cr_expect_gt(g.gained, 0);
	cr_expect_eq(g.lost, 0);
	free(l.lines);
	close_file(&o);
}
