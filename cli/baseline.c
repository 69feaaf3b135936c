/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "baseline.h"

#include <ctype.h>

#include "connect.h"
#include "request.h"
#include "sonde/base/format.h"
#include "varlink/message.h"

enum { NAME_LEN = 100 };

int baseline_directory(char **ret, struct error *e)
{
	const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
	const char *given = getenv("SONDE_BASELINES");
	int n;

	if (given && given[0] == '/')
		n = asprintf(ret, "%s", given);
	else if (geteuid() == 0)
		n = asprintf(ret, "/var/lib/sonde/baselines");
	else if (data && data[0] == '/')
		n = asprintf(ret, "%s/sonde/baselines", data);
	else if (home && home[0] == '/')
		n = asprintf(ret, "%s/.local/share/sonde/baselines", home);
	else
		return error_set(e, ENOENT, "BadArgument",
				 "there is no place for baselines: neither XDG_DATA_HOME nor HOME "
				 "is set");
	return n < 0 ? -ENOMEM : 0;
}

static bool is_name(const char *name)
{
	size_t n = strlen(name);

	if (!n || n > NAME_LEN || name[0] == '.' || name[0] == '-')
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)name[i]) && !strchr("._-", name[i]))
			return false;
	return true;
}

int baseline_path(const char *name, char **ret, struct error *e)
{
	_cleanup_(freep) char *dir = NULL;
	int r;

	if (!is_name(name)) {
		r = error_set(e, EINVAL, "BadArgument", "\"%s\" cannot be the name of a baseline",
			      name);
		error_fix(e, "use letters, digits, and . _ - behind the first of them");
		return r;
	}
	r = baseline_directory(&dir, e);
	if (r < 0)
		return r;
	return asprintf(ret, "%s/%s.sonde", dir, name) < 0 ? -ENOMEM : 0;
}

int baseline_find(const char *name, char **ret, struct error *e)
{
	_cleanup_(freep) char *path = NULL;
	int r = baseline_path(name, &path, e);

	if (r < 0)
		return r;
	if (access(path, F_OK) < 0) {
		r = error_set(e, errno, "NoSuchFile", "there is no baseline \"%s\" (%s: %m)", name,
			      path);
		error_fix(e, "sonde baseline list shows them; sonde baseline save %s makes one",
			  name);
		return r;
	}
	*ret = TAKE_PTR(path);
	return 0;
}

/* Saves the session in a directory of our own, to be removed with it. */
static int save_now(const struct options *o, struct side_file *ret, struct error *e)
{
	_cleanup_(message_free_jsonp) struct cJSON *reply = NULL;
	_cleanup_(connection_freep) struct connection *c = NULL;
	_cleanup_(strbuf_release) struct strbuf params = {0};
	const char *tmp = getenv("TMPDIR");
	struct options asked = {
		.session = o->session, .kind = o->kind, .since = o->since, .until = o->until};
	_cleanup_(freep) char *dir = NULL;
	struct json_writer w;
	int r;

	if (asprintf(&dir, "%s/sonde-XXXXXX", tmp && tmp[0] == '/' ? tmp : "/tmp") < 0)
		return -ENOMEM;
	if (!mkdtemp(dir))
		return error_set(e, errno, "WriteFailed", "cannot make a directory like %s: %m",
				 dir);
	ret->temporary = true;
	if (asprintf(&ret->path, "%s/now.sonde", dir) < 0) {
		ret->path = NULL;
		rmdir(dir);
		return -ENOMEM;
	}
	/* Of what goes on for ever, such as the samples of the machine; else it is the whole. */
	if (!asked.since.set)
		asked.since = (struct number){true, now_epoch_us() - 3600000000ULL};
	request_begin(&w, &params);
	request_query(&w, &asked);
	json_string(&w, "path", ret->path);
	r = request_end(&w, e);
	if (r >= 0)
		r = connection_open(o, &c, e);
	return r < 0 ? r : connection_call(c, "Save", params.data, &reply, e);
}

int side_file_open(const struct options *o, const char *operand, struct side_file *ret,
		   struct error *e)
{
	if (streq(operand, "now"))
		return save_now(o, ret, e);
	if (startswith(operand, "baseline:"))
		return baseline_find(operand + strlen("baseline:"), &ret->path, e);
	ret->path = strdup(operand);
	return ret->path ? 0 : -ENOMEM;
}

void side_file_release(struct side_file *f)
{
	char *slash = f->path ? strrchr(f->path, '/') : NULL;

	if (f->temporary && slash) {
		unlink(f->path);
		*slash = '\0';
		rmdir(f->path);
	}
	free(f->path);
	*f = (struct side_file){};
}
