/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * C++ at -O3 without frame pointers: a chain of virtual calls, and exceptions thrown in a loop, of
 * which most samples are in the unwinder of libgcc, on top of the planted frames.
 */
#include "st.h"

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

struct Cleanup {
	long n;
	~Cleanup()
	{
		__asm__ volatile("" : : "r"(n));
	}
};

WL_FUNC void throw_mid(long n)
{
	Cleanup cleanup{n};

	ST_LIVE(throw_leaf(n));
}

WL_FUNC void throw_top()
{
	for (long i = 1; i < 20; i++) {
		try {
			ST_LIVE(throw_mid(i));
		} catch (long n) {
			st_value(n);
		}
	}
}

#define THROW(frames) "stack throw: " frames ST_END "\nstack throw: *;" frames ST_END

static const struct st_case cases[] = {
	{"stack virtual: Leaf::visit;Inner::visit;Outer::visit;virtual_top" ST_END, virtual_top},
	{THROW("throw_leaf;throw_mid;throw_top") "\n" THROW("throw_mid;throw_top") "\n" THROW(
		 "throw_top"),
	 throw_top},
	{nullptr, nullptr},
};

int main(int argc, char **argv)
{
	return drive(st_begin(argc, argv, cases), cases);
}
