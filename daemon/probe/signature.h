/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a session knows about the arguments and the result of one probed function: made from a
 * function_type (or from nothing, then arguments are arg0 … arg5), extended by captures, kept with
 * the probe in recordings as text. Conditions are bound by it, calls are printed by it.
 */
#ifndef SONDE_PROBE_SIGNATURE_H
#define SONDE_PROBE_SIGNATURE_H

#include "expr/expr.h"
#include "sonde/base/strbuf.h"
#include "sonde/fetch.h"
#include "symbol/function_type.h"

struct signature;

/*
 * type NULL: not known. lost_args: argument registers that the probe's place cannot read any more.
 * redact: globs over parameter and member names, whose values are never read. Nothing of type is
 * borrowed.
 */
int signature_new(const struct function_type *type, uint8_t lost_args, const char *const *redact,
		  size_t n_redact, struct signature **ret);
/*
 * Of a span written in source code: it has a category, attributes (base/attributes.h) as its
 * values, and a result that is the code of its error.
 */
int signature_of_source(const char *category, struct signature **ret);
/* NULL for functions and static probes. */
const char *signature_category(const struct signature *s);
struct signature *signature_free(struct signature *s);
DEFINE_CLEANUP(struct signature *, signature_free)

/*
 * Explains a reference (to be expr_scope.bind with the signature as its arg). Where it is behind a
 * pointer, a capture is added, unless the signature is frozen (made from text, or by
 * signature_freeze): then only captures that are there can be named. BadCondition messages say
 * which names there are, or why a value cannot be had (floating point, overwritten, redacted). type
 * is still needed for new captures, so it must be alive until frozen.
 */
int signature_bind(void *signature, const struct expr_ref *ref, struct expr_binding *ret,
		   struct error *e);
/* For --capture: the same, for its own sake. */
int signature_capture(struct signature *s, const struct expr_ref *ref, struct error *e);
/* What was captured of just that name, as history has it; false when nothing was. */
bool signature_bind_captured(const struct signature *s, const struct expr_ref *ref,
			     struct expr_binding *ret);
/* For --args: captures the text behind each parameter that is a pointer to char. */
int signature_capture_strings(struct signature *s, struct error *e);
void signature_freeze(struct signature *s);
/* Argument registers that cannot be read after all: bits, as lost_args above. */
void signature_lose_args(struct signature *s, uint8_t lost_args);

/* The row for the kernel side, ended by FETCH_NONE when shorter; and the bytes of values. */
const struct fetch *signature_fetches(const struct signature *s, size_t *ret_n);
uint32_t signature_values_len(const struct signature *s);
/* Argument registers that may be recorded: bit i. Redacted and lost ones are not among them. */
uint8_t signature_kept_args(const struct signature *s);
/* Which argument registers the parameters and captures in use need. */
uint8_t signature_needed_args(const struct signature *s);

/* One line of text without control characters, and back. -EBADMSG for what was not made by it. */
char *signature_encode(const struct signature *s);
int signature_decode(const char *text, struct signature **ret);

/* The values of one call, for rendering. flags: SPAN_ARGS, SPAN_VALUES, SPAN_UNWOUND, SPAN_TAIL. */
struct call_values {
	const uint64_t *args; /* RECORD_ARGS, or NULL */
	const uint8_t *values;
	size_t values_len;
	uint64_t valid, ret;
	uint32_t flags;
};
/* `name="orders", flags=RDONLY|CREATE, len=42`; nothing when there is nothing to show. */
void signature_print_args(const struct signature *s, const struct call_values *v,
			  struct strbuf *out);
/* `-2 (ENOENT)`, `true`, `RED`, `0x55d0c0de`, `"text"`; nothing for void, unwound, tail. */
void signature_print_result(const struct signature *s, const struct call_values *v,
			    struct strbuf *out);
/* Each argument and capture for JSON: name, and its text without quotes. */
void signature_each(const struct signature *s, const struct call_values *v,
		    void (*each)(void *arg, const char *name, const char *text), void *arg);
/* `int open_table(const char *name, enum flags flags)`; "" when not known. */
void signature_print_type(const struct signature *s, const char *function, struct strbuf *out);
/* Whether the result says that the call failed, by its type: signed < 0, a NULL pointer no. */
enum signature_error { RESULT_UNKNOWN, RESULT_SIGNED, RESULT_UNSIGNED };
enum signature_error signature_error_rule(const struct signature *s, uint8_t *ret_size);

#endif
