/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What expr_bind() makes and the back ends read. Private to the module. */
#ifndef SONDE_EXPR_BOUND_H
#define SONDE_EXPR_BOUND_H

#include "expr/ir.h"

enum { EXPR_PARTS = EXPR_WHOLE + 1 };

struct bound {
	struct arena arena; /* of all but the regexes */
	struct regex *regexes;
	struct ir *parts[EXPR_PARTS]; /* true where there is no term */
	bool has[EXPR_PARTS];
	const char *texts[EXPR_PARTS];
	struct expr_use *uses;
	size_t n_uses, uses_cap;
};

#endif
