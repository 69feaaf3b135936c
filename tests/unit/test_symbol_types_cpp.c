/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Types of functions of C++, of clones that the optimiser makes, of libc, and of damaged files. */
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <fcntl.h>
#include <time.h>

#include "base_random.h"
#include "symbol_types_help.h"

TestSuite(symbol_types_cpp, .init = setup, .fini = teardown, .timeout = 120);

static const char cpp_source[] =
	"#define N __attribute__((noinline, noipa))\n"
	"extern \"C\" void use(const void *, ...);\n"
	"struct Base { int base_value; virtual ~Base() {} virtual int run(int n) { return n; } };\n"
	"struct Other { long other; };\n"
	"namespace store { enum class Mode : unsigned char { Read = 1, Write = 2, Sync = 4 };\n"
	"struct Plain { int x; };\n"
	"class Table : public Base, public Other { public: Table(int size); long count; Mode "
	"mode;\n"
	" static int instances; N int put(const char *key, Plain &value, Mode mode);\n"
	" N static int make(int a); N int run(int n) override; N Plain get() const; };\n"
	"struct NonTrivial { long v[2]; NonTrivial(const NonTrivial &); ~NonTrivial(); };\n"
	"struct Ends { long v[3]; ~Ends(); }; struct Holds { Ends all[1]; };\n"
	"struct Plainer { long v[3]; Plainer() = default; Plainer(const Plainer &) = default; };\n"
	"N int others(Ends e, Holds h, Base b, Plainer p, int last)\n"
	"{ use(&e, &h, &b, &p, last); return last; }\n"
	"struct Virt : virtual Base { long q; N Virt(int a); }; struct Empty {};\n"
	"N int free_function(Table *t, const Plain &p, Plain &&m, bool b)\n"
	"{ use(t, &p, &m, b); return p.x; }\n"
	"N int by_address(NonTrivial n, int a, Empty e, int b) { use(&n, a, b); return a; }\n"
	"N NonTrivial returns(NonTrivial &n, int a) { use(&n, a); return n; }\n"
	"N Table::Table(int size) : count(size) { use(this, size); }\n"
	"N int Table::put(const char *key, Plain &value, Mode m) { use(key, &value, m); return "
	"count; }\n"
	"N int Table::make(int a) { use(0, a); return a; }\n"
	"N int Table::run(int n) { use(this, n); return n; }\n"
	"N Plain Table::get() const { use(this); return Plain{(int)count}; }\n"
	"N Virt::Virt(int a) : q(a) { use(this, a); }\n"
	"namespace { N int hidden(short s, char16_t c) { use(0, s, c); return s; } }\n"
	"extern \"C\" int call_hidden() { return hidden(1, 2); } }\n";

static void check_cpp(const char *command)
{
	struct typed t _cleanup_(typed_release) = typed_compile("cpp.so", cpp_source, command);
	const struct function_type *f;
	const struct ctype *table;

	expect_function(&t, "_ZN5store13free_functionEPNS_5TableERKNS_5PlainEOS2_b",
			"int free_function(Table * t@r0, const Plain & p@r1, Plain && m@r2, "
			"bool b@r3)");
	expect_function(&t, "_ZN5store10by_addressENS_10NonTrivialEiNS_5EmptyEi",
			"int by_address(NonTrivial n@r0, int a@r1, Empty e@nowhere, int b@r2)");
	/* A destructor of its own, a member's, a table of virtual functions; and none of these. */
	expect_function(&t, "_ZN5store6othersENS_4EndsENS_5HoldsE4BaseNS_7PlainerEi",
			"int others(Ends e@r0, Holds h@r1, Base b@r2, Plainer p@s0, int last@r3)");
	expect_function(&t, "_ZN5store7returnsERNS_10NonTrivialEi",
			"NonTrivial@memory returns(NonTrivial & n@r1, int a@r2)");
	expect_function(&t, "_ZN5store5Table3putEPKcRNS_5PlainENS_4ModeE",
			"int put(Table *const this@r0, const char * key@r1, Plain & value@r2, "
			"Mode m@r3)");
	expect_function(&t, "_ZN5store5Table4makeEi", "int make(int a@r0)");
	expect_function(&t, "_ZN5store5TableC1Ei", "void Table(Table *const this@r0, int size@r1)");
	/* One constructor is given a table that the other finds itself. */
	expect_function(&t, "_ZN5store4VirtC1Ei", "void Virt(Virt *const this@r0, int a@r1)");
	f = typed_find(&t, "_ZN5store4VirtC2Ei");
	cr_assert(f && f->n_params >= 2);
	cr_expect(streq(f->params[f->n_params - 1].name, "a") &&
			  f->params[f->n_params - 1].reg == 2,
		  "%s", describe(f));
	expect_function(&t, "_ZNK5store5Table3getEv", "Plain get(const Table *const this@r0)");
	cr_expect(strstr(describe(typed_find(&t, "_ZN5store12_GLOBAL__N_16hiddenEsDs")),
			 "int s@r0, char16_t c@r1") ||
		  strstr(describe(typed_find(&t, "_ZN5store12_GLOBAL__N_16hiddenEsDs")),
			 "short s@r0, char16_t c@r1"));

	/* `this` has the class's members, those of its bases behind members without a name. */
	f = typed_find(&t, "_ZN5store5Table3putEPKcRNS_5PlainENS_4ModeE");
	table = ctype_complete(f->params[0].type->target);
	cr_expect_eq(member_of(table, "count")->offset, 24);
	cr_expect(member_of(table, "mode")->type->kind == CTYPE_ENUM &&
		  member_of(table, "mode")->type->size == 1 &&
		  member_of(table, "mode")->type->is_flags);
	cr_assert_eq(table->n_members, 4, "%zu: two bases, two members, none that is static",
		     table->n_members);
	cr_expect_eq(member_of(table->members[0].type, "base_value")->offset, 8);
	cr_expect_eq(table->members[1].offset, 16);
}

Test(symbol_types_cpp, without_optimisation)
{
	check_cpp("g++ -x c++ -g -O0");
}

Test(symbol_types_cpp, optimised)
{
	check_cpp("g++ -x c++ -g -O2");
}

/* Every parameter is where it is said to be, or nowhere; where the convention has it is wrong. */
Test(symbol_types_cpp, clones_are_called_in_their_own_way)
{
	struct typed t _cleanup_(typed_release) = typed_compile(
		"clone.so",
		"struct s { long a, b, c; };\nextern void use(long, ...);\n"
		"static __attribute__((noinline)) long parts(int unused, struct s *s, int k, long "
		"z)\n"
		"{ use(s->b, k); use(s->b, z); return z + k; }\n"
		"static __attribute__((noinline)) long fixed(long mode, long x, long y)\n"
		"{ use(mode, x); use(y); return mode + x; }\n"
		"long outer(struct s *s, long x) { return parts(1, s, 2, x) + parts(3, s, 4, x + "
		"1) +\n"
		" fixed(7, x, 1) + fixed(7, x + 2, s->a); }\n",
		"gcc -x c -g -O2");

	expect_function(&t, "fixed.constprop.0",
			"long int fixed(long int mode@nowhere, long int x@r0, long int y@r1)");
	expect_function(&t, "parts.constprop.0",
			"long int parts(int unused@nowhere, struct s * s@r0, int k@r1, "
			"long int z@r2)");
}

Test(symbol_types_cpp, libc_by_its_debug_file)
{
	struct typed t _cleanup_(typed_release) = typed_open("/lib/x86_64-linux-gnu/libc.so.6");
	const struct function_type *f = typed_find(&t, "open64");

	if (!f)
		cr_skip_test("libc6-dbg is not installed");
	cr_expect(strstr(describe(f), "const char * file@r0, int oflag@r1, ...)") != NULL, "%s",
		  describe(f));
	cr_expect(strstr(describe(typed_find(&t, "fwrite")), " size@r1") != NULL);
}

Test(symbol_types_cpp, dwz_supplement)
{
	struct typed t = {};

	if (access("/usr/bin/dwz", X_OK) < 0)
		cr_skip_test("dwz is not installed");
	/* Large enough that sharing it pays. */
	run("cd %s && for i in $(seq 200); do echo \"struct s$i { long a, b$i; struct s$i *next; "
	    "enum "
	    "e$i { A$i, B$i } e; };\"; done >a.h && "
	    "{ cat a.h; echo 'int one(struct s7 *b, unsigned long n) {'; for i in $(seq 200); do "
	    "echo \"struct s$i v$i; use(&v$i);\"; done; echo 'return n; }'; } >a.c && "
	    "for i in 1 2; do gcc -w -shared -fPIC -g -O1 -Wl,--build-id=sha1 -Wl,-soname=x$i -o "
	    "x$i "
	    "a.c; done && dwz -m common x1 x2 && readelf -SW x1 | grep -q debugaltlink",
	    dir);
	t = typed_open(path_of("x1"));
	expect_function(&t, "one", "int one(struct s7 * b@r0, long unsigned int n@r1)");
	cr_expect_eq(member_of(typed_find(&t, "one")->params[0].type->target, "next")->offset, 16);
	typed_release(&t);

	/* Without it nothing is guessed. */
	run("mv %s/common %s/gone", dir, dir);
	t.image = open_image(path_of("x1"));
	{
		struct error e = {};

		cr_expect_eq(function_types_open(t.image, path_of("x1"), NULL, &e, &t.types),
			     -ENODATA);
		cr_expect(strstr(e.message, "needs common") != NULL, "%s", e.message);
	}
	elf_image_free(t.image);
}

static int open_types(const char *name, struct error *e)
{
	struct elf_image *image _cleanup_(elf_image_freep) = open_image(path_of(name));
	struct function_types *types _cleanup_(function_types_freep) = NULL;

	return function_types_open(image, path_of(name), NULL, e, &types);
}

Test(symbol_types_cpp, says_what_is_missing)
{
	struct error e = {};

	compile("plain", "");
	cr_assert_eq(open_types("plain", &e), -ENODATA);
	cr_expect(strstr(e.message, "plain has no debug information.") != NULL, "%s", e.message);
	cr_expect(strstr(e.fix, "-dbgsym") != NULL, "%s", e.fix);
	e = (struct error){};
	run("cd %s && gcc -g -gsplit-dwarf -o split p.c", dir);
	cr_assert_eq(open_types("split", &e), -ENODATA);
	cr_expect(strstr(e.message, ".dwo") != NULL, "%s", e.message);
}

static int walk_type(const struct ctype *t, int depth)
{
	int n = 1;

	if (depth == 0)
		return n;
	ctype_complete(t);
	if (t->target)
		n += walk_type(t->target, depth - 1);
	for (size_t i = 0; i < t->n_members; i++)
		n += walk_type(t->members[i].type, depth - 1);
	return n + (int)strlen(t->name);
}

static int walk_symbol(const struct symbol *symbol, void *data)
{
	const struct function_type *f;

	if (function_types_find(data, symbol->vaddr, &f) < 0)
		return 0;
	for (size_t i = 0; i < f->n_params; i++)
		walk_type(f->params[i].type, 4);
	return walk_type(f->ret, 4) < 0;
}

/* Makes each const type of a unit and its namespaces one of itself; how many. */
static int make_consts_cyclic(const char *path, Dwarf *dwarf, Dwarf_Die *scope)
{
	const uint8_t *mapped = (const uint8_t *)elf_rawfile(dwarf_getelf(dwarf), NULL);
	FILE *f = fopen(path, "r+");
	Dwarf_Die die;
	int n = 0;

	for (int more = dwarf_child(scope, &die); more == 0; more = dwarf_siblingof(&die, &die)) {
		uint32_t itself = (uint32_t)dwarf_cuoffset(&die);
		Dwarf_Attribute type;

		if (dwarf_tag(&die) == DW_TAG_namespace)
			n += make_consts_cyclic(path, dwarf, &die);
		if (dwarf_tag(&die) != DW_TAG_const_type || !dwarf_attr(&die, DW_AT_type, &type))
			continue;
		cr_assert_eq(dwarf_whatform(&type), DW_FORM_ref4);
		cr_assert_eq(fseek(f, type.valp - mapped, SEEK_SET), 0);
		cr_assert_eq(fwrite(&itself, sizeof(itself), 1, f), 1);
		n++;
	}
	fclose(f);
	return n;
}

Test(symbol_types_cpp, const_of_itself)
{
	struct elf_image *image _cleanup_(elf_image_freep) = NULL;
	struct function_types *types _cleanup_(function_types_freep) = NULL;
	struct symtab *st _cleanup_(symtab_freep) = NULL;
	int fd _cleanup_(closep) = -1;
	Dwarf_Off next;
	size_t header;
	Dwarf_Die unit;
	Dwarf *dwarf;

	write_file(path_of("t.cpp"), cpp_source, strlen(cpp_source));
	run("cd %s && g++ -w -shared -fPIC -g -O2 -o good t.cpp && cp good bad", dir);
	fd = open(path_of("good"), O_RDONLY);
	dwarf = dwarf_begin(fd, DWARF_C_READ);
	cr_assert_eq(dwarf_nextcu(dwarf, 0, &next, &header, NULL, NULL, NULL), 0);
	cr_assert_not_null(dwarf_offdie(dwarf, header, &unit));
	cr_assert_gt(make_consts_cyclic(path_of("bad"), dwarf, &unit), 3);
	dwarf_end(dwarf);
	cr_assert_eq(elf_image_open_path(path_of("bad"), NULL, &image), 0);
	cr_assert_eq(symtab_load(image, NULL, "/nonexistent", NULL, &st), 0);
	cr_assert_eq(function_types_open(image, NULL, "/nonexistent", NULL, &types), 0);
	symtab_each(st, walk_symbol, types);
}

/* Bytes of a good file are changed at random; whatever is in it then, reading it comes to an end.
 */
Test(symbol_types_cpp, damaged_files)
{
	char *text = NULL;
	uint8_t *damaged;
	size_t size = 0;

	seed_rng();
	write_file(path_of("t.cpp"), cpp_source, strlen(cpp_source));
	run("cd %s && g++ -w -shared -fPIC -g -O2 -o good t.cpp", dir);
	cr_assert_eq(read_file(path_of("good"), 1 << 20, &text, &size), 0);
	damaged = malloc(size);
	for (int round = 0; round < 300; round++) {
		struct elf_image *image _cleanup_(elf_image_freep) = NULL;
		struct function_types *types _cleanup_(function_types_freep) = NULL;
		struct symtab *st _cleanup_(symtab_freep) = NULL;

		memcpy(damaged, text, size);
		for (uint64_t i = next_random() % 40 + 1; i > 0; i--)
			damaged[64 + next_random() % (size - 64)] = (uint8_t)next_random();
		write_file(path_of("bad"), damaged, size);
		if (elf_image_open_path(path_of("bad"), NULL, &image) < 0 ||
		    symtab_load(image, NULL, "/nonexistent", NULL, &st) < 0 ||
		    function_types_open(image, NULL, "/nonexistent", NULL, &types) < 0)
			continue;
		symtab_each(st, walk_symbol, types);
	}
	free(damaged);
	free(text);
}
