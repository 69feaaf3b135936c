/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Spans written in source code: what is shown and compared are their attributes. */
#include "probe/signature_value.h"

#include "sonde/base/attributes.h"

int signature_of_source(const char *category, struct signature **ret)
{
	struct signature *s _cleanup_(signature_freep) = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->is_frozen = true;
	s->category = strndup(category, SIGNATURE_NAME_MAX);
	if (!s->category)
		return -ENOMEM;
	*ret = TAKE_PTR(s);
	return 0;
}

const char *signature_category(const struct signature *s)
{
	return s ? s->category : NULL;
}

static bool next(const struct call_values *v, size_t *pos, struct attribute *ret)
{
	return v->flags & SPAN_VALUES && attributes_next(v->values, v->values_len, pos, ret);
}

void signature_source_print(const struct call_values *v, struct strbuf *out)
{
	const char *separator = "";
	struct attribute a;

	for (size_t pos = 0; next(v, &pos, &a); separator = ", ") {
		strbuf_puts(out, separator);
		sig_put_text(out, a.key, a.key_len, 0);
		strbuf_putc(out, '=');
		attribute_print_number(&a, out);
		if (a.type != ATTRIBUTE_TEXT)
			continue;
		strbuf_putc(out, '"');
		sig_put_text(out, a.text, a.text_len, '"');
		strbuf_putc(out, '"');
	}
}

void signature_source_each(const struct call_values *v,
			   void (*each)(void *arg, const char *name, const char *text), void *arg)
{
	struct strbuf key _cleanup_(strbuf_release) = {}, text _cleanup_(strbuf_release) = {};
	struct attribute a;

	for (size_t pos = 0; next(v, &pos, &a);) {
		strbuf_reset(&key);
		strbuf_reset(&text);
		strbuf_append(&key, a.key, strnlen(a.key, a.key_len));
		if (a.type == ATTRIBUTE_TEXT)
			strbuf_append(&text, a.text, strnlen(a.text, a.text_len));
		else
			attribute_print_number(&a, &text);
		if (strbuf_error(&key) == 0 && strbuf_error(&text) == 0)
			each(arg, key.data ? key.data : "", text.data ? text.data : "");
	}
}

void signature_source_result(const struct call_values *v, struct strbuf *out)
{
	if (!(v->flags & SPAN_ERROR) || v->flags & SPAN_UNWOUND || v->ret == 0)
		return;
	strbuf_printf(out, "%lld", (long long)v->ret);
	signature_put_errno(out, (int64_t)v->ret);
}

int signature_source_bind(const struct expr_ref *ref, struct expr_binding *ret, struct error *e)
{
	int r;

	if (ref->kind == EXPR_REF_RET && ref->n_steps == 0 && !ref->str) {
		*ret = (struct expr_binding){.kind = EXPR_INT,
					     .place = EXPR_IN_RET,
					     .size = 8,
					     .is_signed = true,
					     .type = "code of the error"};
		return 0;
	}
	r = signature_refuse(e, ref, "spans written in source code have no `%s`", ref->text);
	error_fix(e, "write `attr.KEY` for an attribute of a span");
	return r;
}
