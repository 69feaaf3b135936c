/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Root has no need to be root while it reads what somebody else has written. */
#ifndef SONDE_CLI_IMPORT_PRIVILEGE_H
#define SONDE_CLI_IMPORT_PRIVILEGE_H

#include "sonde/base/error.h"

/*
 * Becomes nobody, for good, when this is root: what is open stays so. Where there is nobody to
 * become (a container with one user), root has no more rights than its user outside, and stays.
 * 0, or -errno with the error set.
 */
int import_drop_privilege(struct error *error);

#endif
