/* SPDX-License-Identifier: MIT */
/*
 * What a program with spans and sonde agree on: the layout of what the program keeps and of what
 * leaves it. Only fixed-width types; the kernel side, the daemon and programs in C and C++ include
 * it. All numbers are native-endian. Kinds, flags and offsets never change their meaning within a
 * version; readers skip records of kinds they do not know, by their size.
 *
 * A program has the static probes of provider "sonde" below, once in each linked object. Each is a
 * function of its own, so that its arguments are in the registers of the calling convention, in
 * this order (the notes say so as well), and what the notes point at is a nop of one byte (four on
 * arm64). On x86-64 a nop of five bytes and a return follow: another place for the same probe.
 *
 *   batch    const struct sonde_batch *, u32 bytes
 *   span     const char *category, const char *name, u64 duration_ns, u64 start_ns,
 *            const struct sonde_batch *, u32 bytes
 *   event    const char *category, const char *name, u64 kind (enum sonde_record_kind), u64 value
 *            (of struct sonde_record_event), const struct sonde_batch *, u32 bytes
 *   begin    const char *category, const char *name
 *   thread   struct sonde_block *
 *   control  never hit: the address of its semaphore is that of the object's struct sonde_control
 *
 * The batches of span and event have that one record, and before it the SITE and KEY records that
 * it needs. start_ns is CLOCK_MONOTONIC. Whoever is attached to batch gets
 * batches; whoever is attached to span or event gets a hit each; thread is hit for each thread
 * that has a span when anybody is attached to batch, span or event: first, and when the daemon
 * has changed the generation of the control.
 */
#ifndef SONDE_SPAN_ABI_H
#define SONDE_SPAN_ABI_H

typedef __UINT8_TYPE__ sonde_u8;
typedef __UINT16_TYPE__ sonde_u16;
typedef __UINT32_TYPE__ sonde_u32;
typedef __UINT64_TYPE__ sonde_u64;
typedef __INT64_TYPE__ sonde_i64;

#ifdef __cplusplus
#define SONDE_STATIC_ASSERT(condition) static_assert(condition, #condition)
#else
#define SONDE_STATIC_ASSERT(condition) _Static_assert(condition, #condition)
#endif

enum {
	SONDE_SPAN_VERSION = 1,	   /* of blocks, batches and records */
	SONDE_CONTROL_VERSION = 1, /* of struct sonde_control */
	SONDE_BLOCK_MAGIC = 0x4b4c4253 /* bytes "SBLK" on little-endian machines */,
	SONDE_BATCH_MAGIC = 0x54414253 /* "SBAT" */,
	SONDE_BATCH_SIZE = 16384, /* bytes of the largest batch, its header included */
	SONDE_MAX_OPEN = 64,	  /* open spans that a thread knows of; deeper ones are dropped */
	SONDE_MAX_FIELDS = 16,	  /* of a span */
	SONDE_MAX_TEXT = 64,	  /* bytes of a field's text, cut between characters of UTF-8 */
	SONDE_MAX_NAME = 128,	  /* bytes of a name, a category, a key; cut in the same way */
	SONDE_RULES_SIZE = 512,	  /* bytes of the rules of a control */
	SONDE_FLUSH_MS = 100	  /* default: how old a batch becomes, when spans end */
};

/*
 * What the daemon writes into a program while it runs (through /proc/PID/mem), and what it may
 * read back. It writes generation last, and another one each time. While that is 0, the program's
 * environment decides.
 */
struct sonde_control {
	sonde_u16 semaphore;	/* of sonde:control; neither side uses it */
	sonde_u16 version;	/* SONDE_CONTROL_VERSION, by the program */
	sonde_u32 size;		/* bytes of this struct, by the program */
	sonde_u64 threshold_ns; /* spans shorter than this are not kept; 0: all are */
	sonde_u32 generation;	/* 0: nobody has written */
	sonde_u32 flush_ms;	/* 0: what the environment says, or SONDE_FLUSH_MS */
	sonde_u32 n_bytes;	/* of rules that are used, each with its NUL */
	sonde_u32 reserved;	/* 0 */
	/* "[-]CATEGORY_GLOB/NAME_GLOB" with * and ?, each NUL-terminated; without '/' all names of
	 * the category. The last that matches decides, '-' refuses; where none matches, the span
	 * is wanted if all rules refuse (or there is none), and is not otherwise. */
	char rules[SONDE_RULES_SIZE];
};

enum sonde_record_kind {
	SONDE_RECORD_INSTANT = 1,     /* struct sonde_record_event; value is 0 */
	SONDE_RECORD_COUNTER = 2,     /* struct sonde_record_event; value is the bits of a double */
	SONDE_RECORD_ASYNC_BEGIN = 3, /* struct sonde_record_event; value is the key of the pair */
	SONDE_RECORD_ASYNC_END = 4,   /* likewise; any thread may end what another one began */
	SONDE_RECORD_SPAN = 5,	      /* struct sonde_record_span: a span has ended */
	SONDE_RECORD_SITE = 6,	      /* struct sonde_record_site: what a site's id means */
	SONDE_RECORD_KEY = 7	      /* struct sonde_record_key: what a field's key id means */
};

enum sonde_record_flags {
	SONDE_SPAN_ERROR = 1 << 0,	    /* SONDE_ERROR(), or EXCEPTION */
	SONDE_SPAN_EXCEPTION = 1 << 1,	    /* left by a C++ exception */
	SONDE_SPAN_HAS_ERROR_CODE = 1 << 2, /* i64 follows */
	SONDE_SPAN_HAS_TRACE = 1 << 3,	    /* struct sonde_trace follows */
	SONDE_SPAN_UNFINISHED = 1 << 4	    /* open when its thread ended: duration is till then */
};

/* What every record begins with, at a multiple of 8. */
struct sonde_record {
	sonde_u16 size;	    /* bytes of the record, these included: a multiple of 8 */
	sonde_u8 kind;	    /* enum sonde_record_kind */
	sonde_u8 flags;	    /* enum sonde_record_flags; of spans, else 0 */
	sonde_u16 depth;    /* spans of this object open around it: 0 is outermost */
	sonde_u16 n_fields; /* struct sonde_field behind everything else; of spans, else 0 */
};

/*
 * Times are in ticks (see struct sonde_batch). Behind it, where the flag says so and in this
 * order: the error code (i64), struct sonde_trace, the fields.
 */
struct sonde_record_span {
	struct sonde_record h;
	sonde_u64 site;	    /* sonde_site_id() */
	sonde_u64 path;	    /* sonde_path() of the path around it and the site */
	sonde_u64 start;    /* ticks */
	sonde_u64 duration; /* ticks */
};

struct sonde_record_event {
	struct sonde_record h;
	sonde_u64 site;
	sonde_u64 path; /* of the span it happened in; 0: in none */
	sonde_u64 time; /* ticks */
	sonde_u64 value;
};

/*
 * Sent by each thread when a span of the site begins and before the first record that needs it,
 * once a generation: the paths of what is inside an open span have names, too.
 */
struct sonde_record_site {
	struct sonde_record h;
	sonde_u64 id;
	sonde_u8 category_len, name_len; /* bytes, at most SONDE_MAX_NAME; 0 where empty */
	sonde_u8 reserved[6];
	/* char text[]: category, name, zeros up to a multiple of 8 */
};

/* Likewise. */
struct sonde_record_key {
	struct sonde_record h;
	sonde_u64 id; /* sonde_key_id() */
	sonde_u8 len; /* bytes, at most SONDE_MAX_NAME */
	sonde_u8 reserved[7];
	/* char text[], zeros up to a multiple of 8 */
};

/* A W3C trace context. Numbers are those whose hexadecimal digits a traceparent shows. */
struct sonde_trace {
	sonde_u8 trace_id[16];	  /* in the order of the digits */
	sonde_u64 span_id;	  /* of this span */
	sonde_u64 parent_span_id; /* 0: none */
};

enum sonde_field_type {
	SONDE_FIELD_I64 = 1,
	SONDE_FIELD_U64 = 2,
	SONDE_FIELD_F64 = 3,
	SONDE_FIELD_BOOL = 4, /* a u64, 0 or 1 */
	SONDE_FIELD_TEXT = 5
};

struct sonde_field {
	sonde_u64 key; /* id of a KEY record */
	sonde_u8 type; /* enum sonde_field_type */
	sonde_u8 len;  /* bytes of the value: 8, or of the text (0 … SONDE_MAX_TEXT) */
	sonde_u8 reserved[6];
	/* the value: 8 bytes, or text and zeros up to a multiple of 8 */
};

/* Two clocks read at the same time. */
struct sonde_anchor {
	sonde_u64 ticks;
	sonde_u64 ns; /* CLOCK_MONOTONIC */
};

enum sonde_batch_flags {
	SONDE_BATCH_NS = 1 << 0,     /* ticks are CLOCK_MONOTONIC nanoseconds */
	SONDE_BATCH_SIMPLE = 1 << 1, /* of a hit of span or event: has no sequence number */
	SONDE_BATCH_EXIT = 1 << 2    /* sent for a thread by another one, at exit or dlclose */
};

/* Records that got lost in the program. */
enum sonde_dropped {
	SONDE_DROPPED_BUSY, /* a signal handler's, which had interrupted the recording of another */
	SONDE_DROPPED_TOO_DEEP,
	SONDE_DROPPED_TOO_LARGE, /* fields: too many, or no room */
	SONDE_DROPPED_LEFT,	 /* spans without an end: longjmp(), _exit() of a vfork()'s child */
	SONDE_DROPPED_COUNT
};

/*
 * Begins a batch; the records follow. Ticks are what the CPU counts (the time stamp counter of
 * x86-64 where it is invariant, cntvct_el0 of arm64). Between begin and end they are interpolated;
 * spans that began before begin, by the line through first and end. Numbers of processes and
 * threads are those of the program's PID namespace.
 */
struct sonde_batch {
	sonde_u32 magic;   /* SONDE_BATCH_MAGIC */
	sonde_u16 version; /* SONDE_SPAN_VERSION */
	sonde_u16 flags;   /* enum sonde_batch_flags */
	sonde_u32 pid, tid;
	sonde_u32 bytes; /* header and records; 0 in a block: there, `used` says it */
	sonde_u32 n_records;
	sonde_u64 sequence;   /* of the thread and object: from 1 on, by 1; gaps are losses */
	sonde_u64 control;    /* address of the object's struct sonde_control: which object it is */
	sonde_u32 generation; /* of the control */
	sonde_u32 reserved;
	sonde_u32 dropped[SONDE_DROPPED_COUNT]; /* since the batch before; in a block 0 */
	/* When the thread began to record, or a clock was last seen to have stood still. */
	struct sonde_anchor first;
	struct sonde_anchor begin; /* when the batch began */
	struct sonde_anchor end;   /* when it left; in a block 0 */
};

struct sonde_open {
	sonde_u64 site;	 /* 0: a span that is not wanted, which holds the place only */
	sonde_u64 start; /* ticks */
	sonde_u64 path;
};

/*
 * What a thread keeps, a page-aligned mapping for each object with spans; a child of fork() finds
 * it zeroed. `used` is written when a record is whole, so that anybody may read it at any time;
 * when it leaves, sequence is increased and used becomes sizeof(struct sonde_batch), or 0 until
 * the next record. A span is open when its index is below depth and its site is not 0.
 */
struct sonde_block {
	sonde_u32 magic;   /* SONDE_BLOCK_MAGIC */
	sonde_u16 version; /* SONDE_SPAN_VERSION */
	sonde_u16 flags;   /* 0 */
	sonde_u32 size;	   /* bytes of this struct */
	sonde_u32 pid, tid;
	sonde_u32 generation; /* that sonde:thread was last hit for */
	sonde_u32 used;	      /* bytes of batch and records that are valid */
	sonde_u32 depth;      /* open spans; may be above SONDE_MAX_OPEN */
	sonde_u64 path;	      /* of the innermost open span; 0: none */
	sonde_u64 control;    /* as in struct sonde_batch */
	sonde_u64 next;	      /* the program's own: the next of its list */
	sonde_u64 owner;      /* 0 when its thread has ended; else of no meaning */
	struct sonde_open open[SONDE_MAX_OPEN]; /* outermost first */
	struct sonde_batch batch;
	sonde_u8 records[SONDE_BATCH_SIZE - sizeof(struct sonde_batch)];
};

SONDE_STATIC_ASSERT(sizeof(struct sonde_control) == 32 + SONDE_RULES_SIZE);
SONDE_STATIC_ASSERT(__builtin_offsetof(struct sonde_control, generation) == 16);
SONDE_STATIC_ASSERT(sizeof(struct sonde_record) == 8);
SONDE_STATIC_ASSERT(sizeof(struct sonde_record_span) == 40);
SONDE_STATIC_ASSERT(sizeof(struct sonde_record_event) == 40);
SONDE_STATIC_ASSERT(sizeof(struct sonde_record_site) == 24);
SONDE_STATIC_ASSERT(sizeof(struct sonde_record_key) == 24);
SONDE_STATIC_ASSERT(sizeof(struct sonde_trace) == 32);
SONDE_STATIC_ASSERT(sizeof(struct sonde_field) == 16);
SONDE_STATIC_ASSERT(sizeof(struct sonde_batch) == 112);
SONDE_STATIC_ASSERT(__builtin_offsetof(struct sonde_batch, dropped) == 48);
SONDE_STATIC_ASSERT(__builtin_offsetof(struct sonde_block, used) == 24);
SONDE_STATIC_ASSERT(__builtin_offsetof(struct sonde_block, path) == 32);
SONDE_STATIC_ASSERT(__builtin_offsetof(struct sonde_block, open) == 64);
SONDE_STATIC_ASSERT(__builtin_offsetof(struct sonde_block, batch) == 1600);
SONDE_STATIC_ASSERT(sizeof(struct sonde_block) == 1600 + SONDE_BATCH_SIZE);

/* FNV-1a, 64 bits. Begin with SONDE_FNV_BASIS. */
#define SONDE_FNV_BASIS 0xcbf29ce484222325ULL

static inline sonde_u64 sonde_fnv(sonde_u64 hash, const char *text, unsigned long len)
{
	unsigned long i;

	for (i = 0; i < len; i++)
		hash = (hash ^ (sonde_u8)text[i]) * 0x100000001b3ULL;
	return hash;
}

/* Of the whole texts, however much of them a record shows. Never 0, which is no site and no key. */
static inline sonde_u64 sonde_site_id(const char *category, unsigned long category_len,
				      const char *name, unsigned long name_len)
{
	sonde_u64 hash = sonde_fnv(SONDE_FNV_BASIS, category, category_len);

	hash = sonde_fnv(sonde_fnv(hash, "", 1), name, name_len);
	return hash ? hash : 1;
}

static inline sonde_u64 sonde_key_id(const char *text, unsigned long len)
{
	sonde_u64 hash = sonde_fnv(SONDE_FNV_BASIS, text, len);

	return hash ? hash : 1;
}

/* parent: path of the span around it, 0 where there is none. Never 0. */
static inline sonde_u64 sonde_path(sonde_u64 parent, sonde_u64 site)
{
	sonde_u64 mixed = (parent ^ site ^ 0x9e3779b97f4a7c15ULL) * 0xd6e8feb86659fd93ULL;

	mixed ^= mixed >> 32;
	return mixed ? mixed : 1;
}

#endif
