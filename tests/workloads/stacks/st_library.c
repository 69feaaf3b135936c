/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames of other files: a library loaded by dlopen that calls back, and a function of a library
 * that is called so often through its stub in the PLT that samples are in the stub, too.
 */
#include <dlfcn.h>

#include "st_main.h"
#include "libst.h"

static void (*plugin_walk)(void (*callback)(long), long);

WL_FUNC void plugin_leaf(void)
{
	ST_SPIN();
}

WL_FUNC static void plugin_callback(long n)
{
	ST_LIVE((plugin_leaf(), st_value(n)));
}

WL_FUNC void plugin_top(void)
{
	ST_LIVE(plugin_walk(plugin_callback, 7));
}

WL_FUNC void stub_loop(void)
{
	for (int i = 0; i < 20000; i++)
		ST_LIVE(stub_leaf());
}

WL_FUNC void stub_top(void)
{
	ST_LIVE(stub_loop());
}

static const struct st_case cases[] = {
	{"stack plugin: plugin_leaf;plugin_callback;plugin_inner;plugin_walk;plugin_top" ST_END,
	 plugin_top},
	{"stack stub: stub_leaf;stub_loop;stub_top" ST_END "\nstack stub: stub_loop;stub_top" ST_END
	 "\nstack stub: ?;stub_loop;stub_top" ST_END,
	 stub_top},
	{NULL, NULL},
};

/* The plugin lies beside the program. */
static void load(void)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 100);
	void *library;

	if (n < 0)
		_exit(3);
	path[n] = 0;
	strcpy(strrchr(path, '/'), "/libst_plugin.so");
	library = dlopen(path, RTLD_NOW);
	if (!library) {
		fprintf(stderr, "%s\n", dlerror());
		_exit(3);
	}
	*(void **)&plugin_walk = dlsym(library, "plugin_walk");
}

int main(int argc, char **argv)
{
	load();
	return drive(st_begin(argc, argv, cases), cases);
}
