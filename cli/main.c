/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sonde: finds the verb, runs it, prints the error if there is one, exits. */
#include <signal.h>

#include "help.h"
#include "options.h"
#include "render/output.h"

static int exit_status(const struct cli *cli)
{
	if (cli->exit_status)
		return cli->exit_status;
	return streq(cli->error.name, "NoDaemon") ? EXIT_NO_DAEMON
						  : error_exit_status(cli->error.name);
}

/* Of several gates the daemon says which one. */
static const char *complained_gate(const struct options *o, const struct error *e,
				   unsigned int *ret_column)
{
	unsigned int i = 1;

	if (sscanf(e->message, "column %u:", ret_column) != 1 &&
	    sscanf(e->message, "gate %u, column %u:", &i, ret_column) != 2)
		return NULL;
	return i >= 1 && i <= o->fail_if.n ? o->fail_if.items[i - 1] : NULL;
}

/* The condition or the query with a mark below the column that the daemon complained about. */
static void point_at(struct output *output, const struct options *o, const struct error *e)
{
	const char *const given[] = {o->where, o->in, o->begin, o->stack_if};
	const char *text = NULL;
	unsigned int column, n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(given); i++)
		if (given[i]) {
			text = given[i];
			n++;
		}
	if (output_is_json(output))
		return;
	if (streq(e->name, "BadQuery") && o->n_operands == 1 && !streq(o->operands[0], "-")) {
		text = o->operands[0];
		n = 1;
	} else if (!streq(e->name, "BadCondition")) {
		return;
	}
	if (o->fail_if.n)
		text = complained_gate(o, e, &column);
	else if (n != 1 || sscanf(e->message, "column %u:", &column) != 1)
		return;
	if (!text || column > strlen(text) + 1)
		return;
	output_note(output, "  %s", text);
	output_note(output, "  %*s^", (int)column - 1, "");
}

static int run(struct cli *cli)
{
	const struct options *o = cli->options;

	if (o->version)
		return cmd_version(cli);
	if (o->help) {
		help_text(output_data(cli->output), o->verb);
		return EXIT_OK;
	}
	if (!o->verb)
		return usage_error(o, &cli->error, "say what to do: sonde VERB");
	return o->verb->run(cli);
}

/* Recordings are the daemon's to write. */
static bool is_daemons_file(const struct verb *verb)
{
	return verb == &verbs[VERB_record] || verb == &verbs[VERB_replay] ||
	       verb == &verbs[VERB_import];
}

int main(int argc, char **argv)
{
	_cleanup_(options_release) struct options o = {0};
	_cleanup_(output_freep) struct output *output = NULL;
	struct cli cli = {.options = &o};
	struct output_config config;
	int r, finished;

	/* A reader that goes away is told by write(). */
	signal(SIGPIPE, SIG_IGN);
	r = options_parse(&o, argc, argv, &cli.error);
	config = (struct output_config){
		.json = o.json,
		.quiet = o.quiet,
		.no_pager = o.no_pager,
		.color = o.color,
		.path = is_daemons_file(o.verb) ? NULL : o.output,
	};
	cli.output = output = output_new(&config);
	if (!output) {
		fputs("sonde: out of memory\n", stderr);
		return EXIT_FAILED;
	}
	if (o.help || o.version || (o.verb && o.verb->needs == NEEDS_NOTHING))
		output_streaming(output);
	if (r >= 0)
		r = run(&cli);
	if (r >= 0) {
		finished = output_finish(output, &cli.error);
		r = finished < 0 ? finished : r;
	}
	/* Nobody reads any more (sonde … | head): that is no failure. */
	if (r == -EPIPE && !cli.error.name[0])
		return EXIT_OK;
	if (r < 0 && !cli.error.name[0])
		error_set(&cli.error, -r, "Internal", "%s", strerror(-r));
	if (r < 0) {
		output_error(output, &cli.error);
		point_at(output, &o, &cli.error);
	}
	return r < 0 ? exit_status(&cli) : r;
}
