/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "expr/code.h"

#include <bpf/bpf.h>

#include "expr/bound.h"
#include "expr/code_gen.h"

enum { LOG_SIZE = 1 << 16 };

static void emit_call(struct emit *c, int32_t helper)
{
	emit_insn(c, BPF_JMP | BPF_CALL, 0, 0, 0, helper);
}

/* Leaves the call in REG_CALL, or goes to `none` when there is none. */
static void find_call(struct emit *c, const struct expr_target *t, uint32_t none)
{
	if (t->verdict_fd >= 0)
		emit_alu_reg(c, BPF_MOV, REG_CTX, BPF_REG_1);
	if (t->task_storage) {
		emit_call(c, BPF_FUNC_get_current_task_btf);
		emit_map(c, BPF_REG_1, t->facts_fd);
		emit_alu_reg(c, BPF_MOV, BPF_REG_2, BPF_REG_0);
		emit_const(c, BPF_REG_3, 0);
		emit_const(c, BPF_REG_4, 0);
		emit_call(c, BPF_FUNC_task_storage_get);
	} else {
		emit_insn(c, BPF_ST | BPF_MEM | BPF_W, BPF_REG_10, 0, -4, 0);
		emit_alu_reg(c, BPF_MOV, BPF_REG_2, BPF_REG_10);
		emit_alu_imm(c, BPF_ADD, BPF_REG_2, -4);
		emit_map(c, BPF_REG_1, t->facts_fd);
		emit_call(c, BPF_FUNC_map_lookup_elem);
	}
	emit_jump_imm(c, BPF_JEQ, BPF_REG_0, 0, none);
	emit_alu_reg(c, BPF_MOV, REG_CALL, BPF_REG_0);
}

/*
 * Ends the program. Each verdict has a tail call of its own, as the kernel turns one whose index is
 * constant into a direct jump.
 */
static void emit_verdict(struct emit *c, const struct expr_target *t, bool verdict, bool ctx_saved)
{
	int index = verdict ? t->on_true : t->on_false;

	if (t->verdict_fd >= 0 && index >= 0) {
		if (ctx_saved)
			emit_alu_reg(c, BPF_MOV, BPF_REG_1, REG_CTX);
		emit_map(c, BPF_REG_2, t->verdict_fd);
		emit_const(c, BPF_REG_3, (uint64_t)index);
		emit_call(c, BPF_FUNC_tail_call);
	}
	emit_const(c, BPF_REG_0, t->verdict_fd < 0 && verdict);
	emit_insn(c, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

static void emit_program(struct emit *c, const struct ir *root, const struct expr_target *t)
{
	uint32_t yes, no;

	if (root->kind == IR_BOOL) {
		emit_verdict(c, t, root->value, false);
		return;
	}
	yes = emit_label(c);
	no = emit_label(c);
	find_call(c, t, no);
	gen_truth(c, root, 0, (struct ways){yes, no, yes});
	emit_place(c, yes);
	emit_verdict(c, t, true, true);
	emit_place(c, no);
	emit_verdict(c, t, false, true);
}

int bound_compile(const struct bound *b, const struct expr_target *target,
		  struct bpf_insn **ret_insns, size_t *ret_n)
{
	_cleanup_(emit_release) struct emit c = {};
	int r;

	if (!b->has[EXPR_KERNEL])
		return -EOPNOTSUPP;
	emit_program(&c, b->parts[EXPR_KERNEL], target);
	r = emit_finish(&c);
	if (r < 0)
		return r;
	*ret_n = c.n;
	*ret_insns = TAKE_PTR(c.insns);
	return 0;
}

/* The last line of the verifier's log that is not its statistics. */
static const char *last_words(char *log)
{
	char *line = log, *end = log + strlen(log);

	while (end > log) {
		while (end > log && end[-1] == '\n')
			*--end = '\0';
		line = memrchr(log, '\n', end - log);
		line = line ? line + 1 : log;
		if (!startswith(line, "processed ") && !startswith(line, "verification time") &&
		    !startswith(line, "stack depth"))
			break;
		end = line;
		*end = '\0';
	}
	return line;
}

static int refused(int code, const char *log, size_t n, struct error *e)
{
	if (code == EPERM || code == EACCES) {
		if (!*log) {
			error_set(e, code, "PermissionDenied",
				  "this process may not load the condition into the kernel");
			error_fix(e, "run sonded as root, or with CAP_BPF and CAP_PERFMON");
			return -code;
		}
	}
	error_set(e, code, "NotSupported",
		  "the kernel refused the condition's program of %zu instructions: %s (%s)", n,
		  *log ? log : "it gave no reason", strerror(code));
	error_fix(e, "write a shorter condition");
	return -code;
}

int bound_load(const struct bound *b, const struct expr_target *target, int prog_type,
	       int expected_attach_type, struct error *e)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = expected_attach_type);
	_cleanup_(freep) struct bpf_insn *insns = NULL;
	_cleanup_(freep) char *log = NULL;
	size_t n;
	int fd, code;
	int r = bound_compile(b, target, &insns, &n);

	if (r < 0) {
		error_set(e, -r, "TooMany", "the condition cannot become a program: %s",
			  strerror(-r));
		error_fix(e, "write a shorter condition");
		return r;
	}
	fd = bpf_prog_load(prog_type, "sonde_where", "GPL", insns, n, &opts);
	if (fd >= 0)
		return fd;
	code = errno;
	/* Once more for the reason: a log slows every load. */
	log = calloc(1, LOG_SIZE);
	if (log) {
		opts.log_buf = log;
		opts.log_size = LOG_SIZE;
		opts.log_level = 1;
		fd = bpf_prog_load(prog_type, "sonde_where", "GPL", insns, n, &opts);
		if (fd >= 0)
			return fd;
		code = errno == ENOSPC ? code : errno;
	}
	return refused(code, log ? last_words(log) : "", n, e);
}
