/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "query.h"
#include "render/session.h"

static void list_text(struct output *o, reply_t *reply, const void *arg)
{
	(void)arg;
	sessions_table(o, reply, "sessions");
	if (!reply_first(reply, "sessions"))
		output_note(o, "sonde: no sessions; start one with sonde attach");
}

int cmd_list(struct cli *cli)
{
	static const struct view view = {.text = list_text};

	return query_run(cli, "List", NULL, &view, NULL);
}
