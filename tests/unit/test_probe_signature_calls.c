/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random functions, called: the compiler puts the arguments where it does, an assembler stub writes
 * down registers and stack, and every member is read by the fetches made from the debug information
 * of a function of that type.
 */
#include <dlfcn.h>

#include "base_random.h"
#include "probe_signature_help.h"

TestSuite(probe_signature_calls, .init = setup, .fini = teardown, .timeout = 120);

enum { FUNCTIONS = 60, STRUCTS = 24, MEMBERS = 5, PARAMS = 9 };

static const struct scalar {
	const char *name;
	unsigned size;
	bool is_signed, is_float;
} scalars[] = {
	{"char", 1, true},
	{"unsigned char", 1},
	{"short", 2, true},
	{"unsigned short", 2},
	{"int", 4, true},
	{"unsigned", 4},
	{"long", 8, true},
	{"unsigned long", 8},
	{"_Bool", 1},
	{"float", 4, .is_float = true},
	{"double", 8, .is_float = true},
};

static struct {
	struct member {
		const struct scalar *type;
		unsigned bits;
	} members[MEMBERS];
	size_t n;
} structs[STRUCTS];

static struct param {
	const struct scalar *type; /* or */
	int structure;
	int64_t values[MEMBERS];
} params[FUNCTIONS][PARAMS];
static size_t n_params[FUNCTIONS];
static int results[FUNCTIONS]; /* of what structure; -1: int */

static const struct scalar *random_scalar(void)
{
	return &scalars[next_random() % ARRAY_SIZE(scalars)];
}

/* What a variable of the type and of so many bits can be, extended to 64 bits. */
static int64_t random_value(const struct scalar *t, unsigned bits)
{
	uint64_t v = next_random();
	unsigned unused = 64 - (bits ? bits : 8 * t->size);

	if (t->is_float)
		return (int64_t)(v % 100);
	if (streq(t->name, "_Bool"))
		return (int64_t)(v % 2);
	return t->is_signed ? (int64_t)(v << unused) >> unused : (int64_t)(v << unused >> unused);
}

static void write_structs(struct strbuf *out)
{
	for (size_t i = 0; i < STRUCTS; i++) {
		structs[i].n = next_random() % MEMBERS + 1;
		strbuf_printf(out, "struct s%zu {", i);
		for (size_t j = 0; j < structs[i].n; j++) {
			struct member *m = &structs[i].members[j];

			*m = (struct member){.type = random_scalar()};
			if (!m->type->is_float && next_random() % 4 == 0)
				m->bits =
					streq(m->type->name, "_Bool")
						? 1
						: (unsigned)(next_random() % (8 * m->type->size)) +
							  1;
			strbuf_printf(out, " %s m%zu", m->type->name, j);
			if (m->bits)
				strbuf_printf(out, " : %u", m->bits);
			strbuf_putc(out, ';');
		}
		strbuf_puts(out, " };\n");
	}
}

static void write_type(struct strbuf *out, const struct param *p)
{
	if (p->type)
		strbuf_puts(out, p->type->name);
	else
		strbuf_printf(out, "struct s%d", p->structure);
}

static void write_value(struct strbuf *out, const struct param *p)
{
	size_t n = p->type ? 1 : structs[p->structure].n;

	strbuf_putc(out, '(');
	write_type(out, p);
	strbuf_puts(out, p->type ? ")" : "){");
	for (size_t j = 0; j < n; j++)
		strbuf_printf(out, "%s%lldul", j ? ", " : "", (long long)p->values[j]);
	strbuf_puts(out, p->type ? "" : "}");
}

static void write_function(struct strbuf *out, size_t i)
{
	n_params[i] = next_random() % PARAMS + 1;
	results[i] = next_random() % 3 == 0 ? (int)(next_random() % STRUCTS) : -1;
	for (size_t j = 0; j < n_params[i]; j++) {
		struct param *p = &params[i][j];

		*p = (struct param){.structure = (int)(next_random() % STRUCTS)};
		if (next_random() % 3)
			p->type = random_scalar();
		for (size_t k = 0; k < MEMBERS; k++) {
			const struct member *m = &structs[p->structure].members[k];

			if (p->type || k < structs[p->structure].n)
				p->values[k] = random_value(p->type ? p->type : m->type,
							    p->type ? 0 : m->bits);
		}
	}
	for (int call = 0; call < 2; call++) {
		if (call) /* the address of the stub as a function of this type */
			strbuf_printf(out,
				      "void call%zu(void) { fn%zu *volatile f = (fn%zu *)hook; f(",
				      i, i, i);
		else if (results[i] < 0)
			strbuf_printf(out, "int f%zu(", i);
		else
			strbuf_printf(out, "struct s%d f%zu(", results[i], i);
		for (size_t j = 0; j < n_params[i]; j++) {
			strbuf_puts(out, j ? ", " : "");
			if (call) {
				write_value(out, &params[i][j]);
			} else {
				write_type(out, &params[i][j]);
				strbuf_printf(out, " p%zu", j);
			}
		}
		strbuf_puts(out, call ? "); }\n" : ") { __builtin_trap(); }\n");
		if (!call)
			strbuf_printf(out, "typedef __typeof__(f%zu) fn%zu;\n", i, i);
	}
}

static const char stub[] =
	"unsigned long captured[16];\nvoid hook(void);\n"
	"__asm__(\".text\\nhook: mov captured@GOTPCREL(%rip), %rax\\n mov %rdi, (%rax)\\n\"\n"
	"\" mov %rsi, 8(%rax)\\n mov %rdx, 16(%rax)\\n mov %rcx, 24(%rax)\\n mov %r8, "
	"32(%rax)\\n\"\n"
	"\" mov %r9, 40(%rax)\\n lea 48(%rax), %rdi\\n lea 8(%rsp), %rsi\\n mov $10, %ecx\\n\"\n"
	"\" rep movsq\\n ret\\n\");\n";

struct tally {
	int read, refused;
};

static void check_value(struct signature *s, const struct scalar *type, const char *text,
			int64_t expected, struct played *p, struct tally *tally)
{
	struct expr_binding b;
	struct error e = {};
	int64_t value = 0;

	if (bind_text(s, text, &b, &e) < 0) {
		/* What is not in an integer register or too far up, and nothing else. */
		cr_expect(strstr(e.message, "vector register") ||
				  strstr(e.message, "floating-point") ||
				  strstr(e.message, "too far up the stack"),
			  "%s: %s", text, e.message);
		tally->refused++;
		return;
	}
	if (b.place == EXPR_IN_ARG) {
		value = (int64_t)p->words[b.index];
		if (b.size < 8) {
			unsigned unused = 64 - 8u * b.size;

			value = b.is_signed ? (int64_t)((uint64_t)value << unused) >> unused
					    : (int64_t)((uint64_t)value << unused >> unused);
		}
	} else {
		const struct fetch *f;
		size_t n;

		f = signature_fetches(s, &n);
		play_fetch(&f[b.index], p->words, p->values);
		memcpy(&value, p->values + b.slot, sizeof(value));
	}
	cr_expect_eq(value, expected, "%s (%s): %lld instead of %lld", text, type->name,
		     (long long)value, (long long)expected);
	tally->read++;
}

static void check_call(struct typed *t, size_t i, struct played *p, struct tally *tally)
{
	char name[16], text[64];
	const struct function_type *f;

	snprintf(name, sizeof(name), "f%zu", i);
	f = typed_find(t, name);
	cr_assert_not_null(f);
	cr_assert_eq(f->n_params, n_params[i]);
	for (size_t j = 0; j < n_params[i]; j++) {
		const struct param *from = &params[i][j];
		/* One for each parameter, as a call has room for so many captures only. */
		struct signature *s _cleanup_(signature_freep) = signature_of(f);

		snprintf(text, sizeof(text), "args.p%zu", j);
		if (from->type)
			check_value(s, from->type, text, from->values[0], p, tally);
		for (size_t k = 0; !from->type && k < structs[from->structure].n; k++) {
			const struct scalar *type = structs[from->structure].members[k].type;

			if (type->is_float)
				continue;
			snprintf(text, sizeof(text), "args.p%zu.m%zu", j, k);
			check_value(s, type, text, from->values[k], p, tally);
		}
	}
}

Test(probe_signature_calls, read_what_was_passed)
{
	struct strbuf source _cleanup_(strbuf_release) = {};
	struct typed t _cleanup_(typed_release) = {};
	struct tally tally = {};
	uint64_t *captured;
	void *library;

	seed_rng();
	strbuf_puts(&source, stub);
	write_structs(&source);
	for (size_t i = 0; i < FUNCTIONS; i++)
		write_function(&source, i);
	t = typed_compile("calls.so", source.data,
			  next_random() % 2 ? "gcc -x c -g -O0" : "clang-14 -x c -g -O0");
	library = dlopen(path_of("calls.so"), RTLD_NOW);
	cr_assert_not_null(library, "%s", dlerror());
	captured = dlsym(library, "captured");
	for (size_t i = 0; i < FUNCTIONS; i++) {
		struct played p = {};
		char name[16];
		void (*call)(void);

		snprintf(name, sizeof(name), "call%zu", i);
		call = (void (*)(void))dlsym(library, name);
		cr_assert_not_null(call);
		call();
		memcpy(p.words, captured, sizeof(p.words));
		check_call(&t, i, &p, &tally);
	}
	fprintf(stderr, "%d values read, %d refused\n", tally.read, tally.refused);
	cr_expect_gt(tally.read, FUNCTIONS);
	cr_expect_gt(tally.refused, 0);
	dlclose(library);
}
