/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * loader PLUGIN: loads and unloads it again and again, while a thread that has had spans of it
 * lives on. Exit status 1 when that goes wrong or memory grows.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>

#define TIMES 100

typedef const char *(*run_function)(int);

static sem_t asked, done;
static run_function run;

static void *live_on(void *data)
{
	for (;;) {
		sem_wait(&asked);
		run(0);
		sem_post(&done);
	}
	return data;
}

static long resident_kb(void)
{
	char line[128];
	long kb = -1;
	FILE *f = fopen("/proc/self/status", "r");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmRSS: %ld", &kb) == 1)
			break;
	if (f)
		fclose(f);
	return kb;
}

int main(int argc, char **argv)
{
	pthread_t thread;
	long before = 0, after;

	sem_init(&asked, 0, 0);
	sem_init(&done, 0, 0);
	pthread_create(&thread, NULL, live_on, NULL);
	for (int i = 0; i < TIMES; i++) {
		void *plugin = dlopen(argc > 1 ? argv[1] : "", RTLD_NOW);
		const char *lines;

		if (!plugin) {
			printf("%s\n", dlerror());
			return 1;
		}
		*(void **)&run = dlsym(plugin, "plugin_run");
		sem_post(&asked);
		sem_wait(&done);
		lines = run(1);
		if (strcmp(lines, "span plugin/run 0\n") != 0) {
			printf("%d: %s\n", i, lines);
			return 1;
		}
		dlclose(plugin);
		if (i == TIMES / 2)
			before = resident_kb();
	}
	after = resident_kb();
	if (after > before + 256) {
		printf("%ld kB became %ld\n", before, after);
		return 1;
	}
	return 0;
}
