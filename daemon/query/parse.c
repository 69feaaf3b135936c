/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "query.h"

/* In the order of enum report_by and enum report_sort; io.sonde.varlink has the same words. */
static const char *const by_names[] = {
	[BY_FUNC] = "func",	[BY_PROBE] = "probe",	[BY_COMM] = "comm",
	[BY_PID] = "pid",	[BY_THREAD] = "thread", [BY_CONTAINER] = "container",
	[BY_CGROUP] = "cgroup", [BY_HOST] = "host",	[BY_CATEGORY] = "category",
};
static const char *const sort_names[] = {
	[SORT_TOTAL] = "total",	  [SORT_SELF] = "self", [SORT_CALLS] = "calls",
	[SORT_ERRORS] = "errors", [SORT_AVG] = "avg",	[SORT_P50] = "p50",
	[SORT_P99] = "p99",	  [SORT_MAX] = "max",	[SORT_SAMPLES] = "samples",
};

static int find_name(const char *const *names, size_t n, const char *s)
{
	for (size_t i = 0; i < n; i++)
		if (streq(names[i], s))
			return (int)i;
	return -EINVAL;
}

int report_by_parse(const char *s, enum report_by *ret)
{
	int r = find_name(by_names, ARRAY_SIZE(by_names), s);

	if (r < 0)
		return r;
	*ret = (enum report_by)r;
	return 0;
}

int report_sort_parse(const char *s, enum report_sort *ret)
{
	int r = find_name(sort_names, ARRAY_SIZE(sort_names), s);

	if (r < 0)
		return r;
	*ret = (enum report_sort)r;
	return 0;
}

enum report_sort report_sort_default(enum query_kind kind)
{
	return kind == QUERY_SPAN ? SORT_TOTAL : SORT_SELF;
}
