/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The libraries of st_library.c. */
#ifndef SONDE_LIBST_H
#define SONDE_LIBST_H

void stub_leaf(void);

#endif
