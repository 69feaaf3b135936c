/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/source_facts.h"

bool source_facts_attr(void *arg, const char *key, struct expr_attr *ret)
{
	const struct span_more *more = arg;
	struct attribute a;

	if (!more->values || !attributes_find(more->values, more->values_len, key, &a))
		return false;
	*ret = (struct expr_attr){
		.number = a.number, .real = a.real, .text = a.text, .len = a.text_len};
	switch (a.type) {
	case ATTRIBUTE_INT:
		ret->type = EXPR_ATTR_INT;
		break;
	case ATTRIBUTE_UINT:
		ret->type = EXPR_ATTR_UINT;
		break;
	case ATTRIBUTE_REAL:
		ret->type = EXPR_ATTR_REAL;
		break;
	case ATTRIBUTE_BOOL:
		ret->type = EXPR_ATTR_BOOL;
		break;
	case ATTRIBUTE_TEXT:
		ret->type = EXPR_ATTR_TEXT;
		break;
	}
	return true;
}
