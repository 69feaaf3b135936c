/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Static probes (USDT): passing one is an instant, or begins or ends a span. Their arguments are
 * wherever the compiler had them, in any register or in memory, as the notes of the file say.
 *
 * Ends find their beginnings by what they are, not by the stack pointer, as they may be in
 * functions of their own. So that function calls around them can tell what they have left behind,
 * the frame of such a span has the stack pointer of the call it began in: it ends with that at the
 * latest.
 */
#ifndef SONDE_BPF_SPAN_STATIC_H
#define SONDE_BPF_SPAN_STATIC_H

#include "span_end.bpf.h"

/* The general registers by their numbers in instructions. */
struct static_source {
	__u64 registers[16];
};

static __always_inline void read_all_registers(const volatile struct pt_regs *ctx,
					       struct static_source *to)
{
#if defined(__TARGET_ARCH_x86)
	to->registers[0] = ctx->rax;
	to->registers[1] = ctx->rcx;
	to->registers[2] = ctx->rdx;
	to->registers[3] = ctx->rbx;
	to->registers[4] = ctx->rsp;
	to->registers[5] = ctx->rbp;
	to->registers[6] = ctx->rsi;
	to->registers[7] = ctx->rdi;
	to->registers[8] = ctx->r8;
	to->registers[9] = ctx->r9;
	to->registers[10] = ctx->r10;
	to->registers[11] = ctx->r11;
	to->registers[12] = ctx->r12;
	to->registers[13] = ctx->r13;
	to->registers[14] = ctx->r14;
	to->registers[15] = ctx->r15;
#else /* the daemon reads the notes of x86-64 only */
	__builtin_memset(to, 0, sizeof(*to));
#endif
}

static __always_inline __u64 register_of(const struct static_source *from, __u64 number)
{
	asm volatile("%[n] &= 15" : [n] "+r"(number));
	return from->registers[number];
}

/* Follows the steps to the value's address, or to the value where there is none. */
static __always_inline long find_static(const struct static_source *from, const struct fetch *f,
					__u64 *ret)
{
	__u64 value;

	if (f->flags & FETCH_CONSTANT) {
		*ret = (__u32)f->steps[0] | (__u64)(__u32)f->steps[1] << 32;
		return 0;
	}
	value = register_of(from, f->arg);
	if (f->flags & FETCH_INDEXED)
		value += register_of(from, f->index) << (f->index >> FETCH_SCALE_SHIFT & 3);
	for (__u32 i = 0; i < FETCH_MAX_STEPS; i++) {
		if (i >= f->n_steps)
			break;
		value += (__s64)f->steps[i];
		if (i + 1 < f->n_steps && bpf_probe_read_user(&value, sizeof(value), (void *)value))
			return -1;
	}
	*ret = value;
	return 0;
}

static __always_inline long fetch_static_number(const struct static_source *from,
						const struct fetch *f, __u64 *ret)
{
	__u64 value = 0, address;

	if (find_static(from, f, &value))
		return -1;
	if (f->n_steps) {
		__u64 size = f->size;

		address = value;
		value = 0;
		if (size < 1 || size > 8)
			return -1;
		asm volatile("%[n] &= 15" : [n] "+r"(size));
		if (size > 8 || bpf_probe_read_user(&value, size, (void *)address))
			return -1;
	}
	*ret = shape_number(f, value);
	return 0;
}

static __always_inline long fetch_static(struct pending_call *p, const struct static_source *from,
					 const struct fetch *f)
{
	__u64 value = 0, slot = f->slot;

	if (f->kind != FETCH_NUMBER) {
		struct capture_source user = {.kernel = 0};

		return find_static(from, f, &value) ? -1 : fetch_bytes(p, &user, f, value);
	}
	if (fetch_static_number(from, f, &value))
		return -1;
	asm volatile("%[s] &= 248" : [s] "+r"(slot));
	*(__u64 *)((__u8 *)p + offsetof(struct pending_call, call.values) + slot) = value;
	return 0;
}

/* As capture(). */
__noinline int capture_static(struct pending_call *p, const struct static_source *from, __u32 probe)
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
		if (fetch_static(p, from, f) == 0)
			valid |= 1ULL << i;
	}
	p->call.valid = valid;
	return 0;
}

/* What a static probe was passed with. Registers are no arguments here, so none are kept. */
static __always_inline void keep_static(struct pt_regs *ctx, struct frame_more *m,
					struct pending_call *p, __u32 probe,
					const struct probe_info *info)
{
	struct static_source from;

	__builtin_memset(m->args, 0, sizeof(m->args));
	m->valid = 0;
	if (!p || !(wants & WANT_VALUES) || !info || !info->values_len)
		return;
	read_all_registers(ctx, &from);
	capture_static(p, &from, probe);
	m->valid = p->call.valid;
	copy_values(m->values, (__u64 *)p->call.values, info->values_len);
}

/* The result, which is what the row of fetches of the probe at the end begins with. */
static __always_inline __u64 static_result(struct pt_regs *ctx, __u32 probe)
{
	struct fetch_row *row = bpf_map_lookup_elem(&fetches, &probe);
	struct static_source from;
	__u64 value = 0;

	if (!row || row->fetches[0].kind != FETCH_NUMBER)
		return 0;
	read_all_registers(ctx, &from);
	return fetch_static_number(&from, &row->fetches[0], &value) ? 0 : value;
}

/*
 * What is done about beginnings for which there is no room any more: they are counted, so that
 * their ends are not taken for those of others. When another comes from the same or a higher place
 * of the stack before they have ended, they never will (an exception, a longjmp): then those that
 * are open have most likely been left in the same way, and make room.
 */
static __always_inline bool make_room(struct thread_state *s, struct calls_state *cs,
				      __u64 position, __u64 now)
{
	if (s->open < RECORD_MAX_OPEN)
		return true;
	if (!s->lost_pairs || position < s->lost_position) {
		if (!s->lost_pairs++)
			s->lost_position = position;
		count_loss(session, LOSS_TOO_DEEP);
		return false;
	}
	for (int i = 0; i < RECORD_MAX_OPEN; i++) {
		if (s->open == 0 || s->open > RECORD_MAX_OPEN ||
		    !(s->frames[frame_index(s->open - 1)].flags & FRAME_STATIC))
			break;
		end_span(s, cs, now, 0, SPAN_UNWOUND);
	}
	s->lost_pairs = 0;
	return s->open < RECORD_MAX_OPEN;
}

/* Whether a span that ends where the cookie says is open: one that `count` probes from `first` on
 * have begun. */
static __always_inline bool is_pair_open(struct thread_state *s, __u32 first, __u32 count)
{
	for (__u32 i = 0; i < RECORD_MAX_OPEN; i++) {
		struct frame *f;

		if (i >= s->open)
			break;
		f = &s->frames[frame_index(s->open - 1 - i)];
		if (f->flags & FRAME_STATIC && f->probe - first < count)
			return true;
	}
	return false;
}

#endif
