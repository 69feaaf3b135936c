/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/doctor.h"

#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <linux/capability.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

enum {
	SMALL_FILE = 64 * 1024,
	BTF_MAGIC = 0xeb9f,
	/* With one link for many functions few descriptors are needed; else two a function. */
	FILES_MULTI = 1024,
	FILES_SINGLE = 16384,
};

struct doctor {
	const struct doctor_facts *facts; /* while it runs */
	uint64_t capabilities;
	struct doctor_check *checks;
	size_t n, cap;
	bool failed; /* out of memory */
};

static _printf_(2, 3) char *text(struct doctor *d, const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	if (n >= 0)
		return s;
	d->failed = true;
	return NULL;
}

/* Takes over detail and fix. */
static void add(struct doctor *d, const char *name, bool ok, bool required, char *detail, char *fix)
{
	if (array_reserve(&d->checks, &d->cap, d->n + 1, sizeof(*d->checks)) < 0) {
		d->failed = true;
		free(detail);
		free(fix);
		return;
	}
	d->checks[d->n++] = (struct doctor_check){name, ok, required, detail, fix};
}

static char *join(const struct doctor *d, const char *path)
{
	char *full;

	if (asprintf(&full, "%s%s", d->facts->root ? d->facts->root : "", path) < 0)
		return NULL;
	return full;
}

static int read_text(const struct doctor *d, const char *path, char **ret)
{
	_cleanup_(freep) char *full = join(d, path);

	return full ? read_file(full, SMALL_FILE, ret, NULL) : -ENOMEM;
}

/* Opens an event and closes it again: 0 or -errno. */
static int try_event(struct perf_event_attr *attr, pid_t pid, int cpu)
{
	int fd;

	attr->size = sizeof(*attr);
	attr->disabled = 1;
	fd = syscall(SYS_perf_event_open, attr, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static bool has_capability(const struct doctor *d, unsigned int number)
{
	return d->capabilities >> number & 1;
}

static void read_capabilities(struct doctor *d)
{
	_cleanup_(freep) char *status = NULL;
	const char *line;

	if (read_text(d, "/proc/self/status", &status) < 0)
		return;
	line = strstr(status, "\nCapEff:");
	if (line)
		d->capabilities = strtoull(line + strlen("\nCapEff:"), NULL, 16);
}

static char *privilege_fix(struct doctor *d)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	self[MAX(n, 0)] = '\0';
	return text(d,
		    "run it as root, or: setcap cap_bpf,cap_perfmon,cap_sys_ptrace,"
		    "cap_dac_read_search,cap_syslog,cap_sys_admin+ep %s",
		    n > 0 ? self : "/usr/sbin/sonded");
}

static void check_kernel(struct doctor *d)
{
	struct utsname u;
	bool known;

	if (uname(&u) < 0)
		return;
	known = streq(u.machine, "x86_64") || streq(u.machine, "aarch64");
	add(d, "kernel", known, true, text(d, "%s %s on %s", u.sysname, u.release, u.machine),
	    text(d, "%s", known ? "" : "use an x86-64 or arm64 machine"));
}

static void check_btf(struct doctor *d)
{
	_cleanup_(freep) char *path = join(d, "/sys/kernel/btf/vmlinux");
	_cleanup_(closep) int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -ENOMEM;
	uint16_t magic = 0;
	bool ok = fd >= 0 && read(fd, &magic, sizeof(magic)) == sizeof(magic) && magic == BTF_MAGIC;
	int code = fd < 0 ? errno : EBADMSG;

	add(d, "btf", ok, true,
	    ok ? text(d, "the kernel describes its types")
	       : text(d, "/sys/kernel/btf/vmlinux cannot be used: %s", strerror(code)),
	    text(d, "%s",
		 ok ? ""
		 : code == ENOENT
			 ? "boot a kernel built with CONFIG_DEBUG_INFO_BTF=y (Debian's are: "
			   "apt-get install linux-image-amd64); in a container, mount /sys"
			 : "make /sys/kernel/btf/vmlinux readable for sonded"));
}

static void check_bpf(struct doctor *d)
{
	const struct doctor_facts *f = d->facts;
	bool permitted = has_capability(d, CAP_SYS_ADMIN) || has_capability(d, CAP_BPF);
	char *fix;

	if (f->bpf_load)
		fix = text(d, "%s", "");
	else if (!permitted)
		fix = privilege_fix(d);
	else if (f->bpf_errno == EPERM || f->bpf_errno == EACCES)
		fix = text(d, "boot without lockdown=confidentiality; in a container, allow bpf(2) "
			      "in its seccomp profile and give it CAP_BPF and CAP_PERFMON");
	else
		fix = text(d, "boot a kernel built with CONFIG_BPF_SYSCALL=y and "
			      "CONFIG_BPF_EVENTS=y");
	add(d, "bpf", f->bpf_load, true,
	    f->bpf_load	   ? text(d, "programs can be loaded")
	    : f->bpf_errno ? text(d, "no program can be loaded: %s", strerror(f->bpf_errno))
			   : text(d, "no program can be loaded"),
	    fix);
}

static void check_features(struct doctor *d)
{
	const struct doctor_facts *f = d->facts;
	const struct {
		const char *name;
		bool ok, required;
		const char *have, *lack, *fix;
	} features[] = {
		{"ring_buffer", f->ring_buffer, true, "records come through one ring",
		 "the kernel has no BPF ring buffer", "boot Linux 5.8 or later"},
		{"task_storage", f->task_storage, true, "the kernel keeps the state of threads",
		 "the kernel has no BPF task storage for tracing programs",
		 "boot Linux 5.12 or later, built with CONFIG_BPF_LSM=y before 6.2"},
		{"tp_btf", f->tp_btf, true, "processes are seen as they start and end",
		 "BPF programs cannot be attached to tracepoints by BTF",
		 "boot a kernel built with CONFIG_DEBUG_INFO_BTF=y and CONFIG_BPF_EVENTS=y"},
		{"multi_uprobe", f->multi_uprobe, false, "one link for many functions",
		 "each function takes a perf event of its own: slow to detach",
		 "boot Linux 6.6 or later"},
		{"session_link", f->session_link, false,
		 "statistics take one probe a function, not two",
		 "statistics take a probe at entry and one at return", "boot Linux 6.13 or later"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(features); i++)
		add(d, features[i].name, features[i].ok, features[i].required,
		    text(d, "%s",
			 features[i].ok ? features[i].have
			 : f->bpf_load	? features[i].lack
					: "not tried, as no program can be loaded"),
		    text(d, "%s",
			 features[i].ok ? ""
			 : f->bpf_load	? features[i].fix
					: "see bpf: nothing can be tried without it"));
}

/* One way is enough. Without any, the kernel is seen by samples only. */
static void check_kernel_functions(struct doctor *d)
{
	const struct doctor_facts *f = d->facts;
	const struct {
		const char *name, *have, *lack, *fix;
		int error;
	} ways[] = {
		{"fentry", "few kernel functions take fentry and fexit, the cheapest probes",
		 "kernel functions take no fentry",
		 "boot a kernel built with CONFIG_FUNCTION_TRACER=y and CONFIG_DEBUG_INFO_BTF=y",
		 f->fentry},
		{"kprobe_multi", "one link for many kernel functions",
		 "there is no link for many kernel functions",
		 "boot Linux 5.18 or later, built with CONFIG_FPROBE=y", f->kprobe_multi},
		{"kprobe", "kernel functions can be probed one at a time",
		 "kernel functions take no kprobes",
		 "boot a kernel built with CONFIG_KPROBE_EVENTS=y", f->kprobe},
	};

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		bool ok = ways[i].error == 0 && f->bpf_load;
		bool refused = ways[i].error == -EPERM || ways[i].error == -EACCES;
		char *fix;

		if (!ok && f->bpf_load && refused && !has_capability(d, CAP_SYS_ADMIN))
			fix = privilege_fix(d);
		else
			fix = text(d, "%s",
				   ok		  ? ""
				   : !f->bpf_load ? "see bpf: nothing can be tried without it"
				   : refused ? "boot without lockdown (lockdown= on the kernel's "
					       "command line, or Secure Boot)"
					     : ways[i].fix);
		add(d, ways[i].name, ok, false,
		    ok		  ? text(d, "%s", ways[i].have)
		    : f->bpf_load ? text(d, "%s: %s", ways[i].lack, strerror(-ways[i].error))
				  : text(d, "not tried, as no program can be loaded"),
		    fix);
	}
}

/*
 * A file that does not exist is asked for: the kernel looks at permission first, so ENOENT says
 * that a probe could have been made, and none is.
 */
static void check_uprobes(struct doctor *d)
{
	static const char nowhere[] = "/proc/self/there-is-no-such-file";
	struct perf_event_attr attr = {.config1 = (uintptr_t)nowhere};
	_cleanup_(freep) char *type = NULL;
	int r = read_text(d, "/sys/bus/event_source/devices/uprobe/type", &type);
	char *fix;

	if (r == 0) {
		attr.type = strtoul(type, NULL, 10);
		r = try_event(&attr, -1, MAX(sched_getcpu(), 0));
		if (r == -ENOENT)
			r = 0;
		else if (r == 0)
			r = -EBADMSG;
		if (r == -EACCES || r == -EPERM)
			fix = privilege_fix(d);
		else
			fix = text(d, "%s",
				   r == 0 ? "" : "boot a kernel built with CONFIG_UPROBE_EVENTS=y");
	} else {
		fix = text(d, "boot a kernel built with CONFIG_UPROBE_EVENTS=y; in a container, "
			      "mount /sys");
	}
	add(d, "uprobes", r == 0, true,
	    r == 0 ? text(d, "functions of programs can be probed")
		   : text(d, "functions of programs cannot be probed: %s", strerror(-r)),
	    fix);
}

static void check_sampling(struct doctor *d)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.freq = 1,
		.sample_freq = 99,
	};
	int r = try_event(&attr, -1, MAX(sched_getcpu(), 0));
	char *fix;

	if (r == -EACCES || r == -EPERM)
		fix = privilege_fix(d);
	else
		fix = text(d, "%s", r == 0 ? "" : "boot a kernel built with CONFIG_PERF_EVENTS=y");
	add(d, "cpu_clock", r == 0, true,
	    r == 0 ? text(d, "CPUs can be sampled")
		   : text(d, "CPUs cannot be sampled: %s", strerror(-r)),
	    fix);
}

/* The table is megabytes: a few lines tell whether the addresses are hidden. */
static int kallsyms_state(const struct doctor *d)
{
	_cleanup_(freep) char *path = join(d, "/proc/kallsyms");
	_cleanup_(fclosep) FILE *f = path ? fopen(path, "re") : NULL;
	unsigned long long address;
	int lines = 0;

	if (!f)
		return -errno;
	for (; lines < 64 && fscanf(f, "%llx%*[^\n]", &address) == 1; lines++)
		if (address)
			return 0;
	return lines ? -EPERM : -ENODATA;
}

static void check_kallsyms(struct doctor *d)
{
	_cleanup_(freep) char *restricted = NULL;
	int r = kallsyms_state(d);
	char *fix;

	if (r == 0)
		fix = text(d, "%s", "");
	else if (r != -EPERM)
		fix = text(d, "boot a kernel built with CONFIG_KALLSYMS=y; in a systemd unit, set "
			      "ProtectKernelTunables=no");
	else if (read_text(d, "/proc/sys/kernel/kptr_restrict", &restricted) == 0 &&
		 restricted[0] == '2')
		fix = text(d, "sysctl kernel.kptr_restrict=1");
	else
		fix = privilege_fix(d);
	add(d, "kallsyms", r == 0, false,
	    r == 0	  ? text(d, "kernel functions have names")
	    : r == -EPERM ? text(d, "kernel addresses are hidden: kernel functions have no names")
			  : text(d, "/proc/kallsyms cannot be read: %s", strerror(-r)),
	    fix);
}

static void check_capabilities(struct doctor *d)
{
	static const struct {
		unsigned int number;
		bool admin_does; /* CAP_SYS_ADMIN includes it */
		const char *name;
	} needed[] = {
		{CAP_BPF, true, "CAP_BPF"},
		{CAP_PERFMON, true, "CAP_PERFMON"},
		{CAP_SYS_PTRACE, false, "CAP_SYS_PTRACE"},
		{CAP_DAC_READ_SEARCH, false, "CAP_DAC_READ_SEARCH"},
		{CAP_SYSLOG, false, "CAP_SYSLOG"},
	};
	_cleanup_(strbuf_release) struct strbuf missing = {};
	bool ok;

	for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
		if (!has_capability(d, needed[i].number) &&
		    !(needed[i].admin_does && has_capability(d, CAP_SYS_ADMIN)))
			strbuf_printf(&missing, "%s%s", missing.len ? ", " : "", needed[i].name);
	ok = missing.len == 0;
	add(d, "capabilities", ok, true,
	    ok ? text(d, "all that are needed") : text(d, "missing: %s", missing.data),
	    ok ? text(d, "%s", "") : privilege_fix(d));
}

static void check_paranoid(struct doctor *d)
{
	_cleanup_(freep) char *value = NULL;
	int r = read_text(d, "/proc/sys/kernel/perf_event_paranoid", &value);
	long level = r == 0 ? strtol(value, NULL, 10) : 0;
	bool ok = r == 0 && (level <= 2 || has_capability(d, CAP_SYS_ADMIN));

	add(d, "perf_event_paranoid", ok, false,
	    r < 0 ? text(d, "cannot be read: %s", strerror(-r))
	    : ok  ? text(d, "%ld", level)
		  : text(d, "%ld: perf events take CAP_SYS_ADMIN", level),
	    text(d, "%s",
		 ok	 ? ""
		 : r < 0 ? "mount -t proc proc /proc; the kernel needs CONFIG_PERF_EVENTS=y"
			 : "sysctl kernel.perf_event_paranoid=2"));
}

/* "none [integrity] confidentiality": the one in brackets is in force. */
static void check_lockdown(struct doctor *d)
{
	_cleanup_(freep) char *states = NULL, *path = join(d, "/sys/kernel/security/lsm");
	int r = read_text(d, "/sys/kernel/security/lockdown", &states);
	bool mounted = path && access(path, F_OK) == 0;

	if (r < 0 && mounted) {
		add(d, "lockdown", true, false, text(d, "the kernel has no lockdown"),
		    text(d, "%s", ""));
	} else if (r < 0) {
		add(d, "lockdown", true, false, text(d, "unknown: securityfs is not mounted"),
		    text(d, "mount -t securityfs securityfs /sys/kernel/security"));
	} else if (strstr(states, "[confidentiality]")) {
		add(d, "lockdown", false, true,
		    text(d, "confidentiality: BPF programs may not read the kernel's memory"),
		    text(d, "boot without lockdown=confidentiality"));
	} else {
		bool integrity = strstr(states, "[integrity]");

		add(d, "lockdown", true, false,
		    text(d, "%s",
			 integrity ? "integrity: all that sonde needs is allowed" : "none"),
		    text(d, "%s", ""));
	}
}

static void check_files(struct doctor *d)
{
	struct rlimit limit = {};
	rlim_t wanted = d->facts->multi_uprobe ? FILES_MULTI : FILES_SINGLE;
	bool ok;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	ok = limit.rlim_cur >= wanted;
	add(d, "open_files", ok, false,
	    limit.rlim_cur == RLIM_INFINITY
		    ? text(d, "no limit")
		    : text(d, "at most %llu%s", (unsigned long long)limit.rlim_cur,
			   ok ? "" : ": two are needed for each probed function"),
	    ok ? text(d, "%s", "")
	       : text(d, "ulimit -n %llu, or LimitNOFILE=%llu in sonded.service",
		      (unsigned long long)wanted, (unsigned long long)wanted));
}

/* The build-id of this process's own libc, from its notes in memory. */
static int find_libc(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct strbuf *path = arg;

	(void)size;
	if (!info->dlpi_name || !strstr(info->dlpi_name, "/libc.so"))
		return 0;
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
		const char *at = (const char *)info->dlpi_addr + ph->p_vaddr;
		const char *end = at + ph->p_memsz;

		while (ph->p_type == PT_NOTE && end - at >= (ptrdiff_t)sizeof(ElfW(Nhdr))) {
			const ElfW(Nhdr) *note = (const void *)at;
			const unsigned char *id =
				(const unsigned char *)(note + 1) + ((note->n_namesz + 3) & ~3u);

			if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 &&
			    note->n_descsz > 1 && memcmp(note + 1, "GNU", 4) == 0) {
				strbuf_printf(path, "/usr/lib/debug/.build-id/%02x/", id[0]);
				for (size_t n = 1; n < note->n_descsz; n++)
					strbuf_printf(path, "%02x", id[n]);
				strbuf_puts(path, ".debug");
				return 1;
			}
			at = (const char *)id + ((note->n_descsz + 3) & ~3u);
		}
	}
	return 0;
}

static void check_libc(struct doctor *d)
{
	_cleanup_(strbuf_release) struct strbuf path = {};
	bool ok;

	dl_iterate_phdr(find_libc, &path);
	ok = path.data && strbuf_error(&path) == 0 && access(path.data, R_OK) == 0;
	add(d, "libc_symbols", ok, false,
	    ok ? text(d, "%s", path.data)
	       : text(d, "functions inside libc that it does not export have no names"),
	    text(d, "%s", ok ? "" : "apt-get install libc6-dbg"));
}

/* Only when something is wrong: most machines have nothing of it to ask. */
static void check_python(struct doctor *d)
{
	if (d->facts->python_pid)
		add(d, "python_frames", false, false,
		    text(d, "process %u has native frames only: %s", d->facts->python_pid,
			 d->facts->python_failure),
		    text(d, "%s", ""));
}

static void check_reader(struct doctor *d)
{
	const char *error = d->facts->reader_error;

	if (!error)
		return;
	add(d, "reader", !*error, false,
	    text(d, "%s", *error ? error : "programs are read without privileges"),
	    text(d, "%s", *error ? "boot a kernel built with CONFIG_SECCOMP_FILTER=y" : ""));
	for (size_t i = 0; i < d->facts->n_unreadable; i++) {
		const struct reader_failure *f = &d->facts->unreadable[i];

		add(d, "unreadable", false, false, text(d, "%s", f->reason),
		    *f->path ? text(d,
				    "look at %s: its functions have no names until sonded is "
				    "restarted",
				    f->path)
			     : text(d, "it is shown as it is, mangled, until sonded is restarted"));
	}
}

static void check_unwinding(struct doctor *d)
{
#if defined(__x86_64__)
	add(d, "unwinding", true, false,
	    text(d, "user stacks need no frame pointers, but in code without .eh_frame"),
	    text(d, "%s", ""));
#else
	add(d, "unwinding", false, false,
	    text(d, "user stacks of programs built without frame pointers are cut short"),
	    text(d, "build them with -fno-omit-frame-pointer"));
#endif
}

int doctor_run(const struct doctor_facts *facts, struct doctor **ret)
{
	_cleanup_(doctor_freep) struct doctor *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	d->facts = facts;
	read_capabilities(d);
	check_kernel(d);
	check_btf(d);
	check_bpf(d);
	check_features(d);
	check_uprobes(d);
	check_kernel_functions(d);
	check_sampling(d);
	check_kallsyms(d);
	check_capabilities(d);
	check_paranoid(d);
	check_lockdown(d);
	check_files(d);
	check_libc(d);
	check_python(d);
	check_reader(d);
	check_unwinding(d);
	d->facts = NULL;
	if (d->failed)
		return -ENOMEM;
	*ret = TAKE_PTR(d);
	return 0;
}

struct doctor *doctor_free(struct doctor *d)
{
	if (!d)
		return NULL;
	for (size_t i = 0; i < d->n; i++) {
		free(d->checks[i].detail);
		free(d->checks[i].fix);
	}
	free(d->checks);
	free(d);
	return NULL;
}

const struct doctor_check *doctor_checks(const struct doctor *d, size_t *ret_n)
{
	*ret_n = d->n;
	return d->checks;
}

void doctor_write(const struct doctor *d, struct json_writer *w, const char *key)
{
	json_array_begin(w, key);
	for (size_t i = 0; i < d->n; i++) {
		const struct doctor_check *c = &d->checks[i];

		json_object_begin(w, NULL);
		json_string(w, "name", c->name);
		json_bool(w, "ok", c->ok);
		json_bool(w, "required", c->required);
		json_string(w, "detail", c->detail);
		json_string(w, "fix", c->fix);
		json_object_end(w);
	}
	json_array_end(w);
}
