/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The two functions of wl_spin, each in a file of its own for its own -fcf-protection. */
#ifndef SONDE_WL_SPIN_H
#define SONDE_WL_SPIN_H

long spin_call(long x);
long endbr_call(long x);

#endif
