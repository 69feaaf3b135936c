/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/session_file.h"

#include <cjson/cJSON.h>
#include <dirent.h>
#include <fcntl.h>
#include <ini.h>
#include <pwd.h>
#include <sys/stat.h>

#include "control/methods.h"
#include "sonde/base/format.h"
#include "sonde/base/strbuf.h"

enum key_kind { TEXT, LIST, NUMBER, FLAG, DURATION, USER };

/* What the file calls it, and SessionOptions of the interface. */
static const struct {
	const char *key, *member;
	enum key_kind kind;
	bool selects; /* a member of selectors */
} keys[] = {
	{"name", "name", TEXT, false},
	{"spec", "specs", LIST, false},
	{"comm", "comm", TEXT, true},
	{"uid", "uid", USER, true},
	{"cgroup", "cgroup", TEXT, true},
	{"container", "container", TEXT, true},
	{"frequency", "frequency", NUMBER, false},
	{"off-cpu", "offcpu", FLAG, false},
	{"min-duration", "min_duration_ns", DURATION, false},
	{"max-depth", "max_depth", NUMBER, false},
	{"errors", "errors_only", FLAG, false},
	{"error-rule", "error_rule", TEXT, false},
	{"exceptions", "exceptions", FLAG, false},
	{"where", "where", TEXT, false},
	{"begin", "begin", TEXT, false},
	{"stack-if", "stack_if", TEXT, false},
	{"inside", "inside", LIST, false},
	{"args", "args", FLAG, false},
	{"capture", "capture", LIST, false},
	{"redact", "redact", LIST, false},
	{"return", "returns", TEXT, false},
	{"stats-only", "stats_only", FLAG, false},
};

struct reading {
	cJSON *options, *selectors;
	char why[256]; /* what is wrong with the line that was read last */
};

static cJSON *parse_value(struct reading *r, size_t k, const char *value)
{
	uint64_t n;
	struct passwd *user;

	switch (keys[k].kind) {
	case NUMBER:
		if (parse_u64(value, &n) == 0 && n <= INT32_MAX)
			return cJSON_CreateNumber((double)n);
		snprintf(r->why, sizeof(r->why), "%s: \"%s\" is no number", keys[k].key, value);
		return NULL;
	case DURATION:
		if (parse_duration(value, &n) == 0 && n < 1ULL << 53)
			return cJSON_CreateNumber((double)n);
		snprintf(r->why, sizeof(r->why), "%s: \"%s\" is no time such as 10ms", keys[k].key,
			 value);
		return NULL;
	case FLAG:
		if (streq(value, "yes") || streq(value, "no"))
			return cJSON_CreateBool(streq(value, "yes"));
		snprintf(r->why, sizeof(r->why), "%s: write yes or no", keys[k].key);
		return NULL;
	case USER:
		user = getpwnam(value);
		if (user || parse_u64(value, &n) == 0)
			return cJSON_CreateNumber(user ? user->pw_uid : (double)n);
		snprintf(r->why, sizeof(r->why), "uid: there is no user \"%s\"", value);
		return NULL;
	case TEXT:
	case LIST:
		return cJSON_CreateString(value);
	}
	return NULL;
}

static bool take(struct reading *r, size_t k, const char *value)
{
	cJSON *to = keys[k].selects ? r->selectors : r->options, *list;
	cJSON *item = parse_value(r, k, value);

	if (!item)
		return false;
	if (keys[k].kind != LIST) {
		if (!cJSON_GetObjectItemCaseSensitive(to, keys[k].member))
			return cJSON_AddItemToObject(to, keys[k].member, item);
		snprintf(r->why, sizeof(r->why), "a second value for %s", keys[k].key);
		cJSON_Delete(item);
		return false;
	}
	list = cJSON_GetObjectItemCaseSensitive(to, keys[k].member);
	if (!list)
		list = cJSON_AddArrayToObject(to, keys[k].member);
	return cJSON_AddItemToArray(list, item);
}

/* inih calls it for every value; 0 says that it was not right. */
static int take_value(void *arg, const char *section, const char *name, const char *value)
{
	struct reading *r = arg;

	if (r->why[0])
		return 0;
	if (!streq(section, "session")) {
		snprintf(r->why, sizeof(r->why), "there is no section [%.100s], only [session]",
			 section);
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (streq(keys[i].key, name))
			return take(r, i, value);
	snprintf(r->why, sizeof(r->why),
		 "[session] has no key \"%.100s\": keys are the options of sonde attach, and spec",
		 name);
	return 0;
}

/* Whoever can write to it tells a privileged daemon what to do. */
static int check_owner(FILE *f, const char *path, struct error *error)
{
	struct stat st;

	if (fstat(fileno(f), &st) < 0)
		return -errno;
	if ((st.st_uid == 0 || st.st_uid == geteuid()) && !(st.st_mode & 0022) &&
	    S_ISREG(st.st_mode))
		return 0;
	error_set(error, EPERM, "BadFile", "%s can be written to by others than its owner", path);
	error_fix(error, "chown root %s and chmod 644 %s", path, path);
	return -EPERM;
}

static void delete_json(cJSON **json)
{
	cJSON_Delete(*json);
}

static int parse(FILE *f, const char *path, cJSON *options, struct error *error)
{
	struct reading r = {.options = options};
	int line;

	r.selectors = cJSON_AddObjectToObject(options, "selectors");
	if (!r.selectors)
		return -ENOMEM;
	line = ini_parse_file(f, take_value, &r);
	if (line == 0)
		return 0;
	error_set(error, EINVAL, "BadFile", "%s:%d: %s", path, line,
		  r.why[0] ? r.why : "neither [section] nor key = value");
	return -EINVAL;
}

int session_file_read(const char *path, struct session_options *ret, struct error *error)
{
	_cleanup_(fclosep) FILE *f = fopen(path, "re");

	if (!f) {
		error_set(error, errno, "NoSuchFile", "cannot open %s: %s", path, strerror(errno));
		return -errno;
	}
	if (check_owner(f, path, error) < 0)
		return -EPERM;
	return session_file_parse(f, path, ret, error);
}

int session_file_parse(FILE *f, const char *path, struct session_options *ret, struct error *error)
{
	_cleanup_(delete_json) cJSON *options = cJSON_CreateObject();
	int r = options ? parse(f, path, options, error) : -ENOMEM;

	if (r < 0)
		return r;
	if (!cJSON_GetObjectItemCaseSensitive(options, "specs") &&
	    !cJSON_AddArrayToObject(options, "specs"))
		return -ENOMEM;
	r = methods_read_session_options(options, ret, error);
	if (r >= 0 && !ret->name)
		r = error_set(error, EINVAL, "BadFile", "%s: the session has no name", path);
	if (r >= 0 && !ret->n_specs && !ret->frequency_hz && !ret->offcpu)
		r = error_set(error, EINVAL, "BadFile",
			      "%s: nothing to collect: no spec, no frequency, no off-cpu", path);
	if (r < 0)
		session_options_release(ret);
	return r;
}

static int is_conf(const struct dirent *e)
{
	size_t len = strlen(e->d_name);

	return len > 5 && e->d_name[0] != '.' && streq(e->d_name + len - 5, ".conf");
}

void session_files_each(const char *dir,
			void (*each)(void *arg, const char *path, struct session_options *o,
				     struct error *error),
			void *arg)
{
	struct dirent **names = NULL;
	int n = scandir(dir, &names, is_conf, alphasort);

	for (int i = 0; i < n; i++) {
		struct session_options o = {};
		struct error error = {};
		char path[4096];
		int r;

		snprintf(path, sizeof(path), "%s/%s", dir, names[i]->d_name);
		r = session_file_read(path, &o, &error);
		if (r < 0)
			error_set(&error, -r, "BadFile", "%s", strerror(-r));
		each(arg, path, &o, &error);
		free(names[i]);
	}
	free(names);
}

static void print_value(struct strbuf *out, size_t k, const cJSON *value)
{
	if (cJSON_IsString(value))
		strbuf_printf(out, "%s = %s\n", keys[k].key, value->valuestring);
	else if (cJSON_IsBool(value))
		strbuf_printf(out, "%s = %s\n", keys[k].key, cJSON_IsTrue(value) ? "yes" : "no");
	else if (keys[k].kind == DURATION)
		strbuf_printf(out, "%s = %.0fns\n", keys[k].key, value->valuedouble);
	else
		strbuf_printf(out, "%s = %.0f\n", keys[k].key, value->valuedouble);
}

/* A line break would be another line; inih takes what follows " ;" for a comment. */
static bool is_line(const char *text)
{
	return !strpbrk(text, "\n\r") && !strstr(text, " ;") && strlen(text) < 150;
}

static int print_options(struct strbuf *out, const cJSON *options, struct error *error)
{
	const cJSON *selectors = cJSON_GetObjectItemCaseSensitive(options, "selectors"), *item;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const cJSON *from = keys[i].selects ? selectors : options;
		const cJSON *value = cJSON_GetObjectItemCaseSensitive(from, keys[i].member);

		if (!cJSON_IsArray(value)) {
			if (cJSON_IsString(value) && !is_line(value->valuestring))
				return error_set(error, EINVAL, "BadArgument",
						 "%s: this text cannot stand in a file",
						 keys[i].key);
			if (value && !cJSON_IsNull(value))
				print_value(out, i, value);
			continue;
		}
		cJSON_ArrayForEach(item, value)
		{
			if (!cJSON_IsString(item) || !is_line(item->valuestring))
				return error_set(error, EINVAL, "BadArgument",
						 "%s: this text cannot stand in a file",
						 keys[i].key);
			print_value(out, i, item);
		}
	}
	return 0;
}

static int check_lasting(const cJSON *options, struct error *error)
{
	const cJSON *selectors = cJSON_GetObjectItemCaseSensitive(options, "selectors");
	const cJSON *name = cJSON_GetObjectItemCaseSensitive(options, "name");

	if (!cJSON_IsString(name) || !name->valuestring[0])
		return error_set(
			error, EINVAL, "BadArgument",
			"a session that is to start with the daemon needs a name (--name)");
	if (cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(selectors, "pids")) > 0 ||
	    cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(options, "files")) > 0)
		return error_set(error, EINVAL, "BadArgument",
				 "a session that is to start with the daemon cannot be about PIDs: "
				 "choose processes by name, user, cgroup or container");
	return 0;
}

static int write_text(const char *dir, const char *name, const struct strbuf *text,
		      struct error *error)
{
	char path[4096], temporary[4200];
	int fd, r;

	(void)mkdir(dir, 0755);
	snprintf(path, sizeof(path), "%s/%s.conf", dir, name);
	snprintf(temporary, sizeof(temporary), "%s.new", path);
	(void)unlink(temporary);
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	r = fd < 0 ? -errno : write_fully(fd, text->data, text->len);
	if (r >= 0 && fsync(fd) < 0)
		r = -errno;
	safe_close(fd);
	if (r >= 0 && rename(temporary, path) < 0)
		r = -errno;
	if (r >= 0)
		return 0;
	(void)unlink(temporary);
	error_set(error, -r, "WriteFailed", "cannot write %s: %s", path, strerror(-r));
	error_fix(error, "Check the directory, or write the file by hand: see sonded(8).");
	return r;
}

int session_file_write(const char *dir, const cJSON *options, struct error *error)
{
	_cleanup_(strbuf_release) struct strbuf text = {};
	int r = check_lasting(options, error);

	if (r < 0)
		return r;
	strbuf_puts(&text, "# Starts with sonded; written by sonde attach --persist.\n[session]\n");
	r = print_options(&text, options, error);
	if (r < 0)
		return r;
	if (strbuf_error(&text) < 0)
		return -ENOMEM;
	return write_text(dir, cJSON_GetObjectItemCaseSensitive(options, "name")->valuestring,
			  &text, error);
}

int session_file_remove(const char *dir, const char *name)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s.conf", dir, name);
	return unlink(path) < 0 ? -errno : 0;
}
