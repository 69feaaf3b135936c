/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol/reader_confine.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "symbol/flat.h"
#include "symbol/reader_protocol.h"

#define MEMORY_MAX (2ULL << 30)
/* Debug information is mapped, which takes no memory: two files of up to 4 GiB. */
#define ADDRESSES_MAX (MEMORY_MAX + (8ULL << 30))
enum {
	NOBODY = 65534,
	/* Its own four, those of a request, copies of images, one for .gnu_debugdata; two that are
	 * kept of a file whose types are asked for. */
	FILES_MAX = 18,
};

static int failed(struct error *error, const char *what, int code)
{
	return error_set(error, code, "Internal", "The reader cannot confine itself: %s: %s.", what,
			 strerror(code));
}

static int limit(struct error *error)
{
	const struct {
		__rlimit_resource_t resource;
		rlim_t value;
	} limits[] = {
		{RLIMIT_CORE, 0},
		{RLIMIT_NOFILE, FILES_MAX},
		/* Of each file: the answer's and .gnu_debugdata's, both in memory. */
		{RLIMIT_FSIZE, FLAT_SIZE_MAX},
		{RLIMIT_DATA, READER_IS_SANITIZED ? RLIM_INFINITY : MEMORY_MAX},
		{RLIMIT_AS, READER_IS_SANITIZED ? RLIM_INFINITY : ADDRESSES_MAX},
	};

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		struct rlimit now, wanted = {limits[i].value, limits[i].value};

		if (getrlimit(limits[i].resource, &now) < 0)
			return failed(error, "getrlimit", errno);
		wanted.rlim_cur = wanted.rlim_max = MIN(now.rlim_max, limits[i].value);
		if (setrlimit(limits[i].resource, &wanted) < 0)
			return failed(error, "setrlimit", errno);
	}
	return 0;
}

/*
 * An empty place without making one: no process has this directory once the process is another
 * user's. A service without these capabilities goes without: the filter lets nothing be opened.
 */
static int leave(struct error *error)
{
	if (geteuid() != 0)
		return 0;
	if (chroot("/proc/self/fdinfo") < 0 && errno != EPERM)
		return failed(error, "chroot", errno);
	if (chdir("/") < 0 && errno != EACCES)
		return failed(error, "chdir", errno);
	if (setgroups(0, NULL) < 0 && errno != EPERM)
		return failed(error, "setgroups", errno);
	if (setresgid(NOBODY, NOBODY, NOBODY) < 0 && errno != EPERM && errno != EINVAL)
		return failed(error, "setresgid", errno);
	if (setresuid(NOBODY, NOBODY, NOBODY) < 0 && errno != EPERM && errno != EINVAL)
		return failed(error, "setresuid", errno);
	return 0;
}

static int drop_capabilities(struct error *error)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};

	if (syscall(SYS_capset, &header, none) < 0)
		return failed(error, "capset", errno);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return failed(error, "PR_SET_NO_NEW_PRIVS", errno);
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return failed(error, "PR_SET_DUMPABLE", errno);
	return 0;
}

/* None of them opens a file, makes a process or reaches one. */
static const int allowed[] = {
	SCMP_SYS(read),		SCMP_SYS(pread64),	SCMP_SYS(write),
	SCMP_SYS(recvmsg),	SCMP_SYS(sendmsg),	SCMP_SYS(fstat),
	SCMP_SYS(lseek),	SCMP_SYS(ftruncate),	SCMP_SYS(close),
	SCMP_SYS(munmap),	SCMP_SYS(mremap),	SCMP_SYS(brk),
	SCMP_SYS(madvise),	SCMP_SYS(futex),	SCMP_SYS(clock_gettime),
	SCMP_SYS(rt_sigreturn), SCMP_SYS(exit_group),	SCMP_SYS(setitimer),
	SCMP_SYS(alarm),	SCMP_SYS(memfd_create), SCMP_SYS(restart_syscall),
	SCMP_SYS(sysinfo), /* qsort() asks how much memory there is */
};

/* See reader_protocol.h. */
static const int allowed_sanitized[] = {
	SCMP_SYS(mmap),	     SCMP_SYS(mprotect), SCMP_SYS(sigaltstack),	   SCMP_SYS(getpid),
	SCMP_SYS(gettid),    SCMP_SYS(tgkill),	 SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigaction),
	SCMP_SYS(getrandom), SCMP_SYS(readlink), SCMP_SYS(sched_yield),	   SCMP_SYS(prctl),
};

static int allow_arguments(scmp_filter_ctx filter)
{
	/* Memory is never code. */
	int r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
				 SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));

	/* fstat() of glibc; a path could be given, too, but the root is empty. */
	if (r >= 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 1,
				     SCMP_A3(SCMP_CMP_EQ, AT_EMPTY_PATH));
	/* Sealing the answer is the daemon's affair. */
	if (r >= 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
				     SCMP_A1(SCMP_CMP_EQ, F_DUPFD_CLOEXEC));
	if (r >= 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
				     SCMP_A1(SCMP_CMP_EQ, F_GETFD));
	/* libdw wants to know what its file is called, and goes without. */
	if (r >= 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(readlink), 0);
	if (r >= 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(readlinkat), 0);
	return r;
}

static int allow(scmp_filter_ctx filter, const int *calls, size_t n)
{
	int r = 0;

	for (size_t i = 0; i < n && r >= 0; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
	return r;
}

static void filter_releasep(scmp_filter_ctx *filter)
{
	if (*filter)
		seccomp_release(*filter);
}

static int filter_calls(struct error *error)
{
	scmp_filter_ctx filter _cleanup_(filter_releasep) = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int r;

	if (!filter)
		return failed(error, "seccomp_init", ENOMEM);
	r = allow(filter, allowed, ARRAY_SIZE(allowed));
	if (r >= 0 && READER_IS_SANITIZED)
		r = allow(filter, allowed_sanitized, ARRAY_SIZE(allowed_sanitized));
	if (r >= 0 && !READER_IS_SANITIZED)
		r = allow_arguments(filter);
	else if (r >= 0)
		r = allow(filter, (const int[]){SCMP_SYS(newfstatat), SCMP_SYS(fcntl)}, 2);
	if (r >= 0)
		r = seccomp_load(filter);
	return r < 0 ? failed(error, "seccomp", -r) : 0;
}

int reader_confine(struct error *error)
{
	int r;

	if (syscall(SYS_close_range, READER_SOCKET + 1, ~0U, 0) < 0)
		return failed(error, "close_range", errno);
	r = limit(error);
	if (r >= 0)
		r = leave(error);
	if (r >= 0)
		r = drop_capabilities(error);
	if (r >= 0)
		r = filter_calls(error);
	return r;
}
