/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "baseline.h"
#include "connect.h"
#include "render/grid.h"
#include "render/sink.h"
#include "sonde/base/format.h"
#include "varlink/message.h"

/* What a recording says of itself, by opening it: *ret_reply is the answer of List. */
static int look_into(struct cli *cli, const char *path, struct cJSON **ret_reply, struct error *e)
{
	_cleanup_(connection_freep) struct connection *c = NULL;
	int r = connection_open_files(cli->options, path, NULL, &c, e);

	return r < 0 ? r : connection_call(c, "List", NULL, ret_reply, e);
}

static int make_directory(struct error *e)
{
	_cleanup_(freep) char *dir = NULL;
	int r = baseline_directory(&dir, e);

	if (r < 0)
		return r;
	for (char *slash = strchr(dir + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void)mkdir(dir, 0755);
		*slash = '/';
	}
	/* Recordings have arguments and names of other people's programs in them. */
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return error_set(e, errno, "WriteFailed", "cannot make the directory %s: %m", dir);
	return 0;
}

/* A recording that is still being written has its newest windows in FILE-wal. */
static int check_finished(const char *file, struct error *e)
{
	_cleanup_(freep) char *wal = NULL;
	struct stat st;
	int r;

	if (asprintf(&wal, "%s-wal", file) < 0)
		return -ENOMEM;
	if (stat(wal, &st) < 0 || st.st_size == 0)
		return 0;
	r = error_set(e, EBUSY, "BadFile", "%s is still being written, or its writer was killed",
		      file);
	error_fix(e, "end the recording first (sonde record ends with Ctrl-C)");
	return r;
}

static int copy(const char *from, const char *to, struct error *e)
{
	_cleanup_(sink_freep) struct sink *sink = sink_new(to);
	_cleanup_(closep) int fd = open(from, O_RDONLY | O_CLOEXEC);
	_cleanup_(freep) char *chunk = malloc(1 << 20);
	mode_t mask = umask(077);
	ssize_t n = 0;
	int r = 0;

	if (!sink || !chunk)
		r = -ENOMEM;
	if (fd < 0)
		r = error_set(e, errno, "NoSuchFile", "cannot open %s: %m", from);
	while (r >= 0 && (n = read(fd, chunk, 1 << 20)) > 0)
		r = sink_write(sink, chunk, (size_t)n, false, e);
	if (n < 0)
		r = error_set(e, errno, "BadFile", "cannot read %s: %m", from);
	if (r >= 0)
		r = sink_finish(sink, e);
	umask(mask);
	return r;
}

static void say_saved(struct cli *cli, const char *name, const char *path)
{
	struct json_writer *w = output_document(cli->output);

	if (w) {
		json_string(w, "name", name);
		json_string(w, "path", path);
		output_document_end(cli->output);
	} else {
		output_note(cli->output, "sonde: saved baseline %s: %s", name, path);
	}
}

static int save(struct cli *cli, const char *name)
{
	_cleanup_(side_file_release) struct side_file from = {};
	_cleanup_(message_free_jsonp) struct cJSON *reply = NULL;
	const struct options *o = cli->options;
	_cleanup_(freep) char *path = NULL;
	int r;

	if (o->input && o->session)
		return usage_error(o, &cli->error, "either -i FILE or --session NAME");
	r = baseline_path(name, &path, &cli->error);
	if (r >= 0)
		r = side_file_open(o, o->input ? o->input : "now", &from, &cli->error);
	if (r >= 0)
		r = check_finished(from.path, &cli->error);
	/* Whatever cannot be opened is no baseline. */
	if (r >= 0)
		r = look_into(cli, from.path, &reply, &cli->error);
	if (r >= 0)
		r = make_directory(&cli->error);
	if (r >= 0)
		r = copy(from.path, path, &cli->error);
	if (r < 0)
		return r;
	say_saved(cli, name, path);
	return EXIT_OK;
}

static int remove_one(struct cli *cli, const char *name)
{
	_cleanup_(freep) char *path = NULL;
	int r = baseline_find(name, &path, &cli->error);

	if (r < 0)
		return r;
	if (unlink(path) < 0)
		return error_set(&cli->error, errno, "WriteFailed", "cannot remove %s: %m", path);
	if (output_document(cli->output))
		output_document_end(cli->output);
	return EXIT_OK;
}

static void list_one(struct cli *cli, struct json_writer *w, struct grid *g, const char *name,
		     const char *path)
{
	_cleanup_(message_free_jsonp) struct cJSON *reply = NULL;
	struct error error = {0};
	bool good = look_into(cli, path, &reply, &error) >= 0;
	reply_t *session = good ? reply_first(reply, "sessions") : NULL;
	char date[FORMAT_MAX], size[FORMAT_MAX];
	struct stat st = {0};

	(void)stat(path, &st);
	if (w) {
		json_object_begin(w, NULL);
		json_string(w, "name", name);
		json_string(w, "path", path);
		json_u64(w, "bytes", (uint64_t)st.st_size);
		json_bool(w, "good", session != NULL);
		if (session)
			reply_write(w, "session", session, NULL, NULL);
		json_object_end(w);
		return;
	}
	grid_text(g, name);
	grid_text(g, format_size(size, (uint64_t)st.st_size));
	grid_text(g, session ? format_date(date, reply_u64(session, "started_us")) : "-");
	grid_count(g, reply_u64(session, "spans"));
	grid_count(g, reply_u64(session, "samples"));
	grid_text(g, session ? reply_str(session, "targets") : error.message);
	grid_style(g, session ? STYLE_NONE : STYLE_BAD);
}

static int is_baseline(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return d->d_name[0] != '.' && n > 6 && streq(d->d_name + n - 6, ".sonde");
}

static int list(struct cli *cli)
{
	static const struct grid_column columns[] = {{"NAME", false},	  {"SIZE", true},
						     {"RECORDED", false}, {"SPANS", true},
						     {"SAMPLES", true},	  {"TARGETS", false}};
	_cleanup_(grid_freep) struct grid *g = grid_new(columns, ARRAY_SIZE(columns));
	struct json_writer *w = output_document(cli->output);
	_cleanup_(freep) char *dir = NULL;
	struct dirent **names = NULL;
	int n, r = baseline_directory(&dir, &cli->error);

	if (r < 0 || !g)
		return r < 0 ? r : -ENOMEM;
	n = scandir(dir, &names, is_baseline, alphasort);
	if (n < 0 && errno != ENOENT)
		return error_set(&cli->error, errno, "NoSuchFile", "cannot read %s: %m", dir);
	if (w)
		json_array_begin(w, "baselines");
	for (int i = 0; i < n; i++) {
		_cleanup_(freep) char *path = NULL;

		if (asprintf(&path, "%s/%s", dir, names[i]->d_name) >= 0) {
			names[i]->d_name[strlen(names[i]->d_name) - 6] = '\0';
			list_one(cli, w, g, names[i]->d_name, path);
		}
		free(names[i]);
	}
	free(names);
	if (w) {
		json_array_end(w);
		output_document_end(cli->output);
		return EXIT_OK;
	}
	grid_print(g, cli->output);
	if (n <= 0)
		output_note(cli->output, "sonde: no baselines in %s", dir);
	return EXIT_OK;
}

int cmd_baseline(struct cli *cli)
{
	const struct options *o = cli->options;
	const char *what = o->n_operands ? o->operands[0] : "";

	if (streq(what, "list") && o->n_operands == 1)
		return list(cli);
	if (o->n_operands == 2 && streq(what, "save"))
		return save(cli, o->operands[1]);
	if (o->n_operands == 2 && streq(what, "rm"))
		return remove_one(cli, o->operands[1]);
	return usage_error(o, &cli->error, "say what to do: baseline save NAME, list or rm NAME");
}
