/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's vDSO, which is in every process and in no file: read from this process's memory. */
#ifndef SONDE_SYMBOL_VDSO_H
#define SONDE_SYMBOL_VDSO_H

#include "symbol/elf_image.h"

/* Opens a copy of this process's vDSO; -ENOENT when the kernel gave it none. */
int vdso_open(struct error *error, struct elf_image **ret);

#endif
