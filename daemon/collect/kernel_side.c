/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel_side.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include "process.skel.h"
#include "sonde/base/log.h"

struct kernel_side {
	struct process_bpf *skel;
	size_t ring_bytes;
	uint64_t slots_taken; /* a bit each */
	int n_cpus;	      /* possible ones: values a per-CPU lookup yields */
	uint64_t *scratch;    /* n_cpus values */
};

static _printf_(2, 0) int quiet_print(enum libbpf_print_level level, const char *fmt, va_list args)
{
	_cleanup_(freep) char *text = NULL;
	char *rest, *line;

	if (level == LIBBPF_DEBUG || !log_enabled(LOG_DEBUG_) || vasprintf(&text, fmt, args) < 0)
		return 0;
	/* What the verifier says has many lines. */
	for (rest = text; (line = strsep(&rest, "\n"));)
		if (*line)
			log_debug("%s", line);
	return 0;
}

static int open_error(struct error *error, int r)
{
	r = -r;
	if (r == EPERM || r == EACCES) {
		error_set(error, r, "PermissionDenied",
			  "the kernel does not let this process load BPF programs: %s",
			  strerror(r));
		error_fix(error,
			  "run sonded as root, or with CAP_BPF, CAP_PERFMON and CAP_SYS_PTRACE");
	} else {
		error_set(error, r, "NotSupported", "the kernel refused the process programs: %s",
			  strerror(r));
		error_fix(error, "sonde needs Linux 6.1 or later with CONFIG_DEBUG_INFO_BTF; "
				 "SONDE_LOG_LEVEL=debug shows the kernel's reason");
	}
	return -r;
}

int kernel_side_open(size_t ring_bytes, struct error *error, struct kernel_side **ret)
{
	_cleanup_(kernel_side_freep) struct kernel_side *k = calloc(1, sizeof(*k));
	int r;

	if (!k)
		return -ENOMEM;
	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
	libbpf_set_print(quiet_print);
	k->ring_bytes = ring_bytes;
	k->n_cpus = libbpf_num_possible_cpus();
	if (k->n_cpus <= 0)
		return error_set(error, EINVAL, "Internal", "the number of CPUs is unknown");
	k->scratch = calloc((size_t)k->n_cpus, sizeof(uint64_t));
	if (!k->scratch)
		return -ENOMEM;
	k->skel = process_bpf__open();
	if (!k->skel)
		return open_error(error, -errno);
	r = bpf_map__set_max_entries(k->skel->maps.ring, (uint32_t)ring_bytes);
	if (r < 0)
		return open_error(error, r);
	r = process_bpf__load(k->skel);
	if (r < 0)
		return open_error(error, r);
	r = process_bpf__attach(k->skel);
	if (r < 0)
		return open_error(error, r);
	*ret = TAKE_PTR(k);
	return 0;
}

struct kernel_side *kernel_side_free(struct kernel_side *k)
{
	if (!k)
		return NULL;
	process_bpf__destroy(k->skel);
	free(k->scratch);
	free(k);
	return NULL;
}

int kernel_side_ring_fd(const struct kernel_side *k)
{
	return bpf_map__fd(k->skel->maps.ring);
}

size_t kernel_side_ring_bytes(const struct kernel_side *k)
{
	return k->ring_bytes;
}

int kernel_side_share_maps(const struct kernel_side *k, struct bpf_object *object)
{
	const struct bpf_map *shared[] = {
		k->skel->maps.ring,	      k->skel->maps.losses,
		k->skel->maps.targets,	      k->skel->maps.unwind_tables,
		k->skel->maps.unwind_trees,   k->skel->maps.unwind_mappings,
		k->skel->maps.python_codes,   k->skel->maps.python_processes,
		k->skel->maps.python_threads,
	};

	for (size_t i = 0; i < ARRAY_SIZE(shared); i++) {
		struct bpf_map *m = bpf_object__find_map_by_name(object, bpf_map__name(shared[i]));
		int r;

		/* A program that never reads a map may have lost it to the optimiser. */
		if (!m)
			continue;
		r = bpf_map__reuse_fd(m, bpf_map__fd(shared[i]));
		if (r < 0)
			return r;
	}
	return 0;
}

void kernel_side_unwind_maps(const struct kernel_side *k, int *ret_tables, int *ret_trees,
			     int *ret_processes)
{
	*ret_tables = bpf_map__fd(k->skel->maps.unwind_tables);
	*ret_trees = bpf_map__fd(k->skel->maps.unwind_trees);
	*ret_processes = bpf_map__fd(k->skel->maps.unwind_mappings);
}

int kernel_side_set_python(struct kernel_side *k, uint32_t pid,
			   const struct python_process *process)
{
	int fd = bpf_map__fd(k->skel->maps.python_processes);

	return bpf_map_update_elem(fd, &pid, process, BPF_ANY) < 0 ? -errno : 0;
}

void kernel_side_remove_python(struct kernel_side *k, uint32_t pid)
{
	(void)bpf_map_delete_elem(bpf_map__fd(k->skel->maps.python_processes), &pid);
}

int kernel_side_take_slot(struct kernel_side *k, uint32_t *ret_slot)
{
	for (uint32_t slot = 0; slot < RECORD_MAX_SESSIONS; slot++) {
		if (k->slots_taken >> slot & 1)
			continue;
		memset(k->scratch, 0, (size_t)k->n_cpus * sizeof(uint64_t));
		for (uint32_t i = 0; i < LOSS_COUNTERS; i++) {
			uint32_t key = slot * LOSS_COUNTERS + i;

			/* Slot 0 shares its row with lost process events, which stay counted. */
			if (slot == 0 && i == LOSS_RING_EVENT)
				continue;
			if (bpf_map_update_elem(bpf_map__fd(k->skel->maps.losses), &key, k->scratch,
						BPF_ANY) < 0)
				return -errno;
		}
		k->slots_taken |= 1ULL << slot;
		*ret_slot = slot;
		return 0;
	}
	return -EBUSY;
}

void kernel_side_release_slot(struct kernel_side *k, uint32_t slot)
{
	int fd = bpf_map__fd(k->skel->maps.targets);
	uint32_t key, next;
	uint64_t mask;
	bool more;

	if (slot >= RECORD_MAX_SESSIONS || !(k->slots_taken >> slot & 1))
		return;
	k->slots_taken &= ~(1ULL << slot);
	more = bpf_map_get_next_key(fd, NULL, &next) == 0;
	while (more) {
		key = next;
		more = bpf_map_get_next_key(fd, &key, &next) == 0;
		if (bpf_map_lookup_elem(fd, &key, &mask) < 0 || !(mask >> slot & 1))
			continue;
		mask &= ~(1ULL << slot);
		if (mask)
			bpf_map_update_elem(fd, &key, &mask, BPF_EXIST);
		else
			bpf_map_delete_elem(fd, &key);
	}
}

int kernel_side_add_target(struct kernel_side *k, uint32_t slot, uint32_t pid)
{
	int fd = bpf_map__fd(k->skel->maps.targets);
	uint64_t mask = 0;

	(void)bpf_map_lookup_elem(fd, &pid, &mask);
	mask |= 1ULL << slot;
	return bpf_map_update_elem(fd, &pid, &mask, BPF_ANY) < 0 ? -errno : 0;
}

int kernel_side_losses(const struct kernel_side *k, uint32_t slot,
		       uint64_t ret[static LOSS_COUNTERS])
{
	for (uint32_t i = 0; i < LOSS_COUNTERS; i++) {
		uint32_t key = slot * LOSS_COUNTERS + i;

		if (bpf_map_lookup_elem(bpf_map__fd(k->skel->maps.losses), &key, k->scratch) < 0)
			return -errno;
		ret[i] = 0;
		for (int cpu = 0; cpu < k->n_cpus; cpu++)
			ret[i] += k->scratch[cpu];
	}
	return 0;
}

uint64_t kernel_side_map_bytes(void)
{
	DIR *dir = opendir("/proc/self/fdinfo");
	uint64_t total = 0;
	struct dirent *e;

	if (!dir)
		return 0;
	while ((e = readdir(dir))) {
		_cleanup_(freep) char *text = NULL;
		char path[280];
		const char *at;

		snprintf(path, sizeof(path), "/proc/self/fdinfo/%s", e->d_name);
		if (e->d_name[0] == '.' || read_file(path, 65536, &text, NULL) < 0)
			continue;
		at = strstr(text, "map_type:") ? strstr(text, "memlock:") : NULL;
		if (at)
			total += strtoull(at + strlen("memlock:"), NULL, 10);
	}
	closedir(dir);
	return total;
}
