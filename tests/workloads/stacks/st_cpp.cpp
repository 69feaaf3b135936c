/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * C++ at -O3 without frame pointers: a chain of virtual calls, and exceptions thrown in a loop, of
 * which most samples are in the unwinder of libgcc, on top of the planted frames.
 */
#include "st_main.h"

struct Node {
	Node *next;
	virtual long visit(long n) = 0;
	virtual ~Node() = default;
};

struct Leaf : Node {
	WL_FUNC long visit(long n) override;
};

struct Inner : Node {
	WL_FUNC long visit(long n) override;
};

struct Outer : Node {
	WL_FUNC long visit(long n) override;
};

long Leaf::visit(long n)
{
	ST_SPIN();
	return n;
}

long Inner::visit(long n)
{
	ST_LIVE(n += next->visit(n));
	return n;
}

long Outer::visit(long n)
{
	return next->visit(n + 1) + n;
}

WL_FUNC void virtual_top()
{
	Leaf leaf;
	Inner inner;
	Outer outer;
	Node *first = &outer;

	inner.next = &leaf;
	outer.next = &inner;
	__asm__ volatile("" : "+r"(first) : : "memory");
	ST_LIVE(first->visit(1));
}

WL_FUNC void throw_leaf(long n)
{
	if (st_value(n))
		throw n;
}

/*
 * 80 frames, so that most of the time goes by in the unwinder's search. At its end the unwinder
 * writes the registers of the frame that catches over those it has saved in its own, and from then
 * on nobody can tell what called it.
 */
WL_FUNC void throw_mid(long n)
{
	if (n == 1)
		throw_leaf(n);
	else
		ST_LIVE(throw_mid(n - 1));
}

WL_FUNC void throw_top()
{
	for (int i = 0; i < 20; i++) {
		try {
			ST_LIVE(throw_mid(80));
		} catch (long n) {
			st_value(n);
		}
	}
}

#define M10                                                                                        \
	"throw_mid;throw_mid;throw_mid;throw_mid;throw_mid;"                                       \
	"throw_mid;throw_mid;throw_mid;throw_mid;throw_mid;"
#define M80	     M10 M10 M10 M10 M10 M10 M10 M10
#define LINE(frames) "\nstack throw: " frames "throw_top" ST_END

static const struct st_case cases[] = {
	{"stack virtual: Leaf::visit;Inner::visit;Outer::visit;virtual_top" ST_END, virtual_top},
	{"stack throw: throw_leaf;" M80 "throw_top" ST_END LINE("*;throw_leaf;" M80)
		 LINE("throw_mid+;") LINE("*;") LINE(""),
	 throw_top},
	{nullptr, nullptr},
};

int main(int argc, char **argv)
{
	return drive(st_begin(argc, argv, cases), cases);
}
