/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The argument string of a static probe: for each argument its size, '@', and the operand as the
 * compiler wrote it for the assembler, with a space in between. A size below zero is that of a
 * signed number, an f behind it means floating point. Anything may stand there: files are hostile.
 */
#include "symbol/usdt.h"

static const char not_understood[] = "its place is written in a way that is not understood";
static const char vector_register[] =
	"it is in a vector register, and a probe cannot read those on x86-64";
static const char no_address[] =
	"its place is given by a name, and names have no address in a stripped file";

struct operand {
	const char *at, *end;
};

struct register_name {
	const char *name;
	uint8_t number, shift;
};

static bool has_name(const char *s, size_t len, const char *name)
{
	return strlen(name) == len && memcmp(s, name, len) == 0;
}

/* The eight registers of the 8086, in the order of their numbers, by their two letters. */
static const char old_names[8][3] = {"ax", "cx", "dx", "bx", "sp", "bp", "si", "di"};

/* rax, eax, ax, al, ah; and rsi … sil, without a high half. */
static bool find_old(const char *s, size_t len, uint8_t *ret_number, uint8_t *ret_shift)
{
	size_t prefix = len == 3 && (*s == 'r' || *s == 'e') ? 1 : 0;

	for (uint8_t i = 0; i < 8; i++) {
		const char *name = old_names[i];

		*ret_number = i;
		*ret_shift = 0;
		if (has_name(s + prefix, len - prefix, name))
			return true;
		if (i >= 4 && len == 3 && memcmp(s, name, 2) == 0 && s[2] == 'l')
			return true;
		if (i < 4 && len == 2 && s[0] == name[0] && (s[1] == 'l' || s[1] == 'h')) {
			*ret_shift = s[1] == 'h' ? 8 : 0;
			return true;
		}
	}
	return false;
}

/* r8 … r15, with d, w or b behind for a part of it. */
static bool find_new(const char *s, size_t len, uint8_t *ret_number)
{
	unsigned number = 0;
	size_t i = 1;

	if (len < 2 || s[0] != 'r')
		return false;
	for (; i < len && i < 3 && s[i] >= '0' && s[i] <= '9'; i++)
		number = number * 10 + (unsigned)(s[i] - '0');
	if (number < 8 || number > 15)
		return false;
	*ret_number = (uint8_t)number;
	return i == len || (i + 1 == len && memchr("dwbl", s[i], 4));
}

/* "%rbx" and what follows; the operand moves behind it. */
static bool take_register(struct operand *o, uint8_t *ret_number, uint8_t *ret_shift)
{
	const char *name = o->at + 1;
	size_t len = 0;

	if (o->at >= o->end || *o->at != '%')
		return false;
	while (name + len < o->end &&
	       ((name[len] >= 'a' && name[len] <= 'z') || (name[len] >= '0' && name[len] <= '9')))
		len++;
	*ret_shift = 0;
	if (!find_old(name, len, ret_number, ret_shift) && !find_new(name, len, ret_number))
		return false;
	o->at = name + len;
	return true;
}

/* A number in decimal or hexadecimal, with its sign; wraps at 64 bits. False: there is none. */
static bool take_number(struct operand *o, int64_t *ret)
{
	bool negative = o->at < o->end && *o->at == '-', any = false;
	const char *s = o->at + (o->at < o->end && (negative || *o->at == '+'));
	uint64_t n = 0;
	unsigned base = 10;

	if (o->end - s > 2 && s[0] == '0' && (s[1] | 0x20) == 'x') {
		base = 16;
		s += 2;
	}
	for (; s < o->end; s++, any = true) {
		char c = *s | 0x20;
		unsigned digit = *s >= '0' && *s <= '9' ? (unsigned)(*s - '0')
				 : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
							: 16;

		if (digit >= base)
			break;
		n = n * base + digit;
	}
	if (!any)
		return false;
	o->at = s;
	*ret = (int64_t)(negative ? -n : n);
	return true;
}

static bool take_char(struct operand *o, char c)
{
	if (o->at >= o->end || *o->at != c)
		return false;
	o->at++;
	return true;
}

static void refuse(struct usdt_arg *a, const char *reason)
{
	a->place = USDT_UNREADABLE;
	a->reason = reason;
}

/* disp(%base,%index,scale): all but the parentheses may be missing. */
static bool take_memory(struct operand *o, struct usdt_arg *a)
{
	int64_t scale = 1;
	uint8_t shift;

	a->place = USDT_MEMORY;
	(void)take_number(o, &a->value);
	if (!take_char(o, '('))
		return false;
	if (!take_register(o, &a->base, &shift) || shift)
		return false;
	if (take_char(o, ',')) {
		if (!take_register(o, &a->index, &shift) || shift || a->index == 4)
			return false;
		if (take_char(o, ',') && !take_number(o, &scale))
			return false;
	}
	if (scale != 1 && scale != 2 && scale != 4 && scale != 8)
		return false;
	a->scale = (uint8_t)scale;
	/* A step in the kernel has 32 bits, as an instruction's displacement. */
	return take_char(o, ')') && o->at == o->end && a->value == (int32_t)a->value;
}

static bool contains(const struct operand *o, const char *what)
{
	return memmem(o->at, (size_t)(o->end - o->at), what, strlen(what));
}

static void take_operand(struct operand o, struct usdt_arg *a)
{
	struct operand whole = o;

	if (take_char(&o, '$')) {
		a->place = USDT_CONSTANT;
		if (!take_number(&o, &a->value) || o.at != o.end)
			refuse(a, no_address);
	} else if (o.at < o.end && *o.at == '%') {
		a->place = USDT_REGISTER;
		if (contains(&whole, "%xmm") || contains(&whole, "%ymm") ||
		    contains(&whole, "%zmm") || contains(&whole, "%st"))
			refuse(a, vector_register);
		else if (!take_register(&o, &a->base, &a->shift) || o.at != o.end)
			refuse(a, not_understood);
		else if (a->is_float)
			refuse(a, not_understood);
	} else if (!take_memory(&o, a)) {
		bool named = contains(&whole, "(%rip)") || !contains(&whole, "(");

		refuse(a, named ? no_address : not_understood);
	}
}

/* One argument, from o->at to o->end. */
static void take_argument(struct operand o, struct usdt_arg *a)
{
	int64_t size = 8;

	*a = (struct usdt_arg){.index = USDT_NO_REGISTER, .base = USDT_NO_REGISTER, .scale = 1};
	if (memchr(o.at, '@', (size_t)(o.end - o.at))) {
		if (!take_number(&o, &size)) {
			refuse(a, not_understood);
			return;
		}
		a->is_float = take_char(&o, 'f');
		if (!take_char(&o, '@')) {
			refuse(a, not_understood);
			return;
		}
	}
	a->is_signed = size < 0;
	/* Before it is negated, as not all numbers can be. */
	if (size < -8 || size > 8)
		size = 0;
	size = size < 0 ? -size : size;
	if (size != 1 && size != 2 && size != 4 && size != 8) {
		refuse(a, "it is no number of 1, 2, 4 or 8 bytes");
		return;
	}
	a->size = (uint8_t)size;
	take_operand(o, a);
	/* ah is not the low end of anything larger. */
	if (a->place == USDT_REGISTER && a->shift && a->size != 1)
		refuse(a, not_understood);
}

size_t usdt_parse_args(const char *text, struct usdt_arg ret[static USDT_MAX_ARGS])
{
	size_t n = 0;

	while (n < USDT_MAX_ARGS) {
		struct operand o;

		text += strspn(text, " \t");
		if (!*text)
			break;
		o.at = text;
		/* Between an operand's parentheses and behind its commas there may be blanks. */
		for (bool inside = false; *text && (inside || !strchr(" \t", *text)); text++)
			inside = *text == '(' || (inside && *text != ')');
		o.end = text;
		take_argument(o, &ret[n++]);
	}
	return n;
}
