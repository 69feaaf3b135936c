/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "debuginfo.h"

#include <cjson/cJSON.h>

#include "connect.h"
#include "fetch/client.h"
#include "fetch/elf_id.h"
#include "fetch/store.h"
#include "render/output.h"
#include "render/text.h"
#include "request.h"
#include "sonde/base/format.h"
#include "varlink/message.h"

int debuginfo_missing(struct cli *cli, struct connection *c, const char *kind, struct cJSON **ret)
{
	_cleanup_(strbuf_release) struct strbuf params = {0};
	struct json_writer w;
	int r;

	request_begin(&w, &params);
	request_query_of(&w, cli->options, kind);
	r = request_end(&w, &cli->error);
	return r < 0 ? r : connection_call(c, "MissingDebugInfo", params.data, ret, &cli->error);
}

struct fetching {
	struct cli *cli;
	struct fetch_store *store;
	struct fetch_client *client;
	struct debuginfo_result *result;
	const struct debuginfo_limits *limits;
	uint64_t deadline_ns;
	const char *label; /* of the download at hand */
	bool shows_progress, line_open;
};

static void fetching_release(struct fetching *f)
{
	fetch_client_free(f->client);
	fetch_store_free(f->store);
}

static void on_progress(void *arg, uint64_t bytes, uint64_t total)
{
	struct fetching *f = arg;
	char done[FORMAT_MAX], all[FORMAT_MAX];
	_cleanup_(strbuf_release) struct strbuf label = {0};

	if (!f->shows_progress || total == 0)
		return;
	text_append_safe(&label, f->label);
	fprintf(stderr, "\r\033[K%s of %s  %s", format_size(done, bytes), format_size(all, total),
		label.data ? label.data : "");
	f->line_open = true;
}

static void end_line(struct fetching *f)
{
	if (f->line_open)
		fputs("\r\033[K", stderr);
	f->line_open = false;
}

static uint64_t size_of(int fd)
{
	off_t end = lseek(fd, 0, SEEK_END);

	return end < 0 ? 0 : (uint64_t)end;
}

/* One file, to its place. supplement: the build-id of what it needs besides, or "". */
static int fetch_one(struct fetching *f, const char *build_id, char supplement[static ELF_ID_HEX],
		     uint64_t *ret_size, struct error *e)
{
	struct fetch_limit limit = {
		.bytes = f->limits->bytes - MIN(f->limits->bytes, f->result->bytes),
		.deadline_ns = f->deadline_ns,
	};
	_cleanup_(freep) char *path = NULL;
	_cleanup_(closep) int fd = -EBADF;
	uint64_t size;
	int r;

	r = limit.bytes
		    ? fetch_client_get(f->client, build_id, &limit, on_progress, f, &fd, &path, e)
		    : -EFBIG;
	end_line(f);
	if (r < 0)
		return r;
	size = size_of(fd);
	f->result->bytes += size;
	r = fetch_store_put(f->store, build_id, fd, path, supplement, e);
	if (r >= 0)
		*ret_size = size;
	return r;
}

/* What several debug files have in common. Without it the file itself is of little use, but it has
 * the symbols. */
static void fetch_supplement(struct fetching *f, const char *build_id)
{
	char more[ELF_ID_HEX];
	struct error e = {0};
	uint64_t size;
	int r;

	if (!build_id[0] || fetch_store_has(f->store, build_id))
		return;
	r = fetch_one(f, build_id, more, &size, &e);
	if (r < 0)
		output_note(f->cli->output, "sonde: %s: %s, which it shares with others: %s",
			    f->label, build_id,
			    e.message[0]   ? e.message
			    : r == -ENOENT ? "no server has it"
					   : strerror(-r));
}

static const char *note_result(struct fetching *f, int r, uint64_t size, const struct error *e)
{
	struct output *o = f->cli->output;
	char text[FORMAT_MAX];

	switch (r) {
	case 0:
		f->result->fetched++;
		output_note(o, "sonde: %s: fetched %s", f->label, format_size(text, size));
		return "fetched";
	case -ENOENT:
		output_note(o, "sonde: %s: no server has debug information for it", f->label);
		return "not_found";
	case -EFBIG:
		f->result->too_large++;
		output_note(o, "sonde: %s: larger than what is left of --max-size", f->label);
		return "too_large";
	case -EBADMSG:
		f->result->refused++;
		output_note(o, "sonde: %s: %s", f->label, e->message);
		return "refused";
	case -EINTR:
	case -EHOSTUNREACH:
		return "not_tried";
	default:
		f->result->failed++;
		output_note(o, "sonde: %s: cannot be fetched: %s", f->label,
			    r == -ETIME	    ? "the time is over"
			    : e->message[0] ? e->message
					    : strerror(-r));
		return "failed";
	}
}

/* < 0: there is no point in going on; cli->error says why. */
static int fetch_file(struct fetching *f, struct cJSON *file)
{
	const char *build_id = reply_str(file, "build_id"), *result;
	char supplement[ELF_ID_HEX] = "";
	_cleanup_(strbuf_release) struct strbuf label = {0};
	struct error e = {0};
	uint64_t size = 0;
	int r;

	text_append_safe(&label, reply_str(file, "path"));
	f->label = label.data ? label.data : "";
	f->result->wanted++;
	r = fetch_one(f, build_id, supplement, &size, &e);
	result = note_result(f, r, size, &e);
	if (!cJSON_AddStringToObject(file, "result", result))
		return -ENOMEM;
	if (r == 0)
		fetch_supplement(f, supplement);
	if (r == -EINTR) {
		f->cli->exit_status = EXIT_INTERRUPTED;
		return error_set(&f->cli->error, EINTR, "Interrupted",
				 "interrupted; what was fetched until then stays");
	}
	if (r == -EHOSTUNREACH || r == -ENOSPC)
		f->cli->error = e;
	return r == -EHOSTUNREACH || r == -ENOSPC ? r : 0;
}

/* Of all that is missing, what note_result() says was fetched. */
static int tell_daemon(struct connection *c, reply_t *missing, struct error *e)
{
	_cleanup_(message_free_jsonp) struct cJSON *reply = NULL;
	_cleanup_(strbuf_release) struct strbuf params = {0};
	struct json_writer w;
	int r;

	request_begin(&w, &params);
	json_array_begin(&w, "build_ids");
	reply_foreach(file, missing, "files")
	{
		if (streq(reply_str(file, "result"), "fetched"))
			json_string(&w, NULL, reply_str(file, "build_id"));
	}
	json_array_end(&w);
	r = request_end(&w, e);
	return r < 0 ? r : connection_call(c, "ForgetSymbols", params.data, &reply, e);
}

static int open_both(struct fetching *f, const char *directory, const char *urls, bool again)
{
	struct error *e = &f->cli->error;
	int r;

	if (!*directory) {
		error_set(e, ENOENT, "NotSupported",
			  "there is no directory for debug files that are fetched");
		error_fix(e, "set HOME or XDG_CACHE_HOME");
		return -ENOENT;
	}
	r = fetch_store_open(directory, again, &f->store, e);
	if (r < 0)
		return r;
	if (again)
		fetch_store_clear_workspace(f->store);
	return fetch_client_new(urls, fetch_store_workspace(f->store), &f->client, e);
}

int debuginfo_fetch(struct cli *cli, struct connection *c, struct cJSON *missing, const char *urls,
		    const struct debuginfo_limits *limits, bool again, struct debuginfo_result *ret)
{
	_cleanup_(fetching_release) struct fetching f = {
		.cli = cli,
		.result = ret,
		.limits = limits,
		.deadline_ns = now_monotonic_ns() + limits->time_ns,
		.shows_progress = !cli->options->quiet && isatty(STDERR_FILENO),
	};
	struct error told = {0};
	struct cJSON *file;
	size_t removed = 0;
	int r = 0, x = 0;

	*ret = (struct debuginfo_result){0};
	cJSON_ArrayForEach(file, cJSON_GetObjectItemCaseSensitive(missing, "files"))
	{
		/* Without the file itself its debug file is of no use. */
		if (streq(reply_str(file, "missing"), "file"))
			continue;
		if (!f.client)
			r = open_both(&f, reply_str(missing, "directory"), urls, again);
		if (r >= 0)
			r = fetch_file(&f, file);
		if (r < 0)
			break;
	}
	if (f.store && ret->fetched > 0 &&
	    fetch_store_trim(f.store, limits->cache_bytes, &removed) >= 0 && removed > 0)
		output_note(cli->output, "sonde: %zu of the oldest fetched files removed", removed);
	if (ret->fetched > 0)
		x = tell_daemon(c, missing, &told);
	if (x < 0 && r >= 0)
		cli->error = told;
	return r < 0 ? r : x;
}

static bool is_switched_on(const struct options *o)
{
	static const char *const yes[] = {"1", "yes", "true", "on"};
	const char *env = getenv("SONDE_DEBUGINFOD");

	for (size_t i = 0; env && i < ARRAY_SIZE(yes); i++)
		if (streq(env, yes[i]))
			return true;
	return o->debuginfod;
}

int debuginfo_prepare(struct cli *cli, struct connection *c)
{
	static const struct debuginfo_limits limits = DEBUGINFO_LIMITS;
	_cleanup_(message_free_jsonp) struct cJSON *missing = NULL;
	const char *urls = getenv("DEBUGINFOD_URLS");
	struct debuginfo_result result;
	int r;

	if (!is_switched_on(cli->options))
		return 0;
	if (!urls || !urls[strspn(urls, " ")]) {
		if (cli->options->debuginfod)
			output_note(cli->output,
				    "sonde: $DEBUGINFOD_URLS is not set: nothing is fetched");
		return 0;
	}
	r = debuginfo_missing(cli, c, cli->options->kind, &missing);
	if (r >= 0)
		r = debuginfo_fetch(cli, c, missing, urls, &limits, false, &result);
	if (r >= 0 || r == -EINTR || r == -EPIPE)
		return MIN(r, 0);
	/* What is wrong with the question will be said when it is asked. */
	if (missing)
		output_note(cli->output, "sonde: debug files are not fetched: %s",
			    cli->error.message[0] ? cli->error.message : strerror(-r));
	cli->error = (struct error){0};
	return 0;
}
