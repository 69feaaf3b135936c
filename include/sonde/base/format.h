/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers as people read and write them: durations (250us 10ms 2s), sizes (4KiB 2MB), counts,
 * times (local ones). Formatters write into a caller's buffer and return it.
 */
#ifndef SONDE_BASE_FORMAT_H
#define SONDE_BASE_FORMAT_H

#include "sonde/base/util.h"

enum { FORMAT_MAX = 40 };

char *format_duration(char buf[static FORMAT_MAX], uint64_t ns);    /* "1.24 ms" */
char *format_size(char buf[static FORMAT_MAX], uint64_t bytes);	    /* "4.0 KiB" */
char *format_count(char buf[static FORMAT_MAX], uint64_t n);	    /* "1,234,567" */
char *format_clock(char buf[static FORMAT_MAX], uint64_t epoch_us); /* local "14:03:07.123456" */
char *format_date(char buf[static FORMAT_MAX], uint64_t epoch_us);  /* "2026-11-30 14:03:07" */

/* "10ms", "1.5s", "250us", "3m", "2h", "1d"; a bare number is refused. 0, -EINVAL, -ERANGE. */
int parse_duration(const char *s, uint64_t *ret_ns);
/* "4KiB", "2MB", "100". */
int parse_size(const char *s, uint64_t *ret_bytes);

uint64_t now_monotonic_ns(void);
uint64_t now_epoch_us(void);

#endif
