/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any string is either a gate whose parts are whole, or refused with a column and a fix. */
#include "query/gate.h"
#include "sonde/base/strbuf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct gate *g)
{
	_cleanup_(gate_freep) struct gate *again = NULL;

	if (!g->n_comparisons || !g->n_nodes)
		abort();
	for (size_t i = 0; i < g->n_comparisons; i++) {
		const struct gate_comparison *c = &g->comparisons[i];

		again = gate_free(again);
		/* What is shown for a part is that part. */
		if (!c->glob[0] || !strstr(g->text, c->text) ||
		    gate_parse(c->text, NULL, &again) < 0 || again->n_comparisons != 1 ||
		    !streq(again->comparisons[0].glob, c->glob) ||
		    again->comparisons[0].value != c->value)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(gate_freep) struct gate *g = NULL;
	_cleanup_(freep) char *text = strndup((const char *)data, size);
	struct error e = {};
	unsigned int column;
	int r;

	if (!text)
		return 0;
	r = gate_parse(text, &e, &g);
	if (r >= 0)
		check(g);
	else if (r != -ENOMEM && (g || !e.fix[0] || sscanf(e.message, "column %u:", &column) != 1 ||
				  column < 1 || column > strlen(text) + 1))
		abort();
	return 0;
}
