/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Functions that no compiler makes: what they do is told in hx_text.c. x86-64, System V. */

	.text

	.macro begin name
	.globl \name
	.type \name, @function
\name:
	.endm

	.macro end name
	.size \name, . - \name
	.endm

/* One byte, and the next function right behind it. */
	.p2align 4
	begin tiny_one
	ret
	end tiny_one

	begin tiny_two
	ret
	end tiny_two

/* Two bytes: what compilers emitted for old AMD processors. */
	begin tiny_rep
	rep ret
	end tiny_rep

/* No size is given, and another label is on the same byte. */
	.globl tiny_alias
	.type tiny_alias, @function
tiny_alias:
	begin tiny_sizeless
	lea 1(%rdi), %rax
	ret

/* Jumps over data that look like rets, breakpoints and calls, and adds the data up. */
	.p2align 4
	begin skip_data
	jmp 2f
1:	.byte 0xc3, 0xc3, 0xcc, 0xe8, 0x90, 0x55, 0xf4, 0xc3
	.byte 0x0f, 0x1f, 0x44, 0x00, 0x00, 0xeb, 0xfe, 0xc3
2:	xor %eax, %eax
	xor %ecx, %ecx
	lea 1b(%rip), %rsi
3:	movzbl (%rsi,%rcx), %edx
	lea (%rax,%rax,2), %rax
	add %rdx, %rax
	inc %ecx
	cmp $16, %ecx
	jne 3b
	add %rdi, %rax
	ret
	end skip_data

/* A jump table inside the function, between its parts. */
	.p2align 4
	begin table_text
	and $3, %edi
	lea 1f(%rip), %rdx
	movslq (%rdx,%rdi,4), %rax
	add %rdx, %rax
	jmp *%rax
	.p2align 2
1:	.long 2f - 1b, 3f - 1b, 4f - 1b, 5f - 1b
2:	mov $100, %eax
	ret
3:	mov $201, %eax
	ret
4:	mov $302, %eax
	jmp 6f
5:	mov $403, %eax
6:	add $7, %eax
	ret
	end table_text

/* Text behind the ret, and inside the function. */
	.p2align 4
	begin string_text
	lea 1f(%rip), %rax
	ret
1:	.asciz "\303\303 text in .text \314\303"
	end string_text

/* The first instruction is the target of a loop: it runs rdi times in one call. */
	.p2align 4
	begin loop_start
	dec %rdi
	jnz loop_start
	mov %rdi, %rax
	ret
	end loop_start

/* Ends without leaving: what runs next is the function behind it. */
	.p2align 4
	begin fall_first
	push %rdi
	pop %rax
	add $5, %rdi
	end fall_first
	begin fall_second
	lea (%rdi,%rdi), %rax
	ret
	end fall_second

/* A conditional jump to another function. */
	.p2align 4
	begin jump_if
	test $1, %dil
	jnz jump_target
	lea 40(%rdi), %rax
	ret
	end jump_if

	.p2align 4
	begin jump_target
	lea 80(%rdi), %rax
	ret
	end jump_target

/* Two ways to read the same bytes: the jump goes into the middle of the mov. */
	.p2align 4
	begin overlapped
	xor %eax, %eax
	jmp 1f + 1
1:	.byte 0xb8, 0x48, 0x8d, 0x47, 0x09 /* mov $…, %eax; from its second byte lea 9(%rdi), %rax */
	ret
	end overlapped

/* Leaves with a ret to an address it has pushed: a jump to jump_target. */
	.p2align 4
	begin push_ret
	lea jump_target(%rip), %rax
	push %rax
	ret
	end push_ret

/* Keeps a value below the stack pointer, where leaf functions may. */
	.p2align 4
	begin red_zone
	mov %rdi, -8(%rsp)
	mov %rdi, -120(%rsp)
	nopl 0(%rax,%rax,1)
	mov -8(%rsp), %rax
	add -120(%rsp), %rax
	ret
	end red_zone

/* Begins with the five-byte nop that Linux 6.18 replaces by a call. */
	.p2align 4
	begin nop_first
	nopl 0(%rax,%rax,1)
	mov %rdi, -8(%rsp)
	mov -8(%rsp), %rax
	inc %rax
	ret
	end nop_first

/* Begins with what the kernel refuses to probe. */
	.p2align 4
	begin lock_first
	lock incl lock_count(%rip)
	lea 6(%rdi), %rax
	ret
	end lock_first

/*
 * Begin with vector instructions whose opcode byte is that of a conditional jump: 0x74 and 0x7a.
 * Linux 6.18 takes a probed one for the jump and leaves it out.
 */
	.p2align 4
	begin vex_first
	vpcmpeqb %ymm1, %ymm1, %ymm1
	vmovd %xmm1, %eax
	vzeroupper
	ret
	end vex_first

	.p2align 4
	begin evex_first
	vpbroadcastb %edi, %ymm17
	vmovdqa64 %ymm17, %ymm0
	vmovd %xmm0, %eax
	vzeroupper
	ret
	end evex_first

/* Zeroes what the two leave behind, which would hide that they have done nothing. */
	.p2align 4
	begin clear_vex
	vpxor %ymm1, %ymm1, %ymm1
	vzeroupper
	ret
	end clear_vex

	.p2align 4
	begin clear_evex
	vpxorq %ymm17, %ymm17, %ymm17
	ret
	end clear_evex

/* Preserves the flags and every register but the result: its callers rely on that. */
	.p2align 4
	begin keeps_flags
	mov %rdi, %rax
	ret
	end keeps_flags

/* Calls keeps_flags between a compare and its use. */
	.p2align 4
	begin uses_flags
	cmp $10, %rdi
	call keeps_flags
	jb 1f
	add $1000, %rax
1:	ret
	end uses_flags

	.local lock_count
	.comm lock_count, 4, 4

	.section .note.GNU-stack, "", @progbits
