/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/link.h"

#include <bpf/bpf.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#define UPROBE_PMU "/sys/bus/event_source/devices/uprobe/"

/* union bpf_attr as BPF_LINK_CREATE reads it for a multi link, of linux/bpf.h since 6.6. */
struct multi_attr {
	uint32_t prog_fd;
	uint32_t target_fd;
	uint32_t attach_type;
	uint32_t flags;
	uint64_t path;
	uint64_t offsets;
	uint64_t ref_ctr_offsets;
	uint64_t cookies;
	uint32_t cnt;
	uint32_t multi_flags;
	uint32_t pid;
	uint32_t pad;
};

_Static_assert(offsetof(struct multi_attr, path) == 16, "bpf_attr ABI");
_Static_assert(offsetof(struct multi_attr, cnt) == 48, "bpf_attr ABI");
_Static_assert(offsetof(struct multi_attr, pid) == 56, "bpf_attr ABI");

enum { MULTI_RETURN = 1 }; /* BPF_F_UPROBE_MULTI_RETURN */

int link_multi(int prog_fd, int attach_type, const char *path, const uint64_t *offsets,
	       const uint64_t *cookies, const uint64_t *counters, size_t n, bool is_return,
	       pid_t pid)
{
	struct multi_attr attr = {
		.prog_fd = prog_fd,
		.attach_type = attach_type,
		.path = (uintptr_t)path,
		.offsets = (uintptr_t)offsets,
		.ref_ctr_offsets = (uintptr_t)counters,
		.cookies = (uintptr_t)cookies,
		.cnt = n,
		.multi_flags = is_return ? MULTI_RETURN : 0,
		.pid = pid,
	};
	int fd;

	if (n == 0 || n > UINT32_MAX)
		return -EINVAL;
	/* bpf(2) makes its descriptors close-on-exec. */
	fd = syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));
	return fd < 0 ? -errno : fd;
}

int link_noop_program(int attach_type)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = attach_type);
	static const struct bpf_insn program[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0},
		{.code = BPF_JMP | BPF_EXIT},
	};

	return bpf_prog_load(BPF_PROG_TYPE_KPROBE, "sonde_probe", "GPL", program,
			     ARRAY_SIZE(program), &opts);
}

/* What is not ABI about the PMU of uprobes: the kernel says it in sysfs. */
struct uprobe_pmu {
	uint32_t type;
	unsigned int return_bit, counter_bit;
};

/* The first bit of a field of perf_event_attr.config: "config:0", "config:32-63". */
static int read_field(const char *path, unsigned int *ret_bit)
{
	_cleanup_(freep) char *format = NULL;
	int r = read_file(path, 64, &format, NULL);

	if (r < 0)
		return r == -ENOENT ? -EOPNOTSUPP : r;
	return sscanf(format, "config:%u", ret_bit) == 1 && *ret_bit <= 63 ? 0 : -EPROTO;
}

static int read_pmu(bool is_return, bool has_counter, struct uprobe_pmu *ret)
{
	_cleanup_(freep) char *type = NULL;
	int r = read_file(UPROBE_PMU "type", 64, &type, NULL);

	*ret = (struct uprobe_pmu){};
	if (r < 0)
		return r == -ENOENT ? -EOPNOTSUPP : r;
	if (sscanf(type, "%u", &ret->type) != 1)
		return -EPROTO;
	if (is_return)
		r = read_field(UPROBE_PMU "format/retprobe", &ret->return_bit);
	if (r >= 0 && has_counter)
		r = read_field(UPROBE_PMU "format/ref_ctr_offset", &ret->counter_bit);
	return r < 0 ? r : 0;
}

int link_perf(int prog_fd, const char *path, uint64_t offset, uint64_t cookie, uint64_t counter,
	      bool is_return, pid_t pid, int *ret_link_fd, int *ret_event_fd)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .perf_event.bpf_cookie = cookie);
	struct perf_event_attr attr = {.size = sizeof(attr)};
	_cleanup_(closep) int event = -EBADF, link = -EBADF;
	struct uprobe_pmu pmu;
	int r = read_pmu(is_return, counter, &pmu);

	if (r < 0)
		return r;
	attr.type = pmu.type;
	attr.config = is_return ? 1ULL << pmu.return_bit : 0;
	/* The field has 32 bits, so a counter can only be near the file's start. */
	if (counter > UINT32_MAX)
		return -EOPNOTSUPP;
	if (counter)
		attr.config |= counter << pmu.counter_bit;
	attr.config1 = (uintptr_t)path;
	attr.config2 = offset;
	event = syscall(SYS_perf_event_open, &attr, pid > 0 ? pid : -1, pid > 0 ? -1 : 0, -1,
			PERF_FLAG_FD_CLOEXEC);
	if (event < 0)
		return -errno;
	link = bpf_link_create(prog_fd, event, BPF_PERF_EVENT, &opts);
	if (link < 0)
		return link;
	if (ioctl(event, PERF_EVENT_IOC_ENABLE, 0) < 0)
		return -errno;
	*ret_link_fd = TAKE_FD(link);
	*ret_event_fd = TAKE_FD(event);
	return 0;
}

char *link_path(char buf[static LINK_PATH_MAX], int fd)
{
	snprintf(buf, LINK_PATH_MAX, "/proc/self/fd/%d", fd);
	return buf;
}

const char *link_strerror(int code)
{
	switch (code) {
	case LINK_ENOTSUPP:
		return "the kernel cannot probe its first instruction";
	case EINVAL:
		return "the kernel refuses a probe at its address";
	case EILSEQ:
		return "its code in memory differs from the file";
	case EEXIST:
		return "its address is probed in a conflicting way already";
	case EIO:
		return "its code cannot be read";
	default:
		return strerror(code);
	}
}
