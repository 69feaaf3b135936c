/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/signature_value.h"

/* What is shown of one call: a name and a value at a time. */
struct show {
	const struct signature *s;
	const struct call_values *v;
	bool quoted;	    /* text with quotes and escapes, else as it is */
	struct strbuf name; /* of the value at hand */
	struct strbuf value;
	void (*each)(struct show *show);
	/* of signature_print_args(): where it goes; of signature_each(): who is told */
	struct strbuf *out;
	void (*told)(void *arg, const char *name, const char *text);
	void *arg;
	bool is_first;
};

static void emit(struct show *show, const char *name)
{
	strbuf_reset(&show->name);
	sig_put_text(&show->name, name, strlen(name), 0);
	show->each(show);
	show->is_first = false;
	strbuf_reset(&show->value);
}

static bool has_args(const struct call_values *v)
{
	return v->args && (v->flags & SPAN_ARGS);
}

static bool has_values(const struct call_values *v)
{
	return v->values && (v->flags & SPAN_VALUES);
}

/* The bytes of a capture's value, which records from anywhere may cut off. */
static const uint8_t *captured(const struct show *show, size_t i, size_t size)
{
	const struct call_values *v = show->v;
	size_t slot = show->s->fetches[i].slot;

	if (!has_values(v) || !(v->valid & (1ULL << i)) || slot > v->values_len ||
	    size > v->values_len - slot)
		return NULL;
	return v->values + slot;
}

static bool put_captured_text(struct show *show, size_t i)
{
	const struct fetch *f = &show->s->fetches[i];
	const uint8_t *at = captured(show, i, sizeof(struct record_text));
	const char *text;
	uint32_t len;
	size_t there;

	if (!at)
		return false;
	memcpy(&len, at, sizeof(len));
	there = show->v->values_len - f->slot - sizeof(len);
	len = MIN(len, (uint32_t)MIN(there, f->room));
	text = (const char *)at + sizeof(len);
	if (show->quoted) {
		strbuf_putc(&show->value, '"');
		sig_put_text(&show->value, text, len, '"');
		strbuf_putc(&show->value, '"');
	} else if (f->kind == FETCH_BUFFER) {
		sig_put_text(&show->value, text, len, '\\');
	} else {
		strbuf_append(&show->value, text, strnlen(text, len));
	}
	/* Of a pointer: an array of characters is whole, and so is what has the length asked for.
	 */
	if (len >= f->room && f->room == SIGNATURE_TEXT_ROOM &&
	    (f->kind == FETCH_TEXT || f->flags & FETCH_LENGTH_ARG))
		strbuf_puts(&show->value, "…");
	return true;
}

static bool put_capture(struct show *show, size_t i)
{
	uint64_t number;
	const uint8_t *at;

	if (show->s->fetches[i].kind != FETCH_NUMBER)
		return put_captured_text(show, i);
	at = captured(show, i, sizeof(number));
	if (!at)
		return false;
	memcpy(&number, at, sizeof(number));
	sig_put_number(&show->value, &show->s->captures[i].type, number);
	return true;
}

/* The capture of the parameter itself: of its text or, as it is on the stack, its value. */
static int capture_of(const struct signature *s, const char *prefix, const char *name)
{
	char text[SIGNATURE_CAPTURE_MAX + 1];
	int found;

	snprintf(text, sizeof(text), "str(%s%s)", prefix, name);
	found = signature_find_capture(s, text);
	if (found >= 0)
		return found;
	snprintf(text, sizeof(text), "buf(%s%s,", prefix, name);
	for (size_t i = 0; i < s->n_captures; i++)
		if (startswith(s->captures[i].text, text))
			return (int)i;
	snprintf(text, sizeof(text), "%s%s", prefix, name);
	return signature_find_capture(s, text);
}

static bool is_kept(const struct signature *s, uint32_t reg)
{
	return signature_kept_args(s) & (1u << reg);
}

static void show_param(struct show *show, const struct sig_param *p)
{
	int capture = has_values(show->v) ? capture_of(show->s, "args.", p->name) : -1;

	if (p->is_redacted && (has_args(show->v) || capture >= 0)) {
		strbuf_puts(&show->value, "[redacted]");
	} else if (capture >= 0 && put_capture(show, (size_t)capture)) {
	} else if (!has_args(show->v) && capture < 0) {
		return;
	} else if (has_args(show->v) && p->place == PARAM_IN_REGISTER && p->type.size > 0 &&
		   is_kept(show->s, p->reg)) {
		sig_put_number(&show->value, &p->type, sig_extend(&p->type, show->v->args[p->reg]));
	} else {
		strbuf_puts(&show->value, p->type.kind == CTYPE_STRUCT ? "{...}" : "?");
	}
	emit(show, p->name);
}

static void show_register(struct show *show, uint32_t reg)
{
	char name[8];
	int capture;

	snprintf(name, sizeof(name), "arg%u", reg);
	capture = capture_of(show->s, "", name);
	if (capture >= 0 && put_capture(show, (size_t)capture))
		;
	else if (has_args(show->v) && is_kept(show->s, reg))
		strbuf_printf(&show->value, "0x%llx", (unsigned long long)show->v->args[reg]);
	else
		return;
	emit(show, name);
}

/* "args.req.len" → "req.len", "str(args.path)", "buf(args.path,8)" → "path"; false when it is part
 * of a parameter. */
static bool shown_name(const struct show *show, const char *text,
		       char ret[static SIGNATURE_CAPTURE_MAX])
{
	size_t len;

	if (startswith(text, "str(") || startswith(text, "buf("))
		text += strlen("str(");
	if (startswith(text, "args."))
		text += strlen("args.");
	else if (!show->s->is_typed)
		return false; /* arg0 … arg5 have been shown */
	/* What is around it ends here. */
	len = MIN(strcspn(text, ",)"), (size_t)SIGNATURE_CAPTURE_MAX - 1);
	memcpy(ret, text, len);
	ret[len] = '\0';
	return signature_find_param(show->s, ret) < 0;
}

static void show_call(struct show *show)
{
	char name[SIGNATURE_CAPTURE_MAX];

	show->is_first = true;
	for (size_t i = 0; i < show->s->n_params; i++)
		show_param(show, &show->s->params[i]);
	for (uint32_t i = 0; i < RECORD_ARGS && !show->s->is_typed; i++)
		show_register(show, i);
	for (size_t i = 0; i < show->s->n_captures && has_values(show->v); i++) {
		if (!shown_name(show, show->s->captures[i].text, name))
			continue;
		if (!put_capture(show, i))
			strbuf_puts(&show->value, "?");
		emit(show, name);
	}
	strbuf_release(&show->name);
	strbuf_release(&show->value);
}

static void print_one(struct show *show)
{
	if (!show->is_first)
		strbuf_puts(show->out, ", ");
	strbuf_append(show->out, show->name.data, show->name.len);
	strbuf_putc(show->out, '=');
	strbuf_append(show->out, show->value.data, show->value.len);
}

void signature_print_args(const struct signature *s, const struct call_values *v,
			  struct strbuf *out)
{
	struct show show = {.s = s, .v = v, .quoted = true, .each = print_one, .out = out};

	if (s->category)
		signature_source_print(v, out);
	else
		show_call(&show);
}

static void tell_one(struct show *show)
{
	show->told(show->arg, show->name.data ? show->name.data : "",
		   show->value.data ? show->value.data : "");
}

void signature_each(const struct signature *s, const struct call_values *v,
		    void (*each)(void *arg, const char *name, const char *text), void *arg)
{
	struct show show = {.s = s, .v = v, .each = tell_one, .told = each, .arg = arg};

	if (s->category)
		signature_source_each(v, each, arg);
	else
		show_call(&show);
}

/* -1 is what most functions return that leave the reason in errno, and seldom EPERM. */
void signature_put_errno(struct strbuf *out, int64_t v)
{
	const char *name = v >= -4095 && v < -1 ? strerrorname_np((int)-v) : NULL;

	if (name)
		strbuf_printf(out, " (%s)", name);
}

/* Without a type: what has nothing in its upper half and a negative lower half is an int. */
static void put_untyped(struct strbuf *out, uint64_t v)
{
	int64_t n = v >> 32 == 0 ? (int32_t)v : (int64_t)v;

	if (n < INT32_MIN || n > INT32_MAX) {
		strbuf_printf(out, "0x%llx", (unsigned long long)v);
		return;
	}
	strbuf_printf(out, "%lld", (long long)n);
	signature_put_errno(out, n);
}

void signature_print_result(const struct signature *s, const struct call_values *v,
			    struct strbuf *out)
{
	const struct sig_type *t = &s->ret;
	uint64_t value;

	if (s->category) {
		signature_source_result(v, out);
		return;
	}
	if (v->flags & (SPAN_UNWOUND | SPAN_TAIL | SPAN_INSTANT))
		return;
	if (!s->is_typed || t->kind == CTYPE_UNKNOWN) {
		put_untyped(out, v->ret);
		return;
	}
	if (t->kind == CTYPE_VOID || t->kind == CTYPE_FLOAT || t->size == 0)
		return;
	value = sig_extend(t, v->ret);
	sig_put_number(out, t, value);
	if (t->kind == CTYPE_INT)
		signature_put_errno(out, (int64_t)value);
}

/* "int (*)(int)" and "f" → "int (*f)(int)"; "const char *" → "const char *f". */
static void put_declared(struct strbuf *out, const char *type, const char *name)
{
	const char *star = strstr(type, "(*");
	size_t len = strlen(type);
	const char *close = star ? strchr(star, ')') : NULL;

	if (close) {
		sig_put_text(out, type, (size_t)(close - type), 0);
		sig_put_text(out, name, strlen(name), 0);
		sig_put_text(out, close, strlen(close), 0);
		return;
	}
	sig_put_text(out, type, len, 0);
	if (len > 0 && type[len - 1] != '*' && type[len - 1] != '&')
		strbuf_putc(out, ' ');
	sig_put_text(out, name, strlen(name), 0);
}

void signature_print_type(const struct signature *s, const char *function, struct strbuf *out)
{
	if (!s->is_typed)
		return;
	put_declared(out, s->ret.name ? s->ret.name : "?", function);
	strbuf_putc(out, '(');
	for (size_t i = 0; i < s->n_params; i++) {
		const struct sig_param *p = &s->params[i];

		strbuf_puts(out, i > 0 ? ", " : "");
		put_declared(out, p->type.name ? p->type.name : "?", p->name);
	}
	if (s->is_variadic)
		strbuf_puts(out, s->n_params > 0 ? ", ..." : "...");
	else if (s->n_params == 0 && !s->is_static)
		strbuf_puts(out, "void");
	strbuf_putc(out, ')');
}
