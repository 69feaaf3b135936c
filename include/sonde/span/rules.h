/* SPDX-License-Identifier: MIT */
/*
 * What is wanted: the rules of the control, or those of the environment while the daemon has not
 * written any.
 *
 *   SONDE_SPANS=0            nothing, for good
 *   SONDE_CATEGORIES=io,-net spans of these categories (globs; CATEGORY/NAME works, too)
 *   SONDE_THRESHOLD_US=50    spans that take at least so long
 *   SONDE_FLUSH_MS=100       how old a batch becomes
 */
#ifndef SONDE_SPAN_RULES_H
#define SONDE_SPAN_RULES_H

#include <stdlib.h>
#include "probe.h"
#include "system.h"

/* There can be no key, so the ends of threads are not noticed: see sonde_take_dead(). */
#define SONDE_NO_KEY (~(sonde_u32)0)

enum sonde_phase { SONDE_NEW, SONDE_BEGINNING, SONDE_READY, SONDE_OFF };

/* Of a linked object. All but the phase, the key, the list and the counts is written once. */
struct sonde_object {
	sonde_u32 phase;			/* enum sonde_phase */
	sonde_u32 ticks_are_ns;			/* there is no counter to be trusted */
	sonde_u32 thread_key;			/* of pthreads, + 1; 0: none yet; or SONDE_NO_KEY */
	sonde_u32 flush_ms;			/* of the environment */
	sonde_u64 threshold_ns;			/* likewise */
	double ns_per_tick;			/* 0: not measured yet */
	void *threads;				/* all there ever were: struct sonde_thread */
	sonde_u32 dropped[SONDE_DROPPED_COUNT]; /* of threads that are gone, or not there yet */
	sonde_u32 n_bytes;			/* of rules */
	char rules[SONDE_RULES_SIZE];
};

#ifdef __cplusplus
extern "C" {
#endif
extern struct sonde_object SONDE_SHARED(object) SONDE_HIDDEN;
__attribute__((weak)) struct sonde_object SONDE_SHARED(object);
#ifdef __cplusplus
}
#endif

/* What a macro keeps of its place in the source. Known by its texts, so copies of it are one. */
struct sonde_site {
	const char *category, *name;
	sonde_u64 id;	   /* 0: not computed yet */
	sonde_u32 verdict; /* see sonde_verdict(); 0: none yet */
};

/* Threads may decide about a site at the same time, with the same result. */
SONDE_FAST sonde_u64 sonde_id_of(const struct sonde_site *site)
{
	return __atomic_load_n(&site->id, __ATOMIC_RELAXED);
}

/* Digits with up to three behind a point, in thousandths; -1: something else. */
SONDE_SLOW sonde_i64 sonde_parse_thousandths(const char *text)
{
	sonde_i64 value = 0, unit = 1000;
	int n = 0;

	for (; *text >= '0' && *text <= '9' && n < 12; text++, n++)
		value = value * 10 + (*text - '0');
	value *= 1000;
	if (*text == '.')
		for (text++; *text >= '0' && *text <= '9' && unit > 1; text++, n++)
			value += (*text - '0') * (unit /= 10);
	return n == 0 || *text ? -1 : value;
}

/* Comma-separated to NUL-terminated; rules that have no room are left out. */
SONDE_SLOW sonde_u32 sonde_parse_rules(const char *text, char *rules)
{
	sonde_u32 used = 0, begin = 0;

	for (;; text++) {
		if (*text && *text != ',') {
			if (*text != ' ' && used < SONDE_RULES_SIZE)
				rules[used++] = *text;
			continue;
		}
		if (used == SONDE_RULES_SIZE)
			used = begin;
		else if (used > begin)
			rules[used++] = 0;
		begin = used;
		if (!*text)
			return used;
	}
}

SONDE_SLOW void sonde_read_environment(struct sonde_object *o)
{
	const char *spans = getenv("SONDE_SPANS"), *threshold = getenv("SONDE_THRESHOLD_US");
	const char *categories = getenv("SONDE_CATEGORIES"), *flush = getenv("SONDE_FLUSH_MS");
	sonde_i64 value = threshold ? sonde_parse_thousandths(threshold) : 0;

	o->threshold_ns = value > 0 ? (sonde_u64)value : 0;
	value = flush ? sonde_parse_thousandths(flush) : -1;
	o->flush_ms = SONDE_FLUSH_MS;
	if (value >= 0 && value < 86400000000)
		o->flush_ms = (sonde_u32)(value / 1000);
	o->n_bytes = categories ? sonde_parse_rules(categories, o->rules) : 0;
	if (spans && spans[0] == '0' && !spans[1])
		__atomic_store_n(&o->phase, SONDE_OFF, __ATOMIC_RELEASE);
}

/* pattern: with * and ?, of len bytes. Time is bounded by the product of the lengths. */
SONDE_SLOW int sonde_glob(const char *pattern, unsigned long len, const char *text)
{
	unsigned long at = 0, star = 0, star_text = 0, i = 0;
	int starred = 0;

	while (text[i]) {
		if (at < len && pattern[at] == '*') {
			star = ++at;
			star_text = i;
			starred = 1;
		} else if (at < len && (pattern[at] == '?' || pattern[at] == text[i])) {
			at++;
			i++;
		} else if (starred) {
			at = star;
			i = ++star_text;
		} else {
			return 0;
		}
	}
	while (at < len && pattern[at] == '*')
		at++;
	return at == len;
}

SONDE_SLOW int sonde_rule_matches(const char *rule, unsigned long len, const char *category,
				  const char *name)
{
	unsigned long slash = 0;

	while (slash < len && rule[slash] != '/')
		slash++;
	if (!sonde_glob(rule, slash, category))
		return 0;
	return slash == len || sonde_glob(rule + slash + 1, len - slash - 1, name);
}

/* See struct sonde_control. The rules may change meanwhile: nothing outside them is read. */
SONDE_SLOW int sonde_is_wanted(const char *rules, sonde_u32 n_bytes, const char *category,
			       const char *name)
{
	int wanted = -1, any_accepts = 0;
	sonde_u32 at = 0;

	if (n_bytes > SONDE_RULES_SIZE)
		n_bytes = SONDE_RULES_SIZE;
	while (at < n_bytes) {
		sonde_u32 end = at;
		int refuses = rules[at] == '-';

		while (end < n_bytes && rules[end])
			end++;
		at += (sonde_u32)refuses;
		if (at < end) {
			any_accepts |= !refuses;
			if (sonde_rule_matches(rules + at, end - at, category, name))
				wanted = !refuses;
		}
		at = end + 1;
	}
	return wanted >= 0 ? wanted : !any_accepts;
}

/* Of a site that is wanted, resp. refused, in a generation. Not 0. */
SONDE_FAST sonde_u32 sonde_verdict(sonde_u32 generation, int wanted)
{
	return (generation << 1 | (sonde_u32)wanted) + 2;
}

/* Decides about a site; its verdict is one of the generation then. */
SONDE_SLOW void sonde_decide(struct sonde_site *site, sonde_u32 generation)
{
	const struct sonde_object *o = &SONDE_SHARED(object);
	const struct sonde_control *c = &SONDE_SHARED(control);
	const char *category = site->category, *name = site->name;
	int wanted;

	if (generation)
		wanted = sonde_is_wanted(c->rules, __atomic_load_n(&c->n_bytes, __ATOMIC_RELAXED),
					 category, name);
	else
		wanted = sonde_is_wanted(o->rules, o->n_bytes, category, name);
	__atomic_store_n(&site->id,
			 sonde_site_id(category, sonde_strlen(category), name, sonde_strlen(name)),
			 __ATOMIC_RELAXED);
	__atomic_store_n(&site->verdict, sonde_verdict(generation, wanted), __ATOMIC_RELEASE);
}

#endif
