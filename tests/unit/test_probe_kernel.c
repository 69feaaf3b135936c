/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Kernel functions: which are there, which match, and attachment where the kernel has it. */
#include "probe_help.h"

#include <bpf/bpf.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "probe/attach.h"
#include "probe/kernel_attach.h"
#include "probe/kernel_functions.h"
#include "probe/kernel_link.h"

/* What this process calls in the kernel, and nothing else does while a test runs. */
#define CALLED "*_sys_getpriority"

static void put(const char *root, const char *path, const char *text)
{
	_cleanup_(fclosep) FILE *f = NULL;
	char command[512], full[256];

	snprintf(full, sizeof(full), "%s%s", root, path);
	snprintf(command, sizeof(command), "mkdir -p $(dirname %s)", full);
	cr_assert_eq(system(command), 0);
	f = fopen(full, "w");
	cr_assert(f);
	fputs(text, f);
}

static const struct kernel_function *find(const struct kernel_functions *f, const char *name)
{
	size_t n;
	const struct kernel_function *all = kernel_functions_all(f, &n);

	for (size_t i = 0; i < n; i++)
		if (streq(all[i].name, name))
			return &all[i];
	cr_assert_fail("no function %s", name);
	return NULL;
}

static struct kernel_functions *load_tree(const char *root)
{
	struct kernel_functions *f = NULL;
	struct error e = {};

	cr_assert_eq(kernel_functions_load(root, &e, &f), 0, "%s", e.message);
	return f;
}

static const char symbols[] = "ffffffff81000000 T _text\n"
			      "ffffffff81000010 T __pfx_vfs_read\n"
			      "ffffffff81000020 T vfs_read\n"
			      "ffffffff81000060 t helper\n"
			      "ffffffff810000a0 t helper\n"
			      "ffffffff810000e0 T do_exit\n"
			      "ffffffff81000120 t forbidden_one\n"
			      "ffffffff81000160 t silent\n"
			      "ffffffff810001a0 t silent_alias\n"
			      "ffffffff810001a0 T alias\n"
			      "ffffffff82000000 D data\n"
			      "ffffffffc0000000 t ext_open\t[ext]\n"
			      "ffffffffc0000100 t bpf_prog_1\t[bpf]\n";
static const char blacklist[] = "0xffffffff81000120-0xffffffff81000160\tforbidden_one\n";

static const char *reason(const struct kernel_functions *f, const char *name)
{
	return kernel_functions_reason(f, find(f, name));
}

static void check_tree(const char *root)
{
	_cleanup_(kernel_functions_freep) struct kernel_functions *f = load_tree(root);
	size_t n;

	kernel_functions_all(f, &n);
	cr_expect_eq(n, 10, "%zu functions", n);
	cr_expect(kernel_functions_are_certain(f));
	cr_expect_null(reason(f, "vfs_read"));
	cr_expect_eq(find(f, "vfs_read")->address, 0xffffffff81000020);
	cr_expect_not(kernel_functions_is_ambiguous(f, find(f, "vfs_read")));
	cr_expect(kernel_functions_is_ambiguous(f, find(f, "helper")));
	cr_expect_null(reason(f, "helper"));
	cr_expect_str_eq(reason(f, "do_exit"), "it never returns");
	cr_expect_str_eq(reason(f, "forbidden_one"), "the kernel forbids probes in it");
	cr_expect_str_eq(reason(f, "silent"), "the kernel does not let it be traced");
	/* The list has but one name of an address. */
	cr_expect_null(reason(f, "alias"));
	cr_expect_null(reason(f, "silent_alias"));
	cr_expect_str_eq(find(f, "ext_open")->module, "ext");
	cr_expect_null(reason(f, "ext_open"));
}

Test(kernel, functions_of_a_tree)
{
	char root[] = "/tmp/sonde-kernel-XXXXXX", command[64];
	struct kernel_functions *f;

	cr_assert(mkdtemp(root));
	put(root, "/proc/kallsyms", symbols);
	f = load_tree(root);
	cr_expect_not(kernel_functions_are_certain(f));
	cr_expect_null(reason(f, "silent"), "nothing says so");
	cr_expect_not_null(reason(f, "do_exit"));
	kernel_functions_free(f);

	put(root, "/sys/kernel/debug/kprobes/blacklist", blacklist);
	put(root, "/sys/kernel/tracing/available_filter_functions",
	    "vfs_read\nhelper\nhelper\ndo_exit\nforbidden_one\nalias\next_open [ext]\n"
	    "silent [ext]\n");
	check_tree(root);
	/* By address, the call of the tracer is behind an endbr64; preferred where it is there. */
	put(root, "/sys/kernel/tracing/available_filter_functions",
	    "__ftrace_invalid_address___4\n");
	put(root, "/sys/kernel/tracing/available_filter_functions_addrs",
	    "ffffffff81000024 vfs_read\nffffffff81000064 helper\nffffffff810000a4 helper\n"
	    "ffffffff810000e4 do_exit\nffffffff81000124 forbidden_one\nffffffff810001a4 alias\n"
	    "ffffffffc0000004 ext_open [ext]\n");
	check_tree(root);
	snprintf(command, sizeof(command), "rm -rf %s", root);
	cr_assert_eq(system(command), 0);
}

Test(kernel, hidden_addresses)
{
	char root[] = "/tmp/sonde-kernel-XXXXXX", command[64];
	struct kernel_functions *f = NULL;
	struct error e = {};

	cr_assert(mkdtemp(root));
	put(root, "/proc/kallsyms", "0000000000000000 T a\n0000000000000000 t b\n");
	cr_expect_eq(kernel_functions_load(root, &e, &f), -EPERM);
	cr_expect_null(f);
	cr_expect(e.message[0] && e.fix[0]);
	snprintf(command, sizeof(command), "rm -rf %s", root);
	cr_assert_eq(system(command), 0);
}

static void need_symbols(void)
{
	_cleanup_(fclosep) FILE *f = fopen("/proc/kallsyms", "re");
	unsigned long long address = 0;

	for (int i = 0; f && !address && i < 100; i++)
		if (fscanf(f, "%llx%*[^\n]", &address) != 1)
			break;
	if (!address)
		cr_skip("the kernel hides its addresses");
}

static const struct probe_target everybody = {.all = true};

Test(kernel, resolve)
{
	struct probe_set *set;
	const struct probe_point *p;
	struct error e;

	need_symbols();
	set = resolve_ok(&everybody, "kprobe:vfs_*", "!vfs_write", "!kprobe:vfs_f*");
	p = find_point(set, "vfs_read");
	cr_assert_not_null(p);
	cr_expect(p->kernel && !p->fentry && p->ret == RETURN_PROBE);
	cr_expect_str_eq(set->files[p->file].path, "[kernel]");
	cr_expect_lt(set->files[p->file].fd, 0);
	cr_expect_gt(p->offset, 1ULL << 63);
	cr_expect_null(find_point(set, "vfs_write"), "excluded from all");
	cr_expect_null(find_point(set, "vfs_fsync"), "excluded from the kernel");
	for (size_t i = 1; i < set->n; i++)
		cr_expect_neq(set->points[i].offset, set->points[i - 1].offset);
	probe_set_free(set);

	set = resolve_ok(&everybody, "fentry:vfs_read", "kprobe:do_exit", NULL);
	cr_expect_eq(set->n, 1);
	cr_expect(set->points[0].fentry);
	cr_expect(has_note(set, "do_exit", "never returns"));
	probe_set_free(set);

	e = resolve_fails(&everybody, "kprobe:vfs_raed", "NothingMatches");
	cr_expect(strstr(e.message, "did you mean vfs_read"), "%s", e.message);
	e = resolve_fails(&everybody, "kprobe:do_exit", "NothingMatches");
	cr_expect(strstr(e.message, "never returns"), "%s", e.message);
	e = resolve_fails(&everybody, "kprobe:no_such_module:f", "NothingMatches");
	cr_expect(strstr(e.message, "no_such_module"), "%s", e.message);
	e = resolve_fails(&everybody, "fentry:vmlinux:*", "TooMany");
	cr_expect(strstr(e.fix, "kprobe:"), "%s", e.fix);
}

/* Both kinds in one set: each attachment takes its own. */
Test(kernel, resolve_with_functions_of_programs)
{
	pid_t self = getpid();
	struct probe_target t = of_pid(&self);
	struct probe_set *set;
	size_t n = 0;

	need_symbols();
	set = resolve_ok(&t, "probe_test_f*", "kprobe:vfs_read", NULL);
	for (size_t i = 0; i < set->n; i++)
		n += set->points[i].kernel;
	cr_expect_eq(n, 1);
	cr_expect_eq(set->n, 6);
	probe_set_free(set);
}

struct counts {
	int map;
};

/* Where struct pt_regs has the result. */
#if defined(__x86_64__)
enum { RESULT_OFFSET = 80 };
#else
enum { RESULT_OFFSET = 0 };
#endif

/*
 * Adds one to the element at twice the cookie; for returns the result to the one behind it, so that
 * a probe that is not on the return shows.
 */
static int load_counter(int map, enum bpf_prog_type type, int attach_type, uint32_t btf_id,
			bool is_return)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = attach_type,
		    .attach_btf_id = btf_id);
	bool tracing = type == BPF_PROG_TYPE_TRACING;
	struct bpf_insn program[32] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 6, .src_reg = 1},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 7, .imm = 1},
	};
	const struct bpf_insn result_of_tracing[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 2, .src_reg = 10},
		{.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = 2, .imm = -16},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_get_func_ret},
		{.code = BPF_LDX | BPF_MEM | BPF_DW, .dst_reg = 7, .src_reg = 10, .off = -16},
	};
	const struct bpf_insn result_of_kprobe[] = {
		{.code = BPF_LDX | BPF_MEM | BPF_DW,
		 .dst_reg = 7,
		 .src_reg = 6,
		 .off = RESULT_OFFSET},
	};
	const struct bpf_insn add[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 1, .src_reg = 6},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_get_attach_cookie},
		{.code = BPF_ALU64 | BPF_LSH | BPF_K, .dst_reg = 0, .imm = 1},
		{.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = 0, .imm = is_return},
		{.code = BPF_STX | BPF_MEM | BPF_W, .dst_reg = 10, .src_reg = 0, .off = -4},
		{.code = BPF_LD | BPF_DW | BPF_IMM,
		 .dst_reg = 1,
		 .src_reg = BPF_PSEUDO_MAP_FD,
		 .imm = map},
		{},
		{.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 2, .src_reg = 10},
		{.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = 2, .imm = -4},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_map_lookup_elem},
		{.code = BPF_JMP | BPF_JEQ | BPF_K, .dst_reg = 0, .off = 1, .imm = 0},
		{.code = BPF_STX | BPF_ATOMIC | BPF_DW, .dst_reg = 0, .src_reg = 7, .imm = BPF_ADD},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	size_t n = 2;

	if (is_return && tracing) {
		memcpy(program + n, result_of_tracing, sizeof(result_of_tracing));
		n += ARRAY_SIZE(result_of_tracing);
	} else if (is_return) {
		memcpy(program + n, result_of_kprobe, sizeof(result_of_kprobe));
		n += ARRAY_SIZE(result_of_kprobe);
	}
	memcpy(program + n, add, sizeof(add));
	n += ARRAY_SIZE(add);
	return bpf_prog_load(type, "count", "GPL", program, n, &opts);
}

static int load_tracing(void *arg, bool is_return, uint32_t btf_id, const char *function)
{
	const struct counts *c = arg;

	(void)function;
	return load_counter(c->map, BPF_PROG_TYPE_TRACING,
			    is_return ? BPF_TRACE_FEXIT : BPF_TRACE_FENTRY, btf_id, is_return);
}

static uint64_t count(const struct counts *c, size_t point, bool is_return)
{
	uint32_t key = (uint32_t)(2 * point + is_return);
	uint64_t n = 0;

	cr_assert_eq(bpf_map_lookup_elem(c->map, &key, &n), 0);
	return n;
}

static struct kernel_programs programs_of(struct counts *c, enum kernel_way way)
{
	struct kernel_programs p = {-1, -1, -1, -1, NULL, c};

	c->map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "counts", 4, 8, 65536, NULL);
	cr_assert_geq(c->map, 0);
	if (way == KERNEL_FENTRY)
		p.load_tracing = load_tracing;
	if (way == KERNEL_MULTI) {
		p.multi_entry =
			load_counter(c->map, BPF_PROG_TYPE_KPROBE, LINK_KPROBE_MULTI, 0, false);
		p.multi_return =
			load_counter(c->map, BPF_PROG_TYPE_KPROBE, LINK_KPROBE_MULTI, 0, true);
		cr_assert(p.multi_entry >= 0 && p.multi_return >= 0);
	}
	if (way == KERNEL_PERF) {
		p.perf_entry = load_counter(c->map, BPF_PROG_TYPE_KPROBE, 0, 0, false);
		p.perf_return = load_counter(c->map, BPF_PROG_TYPE_KPROBE, 0, 0, true);
		cr_assert(p.perf_entry >= 0 && p.perf_return >= 0);
	}
	return p;
}

static void need(int code, const char *what)
{
	if (geteuid() != 0)
		cr_skip("needs root");
	if (code < 0)
		cr_skip("this kernel has no %s: %s", what, strerror(-code));
	need_symbols();
}

/* The sum of the results. */
static uint64_t call(int n)
{
	uint64_t sum = 0;

	for (int i = 0; i < n; i++)
		sum += (uint64_t)syscall(SYS_getpriority, PRIO_PROCESS, 0);
	return sum;
}

static void counts_are_exact(enum kernel_way way, const char *strategy)
{
	struct counts c;
	struct kernel_programs programs = programs_of(&c, way);
	struct probe_set *set = resolve_ok(&everybody, "kprobe:__x64" CALLED, NULL, NULL);
	struct kernel_attachment *a = NULL;
	struct error e = {};
	uint64_t sum;

	cr_assert_eq(set->n, 1);
	cr_assert_eq(kernel_attachment_new(&programs, set, &a, &e), 0, "%s", e.message);
	cr_expect_str_eq(kernel_attachment_strategy(a, 0), strategy);
	cr_expect_eq(kernel_attachment_links(a), way == KERNEL_PERF ? 4 : 2);
	sum = call(1000);
	cr_expect_eq(count(&c, 0, false), 1000, "%llu", (unsigned long long)count(&c, 0, false));
	cr_expect_eq(count(&c, 0, true), sum, "%llu", (unsigned long long)count(&c, 0, true));
	kernel_attachment_free(a);
	cr_expect_eq(attach_reaper_wait(30000), 0);
	call(10);
	cr_expect_eq(count(&c, 0, false), 1000, "still attached");
	cr_expect_eq(count(&c, 0, true), sum, "still attached");
	probe_set_free(set);
}

Test(kernel_attach, fentry, .timeout = 120)
{
	need(attach_probe_fentry(), "fentry");
	counts_are_exact(KERNEL_FENTRY, "fentry");
}

Test(kernel_attach, kprobe_multi, .timeout = 120)
{
	need(attach_probe_kprobe_multi(), "kprobe.multi links");
	counts_are_exact(KERNEL_MULTI, "kprobe.multi");
}

Test(kernel_attach, kprobe, .timeout = 120)
{
	need(attach_probe_kprobe(), "kprobes");
	counts_are_exact(KERNEL_PERF, "kprobe");
}

/* Many functions, of which the kernel refuses some: those are named, the others attached. */
Test(kernel_attach, refused_functions_are_left_out, .timeout = 120)
{
	struct counts c;
	struct kernel_programs programs;
	struct kernel_attachment *a = NULL;
	struct probe_set *set;
	struct error e = {};
	uint64_t address;
	size_t n;

	need(attach_probe_kprobe_multi(), "kprobe.multi links");
	programs = programs_of(&c, KERNEL_MULTI);
	set = resolve_ok(&everybody, "kprobe:vfs_*", "kprobe:__x64" CALLED, NULL);
	cr_assert_geq(set->n, KERNEL_FEW);
	/* In the middle of a function. */
	address = set->points[3].offset += 0x11;
	cr_assert_eq(kernel_attachment_new(&programs, set, &a, &e), 0, "%s", e.message);
	kernel_attachment_left_out(a, &n);
	cr_expect_eq(n, 1, "%zu are left out", n);
	cr_expect(kernel_attachment_is_left_out(a, 3));
	cr_expect_str_eq(kernel_attachment_strategy(a, 3), "");
	for (size_t i = 0; i < set->n; i++)
		if (strstr(set->points[i].symbol, "getpriority")) {
			uint64_t sum = call(10);

			cr_expect_eq(count(&c, i, false), 10);
			cr_expect_eq(count(&c, i, true), sum);
		}
	kernel_attachment_free(a);
	cr_expect_eq(set->points[3].offset, address);
	probe_set_free(set);
}

/* What insists on fentry gets it or is left out; what does not takes what there is. */
Test(kernel_attach, insisting_on_fentry, .timeout = 120)
{
	struct counts c;
	struct kernel_programs programs;
	struct kernel_attachment *a = NULL;
	struct probe_set *set;
	struct error e = {};

	need(attach_probe_kprobe(), "kprobes");
	programs = programs_of(&c, KERNEL_PERF);
	set = resolve_ok(&everybody, "fentry:__x64" CALLED, NULL, NULL);
	cr_expect_eq(kernel_attachment_new(&programs, set, &a, &e), -EOPNOTSUPP);
	cr_expect_str_eq(e.name, "NotSupported");
	if (attach_probe_fentry() == 0) {
		/* No such function is described. */
		programs.load_tracing = load_tracing;
		strcpy(set->points[0].symbol, "x");
		e = (struct error){};
		cr_expect_lt(kernel_attachment_new(&programs, set, &a, &e), 0);
		cr_expect(strstr(e.message, "BTF"), "%s", e.message);
		set->points[0].fentry = false;
		cr_assert_eq(kernel_attachment_new(&programs, set, &a, &e), 0, "%s", e.message);
		cr_expect_str_eq(kernel_attachment_strategy(a, 0), "kprobe");
		kernel_attachment_free(a);
	}
	probe_set_free(set);
	cr_expect_eq(attach_reaper_wait(30000), 0);
}

/* All that the lists let through can be attached, but for a handful. */
Test(kernel_attach, what_matches_can_be_attached, .timeout = 200)
{
	struct counts c;
	struct kernel_programs programs;
	struct kernel_attachment *a = NULL;
	struct probe_set *set;
	struct error e = {};
	size_t n;

	need(attach_probe_kprobe_multi(), "kprobe.multi links");
	programs = programs_of(&c, KERNEL_MULTI);
	set = resolve_ok(&everybody, "kprobe:[a-d]*", NULL, NULL);
	cr_expect_gt(set->n, 1000);
	cr_assert_eq(kernel_attachment_new(&programs, set, &a, &e), 0, "%s", e.message);
	kernel_attachment_left_out(a, &n);
	cr_expect_leq(n, 3, "%zu of %zu are left out", n, set->n);
	kernel_attachment_free(a);
	probe_set_free(set);
}

/* Feature probes leave nothing behind and do not change their mind. */
Test(kernel_attach, features_are_tried_without_effect)
{
	need(0, "");
	for (int i = 0; i < 2; i++) {
		int r[] = {attach_probe_kprobe_multi(), attach_probe_kprobe(),
			   attach_probe_fentry()};

		for (size_t k = 0; k < ARRAY_SIZE(r); k++)
			cr_expect(r[k] <= 0 && r[k] != -EPROTO && r[k] != -EBADF, "%zu: %d", k,
				  r[k]);
	}
}
