/* SPDX-License-Identifier: MIT */
/*
 * What the header needs of the system: ticks, the clock, a few system calls. None of it touches
 * errno, none needs a feature macro, all may be used in signal handlers.
 */
#ifndef SONDE_SPAN_SYSTEM_H
#define SONDE_SPAN_SYSTEM_H

#include <time.h>
#include "abi.h"

/* An unused function of a header is no reason to warn; a slow path is not to be inlined. */
#define SONDE_FAST	  static inline __attribute__((always_inline, unused))
#define SONDE_SLOW	  static __attribute__((noinline, unused))
#define SONDE_UNLIKELY(x) __builtin_expect(!!(x), 0)

#ifdef __cplusplus
extern "C" {
#endif
/* By a name of our own, as <time.h> declares it with feature macros only. */
extern int sonde_clock_gettime(int, struct timespec *) __asm__("clock_gettime");
#ifdef __cplusplus
}
#endif

enum { SONDE_CLOCK_MONOTONIC = 1 };

#if defined(__x86_64__)
enum {
	SONDE_SYS_MMAP = 9,
	SONDE_SYS_MUNMAP = 11,
	SONDE_SYS_MADVISE = 28,
	SONDE_SYS_GETPID = 39,
	SONDE_SYS_GETTID = 186,
	SONDE_SYS_TGKILL = 234,
	SONDE_SYS_MEMBARRIER = 324
};

SONDE_FAST long sonde_syscall(long number, long a, long b, long c, long d)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = -1; /* mmap: no file */
	register long r9 __asm__("r9") = 0;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "0"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

/* Whether the time stamp counter runs at one rate, also while the CPU sleeps. */
SONDE_SLOW int sonde_ticks_are_good(void)
{
	sonde_u32 eax = 0x80000000U, ebx, ecx = 0, edx;

	__asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
	if (eax < 0x80000007U)
		return 0;
	eax = 0x80000007U;
	ecx = 0;
	__asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
	return (int)(edx >> 8 & 1);
}

SONDE_FAST sonde_u64 sonde_counter(void)
{
	sonde_u32 low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (sonde_u64)high << 32 | low;
}
#elif defined(__aarch64__)
enum {
	SONDE_SYS_MMAP = 222,
	SONDE_SYS_MUNMAP = 215,
	SONDE_SYS_MADVISE = 233,
	SONDE_SYS_GETPID = 172,
	SONDE_SYS_GETTID = 178,
	SONDE_SYS_TGKILL = 131,
	SONDE_SYS_MEMBARRIER = 283
};

SONDE_FAST long sonde_syscall(long number, long a, long b, long c, long d)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = -1; /* mmap: no file */
	register long x5 __asm__("x5") = 0;

	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5), "r"(x8)
			 : "memory");
	return x0;
}

SONDE_SLOW int sonde_ticks_are_good(void)
{
	return 1;
}

SONDE_FAST sonde_u64 sonde_counter(void)
{
	sonde_u64 value;

	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(value));
	return value;
}
#endif

SONDE_SLOW sonde_u64 sonde_clock_ns(void)
{
	struct timespec now;

	if (sonde_clock_gettime(SONDE_CLOCK_MONOTONIC, &now) != 0)
		return 0;
	return (sonde_u64)now.tv_sec * 1000000000U + (sonde_u64)now.tv_nsec;
}

/* Zeroed pages that a child of fork() finds zeroed again; NULL where there are none. */
SONDE_SLOW void *sonde_map(unsigned long size)
{
	enum { READ_WRITE = 3, PRIVATE_ANONYMOUS = 0x22, WIPE_ON_FORK = 18 };
	long address = sonde_syscall(SONDE_SYS_MMAP, 0, (long)size, READ_WRITE, PRIVATE_ANONYMOUS);

	if (address < 0 && address > -4096)
		return 0;
	if (sonde_syscall(SONDE_SYS_MADVISE, address, (long)size, WIPE_ON_FORK, 0) != 0) {
		sonde_syscall(SONDE_SYS_MUNMAP, address, (long)size, 0, 0);
		return 0;
	}
	return (void *)address;
}

/* Gives the memory back, zeroed, but not the addresses. */
SONDE_SLOW void sonde_wipe(void *pages, unsigned long size)
{
	enum { DONT_NEED = 4 };

	sonde_syscall(SONDE_SYS_MADVISE, (long)pages, (long)size, DONT_NEED, 0);
}

SONDE_FAST unsigned long sonde_strlen(const char *text)
{
	return text ? __builtin_strlen(text) : 0;
}

/* Bytes of text that fit into max without cutting a character of UTF-8. */
SONDE_FAST unsigned long sonde_cut(const char *text, unsigned long len, unsigned long max)
{
	if (len <= max)
		return len;
	while (max > 0 && ((sonde_u8)text[max] & 0xc0) == 0x80)
		max--;
	return max;
}

#endif
