/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a call was made with: argument registers, captured values, and the record that has it all.
 * Only in sessions that are `rich`.
 */
#ifndef SONDE_BPF_SPAN_CALL_H
#define SONDE_BPF_SPAN_CALL_H

#include "span_state.bpf.h"

static __always_inline void read_registers(const volatile struct pt_regs *ctx, __u64 *args)
{
#if defined(__TARGET_ARCH_x86)
	if (goroutines) { /* Go's own calling convention (abi-internal.md), its first six */
		args[0] = ctx->rax;
		args[1] = ctx->rbx;
		args[2] = ctx->rcx;
		args[3] = ctx->rdi;
		args[4] = ctx->rsi;
		args[5] = ctx->r8;
		return;
	}
	args[5] = ctx->r9;
#else
	args[5] = ((const volatile struct user_pt_regs *)ctx)->regs[5];
#endif
	args[0] = PT_REGS_PARM1(ctx);
	args[1] = PT_REGS_PARM2(ctx);
	args[2] = PT_REGS_PARM3(ctx);
	args[3] = PT_REGS_PARM4(ctx);
	args[4] = PT_REGS_PARM5(ctx);
}

/* Of fentry: as many as the function has, the rest 0. */
static __always_inline void read_traced_arguments(void *ctx, __u64 *args)
{
	for (__u32 i = 0; i < RECORD_ARGS; i++) {
		args[i] = 0;
		bpf_get_func_arg(ctx, i, &args[i]);
	}
}

/* Where captures are read from: the registers as they were at entry, redacted ones included. */
struct capture_source {
	__u64 args[RECORD_ARGS];
	__u64 sp;
	__u64 kernel;
};

static __always_inline long read_memory(const struct capture_source *from, void *to, __u32 size,
					__u64 address)
{
	if (from->kernel)
		return bpf_probe_read_kernel(to, size, (void *)address);
	return bpf_probe_read_user(to, size, (void *)address);
}

/* The argument's value: a register, or a word above the return address. */
static __always_inline long read_argument(const struct capture_source *from, __u32 arg, __u64 *ret)
{
	if (arg >= RECORD_ARGS)
		return read_memory(from, ret, sizeof(*ret), from->sp + 8 * (arg - RECORD_ARGS + 1));
	/* One by one, as an index into the stack is more than the verifier of 6.1 follows. */
	*ret = arg == 0	  ? from->args[0]
	       : arg == 1 ? from->args[1]
	       : arg == 2 ? from->args[2]
	       : arg == 3 ? from->args[3]
	       : arg == 4 ? from->args[4]
			  : from->args[5];
	return 0;
}

static __always_inline __u64 shape_number(const struct fetch *f, __u64 value)
{
	__u32 bits = f->bits ? f->bits : f->size * 8U;

	value >>= f->shift & 63;
	if (bits < 64) {
		value <<= (64 - bits) & 63;
		if (f->flags & FETCH_SIGNED)
			value = (__u64)((__s64)value >> ((64 - bits) & 63));
		else
			value >>= (64 - bits) & 63;
	}
	return value;
}

/* Text and buffers: into the record's slot, their length in front. */
static __always_inline long fetch_bytes(struct pending_call *p, const struct capture_source *from,
					const struct fetch *f, __u64 address)
{
	__u64 slot = f->slot, room = f->room, length = f->length;
	__u8 *to;
	long n;

	asm volatile("%[s] &= 248" : [s] "+r"(slot)); /* RECORD_MAX_VALUES - 8 */
	if (f->flags & FETCH_POINTER && read_memory(from, &address, sizeof(address), address))
		return -1;
	if (f->flags & FETCH_LENGTH_ARG) {
		if (read_argument(from, f->length & 15, &length))
			return -1;
		if (f->size == 4)
			length = (__u32)length;
	}
	to = (__u8 *)p + offsetof(struct pending_call, call.values) + slot;
	if (f->kind == FETCH_TEXT) {
		if (room > RECORD_MAX_VALUES - 16)
			return -1;
		room++; /* for the NUL, which is not counted */
		asm volatile("%[r] &= 255" : [r] "+r"(room));
		n = from->kernel ? bpf_probe_read_kernel_str(to + 4, room, (void *)address)
				 : bpf_probe_read_user_str(to + 4, room, (void *)address);
		if (n <= 0)
			return -1;
		n--;
	} else {
		n = length < room ? length : room;
		if (n < 0 || n > RECORD_MAX_VALUES - 8)
			return -1;
		asm volatile("%[r] &= 255" : [r] "+r"(n));
		if (read_memory(from, to + 4, n, address))
			return -1;
	}
	*(__u32 *)to = (__u32)n;
	return 0;
}

static __always_inline long fetch_one(struct pending_call *p, const struct capture_source *from,
				      const struct fetch *f)
{
	__u64 value = 0, slot = f->slot;

	if (read_argument(from, f->arg, &value))
		return -1;
	for (__u32 i = 0; i < FETCH_MAX_STEPS; i++) {
		if (i >= f->n_steps)
			break;
		value += (__s64)f->steps[i];
		if (i + 1 < f->n_steps && read_memory(from, &value, sizeof(value), value))
			return -1;
	}
	if (f->kind != FETCH_NUMBER)
		return fetch_bytes(p, from, f, value);
	if (f->n_steps) {
		__u64 address = value, size = f->size;

		value = 0;
		if (size < 1 || size > 8)
			return -1;
		asm volatile("%[n] &= 15" : [n] "+r"(size));
		if (size > 8 || read_memory(from, &value, size, address))
			return -1;
	}
	asm volatile("%[s] &= 248" : [s] "+r"(slot));
	*(__u64 *)((__u8 *)p + offsetof(struct pending_call, call.values) + slot) =
		shape_number(f, value);
	return 0;
}

/* Reads the captures of a probe into the pending call, and notes which could be read. */
__noinline int capture(struct pending_call *p, const struct capture_source *from, __u32 probe)
{
	struct fetch_row *row = bpf_map_lookup_elem(&fetches, &probe);
	__u64 valid = 0;

	if (!p || !from || !row)
		return 0;
	for (__u32 i = 0; i < RECORD_MAX_VALUES / 8; i++)
		*(__u64 *)(p->call.values + 8 * i) = 0;
	for (__u32 i = 0; i < RECORD_MAX_CAPTURES; i++) {
		const struct fetch *f = &row->fetches[i];

		if (f->kind == FETCH_NONE)
			break;
		if (fetch_one(p, from, f) == 0)
			valid |= 1ULL << i;
	}
	p->call.valid = valid;
	return 0;
}

static __always_inline void copy_values(__u64 *to, const __u64 *from, __u32 bytes)
{
	for (__u32 i = 0; i < RECORD_MAX_VALUES / 8; i++) {
		if (8 * i >= bytes)
			break;
		to[i] = from[i];
	}
}

static __always_inline void note_switch(struct offcpu *o, struct task_struct *task, __u64 now,
					bool off)
{
	o->at_ns = now;
	o->runtime_ns = task->se.sum_exec_runtime;
	o->switches = task->nvcsw + task->nivcsw;
	o->off = off;
}

/*
 * One switch in some thousands goes by without any tracing program being run (seen on 6.18, by
 * bpftrace as well; most likely where a bpf(2) call has been preempted). How often the thread was
 * switched tells; its time on the CPU, a tick old at the worst, stands in for what was not seen.
 */
static __always_inline void make_up_for_unseen_switches(struct offcpu *o, struct task_struct *task)
{
	__u64 now, elapsed, runtime;

	if (o->at_ns && !o->off && o->switches == task->nvcsw + task->nivcsw)
		return;
	now = bpf_ktime_get_ns();
	elapsed = now - o->at_ns;
	runtime = task->se.sum_exec_runtime - o->runtime_ns;
	if (o->at_ns && elapsed > runtime)
		o->total_ns += elapsed - runtime;
	note_switch(o, task, now, false);
}

/* How long the current thread has been off the CPU, since its first probed call. */
static __always_inline __u64 offcpu_now(bool create)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct offcpu *o;

	if (!(wants & WANT_OFFCPU))
		return 0;
	o = bpf_task_storage_get(&offcpus, task, NULL, create ? BPF_LOCAL_STORAGE_GET_F_CREATE : 0);
	if (!o) {
		if (create)
			count_loss(session, LOSS_NO_MEMORY);
		return 0;
	}
	make_up_for_unseen_switches(o, task);
	return o->total_ns;
}

/* What a begun call was made with; p: for captures, as the verifier wants room behind them. */
static __always_inline void keep_arguments(struct frame_more *m, struct pending_call *p,
					   const struct capture_source *from, __u32 probe,
					   const struct probe_info *info)
{
	__u8 kept = info ? info->kept_args : 0xff;

	m->args[0] = kept & 1 ? from->args[0] : 0;
	m->args[1] = kept & 2 ? from->args[1] : 0;
	m->args[2] = kept & 4 ? from->args[2] : 0;
	m->args[3] = kept & 8 ? from->args[3] : 0;
	m->args[4] = kept & 16 ? from->args[4] : 0;
	m->args[5] = kept & 32 ? from->args[5] : 0;
	m->valid = 0;
	if (p && wants & WANT_VALUES && info && info->values_len) {
		capture(p, from, probe);
		m->valid = p->call.valid;
		copy_values(m->values, (__u64 *)p->call.values, info->values_len);
	}
}

static __always_inline void fill_identity(struct record_call *c, struct thread_state *s, __u32 top)
{
	struct frame *f = &s->frames[frame_index(top)];
	__u64 id = bpf_get_current_pid_tgid();
	__u32 asked = wants;

	c->span.pid = id >> 32;
	c->span.tid = (__u32)id;
	c->span.probe = f->probe;
	c->span.depth = f->depth;
	c->span.pad = 0;
	c->span.start_ns = f->start_ns;
	c->span.path = f->path;
	c->cgroup = asked & WANT_CGROUP ? bpf_get_current_cgroup_id() : 0;
	c->uid = asked & WANT_UID ? (__u32)bpf_get_current_uid_gid() : 0;
	c->caller = 0;
	if (asked & WANT_CALLER)
		for (__u32 i = 0; i < RECORD_MAX_OPEN; i++) {
			struct frame *above;

			if (i >= top)
				break;
			above = &s->frames[frame_index(top - 1 - i)];
			if (above->flags & FRAME_HIDDEN)
				continue;
			c->caller = above->probe + 1;
			break;
		}
	if (asked & WANT_COMM)
		bpf_get_current_comm(c->comm, sizeof(c->comm));
}

/* Puts together what is known of the ended call at index top; the times are filled in already. */
static __always_inline void fill_call(struct pending_call *p, struct thread_state *s, __u32 top,
				      struct calls_state *cs, const struct probe_info *info)
{
	struct record_call *c = &p->call;
	__u32 len = 0;

	fill_identity(c, s, top);
	c->valid = 0;
	if (cs) {
		struct frame_more *m = &cs->more[frame_index(top)];

		if (wants & (WANT_ARGS | WANT_VALUES))
			__builtin_memcpy(c->args, m->args, sizeof(c->args));
		if (wants & WANT_OFFCPU)
			c->offcpu_ns = offcpu_now(false) - m->offcpu_ns;
		if (wants & WANT_VALUES && info) {
			len = info->values_len;
			if (len > RECORD_MAX_VALUES)
				len = 0;
			c->valid = m->valid;
			copy_values((__u64 *)c->values, m->values, len);
		}
	}
	p->top = top;
	p->bytes = offsetof(struct record_call, values) + len;
}

#endif
