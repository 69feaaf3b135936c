/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of signatures share: references from text, and the kernel side's reading played.
 */
#ifndef SONDE_TEST_PROBE_SIGNATURE_HELP_H
#define SONDE_TEST_PROBE_SIGNATURE_HELP_H

#include "probe/signature.h"
#include "symbol_types_help.h"

struct test_ref {
	struct expr_ref ref;
	struct expr_step steps[16];
	char text[256], names[256];
};

/* "args.req->headers[2].len", "str(arg1)", "ret": well-formed ones only. */
static inline struct expr_ref *ref_of(struct test_ref *r, const char *text)
{
	char *p;
	size_t n = 0;

	*r = (struct test_ref){.ref = {.column = 1, .steps = r->steps, .text = r->text}};
	for (const char *s = text; *s && n < sizeof(r->text) - 1; s++) {
		bool arrow = s[0] == '-' && s[1] == '>';

		r->text[n++] = arrow ? '.' : *s;
		s += arrow;
	}
	p = r->names;
	strcpy(p, r->text);
	if (startswith(p, "str(")) {
		r->ref.str = true;
		p += 4;
		p[strlen(p) - 1] = '\0';
	}
	if (startswith(p, "buf(")) {
		char *length = strrchr(p, ',');

		r->ref.str = r->ref.buf = true;
		p += 4;
		p[strlen(p) - 1] = '\0';
		*length++ = '\0';
		if (startswith(length, "args."))
			r->ref.length_name = length + 5;
		else if (startswith(length, "arg"))
			r->ref.length_reg = (uint32_t)atoi(length + 3);
		else
			r->ref.length = (uint32_t)atoi(length);
	}
	if (startswith(p, "ret")) {
		r->ref.kind = EXPR_REF_RET;
	} else if (startswith(p, "args.")) {
		r->ref.kind = EXPR_REF_ARG;
		p += 4;
		while (*p) {
			struct expr_step *step = &r->steps[r->ref.n_steps++];
			char kind = *p;

			*p++ = '\0';
			if (kind == '[')
				step->index = strtoull(p, &p, 0), p++;
			else
				step->member = p, p += strcspn(p, ".[");
		}
	} else {
		r->ref.kind = EXPR_REF_REG;
		r->ref.index = (uint32_t)atoi(p + 3);
	}
	return &r->ref;
}

static inline int bind_text(struct signature *s, const char *text, struct expr_binding *ret,
			    struct error *e)
{
	struct test_ref r;

	return signature_bind(s, ref_of(&r, text), ret, e);
}

static inline void expect_refused(struct signature *s, const char *text, const char *message)
{
	struct expr_binding b;
	struct error e = {};

	cr_expect_lt(bind_text(s, text, &b, &e), 0, "%s was accepted", text);
	cr_expect(strstr(e.message, message) != NULL, "%s: %s\nwithout: %s", text, e.message,
		  message);
}

static inline struct expr_binding bound_to(struct signature *s, const char *text)
{
	struct expr_binding b = {};
	struct error e = {};

	cr_expect_eq(bind_text(s, text, &b, &e), 0, "%s: %s", text, e.message);
	return b;
}

static inline struct signature *signature_of(const struct function_type *f)
{
	struct signature *s = NULL;

	cr_assert_not_null(f);
	cr_assert_eq(signature_new(f, 0, NULL, 0, &s), 0);
	return s;
}

/* Reads one value as the kernel side does, in this process. words: registers, then the stack. */
static inline void play_fetch(const struct fetch *f, const uint64_t *words, uint8_t *values)
{
	uint64_t v = words[f->arg];
	struct record_text *text = (struct record_text *)(values + f->slot);

	for (size_t i = 0; i < f->n_steps; i++) {
		v += (uint64_t)(int64_t)f->steps[i];
		if (i + 1 < f->n_steps)
			memcpy(&v, (void *)v, sizeof(v));
	}
	if (f->kind == FETCH_TEXT) {
		if (f->flags & FETCH_POINTER)
			memcpy(&v, (void *)v, sizeof(v));
		text->len = (uint32_t)strnlen((char *)v, f->room);
		memcpy(text->text, (char *)v, text->len);
		return;
	}
	if (f->n_steps > 0) {
		uint64_t at = v;

		v = 0;
		memcpy(&v, (void *)at, f->size);
	} else if (f->size < 8) {
		v &= (1ULL << (8 * f->size)) - 1;
	}
	if (f->bits > 0 && f->bits < 64) {
		v = v >> f->shift & ((1ULL << f->bits) - 1);
		if ((f->flags & FETCH_SIGNED) && v >> (f->bits - 1))
			v |= ~0ULL << f->bits;
	} else if ((f->flags & FETCH_SIGNED) && f->size < 8 && v >> (8 * f->size - 1)) {
		v |= ~0ULL << (8 * f->size);
	}
	memcpy(values + f->slot, &v, sizeof(v));
}

struct played {
	uint64_t words[FETCH_MAX_ARGS];
	uint8_t values[RECORD_MAX_VALUES];
	uint64_t ret;
	uint32_t flags;
};

static inline struct call_values play(const struct signature *s, struct played *p)
{
	const struct fetch *f;
	size_t n;

	memset(p->values, 0, sizeof(p->values));
	f = signature_fetches(s, &n);
	for (size_t i = 0; i < n; i++)
		play_fetch(&f[i], p->words, p->values);
	return (struct call_values){
		.args = p->words,
		.values = p->values,
		.values_len = signature_values_len(s),
		.valid = UINT64_MAX,
		.ret = p->ret,
		.flags = p->flags | SPAN_ARGS | SPAN_VALUES,
	};
}

/* "name="orders", flags=RDONLY = -2 (ENOENT)" */
static inline const char *shown(const struct signature *s, const struct call_values *v)
{
	static struct strbuf out;

	strbuf_reset(&out);
	signature_print_args(s, v, &out);
	strbuf_puts(&out, " = ");
	signature_print_result(s, v, &out);
	return out.data;
}

#define expect_shown(s, v, text) cr_expect_str_eq(shown(s, v), text, "%s", shown(s, v))

/* What is written down and read again is the same. */
static inline struct signature *through_text(const struct signature *s)
{
	char *text _cleanup_(freep) = signature_encode(s);
	char *again _cleanup_(freep) = NULL;
	struct signature *copy = NULL;

	cr_assert_not_null(text);
	cr_assert_eq(signature_decode(text, &copy), 0, "%s", text);
	again = signature_encode(copy);
	cr_expect_str_eq(text, again);
	return copy;
}

#endif
