/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What messages about a condition have in common. */
#include "expr/ast.h"

const char *field_name(enum field f)
{
	static const char *const names[] = {
#define FIELD(name, kind, at_entry, where, type) #name,
#include "expr/fields.def"
#undef FIELD
	};

	return names[f];
}

const char *op_text(enum op op)
{
	static const char *const texts[] = {
		[OP_OR] = "||",	    [OP_AND] = "&&", [OP_BIT_OR] = "|", [OP_BIT_XOR] = "^",
		[OP_BIT_AND] = "&", [OP_EQ] = "==",  [OP_NE] = "!=",	[OP_LT] = "<",
		[OP_LE] = "<=",	    [OP_GT] = ">",   [OP_GE] = ">=",	[OP_SHL] = "<<",
		[OP_SHR] = ">>",    [OP_ADD] = "+",  [OP_SUB] = "-",	[OP_MUL] = "*",
		[OP_DIV] = "/",	    [OP_MOD] = "%",  [OP_NOT] = "!",	[OP_BIT_NOT] = "~",
		[OP_NEG] = "-",
	};

	return texts[op];
}

/* Edits that turn one word into the other; a swap of neighbours is one. Case costs nothing. */
static size_t edit_distance(const char *a, size_t la, const char *b, size_t lb)
{
	enum { MAX_WORD = 32 };
	size_t d[MAX_WORD + 1][MAX_WORD + 1];

	if (la > MAX_WORD || lb > MAX_WORD)
		return SIZE_MAX;
	for (size_t i = 0; i <= la; i++)
		for (size_t j = 0; j <= lb; j++) {
			size_t same, best;

			if (!i || !j) {
				d[i][j] = i + j;
				continue;
			}
			same = (a[i - 1] | 0x20) == (b[j - 1] | 0x20) ? 0 : 1;
			best = MIN(d[i - 1][j] + 1, d[i][j - 1] + 1);
			best = MIN(best, d[i - 1][j - 1] + same);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				best = MIN(best, d[i - 2][j - 2] + 1);
			d[i][j] = best;
		}
	return d[la][lb];
}

void nearest_offer(struct nearest *n, const char *wrong, size_t len, const char *candidate)
{
	size_t distance = edit_distance(wrong, len, candidate, strlen(candidate));
	size_t limit = MAX(len / 3, (size_t)1);

	if (distance > limit || (n->name && distance >= n->distance))
		return;
	n->name = candidate;
	n->distance = distance;
}
