/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Return sites: probes on the instructions that leave a function. A jump may not be taken, or may
 * stay in the function.
 */
#ifndef SONDE_BPF_SPAN_SITE_H
#define SONDE_BPF_SPAN_SITE_H

#include "span_state.bpf.h"

#if defined(__TARGET_ARCH_x86)

/* The condition of a jcc by its number (Intel SDM, volume 1, appendix B), from the flags. */
static __always_inline bool condition_holds(__u64 flags, __u32 code)
{
	bool cf = flags & 1, pf = flags & 4, zf = flags & 0x40, sf = flags & 0x80,
	     of = flags & 0x800, holds;

	switch (code >> 1 & 7) {
	case 0:
		holds = of;
		break;
	case 1:
		holds = cf;
		break;
	case 2:
		holds = zf;
		break;
	case 3:
		holds = cf || zf;
		break;
	case 4:
		holds = sf;
		break;
	case 5:
		holds = pf;
		break;
	case 6:
		holds = sf != of;
		break;
	default:
		holds = zf || sf != of;
	}
	return holds != (code & 1);
}

#define AT(reg) (offsetof(struct pt_regs, reg) / sizeof(__u64))

/* Words of struct pt_regs, by the number of the register in an instruction; 5 bits each. */
#define WORDS(a, b, c, d, e, f, g, h)                                                              \
	(AT(a) | AT(b) << 5 | AT(c) << 10 | AT(d) << 15 | AT(e) << 20 | AT(f) << 25 |              \
	 AT(g) << 30 | AT(h) << 35)

static __always_inline __u64 register_value(struct pt_regs *ctx, __u32 code)
{
	__u64 words = code & 8 ? WORDS(r8, r9, r10, r11, r12, r13, r14, r15)
			       : WORDS(rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi);
	__u64 word = words >> (code & 7) * 5 & 31, value = 0;

	/* The context cannot be read at an offset that only running knows, but as memory it can. */
	bpf_probe_read_kernel(&value, sizeof(value), (void *)((__u64)ctx + word * sizeof(value)));
	return value;
}

/* Whether the jump at a return site stays in the function, or is not taken. */
static __always_inline bool is_no_exit(struct pt_regs *ctx, __u64 cookie)
{
	__u32 way = cookie >> SITE_KIND_SHIFT & 7, code = cookie >> SITE_CODE_SHIFT & 15;
	__u32 probe = (__u32)cookie;
	struct probe_info *info;
	__u64 start;

	if (way == WAY_JUMP_IF)
		return !condition_holds(ctx->eflags, code);
	if (way != WAY_JUMP_REG)
		return false;
	info = bpf_map_lookup_elem(&infos, &probe);
	start = ctx->rip - (cookie >> SITE_DELTA_SHIFT);
	return info && register_value(ctx, code) - start < info->code_size;
}

#endif

#endif
