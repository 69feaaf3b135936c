/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an ELF file says of itself: its build-id, and that of the file it shares debug information
 * with. The file came from a server: every number in it is checked before use.
 */
#ifndef SONDE_FETCH_ELF_ID_H
#define SONDE_FETCH_ELF_ID_H

#include "sonde/base/util.h"

enum { ELF_ID_MAX = 64, ELF_ID_HEX = 2 * ELF_ID_MAX + 1 };

/*
 * Both in lower-case hexadecimal; ret_supplement is "" when there is none (.gnu_debugaltlink, made
 * by dwz). -ENOEXEC: it is no ELF file of this byte order, or damaged; -ENODATA: no build-id.
 */
int elf_id_read(int fd, char ret[static ELF_ID_HEX], char ret_supplement[static ELF_ID_HEX]);

#endif
