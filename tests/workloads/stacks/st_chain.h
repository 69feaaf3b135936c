/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The variants that st_chain.c and st_chain.cpp are compiled in: optimisation, frame pointer. */
#ifndef SONDE_ST_CHAIN_H
#define SONDE_ST_CHAIN_H

#define ST_VARIANTS(X) X(o0fp) X(o0no) X(o2fp) X(o2no) X(o3fp) X(o3no)

#define ST_JOIN2(a, b) a##_##b
#define ST_JOIN(a, b)  ST_JOIN2(a, b)

#endif
