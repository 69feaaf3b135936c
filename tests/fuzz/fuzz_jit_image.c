/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The input is a jit image as a reader process that was taken over may answer it. What passes the
 * checks is taken in, as of a perf map and as of a jitdump file, and looked up.
 */
#include <sys/mman.h>

#include "symbol/jit_image.h"
#include "symbol/jitdump.h"
#include "symbol/perf_map.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look_up(const struct jit_image *image, const struct perf_map *m,
		    const struct jitdump *j)
{
	for (size_t i = 0; i < MIN(image->n_records, (size_t)64); i++) {
		const struct jit_record *r = &image->records[i];
		const char *name = perf_map_find(m, r->start);
		struct jitdump_place place = {};

		if (name && (!*name || strlen(name) > JIT_NAME_MAX))
			abort();
		for (unsigned k = 0; k < 3; k++)
			if (jitdump_find(j, (k == 1 ? r->to : r->start) + (k == 2), r->time_ns,
					 &place) &&
			    (!*place.name || strlen(place.name) > JIT_NAME_MAX))
				abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(closep) int fd = memfd_create("fuzz", MFD_CLOEXEC);
	_cleanup_(jit_image_release) struct jit_image image = {};
	_cleanup_(perf_map_freep) struct perf_map *m = NULL;
	_cleanup_(jitdump_freep) struct jitdump *j = NULL;

	if (fd < 0 || write_fully(fd, data, size) < 0 || perf_map_new(&m) < 0 ||
	    jitdump_new(&j) < 0 || jit_image_open(fd, 4096, NULL, &image) < 0)
		return 0;
	/* Twice, as a second answer meets what is left of the first. */
	for (int i = 0; i < 2; i++) {
		perf_map_take(m, &image);
		jitdump_take(j, &image);
		look_up(&image, m, j);
	}
	return 0;
}
