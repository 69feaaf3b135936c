/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/proc.h"

#include <limits.h>
#include <sys/uio.h>
#include "model/container.h"
#include "sonde/base/format.h"

void proc_read_cgroup(struct model *m, uint32_t id, uint32_t pid)
{
	_cleanup_(freep) char *text = NULL;
	struct model_process *process;
	struct cgroup_place place;
	uint32_t cgroup, container;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%u/cgroup", pid);
	if (read_file(path, 65536, &text, NULL) < 0)
		return;
	cgroup_parse(text, &place);
	cgroup = *place.path ? model_string(m, place.path) : 0;
	container = *place.container ? model_string(m, place.container) : 0;
	process = model_process_get(m, id);
	if (!process)
		return;
	process->cgroup = cgroup;
	process->container = container;
}

void proc_read_ns_pid(struct model *m, uint32_t id, uint32_t pid)
{
	struct model_process *process = model_process_get(m, id);
	_cleanup_(freep) char *text = NULL;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%u/status", pid);
	if (process && read_file(path, 65536, &text, NULL) >= 0)
		process->ns_pid = ns_pid_parse(text);
}

void proc_read_names(struct model *m, uint32_t id, uint32_t pid)
{
	_cleanup_(freep) char *cmdline = NULL;
	struct model_process *process;
	char path[64], exe[PATH_MAX];
	uint32_t string;
	size_t size = 0;
	ssize_t n;

	proc_read_cgroup(m, id, pid);
	proc_read_ns_pid(m, id, pid);
	snprintf(path, sizeof(path), "/proc/%u/exe", pid);
	n = readlink(path, exe, sizeof(exe) - 1);
	if (n > 0) {
		string = model_stringn(m, exe, (size_t)n);
		process = model_process_get(m, id);
		if (process)
			process->exe = string;
	}
	snprintf(path, sizeof(path), "/proc/%u/cmdline", pid);
	if (read_file(path, 65536, &cmdline, &size) < 0 || size == 0)
		return;
	for (size_t i = 0; i + 1 < size; i++)
		if (cmdline[i] == 0)
			cmdline[i] = ' ';
	string = model_string(m, cmdline);
	process = model_process_get(m, id);
	if (process)
		process->cmdline = string;
}

/* Fields 22 and 4 of a line whose second field may hold anything. */
int proc_read_stat(uint32_t pid, uint64_t *ret_start_ns, uint32_t *ret_ppid)
{
	_cleanup_(freep) char *text = NULL;
	unsigned long long ticks;
	char path[64], *at;
	int ppid, r;

	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	r = read_file(path, 4096, &text, NULL);
	if (r < 0)
		return r;
	at = strrchr(text, ')');
	if (!at || sscanf(at + 1,
			  " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d "
			  "%*d %llu",
			  &ppid, &ticks) != 2)
		return -EBADMSG;
	*ret_start_ns = ticks * (NSEC_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK));
	*ret_ppid = (uint32_t)ppid;
	return 0;
}

uint32_t proc_read_comm(struct model *m, const char *path)
{
	_cleanup_(freep) char *text = NULL;

	if (read_file(path, 256, &text, NULL) < 0)
		return 0;
	text[strcspn(text, "\n")] = 0;
	return model_string(m, text);
}

bool proc_read_memory(uint32_t pid, uint64_t address, void *to, size_t size)
{
	struct iovec local = {.iov_base = to, .iov_len = size};
	struct iovec remote = {.iov_base = (void *)(uintptr_t)address, .iov_len = size};

	return process_vm_readv((pid_t)pid, &local, 1, &remote, 1, 0) == (ssize_t)size;
}
