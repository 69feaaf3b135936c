/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Records of what has been: all of them, in order, when they are due, and none that is not sound.
 */
#include <criterion/criterion.h>

#include "collect/replay_source.h"
#include "sonde/record.h"

enum { RECORDS = 10 };

struct feed {
	struct record_exit records[RECORDS];
	uint64_t times[RECORDS];
	size_t n, next, taken;
	int end; /* what is said behind the last one */
};

static int next_record(void *arg, struct replay_record *ret)
{
	struct feed *f = arg;

	if (f->next == f->n)
		return f->end;
	*ret = (struct replay_record){&f->records[f->next], sizeof(f->records[0]),
				      f->times[f->next]};
	f->next++;
	return 1;
}

static void take(void *arg, const void *record, size_t size)
{
	struct feed *f = arg;

	cr_assert_eq(size, sizeof(struct record_exit));
	cr_assert_eq(((const struct record_exit *)record)->pid, f->taken + 1);
	f->taken++;
}

/* At 1,000, 2,000 … ns. */
static void make(struct feed *f, size_t n)
{
	*f = (struct feed){.n = n};
	for (size_t i = 0; i < n; i++) {
		f->records[i] = (struct record_exit){.h = {.kind = RECORD_EXIT}, .pid = i + 1};
		f->times[i] = 1000 * (i + 1);
	}
}

static struct replay_source *source_of(struct feed *f, double speed)
{
	struct replay_source *s = NULL;

	cr_assert_eq(replay_source_new(next_record, f, speed, &s), 0);
	return s;
}

Test(replay_source, hands_on_all_at_once)
{
	struct replay_source *s;
	uint64_t due = 0;
	struct feed f;

	make(&f, RECORDS);
	s = source_of(&f, 0);
	cr_assert_eq(replay_source_run(s, 5, 4, take, &f, &due), 1);
	cr_assert_eq(due, 5, "more is due now");
	cr_assert_eq(f.taken, 4);
	cr_assert_eq(replay_source_run(s, 6, 100, take, &f, &due), 0);
	cr_assert_eq(f.taken, RECORDS);
	cr_assert_eq(replay_source_run(s, 7, 100, take, &f, &due), 0);
	replay_source_free(s);
}

Test(replay_source, keeps_the_pace)
{
	enum { NOW = 1000000 };
	struct replay_source *s;
	uint64_t due = 0;
	struct feed f;

	make(&f, RECORDS);
	f.times[5] = 10; /* out of order: with the one before */
	s = source_of(&f, 2);
	cr_assert_eq(replay_source_run(s, NOW, 100, take, &f, &due), 1);
	cr_assert_eq(f.taken, 1, "the first is due at once");
	cr_assert_eq(due, NOW + 500);
	cr_assert_eq(replay_source_run(s, NOW + 499, 100, take, &f, &due), 1);
	cr_assert_eq(f.taken, 1);
	cr_assert_eq(replay_source_run(s, due, 100, take, &f, &due), 1);
	cr_assert_eq(f.taken, 2);
	cr_assert_eq(replay_source_run(s, NOW + 2000, 100, take, &f, &due), 1);
	cr_assert_eq(f.taken, 6);
	cr_assert_eq(due, NOW + 3000);
	/* Whoever comes late is handed all that was due meanwhile. */
	cr_assert_eq(replay_source_run(s, NOW + 10 * 1000, 100, take, &f, &due), 0);
	cr_assert_eq(f.taken, RECORDS);
	replay_source_free(s);
}

Test(replay_source, stops_at_what_is_not_sound)
{
	struct replay_source *s;
	uint64_t due = 0;
	struct feed f;

	make(&f, 3);
	f.records[1].h.kind = 99;
	s = source_of(&f, 0);
	cr_assert_eq(replay_source_run(s, 1, 100, take, &f, &due), -EBADMSG);
	cr_assert_eq(f.taken, 1);
	replay_source_free(s);
	make(&f, 2);
	f.end = -EIO;
	s = source_of(&f, 0);
	cr_assert_eq(replay_source_run(s, 1, 100, take, &f, &due), -EIO);
	cr_assert_eq(f.taken, 2);
	replay_source_free(s);
	/* A time that never comes, at the lowest speed. */
	make(&f, 2);
	f.times[1] = UINT64_MAX;
	s = source_of(&f, 1e-9);
	cr_assert_eq(replay_source_run(s, 1, 100, take, &f, &due), 1);
	cr_assert_gt(due, 1ULL << 60);
	replay_source_free(s);
}
