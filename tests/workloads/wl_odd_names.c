/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What nobody should call a span, and somebody does: for each of names[] a span of that name in the
 * category odd, one of that category, an instant and a counter of that name (-1.5), each --rounds
 * times (1 by default); then a span without any name, the span fields, with fields of odd values;
 * then children that end with a span open: killed/never of SIGKILL, exits/never by _exit(2).
 */
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "sonde/span.h"
#include "wl.h"

#define TEN(x) x x x x x x x x x x
#define LONG   TEN(TEN(TEN(TEN("L"))))
#define SMILES TEN(TEN("\xf0\x9f\x98\x80"))
#define NAMES(each)                                                                                \
	each("") each("quo\"te") each("new\nline") each("tab\there") each("\x1b[31mred")           \
		each("</script><script>alert(1)</script>") each("<!--") each("]]>")                \
			each("semi;colon") each("back\\slash") each("bad\xff\xfe\xc3(")            \
				each("a,b:c/d") each("=cmd|calc") each("%s%n")                     \
					each("| pipe `tick`") each("\xe2\x80\xa8line")             \
						each("right \xe2\x80\xae left") each("[unknown]")  \
							each(" lead trail ") each(LONG)            \
								each(SMILES)

#define ONE(name)                                                                                  \
	{                                                                                          \
		SONDE_SPAN_CAT("odd", name);                                                       \
		SONDE_SPAN_CAT(name, "in");                                                        \
		SONDE_INSTANT_CAT("odd", name);                                                    \
		SONDE_COUNTER_CAT("odd", name, -1.5);                                              \
	}

WL_FUNC void fields(void)
{
	SONDE_SPAN("fields");
	SONDE_FIELD("min", (long)INT64_MIN);
	SONDE_FIELD("max", UINT64_MAX);
	SONDE_FIELD("half", (uint64_t)INT64_MAX + 1);
	SONDE_FIELD("nan", NAN);
	SONDE_FIELD("inf", -INFINITY);
	SONDE_FIELD("zero", -0.0);
	SONDE_FIELD("tiny", 4.94065645841247e-324);
	SONDE_FIELD("empty", "");
	SONDE_FIELD("bad", "\xff</script>\n\"q");
	SONDE_FIELD("k\"e\ny", 1);
}

WL_FUNC void never(bool killed)
{
	if (fork() == 0) {
		SONDE_SPAN("never");
		if (killed)
			raise(SIGKILL);
		_exit(3);
	}
}

int main(int argc, char **argv)
{
	struct wl_options o = wl_options(argc, argv, 1, 1);

	prctl(PR_SET_NAME, "odd\xff;\n\"'<x>");
	wl_gate(&o);
	for (long i = 0; i < o.rounds; i++) {
		NAMES(ONE)
	}
	{
		SONDE_SPAN("");
	}
	fields();
	never(true);
	never(false);
	while (wait(NULL) > 0 || errno == EINTR)
		errno = 0;
	return wl_done(0);
}
