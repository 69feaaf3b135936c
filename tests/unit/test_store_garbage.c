/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is collected is what nothing names. Decoding fails here as if out of memory when it is to:
 * the linker puts __wrap_X() in the place of X() (meson.build).
 */
#include "store/sample_chunk.h"
#include "store_history.h"

TestSuite(garbage, .init = make_dir, .fini = remove_dir);

static bool samples_fail, spans_fail;

int __real_sample_chunk_decode(const uint8_t *data, size_t size, enum sample_kind kind,
			       struct sample_set *ret);
int __wrap_sample_chunk_decode(const uint8_t *data, size_t size, enum sample_kind kind,
			       struct sample_set *ret);
int __real_chunk_decode(const uint8_t *data, size_t size, struct span_set *ret);
int __wrap_chunk_decode(const uint8_t *data, size_t size, struct span_set *ret);

int __wrap_sample_chunk_decode(const uint8_t *data, size_t size, enum sample_kind kind,
			       struct sample_set *ret)
{
	return samples_fail ? -ENOMEM : __real_sample_chunk_decode(data, size, kind, ret);
}

int __wrap_chunk_decode(const uint8_t *data, size_t size, struct span_set *ret)
{
	return spans_fail ? -ENOMEM : __real_chunk_decode(data, size, ret);
}

/* All but the last two windows go, when what these name cannot be found out. */
static void check_out_of_memory(bool *fails)
{
	struct history_limits limits = wide;
	_cleanup_(lines_release) struct lines want = {};
	struct error e = {};
	struct live l;

	limits.max_age_us = 2 * MINUTE_US;
	seed_rng();
	begin_live(&l, &limits);
	for (int i = 0; i < 20; i++)
		write_next(&l, NULL);
	/* What was sent may be named again and stays: that is why there are two. */
	for (int i = 0; i < 2; i++) {
		renew_model(&l);
		write_next(&l, &want);
	}
	*fails = true;
	cr_assert_lt(history_maintain(l.h, now_of(&l) + 2 * MINUTE_US - 15000000, &e), 0);
	cr_assert_str_eq(e.name, "WriteFailed");
	*fails = false;
	check_equal(&want, 0, 0);
	end_live(&l);
}

Test(garbage, samples_that_do_not_fit_in_memory_keep_what_they_name)
{
	check_out_of_memory(&samples_fail);
}

Test(garbage, spans_that_do_not_fit_in_memory_keep_what_they_name)
{
	check_out_of_memory(&spans_fail);
}
