/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A signature as one line of text: fields in a fixed order with a space between them, numbers in
 * decimal, strings with all but letters, digits and "_.*-" as %XX, the empty string as "%". Of a
 * span written in source code, "span" and its category. What is read comes from recordings, that
 * is from anyone.
 */
#include "probe/signature_private.h"

enum { FORMAT_VERSION = 1, TEXT_MAX = 1 << 20 };

static bool is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '.' || c == '*' || c == '-';
}

static void put_string(struct strbuf *b, const char *s)
{
	strbuf_putc(b, ' ');
	if (!s[0])
		strbuf_putc(b, '%');
	for (; *s; s++) {
		if (is_plain(*s))
			strbuf_putc(b, *s);
		else
			strbuf_printf(b, "%%%02X", (unsigned char)*s);
	}
}

static void put_number(struct strbuf *b, int64_t n)
{
	strbuf_printf(b, " %lld", (long long)n);
}

static void put_type(struct strbuf *b, const struct sig_type *t)
{
	put_number(b, t->kind);
	put_number(b, t->is_signed | t->is_flags << 1 | t->is_string << 2);
	put_number(b, t->size);
	put_string(b, t->name ? t->name : "");
	put_number(b, (int64_t)t->n_values);
	for (size_t i = 0; i < t->n_values; i++) {
		put_string(b, t->values[i].name);
		put_number(b, t->values[i].value);
	}
}

static void put_fetch(struct strbuf *b, const struct fetch *f)
{
	put_number(b, f->kind);
	put_number(b, f->flags);
	put_number(b, f->arg);
	put_number(b, f->size);
	put_number(b, f->shift);
	put_number(b, f->bits);
	put_number(b, f->slot);
	put_number(b, f->room);
	put_number(b, f->length);
	put_number(b, f->n_steps);
	for (size_t i = 0; i < f->n_steps; i++)
		put_number(b, f->steps[i]);
}

char *signature_encode(const struct signature *s)
{
	struct strbuf b _cleanup_(strbuf_release) = {};

	if (s->category) {
		strbuf_puts(&b, "span");
		put_string(&b, s->category);
		return strbuf_error(&b) < 0 ? NULL : TAKE_PTR(b.data);
	}
	strbuf_printf(&b, "%d", FORMAT_VERSION);
	put_number(&b, s->is_typed | s->is_variadic << 1 | s->ret_in_float << 2 |
			       s->ret_in_memory << 3 | s->is_static << 4);
	put_number(&b, s->lost);
	put_number(&b, s->used);
	put_type(&b, &s->ret);
	put_number(&b, (int64_t)s->n_params);
	for (size_t i = 0; i < s->n_params; i++) {
		const struct sig_param *p = &s->params[i];

		put_string(&b, p->name);
		put_type(&b, &p->type);
		put_number(&b, p->place);
		put_number(&b, p->reg);
		put_number(&b, p->is_redacted);
	}
	put_number(&b, (int64_t)s->n_captures);
	for (size_t i = 0; i < s->n_captures; i++) {
		put_string(&b, s->captures[i].text);
		put_type(&b, &s->captures[i].type);
		put_fetch(&b, &s->fetches[i]);
	}
	return strbuf_error(&b) < 0 ? NULL : TAKE_PTR(b.data);
}

/* Fields are taken off the front; after the first that is wrong nothing is right any more. */
struct cursor {
	const char *at;
	bool is_bad, no_memory;
};

static int64_t take_number(struct cursor *c, int64_t min, int64_t max)
{
	long long n;
	char *end;

	/* strtoll() would skip spaces and accept a plus. */
	if (c->is_bad || (*c->at != '-' && (*c->at < '0' || *c->at > '9'))) {
		c->is_bad = true;
		return min;
	}
	errno = 0;
	n = strtoll(c->at, &end, 10);
	if (errno != 0 || n < min || n > max || (*end != ' ' && *end != '\0')) {
		c->is_bad = true;
		return min;
	}
	c->at = *end ? end + 1 : end;
	return n;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* One byte; 0 when it is malformed. */
static char take_byte(struct cursor *c)
{
	int high, low;

	if (*c->at != '%')
		return is_plain(*c->at) ? *c->at++ : '\0';
	high = hex_digit(c->at[1]);
	low = high < 0 ? -1 : hex_digit(c->at[2]);
	if (low < 0)
		return '\0';
	c->at += 3;
	return (char)(high * 16 + low);
}

static char *take_string(struct cursor *c)
{
	struct strbuf b _cleanup_(strbuf_release) = {};

	if (c->is_bad)
		return NULL;
	strbuf_puts(&b, "");
	if (c->at[0] == '%' && (c->at[1] == ' ' || c->at[1] == '\0'))
		c->at++;
	while (*c->at && *c->at != ' ' && !c->is_bad) {
		char byte = take_byte(c);

		c->is_bad = byte == '\0' || b.len >= SIGNATURE_CAPTURE_MAX;
		strbuf_putc(&b, byte);
	}
	if (*c->at)
		c->at++;
	c->no_memory |= strbuf_error(&b) < 0;
	return TAKE_PTR(b.data);
}

static void take_type(struct cursor *c, struct sig_type *ret)
{
	int64_t flags, size, n;

	ret->kind = (enum ctype_kind)take_number(c, 0, CTYPE_UNKNOWN);
	flags = take_number(c, 0, 7);
	ret->is_signed = flags & 1;
	ret->is_flags = flags & 2;
	ret->is_string = flags & 4;
	size = take_number(c, 0, 8);
	c->is_bad |= size != 0 && (size & (size - 1)) != 0;
	ret->size = (uint8_t)size;
	ret->name = take_string(c);
	n = take_number(c, 0, SIGNATURE_VALUES_MAX);
	if (c->is_bad || n == 0)
		return;
	ret->values = calloc((size_t)n, sizeof(*ret->values));
	c->no_memory |= !ret->values;
	while (ret->values && !c->is_bad && ret->n_values < (size_t)n) {
		struct expr_name *v = &ret->values[ret->n_values];

		v->name = take_string(c);
		ret->n_values += v->name != NULL;
		v->value = take_number(c, INT64_MIN, INT64_MAX);
	}
}

static void take_fetch(struct cursor *c, struct fetch *f)
{
	uint32_t end;

	f->kind = (uint8_t)take_number(c, FETCH_NUMBER, FETCH_BUFFER);
	f->flags = (uint8_t)take_number(c, 0, 2 * FETCH_INDEXED - 1);
	f->arg = (uint8_t)take_number(c, 0, FETCH_MAX_ARGS - 1);
	f->size = (uint8_t)take_number(c, 0, 8);
	f->shift = (uint8_t)take_number(c, 0, 63);
	f->bits = (uint8_t)take_number(c, 0, 64);
	f->slot = (uint16_t)take_number(c, 0, RECORD_MAX_VALUES - 8);
	f->room = (uint16_t)take_number(c, 0, RECORD_MAX_VALUES);
	f->length = (uint32_t)take_number(c, 0, UINT32_MAX);
	f->n_steps = (uint8_t)take_number(c, 0, FETCH_MAX_STEPS);
	for (size_t i = 0; i < f->n_steps; i++)
		f->steps[i] = (int32_t)take_number(c, INT32_MIN, INT32_MAX);
	end = f->slot + (f->kind == FETCH_NUMBER ? 8u : sizeof(struct record_text) + f->room);
	c->is_bad |= f->slot % 8 != 0 || end > RECORD_MAX_VALUES;
	if (f->kind == FETCH_NUMBER)
		c->is_bad |= f->size == 0 || (f->size & (f->size - 1)) != 0;
}

static void take_params(struct cursor *c, struct signature *s)
{
	int64_t n = take_number(c, 0, SIGNATURE_PARAMS_MAX);

	s->params = calloc((size_t)MAX(n, 1), sizeof(*s->params));
	c->no_memory |= !s->params;
	while (s->params && !c->is_bad && s->n_params < (size_t)n) {
		struct sig_param *p = &s->params[s->n_params++];

		p->name = take_string(c);
		take_type(c, &p->type);
		p->place = (enum param_place)take_number(c, 0, PARAM_IN_NOTE);
		p->reg = (uint32_t)take_number(c, 0, UINT32_MAX);
		p->is_redacted = take_number(c, 0, 1);
		if (p->place == PARAM_IN_REGISTER || p->place == PARAM_SPREAD)
			c->is_bad |= p->reg >= RECORD_ARGS;
	}
}

static void take_captures(struct cursor *c, struct signature *s)
{
	int64_t n = take_number(c, 0, RECORD_MAX_CAPTURES);

	while (!c->is_bad && s->n_captures < (size_t)n) {
		struct sig_capture *capture = &s->captures[s->n_captures];
		struct fetch *f = &s->fetches[s->n_captures++];
		uint32_t end;

		capture->text = take_string(c);
		take_type(c, &capture->type);
		take_fetch(c, f);
		end = f->kind == FETCH_NUMBER ? 8u
					      : (sizeof(struct record_text) + f->room + 8) & ~7u;
		s->values_len = MAX(s->values_len, MIN(f->slot + end, RECORD_MAX_VALUES));
	}
}

static void take_fields(struct cursor *c, struct signature *s)
{
	int64_t flags;

	take_number(c, FORMAT_VERSION, FORMAT_VERSION);
	flags = take_number(c, 0, 31);
	s->is_typed = flags & 1;
	s->is_variadic = flags & 2;
	s->ret_in_float = flags & 4;
	s->ret_in_memory = flags & 8;
	s->is_static = flags & 16;
	s->lost = (uint8_t)take_number(c, 0, UINT8_MAX);
	s->used = (uint8_t)take_number(c, 0, UINT8_MAX);
	take_type(c, &s->ret);
	take_params(c, s);
	take_captures(c, s);
}

int signature_decode(const char *text, struct signature **ret)
{
	struct signature *s _cleanup_(signature_freep) = calloc(1, sizeof(*s));
	struct cursor c = {.at = text};
	size_t len;

	if (!s)
		return -ENOMEM;
	len = strnlen(text, TEXT_MAX);
	if (len == 0 || len == TEXT_MAX || text[len - 1] == ' ')
		return -EBADMSG;
	if (startswith(text, "span ")) {
		c.at += strlen("span ");
		s->category = take_string(&c);
		c.no_memory |= !s->category && !c.is_bad;
	} else {
		take_fields(&c, s);
	}
	if (c.no_memory)
		return -ENOMEM;
	if (c.is_bad || *c.at)
		return -EBADMSG;
	s->is_frozen = true;
	*ret = TAKE_PTR(s);
	return 0;
}
