/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * C++ exceptions: what is thrown where, and when the frames that it passes over end. The probes
 * are on the entries of __cxa_throw and __cxa_begin_catch (Itanium C++ ABI, exception handling).
 */
#ifndef SONDE_BPF_SPAN_THROW_H
#define SONDE_BPF_SPAN_THROW_H

#include "span_end.bpf.h"

/*
 * The message of std::logic_error and std::runtime_error, and of what is derived from them without
 * a second base: a pointer to the text is behind the virtual table's (libstdc++'s __cow_string;
 * libc++ has a pointer to its text there as well).
 */
static __always_inline void read_message(struct record_throw *r, __u64 thrown)
{
	__u64 text = 0;

	if (bpf_probe_read_user(&text, sizeof(text), (void *)(thrown + sizeof(text))) ||
	    bpf_probe_read_user_str(r->message, sizeof(r->message), (void *)text) < 0)
		r->message[0] = 0;
	/* Behind the text is what the ring had there before, and the daemon looks for an end. */
	r->message[sizeof(r->message) - 1] = 0;
}

/* struct std::type_info { vtable, name }: the name is mangled, after a '*' when it is local. */
static __always_inline void read_type(struct record_throw *r, __u64 type_info)
{
	__u64 name = 0;

	if (bpf_probe_read_user(&name, sizeof(name), (void *)(type_info + sizeof(name))) ||
	    bpf_probe_read_user_str(r->type, sizeof(r->type), (void *)name) < 0)
		r->type[0] = 0;
	r->type[sizeof(r->type) - 1] = 0;
}

static __always_inline void send_throw(__u64 thrown, __u64 type_info, __u64 now)
{
	struct record_throw *r = bpf_ringbuf_reserve(&ring, sizeof(*r), 0);
	__u64 id = bpf_get_current_pid_tgid();

	if (!r) {
		count_loss(session, LOSS_RING_EVENT);
		return;
	}
	set_header(&r->h, RECORD_THROW, 0, session);
	r->pid = id >> 32;
	r->tid = (__u32)id;
	r->time_ns = now;
	read_type(r, type_info);
	read_message(r, thrown);
	bpf_ringbuf_submit(r, BPF_RB_NO_WAKEUP);
}

/*
 * An exception by its header struct _Unwind_Exception, which begins with the language. The object
 * is behind the header, and the C++ runtime's own struct __cxa_exception, which ends with the
 * header, begins with the type. Both libstdc++ and libc++abi have it so.
 */
enum { UNWIND_HEADER_SIZE = 32, TYPE_TO_HEADER = 80 };

static __always_inline void send_caught(__u64 header, __u64 now)
{
	__u64 language = 0, type_info = 0;

	bpf_probe_read_user(&language, sizeof(language), (void *)header);
	/* "GNUCC++", "CLNGC++", and a zero: an object of its own. */
	if (language != 0x474E5543432B2B00ULL && language != 0x434C4E47432B2B00ULL)
		return;
	if (bpf_probe_read_user(&type_info, sizeof(type_info), (void *)(header - TYPE_TO_HEADER)))
		return;
	send_throw(header + UNWIND_HEADER_SIZE, type_info, now);
}

#endif
