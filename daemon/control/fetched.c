/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/fetched.h"

#include "symbol/debug_dirs.h"

static int write_dir(const char *cache, char **ret)
{
	const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	int r;

	if (geteuid() == 0)
		r = asprintf(ret, "%s/debug", cache);
	/* The specification has relative ones ignored. */
	else if (xdg && xdg[0] == '/')
		r = asprintf(ret, "%s/sonde/debug", xdg);
	else if (home && home[0] == '/')
		r = asprintf(ret, "%s/.cache/sonde/debug", home);
	else
		r = asprintf(ret, "%s", "");
	return r < 0 ? -ENOMEM : 0;
}

int fetched_dir(const char *cache, char **ret)
{
	_cleanup_(freep) char *dir = NULL;

	if (write_dir(cache, &dir) < 0)
		return -ENOMEM;
	if (strchr(dir, ':'))
		dir[0] = '\0';
	*ret = TAKE_PTR(dir);
	return 0;
}

int fetched_use(const char *dir, struct symbolizer *s)
{
	_cleanup_(freep) char *dirs = NULL;

	if (!dir[0])
		return 0;
	if (asprintf(&dirs, "%s:%s", DEBUG_DIR, dir) < 0) {
		dirs = NULL;
		return -ENOMEM;
	}
	return symbolizer_set_sources(s, NULL, dirs);
}
