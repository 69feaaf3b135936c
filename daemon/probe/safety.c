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

/* Functions that look at their return address to learn who calls them. */
static const char *const ask_caller[] = {
	"dlopen",    "dlmopen",	    "dlsym",	  "dlvsym",
	"__dlopen",  "__dlmopen",   "__dlsym",	  "__dlvsym",
	"___dlopen", "___dlmopen",  "___dlsym",	  "___dlvsym",
	"mcount",    "_mcount",	    "__fentry__", "_Unwind_Backtrace",
	"backtrace", "__backtrace",
};

/* A name inside glibc, as its debug symbols have it, without what is put before it. */
static const char *public_name(const char *symbol)
{
	return startswith(symbol, "__GI_") ? symbol + strlen("__GI_") : symbol;
}

/* Most names differ from a glob's beginning at once: fnmatch() would take its time to see that. */
static bool may_match(const char *glob, const char *name)
{
	return glob[0] == '*' || (glob[0] == name[0] && (glob[1] == '*' || glob[1] == name[1]));
}

const char *safety_reason(const char *symbol)
{
	const char *name = public_name(symbol);
	bool has_dot = strchr(name, '.');

	for (size_t i = 0; i < ARRAY_SIZE(unsafe); i++)
		if ((has_dot || unsafe[i].glob[0] != '*') && may_match(unsafe[i].glob, name) &&
		    fnmatch(unsafe[i].glob, name, 0) == 0)
			return unsafe[i].reason;
	return NULL;
}

bool safety_asks_caller(const char *symbol)
{
	const char *name = public_name(symbol);

	for (size_t i = 0; i < ARRAY_SIZE(ask_caller); i++)
		if (streq(ask_caller[i], name))
			return true;
	return false;
}
