/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gate_node.h"

#include <ctype.h>
#include <math.h>

#include "sonde/base/format.h"

enum { MAX_DEPTH = 64, MAX_TEXT = 4096 };

#define METRICS "calls errors error_rate mean p50 p90 p99 max total self samples share"

struct parser {
	const char *text;
	size_t at;
	unsigned int depth;
	struct gate *gate;
	struct error *e;
};

static void skip_space(struct parser *p)
{
	while (isspace((unsigned char)p->text[p->at]))
		p->at++;
}

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

/* What stands there, for messages: a word, a sign, or the end. */
static const char *found(struct parser *p, char buf[static 72])
{
	const char *s = p->text + p->at;
	size_t n = 0;

	if (!*s)
		return "the end";
	while (n < 60 && is_word(s[n]))
		n++;
	/* Not half a character. */
	while (n && is_word(s[n]) && ((unsigned char)s[n] & 0xc0) == 0x80)
		n--;
	snprintf(buf, 72, "`%.*s`", (int)MAX(n, (size_t)1), s);
	return buf;
}

static bool take(struct parser *p, const char *word)
{
	skip_space(p);
	if (!startswith(p->text + p->at, word))
		return false;
	p->at += strlen(word);
	return true;
}

static int add_node(struct parser *p, struct gate_node node, uint32_t *ret)
{
	struct gate *g = p->gate;

	if (array_reserve(&g->nodes, &g->nodes_cap, g->n_nodes + 1, sizeof(*g->nodes)) < 0)
		return -ENOMEM;
	g->nodes[g->n_nodes] = node;
	*ret = (uint32_t)g->n_nodes++;
	return 0;
}

static int unknown_metric(struct parser *p, const char *word, size_t len)
{
	static const char *const others[][2] = {
		{"avg", "mean"},    {"average", "mean"}, {"median", "p50"},
		{"count", "calls"}, {"time", "total"},	 {"maximum", "max"},
	};
	char buf[72];
	int r = error_complain(p->e, p->text, p->at, "expected a metric, found %s", found(p, buf));

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (len == strlen(others[i][0]) && !strncasecmp(word, others[i][0], len)) {
			error_fix(p->e, "write `%s(FUNCTION)`; there are " METRICS, others[i][1]);
			return r;
		}
	error_fix(p->e, "write for example `mean(parse_*) > +5%%`; there are " METRICS);
	return r;
}

static int parse_metric(struct parser *p, enum compare_metric *ret)
{
	const char *word = p->text + p->at;
	size_t len = 0;

	while (is_word(word[len]))
		len++;
	for (int m = 0; m < COMPARE_METRICS; m++) {
		const char *name = compare_metric_name(m);

		if (len != strlen(name) || strncmp(word, name, len) != 0)
			continue;
		p->at += len;
		*ret = m;
		return 0;
	}
	return unknown_metric(p, word, len);
}

/* Up to the bracket that closes it: names of C++ functions have brackets of their own. */
static int parse_glob(struct parser *p, const char *metric, char **ret)
{
	size_t begin, end, open, depth = 1;
	char buf[72];
	int r;

	if (!take(p, "(")) {
		r = error_complain(p->e, p->text, p->at, "expected `(` behind `%s`, found %s",
				   metric, found(p, buf));
		error_fix(p->e, "write `%s(FUNCTION)`", metric);
		return r;
	}
	open = p->at - 1;
	skip_space(p);
	for (begin = end = p->at; p->text[end]; end++) {
		depth += p->text[end] == '(';
		depth -= p->text[end] == ')';
		if (!depth)
			break;
	}
	if (!p->text[end]) {
		r = error_complain(p->e, p->text, open,
				   "expected `)` at the end of the function's name");
		error_fix(p->e, "write `%s(FUNCTION)`", metric);
		return r;
	}
	p->at = end + 1;
	while (end > begin && isspace((unsigned char)p->text[end - 1]))
		end--;
	if (end == begin) {
		r = error_complain(p->e, p->text, begin,
				   "expected the name of a function, found `)`");
		error_fix(p->e, "write `%s(*)` for all functions", metric);
		return r;
	}
	*ret = strndup(p->text + begin, end - begin);
	return *ret ? 0 : -ENOMEM;
}

static int parse_op(struct parser *p, enum gate_op *ret)
{
	static const char *const ops[] = {[GATE_GREATER_EQUAL] = ">=",
					  [GATE_LESS_EQUAL] = "<=",
					  [GATE_GREATER] = ">",
					  [GATE_LESS] = "<"};
	/* The longer ones first. */
	static const enum gate_op order[] = {GATE_GREATER_EQUAL, GATE_LESS_EQUAL, GATE_GREATER,
					     GATE_LESS};
	char buf[72];
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		if (take(p, ops[order[i]])) {
			*ret = order[i];
			return 0;
		}
	r = error_complain(p->e, p->text, p->at, "expected one of > >= < <=, found %s",
			   found(p, buf));
	error_fix(p->e, p->text[p->at] == '=' || p->text[p->at] == '!'
				? "write `>=` or `<=`: measured values are hardly ever equal"
				: "write for example `> +5%%`");
	return r;
}

static bool is_duration(enum compare_metric m)
{
	return m == COMPARE_MEAN || m == COMPARE_P50 || m == COMPARE_P90 || m == COMPARE_P99 ||
	       m == COMPARE_MAX || m == COMPARE_TOTAL || m == COMPARE_SELF;
}

static bool is_share(enum compare_metric m)
{
	return m == COMPARE_ERROR_RATE || m == COMPARE_SHARE;
}

static int wrong_value(struct parser *p, size_t at, enum compare_metric m, const char *what,
		       const char *slice, const char *number)
{
	const char *name = compare_metric_name(m);
	int r = error_complain(p->e, p->text, at,
			       "expected %s or a change to compare with `%s`, found %s`%s`",
			       is_duration(m) ? "a duration"
			       : is_share(m)  ? "a percentage"
					      : "a number",
			       name, what, slice);

	if (is_duration(m))
		error_fix(p->e, "write `%sms`, or `+%s%%`", number, number);
	else if (is_share(m))
		error_fix(p->e, "write `%s%%`, or `+%s%%` for a change", number, number);
	else
		error_fix(p->e, "write `%s`, or `+%s%%`", number, number);
	return r;
}

/* The number a slice begins with, as one that fits the metric; "5" when there is none. */
static const char *number_of(enum compare_metric m, const char *slice, char buf[static 72])
{
	size_t n = strspn(slice, "0123456789");
	unsigned int percent;

	if (!n || n > 15)
		return "5";
	/* 0.05 is meant as 5 %. */
	if (is_share(m) && sscanf(slice, "0.%2u", &percent) == 1 && slice[3] && percent) {
		snprintf(buf, 72, "%u", percent);
		return buf;
	}
	if (slice[n] == '.' && (is_duration(m) || is_share(m)))
		n += 1 + strspn(slice + n + 1, "0123456789");
	snprintf(buf, 72, "%.*s", (int)MIN(n, (size_t)60), slice);
	return buf;
}

static int parse_percent(struct parser *p, size_t at, struct gate_comparison *c, const char *slice,
			 char sign)
{
	size_t digits = strspn(slice, "0123456789");
	char number[72], shown[80];

	if (slice[digits] == '.')
		digits += 1 + strspn(slice + digits + 1, "0123456789");
	snprintf(shown, sizeof(shown), "%.1s%s", sign ? &sign : "", slice);
	if (!isdigit((unsigned char)slice[0]) || slice[digits] != '%' || slice[digits + 1])
		return wrong_value(p, at, c->metric, "", shown,
				   number_of(c->metric, slice, number));
	/* strtod() would see the locale's comma. */
	c->value = 0;
	for (size_t i = 0, scale = 0; i < digits; i++) {
		if (slice[i] == '.')
			scale = 1;
		else if (scale)
			c->value += (slice[i] - '0') / pow(10, (double)scale++);
		else
			c->value = c->value * 10 + (slice[i] - '0');
	}
	c->value *= sign == '-' ? -0.01 : 0.01;
	c->kind = sign ? GATE_CHANGE : GATE_PERCENT;
	if (!sign && !is_share(c->metric))
		return wrong_value(p, at, c->metric, "the percentage ", shown,
				   number_of(c->metric, slice, number));
	return 0;
}

static int parse_value(struct parser *p, struct gate_comparison *c)
{
	char slice[64], number[72], buf[72], sign;
	uint64_t value;
	size_t at, len;
	int r;

	skip_space(p);
	at = p->at;
	sign = p->text[at] == '+' || p->text[at] == '-' ? p->text[at] : '\0';
	p->at += sign != 0;
	len = strcspn(p->text + p->at, " \t\n\r\v\f()|&<>!=");
	if (!len || len >= sizeof(slice)) {
		r = error_complain(p->e, p->text, at, "expected a value, found %s", found(p, buf));
		error_fix(p->e, is_duration(c->metric) ? "write for example `+5%%` or `20ms`"
						       : "write for example `+5%%`");
		return r;
	}
	memcpy(slice, p->text + p->at, len);
	slice[len] = '\0';
	p->at += len;
	if (sign || strchr(slice, '%'))
		return parse_percent(p, at, c, slice, sign);
	if (parse_u64(slice, &value) == 0) {
		c->kind = GATE_NUMBER;
		c->value = (double)value;
		return is_duration(c->metric) || is_share(c->metric)
			       ? wrong_value(p, at, c->metric, "the number ", slice,
					     number_of(c->metric, slice, number))
			       : 0;
	}
	if (parse_duration(slice, &value) == 0) {
		c->kind = GATE_DURATION;
		c->value = (double)value;
		return is_duration(c->metric)
			       ? 0
			       : wrong_value(p, at, c->metric, "the duration ", slice,
					     number_of(c->metric, slice, number));
	}
	return wrong_value(p, at, c->metric, "", slice, number_of(c->metric, slice, number));
}

static int parse_comparison(struct parser *p, uint32_t *ret)
{
	struct gate *g = p->gate;
	struct gate_comparison *c;
	size_t begin;
	int r;

	skip_space(p);
	begin = p->at;
	if (array_reserve(&g->comparisons, &g->comparisons_cap, g->n_comparisons + 1,
			  sizeof(*g->comparisons)) < 0)
		return -ENOMEM;
	c = &g->comparisons[g->n_comparisons++];
	r = parse_metric(p, &c->metric);
	if (r >= 0)
		r = parse_glob(p, compare_metric_name(c->metric), &c->glob);
	if (r >= 0)
		r = parse_op(p, &c->op);
	if (r >= 0)
		r = parse_value(p, c);
	if (r < 0)
		return r;
	c->text = strndup(p->text + begin, p->at - begin);
	if (!c->text)
		return -ENOMEM;
	return add_node(p,
			(struct gate_node){.kind = GATE_COMPARISON,
					   .left = (uint32_t)(g->n_comparisons - 1)},
			ret);
}

static int parse_or(struct parser *p, uint32_t *ret);

static int parse_brackets(struct parser *p, uint32_t *ret)
{
	size_t begin = p->at - 1;
	char buf[72];
	int r = parse_or(p, ret);

	if (r < 0 || take(p, ")"))
		return r;
	r = error_complain(p->e, p->text, p->at, "expected `)`, found %s", found(p, buf));
	error_fix(p->e, "write `)` where the bracket of column %u ends",
		  error_column(p->text, begin));
	return r;
}

static int parse_unary(struct parser *p, uint32_t *ret)
{
	struct gate_node node = {.kind = GATE_NOT};
	int r;

	skip_space(p);
	if (p->depth >= MAX_DEPTH) {
		r = error_complain(p->e, p->text, p->at,
				   "expected at most %d brackets and `!` in one another",
				   MAX_DEPTH);
		error_fix(p->e, "leave out what is not needed, or give several conditions");
		return r;
	}
	p->depth++;
	if (take(p, "!")) {
		r = parse_unary(p, &node.left);
		if (r >= 0)
			r = add_node(p, node, ret);
	} else if (take(p, "(")) {
		r = parse_brackets(p, ret);
	} else {
		r = parse_comparison(p, ret);
	}
	p->depth--;
	return r;
}

static int parse_and(struct parser *p, uint32_t *ret)
{
	int r = parse_unary(p, ret);

	while (r >= 0 && take(p, "&&")) {
		struct gate_node node = {.kind = GATE_AND, .left = *ret};

		r = parse_unary(p, &node.right);
		if (r >= 0)
			r = add_node(p, node, ret);
	}
	return r;
}

static int parse_or(struct parser *p, uint32_t *ret)
{
	int r = parse_and(p, ret);

	while (r >= 0 && take(p, "||")) {
		struct gate_node node = {.kind = GATE_OR, .left = *ret};

		r = parse_and(p, &node.right);
		if (r >= 0)
			r = add_node(p, node, ret);
	}
	return r;
}

static int parse_all(struct parser *p)
{
	uint32_t root;
	char buf[72];
	int r;

	if (strlen(p->text) > MAX_TEXT) {
		r = error_complain(p->e, p->text, MAX_TEXT, "expected at most %d bytes", MAX_TEXT);
		error_fix(p->e, "give several conditions");
		return r;
	}
	r = parse_or(p, &root);
	if (r < 0)
		return r;
	skip_space(p);
	if (!p->text[p->at])
		return 0;
	r = error_complain(p->e, p->text, p->at, "expected `||`, `&&` or the end, found %s",
			   found(p, buf));
	error_fix(p->e, p->text[p->at] == '|'	? "write `||`"
			: p->text[p->at] == '&' ? "write `&&`"
			: p->text[p->at] == ')' ? "leave it out"
						: "write `||` or `&&` between two comparisons");
	return r;
}

int gate_parse(const char *text, struct error *e, struct gate **ret)
{
	_cleanup_(gate_freep) struct gate *g = calloc(1, sizeof(*g));
	struct parser p = {.text = text, .gate = g, .e = e};
	int r;

	if (!g || !(g->text = strdup(text)))
		return -ENOMEM;
	r = parse_all(&p);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(g);
	return 0;
}

struct gate *gate_free(struct gate *g)
{
	if (!g)
		return NULL;
	for (size_t i = 0; i < g->n_comparisons; i++) {
		free(g->comparisons[i].glob);
		free(g->comparisons[i].text);
	}
	free(g->comparisons);
	free(g->nodes);
	free(g->text);
	free(g);
	return NULL;
}
