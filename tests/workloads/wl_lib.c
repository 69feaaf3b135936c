/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A library that is loaded only after the gate (libwl.so, beside the program), with known counts:
 *
 *   wl_api_open("x")             10 calls, handles 0 … 9
 *   wl_api_read(h, buf, 64)      200 calls, 20 a handle, returns 64
 *   wl_api_read(99, buf, 64)     10 calls, returns -1
 *   wl_api_close(h)              10 calls
 *   wl_fill (static)             200 calls, from wl_api_read
 *
 * With --wait there is a second gate behind dlopen(): "loaded PID", then a line on stdin (its end
 * opens both), so that a test may let the new mapping be noticed.
 */
#include <dlfcn.h>
#include <limits.h>

#include "libwl.h"
#include "wl.h"

struct api {
	__typeof__(wl_api_open) *open;
	__typeof__(wl_api_read) *read;
	__typeof__(wl_api_close) *close;
	__typeof__(wl_api_counts) *counts;
};

static int load(struct api *api)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - sizeof("libwl.so"));
	char *slash;
	void *lib;

	if (n < 0)
		return -1;
	path[n] = '\0';
	slash = strrchr(path, '/');
	strcpy(slash ? slash + 1 : path, "libwl.so");
	lib = dlopen(path, RTLD_NOW);
	if (!lib) {
		fprintf(stderr, "wl_lib: %s\n", dlerror());
		return -1;
	}
	api->open = (__typeof__(api->open))dlsym(lib, "wl_api_open");
	api->read = (__typeof__(api->read))dlsym(lib, "wl_api_read");
	api->close = (__typeof__(api->close))dlsym(lib, "wl_api_close");
	api->counts = (__typeof__(api->counts))dlsym(lib, "wl_api_counts");
	return api->open && api->read && api->close && api->counts ? 0 : -1;
}

int main(int argc, char **argv)
{
	struct wl_options o = wl_options(argc, argv, 0, 0);
	struct wl_api_counts counts;
	struct api api;
	char buf[64];
	int wrong = 0;

	wl_gate(&o);
	if (load(&api) < 0)
		return 1;
	if (o.wait) {
		printf("loaded %d\n", (int)getpid());
		fflush(stdout);
		wl_read_line();
	}
	for (int i = 0; i < 10; i++) {
		int handle = api.open("x");

		for (int k = 0; k < 20; k++)
			wrong += api.read(handle, buf, sizeof(buf)) != 64;
		wrong += api.read(99, buf, sizeof(buf)) != -1;
		wrong += api.close(handle) != 0;
	}
	counts = api.counts();
	wrong += wl_count(&o, "wl_api_open", counts.open, 10);
	wrong += wl_count(&o, "wl_api_read", counts.read, 210);
	wrong += wl_count(&o, "wl_api_close", counts.close, 10);
	wrong += wl_count(&o, "wl_fill", counts.fill, 200);
	return wl_done(wrong);
}
