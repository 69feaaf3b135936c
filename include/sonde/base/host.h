/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which machine this is, and which run of it: what tells processes of several machines apart. */
#ifndef SONDE_BASE_HOST_H
#define SONDE_BASE_HOST_H

enum { HOST_NAME_MAX_LEN = 255, HOST_BOOT_LEN = 36 };

/* As uname(2) has it; "" when it has none. */
void host_name(char ret[static HOST_NAME_MAX_LEN + 1]);
/* The id the kernel drew when it booted; "" when it does not say. */
void host_boot(char ret[static HOST_BOOT_LEN + 1]);

#endif
