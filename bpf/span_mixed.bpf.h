/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Probed calls and spans written in source code (span_source.bpf.h) inside each other.
 *
 * A thread's block in the program says which of its spans is open, so a call knows what it is made
 * in. The other way nobody says anything when a span begins. But a span is recorded when it ends,
 * behind all that was recorded before, so a call has exactly those spans inside that were recorded
 * between its entry and its end: how far the thread's batches have come is read at both, and a
 * call that has spans of its own tells the daemon the range, before the batch comes that has it. A
 * batch that leaves while calls are open is told about likewise. No clock is asked.
 */
#ifndef SONDE_BPF_SPAN_MIXED_H
#define SONDE_BPF_SPAN_MIXED_H

#include "span_state.bpf.h"
#define SONDE_SPAN_ABI_ONLY
#include "sonde/span.h"

enum {
	SOURCE_COPIES = 4, /* objects with spans of a process that a thread's blocks are known of */
};

_Static_assert(SONDE_BATCH_SIZE < 1 << SOURCE_AT_SHIFT, "an offset in a batch");

/* The start of a block, up to the open spans. */
struct source_block {
	__u32 magic;
	__u16 version, flags;
	__u32 size, pid, tid, generation, used, depth;
	__u64 path, control;
};

_Static_assert(__builtin_offsetof(struct source_block, used) ==
		       __builtin_offsetof(struct sonde_block, used),
	       "ABI");
_Static_assert(__builtin_offsetof(struct source_block, path) ==
		       __builtin_offsetof(struct sonde_block, path),
	       "ABI");

/* Where the blocks of a thread are: of each object, which is known by its control. */
struct source_thread {
	struct {
		__u64 block, control;
		__u64 sequence; /* of the batch in the making */
		__u32 tid;	/* in the program's PID namespace, as the block has it */
		__u32 reserved;
	} of[SOURCE_COPIES];
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct source_thread);
} source_threads SEC(".maps");

/* Of an open call. */
struct source_mark {
	__u64 path;		 /* of the span that was open when it began; 0: none */
	__u64 at[SOURCE_COPIES]; /* how far each object's batches had come then, or last left */
	__u32 covered[SOURCE_COPIES]; /* of what was recorded since: inside calls in it */
};

struct source_marks {
	struct source_mark of[RECORD_MAX_OPEN];
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct source_marks);
} source_marks SEC(".maps");

static __always_inline bool read_block(__u64 address, struct source_block *ret)
{
	return address && bpf_probe_read_user(ret, sizeof(*ret), (void *)address) == 0 &&
	       ret->magic == SONDE_BLOCK_MAGIC && ret->version == SONDE_SPAN_VERSION;
}

/* A block that its thread has left may be another one's already. */
static __always_inline bool read_own(const struct source_thread *t, int i, struct source_block *ret)
{
	return read_block(t->of[i].block, ret) && ret->tid == t->of[i].tid;
}

/*
 * NULL where calls and spans cannot be in each other. Kernels before 6.8 verify every function of a
 * program by itself, whether it is called or not: what does not matter ends here, and in the like.
 */
static __always_inline struct source_thread *source_thread_get(void)
{
	if (!in_sources)
		return NULL;
	return bpf_task_storage_get(&source_threads, bpf_get_current_task_btf(), NULL, 0);
}

/* All zero is right for calls that began before the thread had a span. */
static __always_inline struct source_marks *source_marks_get(void)
{
	struct source_marks *m = bpf_task_storage_get(&source_marks, bpf_get_current_task_btf(),
						      NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (!m)
		count_loss(session, LOSS_NO_MEMORY);
	return m;
}

static __always_inline __u64 source_at(__u64 sequence, __u32 used)
{
	return sequence << SOURCE_AT_SHIFT | (used & ((1 << SOURCE_AT_SHIFT) - 1));
}

/* The span that began after the call around did and is open at the call at top; 0: none. */
static __always_inline __u64 source_begun(struct source_marks *marks, __u32 top)
{
	__u64 path = marks->of[frame_index(top)].path;

	return top > 0 && marks->of[frame_index(top - 1)].path == path ? 0 : path;
}

/* The same, of a call that has begun. */
__noinline __u64 source_around(__u32 top)
{
	struct source_marks *marks = source_thread_get() ? source_marks_get() : NULL;

	return marks ? source_begun(marks, top) : 0;
}

/* The same, of a call that begins: what its path has more than that of the call around. */
__noinline __u64 source_enter(__u32 top)
{
	struct source_thread *t = source_thread_get();
	struct source_marks *marks = t ? source_marks_get() : NULL;
	struct source_mark *m;

	if (!t || !marks)
		return 0;
	m = &marks->of[frame_index(top)];
	m->path = 0;
	for (int i = 0; i < SOURCE_COPIES; i++) {
		struct source_block b;
		bool found = read_own(t, i, &b);

		/* The first object that has one open. */
		if (found && !m->path && b.depth)
			m->path = b.path;
		m->at[i] = found ? source_at(t->of[i].sequence, b.used) : 0;
		m->covered[i] = 0;
	}
	return source_begun(marks, top);
}

/* Tells the daemon of a path unless it was; source: of the span that is open there, and in_source
 * whether it was begun inside the parent. False: there is no room. */
static __always_inline bool announce_one(const struct frame *f, __u64 path, __u64 parent,
					 __u64 source, bool in_source)
{
	struct record_path *r;
	__u8 known = 1;

	if (bpf_map_lookup_elem(&paths, &path))
		return true;
	r = bpf_ringbuf_reserve(&ring, sizeof(*r), 0);
	if (!r) {
		count_loss(session, LOSS_RING_EVENT);
		return false;
	}
	set_header(&r->h, RECORD_PATH, 0, session);
	r->probe = f->probe;
	r->in_source = in_source;
	r->path = path;
	r->parent = parent;
	r->source = source;
	bpf_ringbuf_submit(r, BPF_RB_NO_WAKEUP);
	if (bpf_map_update_elem(&paths, &path, &known, BPF_ANY))
		count_loss(session, LOSS_PATHS_FULL);
	return true;
}

/* Tells the daemon what the path of the span at index top consists of, outermost first. */
__noinline int announce_calls(struct thread_state *s, __u32 top)
{
	__u64 parent = 0;

	if (!s || in_sources)
		return 0;
	for (__u32 i = 0; i < RECORD_MAX_OPEN; i++) {
		struct frame *f = &s->frames[frame_index(i)];
		__u64 path = f->path;

		if (i > top)
			break;
		if (f->flags & FRAME_HIDDEN)
			continue;
		if (!announce_one(f, path, parent, 0, false))
			return 0;
		parent = path;
	}
	s->last_path = parent;
	return 0;
}

/* The same where spans written in source code may be in between: the verifier takes longer. */
__noinline int announce_in(struct thread_state *s, __u32 top, struct source_marks *marks)
{
	__u64 parent = 0, source = 0;

	if (!s || !in_sources)
		return 0;
	for (__u32 i = 0; i < RECORD_MAX_OPEN; i++) {
		struct frame *f = &s->frames[frame_index(i)];
		__u64 path = f->path, around = source;

		if (i > top)
			break;
		if (f->flags & FRAME_HIDDEN)
			continue;
		if (marks)
			source = marks->of[frame_index(i)].path;
		if (!announce_one(f, path, parent, source, source && source != around))
			return 0;
		parent = path;
	}
	s->last_path = parent;
	return 0;
}

/* Of the current thread. */
static __always_inline void announce_path(struct thread_state *s, __u32 top)
{
	if (in_sources)
		announce_in(s, top, source_thread_get() ? source_marks_get() : NULL);
	else
		announce_calls(s, top);
}

/* What a call has around it in the batches of an object. */
struct source_range {
	__u64 control, from, to;
	__u32 pid, tid, flags, pad;
};

static __always_inline struct source_range range_of_current(void)
{
	__u64 id = bpf_get_current_pid_tgid();

	return (struct source_range){.pid = id >> 32, .tid = (__u32)id};
}

/* Of the call that has this frame: before the batch that has the range. NULL: of none. */
static __always_inline void send_around(const struct frame *f, const struct source_range *range)
{
	struct record_around *r = bpf_ringbuf_reserve(&ring, sizeof(*r), 0);

	if (!r) {
		count_loss(session, LOSS_RING_EVENT);
		return;
	}
	set_header(&r->h, RECORD_AROUND, range->flags, session);
	r->pid = range->pid;
	r->tid = range->tid;
	r->control = range->control;
	r->from = range->from;
	r->to = range->to;
	r->path = f ? f->path : 0;
	r->start_ns = f ? f->start_ns : 0;
	bpf_ringbuf_submit(r, BPF_RB_NO_WAKEUP);
}

/* What the open calls are, before something is said of them. */
static __always_inline void announce_open(struct thread_state *s, struct source_marks *marks)
{
	__u32 top = s->open - 1;

	if (top < RECORD_MAX_OPEN && s->frames[frame_index(top)].path != s->last_path)
		announce_in(s, top, marks);
}

/* What source_leave() says: bits. */
enum { SOURCE_IN_SPAN = 1, SOURCE_IS_AROUND = 2 };

/*
 * The call at top ends. SOURCE_IN_SPAN: it was made in a span that began after the call around did;
 * SOURCE_IS_AROUND: it has spans inside, so the daemon must know its path.
 */
__noinline int source_leave(struct thread_state *s, __u32 top)
{
	struct source_thread *t = source_thread_get();
	struct source_marks *marks = t ? source_marks_get() : NULL;
	struct source_mark *m, *above;
	struct frame *f;
	int result;

	if (!s || !t || !marks)
		return 0;
	m = &marks->of[frame_index(top)];
	above = &marks->of[frame_index(top > 0 ? top - 1 : 0)];
	f = &s->frames[frame_index(top)];
	result = source_begun(marks, top) ? SOURCE_IN_SPAN : 0;
	/* The kernel records no such spans. */
	if (f->flags & FRAME_KERNEL)
		return result;
	for (int i = 0; i < SOURCE_COPIES; i++) {
		struct source_range range = range_of_current();
		__u32 used = 0, inside;

		if (!t->of[i].block ||
		    bpf_probe_read_user(
			    &used, sizeof(used),
			    (void *)(t->of[i].block + offsetof(struct sonde_block, used))))
			continue;
		range.control = t->of[i].control;
		range.from = m->at[i];
		range.to = source_at(t->of[i].sequence, used);
		inside = range.to - range.from;
		if (top > 0)
			above->covered[i] += f->flags & FRAME_HIDDEN ? m->covered[i] : inside;
		if (inside == m->covered[i] || f->flags & FRAME_HIDDEN)
			continue;
		send_around(f, &range);
		result |= SOURCE_IS_AROUND;
	}
	return result;
}

/* A batch leaves, or what is left of it: the calls that are open may have spans of it inside. */
__noinline int source_batch_leaves(__u64 block, __u64 sequence, __u32 used)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct thread_state *s = bpf_task_storage_get(&threads, task, NULL, 0);
	struct source_thread *t = source_thread_get();
	struct source_marks *marks = t ? source_marks_get() : NULL;
	struct source_range range = range_of_current();
	__u64 place = SOURCE_COPIES;
	__u32 open;

	if (!t || !marks)
		return 0;
	for (int i = 0; i < SOURCE_COPIES; i++)
		if (t->of[i].block == block)
			place = i;
	/* Threads that end leave theirs to others. */
	if (place >= SOURCE_COPIES)
		return 0;
	asm volatile("%[p] &= 3" : [p] "+r"(place));
	t->of[place].sequence = sequence + 1;
	range.control = t->of[place].control;
	range.to = source_at(sequence, used);
	open = s ? s->open : 0;
	if (s)
		announce_open(s, marks);
	/* The innermost first, as they would end. */
	for (__u32 i = 0; i < RECORD_MAX_OPEN; i++) {
		__u32 top = open - 1 - i;
		struct source_mark *m = &marks->of[frame_index(top)];

		if (!s || i >= open || open > RECORD_MAX_OPEN)
			break;
		range.from = m->at[place];
		if (range.from < range.to &&
		    !(s->frames[frame_index(top)].flags & (FRAME_HIDDEN | FRAME_KERNEL)))
			send_around(&s->frames[frame_index(top)], &range);
		m->at[place] = source_at(sequence + 1, 0);
		m->covered[place] = 0;
	}
	return 0;
}

/* A batch of the simple mode: what is open around the span has begun before it. */
__noinline int source_single_leaves(__u64 control)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct thread_state *s = bpf_task_storage_get(&threads, task, NULL, 0);
	struct source_range range = range_of_current();
	struct source_marks *marks;

	if (!in_sources)
		return 0;
	marks = source_marks_get();
	range.control = control;
	if (s)
		announce_open(s, marks);
	for (__u32 i = 0; s && i < RECORD_MAX_OPEN; i++) {
		__u32 top = s->open - 1 - i;

		if (s->open > RECORD_MAX_OPEN || i >= s->open)
			break;
		if (s->frames[frame_index(top)].flags & (FRAME_HIDDEN | FRAME_KERNEL))
			continue;
		send_around(&s->frames[frame_index(top)], &range);
		break;
	}
	return 0;
}

/*
 * What another thread, which may be idle, has open, as the daemon is about to read what the thread
 * keeps in its memory: as far as it has come, which the daemon knows.
 */
static __always_inline void look_at(struct task_struct *task)
{
	struct thread_state *s = bpf_task_storage_get(&threads, task, NULL, 0);
	struct source_thread *t = bpf_task_storage_get(&source_threads, task, NULL, 0);
	struct source_marks *marks = bpf_task_storage_get(&source_marks, task, NULL, 0);
	struct source_range range = {
		.pid = task->tgid, .tid = task->pid, .to = ~0ULL, .flags = AROUND_OPEN};

	if (!t)
		return;
	if (s && marks)
		announce_open(s, marks);
	for (__u32 i = 0; s && marks && i < RECORD_MAX_OPEN; i++) {
		__u32 top = s->open - 1 - i;

		if (s->open > RECORD_MAX_OPEN || i >= s->open)
			break;
		if (s->frames[frame_index(top)].flags & (FRAME_HIDDEN | FRAME_KERNEL))
			continue;
		for (int k = 0; k < SOURCE_COPIES; k++) {
			if (!t->of[k].block)
				break;
			range.control = t->of[k].control;
			range.from = marks->of[frame_index(top)].at[k];
			send_around(&s->frames[frame_index(top)], &range);
		}
	}
	/* That is all: what was sent before has come when this does. */
	for (int k = 0; k < SOURCE_COPIES; k++) {
		range.control = t->of[k].control;
		if (t->of[k].block)
			send_around(NULL, &range);
	}
}

SEC("?iter/task")
int source_look(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;

	if (task && active)
		look_at(task);
	return 0;
}

#endif
