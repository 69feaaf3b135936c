/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What signature*.c share. */
#ifndef SONDE_PROBE_SIGNATURE_PRIVATE_H
#define SONDE_PROBE_SIGNATURE_PRIVATE_H

#include "probe/signature.h"

enum {
	SIGNATURE_TEXT_ROOM = 64, /* bytes of captured text */
	SIGNATURE_PARAMS_MAX = 64,
	SIGNATURE_VALUES_MAX = 512, /* enumerators of a type that are kept */
	SIGNATURE_NAME_MAX = 1024,
	SIGNATURE_CAPTURE_MAX = SIGNATURE_NAME_MAX + 16, /* str(args.NAME) */
};

/* What is needed of a type to compare a value and to show it. */
struct sig_type {
	enum ctype_kind kind;
	bool is_signed, is_flags;
	bool is_string; /* a pointer to characters */
	uint8_t size;	/* of what is a number: 1, 2, 4, 8; else 0 */
	char *name;
	struct expr_name *values; /* names are owned, too */
	size_t n_values;
};

struct sig_param {
	char *name; /* "arg2" when it has none */
	struct sig_type type;
	enum param_place place;
	uint32_t reg;
	bool is_redacted;
};

struct sig_capture {
	char *text; /* of the reference: "args.req.len", "str(args.path)" */
	struct sig_type type;
};

struct signature {
	char *category; /* of a span written in source code, and then nothing else is set */
	const struct function_type *source; /* borrowed until frozen, then NULL */
	bool is_typed, is_frozen, is_variadic, ret_in_float, ret_in_memory;
	bool is_static; /* of a static probe: registers mean nothing, all arguments are captures */
	uint8_t lost;	/* argument registers, a bit each */
	uint8_t used;
	struct sig_type ret;
	struct sig_param *params;
	size_t n_params;
	struct sig_capture captures[RECORD_MAX_CAPTURES];
	struct fetch fetches[RECORD_MAX_CAPTURES];
	size_t n_captures;
	uint32_t values_len;
	char **redact;
	size_t n_redact;
};

int sig_type_from(const struct ctype *t, struct sig_type *ret);
void sig_type_release(struct sig_type *t);
bool signature_redacts(const struct signature *s, const char *name);
/* The argument registers of a parameter, as bits. */
uint8_t sig_param_registers(const struct sig_param *p);
/* Index of the parameter in the register, -1 when there is none. */
int signature_param_in(const struct signature *s, uint32_t reg);
/* -1 when there is none. */
int signature_find_param(const struct signature *s, const char *name);
int signature_find_capture(const struct signature *s, const char *text);

/* What a reference leads to, by the source's types: a fetch without its slot, and a type. */
struct sig_target {
	struct fetch fetch;
	const struct ctype *type; /* of a number */
	bool is_text;
};
/* How the text or the bytes that a reference asks for are read: all but where from. */
void signature_read_text(const struct expr_ref *ref, struct fetch *ret);
int signature_follow(const struct signature *s, int param, const struct expr_ref *ref,
		     struct sig_target *ret, struct error *e);
/* Gives it a slot. Returns its index, or -E2BIG with a message. */
int signature_add(struct signature *s, const char *text, const struct sig_target *target,
		  struct error *e);
/* BadCondition at the reference's column; returns -EINVAL. */
int signature_refuse(struct error *e, const struct expr_ref *ref, const char *fmt, ...)
	_printf_(3, 4);
/* Of a static probe's argument: the capture that has it, which is added. */
int signature_note_bind(struct signature *s, const struct expr_ref *ref, int *ret_capture,
			struct error *e);
/* Captures what can be of a static probe's arguments. 0 or -ENOMEM. */
int signature_note_capture_all(struct signature *s);
/* Why the value of a parameter cannot be had; 0 when it can. */
int signature_check_param(const struct signature *s, int param, const struct expr_ref *ref,
			  struct error *e);

/* signature_print_args() and signature_each() of attributes. */
void signature_source_print(const struct call_values *v, struct strbuf *out);
void signature_source_each(const struct call_values *v,
			   void (*each)(void *arg, const char *name, const char *text), void *arg);
/* The code of the error, if there is one. */
void signature_source_result(const struct call_values *v, struct strbuf *out);
int signature_source_bind(const struct expr_ref *ref, struct expr_binding *ret, struct error *e);
void signature_put_errno(struct strbuf *out, int64_t v);

#endif
