/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the symbols of a stripped file are kept: a separate debug file found by build-id or by
 * .gnu_debuglink, or a compressed ELF file inside it (.gnu_debugdata, "MiniDebugInfo").
 */
#ifndef SONDE_SYMBOL_DEBUG_FILE_H
#define SONDE_SYMBOL_DEBUG_FILE_H

#include "symbol/elf_image.h"

/*
 * Opens the separate debug file of an image: that of its build-id in debug_dir, which may be
 * several (debug_dirs.h), else what .gnu_debuglink names, beside path, in .debug/ beside it or
 * below the first of debug_dir, with the same build-id or, where the image has none, the checksum
 * of the link. path may be NULL. -ENOENT when there is none that fits.
 */
int debug_file_open(struct elf_image *image, const char *path, const char *debug_dir,
		    struct elf_image **ret);
/* True when both have a build-id, and the same. */
bool debug_file_fits(const struct elf_image *image, const struct elf_image *debug);
/*
 * The build-id of the file that dwz made of the debug information that this one and others have in
 * common (.gnu_debugaltlink); zeros when there is none, or it is no build-id of 20 bytes.
 */
void debug_file_supplement(struct elf_image *image, uint8_t ret[static BUILD_ID_SIZE]);
/*
 * Opens the ELF file in .gnu_debugdata. -ENOENT when there is none, -EFBIG when it is larger than
 * 64 MiB unpacked, -EBADMSG when it is damaged.
 */
int debug_file_open_mini(struct elf_image *image, struct elf_image **ret);

#endif
