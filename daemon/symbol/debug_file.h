/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the symbols of a stripped file are kept: a separate debug file found by build-id or by
 * .gnu_debuglink, or a compressed ELF file inside it (.gnu_debugdata, "MiniDebugInfo").
 */
#ifndef SONDE_SYMBOL_DEBUG_FILE_H
#define SONDE_SYMBOL_DEBUG_FILE_H

#include "symbol/elf_image.h"

/*
 * Opens the separate debug file of an image: DIR/.build-id/xx/yyyy.debug with the same build-id,
 * else what .gnu_debuglink names, beside path, in .debug/ beside it or below DIR, with the same
 * build-id or, where the image has none, the checksum of the link. DIR is debug_dir, or
 * /usr/lib/debug when that is NULL; path may be NULL. -ENOENT when there is none that fits.
 */
int debug_file_open(struct elf_image *image, const char *path, const char *debug_dir,
		    struct elf_image **ret);
/*
 * Where the separate debug file of a build-id of len bytes would be; debug_dir as above. -ENOENT
 * when the build-id is too short or the path too long.
 */
int debug_file_path(const uint8_t *build_id, size_t len, const char *debug_dir, char *ret,
		    size_t size);
/* True when both have a build-id, and the same. */
bool debug_file_fits(const struct elf_image *image, const struct elf_image *debug);
/*
 * Opens the ELF file in .gnu_debugdata. -ENOENT when there is none, -EFBIG when it is larger than
 * 64 MiB unpacked, -EBADMSG when it is damaged.
 */
int debug_file_open_mini(struct elf_image *image, struct elf_image **ret);

#endif
