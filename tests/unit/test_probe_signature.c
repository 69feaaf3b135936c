/* SPDX-License-Identifier: GPL-2.0-or-later */
/* References bound in functions that are compiled here, and their values read as in the kernel. */
#include "probe_signature_help.h"

TestSuite(probe_signature, .init = setup, .fini = teardown, .timeout = 120);

/* Compiled both here, to fill in values, and by the test, to have its DWARF. */
#define TYPES                                                                                      \
	struct header {                                                                            \
		unsigned short kind;                                                               \
		signed char delta;                                                                 \
		int len;                                                                           \
		char name[12];                                                                     \
		const char *text;                                                                  \
	};                                                                                         \
	enum color { RED, GREEN, BLUE };                                                           \
	enum flags { RDONLY = 1, CREATE = 2, TRUNC = 4 };                                          \
	struct request {                                                                           \
		long id;                                                                           \
		struct header *headers;                                                            \
		struct header inner[3];                                                            \
		union {                                                                            \
			int a;                                                                     \
			float b;                                                                   \
		};                                                                                 \
		unsigned lo : 3, mid : 7;                                                          \
		signed neg : 5;                                                                    \
		_Bool on : 1;                                                                      \
		struct request *next;                                                              \
		int matrix[2][3];                                                                  \
		enum color color;                                                                  \
		double weight;                                                                     \
		char *argv[4];                                                                     \
		unsigned char raw[4];                                                              \
	};                                                                                         \
	struct pair {                                                                              \
		long a;                                                                            \
		short b;                                                                           \
		signed char c;                                                                     \
		struct header *h;                                                                  \
	};                                                                                         \
	struct two {                                                                               \
		int x, y;                                                                          \
		struct header *h;                                                                  \
	};
#define STRINGIFY(...) #__VA_ARGS__
#define SOURCE_OF(x)   STRINGIFY(x)
TYPES

static const char source[] = SOURCE_OF(
	TYPES) "\n"
	       "#include <stddef.h>\n#include <stdint.h>\n"
	       "#define N __attribute__((noinline, noipa))\n extern int use(const void *, ...);\n"
	       "N int handle(struct request *req, const char *name, size_t n, int fd, _Bool ok, "
	       "char c)\n"
	       "{ return use(req, name, n, fd, ok, c); }\n"
	       "N unsigned char last(int a, int b, int c, int d, int e, int f, short g, const char "
	       "*h,\n"
	       " struct pair p, struct request *q) { return use(h, a, b, c, d, e, f, g, p, q); }\n"
	       "N enum color values(struct two t, enum color color, enum flags flags, uint8_t "
	       "small, void *p)\n"
	       "{ return use(p, t, color, flags, small); }\n"
	       "N double odd(double x, struct opaque *o, int (*cb)(int), __int128 wide)\n"
	       "{ return use(o, x, cb, wide); }\n"
	       "N void secret(const char *user, const char *password, struct request *r, int n)\n"
	       "{ use(user, password, r, n); }\n"
	       "N char *text(void) { use(0); return 0; }\n";

static struct typed lib;

static const struct function_type *function(const char *name)
{
	lib = typed_compile("lib.so", source, "gcc -x c -g -O0");
	return typed_find(&lib, name);
}

static struct request fill(struct header headers[static 4], struct request *next)
{
	static char first[] = "first", second[] = "second \"quoted\"";
	struct request r = {.id = -7,
			    .headers = headers,
			    .a = -40,
			    .lo = 5,
			    .mid = 99,
			    .neg = -3,
			    .on = 1,
			    .next = next,
			    .color = BLUE,
			    .weight = 2.5};

	r.argv[0] = first;
	r.argv[1] = second;
	r.matrix[1][2] = -123;
	r.inner[1].delta = -2;
	r.raw[3] = 200;
	strcpy(r.inner[2].name, "eleven_char");
	headers[2].len = 4711;
	headers[3].text = "third";
	return r;
}

static void expect_number(struct signature *s, struct played *p, const char *ref, int64_t number)
{
	struct expr_binding b = bound_to(s, ref);
	struct call_values v = play(s, p);
	int64_t value = 0;

	cr_assert(b.place == EXPR_IN_VALUES && b.slot % 8 == 0 && b.size == 8, "%s", ref);
	memcpy(&value, v.values + b.slot, sizeof(value));
	cr_expect_eq(value, number, "%s: %lld", ref, (long long)value);
}

Test(probe_signature, members_behind_pointers)
{
	struct signature *s _cleanup_(signature_freep) = signature_of(function("handle"));
	struct header headers[4] = {}, more[4] = {};
	struct request second = fill(more, NULL), r = fill(headers, &second);
	struct played p = {.words = {(uint64_t)&r}};
	struct expr_binding b;

	expect_number(s, &p, "args.req->headers[2].len", 4711);
	expect_number(s, &p, "args.req.a", -40);
	expect_number(s, &p, "args.req.lo", 5);
	expect_number(s, &p, "args.req.mid", 99);
	expect_number(s, &p, "args.req.neg", -3);
	expect_number(s, &p, "args.req.on", 1);
	expect_number(s, &p, "args.req.matrix[1][2]", -123);
	expect_number(s, &p, "args.req.inner[1].delta", -2);
	expect_number(s, &p, "args.req.raw[3]", 200);
	expect_number(s, &p, "args.req.next.id", -7);
	expect_number(s, &p, "args.req.next.headers[2].len", 4711);
	expect_number(s, &p, "args.req[0].id", -7);
	b = bound_to(s, "args.req.color");
	cr_assert(b.kind == EXPR_UINT && b.n_names == 3);
	cr_expect_str_eq(b.names[2].name, "BLUE");
	cr_expect_eq(bound_to(s, "args.req.headers").kind, EXPR_POINTER);
	cr_expect_eq(bound_to(s, "args.req.on").kind, EXPR_BOOL);
	cr_expect_eq(bound_to(s, "args.req.id").kind, EXPR_INT);
	cr_expect_eq(signature_needed_args(s), 1);
	signature_free(through_text(s));
	typed_release(&lib);
}

Test(probe_signature, registers_by_their_size)
{
	struct signature *s _cleanup_(signature_freep) = signature_of(function("handle"));
	struct expr_binding b = bound_to(s, "args.fd");

	cr_expect(b.kind == EXPR_INT && b.place == EXPR_IN_ARG && b.index == 3 && b.size == 4 &&
		  b.is_signed);
	b = bound_to(s, "arg3");
	cr_expect(b.kind == EXPR_INT && b.place == EXPR_IN_ARG && b.index == 3 && b.size == 4);
	b = bound_to(s, "args.n");
	cr_expect(b.kind == EXPR_UINT && b.size == 8 && !b.is_signed);
	b = bound_to(s, "args.ok");
	cr_expect(b.kind == EXPR_BOOL && b.size == 1);
	b = bound_to(s, "args.name");
	cr_expect(b.kind == EXPR_POINTER && b.place == EXPR_IN_ARG && b.index == 1);
	b = bound_to(s, "ret");
	cr_expect(b.kind == EXPR_INT && b.place == EXPR_IN_RET && b.size == 4 && !b.guess_int);
	cr_expect_eq(signature_values_len(s), 0, "nothing is captured for that");
	cr_expect_eq(signature_needed_args(s), 0x1e);
	typed_release(&lib);
}

Test(probe_signature, text)
{
	struct signature *s _cleanup_(signature_freep) = signature_of(function("handle"));
	struct header headers[4] = {};
	struct request r = fill(headers, NULL);
	struct played p = {.words = {(uint64_t)&r, (uint64_t) "orders"}};
	struct call_values v;
	struct expr_binding b = bound_to(s, "str(args.name)");

	cr_expect(b.kind == EXPR_STRING && b.place == EXPR_IN_VALUES && b.room == 64);
	cr_expect_eq(bound_to(s, "args.req.inner[2].name").room, 12);
	bound_to(s, "str(args.req.argv[1])");
	bound_to(s, "str(args.req.headers[3].text)");
	v = play(s, &p);
	v.flags &= ~(uint32_t)SPAN_ARGS;
	expect_shown(s, &v,
		     "name=\"orders\", req.inner[2].name=\"eleven_char\", "
		     "req.argv[1]=\"second \\\"quoted\\\"\", req.headers[3].text=\"third\" = 0");
	typed_release(&lib);
}

Test(probe_signature, on_the_stack_and_by_value)
{
	struct signature *s _cleanup_(signature_freep) = signature_of(function("last"));
	struct signature *two _cleanup_(signature_freep) = NULL;
	struct header headers[4] = {};
	struct request r = fill(headers, NULL);
	struct pair pair = {.a = -5, .b = -6, .c = -7, .h = &headers[2]};
	struct two t = {.x = -1, .y = -2, .h = headers};
	struct played p = {};

	p.words[RECORD_ARGS] = 0xdeadbeef0000fffe; /* the rest of a short's word is anything */
	p.words[RECORD_ARGS + 1] = (uint64_t) "on the stack";
	memcpy(&p.words[RECORD_ARGS + 2], &pair, sizeof(pair));
	p.words[RECORD_ARGS + 5] = (uint64_t)&r;
	expect_number(s, &p, "args.g", -2);
	expect_number(s, &p, "args.p.a", -5);
	expect_number(s, &p, "args.p.b", -6);
	expect_number(s, &p, "args.p.c", -7);
	expect_number(s, &p, "args.p.h.len", 4711);
	expect_number(s, &p, "args.q.headers[2].len", 4711);
	cr_expect_eq(bound_to(s, "str(args.h)").kind, EXPR_STRING);
	cr_expect_eq(signature_needed_args(s), 0, "none is in a register");

	two = signature_of(typed_find(&lib, "values"));
	memcpy(p.words, &t, sizeof(t));
	expect_number(two, &p, "args.t.x", -1);
	expect_number(two, &p, "args.t.y", -2);
	expect_number(two, &p, "args.t.h[2].len", 4711);
	cr_expect_eq(signature_needed_args(two), 3);
	typed_release(&lib);
}

Test(probe_signature, says_what_cannot_be_had)
{
	struct signature *s _cleanup_(signature_freep) = signature_of(function("handle"));
	struct signature *odd _cleanup_(signature_freep) = signature_of(typed_find(&lib, "odd"));
	struct signature *none _cleanup_(signature_freep) =
		signature_of(typed_find(&lib, "secret"));
	struct signature *plain _cleanup_(signature_freep) = NULL;
	struct signature *lost _cleanup_(signature_freep) = NULL;

	expect_refused(s, "args.nam",
		       "the function has no argument nam; it has req, name, n, fd, ok, c");
	expect_refused(s, "args.req.nothing",
		       "struct request has no member nothing; it has id, "
		       "headers, inner, a, b, lo");
	expect_refused(s, "args.fd.x", "int has no members");
	expect_refused(s, "args.fd[1]", "int has no elements");
	expect_refused(s, "args.req.inner[3].len", "struct header [3] has no element 3");
	expect_refused(s, "args.req.inner[0]",
		       "is a struct header; name one of its members: kind, "
		       "delta");
	expect_refused(s, "args.req.matrix[1]",
		       "is an array, int [3]; write args.req.matrix[1][0]");
	expect_refused(s, "str(args.fd)", "is no text but int");
	expect_refused(s, "str(args.req)", "is no text but struct request *");
	expect_refused(s, "buf(args.fd,4)", "is no pointer or array but int");
	expect_refused(s, "buf(args.name,args.nam)", "the function has no argument nam");
	expect_refused(s, "buf(args.name,args.req)", "req (struct request *) is no length");
	expect_refused(s, "str(ret)", "what ret points to is not captured");
	expect_refused(s, "arg7", "there are arg0 ... arg5");
	expect_refused(s, "args.req.next.next.next.next.next.next.next.id", "more than 6 pointers");
	expect_refused(s, "args.req.weight", "floating-point");
	expect_refused(odd, "args.x",
		       "x (double) is passed in a vector register, and a probe cannot "
		       "read those on x86-64");
	expect_refused(odd, "args.o.x", "does not say what is in struct opaque");
	expect_refused(odd, "args.wide", "no number of up to 64 bits");
	expect_refused(odd, "ret", "the result (double) comes in a vector register");
	expect_refused(none, "ret", "the function returns nothing");
	cr_assert_eq(signature_new(NULL, 0, NULL, 0, &plain), 0);
	expect_refused(plain, "args.x", "no debug information");
	cr_expect(bound_to(plain, "ret").guess_int);
	cr_expect_eq(bound_to(plain, "arg5").kind, EXPR_UINT);
	cr_expect_eq(bound_to(plain, "str(arg1)").kind, EXPR_STRING);
	cr_assert_eq(signature_new(typed_find(&lib, "handle"), 1 << 3, NULL, 0, &lost), 0);
	expect_refused(lost, "args.fd", "fd is overwritten where the probe is placed");
	expect_refused(lost, "arg3", "overwritten");
	expect_refused(lost, "buf(args.name,args.fd)", "fd is overwritten");
	expect_refused(lost, "buf(arg1,arg3)", "overwritten");
	cr_expect_eq(signature_kept_args(lost), 0x3f & ~(1 << 3));
	typed_release(&lib);
}

Test(probe_signature, redacted)
{
	static const char *const redact[] = {"pass*", "headers", "arg5"};
	struct signature *s _cleanup_(signature_freep) = NULL;
	struct signature *plain _cleanup_(signature_freep) = NULL;
	struct signature *values _cleanup_(signature_freep) = NULL;
	static const char *const y[] = {"y"};
	struct header headers[4] = {};
	struct request r = fill(headers, NULL);
	struct played p = {.words = {(uint64_t) "ann", (uint64_t) "hunter2", 1, 5}};
	struct call_values v;

	cr_assert_eq(signature_new(function("secret"), 0, redact, 3, &s), 0);
	p.words[2] = (uint64_t)&r;
	expect_refused(s, "args.password", "password is redacted");
	expect_refused(s, "str(args.password)", "password is redacted");
	expect_refused(s, "args.password[0]", "password is redacted");
	expect_refused(s, "arg1", "arg1 is redacted");
	expect_refused(s, "str(arg1)", "arg1 is redacted");
	expect_refused(s, "args.r.headers[0].len", "headers is redacted");
	expect_refused(s, "arg5", "redacted");
	expect_refused(s, "arg4", "redacted");
	cr_expect_eq(signature_kept_args(s), 1 << 0 | 1 << 2 | 1 << 3);
	cr_expect_eq(signature_capture_strings(s, NULL), 0);
	cr_expect_eq(signature_needed_args(s), 1 << 0 | 1 << 2 | 1 << 3);
	v = play(s, &p);
	cr_expect(strstr(shown(s, &v), "user=\"ann\", password=[redacted], r=0x") != NULL, "%s",
		  shown(s, &v));
	cr_expect_null(memmem(p.values, sizeof(p.values), "hunter2", 7));
	/* A struct in registers is redacted with its member. */
	cr_assert_eq(signature_new(typed_find(&lib, "values"), 0, y, 1, &values), 0);
	cr_expect_eq(signature_kept_args(values) & 3, 0);
	cr_assert_eq(signature_new(NULL, 0, redact, 3, &plain), 0);
	cr_expect_eq(signature_kept_args(plain), 0x1f);
	typed_release(&lib);
}

/* A hostile file's class that is its own base, many times over: a search in it ends. */
Test(probe_signature, types_that_contain_themselves, .timeout = 120)
{
	static struct ctype_member members[4096];
	static const struct ctype nothing = {.kind = CTYPE_VOID, .name = "void"};
	struct ctype self = {.kind = CTYPE_STRUCT,
			     .name = "self",
			     .size = 8,
			     .members = members,
			     .n_members = ARRAY_SIZE(members)};
	struct ctype pointer = {
		.kind = CTYPE_POINTER, .name = "self *", .size = 8, .target = &self};
	struct function_param params[] = {{.name = "p", .type = &pointer},
					  {.name = "v", .type = &self, .reg = 1}};
	const struct function_type f = {
		.name = "f", .params = params, .n_params = 2, .ret = &nothing, .file = ""};
	static const char *const redact[] = {"secret"};
	struct signature *s _cleanup_(signature_freep) = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		members[i] = (struct ctype_member){.name = "", .type = &self};
	cr_assert_eq(signature_new(&f, 0, redact, 1, &s), 0);
	expect_refused(s, "args.p.x", "self has no member x; it has none");
	expect_refused(s, "args.v", "name one of its members: there are none");
}

Test(probe_signature, has_bounds)
{
	struct signature *s _cleanup_(signature_freep) = signature_of(function("handle"));
	struct error e = {};
	struct test_ref ref;
	char text[64];

	for (int i = 0; i < 3; i++) {
		snprintf(text, sizeof(text), "str(args.req.argv[%d])", i);
		cr_assert_eq(signature_capture(s, ref_of(&ref, text), &e), 0);
	}
	cr_expect_eq(signature_values_len(s), 3 * 72);
	cr_expect_eq(signature_capture(s, ref_of(&ref, "str(args.req.argv[3])"), &e), -E2BIG);
	cr_expect(strstr(e.message, "does not fit") != NULL, "%s", e.message);
	/* What is there already costs nothing, and what fits still fits. */
	cr_expect_eq(signature_capture(s, ref_of(&ref, "str(args.req.argv[0])"), NULL), 0);
	cr_expect_eq(signature_capture(s, ref_of(&ref, "args.req.id"), NULL), 0);
	signature_free(s);
	s = signature_of(typed_find(&lib, "handle"));
	for (int i = 0; i < RECORD_MAX_CAPTURES; i++) {
		snprintf(text, sizeof(text), "args.req.inner[%d].kind", i % 3);
		snprintf(text, sizeof(text), "args.req[%d].id", i);
		cr_assert_eq(signature_capture(s, ref_of(&ref, text), NULL), 0);
	}
	e = (struct error){};
	cr_expect_eq(signature_capture(s, ref_of(&ref, "args.req.a"), &e), -E2BIG);
	cr_expect_str_eq(e.message, "More than 16 values are captured of a call.");
	typed_release(&lib);
}

Test(probe_signature, frozen)
{
	struct signature *s _cleanup_(signature_freep) = signature_of(function("handle"));
	struct signature *copy _cleanup_(signature_freep) = NULL;
	struct expr_binding before = bound_to(s, "args.req.neg"), after;

	bound_to(s, "str(arg1)");
	signature_freeze(s);
	typed_release(&lib); /* nothing of it is needed any more */
	copy = through_text(s);
	cr_expect_eq(signature_needed_args(s), signature_needed_args(copy));
	after = bound_to(copy, "args.req->neg");
	cr_expect(before.slot == after.slot && before.kind == after.kind &&
		  before.index == after.index);
	cr_expect_eq(bound_to(copy, "args.fd").size, 4);
	cr_expect_eq(bound_to(copy, "str(arg1)").kind, EXPR_STRING);
	cr_expect_eq(bound_to(copy, "ret").size, 4);
	expect_refused(copy, "args.req.lo", "args.req.lo was not captured");
	expect_refused(s, "args.req.lo", "args.req.lo was not captured");
	expect_refused(copy, "str(args.name)", "was not captured");
	cr_expect_eq(signature_values_len(s), signature_values_len(copy));
	cr_expect_eq(signature_capture_strings(s, NULL), 0);
}
