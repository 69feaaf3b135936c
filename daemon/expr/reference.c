/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What only the function at hand can explain: args.…, arg0 … arg5, ret, str(…), buf(…). */
#include <ctype.h>

#include "expr/parser.h"
#include "sonde/base/strbuf.h"

enum { MAX_STEPS = 16 };

struct path {
	struct expr_step steps[MAX_STEPS];
	size_t n;
};

static int add_step(struct parser *p, struct path *path, const char *member, uint64_t index)
{
	if (path->n == MAX_STEPS) {
		int r = error_complain(p->e, p->x->text, p->token.begin,
				       "expected at most %d names in a path", MAX_STEPS);

		error_fix(p->e, "leave `%s` out", parser_found(p));
		return r;
	}
	path->steps[path->n++] = (struct expr_step){member, index};
	return 0;
}

static int parse_member(struct parser *p, struct path *path, const char *below)
{
	const char *name;
	int r;

	if (p->token.kind != TOKEN_WORD && p->token.kind != TOKEN_IN) {
		r = error_complain(p->e, p->x->text, p->token.begin,
				   "expected a name behind `%s.`, found %s", below,
				   parser_found(p));
		if (p->token.kind == TOKEN_NUMBER && path->n)
			error_fix(p->e, "write `[%llu]` without the `.` for an element",
				  (unsigned long long)p->token.value);
		else if (p->token.kind == TOKEN_NUMBER)
			error_fix(p->e, "write `arg0` to `arg%d` for an argument by number",
				  RECORD_ARGS - 1);
		else
			error_fix(p->e, "write for example `%s.len`", below);
		return r;
	}
	name = arena_strndup(&p->x->arena, p->x->text + p->token.begin,
			     p->token.end - p->token.begin);
	if (!name)
		return -ENOMEM;
	r = add_step(p, path, name, 0);
	return r < 0 ? r : parser_advance(p);
}

static int parse_element(struct parser *p, struct path *path)
{
	int r = parser_advance(p);

	if (r < 0)
		return r;
	if (p->token.kind != TOKEN_NUMBER) {
		r = parser_expected(p, "the number of an element");
		error_fix(p->e, "write a number that is known now, as in `[0]`");
		return r;
	}
	r = add_step(p, path, NULL, p->token.value);
	if (r == 0)
		r = parser_advance(p);
	if (r < 0)
		return r;
	if (p->token.kind != TOKEN_BRACKET_CLOSE) {
		r = parser_expected(p, "`]`");
		error_fix(p->e, "write `]` behind the number");
		return r;
	}
	return parser_advance(p);
}

static int parse_steps(struct parser *p, struct path *path, const char *below)
{
	int r = 0;

	while (r == 0) {
		if (p->token.kind == TOKEN_DOT) {
			r = parser_advance(p);
			if (r == 0)
				r = parse_member(p, path, below);
		} else if (p->token.kind == TOKEN_BRACKET_OPEN) {
			r = parse_element(p, path);
		} else {
			break;
		}
	}
	return r;
}

static void put_length(struct strbuf *b, const struct expr_ref *ref)
{
	if (ref->length)
		strbuf_printf(b, ",%u", ref->length);
	else if (ref->length_name)
		strbuf_printf(b, ",args.%s", ref->length_name);
	else
		strbuf_printf(b, ",arg%u", ref->length_reg);
}

static int keep_steps(struct parser *p, const struct path *path, struct expr_ref *ref)
{
	struct expr_step *steps =
		arena_alloc(&p->x->arena, sizeof(*steps) * MAX(path->n, (size_t)1));

	if (!steps)
		return -ENOMEM;
	memcpy(steps, path->steps, sizeof(*steps) * path->n);
	ref->steps = steps;
	ref->n_steps = path->n;
	return 0;
}

/* The reference in arena memory, with its canonical text. Its steps are there already. */
static int make_ref(struct parser *p, struct expr_ref *ref, struct expr_ref **ret)
{
	_cleanup_(strbuf_release) struct strbuf b = {};
	struct expr_ref *copy = arena_alloc(&p->x->arena, sizeof(*copy));

	if (!copy)
		return -ENOMEM;
	if (ref->str)
		strbuf_puts(&b, ref->buf ? "buf(" : "str(");
	if (ref->kind == EXPR_REF_REG)
		strbuf_printf(&b, "arg%u", ref->index);
	else
		strbuf_puts(&b, ref->kind == EXPR_REF_RET ? "ret" : "args");
	for (size_t i = 0; i < ref->n_steps; i++) {
		const struct expr_step *step = &ref->steps[i];

		if (step->member)
			strbuf_printf(&b, ".%s", step->member);
		else
			strbuf_printf(&b, "[%llu]", (unsigned long long)step->index);
	}
	if (ref->buf)
		put_length(&b, ref);
	if (ref->str)
		strbuf_putc(&b, ')');
	if (strbuf_error(&b) < 0)
		return -ENOMEM;
	ref->text = arena_strndup(&p->x->arena, b.data, b.len);
	if (!ref->text)
		return -ENOMEM;
	*copy = *ref;
	*ret = copy;
	return 0;
}

static bool is_register_word(const char *s, size_t len)
{
	return len > 3 && startswith(s, "arg") && strspn(s + 3, "0123456789") >= len - 3;
}

static int parse_plain(struct parser *p, bool str, struct expr_ref **ret)
{
	const char *word = p->x->text + p->token.begin;
	size_t len = p->token.end - p->token.begin;
	struct expr_ref ref = {.str = str, .column = error_column(p->x->text, p->token.begin)};
	struct path path = {};
	int r;

	if (p->token.kind != TOKEN_WORD)
		return -ENOENT;
	if (is_register_word(word, len)) {
		size_t digits = len - 3;

		for (size_t i = 3; i < len; i++)
			ref.index = ref.index * 10 + (uint32_t)(word[i] - '0') % 10;
		/* Functions have fewer of them than static probes: see who explains them. */
		if (digits > 2 || (digits == 2 && word[3] == '0') || ref.index >= EXPR_MAX_ARGS) {
			r = error_complain(p->e, p->x->text, p->token.begin,
					   "expected an argument register, found `%.*s`", (int)len,
					   word);
			error_fix(p->e,
				  "write one of `arg0` to `arg%d`, or the argument's name as in "
				  "`args.len`",
				  RECORD_ARGS - 1);
			return r;
		}
		ref.kind = EXPR_REF_REG;
	} else if (parser_at_word(p, "ret")) {
		ref.kind = EXPR_REF_RET;
	} else if (parser_at_word(p, "args")) {
		ref.kind = EXPR_REF_ARG;
	} else {
		return -ENOENT;
	}
	r = parser_advance(p);
	if (r == 0 && ref.kind == EXPR_REF_ARG && p->token.kind != TOKEN_DOT) {
		r = parser_expected(p, "`.` and the name of an argument behind `args`");
		error_fix(p->e, "write `args.NAME`, or `arg0` for the first by number");
	}
	if (r == 0)
		r = parse_steps(p, &path, ref.kind == EXPR_REF_ARG ? "args" : "ret");
	if (r == 0)
		r = keep_steps(p, &path, &ref);
	return r < 0 ? r : make_ref(p, &ref, ret);
}

static int parse_str(struct parser *p, struct expr_ref **ret)
{
	uint32_t begin = p->token.begin;
	int r = parser_advance(p);

	if (r < 0)
		return r;
	if (p->token.kind != TOKEN_OPEN) {
		r = parser_expected(p, "`(` behind `str`");
		error_fix(p->e, "write `str(args.path)` or `str(arg0)`");
		return r;
	}
	r = parser_advance(p);
	if (r == 0)
		r = parse_plain(p, true, ret);
	if (r == -ENOENT) {
		r = parser_expected(p, "an argument inside `str()`");
		error_fix(p->e,
			  "write `str(args.path)` or `str(arg0)`; a value that is text already "
			  "needs no `str()`");
	}
	if (r < 0)
		return r;
	(*ret)->column = error_column(p->x->text, begin);
	if (p->token.kind != TOKEN_CLOSE) {
		r = parser_expected(p, "`)` behind the argument of `str`");
		error_fix(p->e, "write `%s`", (*ret)->text);
		return r;
	}
	return parser_advance(p);
}

static int buf_expected(struct parser *p, const char *what)
{
	int r = parser_expected(p, what);

	error_fix(p->e, "write `buf(args.data, 16)`, or `buf(args.data, args.len)` where an "
			"argument says how long it is");
	return r;
}

/* How long: a number, or an argument that the call itself has. */
static int parse_length(struct parser *p, struct expr_ref *ref)
{
	struct expr_ref *length;
	int r;

	if (p->token.kind == TOKEN_NUMBER) {
		if (p->token.value < 1 || p->token.value > EXPR_MAX_BUF) {
			r = parser_expected(p, "a number of bytes that a record has room for");
			error_fix(p->e, "write a length from 1 to %d", EXPR_MAX_BUF);
			return r;
		}
		ref->length = (uint32_t)p->token.value;
		return parser_advance(p);
	}
	r = parse_plain(p, false, &length);
	if (r == -ENOENT)
		return buf_expected(p, "a length");
	if (r < 0)
		return r;
	if (length->kind == EXPR_REF_RET || length->n_steps > (length->kind == EXPR_REF_ARG)) {
		r = error_complain(p->e, p->x->text, length->column - 1,
				   "expected an argument that is the length, found `%s`",
				   length->text);
		error_fix(p->e, "write a number, or an argument itself, as in "
				"`buf(args.data, args.len)`");
		return r;
	}
	ref->length_reg = length->index;
	ref->length_name = length->n_steps ? length->steps[0].member : NULL;
	return 0;
}

static int parse_buf(struct parser *p, struct expr_ref **ret)
{
	uint32_t begin = p->token.begin;
	struct expr_ref *plain, ref;
	int r = parser_advance(p);

	if (r < 0)
		return r;
	if (p->token.kind != TOKEN_OPEN)
		return buf_expected(p, "`(` behind `buf`");
	r = parser_advance(p);
	if (r == 0)
		r = parse_plain(p, false, &plain);
	if (r == -ENOENT)
		return buf_expected(p, "an argument inside `buf()`");
	if (r < 0)
		return r;
	ref = *plain;
	ref.str = ref.buf = true;
	ref.column = error_column(p->x->text, begin);
	if (p->token.kind != TOKEN_COMMA)
		return buf_expected(p, "`,` and a length");
	r = parser_advance(p);
	if (r == 0)
		r = parse_length(p, &ref);
	if (r < 0)
		return r;
	if (p->token.kind != TOKEN_CLOSE)
		return buf_expected(p, "`)` behind the length");
	r = make_ref(p, &ref, ret);
	return r < 0 ? r : parser_advance(p);
}

int parse_reference(struct parser *p, struct expr_ref **ret)
{
	return parser_at_word(p, "str")	  ? parse_str(p, ret)
	       : parser_at_word(p, "buf") ? parse_buf(p, ret)
					  : parse_plain(p, false, ret);
}

int parse_attr_key(struct parser *p, const char **ret)
{
	uint32_t begin = 0, end = 0;

	do {
		int r = p->token.kind == TOKEN_DOT ? parser_advance(p) : 1;

		if (r < 0)
			return r;
		if (r > 0 || p->token.kind != TOKEN_WORD) {
			r = parser_expected(p, "`.` and a key behind `attr`");
			error_fix(p->e, "write for example `attr.step`");
			return r;
		}
		begin = begin ? begin : p->token.begin;
		end = p->token.end;
		r = parser_advance(p);
		if (r < 0)
			return r;
	} while (p->token.kind == TOKEN_DOT);
	*ret = arena_strndup(&p->x->arena, p->x->text + begin, end - begin);
	return *ret ? 0 : -ENOMEM;
}

/* The reference is handed out as the last of three: its steps, names and text lie in one block. */
static int copy_ref(const struct expr_ref *from, struct expr_ref **ret)
{
	size_t size =
		sizeof(*from) + from->n_steps * sizeof(struct expr_step) + strlen(from->text) + 1;
	struct expr_ref *ref;
	struct expr_step *steps;
	char *at;

	for (size_t i = 0; i < from->n_steps; i++)
		size += from->steps[i].member ? strlen(from->steps[i].member) + 1 : 0;
	size += from->length_name ? strlen(from->length_name) + 1 : 0;
	ref = malloc(size);
	if (!ref)
		return -ENOMEM;
	*ref = *from;
	steps = (struct expr_step *)(ref + 1);
	ref->steps = steps;
	at = (char *)(steps + from->n_steps);
	for (size_t i = 0; i < from->n_steps; i++) {
		steps[i] = from->steps[i];
		if (!steps[i].member)
			continue;
		steps[i].member = at;
		at = stpcpy(at, from->steps[i].member) + 1;
	}
	if (from->length_name) {
		ref->length_name = at;
		at = stpcpy(at, from->length_name) + 1;
	}
	ref->text = at;
	strcpy(at, from->text);
	*ret = ref;
	return 0;
}

int expr_ref_parse(const char *text, struct expr_ref **ret, struct error *e)
{
	_cleanup_(expr_freep) struct expr *x = calloc(1, sizeof(*x));
	struct parser p = {.x = x, .e = e};
	struct expr_ref *ref = NULL;
	int r;

	if (!x)
		return -ENOMEM;
	if (strlen(text) > EXPR_MAX_LEN) {
		r = error_complain(e, "", 0, "expected at most %d characters", EXPR_MAX_LEN);
		error_fix(e, "write one argument, as in `args.len`");
		return r;
	}
	x->text = strdup(text);
	if (!x->text)
		return -ENOMEM;
	p.lexer = (struct lexer){.arena = &x->arena, .text = x->text, .e = e};
	r = parser_advance(&p);
	if (r == 0)
		r = parse_reference(&p, &ref);
	if (r == -ENOENT) {
		r = parser_expected(&p, "an argument");
		error_fix(
			e,
			"write `args.NAME`, `arg0` to `arg%d`, `ret`, `str(…)` or `buf(…)` of one",
			RECORD_ARGS - 1);
	}
	if (r < 0)
		return r;
	if (p.token.kind != TOKEN_END) {
		r = parser_expected(&p, "the end");
		error_fix(e, "write `%s`", ref->text);
		return r;
	}
	return copy_ref(ref, ret);
}

struct expr_ref *expr_ref_free(struct expr_ref *ref)
{
	free(ref);
	return NULL;
}
