/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "render/output.h"
#include "verbs.h"

int cmd_version(struct cli *cli)
{
	struct json_writer *w = output_document(cli->output);

	if (w) {
		json_string(w, "version", SONDE_VERSION);
		output_document_end(cli->output);
	} else {
		strbuf_puts(output_data(cli->output), "sonde " SONDE_VERSION "\n");
	}
	return EXIT_OK;
}
