/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames of CPython: from its list of interpreters to the state of the current thread, and from
 * there along the frames it keeps. Everything is read from the process, which may put anything
 * there: nothing read is more than an address to read from or a number to send.
 *
 * As with unwind.bpf.h, the walk's memory is never shared by two kinds of programs.
 */
#ifndef SONDE_BPF_PYTHON_H
#define SONDE_BPF_PYTHON_H

#include "python_maps.bpf.h"

enum {
	PYTHON_HEADER_WORDS = sizeof(struct record_python) / sizeof(__u64),
	PYTHON_RAW_BYTES = 128,	  /* a power of two, not below PYTHON_FRAME_BYTES */
	PYTHON_MAX_SEARCH = 4096, /* threads and interpreters that are looked at for one sample */
	PYTHON_MAX_TEXT = 1 << 20,
	/* Of PyASCIIObject.state, from 3.11 on: kind in bits 2 to 4, then compact, then ascii. */
	STRING_KIND = 2,
	STRING_COMPACT = 1 << 5,
	STRING_ASCII = 1 << 6,
};

struct python_walk {
	__u64 interpreter, thread; /* of the search */
	__u64 chains[PYTHON_MAX_CHAINS];
	__u64 frame;
	__u32 n_chains, chain, native_id, n;
	__u32 alone, whole;
	__u64 texts[PYTHON_TEXTS_BYTES / sizeof(__u64)];
	__u64 raw[PYTHON_RAW_BYTES / sizeof(__u64)]; /* the frame */
	/* struct record_python with its frames, and one more that a bounded index may reach. */
	__u64 words[PYTHON_HEADER_WORDS + 2 * (RECORD_MAX_PYTHON + 1)];
	struct record_python_code code;
};

struct python_context {
	struct python_walk *walk;
	const struct python_process *process;
};

static __always_inline long python_read(void *to, __u32 size, __u64 address)
{
	return bpf_probe_read_user(to, size, (void *)address);
}

static __always_inline __u64 raw_word(const struct python_walk *w, __u32 offset)
{
	return w->raw[offset / sizeof(__u64) & (PYTHON_RAW_BYTES / sizeof(__u64) - 1)];
}

static __always_inline __u8 raw_byte(const struct python_walk *w, __u32 offset)
{
	return ((const __u8 *)w->raw)[offset & (PYTHON_RAW_BYTES - 1)];
}

/* The number of the current thread as it knows it itself: in the innermost namespace. */
static __always_inline __u32 own_thread_id(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pid *pid = BPF_CORE_READ(task, thread_pid);
	__u32 level = BPF_CORE_READ(pid, level);
	struct upid *own = (struct upid *)((__u64)pid + bpf_core_field_offset(pid->numbers) +
					   (__u64)level * bpf_core_type_size(struct upid));

	return BPF_CORE_READ(own, nr);
}

/* One step of the search: to the threads of the next interpreter, or over one thread. */
static long python_search(__u32 i, struct python_context *c)
{
	struct python_walk *w = c->walk;
	const struct python_offsets *o = &c->process->offsets;
	__u64 id = 0;

	if (!w->thread) {
		if (!w->interpreter ||
		    python_read(&w->thread, sizeof(w->thread),
				w->interpreter + o->interpreter_threads) ||
		    python_read(&w->interpreter, sizeof(w->interpreter),
				w->interpreter + o->interpreter_next))
			return 1;
		return 0;
	}
	if (python_read(&id, sizeof(id), w->thread + o->thread_native_id))
		return 1;
	if (id == w->native_id) {
		w->chains[w->n_chains & (PYTHON_MAX_CHAINS - 1)] = w->thread;
		w->n_chains++;
		if (w->alone || w->n_chains == PYTHON_MAX_CHAINS)
			return 1;
	}
	return python_read(&w->thread, sizeof(w->thread), w->thread + o->thread_next) != 0;
}

/* A process with one interpreter has one state a thread: as long as it says so, it is that. */
static __always_inline bool thread_as_before(struct python_context *c, __u32 tid)
{
	struct python_walk *w = c->walk;
	struct python_thread *t = bpf_map_lookup_elem(&python_threads, &tid);
	__u64 id = 0;

	if (!t || t->program != c->process->program ||
	    python_read(&id, sizeof(id), t->state + c->process->offsets.thread_native_id) ||
	    id != w->native_id)
		return false;
	w->chains[0] = t->state;
	w->n_chains = 1;
	return true;
}

/* The states of the current thread: one for each interpreter that it is in. */
static __always_inline void find_thread(struct python_context *c, __u32 tid)
{
	struct python_walk *w = c->walk;
	struct python_thread found = {.program = c->process->program};
	__u64 next = 0;

	w->n_chains = 0;
	w->thread = 0;
	w->interpreter = 0;
	if (python_read(&w->interpreter, sizeof(w->interpreter), c->process->interpreters) ||
	    !w->interpreter)
		return;
	if (python_read(&next, sizeof(next), w->interpreter + c->process->offsets.interpreter_next))
		return;
	w->alone = next == 0;
	if (w->alone && thread_as_before(c, tid))
		return;
	bpf_loop(PYTHON_MAX_SEARCH, python_search, c, 0);
	if (!w->alone || w->n_chains == 0)
		return;
	found.state = w->chains[0];
	bpf_map_update_elem(&python_threads, &tid, &found, BPF_ANY);
}

/*
 * At most `most` bytes of a str, which is one less than a power of two with the lowest bits
 * cleared; how many there are. tail: of a longer one the end.
 */
static __always_inline __u16 read_text(const struct python_offsets *o, __u64 string, __u8 *to,
				       __u32 most, bool tail, __u8 *ret_kind)
{
	__u64 length = 0, bytes;
	__u32 state = 0, kind;

	*ret_kind = 0;
	if (python_read(&state, sizeof(state), string + o->string_state) ||
	    python_read(&length, sizeof(length), string + o->string_length) ||
	    length > PYTHON_MAX_TEXT)
		return 0;
	kind = state >> STRING_KIND & 7;
	if (!(state & STRING_COMPACT) || (kind != 1 && kind != 2 && kind != 4))
		return 0;
	string += state & STRING_ASCII ? o->string_ascii : o->string_wide;
	bytes = length * kind;
	if (bytes > most) {
		string += tail ? bytes - most : 0;
		bytes = most;
	}
	asm volatile("%[n] &= %[mask]" : [n] "+r"(bytes) : [mask] "i"(most | 3));
	if (python_read(to, bytes, string))
		return 0;
	*ret_kind = kind;
	return bytes;
}

/* How many bytes of the table of lines are in the record. */
static __always_inline __u16 read_lines(const struct python_offsets *o, __u64 lines,
					struct record_python_code *r)
{
	__u64 length = 0, bytes;

	r->lines_size = 0;
	if (python_read(&length, sizeof(length), lines + o->bytes_length) ||
	    length > PYTHON_MAX_TEXT)
		return 0;
	bytes = length < RECORD_PYTHON_LINES_LEN ? length : RECORD_PYTHON_LINES_LEN;
	asm volatile("%[n] &= %[mask]" : [n] "+r"(bytes) : [mask] "i"(RECORD_PYTHON_LINES_LEN | 3));
	if (python_read(r->lines, bytes, lines + o->bytes_data))
		return 0;
	r->lines_size = length;
	return bytes;
}

static __always_inline long send_code(struct python_context *c, __u64 code,
				      const struct python_code_check *check)
{
	const struct python_offsets *o = &c->process->offsets;
	struct record_python_code *r = &c->walk->code;
	__u64 bytes;

	set_header(&r->h, RECORD_PYTHON_CODE, 0, 0);
	r->pid = bpf_get_current_pid_tgid() >> 32;
	r->program = c->process->program;
	r->code = code;
	r->first_line = check->first_line;
	r->name_len =
		read_text(o, check->name, r->name, RECORD_PYTHON_NAME_LEN, false, &r->name_kind);
	r->file_len =
		read_text(o, check->file, r->file, RECORD_PYTHON_FILE_LEN, true, &r->file_kind);
	bytes = read_lines(o, check->lines, r);
	r->lines_len = bytes;
	asm volatile("%[n] &= %[mask]" : [n] "+r"(bytes) : [mask] "i"(RECORD_PYTHON_LINES_LEN | 3));
	return bpf_ringbuf_output(&ring, r, offsetof(struct record_python_code, lines) + bytes,
				  BPF_RB_NO_WAKEUP);
}

/* Before the first frame of a code object. */
static __always_inline void announce_code(struct python_context *c, __u64 code)
{
	const struct python_offsets *o = &c->process->offsets;
	struct python_code_key key = {.code = code, .program = c->process->program};
	struct python_code_check now = {}, *known;
	struct python_walk *w = c->walk;

	if (python_read(w->texts, sizeof(w->texts), code + o->code_file) ||
	    python_read(&now.first_line, sizeof(now.first_line), code + o->code_first_line))
		return;
	now.file = w->texts[0];
	now.name = w->texts[(__u32)(o->code_name - o->code_file) / 8 & 3];
	now.lines = w->texts[(__u32)(o->code_lines - o->code_file) / 8 & 3];
	known = bpf_map_lookup_elem(&python_codes, &key);
	if (known && known->name == now.name && known->file == now.file &&
	    known->lines == now.lines && known->first_line == now.first_line)
		return;
	if (send_code(c, code, &now) == 0)
		bpf_map_update_elem(&python_codes, &key, &now, BPF_ANY);
}

static __always_inline void add_entry(struct python_walk *w, __u64 code, __u32 offset, __u32 flags)
{
	__u64 *to = &w->words[PYTHON_HEADER_WORDS + 2 * (w->n & RECORD_MAX_PYTHON)];

	to[0] = code;
	to[1] = offset | (__u64)flags << 32;
	w->n++;
}

/* Goes to the frames of the next state of the thread; 1: there is none. */
static __always_inline long next_chain(struct python_context *c)
{
	struct python_walk *w = c->walk;
	const struct python_offsets *o = &c->process->offsets;
	__u64 at = 0, on_stack = 0;

	if (w->chain >= w->n_chains) {
		w->whole = true;
		return 1;
	}
	if (python_read(&at, sizeof(at),
			w->chains[w->chain & (PYTHON_MAX_CHAINS - 1)] + o->thread_frame))
		return 1;
	if (o->cframe_frame != PYTHON_NONE) {
		on_stack = at;
		if (python_read(&at, sizeof(at), on_stack + o->cframe_frame))
			return 1;
	}
	w->chain++;
	w->frame = at;
	if (at)
		add_entry(w, on_stack, 0, PYTHON_BEGIN);
	return 0;
}

static long python_step(__u32 i, struct python_context *c)
{
	struct python_walk *w = c->walk;
	const struct python_offsets *o = &c->process->offsets;
	__u64 code;

	if (w->n >= RECORD_MAX_PYTHON)
		return 1;
	if (!w->frame)
		return next_chain(c);
	if (python_read(w->raw, PYTHON_FRAME_BYTES, w->frame))
		return 1;
	if (raw_byte(w, o->frame_owner) >= o->shim_owner) {
		add_entry(w, w->frame, 0, PYTHON_SHIM);
	} else {
		/* From 3.14 on the lowest bits are a tag. */
		code = raw_word(w, o->frame_code) & ~7ULL;
		announce_code(c, code);
		add_entry(w, code,
			  (__u32)(raw_word(w, o->frame_instruction) - code - o->code_instructions),
			  o->frame_entry != PYTHON_NONE && raw_byte(w, o->frame_entry)
				  ? PYTHON_ENTRY
				  : 0);
	}
	w->frame = raw_word(w, o->frame_previous);
	return 0;
}

/*
 * Sends the Python frames of the current thread, if it has any, for the record of that time that
 * comes next.
 */
static __always_inline void send_python_stack(struct python_walk *w,
					      const struct python_process *process, __u32 slot,
					      __u64 time_ns)
{
	struct python_context c = {.walk = w, .process = process};
	__u64 id = bpf_get_current_pid_tgid(), entries;
	struct record_python *r = (struct record_python *)w->words;

	w->native_id = own_thread_id();
	w->n = w->chain = w->whole = 0;
	w->frame = 0;
	find_thread(&c, (__u32)id);
	bpf_loop(RECORD_MAX_PYTHON + PYTHON_MAX_CHAINS + 1, python_step, &c, 0);
	entries = w->n;
	asm volatile("%[n] &= 127" : [n] "+r"(entries));
	if (!entries)
		return;
	set_header(&r->h, RECORD_PYTHON, w->whole ? PYTHON_WHOLE : 0, slot);
	r->pid = id >> 32;
	r->tid = (__u32)id;
	r->time_ns = time_ns;
	r->program = process->program;
	r->count = entries;
	if (bpf_ringbuf_output(&ring, r, sizeof(*r) + entries * sizeof(struct record_python_frame),
			       BPF_RB_NO_WAKEUP))
		count_loss(slot, LOSS_STACK);
}

static __always_inline struct python_process *python_of(__u32 pid)
{
	return bpf_map_lookup_elem(&python_processes, &pid);
}

#endif
