/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SONDE_ST_MIDDLE_H
#define SONDE_ST_MIDDLE_H

void bare_outer(void (*callback)(void));

#endif
