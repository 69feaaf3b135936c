/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What verbs that ask once and show the answer have in common. */
#ifndef SONDE_CLI_QUERY_H
#define SONDE_CLI_QUERY_H

#include "render/output.h"
#include "request.h"

/*
 * Opens the connection, calls the method, shows the answer by the view, and notes coverage and
 * what was left out. The exit status, or -errno with cli->error.
 */
int query_run(struct cli *cli, const char *method, const char *params, const struct view *view,
	      const void *arg);
/*
 * query_run() of a question about samples, perhaps: with --debuginfod or $SONDE_DEBUGINFOD what is
 * missing for it is fetched before.
 */
int query_run_samples(struct cli *cli, const char *method, const char *params,
		      const struct view *view, const void *arg);
/* As query_run(), but the reply is the caller's to show (message_free_json()). 0, -errno. */
int query_call(struct cli *cli, const char *method, const char *params, struct cJSON **ret_reply);
/* What query_run() does with the reply. */
int query_show(struct cli *cli, reply_t *reply, const struct view *view, const void *arg);

/*
 * Of a question beside the one that was asked: whether it was refused as such samples are not
 * there. That is then a note, and no error any more.
 */
bool query_goes_without(struct cli *cli);

#endif
