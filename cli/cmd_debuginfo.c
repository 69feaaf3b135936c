/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <cjson/cJSON.h>

#include "connect.h"
#include "debuginfo.h"
#include "query.h"
#include "render/grid.h"
#include "render/session.h"
#include "render/text.h"
#include "sonde/base/format.h"
#include "varlink/message.h"

static const char *shown_result(reply_t *file)
{
	static const char *const shown[][2] = {
		{"not_found", "not found"}, {"too_large", "too large"}, {"not_tried", "not tried"}};
	const char *result = reply_str(file, "result");

	for (size_t i = 0; i < ARRAY_SIZE(shown); i++)
		if (streq(shown[i][0], result))
			return shown[i][1];
	return *result ? result : "-";
}

static void debuginfo_text(struct output *o, reply_t *reply, const void *arg)
{
	const struct options *opt = arg;
	const struct grid_column columns[] = {
		{"SAMPLES%", true}, {"SAMPLES", true},
		{"MISSING"},	    {opt->fetch ? "RESULT" : "BUILD-ID"},
		{"FILE"},
	};
	_cleanup_(grid_freep) struct grid *g = grid_new(columns, ARRAY_SIZE(columns));
	uint64_t total = reply_u64(reply, "total_samples");

	if (!g) {
		output_data(o)->failed = true;
		return;
	}
	reply_foreach(file, reply, "files")
	{
		grid_percent(g, text_percent(reply_u64(file, "samples"), total));
		grid_count(g, reply_u64(file, "samples"));
		grid_text(g, reply_str(file, "missing"));
		grid_text(g, opt->fetch ? shown_result(file) : reply_str(file, "build_id"));
		grid_text(g, reply_str(file, "path"));
	}
	grid_print(g, o);
}

static bool can_be_fetched(reply_t *reply)
{
	reply_foreach(file, reply,
		      "files") if (!streq(reply_str(file, "missing"), "file")) return true;
	return false;
}

/* Behind the table. */
static void notes(struct cli *cli, reply_t *reply)
{
	struct output *o = cli->output;

	if (!reply_u64(reply, "total_samples"))
		output_note(o, "sonde: no samples in this session yet");
	else if (!reply_first(reply, "files"))
		output_note(o, "sonde: nothing is missing: the files of all samples have symbols "
			       "and debug information");
	else if (!cli->options->fetch && can_be_fetched(reply))
		output_note(o, "sonde: --fetch downloads it from $DEBUGINFOD_URLS, where a server "
			       "has it");
	coverage_note(o, reply);
}

static int ask(struct cli *cli, struct connection *c, struct cJSON **ret)
{
	const struct options *o = cli->options;
	struct cJSON *files;
	int r = debuginfo_missing(cli, c, o->kind ? o->kind : "cpu", ret);

	if (r >= 0 && !o->kind && !reply_u64(*ret, "total_samples")) {
		message_free_json(*ret);
		*ret = NULL;
		r = debuginfo_missing(cli, c, "offcpu", ret);
	}
	if (r < 0 || !o->count.set)
		return r;
	files = cJSON_GetObjectItemCaseSensitive(*ret, "files");
	for (int n = cJSON_GetArraySize(files); (uint64_t)n > o->count.value; n--)
		cJSON_DeleteItemFromArray(files, n - 1);
	return 0;
}

static int check_options(const struct options *o, struct error *e)
{
	if (!o->fetch && (o->urls || o->max_size.set || o->max_time.set || o->cache_size.set))
		return usage_error(o, e,
				   "--urls, --max-size, --max-time and --cache-size are "
				   "about --fetch");
	return 0;
}

static int find_urls(const struct options *o, const char **ret, struct error *e)
{
	const char *env = getenv("DEBUGINFOD_URLS");

	*ret = o->urls ? o->urls : env ? env : "";
	if ((*ret)[strspn(*ret, " ")])
		return 0;
	error_set(e, EINVAL, "BadArgument", "no debuginfod server is named: $DEBUGINFOD_URLS is %s",
		  env ? "empty" : "not set");
	error_fix(e, "export DEBUGINFOD_URLS=https://debuginfod.debian.net (or the one of your "
		     "distribution), or give it to --urls");
	return -EINVAL;
}

/* Where not one file came, that is a failure, of the kind that tells most. */
static int judge(const struct debuginfo_result *r, const char *urls, struct error *e)
{
	if (r->fetched > 0 || r->wanted == 0)
		return EXIT_OK;
	if (r->refused > 0)
		return error_set(e, EBADMSG, "BadFile",
				 "nothing was fetched: what the servers sent was refused (%.300s)",
				 urls);
	if (r->failed > 0)
		return error_set(e, EIO, "BadFile",
				 "nothing was fetched: downloading failed "
				 "(%.300s)",
				 urls);
	if (r->too_large > 0) {
		error_set(e, EFBIG, "TooMany", "nothing was fetched: too large");
		error_fix(e, "allow more with --max-size");
		return -EFBIG;
	}
	error_set(e, ENOENT, "NoSuchFile", "no server has debug information for %s (%.300s)",
		  r->wanted == 1 ? "this file" : "any of these files", urls);
	error_fix(e, "name the server of the distribution that the files are from");
	return -ENOENT;
}

static int fetch(struct cli *cli, struct connection *c, struct cJSON *missing, const char *urls)
{
	const struct options *o = cli->options;
	struct debuginfo_limits limits = DEBUGINFO_LIMITS;
	struct debuginfo_result result;
	int r;

	if (o->max_size.set)
		limits.bytes = o->max_size.value;
	if (o->max_time.set)
		limits.time_ns = o->max_time.value;
	if (o->cache_size.set)
		limits.cache_bytes = o->cache_size.value;
	r = debuginfo_fetch(cli, c, missing, urls, &limits, true, &result);
	if (r >= 0)
		r = judge(&result, urls, &cli->error);
	if (r >= 0 && !cJSON_AddNumberToObject(missing, "fetched_bytes", (double)result.bytes))
		r = -ENOMEM;
	return r;
}

int cmd_debuginfo(struct cli *cli)
{
	static const struct view view = {.text = debuginfo_text};
	_cleanup_(connection_freep) struct connection *c = NULL;
	_cleanup_(message_free_jsonp) struct cJSON *reply = NULL;
	const char *urls = NULL;
	int r = check_options(cli->options, &cli->error);

	/* Said before anything is asked, as nothing else can be done about it. */
	if (r >= 0 && cli->options->fetch)
		r = find_urls(cli->options, &urls, &cli->error);
	if (r >= 0)
		r = connection_open(cli->options, &c, &cli->error);
	if (r >= 0)
		r = ask(cli, c, &reply);
	if (r >= 0 && urls)
		r = fetch(cli, c, reply, urls);
	if (r < 0)
		return r;
	output_answer(cli->output, reply, &view, cli->options);
	r = output_finish(cli->output, &cli->error);
	if (r < 0)
		return r;
	notes(cli, reply);
	return EXIT_OK;
}
