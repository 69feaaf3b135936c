/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/kernel_link.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "probe/attach.h"
#include "probe/link.h"

#define KPROBE_PMU "/sys/bus/event_source/devices/kprobe/"

/* union bpf_attr as BPF_LINK_CREATE reads it for a multi link, of linux/bpf.h since 5.18. */
struct multi_attr {
	uint32_t prog_fd;
	uint32_t target_fd;
	uint32_t attach_type;
	uint32_t flags;
	uint32_t multi_flags;
	uint32_t cnt;
	uint64_t syms;
	uint64_t addrs;
	uint64_t cookies;
};

_Static_assert(offsetof(struct multi_attr, syms) == 24, "bpf_attr ABI");
_Static_assert(offsetof(struct multi_attr, cookies) == 40, "bpf_attr ABI");

enum { MULTI_RETURN = 1 }; /* BPF_F_KPROBE_MULTI_RETURN */

static int create_multi(struct multi_attr *attr)
{
	/* bpf(2) makes its descriptors close-on-exec. */
	int fd = (int)syscall(SYS_bpf, BPF_LINK_CREATE, attr, sizeof(*attr));

	return fd < 0 ? -errno : fd;
}

int kernel_link_multi(int prog_fd, const uint64_t *addresses, const uint64_t *cookies, size_t n,
		      bool is_return)
{
	struct multi_attr attr = {
		.prog_fd = (uint32_t)prog_fd,
		.attach_type = LINK_KPROBE_MULTI,
		.multi_flags = is_return ? MULTI_RETURN : 0,
		.cnt = (uint32_t)n,
		.addrs = (uintptr_t)addresses,
		.cookies = (uintptr_t)cookies,
	};

	return n == 0 || n > UINT32_MAX ? -EINVAL : create_multi(&attr);
}

/* The number of the PMU and the bit for returns are not ABI: the kernel says them in sysfs. */
static int read_pmu(uint32_t *ret_type, unsigned int *ret_return_bit)
{
	_cleanup_(freep) char *type = NULL, *format = NULL;
	unsigned int bit, number;
	int r;

	r = read_file(KPROBE_PMU "type", 64, &type, NULL);
	if (r >= 0)
		r = read_file(KPROBE_PMU "format/retprobe", 64, &format, NULL);
	if (r < 0)
		return r == -ENOENT ? -EOPNOTSUPP : r;
	if (sscanf(type, "%u", &number) != 1 || sscanf(format, "config:%u", &bit) != 1 || bit > 63)
		return -EPROTO;
	*ret_type = number;
	*ret_return_bit = bit;
	return 0;
}

/* name, or an address when it is NULL. */
static int open_event(const char *name, uint64_t address, bool is_return)
{
	struct perf_event_attr attr = {.size = sizeof(attr)};
	unsigned int bit;
	int r = read_pmu(&attr.type, &bit);

	if (r < 0)
		return r;
	attr.config = is_return ? 1ULL << bit : 0;
	attr.config1 = (uintptr_t)name;
	attr.config2 = address;
	/* The program runs on every CPU, whichever the event is on. */
	r = (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	return r < 0 ? -errno : r;
}

int kernel_link_perf(int prog_fd, uint64_t address, uint64_t cookie, bool is_return,
		     int *ret_link_fd, int *ret_event_fd)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .perf_event.bpf_cookie = cookie);
	_cleanup_(closep) int event = open_event(NULL, address, is_return), link = -EBADF;

	if (event < 0)
		return event;
	link = bpf_link_create(prog_fd, event, BPF_PERF_EVENT, &opts);
	if (link < 0)
		return link;
	if (ioctl(event, PERF_EVENT_IOC_ENABLE, 0) < 0)
		return -errno;
	*ret_link_fd = TAKE_FD(link);
	*ret_event_fd = TAKE_FD(event);
	return 0;
}

int kernel_link_tracing(int prog_fd, uint64_t cookie, bool is_return)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .tracing.cookie = cookie);

	return bpf_link_create(prog_fd, 0, is_return ? BPF_TRACE_FEXIT : BPF_TRACE_FENTRY, &opts);
}

const char *kernel_link_strerror(int code)
{
	switch (code) {
	case LINK_ENOTSUPP:
	case EOPNOTSUPP:
		return "the kernel cannot probe it";
	case EINVAL:
	case ENOENT:
	case ESRCH:
	case EILSEQ:
		return "the kernel refuses a probe on it";
	case EBUSY:
		return "something else has changed its first instruction";
	case E2BIG:
		return "too much is attached to it already";
	default:
		return strerror(code);
	}
}

/*
 * A name that no function has: a kernel that has such links gets as far as to look for it, others
 * refuse the kind of link or program. Nothing is attached.
 */
int attach_probe_kprobe_multi(void)
{
	static const char nowhere[] = "sonde_there_is_no_such_function";
	const char *names[] = {nowhere};
	_cleanup_(closep) int prog = link_noop_program(LINK_KPROBE_MULTI), link = -EBADF;
	struct multi_attr attr = {
		.attach_type = LINK_KPROBE_MULTI, .cnt = 1, .syms = (uintptr_t)names};

	if (prog < 0)
		return prog;
	attr.prog_fd = (uint32_t)prog;
	link = create_multi(&attr);
	if (link >= 0)
		return -EPROTO;
	return link == -ESRCH || link == -ENOENT ? 0 : link;
}

int attach_probe_kprobe(void)
{
	_cleanup_(closep) int event = open_event("sonde_there_is_no_such_function", 0, false);

	if (event >= 0)
		return -EPROTO;
	return event == -ENOENT ? 0 : event;
}

/* On a function that is there for such tests and is never called. */
int attach_probe_fentry(void)
{
	static const struct bpf_insn program[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_TRACE_FENTRY);
	_cleanup_(closep) int prog = -EBADF, link = -EBADF;
	struct btf *btf = btf__load_vmlinux_btf();
	int id;

	if (!btf)
		return -errno;
	id = btf__find_by_name_kind(btf, "bpf_fentry_test1", BTF_KIND_FUNC);
	btf__free(btf);
	if (id < 0)
		return -EOPNOTSUPP;
	opts.attach_btf_id = (uint32_t)id;
	prog = bpf_prog_load(BPF_PROG_TYPE_TRACING, "sonde_probe", "GPL", program,
			     ARRAY_SIZE(program), &opts);
	if (prog < 0)
		return prog;
	link = kernel_link_tracing(prog, 1, false);
	return MIN(link, 0);
}
