/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "client.h"

#include <dlfcn.h>
#include <elfutils/debuginfod.h>
#include <signal.h>
#include <sys/stat.h>

#include "sonde/base/format.h"

/* Loaded once and never unloaded: what it brings with it does not like that. */
static struct {
	bool loaded;
	__typeof__(&debuginfod_begin) begin;
	__typeof__(&debuginfod_end) end;
	__typeof__(&debuginfod_find_debuginfo) find;
	__typeof__(&debuginfod_set_progressfn) set_progress;
	__typeof__(&debuginfod_set_user_data) set_data;
	__typeof__(&debuginfod_get_user_data) get_data;
} lib;

static const int signals[] = {SIGINT, SIGTERM, SIGHUP};

struct fetch_client {
	debuginfod_client *handle;
	char *urls;
	struct sigaction before[ARRAY_SIZE(signals)];
	/* Of the download at hand. */
	const struct fetch_limit *limit;
	fetch_progress_t progress;
	void *arg;
	int stopped; /* why it was ended from here: -EINTR, -ETIME, -EFBIG; 0: it was not */
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
	(void)number;
	interrupted = 1;
}

static int load(struct error *e)
{
	const struct {
		const char *name;
		void *at;
	} functions[] = {
		{"debuginfod_begin", &lib.begin},
		{"debuginfod_end", &lib.end},
		{"debuginfod_find_debuginfo", &lib.find},
		{"debuginfod_set_progressfn", &lib.set_progress},
		{"debuginfod_set_user_data", &lib.set_data},
		{"debuginfod_get_user_data", &lib.get_data},
	};
	void *handle = lib.loaded ? NULL : dlopen(DEBUGINFOD_SONAME, RTLD_NOW | RTLD_LOCAL);
	size_t n = 0;

	while (handle && n < ARRAY_SIZE(functions)) {
		void *found = dlsym(handle, functions[n].name);

		if (!found)
			break;
		memcpy(functions[n++].at, &found, sizeof(found));
	}
	lib.loaded |= n == ARRAY_SIZE(functions);
	if (lib.loaded)
		return 0;
	if (handle)
		dlclose(handle);
	error_set(e, ENOSYS, "NotSupported", "%s is not installed, or too old", DEBUGINFOD_SONAME);
	error_fix(e, "install it: apt install libdebuginfod1");
	return -ENOSYS;
}

static int on_progress(debuginfod_client *handle, long a, long b);

int fetch_client_new(const char *urls, const char *workspace, struct fetch_client **ret,
		     struct error *e)
{
	_cleanup_(fetch_client_freep) struct fetch_client *c = calloc(1, sizeof(*c));
	struct sigaction action = {.sa_handler = on_signal};
	int r;

	if (!c)
		return -ENOMEM;
	r = load(e);
	if (r < 0)
		return r;
	c->urls = strdup(urls);
	if (!c->urls)
		return -ENOMEM;
	interrupted = 0;
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		(void)sigaction(signals[i], &action, &c->before[i]);
	if (setenv(DEBUGINFOD_URLS_ENV_VAR, urls, true) < 0 ||
	    setenv(DEBUGINFOD_CACHE_PATH_ENV_VAR, workspace, true) < 0)
		return -ENOMEM;
	/* Progress is shown by the caller. */
	(void)unsetenv(DEBUGINFOD_PROGRESS_ENV_VAR);
	c->handle = lib.begin();
	if (!c->handle)
		return error_set(e, ENOMEM, "Internal", "libdebuginfod cannot be used");
	lib.set_data(c->handle, c);
	lib.set_progress(c->handle, on_progress);
	*ret = TAKE_PTR(c);
	return 0;
}

struct fetch_client *fetch_client_free(struct fetch_client *c)
{
	if (!c)
		return NULL;
	if (c->handle)
		lib.end(c->handle);
	for (size_t i = 0; c->urls && i < ARRAY_SIZE(signals); i++)
		(void)sigaction(signals[i], &c->before[i], NULL);
	free(c->urls);
	free(c);
	return NULL;
}

/* Until a server has answered, a counts attempts, and b is 0. Other than 0 ends the download. */
static int on_progress(debuginfod_client *handle, long a, long b)
{
	struct fetch_client *c = lib.get_data(handle);

	if (interrupted)
		c->stopped = -EINTR;
	else if (now_monotonic_ns() > c->limit->deadline_ns)
		c->stopped = -ETIME;
	else if ((uint64_t)MAX(MAX(a, b), 0) > c->limit->bytes)
		c->stopped = -EFBIG;
	else if (c->progress)
		c->progress(c->arg, (uint64_t)MAX(b > 0 ? a : 0, 0), (uint64_t)MAX(b, 0));
	return c->stopped != 0;
}

static void set_number(const char *name, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	(void)setenv(name, text, true);
}

static int unreachable(const struct fetch_client *c, int code, struct error *e)
{
	/* What libdebuginfod means by them. */
	const char *why = code == EHOSTUNREACH ? "there is no host of that name"
			  : code == ECONNREFUSED
				  ? "the connection was refused, or its certificate is not valid"
				  : strerror(code);

	error_set(e, EHOSTUNREACH, "Unreachable",
		  "no debuginfod server can be reached (%.300s): %s", c->urls, why);
	error_fix(e, "check $DEBUGINFOD_URLS or --urls, and the network");
	return -EHOSTUNREACH;
}

static uint64_t size_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 ? 0 : (uint64_t)st.st_size;
}

int fetch_client_get(struct fetch_client *c, const char *build_id, const struct fetch_limit *limit,
		     fetch_progress_t progress, void *arg, int *ret_fd, char **ret_path,
		     struct error *e)
{
	uint64_t now = now_monotonic_ns();
	char *path = NULL;
	int r;

	if (interrupted)
		return -EINTR;
	if (now >= limit->deadline_ns)
		return -ETIME;
	c->limit = limit;
	c->progress = progress;
	c->arg = arg;
	c->stopped = 0;
	/* 0 would be no limit. */
	set_number(DEBUGINFOD_MAXSIZE_ENV_VAR, MAX(limit->bytes, 1));
	set_number(DEBUGINFOD_MAXTIME_ENV_VAR, (limit->deadline_ns - now) / NSEC_PER_SEC + 1);
	r = lib.find(c->handle, (const unsigned char *)build_id, 0, &path);
	if (r >= 0 && size_of(r) > limit->bytes) {
		/* All of it came before anybody could look. */
		(void)unlink(path);
		safe_close(r);
		c->stopped = r = -EFBIG;
	}
	if (r >= 0) {
		*ret_fd = r;
		*ret_path = path;
		return 0;
	}
	free(path);
	if (c->stopped)
		return c->stopped;
	if (interrupted)
		return -EINTR;
	switch (-r) {
	case EHOSTUNREACH:
	case ECONNREFUSED:
	case ENETUNREACH:
	case ECONNRESET:
	case ETIMEDOUT:
		return unreachable(c, -r, e);
	}
	return r;
}
