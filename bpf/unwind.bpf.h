/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * User stacks by unwind tables (include/sonde/unwind.h): from a frame to its caller by the row
 * that covers its pc. Where no row does (code in anonymous memory, rules that cannot be said) the
 * frame pointer is followed, and the stack says so in its flags. Addresses that return probes have
 * replaced by their trampoline's are put back from the task's list of them.
 *
 * The walk's state is in memory of the program's own, never shared by two kinds of programs: a
 * sample may interrupt a uprobe program, and those are preempted by each other.
 */
#ifndef SONDE_BPF_UNWIND_H
#define SONDE_BPF_UNWIND_H

#include "unwind_maps.bpf.h"

enum {
	STACK_HEADER_WORDS = sizeof(struct record_sample) / sizeof(__u64),
	STACK_BYTES = RECORD_MAX_STACK * sizeof(__u64),
};

struct unwind_walk {
	__u64 pc, sp, bp;
	__u64 start, end, base; /* the mapping of the frame before */
	__u64 trampoline;	/* of return probes; 0: the process has none */
	__u64 returns;		/* the innermost return probe that is not passed yet */
	__u32 table, flags, n, pid;
	__u32 exact;	   /* pc is where the frame is, not where a call returns to */
	__u32 kernel_skip; /* frames of the kernel stack to be left out; the innermost ones */
	/* The stack is made in the record's place: room for its header, the user's part by the
	 * walk, then the kernel's. One flat array, as a record ends in an array of its own. */
	__u64 words[STACK_HEADER_WORDS + 2 * RECORD_MAX_STACK + 2];
};

/* The registers a walk begins with. */
struct unwind_start {
	__u64 pc, sp, bp;
	__u64 trapped; /* the thread is in the kernel, by an exception or an interrupt */
};

#if defined(__TARGET_ARCH_x86)

/*
 * Registers of a signal frame at rsp (struct rt_sigframe of arch/x86/include/asm/sigframe.h, whose
 * return address the handler has taken), and the words of a trampoline's page.
 */
enum { SIGNAL_RBP = 120, SIGNAL_RSP = 160, SIGNAL_RIP = 168 };
enum { TRAMPOLINE_BYTES = 128, XOL_BYTES = 4096, MAX_RETURNS_PASSED = 16, BREAKPOINT = 0xcc };
enum { USER_CS_64 = 0x33, USER_ADDRESS_BITS = 47 };

struct unwind_context {
	struct unwind_walk *walk;
	struct unwind_process *first;
};

/*
 * n when key <= pc, else 0, of numbers below 2^63. A branch would double the verifier's work; and
 * the compiler must not see that sums of these are disjoint bits, as 6.1 knows no bounds of an
 * `or`.
 */
static __always_inline __u64 if_not_above(__u64 key, __u64 pc, __u64 n)
{
	__u64 difference = key - pc - 1;

	asm volatile("" : "+r"(difference));
	difference = (difference >> 63) * n;
	asm volatile("" : "+r"(difference));
	return difference;
}

static __always_inline long read_word(__u64 *to, __u64 address)
{
	return bpf_probe_read_user(to, sizeof(*to), (void *)address);
}

static __always_inline struct unwind_process *find_part(const struct unwind_context *c, __u64 pc)
{
	struct unwind_process_key key = {.pid = c->walk->pid};

	if (pc < c->first->part_start[1])
		return c->first;
	for (__u32 i = 1; i < UNWIND_MAX_PARTS; i++)
		key.part += if_not_above(c->first->part_start[i], pc, 1);
	return bpf_map_lookup_elem(&unwind_mappings, &key);
}

/* Whether the pc is in a mapping with a table: which is then in the walk. */
static __always_inline bool find_mapping(struct unwind_context *c, __u64 pc)
{
	struct unwind_walk *w = c->walk;
	struct unwind_process *p;
	struct unwind_mapping *m;
	__u64 at = 0;

	if (pc >= w->start && pc < w->end)
		return true;
	p = find_part(c, pc);
	if (!p)
		return false;
#pragma unroll
	for (__u32 half = UNWIND_PART_MAPPINGS / 2; half > 0; half /= 2)
		at += if_not_above(p->mappings[at + half].start, pc, half);
	m = &p->mappings[at & (UNWIND_PART_MAPPINGS - 1)];
	if (pc < m->start || pc >= m->end)
		return false;
	w->start = m->start;
	w->end = m->end;
	w->base = m->base;
	w->table = m->table;
	return true;
}

static __always_inline union unwind_node *find_leaf(const struct unwind_walk *w, __u64 pc)
{
	__u32 id = w->table, node = 0, in_level = 0;
	struct unwind_tree *tree = bpf_map_lookup_elem(&unwind_trees, &id);
	void *table = bpf_map_lookup_elem(&unwind_tables, &id);

	if (!tree || !table)
		return NULL;
#pragma unroll
	for (__u32 level = 0; level < UNWIND_MAX_LEVELS; level++) {
		union unwind_node *n;
		__u64 at = 0;

		if (level >= tree->levels)
			break;
		n = bpf_map_lookup_elem(table, &node);
		if (!n)
			return NULL;
#pragma unroll
		for (__u32 half = UNWIND_FANOUT / 2; half > 0; half /= 2)
			at += if_not_above(n->keys[at + half], pc, half);
		in_level = in_level * UNWIND_FANOUT + (__u32)at;
		node = tree->start[level] + in_level;
	}
	return bpf_map_lookup_elem(table, &node);
}

static __always_inline bool find_row(struct unwind_context *c, __u64 pc, struct unwind_row *ret)
{
	union unwind_node *leaf;
	__u64 at = 0;

	if (!find_mapping(c, pc))
		return false;
	pc -= c->walk->base;
	leaf = find_leaf(c->walk, pc);
	if (!leaf)
		return false;
#pragma unroll
	for (__u32 half = UNWIND_LEAF_ROWS / 2; half > 0; half /= 2)
		at += if_not_above(leaf->rows[at + half].pc, pc, half);
	*ret = leaf->rows[at & (UNWIND_LEAF_ROWS - 1)];
	return ret->pc <= pc;
}

/* What the return address in that place of the stack was before a return probe took it. */
static __always_inline __u64 original_return(struct unwind_walk *w, __u64 place)
{
	for (__u32 i = 0; i < MAX_RETURNS_PASSED; i++) {
		struct return_instance *r = (struct return_instance *)w->returns;
		__u64 stack;

		if (!r)
			break;
		stack = BPF_CORE_READ(r, stack);
		if (stack > place)
			break;
		if (stack == place)
			return BPF_CORE_READ(r, orig_ret_vaddr);
		w->returns = (__u64)BPF_CORE_READ(r, next);
	}
	return 0;
}

enum step { STEP_ON = 0, STEP_STOP = 1 };

/* Goes to the caller: the return address is below cfa, bp is the caller's already. */
static __always_inline long step_to(struct unwind_walk *w, __u64 cfa, __u64 bp)
{
	__u64 pc;

	if (cfa <= w->sp && w->n > 1)
		return STEP_STOP; /* stacks grow down: this one would go round for ever */
	if (read_word(&pc, cfa - 8))
		return STEP_STOP;
	if (w->trampoline && pc == w->trampoline)
		pc = original_return(w, cfa - 8);
	if (pc == 0) {
		w->flags |= STACK_WHOLE;
		return STEP_STOP;
	}
	w->pc = pc;
	w->sp = cfa;
	w->bp = bp;
	w->exact = false;
	return STEP_ON;
}

static __always_inline long step_by_pointer(struct unwind_walk *w)
{
	__u64 bp;

	w->flags |= STACK_POINTERS;
	/* Zero in the outermost frame, by the ABI; but anything in code without frame pointers. */
	if (w->bp == 0 && w->n > 1)
		w->flags |= STACK_WHOLE;
	if (w->bp < w->sp || w->bp & 7 || read_word(&bp, w->bp))
		return STEP_STOP;
	return step_to(w, w->bp + 16, bp);
}

static __always_inline long step_out_of_signal(struct unwind_walk *w)
{
	__u64 pc, sp, bp;

	if (read_word(&pc, w->sp + SIGNAL_RIP) || read_word(&sp, w->sp + SIGNAL_RSP) ||
	    read_word(&bp, w->sp + SIGNAL_RBP))
		return STEP_STOP;
	w->pc = pc;
	w->sp = sp;
	w->bp = bp;
	w->exact = true;
	return STEP_ON;
}

static __always_inline long step_by_row(struct unwind_walk *w, const struct unwind_row *row)
{
	__u64 cfa = 0, bp = w->bp, offset = (__s64)row->cfa_offset * 8;

	switch (row->rule & 15) {
	case UNWIND_END:
		w->flags |= STACK_WHOLE;
		return STEP_STOP;
	case UNWIND_SIGNAL:
		return step_out_of_signal(w);
	case UNWIND_RSP:
		cfa = w->sp + offset;
		break;
	case UNWIND_RBP:
		cfa = w->bp + offset;
		break;
	case UNWIND_RSP_DEREF:
		if (read_word(&cfa, w->sp + offset))
			return STEP_STOP;
		break;
	case UNWIND_RBP_DEREF:
		if (read_word(&cfa, w->bp + offset))
			return STEP_STOP;
		break;
	case UNWIND_PLT:
		cfa = w->sp + 8 + ((w->pc & 15) >= (__u64)row->cfa_offset ? 8 : 0);
		break;
	default:
		return step_by_pointer(w);
	}
	offset = (__s64)row->rbp_offset * 8;
	switch (row->rule >> 4) {
	case UNWIND_RBP_AT_CFA:
		if (read_word(&bp, cfa + offset))
			return STEP_STOP;
		break;
	case UNWIND_RBP_AT_RBP:
		if (read_word(&bp, bp + offset))
			return STEP_STOP;
		break;
	}
	return step_to(w, cfa, bp);
}

static long unwind_frame(__u32 i, struct unwind_context *c)
{
	struct unwind_walk *w = c->walk;
	struct unwind_row row;

	if (i >= RECORD_MAX_STACK || w->pc >> USER_ADDRESS_BITS)
		return STEP_STOP;
	/* Readers take one off every address but the first, to be in the call. */
	w->words[STACK_HEADER_WORDS + (i & RECORD_MAX_STACK)] = w->pc + (i > 0 && w->exact);
	w->n = i + 1;
	if (find_row(c, w->pc - !w->exact, &row))
		return step_by_row(w, &row);
	return step_by_pointer(w);
}

/*
 * The kernel's own page for probes: in the trampoline, the function has returned already; in a copy
 * of an instruction, the thread is before or behind the instruction.
 */
static __always_inline void leave_probe_page(struct unwind_walk *w, struct uprobe_task *utask)
{
	struct return_instance *r = (struct return_instance *)w->returns;

	if (w->pc - w->trampoline >= TRAMPOLINE_BYTES) {
		w->pc += BPF_CORE_READ(utask, vaddr) - BPF_CORE_READ(utask, xol_vaddr);
	} else if (r) {
		w->pc = BPF_CORE_READ(r, orig_ret_vaddr);
		w->sp = BPF_CORE_READ(r, stack) + 8;
		w->returns = (__u64)BPF_CORE_READ(r, next);
	}
}

/* Behind a breakpoint, until the kernel gets to it: the instruction there has not been executed. */
static __always_inline void leave_breakpoint(struct unwind_walk *w)
{
	__u8 byte = 0;

	bpf_probe_read_user(&byte, sizeof(byte), (void *)(w->pc - 1));
	if (byte == BREAKPOINT)
		w->pc--;
}

/*
 * Behind the system call in the page that a nop of five bytes calls where it is probed (since Linux
 * 6.18): three registers have been pushed there, and below them is the place behind the nop.
 */
static __always_inline void leave_probe_call(struct unwind_walk *w)
{
	/* From the start of the page on: push %rcx, %r11, %rax; mov $336,%rax; syscall. */
	enum { BEHIND_SYSCALL = 13, PUSHED = 24, CALL_BYTES = 5 };
	__u64 code = 0, place = 0;

	if ((w->pc & (XOL_BYTES - 1)) != BEHIND_SYSCALL ||
	    bpf_probe_read_user(&code, sizeof(code), (void *)(w->pc - sizeof(code))) ||
	    code != 0x050f00000150c0c7ULL ||
	    bpf_probe_read_user(&place, sizeof(place), (void *)(w->sp + PUSHED)))
		return;
	w->pc = place - CALL_BYTES;
	w->sp += PUSHED + sizeof(place);
}

static __always_inline void look_for_probes(struct unwind_walk *w, struct task_struct *task,
					    bool trapped)
{
	struct uprobe_task *utask = BPF_CORE_READ(task, utask);

	w->trampoline = 0;
	w->returns = 0;
	if (!utask)
		return;
	if (trapped)
		leave_breakpoint(w);
	leave_probe_call(w);
	w->trampoline = BPF_CORE_READ(task, mm, uprobes_state.xol_area, vaddr);
	if (!w->trampoline)
		return;
	w->returns = (__u64)BPF_CORE_READ(utask, return_instances);
	if (w->pc - w->trampoline < XOL_BYTES)
		leave_probe_page(w, utask);
}

/* Registers of the current thread in user mode; false: it has none, or is not a 64-bit one. */
static __always_inline bool unwind_start_of_task(struct unwind_start *ret)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs;

	if (task->flags & PF_KTHREAD)
		return false;
	regs = (struct pt_regs *)bpf_task_pt_regs(task);
	ret->pc = regs->rip;
	ret->sp = regs->rsp;
	ret->bp = regs->rbp;
	ret->trapped = (__s64)regs->orig_rax < 0;
	return regs->cs == USER_CS_64;
}

/* A register of a context: all are read whole, as the verifier takes nothing less of a sample's. */
#define CONTEXT_REGISTER(ctx, name)                                                                \
	(*(const volatile __u64 *)((const char *)(ctx) + offsetof(struct pt_regs, name)))

/* The registers that a program was called with, when they are those of user mode. */
static __always_inline bool unwind_start_of(void *ctx, struct unwind_start *ret)
{
	if ((CONTEXT_REGISTER(ctx, cs) & 3) == 0)
		return unwind_start_of_task(ret);
	ret->pc = CONTEXT_REGISTER(ctx, rip);
	ret->sp = CONTEXT_REGISTER(ctx, rsp);
	ret->bp = CONTEXT_REGISTER(ctx, rbp);
	ret->trapped = false;
	return CONTEXT_REGISTER(ctx, cs) == USER_CS_64;
}

/*
 * The current thread's user stack, leaf first, behind the header's room. How many frames; 0: there
 * are no tables of this process.
 */
static __always_inline __u32 unwind_user(struct unwind_walk *w, const struct unwind_start *from)
{
	struct unwind_process_key key = {.pid = bpf_get_current_pid_tgid() >> 32};
	struct unwind_context c = {.walk = w};

	c.first = bpf_map_lookup_elem(&unwind_mappings, &key);
	if (!c.first)
		return 0;
	w->pc = from->pc;
	w->sp = from->sp;
	w->bp = from->bp;
	w->exact = true;
	w->start = w->end = 0;
	w->flags = STACK_TABLES;
	w->n = 0;
	w->pid = key.pid;
	look_for_probes(w, (struct task_struct *)bpf_get_current_task_btf(), from->trapped);
	bpf_loop(RECORD_MAX_STACK, unwind_frame, &c, 0);
	return w->n;
}

#else

static __always_inline bool unwind_start_of_task(struct unwind_start *ret)
{
	return false;
}

static __always_inline bool unwind_start_of(void *ctx, struct unwind_start *ret)
{
	return false;
}

static __always_inline __u32 unwind_user(struct unwind_walk *w, const struct unwind_start *from)
{
	return 0; /* tables are of x86-64 so far: the kernel follows frame pointers */
}

#endif

static __always_inline __u64 find_user_stack_from(void *ctx, struct unwind_walk *w,
						  const struct unwind_start *start)
{
	__u64 frames = 0;
	long bytes;

	w->flags = 0;
	if (start)
		frames = unwind_user(w, start);
	if (!frames) {
		bytes = bpf_get_stack(ctx, &w->words[STACK_HEADER_WORDS], STACK_BYTES,
				      BPF_F_USER_STACK);
		if (bytes > 0)
			frames = (__u64)bytes / sizeof(__u64);
	}
	/* 127 is all ones: the mask keeps the verifier sure of the bound and loses nothing. */
	asm volatile("%[n] &= 127" : [n] "+r"(frames));
	return frames;
}

/*
 * The current thread's user stack behind the header's room: by tables where the process has them,
 * else by frame pointers. ctx: the registers the program was called with. How many frames there
 * are.
 */
static __always_inline __u64 find_user_stack(void *ctx, struct unwind_walk *w)
{
	struct unwind_start start;

	return find_user_stack_from(ctx, w, unwind_start_of(ctx, &start) ? &start : NULL);
}

/* The same for programs whose ctx has no registers: the thread is in the kernel. */
static __always_inline __u64 find_user_stack_of_task(void *ctx, struct unwind_walk *w)
{
	struct unwind_start start;

	return find_user_stack_from(ctx, w, unwind_start_of_task(&start) ? &start : NULL);
}

#endif
