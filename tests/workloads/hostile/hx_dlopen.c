/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A library that comes and goes: libhx_plugin.so beside the program is loaded and unloaded 60
 * times, from two places in turn, so that it is mapped at changing addresses. Each time:
 *
 *   plugin_run → plugin_inner, plugin_inner, host_callback
 *
 * so 60 calls of plugin_run and of host_callback, 120 of plugin_inner.
 */
#include <dlfcn.h>
#include <sys/mman.h>

#include "hx.h"

static uint64_t n_host_callback, n_loads;

HX_FUNC uint64_t host_callback(uint64_t x)
{
	HX_COUNT(n_host_callback);
	return x ^ 0x55;
}

HX_FUNC uint64_t load_and_run(const char *path, uint64_t i)
{
	uint64_t (*run)(uint64_t, uint64_t(*)(uint64_t));
	uint64_t result;
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);

	if (!library) {
		fprintf(stderr, "hx_dlopen: %s\n", dlerror());
		exit(1);
	}
	*(void **)&run = dlsym(library, "plugin_run");
	if (!run)
		exit(1);
	HX_COUNT(n_loads);
	result = run(i, host_callback);
	dlclose(library);
	return result;
}

int main(int argc, char **argv)
{
	struct wl_options o = wl_options(argc, argv, 0, 0);
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - sizeof("libhx_plugin.so"));
	char *slash;

	if (n < 0)
		return 1;
	path[n] = '\0';
	slash = strrchr(path, '/');
	strcpy(slash ? slash + 1 : path, "libhx_plugin.so");
	wl_gate(&o);
	for (uint64_t i = 0; i < 60; i++) {
		/* What is in its way makes the next mapping land elsewhere. */
		void *block =
			mmap(NULL, 4096 << (i % 8), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		hx_mix(load_and_run(path, i));
		if (i % 2)
			munmap(block, 4096 << (i % 8));
	}
	hx_calls("host_callback", n_host_callback, 60);
	hx_unwound("host_callback", 0, 0);
	hx_calls("load_and_run", n_loads, 60);
	hx_unwound("load_and_run", 0, 0);
	hx_calls("plugin_run", n_loads, 60);
	hx_calls("plugin_inner", 2 * n_loads, 120);
	return hx_done();
}
