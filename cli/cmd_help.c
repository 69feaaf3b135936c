/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "help.h"
#include "options.h"
#include "render/output.h"

int cmd_help(struct cli *cli)
{
	const struct options *o = cli->options;
	const struct verb *v = NULL;
	const char *near;

	if (o->n_operands > 1)
		return usage_error(o, &cli->error, "name one verb: sonde help VERB");
	if (o->n_operands == 1) {
		v = verb_find(o->operands[0]);
		near = verb_nearest(o->operands[0]);
		if (!v && near)
			return usage_error(o, &cli->error, "unknown verb %s, did you mean %s?",
					   o->operands[0], near);
		if (!v)
			return usage_error(o, &cli->error, "unknown verb %s", o->operands[0]);
	}
	help_text(output_data(cli->output), v);
	return EXIT_OK;
}
