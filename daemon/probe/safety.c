/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/safety.h"

#include <fnmatch.h>

static const char no_return_address[] = "not entered by a call, so it has no return to probe";
static const char keeps_address[] =
	"uses its own return address, so a return probe would break the program";
static const char unwinds[] = "unwinds the stack, so a return probe on it would abort the program";

/*
 * Globs over raw names, with the aliases of glibc. The first group is entered by a jump, by the
 * kernel or by a return; the others are functions, but not ones a trampoline can stand in for.
 */
static const struct {
	const char *glob;
	const char *reason;
} unsafe[] = {
	{"*.cold", no_return_address},
	{"*.cold.*", no_return_address},
	{"_start", no_return_address},
	{"_dl_start_user", no_return_address},
	{"_dl_runtime_resolve*", no_return_address},
	{"_dl_runtime_profile*", no_return_address},
	{"__restore_rt", no_return_address},
	{"__restore", no_return_address},
	{"__start_context", no_return_address},
	{"__x86_indirect_thunk_*", no_return_address},
	{"__x86_return_thunk", no_return_address},
	{"__llvm_retpoline_*", no_return_address},
	{"__x86.get_pc_thunk.*", keeps_address},
	{"__morestack*", keeps_address},
	{"setjmp", keeps_address},
	{"_setjmp", keeps_address},
	{"__setjmp", keeps_address},
	{"sigsetjmp", keeps_address},
	{"__sigsetjmp", keeps_address},
	{"getcontext", keeps_address},
	{"__getcontext", keeps_address},
	{"swapcontext", keeps_address},
	{"__swapcontext", keeps_address},
	{"_Unwind_RaiseException*", unwinds},
	{"_Unwind_Resume*", unwinds},
	{"_Unwind_ForcedUnwind*", unwinds},
	{"__cxa_throw", unwinds},
	{"__cxa_rethrow", unwinds},
	{"__pthread_unwind*", unwinds},
	{"pthread_exit", unwinds},
	{"__pthread_exit", unwinds},
};

const char *safety_reason(const char *symbol)
{
	for (size_t i = 0; i < ARRAY_SIZE(unsafe); i++)
		if (fnmatch(unsafe[i].glob, symbol, 0) == 0)
			return unsafe[i].reason;
	return NULL;
}
