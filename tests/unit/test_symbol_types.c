/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Types of functions from DWARF, against sources whose answer is known. */
#include "symbol_types_help.h"

#include <time.h>

TestSuite(symbol_types, .init = setup, .fini = teardown, .timeout = 120);

/* Every function uses what it is given, so that no optimiser drops it. */
static const char c_source[] =
	"#include <stdbool.h>\n#include <stdint.h>\n#include <stddef.h>\n#include <stdarg.h>\n"
	"#define N __attribute__((noinline, noclone, noipa))\n"
	"extern void use(const void *, ...);\n"
	"enum color { RED, GREEN, BLUE };\n"
	"enum flags { RDONLY = 1, CREATE = 2, TRUNC = 4, NONE = 0 };\n"
	"enum wide { MINUS = -1, PLUS = 5 };\n"
	"struct header { uint16_t kind; uint8_t tag; int len; char name[12]; };\n"
	"struct request { long id; struct header *headers; struct header inline_headers[3];\n"
	" union { int a; float b; }; struct { short x, y; } point;\n"
	" unsigned lo : 3, mid : 7; signed neg : 5; bool on : 1; struct request *next; int "
	"m[2][3];\n"
	" int (*call)(struct request *, int); enum color color; };\n"
	"struct one { int a, b; }; struct two { long a; int b; }; struct three { long a, b, c; };\n"
	"struct fl { float x, y; }; struct mixed { double d; long l; };\n"
	"struct __attribute__((packed)) packed { char c; long l; };\n"
	"struct opaque; typedef struct request req_t; typedef void (*handler)(int);\n"
	"typedef float vec __attribute__((vector_size(16)));\n"
	"N int open_table(const char *name, enum flags flags) { use(name, flags); return name[0]; "
	"}\n"
	"N bool ok(bool b, char c, unsigned char u, uint8_t n, int8_t s)\n"
	"{ use(0, b, c, u, n, s); return b; }\n"
	"N const char *const named(struct request *req, const req_t *r2, struct opaque *o, void "
	"*p,\n"
	" handler h, enum color c) { use(req, r2, o, p, h, c); return p; }\n"
	"N size_t many(int a, int b, int c, int d, int e, int f, int g, short h, struct one i)\n"
	"{ use(0, a, b, c, d, e, f, g, h, i); return a + g; }\n"
	"N struct three by_value(struct one a, struct two b, struct three c, int d)\n"
	"{ use(0, a, b, c, d); return c; }\n"
	"N double floats(double x, int a, float y, struct fl s, struct mixed m, int b, vec v)\n"
	"{ use(0, x, a, y, s, m, b, v); return x; }\n"
	"N int big(long double l, int a, __int128 i, struct packed p, int b, _Complex double z)\n"
	"{ use(0, l, a, i, p, b, z); return a; }\n"
	"N int six(int a, int b, int c, int d, int e, struct two t, int f)\n"
	"{ use(0, a, b, c, d, e, t, f); return f; }\n"
	"N int log_it(const char *fmt, ...) { va_list ap; va_start(ap, fmt); use(fmt, ap); return "
	"0; }\n"
	"N void nothing(void) { use(0); }\n"
	"N enum wide widest(int array[4], int (*f)(int (*)(char), ...), volatile int *v)\n"
	"{ use(array, f, v); return PLUS; }\n";

/* gcc says nothing of where values in two registers are when it optimises. */
static void check_c(struct typed *t, bool optimised)
{
	expect_function(t, "open_table",
			"int open_table(const char * name@r0, enum flags flags@r1)");
	expect_function(t, "ok",
			"_Bool ok(_Bool b@r0, char c@r1, unsigned char u@r2, uint8_t n@r3, "
			"int8_t s@r4)");
	expect_function(t, "named",
			"const char * named(struct request * req@r0, const req_t * r2@r1, "
			"struct opaque * o@r2, void * p@r3, handler h@r4, enum color c@r5)");
	expect_function(t, "many",
			"size_t many(int a@r0, int b@r1, int c@r2, int d@r3, int e@r4, int f@r5, "
			"int g@s0, short int h@s1, struct one i@s2)");
	expect_function(t, "by_value",
			"struct three@memory by_value(struct one a@r1, struct two b@two2, "
			"struct three c@s0, int d@r4)");
	expect_function(t, "floats",
			"double@float floats(double x@float, int a@r0, float y@float, "
			"struct fl s@float, struct mixed m@float, int b@r2, vec v@float)");
	expect_function(t, "big",
			optimised ? "int big(long double l@s0, int a@r0, __int128 i@nowhere, "
				    "struct packed p@s2, int b@r3, complex double z@nowhere)"
				  : "int big(long double l@s0, int a@r0, __int128 i@two1, "
				    "struct packed p@s2, int b@r3, complex double z@float)");
	expect_function(
		t, "six",
		"int six(int a@r0, int b@r1, int c@r2, int d@r3, int e@r4, struct two t@s0, "
		"int f@r5)");
	expect_function(t, "log_it", "int log_it(const char * fmt@r0, ...)");
	expect_function(t, "nothing", "void nothing()");
	expect_function(t, "widest",
			"enum wide widest(int * array@r0, int (*)(int (*)(char), ...) f@r1, "
			"volatile int * v@r2)");
}

static void check_bits(const struct ctype *t, const char *name, unsigned offset, unsigned shift,
		       unsigned bits)
{
	const struct ctype_member *m = member_of(t, name);

	cr_expect(m->offset == offset && m->shift == shift && m->bits == bits,
		  "%s: %u %u %u instead of %u %u %u", name, m->offset, m->shift, m->bits, offset,
		  shift, bits);
}

/* The offsets are those of the ABI: of the same struct compiled here. */
struct check_header {
	uint16_t kind;
	uint8_t tag;
	int len;
	char name[12];
};
struct check_request {
	long id;
	struct check_header *headers;
	struct check_header inline_headers[3];
	union {
		int a;
		float b;
	};
	struct {
		short x, y;
	} point;
	unsigned lo : 3, mid : 7;
	signed neg : 5;
	bool on : 1;
	struct check_request *next;
	int m[2][3];
	int (*call)(struct check_request *, int);
	int color;
};

static void check_members(struct typed *t)
{
	const struct function_type *f = typed_find(t, "named");
	const struct ctype *req = f->params[0].type->target, *header;
	unsigned bits = offsetof(struct check_request, point) + 4;

	cr_assert_eq(req->kind, CTYPE_STRUCT);
	cr_expect_eq(req->size, sizeof(struct check_request));
	ctype_complete(req);
	cr_assert_eq(req->n_members, 13);
	cr_expect_eq(member_of(req, "next")->offset, offsetof(struct check_request, next));
	cr_expect_eq(member_of(req, "next")->type->target, req, "the type is cyclic");
	header = member_of(req, "headers")->type->target;
	cr_expect_eq(member_of(header, "len")->offset, 4);
	cr_expect_eq(member_of(header, "tag")->type->kind, CTYPE_UINT);
	cr_expect_str_eq(member_of(header, "name")->type->name, "char [12]");
	cr_expect_eq(member_of(req, "inline_headers")->type->count, 3);
	cr_expect_eq(member_of(req, "inline_headers")->type->target, header);
	cr_expect_str_eq(member_of(req, "inline_headers")->type->name, "struct header [3]");
	cr_expect_eq(member_of(req, "")->offset, offsetof(struct check_request, a));
	cr_expect_eq(member_of(member_of(req, "")->type, "b")->type->kind, CTYPE_FLOAT);
	cr_expect_eq(member_of(member_of(req, "point")->type, "y")->offset, 2);
	check_bits(req, "lo", bits, 0, 3);
	check_bits(req, "mid", bits, 3, 7);
	check_bits(req, "neg", bits, 10, 5);
	check_bits(req, "on", bits + 1, 7, 1);
	cr_expect_str_eq(member_of(req, "m")->type->name, "int [2][3]");
	cr_expect_eq(member_of(req, "m")->type->size, 24);
	cr_expect_eq(member_of(req, "m")->type->target->count, 3);
	cr_expect_str_eq(member_of(req, "call")->type->name, "int (*)(struct request *, int)");
	cr_expect_eq(member_of(req, "call")->type->target->kind, CTYPE_FUNCTION);
	cr_expect_eq(f->params[2].type->target->kind, CTYPE_UNKNOWN);
	/* A typedef of it is the same struct under another name. */
	req = f->params[1].type->target;
	cr_expect_str_eq(req->name, "const req_t");
	cr_expect_eq(member_of(req, "headers")->type->target, header);
}

static void check_enums(struct typed *t)
{
	const struct ctype *flags = typed_find(t, "open_table")->params[1].type;
	const struct ctype *color = typed_find(t, "named")->params[5].type;
	const struct ctype *wide = typed_find(t, "widest")->ret;

	cr_expect(flags->kind == CTYPE_ENUM && flags->is_flags && flags->n_values == 4);
	cr_expect(!flags->is_signed && flags->size == 4);
	cr_expect_str_eq(flags->values[1].name, "CREATE");
	cr_expect_eq(flags->values[1].value, 2);
	cr_expect(!color->is_flags && color->n_values == 3, "RED, GREEN, BLUE are no flags");
	cr_expect(wide->is_signed && !wide->is_flags && wide->values[0].value == -1);
}

static void check_kinds(struct typed *t)
{
	const struct function_type *f = typed_find(t, "ok");
	static const enum ctype_kind kinds[] = {CTYPE_BOOL, CTYPE_CHAR, CTYPE_CHAR, CTYPE_UINT,
						CTYPE_INT};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		cr_expect(f->params[i].type->kind == kinds[i] && f->params[i].type->size == 1, "%s",
			  f->params[i].name);
	f = typed_find(t, "many");
	cr_expect(f->ret->kind == CTYPE_UINT && f->ret->size == 8);
	cr_expect(f->params[7].type->kind == CTYPE_INT && f->params[7].type->size == 2);
}

static void check_compiler(const char *command)
{
	struct typed t _cleanup_(typed_release) = typed_compile("lib.so", c_source, command);
	const struct function_type *f = typed_find(&t, "open_table");

	check_c(&t, !strstr(command, "-O0"));
	check_members(&t);
	check_enums(&t);
	check_kinds(&t);
	cr_expect(strstr(f->file, "t.src") != NULL, "%s", f->file);
	cr_expect_gt(f->line, 10);
	cr_expect_eq(f, typed_find(&t, "open_table"), "found once");
}

Test(symbol_types, gcc_without_optimisation)
{
	check_compiler("gcc -x c -g -O0");
}

Test(symbol_types, gcc_optimised)
{
	check_compiler("gcc -x c -g -O2");
}

Test(symbol_types, gcc_dwarf_4_with_type_units)
{
	check_compiler("gcc -x c -gdwarf-4 -gstrict-dwarf -fdebug-types-section -O2");
}

/* Bit fields in the old form, counted from the top of a unit. */
Test(symbol_types, gcc_dwarf_2)
{
	check_compiler("gcc -x c -gdwarf-2 -gstrict-dwarf -O1");
}

Test(symbol_types, compressed)
{
	check_compiler("gcc -x c -g -gz=zlib -O2");
}

/* Clang makes no .debug_aranges, and says "short" and "_Complex double". */
Test(symbol_types, clang)
{
	for (int i = 0; i < 2; i++) {
		struct typed t _cleanup_(typed_release) = typed_compile(
			"clang.so", c_source, i ? "clang-14 -x c -g -O2" : "clang-14 -x c -g -O0");

		expect_function(&t, "open_table",
				"int open_table(const char * name@r0, enum flags flags@r1)");
		expect_function(&t, "by_value",
				"struct three@memory by_value(struct one a@r1, struct two b@two2, "
				"struct three c@s0, int d@r4)");
		expect_function(&t, "many",
				"size_t many(int a@r0, int b@r1, int c@r2, int d@r3, int e@r4, "
				"int f@r5, int g@s0, short h@s1, struct one i@s2)");
		check_members(&t);
		check_enums(&t);
	}
}
