/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any text is either a glob, a condition or both, or refused with a column and a fix. What is a
 * condition has the columns of the whole text. */
#include "expr/expr.h"
#include "expr/within.h"
#include "text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_columns(const struct within *w, const char *text)
{
	size_t len = strlen(w->condition), whole = strlen(text);
	size_t blank = strspn(w->condition, " ");

	if (len > whole || strcmp(text + whole - (len - blank), w->condition + blank) != 0 ||
	    error_column(w->condition, len) != error_column(text, whole))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(within_release) struct within w = {};
	_cleanup_(expr_freep) struct expr *x = NULL;
	_cleanup_(freep) char *text = text_of(data, size);
	struct error e = {};
	int r;

	if (!text)
		return 0;
	r = within_parse(text, &w, &e);
	if (r == -EINVAL &&
	    (!streq(e.name, "BadCondition") || !startswith(e.message, "column ") || !e.fix[0]))
		abort();
	if (r < 0)
		return 0;
	if ((!w.glob && !w.condition) || (w.glob && !*w.glob))
		abort();
	if (w.condition) {
		check_columns(&w, text);
		(void)expr_parse(w.condition, &x, &e);
	}
	return 0;
}
