/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Types of functions by the reader process: those that are read here, and bounded by what they say.
 */
#include "reader_help.h"
#include "symbol/reader_types.h"
#include "symbol/type_writer.h"
#include "symbol_types_help.h"

TestSuite(symbol_reader_types, .init = setup, .fini = teardown, .timeout = 120);

static const char c_source[] =
	"struct node { struct node *next; union { int a; long b; }; unsigned bits : 3; char s[8]; "
	"};\n"
	"typedef struct node node_t; enum color { RED, GREEN = 5 };\n"
	"__attribute__((noinline)) int walk(const node_t *n, enum color c, double d, node_t v)\n"
	"{ return n->a + c + (int)d + v.a; }\n"
	"__attribute__((noinline)) long double far(long double x, ...) { return x; }\n"
	"__attribute__((noinline)) void none(void) { __asm__(\"\"); }\n";

static const char cpp_source[] =
	"#include <map>\n#include <string>\n#include <vector>\n"
	"struct base { virtual ~base() {} int id; }; struct derived : base { std::string name; };\n"
	"std::size_t take(const derived &d, std::map<std::string, std::vector<int>> m,\n"
	"  std::string by_value) { return d.name.size() + m.size() + by_value.size(); }\n"
	"std::string give(const char *s) { return s; }\n";

static void write_type(const struct ctype *t, int depth, unsigned *budget, struct strbuf *out)
{
	if (*budget == 0 || depth == 0)
		return;
	--*budget;
	ctype_complete(t);
	strbuf_printf(out, "%s:%d:%d%d:%llu:%llu:%d", t->name, t->kind, t->is_signed, t->is_flags,
		      (unsigned long long)t->size, (unsigned long long)t->count, t->abi);
	for (size_t i = 0; i < t->n_values; i++)
		strbuf_printf(out, " %s=%lld", t->values[i].name, (long long)t->values[i].value);
	if (t->target) {
		strbuf_puts(out, " -> ");
		write_type(t->target, depth - 1, budget, out);
	}
	for (size_t i = 0; i < t->n_members; i++) {
		const struct ctype_member *m = &t->members[i];

		strbuf_printf(out, " {%s@%u.%u.%u ", m->name, m->offset, m->shift, m->bits);
		write_type(m->type, depth - 1, budget, out);
		strbuf_puts(out, "}");
	}
}

static void write_function(const struct function_type *f, struct strbuf *out)
{
	unsigned budget = 400;

	strbuf_reset(out);
	strbuf_printf(out, "%s %s:%u %d%d%d\n", f->name, f->file, f->line, f->is_variadic,
		      f->ret_in_float, f->ret_in_memory);
	write_type(f->ret, 5, &budget, out);
	for (size_t i = 0; i < f->n_params; i++) {
		strbuf_printf(out, "\n%s %d %u ", f->params[i].name, f->params[i].place,
			      f->params[i].reg);
		write_type(f->params[i].type, 5, &budget, out);
	}
}

struct compared {
	struct function_types *here;
	struct reader_types *there;
	size_t every, seen, n, with_members;
};

static int compare_function(const struct symbol *symbol, void *data)
{
	struct strbuf a _cleanup_(strbuf_release) = {}, b _cleanup_(strbuf_release) = {};
	const struct function_type *here = NULL, *there = NULL;
	struct compared *c = data;

	if (c->seen++ % c->every != 0)
		return 0;
	if (function_types_find(c->here, symbol->vaddr, &here) < 0) {
		cr_expect_lt(reader_types_find(c->there, symbol->vaddr, &there), 0);
		return 0;
	}
	cr_assert_eq(reader_types_find(c->there, symbol->vaddr, &there), 0, "%s", symbol->name);
	write_function(here, &a);
	write_function(there, &b);
	cr_assert_str_eq(a.data, b.data);
	c->n++;
	c->with_members += strchr(a.data, '{') != NULL;
	return 0;
}

/* All functions, or one of `every`; how many have types. */
static size_t compare(struct reader *r, const char *path, size_t every, size_t at_least_members)
{
	struct typed t _cleanup_(typed_release) = typed_open(path);
	struct reader_types *there _cleanup_(reader_types_freep) = NULL;
	int fd _cleanup_(closep) = open_file(path);
	struct compared c = {.here = t.types, .every = every};
	struct error e = {};

	cr_assert_eq(reader_types_open(r, fd, path, NULL, &e, &there), 0, "%s: %s", path,
		     e.message);
	c.there = there;
	symtab_each(t.symtab, compare_function, &c);
	cr_expect_null(reader_types_failure(there), "%s", reader_types_failure(there));
	cr_expect_geq(c.with_members, at_least_members, "%zu", c.with_members);
	return c.n;
}

static const char *build(const char *name, const char *source, const char *command)
{
	write_file(path_of("t.src"), source, strlen(source));
	run("%s -w -g -shared -fPIC -O1 -o %s/%s %s/t.src", command, dir, name, dir);
	return path_of(name);
}

Test(symbol_reader_types, types_are_those_read_here)
{
	struct reader *r _cleanup_(reader_freep) = new_reader();
	const char *c = build("c.so", c_source, "gcc -x c");
	const char *libc = "/lib/x86_64-linux-gnu/libc.so.6";

	cr_expect_eq(compare(r, c, 1, 1), 3);
	cr_expect_eq(compare(NULL, c, 1, 1), 3, "without a process, the same");
	cr_expect_eq(compare(r, build("c5.so", c_source, "clang -gdwarf-5 -x c"), 1, 1), 3);
	cr_expect_eq(compare(r,
			     build("c4.so", c_source, "gcc -gdwarf-4 -fdebug-types-section -x c"),
			     1, 1),
		     3);
	cr_expect_geq(compare(r, build("cpp.so", cpp_source, "g++ -x c++"), 1, 2), 2);
	/* By its debug file, which the tests have installed. */
	if (access("/usr/lib/debug/.build-id", R_OK) == 0)
		cr_expect_geq(compare(r, libc, 40, 1), 10);
}

/* Many functions are one question. */
Test(symbol_reader_types, are_fetched_at_once)
{
	struct reader *r _cleanup_(reader_freep) = new_reader();
	const char *path = build("c.so", c_source, "gcc -x c");
	struct typed t _cleanup_(typed_release) = typed_open(path);
	uint64_t vaddrs[] = {find(t.symtab, "walk").found.vaddr, 12345,
			     find(t.symtab, "far").found.vaddr};
	struct reader_types *types _cleanup_(reader_types_freep) = NULL;
	const struct function_type *f, *again;
	int fd _cleanup_(closep) = open_file(path);

	cr_assert_eq(reader_types_open(r, fd, path, NULL, NULL, &types), 0);
	reader_types_fetch(types, vaddrs, ARRAY_SIZE(vaddrs));
	/* Nothing can be asked any more, but of what is there. */
	close(fd);
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	cr_assert_eq(reader_types_find(types, vaddrs[0], &f), 0);
	cr_expect_str_eq(f->name, "walk");
	cr_expect_eq(reader_types_find(types, vaddrs[1], &again), -ENOENT);
	cr_assert_eq(reader_types_find(types, vaddrs[0], &again), 0);
	cr_expect_eq(f, again);
	/* What was kept open is known by the question, not by the descriptor. */
	cr_expect_eq(ctype_complete(f->params[0].type->target)->n_members, 4);
}

Test(symbol_reader_types, none)
{
	struct reader *r _cleanup_(reader_freep) = new_reader();
	const char *path = compile("a", "-s");
	struct reader_types *types = NULL;
	int fd _cleanup_(closep) = open_file(path);
	struct error e = {};

	cr_expect_eq(reader_types_open(r, fd, path, "/nonexistent", &e, &types), -ENODATA);
	cr_expect_eq(reader_types_open(NULL, fd, path, "/nonexistent", &e, &types), -ENODATA);
}

Test(symbol_reader_types, hostile_readers)
{
	static const char *const contents[][2] = {
		{"@segv", "killed by a bad memory access while reading FILE."},
		{"@exit", "ended by itself (status 7) while reading FILE."},
		{"@junk", "nonsense and was killed while reading FILE."},
		{"@empty", "nonsense and was killed while reading FILE."},
		{"@keep", "writable and was killed while reading FILE."},
	};
	struct reader *r _cleanup_(reader_freep) = new_hostile();

	for (size_t i = 0; i < ARRAY_SIZE(contents); i++) {
		struct reader_types *types _cleanup_(reader_types_freep) = NULL;
		const struct function_type *f;
		struct reader_failure failure;
		int fd _cleanup_(closep) = -EBADF;

		write_file(path_of("f"), contents[i][0], strlen(contents[i][0]));
		fd = open_file(path_of("f"));
		cr_assert_eq(reader_types_open(r, fd, "FILE", NULL, NULL, &types), 0);
		cr_expect_eq(reader_types_find(types, 4711, &f), -ENOENT);
		cr_assert_not_null(reader_types_failure(types));
		cr_expect(strstr(reader_types_failure(types), contents[i][1]), "%s: %s",
			  contents[i][0], reader_types_failure(types));
		cr_assert_eq(reader_failures(r, &failure, 1), 1);
		cr_expect_str_eq(failure.reason, reader_types_failure(types));
		cr_assert_eq(unlink(path_of("f")), 0);
	}
}

/* An image of walk() and of struct node, in a memfd. */
static int make_image(struct function_types *types, uint64_t vaddr)
{
	const struct function_type *f;
	struct type_key key;
	int fd = memfd_create("types", MFD_CLOEXEC);

	cr_assert_eq(function_types_find(types, vaddr, &f), 0);
	cr_assert(function_types_key(types, f->params[0].type->target, &key));
	cr_assert_eq(type_image_write(types, &vaddr, 1, &key, 1, fd), 0);
	return fd;
}

/* What a liar may write over it. */
enum lie {
	LIE_VERSION,
	LIE_COUNT,
	LIE_KIND,
	LIE_FORWARD,
	LIE_SELF,
	LIE_NAME,
	LIE_ARRAY,
	LIE_VALUES,
	LIE_PLACE,
	LIE_REGISTER,
	LIE_PARAMS,
	LIE_RET,
	LIE_MEMBER,
	LIE_BITS,
	LIE_STRINGS,
	LIES
};

static void tell(enum lie lie, uint8_t *data, size_t size)
{
	struct type_image_header *h = (void *)data;
	struct flat_type *types = (void *)(h + 1);
	struct flat_value *values = (void *)(types + h->n_types);
	struct flat_function *functions = (void *)(values + h->n_values);
	struct flat_struct *structs = (void *)(functions + h->n_functions);
	struct flat_param *params = (void *)(structs + h->n_structs);
	struct flat_member *members = (void *)(params + h->n_params);
	struct flat_type *pointer = types;

	while (pointer->kind != CTYPE_POINTER)
		pointer++;
	switch (lie) {
	case LIE_VERSION:
		h->version++;
		return;
	case LIE_COUNT:
		h->n_types++;
		return;
	case LIE_KIND:
		types[0].kind = CTYPE_UNKNOWN + 1;
		return;
	case LIE_FORWARD:
		pointer->target = (uint32_t)(pointer - types) + 2;
		return;
	case LIE_SELF:
		pointer->target = (uint32_t)(pointer - types) + 1;
		return;
	case LIE_NAME:
		types[0].name = (uint32_t)h->strings_size;
		return;
	case LIE_ARRAY:
		pointer->kind = CTYPE_ARRAY;
		pointer->target = 0;
		return;
	case LIE_VALUES:
		types[0].first_value = UINT32_MAX;
		return;
	case LIE_PLACE:
		params[0].place = PARAM_IN_NOTE;
		return;
	case LIE_REGISTER:
		params[0].place = PARAM_SPREAD;
		params[0].reg = UINT32_MAX;
		return;
	case LIE_PARAMS:
		functions[0].n_params++;
		return;
	case LIE_RET:
		functions[0].ret = h->n_types;
		return;
	case LIE_MEMBER:
		members[0].type = h->n_types;
		return;
	case LIE_BITS:
		members[0].bits = 200;
		return;
	case LIE_STRINGS:
		data[size - 1] = 'x';
		return;
	case LIES:
		return;
	}
}

Test(symbol_reader_types, lies_are_refused)
{
	const char *path = build("c.so", c_source, "gcc -x c");
	struct typed t _cleanup_(typed_release) = typed_open(path);
	int fd _cleanup_(closep) = make_image(t.types, find(t.symtab, "walk").found.vaddr);
	size_t size = (size_t)lseek(fd, 0, SEEK_END);
	uint8_t *good _cleanup_(freep) = malloc(size), *bad _cleanup_(freep) = malloc(size);

	cr_assert_eq(pread(fd, good, size, 0), size);
	for (int lie = 0; lie <= LIES; lie++) {
		struct type_image *image _cleanup_(type_image_freep) = NULL;
		int other _cleanup_(closep) = memfd_create("lie", MFD_CLOEXEC);

		memcpy(bad, good, size);
		tell(lie, bad, size);
		cr_assert_eq(write_fully(other, bad, size), 0);
		cr_expect_eq(type_image_open(other, 1, 1, NULL, &image), lie == LIES ? 0 : -EBADMSG,
			     "lie %d", lie);
		cr_expect_eq(type_image_open(other, 2, 1, NULL, &image), -EBADMSG);
	}
	for (size_t len = 0; len < size; len += 7) {
		struct type_image *image = NULL;
		int other _cleanup_(closep) = memfd_create("short", MFD_CLOEXEC);

		cr_assert_eq(write_fully(other, good, len), 0);
		cr_expect_eq(type_image_open(other, 1, 1, NULL, &image), -EBADMSG);
	}
}
