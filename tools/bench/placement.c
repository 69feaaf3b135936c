/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How well the probes of whole files can be placed.
 *
 *   placement FILE…          a table: shares of functions by what an entry probe costs, and of
 * those whose return sites cannot be found, with the reasons; time per function placement --sites
 * FILE   "FUNCTION ENTRY SITE KIND CODE" lines, to compare with a disassembly
 */
#include <time.h>

#include "probe/place_file.h"

enum { REASONS = 16 };

struct count {
	const char *reason;
	size_t n;
};

struct table {
	struct place_file *file;
	uint64_t last;
	size_t n, hits[HIT_KINDS + 1], moved, none, sites;
	struct count reasons[REASONS];
	uint64_t ns;
	bool print;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

static void count_reason(struct table *t, const char *reason)
{
	for (size_t i = 0; i < REASONS; i++) {
		if (t->reasons[i].reason && !streq(t->reasons[i].reason, reason))
			continue;
		t->reasons[i].reason = reason;
		t->reasons[i].n++;
		return;
	}
}

static int one(const struct symbol *symbol, void *data)
{
	struct table *t = data;
	struct return_site *sites _cleanup_(freep) = NULL;
	struct entry_place place, moved;
	const char *reason = NULL;
	struct place_code code;
	size_t n = 0;
	uint64_t start;
	int r;

	if (symbol->size == 0 || symbol->vaddr == t->last ||
	    place_file_code(t->file, symbol->vaddr, symbol->size, &code) < 0)
		return 0;
	t->last = symbol->vaddr;
	start = now_ns();
	place_entry(&code, 0, false, true, &place);
	r = place_returns(&code, &sites, &n, &reason);
	t->ns += now_ns() - start;
	place_entry(&code, 0, true, true, &moved);
	t->n++;
	t->hits[place.hit]++;
	t->moved += place.hit > HIT_EMULATED && moved.hit <= HIT_EMULATED;
	if (r < 0)
		count_reason(t, reason ? reason : strerror(-r));
	t->none += r == 0 && n == 0;
	t->sites += n;
	if (!t->print)
		return 0;
	printf("place %s 0x%lx 0x%lx %d %s\n", symbol->name, symbol->vaddr,
	       symbol->vaddr + place.skipped, place.hit, place.instruction);
	if (r < 0)
		printf("fail %s 0x%lx %s\n", symbol->name, symbol->vaddr, reason);
	for (size_t i = 0; i < n; i++)
		printf("site %s 0x%lx 0x%lx %d %d\n", symbol->name, symbol->vaddr, sites[i].vaddr,
		       sites[i].kind, sites[i].code);
	return 0;
}

static int run(const char *path, bool print)
{
	struct elf_image *image _cleanup_(elf_image_freep) = NULL;
	struct symtab *st _cleanup_(symtab_freep) = NULL;
	struct place_file *file _cleanup_(place_file_freep) = NULL;
	struct error e = {};
	struct table t = {.print = print, .last = UINT64_MAX};
	double all;

	if (elf_image_open_path(path, &e, &image) < 0 ||
	    symtab_load(image, path, NULL, &e, &st) < 0) {
		fprintf(stderr, "placement: %s: %s\n", path, e.message);
		return 1;
	}
	if (place_file_new(image, st, &file) < 0)
		return 1;
	t.file = file;
	symtab_each(st, one, &t);
	if (print)
		return 0;
	all = MAX(t.n, (size_t)1) / 100.0;
	printf("%-22s %7zu functions: emulated %4.1f %%, with sp moved +%.1f, stepped %.1f, "
	       "refused %.1f; "
	       "%.2f us each\n",
	       strrchr(path, '/') ? strrchr(path, '/') + 1 : path, t.n,
	       (t.hits[HIT_EMULATED] + t.hits[HIT_OPTIMISED]) / all, t.moved / all,
	       t.hits[HIT_STEPPED] / all, t.hits[HIT_KINDS] / all,
	       t.ns / 1e3 / MAX(t.n, (size_t)1));
	for (size_t i = 0; i < REASONS && t.reasons[i].n; i++)
		printf("    %6.2f %% (%zu) %s\n", t.reasons[i].n / all, t.reasons[i].n,
		       t.reasons[i].reason);
	printf("    %6.2f %% never return; %.2f sites a function\n", t.none / all,
	       (double)t.sites / MAX(t.n, (size_t)1));
	return 0;
}

int main(int argc, char **argv)
{
	bool print = argc > 1 && streq(argv[1], "--sites");
	int r = 0;

	for (int i = print ? 2 : 1; i < argc; i++)
		r |= run(argv[i], print);
	return r;
}
