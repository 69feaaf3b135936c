/* SPDX-License-Identifier: MIT */
/*
 * The static probes of a linked object, their semaphores and its control: once in the object, by
 * a section group that the linker keeps one copy of. They are functions made here, so they are the
 * same whatever compiler, language and options a program is built with: the arguments are where
 * the calling convention says, and what is probed is far from anybody's red zone.
 *
 * That is a nop of one byte, which every kernel emulates and the notes point at. On x86-64 one of
 * five bytes follows, and then the return. Linux 6.18 and later replace the latter by a call into
 * the kernel, which costs half of a trap, while older ones do it step by step, which costs
 * many traps. So who attaches there (sonded does for what every span hits) has measured it. The
 * call pushes a return address below the stack pointer, where the function has nothing that
 * it could need for its return. No nop of five bytes spans two pages, as the kernel would not
 * replace that.
 */
#ifndef SONDE_SPAN_PROBE_H
#define SONDE_SPAN_PROBE_H

#include "abi.h"

/* Of everything that translation units of one linked object share. Another one with any change to
 * that, so that files built with several versions of this header can be linked together. */
#ifndef SONDE_REVISION
#define SONDE_REVISION 2
#endif
#define SONDE_PASTE3_(a, b, c) a##b##c
#define SONDE_PASTE3(a, b, c)  SONDE_PASTE3_(a, b, c)
#define SONDE_TEXT_OF_(a)      #a
#define SONDE_TEXT_OF(a)       SONDE_TEXT_OF_(a)
#define SONDE_SHARED(name)     SONDE_PASTE3(sonde_r, SONDE_REVISION, _##name)
#define SONDE_SHARED_PREFIX    "sonde_r" SONDE_TEXT_OF(SONDE_REVISION) "_"
#define SONDE_HIDDEN	       __attribute__((visibility("hidden")))

#if defined(__x86_64__)
#define SONDE_PROBE_CODE   "nop\n.byte 0x0f,0x1f,0x44,0x00,0x00\nret\n"
#define SONDE_PROBE_SIZE   "7"
#define SONDE_ARG(n, size) SONDE_ARG_##size##_##n
#define SONDE_ARG_8_1	   "8@%rdi"
#define SONDE_ARG_8_2	   "8@%rsi"
#define SONDE_ARG_8_3	   "8@%rdx"
#define SONDE_ARG_8_4	   "8@%rcx"
#define SONDE_ARG_8_5	   "8@%r8"
#define SONDE_ARG_4_2	   "4@%esi"
#define SONDE_ARG_4_6	   "4@%r9d"
#elif defined(__aarch64__)
#define SONDE_PROBE_CODE   "nop\nret\n"
#define SONDE_PROBE_SIZE   "8"
#define SONDE_ARG(n, size) SONDE_ARG_##size##_##n
#define SONDE_ARG_8_1	   "8@x0"
#define SONDE_ARG_8_2	   "8@x1"
#define SONDE_ARG_8_3	   "8@x2"
#define SONDE_ARG_8_4	   "8@x3"
#define SONDE_ARG_8_5	   "8@x4"
#define SONDE_ARG_4_2	   "4@w1"
#define SONDE_ARG_4_6	   "4@w5"
#endif

/* A probe's note. place: the address of the nop; semaphore: of its semaphore. */
#define SONDE_NOTE(place, semaphore, name, args)                                                   \
	".pushsection .note.stapsdt,\"G\",%note," SONDE_SHARED_PREFIX "probes,comdat\n"            \
	".balign 4\n"                                                                              \
	".4byte 992f-991f,994f-993f,3\n"                                                           \
	"991: .asciz \"stapsdt\"\n"                                                                \
	"992: .balign 4\n"                                                                         \
	"993: .8byte " SONDE_SHARED_PREFIX place "\n"                                              \
	".8byte _.stapsdt.base\n"                                                                  \
	".8byte " SONDE_SHARED_PREFIX semaphore "\n"                                               \
	".asciz \"sonde\"\n"                                                                       \
	".asciz \"" name "\"\n"                                                                    \
	".asciz \"" args "\"\n"                                                                    \
	"994: .balign 4\n"                                                                         \
	".popsection\n"

#define SONDE_PROBE(name, semaphore, args)                                                         \
	".balign 8\n"                                                                              \
	".weak " SONDE_SHARED_PREFIX "probe_" name "\n"                                            \
	".hidden " SONDE_SHARED_PREFIX "probe_" name "\n"                                          \
	".type " SONDE_SHARED_PREFIX "probe_" name ",%function\n" SONDE_SHARED_PREFIX              \
	"probe_" name ":\n"                                                                        \
	".cfi_startproc\n" SONDE_PROBE_CODE ".cfi_endproc\n"                                       \
	".size " SONDE_SHARED_PREFIX "probe_" name "," SONDE_PROBE_SIZE                            \
	"\n" SONDE_NOTE("probe_" name, semaphore, name, args)

#define SONDE_DATA(name, size)                                                                     \
	".weak " SONDE_SHARED_PREFIX name "\n"                                                     \
	".hidden " SONDE_SHARED_PREFIX name "\n"                                                   \
	".type " SONDE_SHARED_PREFIX name ",%object\n"                                             \
	".size " SONDE_SHARED_PREFIX name "," size "\n" SONDE_SHARED_PREFIX name ":\n"

#define SONDE_ARGS_2 SONDE_ARG(1, 8) " " SONDE_ARG(2, 8)
#define SONDE_ARGS_6                                                                               \
	SONDE_ARGS_2 " " SONDE_ARG(3, 8) " " SONDE_ARG(4, 8) " " SONDE_ARG(5, 8) " " SONDE_ARG(6, 4)

/* clang-format off */
/* With link-time optimisation all of a program's translation units may be in one assembly. */
__asm__(".ifndef " SONDE_SHARED_PREFIX "interest\n"
	".pushsection .stapsdt.base,\"aG\",%progbits,.stapsdt.base,comdat\n"
	".ifndef _.stapsdt.base\n"
	".weak _.stapsdt.base\n"
	".hidden _.stapsdt.base\n"
	"_.stapsdt.base: .space 1\n"
	".size _.stapsdt.base,1\n"
	".endif\n"
	".popsection\n"
	/* Semaphores have to be in the file, as the kernel knows them by their offset in it. */
	".pushsection .probes,\"awG\",%progbits," SONDE_SHARED_PREFIX "probes,comdat\n"
	".balign 8\n"
	SONDE_DATA("interest", "8") ".2byte 0,0,0,0\n"
	SONDE_DATA("thread_semaphore", "2") ".2byte 0\n"
	".balign 8\n"
	SONDE_DATA("control", "544") ".2byte 0,1\n"
	".4byte 544\n"
	".zero 536\n"
	".popsection\n"
	".pushsection .text." SONDE_SHARED_PREFIX "probes,\"axG\",%progbits,"
	SONDE_SHARED_PREFIX "probes,comdat\n"
	".balign 16\n"
	SONDE_PROBE("batch", "interest", SONDE_ARG(1, 8) " " SONDE_ARG(2, 4))
	SONDE_PROBE("span", "interest+2", SONDE_ARGS_6)
	SONDE_PROBE("begin", "interest+4", SONDE_ARGS_2)
	SONDE_PROBE("event", "interest+6", SONDE_ARGS_6)
	SONDE_PROBE("thread", "thread_semaphore", SONDE_ARG(1, 8))
	SONDE_PROBE("control", "control", "")
	".popsection\n"
	".endif\n");
/* clang-format on */

SONDE_STATIC_ASSERT(sizeof(struct sonde_control) == 544 && SONDE_CONTROL_VERSION == 1);

#ifdef __cplusplus
extern "C" {
#endif

/* The four semaphores that switch recording on, in the order of enum sonde_interest. */
extern sonde_u64 SONDE_SHARED(interest) SONDE_HIDDEN;
extern struct sonde_control SONDE_SHARED(control) SONDE_HIDDEN;

SONDE_HIDDEN void SONDE_SHARED(probe_batch)(const struct sonde_batch *, sonde_u32);
SONDE_HIDDEN void SONDE_SHARED(probe_span)(const char *, const char *, sonde_u64, sonde_u64,
					   const struct sonde_batch *, sonde_u32);
SONDE_HIDDEN void SONDE_SHARED(probe_begin)(const char *, const char *);
SONDE_HIDDEN void SONDE_SHARED(probe_event)(const char *, const char *, sonde_u64, sonde_u64,
					    const struct sonde_batch *, sonde_u32);
SONDE_HIDDEN void SONDE_SHARED(probe_thread)(struct sonde_block *);

#ifdef __cplusplus
}
#endif

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "sonde/span.h: the order of the semaphores is that of little-endian machines"
#endif
#define SONDE_INTEREST_BATCH 0x000000000000ffffULL
#define SONDE_INTEREST_SPAN  0x00000000ffff0000ULL
#define SONDE_INTEREST_BEGIN 0x0000ffff00000000ULL
#define SONDE_INTEREST_EVENT 0xffff000000000000ULL

/* What anybody is attached to; 0, which is all that spans cost then, where nobody is. */
static inline __attribute__((always_inline)) sonde_u64 sonde_interest(void)
{
	return __atomic_load_n(&SONDE_SHARED(interest), __ATOMIC_RELAXED);
}

#endif
