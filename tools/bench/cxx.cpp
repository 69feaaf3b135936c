/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The C++ target of the timings: calls functions that libstdc++ exports. Commands come on stdin as
 * those of spin.c do: "time NAME MS" answers "MEDIAN MIN CALLS", nanoseconds a call.
 *
 *   compare     std::string::compare(const std::string &) const
 *   increment   std::_Rb_tree_increment(std::_Rb_tree_node_base *)
 *   hook        std::__detail::_List_node_base::_M_hook and _M_unhook: two calls
 *   write       std::ostream::write(const char *, long), to a stream that keeps nothing
 *   rehash      std::__detail::_Prime_rehash_policy::_M_need_rehash
 */
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <list>
#include <ostream>
#include <set>
#include <streambuf>
#include <string>
#include <unordered_map>
#include <vector>

namespace
{

enum { BATCH = 200, BATCHES_MAX = 1 << 20 };

volatile long sink;

class Nowhere : public std::streambuf
{
	std::streamsize xsputn(const char *, std::streamsize n) override
	{
		return n;
	}
	int overflow(int c) override
	{
		return c;
	}
};

struct Things {
	std::string a = "something to compare", b = "something to compare with";
	std::set<int> tree{1, 2, 3, 4, 5, 6, 7};
	std::__detail::_List_node_base head, node;
	Nowhere nowhere;
	std::ostream out{&nowhere};
	std::__detail::_Prime_rehash_policy policy;
	/* Through a pointer, so that no compiler makes its own of it. */
	int (std::string::*volatile compare)(const std::string &) const = &std::string::compare;

	Things()
	{
		head._M_next = head._M_prev = &head;
	}
};

using Action = void (*)(Things &);

const struct {
	const char *name;
	Action action;
} actions[] = {
	{"compare", [](Things &t) { sink = (t.a.*t.compare)(t.b); }},
	{"increment", [](Things &t) { sink = *std::next(t.tree.begin()); }},
	{"hook",
	 [](Things &t) {
		 t.node._M_hook(&t.head);
		 t.node._M_unhook();
	 }},
	{"write", [](Things &t) { t.out.write("text", 4); }},
	{"rehash", [](Things &t) { sink = t.policy._M_need_rehash(11, 3, 1).first; }},
};

uint64_t now_ns()
{
	using namespace std::chrono;

	return static_cast<uint64_t>(
		duration_cast<nanoseconds>(steady_clock::now().time_since_epoch()).count());
}

void time_calls(Things &things, Action action, uint64_t ms)
{
	static std::vector<uint64_t> batches;
	uint64_t last = now_ns(), end = last + ms * 1000000;

	batches.clear();
	while (last < end && batches.size() < BATCHES_MAX) {
		for (int i = 0; i < BATCH; i++)
			action(things);
		uint64_t now = now_ns();
		batches.push_back(now - last);
		last = now;
	}
	std::sort(batches.begin(), batches.end());
	printf("%.2f %.2f %zu\n", static_cast<double>(batches[batches.size() / 2]) / BATCH,
	       static_cast<double>(batches[0]) / BATCH, batches.size() * BATCH);
	fflush(stdout);
}

} // namespace

int main()
{
	Things things;
	char line[128], name[32];
	unsigned long long ms;

	while (fgets(line, sizeof(line), stdin)) {
		Action action = nullptr;

		if (sscanf(line, "time %31s %llu", name, &ms) != 2)
			return 2;
		for (const auto &a : actions)
			if (strcmp(a.name, name) == 0)
				action = a.action;
		if (!action)
			return 2;
		time_calls(things, action, ms);
	}
	return 0;
}
