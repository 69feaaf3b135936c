/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "expr/lexer.h"

#include <ctype.h>
#include <math.h>

#include "sonde/base/format.h"

static bool is_word_start(char c)
{
	return isalpha((unsigned char)c) || c == '_';
}

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

static int bad_number(struct lexer *lx, const struct token *t, const char *slice)
{
	size_t digits = strspn(slice, "0123456789");
	const char *unit = slice + digits;
	int r;

	if (slice[0] == '0' && (slice[1] == 'x' || slice[1] == 'X')) {
		r = error_complain(lx->e, lx->text, t->begin,
				   "expected hexadecimal digits behind `0x`, found `%s`", slice);
		error_fix(lx->e, "write for example `0x1f`");
		return r;
	}
	if (unit[0] == '.')
		unit += 1 + strspn(unit + 1, "0123456789");
	r = error_complain(
		lx->e, lx->text, t->begin + (unit - slice),
		"expected a unit, one of ns us ms s m h, or B KiB MiB GiB kB MB GB, found "
		"`%s`",
		unit);
	/* The plain spellings of other programs, by their first letters. */
	error_fix(lx->e, "write `%.*s%s`", (int)(unit - slice), slice,
		  !strncasecmp(unit, "mi", 2) && strncasecmp(unit, "mic", 3) &&
				  strncasecmp(unit, "mil", 3)
			  ? "m"
		  : !strncasecmp(unit, "us", 2) || !strncasecmp(unit, "mic", 3) ? "us"
		  : !strncasecmp(unit, "n", 1)					? "ns"
		  : !strncasecmp(unit, "s", 1)					? "s"
		  : !strncasecmp(unit, "h", 1)					? "h"
		  : !strncasecmp(unit, "k", 1)					? "KiB"
		  : !strncasecmp(unit, "g", 1)					? "GiB"
		  : !strncasecmp(unit, "b", 1)					? "B"
										: "ms");
	return r;
}

static int too_large(struct lexer *lx, const struct token *t, const char *slice, const char *what,
		     const char *limit)
{
	int r = error_complain(lx->e, lx->text, t->begin,
			       "expected %s that 64 bits can hold exactly, found `%s`", what,
			       slice);

	error_fix(lx->e, "write at most `%s`", limit);
	return r;
}

/* A duration or a size that parse_duration() or parse_size() finds -ERANGE. */
static int not_exact(struct lexer *lx, const struct token *t, const char *slice)
{
	bool is_duration = t->kind == TOKEN_DURATION;
	const char *unit = slice + strspn(slice, "0123456789."), *base = is_duration ? "ns" : "B";
	uint64_t factor = 1, below;
	double value;
	char one[16];
	int r;

	snprintf(one, sizeof(one), "1%s", unit);
	r = is_duration ? parse_duration(one, &factor) : parse_size(one, &factor);
	value = r == 0 ? strtod(slice, NULL) * (double)factor : INFINITY;
	if (value >= 0x1p63)
		return is_duration
			       ? too_large(lx, t, slice, "a duration of whole nanoseconds",
					   "9223372036854775807ns")
			       : too_large(lx, t, slice, "a size of whole bytes", "16777215TiB");
	below = (uint64_t)value;
	r = error_complain(lx->e, lx->text, t->begin, "expected a %s, found `%s`",
			   is_duration ? "duration of whole nanoseconds" : "size of whole bytes",
			   slice);
	error_fix(lx->e, "write `%llu%s` or `%llu%s`", (unsigned long long)below, base,
		  (unsigned long long)below + 1, base);
	return r;
}

static int lex_plain_number(struct lexer *lx, struct token *t, const char *slice)
{
	int r;

	if (slice[0] == '0' && isdigit((unsigned char)slice[1]) &&
	    !slice[strspn(slice, "0123456789")]) {
		size_t zeros = strspn(slice, "0");

		r = error_complain(
			lx->e, lx->text, t->begin,
			"expected a decimal or hexadecimal number, found `%s`, which begins "
			"with 0",
			slice);
		error_fix(lx->e, "write `%s`, or `0x…` for hexadecimal; there is no octal",
			  slice[zeros] ? slice + zeros : "0");
		return r;
	}
	t->kind = TOKEN_NUMBER;
	r = parse_u64(slice, &t->value);
	if (r == -ERANGE)
		return too_large(lx, t, slice, "a number", "0xffffffffffffffff");
	if (r < 0)
		return bad_number(lx, t, slice);
	return 0;
}

/* Whether the sign at s[len] belongs to the exponent of a number, as in 5e-3. */
static bool is_exponent_sign(const char *s, size_t len)
{
	return (s[len] == '-' || s[len] == '+') && len && (s[len - 1] | 0x20) == 'e' &&
	       isdigit((unsigned char)s[len + 1]) && strspn(s, "0123456789.") == len - 1;
}

static size_t number_length(const char *s)
{
	size_t len = 0;

	while (is_word(s[len]) || (unsigned char)s[len] >= 0x80 ||
	       (s[len] == '.' && isdigit((unsigned char)s[len + 1])) || is_exponent_sign(s, len))
		len++;
	return len;
}

static int too_long(struct lexer *lx, const struct token *t, const char *slice)
{
	int r = error_complain(lx->e, lx->text, t->begin,
			       "expected a number of at most 19 digits that a double can be near "
			       "to, found `%s`",
			       slice);

	error_fix(lx->e, "write fewer digits, or an exponent between e-300 and e300");
	return r;
}

static int lex_number(struct lexer *lx, struct token *t)
{
	const char *begin = lx->text + lx->at;
	size_t len = number_length(begin);
	char slice[64];
	int r;

	lx->at += len;
	t->end = lx->at;
	if (len >= sizeof(slice)) {
		r = error_complain(lx->e, lx->text, t->begin,
				   "expected a number, found %zu characters", len);
		error_fix(lx->e, "write a number of at most 64 bits");
		return r;
	}
	memcpy(slice, begin, len);
	slice[len] = '\0';
	if (slice[strspn(slice, "0123456789")] == '\0' ||
	    (slice[0] == '0' && (slice[1] | 0x20) == 'x'))
		return lex_plain_number(lx, t, slice);
	t->kind = TOKEN_DECIMAL;
	r = decimal_parse(slice, &t->decimal);
	if (r != -EINVAL)
		return r < 0 ? too_long(lx, t, slice) : 0;
	t->kind = TOKEN_DURATION;
	r = parse_duration(slice, &t->value);
	if (r == -ERANGE || (r == 0 && t->value > INT64_MAX))
		return not_exact(lx, t, slice);
	if (r == 0)
		return 0;
	t->kind = TOKEN_SIZE;
	r = parse_size(slice, &t->value);
	if (r == -ERANGE)
		return not_exact(lx, t, slice);
	return r < 0 ? bad_number(lx, t, slice) : 0;
}

static int unfinished(struct lexer *lx, uint32_t at, const char *what, char quote)
{
	int r = error_complain(lx->e, lx->text, at,
			       "expected %c at the end of the %s that begins here", quote, what);

	error_fix(lx->e, "write `%c` where it ends", quote);
	return r;
}

/* Escapes: \" \' \\ \n \t in strings that are compared; matching globs see the rest as it is. */
static int lex_string(struct lexer *lx, struct token *t)
{
	const char *p = lx->text + lx->at + 1;
	char quote = lx->text[lx->at];
	char *out = arena_alloc(lx->arena, strlen(p) + 1), *text = out;

	if (!out)
		return -ENOMEM;
	for (; *p && *p != quote; p++) {
		if (*p != '\\' || !p[1]) {
			*out++ = *p;
			continue;
		}
		p++;
		if (*p == 'n')
			*out++ = '\n';
		else if (*p == 't')
			*out++ = '\t';
		else if (*p == '"' || *p == '\'')
			*out++ = *p;
		else {
			/* Kept for the glob; a comparison drops it (unescape in bind_text.c). */
			*out++ = '\\';
			*out++ = *p;
		}
	}
	if (!*p)
		return unfinished(lx, t->begin, "text", quote);
	*out = '\0';
	lx->at = p + 1 - lx->text;
	t->end = lx->at;
	t->kind = TOKEN_STRING;
	t->quote = quote;
	t->text = text;
	return 0;
}

static int lex_regex(struct lexer *lx, struct token *t)
{
	const char *p = lx->text + lx->at + 1;
	char *out = arena_alloc(lx->arena, strlen(p) + 1), *text = out;

	if (!out)
		return -ENOMEM;
	for (; *p && *p != '/'; p++) {
		if (*p == '\\' && p[1] == '/')
			p++;
		else if (*p == '\\' && p[1])
			*out++ = *p++;
		*out++ = *p;
	}
	if (!*p)
		return unfinished(lx, t->begin, "regular expression", '/');
	p++;
	t->kind = TOKEN_REGEX;
	t->text = text;
	t->value = *p == 'i';
	p += *p == 'i';
	lx->at = p - lx->text;
	t->end = lx->at;
	if (is_word(*p)) {
		int r = error_complain(lx->e, lx->text, lx->at,
				       "expected the end of the regular expression, found `%c`",
				       *p);

		error_fix(lx->e, "write `/…/`, or `/…/i` to match letters of either case");
		return r;
	}
	return 0;
}

static int lex_word(struct lexer *lx, struct token *t)
{
	const char *begin = lx->text + lx->at, *p = begin;

	/* Enumerators of C++ may be qualified. */
	while (is_word(*p) || (p[0] == ':' && p[1] == ':' && is_word_start(p[2])))
		p += *p == ':' ? 2 : 1;
	t->kind = TOKEN_WORD;
	lx->at += p - begin;
	t->end = lx->at;
	if (p - begin == 2 && !strncmp(begin, "in", 2))
		t->kind = TOKEN_IN;
	if (p - begin == 3 && !strncmp(begin, "not", 3)) {
		while (isspace((unsigned char)*p))
			p++;
		if (startswith(p, "in") && !is_word(p[2])) {
			t->kind = TOKEN_IN;
			t->negated = true;
			lx->at = p + 2 - lx->text;
			t->end = lx->at;
		}
	}
	return 0;
}

static const struct {
	const char *text;
	enum token_kind kind;
	enum op op;
	bool negated;
} operators[] = {
	{"||", TOKEN_OP, OP_OR},     {"&&", TOKEN_OP, OP_AND},
	{"==", TOKEN_OP, OP_EQ},     {"!=", TOKEN_OP, OP_NE},
	{"<=", TOKEN_OP, OP_LE},     {">=", TOKEN_OP, OP_GE},
	{"<<", TOKEN_OP, OP_SHL},    {">>", TOKEN_OP, OP_SHR},
	{"=~", TOKEN_MATCH},	     {"!~", TOKEN_MATCH, .negated = true},
	{"->", TOKEN_DOT},	     {".", TOKEN_DOT},
	{"<", TOKEN_OP, OP_LT},	     {">", TOKEN_OP, OP_GT},
	{"|", TOKEN_OP, OP_BIT_OR},  {"^", TOKEN_OP, OP_BIT_XOR},
	{"&", TOKEN_OP, OP_BIT_AND}, {"+", TOKEN_OP, OP_ADD},
	{"-", TOKEN_OP, OP_SUB},     {"*", TOKEN_OP, OP_MUL},
	{"/", TOKEN_OP, OP_DIV},     {"%", TOKEN_OP, OP_MOD},
	{"!", TOKEN_OP, OP_NOT},     {"~", TOKEN_OP, OP_BIT_NOT},
	{"(", TOKEN_OPEN},	     {")", TOKEN_CLOSE},
	{",", TOKEN_COMMA},	     {"[", TOKEN_BRACKET_OPEN},
	{"]", TOKEN_BRACKET_CLOSE},
};

/* What people write elsewhere, and what it is here. */
static const struct {
	const char *wrong, *right;
} foreign[] = {{"===", "=="}, {"!==", "!="}, {"<>", "!="}, {"**", "*"}, {"~=", "=~"}, {"=", "=="}};

static int lex_operator(struct lexer *lx, struct token *t)
{
	const char *at = lx->text + lx->at;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(foreign); i++) {
		const char *w = foreign[i].wrong;

		if (!startswith(at, w) || (w[1] == '\0' && (at[1] == '=' || at[1] == '~')))
			continue;
		r = error_complain(lx->e, lx->text, t->begin, "expected an operator, found `%s`",
				   w);
		error_fix(lx->e, "write `%s`", foreign[i].right);
		return r;
	}
	/* `!in`, but not `!int`, `!(in…`. */
	if (startswith(at, "!in") && !is_word(at[3])) {
		t->kind = TOKEN_IN;
		t->negated = true;
		t->end = lx->at += 3;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(operators); i++) {
		if (!startswith(at, operators[i].text))
			continue;
		t->kind = operators[i].kind;
		t->op = operators[i].op;
		t->negated = operators[i].negated;
		t->end = lx->at += strlen(operators[i].text);
		return 0;
	}
	r = error_complain(lx->e, lx->text, t->begin,
			   "expected a field, a value or an operator, found "
			   "`%.*s`",
			   (unsigned char)*at < 0x80 ? 1 : (int)strcspn(at, " \t\n"), at);
	error_fix(lx->e, *at == '$' || *at == '@' ? "write the name alone"
			 : *at == ';'		  ? "write `&&` between two conditions"
			 : *at == '`'		  ? "write texts as `\"text\"`"
						  : "leave it out");
	return r;
}

int lexer_next(struct lexer *lx, bool want_regex, struct token *ret)
{
	struct token t = {};
	char c;
	int r;

	while (isspace((unsigned char)lx->text[lx->at]))
		lx->at++;
	t.begin = t.end = lx->at;
	c = lx->text[lx->at];
	if (c == '\0')
		r = 0; /* TOKEN_END */
	else if (isdigit((unsigned char)c))
		r = lex_number(lx, &t);
	else if (c == '"' || c == '\'')
		r = lex_string(lx, &t);
	else if (c == '/' && want_regex)
		r = lex_regex(lx, &t);
	else if (is_word_start(c))
		r = lex_word(lx, &t);
	else
		r = lex_operator(lx, &t);
	if (r == 0)
		*ret = t;
	return r;
}
