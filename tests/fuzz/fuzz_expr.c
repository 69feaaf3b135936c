/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any text is either a condition that is bound, compiled and decided without harm, or refused with
 * a column and a fix. What its references are follows from their text; the call is made of its
 * bytes.
 */
#include <linux/bpf.h>

#include "expr/code.h"
#include "sonde/base/table.h"
#include "text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct expr_name names[] = {{"RED", -1}, {"GREEN", 5}, {"CREAT", 64}};

static int explain(void *arg, const struct expr_ref *ref, struct expr_binding *ret, struct error *e)
{
	static const uint8_t sizes[] = {0, 1, 2, 3, 4, 8, 16, 255};
	uint64_t h = hash_bytes(ref->text, strlen(ref->text), 7);

	(void)arg;
	if (h % 13 == 0) {
		error_set(e, EINVAL, "BadCondition", "no %s here", ref->text);
		/* Whoever refuses says what to write: binding knows nothing of it. */
		error_fix(e, "write something else");
		return -EINVAL;
	}
	*ret = (struct expr_binding){
		.kind = (h >> 8) % (EXPR_STRING + 1),
		.place = (h >> 16) % (EXPR_NOWHERE + 1),
		.index = (h >> 24) % (h >> 30 & 1 ? 7 : 70),
		.slot = (h >> 32) % 40 * 8 + (h >> 31 & 1) * 4,
		.size = sizes[(h >> 40) % sizeof(sizes)],
		.is_signed = h >> 44 & 1,
		.guess_int = h >> 45 & 1,
		.room = (h >> 46) % 300,
	};
	if (h >> 60 & 1) {
		ret->names = names;
		ret->n_names = sizeof(names) / sizeof(names[0]);
	}
	return 0;
}

static bool find_attr(void *arg, const char *key, struct expr_attr *ret)
{
	(void)arg;
	*ret = (struct expr_attr){.type = (uint8_t)key[0] % (EXPR_ATTR_BOOL + 1),
				  .number = strlen(key) - 4,
				  .real = (double)strlen(key) - 4.5,
				  .text = key,
				  .len = strlen(key)};
	return key[0] != 'x';
}

static void check_refused(const struct error *e)
{
	if (!streq(e->name, "BadCondition") || !startswith(e->message, "column ") || !e->fix[0])
		abort();
}

/* Every jump stays inside and leads forward; the last instruction ends the program. */
static void check_program(const struct bpf_insn *insns, size_t n)
{
	if (insns[n - 1].code != (BPF_JMP | BPF_EXIT))
		abort();
	for (size_t i = 0; i < n; i++) {
		unsigned int class = BPF_CLASS(insns[i].code), op = BPF_OP(insns[i].code);

		if ((class != BPF_JMP && class != BPF_JMP32) || op == BPF_CALL || op == BPF_EXIT)
			continue;
		if (insns[i].off < 0 || i + 1 + (size_t)insns[i].off >= n)
			abort();
	}
}

static void decide(const struct bound *b, const uint8_t *data, size_t size)
{
	struct expr_facts f = {
		.name = "get", .binary = "/usr/bin/x", .comm = NULL, .attr = find_attr};
	struct record_call call = {};
	struct bpf_insn *insns;
	size_t n;

	for (size_t shift = 0; shift < 3; shift++) {
		for (size_t i = 0; size && i < sizeof(call); i++)
			((uint8_t *)&call)[i] =
				data[(i * (shift + 1)) % size] ^ (shift == 2 ? 0xff : 0);
		f.call = &call;
		f.cgroup = shift ? "/system.slice" : NULL;
		if ((bound_eval(b, EXPR_KERNEL, &f) && bound_eval(b, EXPR_DAEMON, &f)) !=
		    bound_eval(b, EXPR_WHOLE, &f))
			abort();
	}
	for (int tail = 0; tail < 2; tail++) {
		struct expr_target t = {3, tail, tail ? 4 : -1, 0, 1};
		int r = bound_compile(b, &t, &insns, &n);

		if (r == 0) {
			check_program(insns, n);
			free(insns);
		} else if (r != -ENOMEM && (r != -EOPNOTSUPP || bound_has(b, EXPR_KERNEL))) {
			abort();
		}
	}
}

static void bind_to(const struct expr *x, const struct expr_scope *scope, const uint8_t *data,
		    size_t size)
{
	_cleanup_(bound_freep) struct bound *b = NULL;
	struct error e = {};
	int r = expr_bind(x, scope, &b, &e);

	if (r == 0)
		decide(b, data, size);
	else if (r == -EINVAL)
		check_refused(&e);
	else if (r != -ENOMEM)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const callers[] = {"main", "get", "put"};
	struct expr_scope scope = {
		.stage = EXPR_AT_END, .bind = explain, .callers = callers, .n_callers = 3};
	_cleanup_(expr_freep) struct expr *x = NULL;
	_cleanup_(expr_ref_freep) struct expr_ref *ref = NULL;
	_cleanup_(freep) char *text = text_of(data, size);
	struct error e = {};
	int r;

	if (!text)
		return 0;
	r = expr_ref_parse(text, &ref, &e);
	if (r == -EINVAL)
		check_refused(&e);
	e = (struct error){};
	r = expr_parse(text, &x, &e);
	if (r < 0) {
		if (r == -EINVAL)
			check_refused(&e);
		return 0;
	}
	bind_to(x, &scope, data, size);
	scope = (struct expr_scope){.stage = EXPR_AT_ENTRY, .name = "get", .cat = "io"};
	bind_to(x, &scope, data, size);
	return 0;
}
