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
/*
 * The bare file name in .gnu_debuglink, which ends within size, and the checksum of that file.
 * -ENOENT when there is none or it is no bare name.
 */
int debug_file_link(struct elf_image *image, char *ret_name, size_t size, uint32_t *ret_checksum);
/*
 * Opens a debug file that was found. -ENODATA when it is not the image's: it must have the same
 * build-id or, where the image has none, the checksum of its .gnu_debuglink.
 */
int debug_file_use(struct elf_image *image, int fd, struct error *error, struct elf_image **ret);
/*
 * Opens the file that a .gnu_debuglink of the file at path names, to be handed to who knows whether
 * it belongs to that one: where, from 0 on, is one of DEBUG_LINK_PLACES, in the order in which they
 * are tried. Beside the file at path and in .debug/ there only what root (or this process's user)
 * alone can write to, directory and file. debug_dir as above. -ENOENT, or why it is not opened.
 */
enum { DEBUG_LINK_PLACES = 3 };
int debug_file_open_link(const char *name, const char *path, const char *debug_dir, unsigned where);
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
