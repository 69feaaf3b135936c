/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The condition language (design.md): text → tree → types → one of two back ends. The evaluator
 * decides in the daemon (live spans, history, recordings), the generated BPF program in the kernel;
 * both give the same answer for the same call. A condition is bound once for each function it is
 * to decide about, as `args.NAME`, `ret` and `name` mean something else in each.
 *
 * Undefined values (a division by zero, a capture that could not be read, an attr that is not
 * there, is NaN or of another type than what it is compared with) make the comparison they stand in
 * false, in both back ends; `!` of such a comparison is
 * true. The result of a call that did not return (unwound, a tail call) is undefined, too.
 * Arithmetic wraps at 64 bits, signed and unsigned mix as in C, a unary minus makes a number
 * signed, shifts count modulo 64; comparisons of signed with unsigned numbers and of
 * either with fractions are mathematically right.
 */
#ifndef SONDE_EXPR_EXPR_H
#define SONDE_EXPR_EXPR_H

#include "sonde/base/error.h"
#include "sonde/record.h"

enum { EXPR_MAX_LEN = 4096, EXPR_MAX_NODES = 1024, EXPR_MAX_ARGS = 12 };

enum expr_kind {
	EXPR_BOOL,
	EXPR_INT,      /* signed, 64 bits */
	EXPR_UINT,     /* unsigned, 64 bits */
	EXPR_DURATION, /* nanoseconds */
	EXPR_SIZE,     /* bytes; goes with numbers that are not durations */
	EXPR_TIME,     /* a point in time */
	EXPR_POINTER,
	EXPR_STRING,
	EXPR_DECIMAL, /* a number with a fraction, of literals alone: no binding has it */
};

/* A condition as it was written, taken apart: knows nothing of any function. */
struct expr;
/* -EINVAL with BadCondition: the message names the column (from 1), what was expected there and
 * the fix what to write instead. */
int expr_parse(const char *text, struct expr **ret, struct error *e);
struct expr *expr_free(struct expr *x);
DEFINE_CLEANUP(struct expr *, expr_free)
const char *expr_text(const struct expr *x);

/* A reference to what only the function at hand can explain. */
enum expr_ref_kind {
	EXPR_REF_ARG, /* args.NAME and what follows it */
	EXPR_REF_RET, /* ret */
	EXPR_REF_REG, /* arg0 … arg5, of static probes up to arg11: index */
};

struct expr_step {
	const char *member; /* NULL: an element, by index */
	uint64_t index;
};

/* args.req->headers[2].len: steps "req", "headers", [2], "len". Belongs to the expr. */
struct expr_ref {
	enum expr_ref_kind kind;
	uint32_t index;
	bool str; /* the argument of str(): the text it points to, or that it is, is wanted */
	bool buf; /* the argument of buf(): as str, but so many bytes, whatever they are */
	/* Of buf(): its bytes; 0: an argument has them, by its name or, without one, a register. */
	uint32_t length, length_reg;
	const char *length_name;
	const struct expr_step *steps;
	size_t n_steps;
	uint32_t column; /* from 1, of its first character */
	/* Canonical, -> is written . in it: "args.req.headers[2].len", "str(args.path)". */
	char *text;
};

/* The longest that buf() takes when its length is written as a number. */
enum { EXPR_MAX_BUF = RECORD_MAX_VALUES - 16 };

/* A reference written by itself, as --capture takes it: "args.req->len", "str(arg1)". */
int expr_ref_parse(const char *text, struct expr_ref **ret, struct error *e);
struct expr_ref *expr_ref_free(struct expr_ref *ref);
DEFINE_CLEANUP(struct expr_ref *, expr_ref_free)

struct expr_name { /* an enumerator */
	const char *name;
	int64_t value;
};

enum expr_place {
	EXPR_IN_RET,	/* record_call.span.ret, cut to size */
	EXPR_IN_ARG,	/* record_call.args[index], cut to size */
	EXPR_IN_VALUES, /* record_call.values at slot, when bit `index` of valid is set */
	EXPR_NOWHERE,	/* always undefined */
};

/* What a reference is in one function. names are borrowed for as long as the bound expression. */
struct expr_binding {
	enum expr_kind kind;
	enum expr_place place;
	uint32_t index, slot;
	uint8_t size;	/* of a number in a register: 1, 2, 4, 8 bytes count */
	bool is_signed; /* of a number in a register: extended by its sign */
	/* Of ret without a type: a value whose upper half is 0 and lower half negative is an int.
	 */
	bool guess_int;
	uint32_t room; /* of text: bytes there may be; longer text is cut off */
	const struct expr_name *names;
	size_t n_names;
	/* As people should read it, "enum open_flags"; NULL: said by kind and size. Borrowed as
	 * long as expr_bind() runs. */
	const char *type;
};

enum expr_stage {
	EXPR_AT_ENTRY, /* --begin: no duration, self, ret, error, unwound yet */
	EXPR_AT_END,
};

/* What a condition is to be bound to. Borrowed until bound_free(). */
struct expr_scope {
	enum expr_stage stage;
	const char *name, *binary, *cat; /* of the function; NULL: known only to the evaluator */
	/* Names of the session's probes, so that `caller` can be decided by index; may be none. */
	const char *const *callers;
	size_t n_callers;
	int64_t monotonic_to_epoch_ns; /* for `start` */
	/* Explains a reference: 0, or an error that says what args there are. NULL: none is known.
	 */
	int (*bind)(void *arg, const struct expr_ref *ref, struct expr_binding *ret,
		    struct error *e);
	void *arg;
};

/* Does not change once it is bound: threads may share it. Needs the scope, not the expr. */
struct bound;
int expr_bind(const struct expr *x, const struct expr_scope *scope, struct bound **ret,
	      struct error *e);
struct bound *bound_free(struct bound *b);
DEFINE_CLEANUP(struct bound *, bound_free)

/* The terms of the outermost conjunction, split by who decides. */
enum expr_part { EXPR_KERNEL, EXPR_DAEMON, EXPR_WHOLE };
bool bound_has(const struct bound *b, enum expr_part part);
/* The terms of a part as text with "&&" between them; "" for none. Owned by b. */
const char *bound_text(const struct bound *b, enum expr_part part);

/* A leaf of the tree, for `sonde probes --where`. */
struct expr_use {
	const char *text; /* as written */
	const char *
		type; /* "duration", "signed 32-bit", "enum open_flags", "text of up to 64 bytes" */
	enum expr_part part;
};
const struct expr_use *bound_uses(const struct bound *b, size_t *ret_n);

/* What the kernel side must fill in for its part to be decided: bits. */
enum expr_needs {
	EXPR_NEEDS_OFFCPU = 1 << 0,
	EXPR_NEEDS_CGROUP = 1 << 1,
	EXPR_NEEDS_UID = 1 << 2,
	EXPR_NEEDS_COMM = 1 << 3,
	EXPR_NEEDS_ARGS = 1 << 4,
	EXPR_NEEDS_VALUES = 1 << 5,
	EXPR_NEEDS_CALLER = 1 << 6,
};
uint32_t bound_needs(const struct bound *b, enum expr_part part);

/* An attribute of a span: each span says itself of what type it is. */
struct expr_attr {
	enum { EXPR_ATTR_TEXT, EXPR_ATTR_INT, EXPR_ATTR_UINT, EXPR_ATTR_REAL, EXPR_ATTR_BOOL } type;
	uint64_t number; /* of all but texts and reals; signed ones as they are */
	double real;
	const char *text;
	size_t len;
};

/* What the evaluator reads. Strings may be NULL, then what compares them is undefined. */
struct expr_facts {
	const struct record_call *call;
	const char *name, *binary, *cat, *comm, *caller, *cgroup; /* cgroup: its path */
	/* attr.KEY: returns false when there is none. NULL: there are none at all. */
	bool (*attr)(void *arg, const char *key, struct expr_attr *ret);
	void *attr_arg;
};
bool bound_eval(const struct bound *b, enum expr_part part, const struct expr_facts *facts);

#endif
