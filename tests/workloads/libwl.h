/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The library that wl_lib loads with dlopen(). */
#ifndef SONDE_LIBWL_H
#define SONDE_LIBWL_H

#include <stddef.h>

struct wl_api_counts {
	unsigned long open, read, close, fill;
};

int wl_api_open(const char *name); /* a handle from 0 on, or -1 for an empty name */
long wl_api_read(int handle, void *buf, size_t len); /* how many bytes; -1 for a bad handle */
int wl_api_close(int handle);
struct wl_api_counts wl_api_counts(void);

#endif
