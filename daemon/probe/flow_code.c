/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bytes that are followed, and which of them are known to be instructions. */
#include "probe/flow.h"

enum { PADDING_MAX = 16 };

static struct flow_window *find_window(const struct flow *f, uint64_t vaddr)
{
	uint64_t page = vaddr & ~(uint64_t)(WINDOW_SIZE - 1);

	for (size_t i = 0; i < f->n_windows; i++)
		if (f->windows[i]->vaddr == page)
			return f->windows[i];
	return NULL;
}

/* Reads a page, and as much of the next one as an instruction may need. */
static struct flow_window *add_window(struct flow *f, uint64_t vaddr)
{
	const struct place_code *code = f->code;
	struct flow_window *w;
	size_t head;

	if (!code->read || f->n_windows >= WINDOWS_MAX || vaddr > UINT64_MAX - 2 * WINDOW_SIZE)
		return NULL;
	w = calloc(1, sizeof(*w));
	if (!w)
		return NULL;
	w->vaddr = vaddr & ~(uint64_t)(WINDOW_SIZE - 1);
	w->size = code->read(code->arg, w->vaddr, w->bytes, sizeof(w->bytes));
	/* A segment may begin inside the page. */
	head = vaddr - w->vaddr;
	if (w->size == 0 && head > 0) {
		w->size = code->read(code->arg, vaddr, w->bytes + head, sizeof(w->bytes) - head);
		w->size = w->size ? w->size + head : 0;
	}
	f->windows[f->n_windows++] = w;
	return w;
}

const uint8_t *flow_bytes(struct flow *f, uint64_t vaddr, size_t *ret_size)
{
	struct flow_window *w;
	size_t offset;

	if (flow_is_own(f, vaddr)) {
		*ret_size = f->code->size - (vaddr - f->code->vaddr);
		return f->code->bytes + (vaddr - f->code->vaddr);
	}
	w = find_window(f, vaddr);
	if (!w)
		w = add_window(f, vaddr);
	offset = vaddr & (WINDOW_SIZE - 1);
	if (!w || offset >= w->size)
		return NULL;
	*ret_size = w->size - offset;
	return w->bytes + offset;
}

static uint8_t *mark_at(const struct flow *f, uint64_t vaddr)
{
	struct flow_window *w;

	if (flow_is_own(f, vaddr))
		return &f->marks[vaddr - f->code->vaddr];
	w = find_window(f, vaddr);
	return w ? &w->marks[vaddr & (WINDOW_SIZE - 1)] : NULL;
}

enum flow_mark flow_mark(const struct flow *f, uint64_t vaddr)
{
	uint8_t *mark = mark_at(f, vaddr);

	return mark ? *mark : MARK_NONE;
}

static bool is_locked(struct flow *f, uint64_t vaddr)
{
	size_t size;
	const uint8_t *bytes = flow_bytes(f, vaddr, &size);

	return bytes && bytes[0] == 0xf0;
}

bool flow_is_behind_lock(struct flow *f, uint64_t vaddr)
{
	return flow_mark(f, vaddr - 1) == MARK_START && is_locked(f, vaddr - 1);
}

bool flow_mark_insn(struct flow *f, uint64_t vaddr, size_t length)
{
	bool locked = is_locked(f, vaddr);

	for (size_t i = 0; i < length; i++) {
		uint8_t *mark = mark_at(f, vaddr + i);

		if (!mark)
			continue;
		if (i == 0 ? *mark != MARK_NONE : *mark == MARK_START && !(locked && i == 1))
			return false;
		if (i == 0 || *mark == MARK_NONE)
			*mark = i == 0 ? MARK_START : MARK_INSIDE;
	}
	return true;
}

bool flow_is_nop(const uint8_t *bytes, size_t size)
{
	size_t at = 0;

	while (at < size && (bytes[at] == 0x66 || bytes[at] == 0x2e))
		at++;
	return at + 1 < size ? bytes[at] == 0x90 || (bytes[at] == 0x0f && bytes[at + 1] == 0x1f)
			     : at < size && bytes[at] == 0x90;
}

uint64_t flow_skip_padding(struct flow *f, uint64_t vaddr)
{
	for (int i = 0; i < PADDING_MAX; i++) {
		size_t size = 0;
		const uint8_t *bytes = flow_bytes(f, vaddr, &size);
		struct insn insn;

		if (!bytes || !flow_is_nop(bytes, size) || !insn_decode(bytes, size, vaddr, &insn))
			break;
		vaddr += insn.length;
	}
	return vaddr;
}

bool flow_is_named(const char *name, const char *wanted)
{
	size_t len = strlen(wanted);

	return strncmp(name, wanted, len) == 0 && (name[len] == '\0' || streq(name + len, "@plt"));
}

/*
 * Of libc, libgcc and libstdc++: what ends in a call of one of these goes no further. Not knowing
 * one does no harm inside a function, as what follows is code too.
 */
bool flow_never_returns(const char *name)
{
	static const char *const names[] = {
		"abort",
		"_exit",
		"exit",
		"_Exit",
		"quick_exit",
		"__stack_chk_fail",
		"__chk_fail",
		"__fortify_fail",
		"__assert_fail",
		"__assert",
		"__assert_perror_fail",
		"longjmp",
		"_longjmp",
		"siglongjmp",
		"__longjmp_chk",
		"pthread_exit",
		"err",
		"errx",
		"verr",
		"verrx",
		"_Unwind_Resume",
		"_Unwind_Resume_or_Rethrow",
		"__cxa_throw",
		"__cxa_rethrow",
		"__cxa_bad_cast",
		"__cxa_bad_typeid",
		"__cxa_call_unexpected",
		"__cxa_throw_bad_array_new_length",
		"__cxa_pure_virtual",
		"__cxa_deleted_virtual",
		"__cxa_call_terminate",
		"_ZSt9terminatev",
		"_ZSt10unexpectedv",
		"__libc_fatal",
		"__libc_start_main",
		"__libc_start_main_impl",
		"__libc_start_call_main",
		"__libc_assert_fail",
		"__stack_chk_fail_local",
		"__clang_call_terminate",
		"rust_panic",
		"rust_begin_unwind",
		"runtime.gopanic",
		"runtime.panicIndex",
		"runtime.goPanicIndex",
		"runtime.throw",
		"runtime.fatalthrow",
		"runtime.panicdivide",
		"runtime.panicshift",
		"runtime.panicSliceAcap",
		"runtime.panicSliceAlen",
		"runtime.panicSliceB",
		"runtime.panicwrap",
	};

	if (startswith(name, "_ZSt") && strstr(name, "__throw_"))
		return true;
	if (startswith(name, "_ZN4core9panicking") || startswith(name, "_ZN3std9panicking"))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (name[0] == names[i][0] && name[1] == names[i][1] &&
		    flow_is_named(name, names[i]))
			return true;
	return false;
}

bool flow_is_part(const char *name)
{
	const char *cold = strstr(name, ".cold");

	return cold && (cold[5] == '\0' || cold[5] == '.');
}
