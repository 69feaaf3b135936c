/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "libwl.h"

#include <string.h>

#include "wl.h"

static struct wl_api_counts counts;
static int opened;

WL_FUNC int wl_api_open(const char *name)
{
	counts.open++;
	return *name ? opened++ : -1;
}

/* Static, so that only .symtab knows it. */
static WL_FUNC void wl_fill(void *buf, size_t len)
{
	counts.fill++;
	memset(buf, 'w', len);
}

WL_FUNC long wl_api_read(int handle, void *buf, size_t len)
{
	counts.read++;
	if (handle < 0 || handle >= opened)
		return -1;
	wl_fill(buf, len);
	return (long)len;
}

WL_FUNC int wl_api_close(int handle)
{
	counts.close++;
	return handle >= 0 && handle < opened ? 0 : -1;
}

WL_FUNC struct wl_api_counts wl_api_counts(void)
{
	return counts;
}
