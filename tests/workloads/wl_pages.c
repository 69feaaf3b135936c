/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calls that go on in the kernel.
 *
 *   write_page(fd, data, page)   20 calls, page = 0 … 19: write(2) of 100 × (page + 1) bytes, which
 *                                it returns
 */
#include <fcntl.h>

#include "wl.h"

enum { PAGES = 20, UNIT = 100 };

static uint64_t n_pages;

WL_FUNC long write_page(int fd, const char *data, int page)
{
	n_pages++;
	return write(fd, data, (size_t)UNIT * (size_t)(page + 1));
}

int main(int argc, char **argv)
{
	struct wl_options o = wl_options(argc, argv, 1, 1);
	static char data[UNIT * PAGES];
	int fd = open("/tmp", O_TMPFILE | O_RDWR, 0600), wrong = fd < 0;

	wl_gate(&o);
	for (int page = 0; page < PAGES; page++)
		wrong |= write_page(fd, data, page) != (long)UNIT * (page + 1);
	close(fd);
	wrong |= wl_count(&o, "write_page", n_pages, PAGES);
	return wl_done(wrong);
}
