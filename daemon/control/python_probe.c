/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/python_probe.h"

#include <dirent.h>

#include "control/proc.h"
#include "symbol/python_offsets.h"

enum { MAX_TASKS = 4096, MAX_STATES = 256 };

/* The number that a thread has in its own PID namespace; 0: it is gone. */
static uint64_t own_number(uint32_t pid, const char *task)
{
	_cleanup_(freep) char *text = NULL;
	const char *at, *end;
	char path[320];

	snprintf(path, sizeof(path), "/proc/%u/task/%s/status", pid, task);
	if (read_file(path, 65536, &text, NULL) < 0)
		return 0;
	at = strstr(text, "\nNSpid:");
	if (!at)
		return strtoull(task, NULL, 10);
	end = strchr(at + 1, '\n');
	if (!end)
		return 0;
	while (end > at && end[-1] != '\t' && end[-1] != ' ')
		end--;
	return strtoull(end, NULL, 10);
}

/* As Python knows them. How many there are; at most MAX_TASKS are looked at. */
static size_t own_numbers(uint32_t pid, uint64_t ret[MAX_TASKS])
{
	char path[64];
	struct dirent *e;
	size_t n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%u/task", pid);
	dir = opendir(path);
	if (!dir)
		return 0;
	while (n < MAX_TASKS && (e = readdir(dir)))
		if (e->d_name[0] != '.')
			ret[n++] = own_number(pid, e->d_name);
	closedir(dir);
	return n;
}

static bool has(const uint64_t *numbers, size_t n, uint64_t number)
{
	for (size_t i = 0; i < n; i++)
		if (numbers[i] == number)
			return number != 0;
	return false;
}

/* Along its list of interpreters, and of their threads, there is a thread of the process. */
static bool has_thread(uint32_t pid, uint64_t interpreter, const struct python_offsets *o)
{
	uint64_t *numbers _cleanup_(freep) = calloc(MAX_TASKS, sizeof(*numbers));
	size_t n = numbers ? own_numbers(pid, numbers) : 0;
	unsigned int states = 0;

	while (interpreter && states < MAX_STATES) {
		uint64_t state, number;

		if (!proc_read_memory(pid, interpreter + o->interpreter_threads, &state,
				      sizeof(state)))
			return false;
		for (; state && states < MAX_STATES; states++) {
			if (!proc_read_memory(pid, state + o->thread_native_id, &number,
					      sizeof(number)))
				return false;
			if (has(numbers, n, number))
				return true;
			if (!proc_read_memory(pid, state + o->thread_next, &state, sizeof(state)))
				return false;
		}
		states++;
		if (!proc_read_memory(pid, interpreter + o->interpreter_next, &interpreter,
				      sizeof(interpreter)))
			return false;
	}
	return false;
}

static int find_version(uint32_t pid, const struct python_file *file, uint64_t bias,
			const uint8_t *start, uint32_t *ret)
{
	uint64_t version;

	if (python_offsets_published(start, PYTHON_PUBLISHED_BYTES, ret))
		return 0;
	if (!file->version ||
	    !proc_read_memory(pid, bias + file->version, &version, sizeof(version)) ||
	    version > UINT32_MAX)
		return -ENOTSUP;
	*ret = (uint32_t)version;
	return 0;
}

int python_probe(uint32_t pid, const struct python_file *file, uint64_t bias, struct error *error,
		 struct python_process *ret)
{
	uint64_t runtime = bias + file->runtime, interpreter;
	uint8_t start[PYTHON_PUBLISHED_BYTES];
	uint32_t version, at;
	struct python_process p = {};
	int r;

	if (!proc_read_memory(pid, runtime, start, sizeof(start)))
		return error_set(error, EAGAIN, "NotFound", "its memory cannot be read");
	if (find_version(pid, file, bias, start, &version) < 0)
		return error_set(error, ENOTSUP, "NotSupported",
				 "the release of its Python is not known");
	r = python_offsets_find(version, start, sizeof(start), error, &p.offsets, &at);
	if (r < 0)
		return r;
	p.interpreters = runtime + at;
	if (!proc_read_memory(pid, p.interpreters, &interpreter, sizeof(interpreter)) ||
	    !interpreter || !has_thread(pid, interpreter, &p.offsets))
		return error_set(error, EAGAIN, "NotFound",
				 "none of its threads is where Python %u.%u would have it",
				 version >> 24, version >> 16 & 0xff);
	*ret = p;
	return 0;
}
