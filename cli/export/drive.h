/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs an export: asks the daemon for what the format carries and hands it on, little by little. */
#ifndef SONDE_EXPORT_DRIVE_H
#define SONDE_EXPORT_DRIVE_H

#include "export.h"

struct cli;

/* 0, or -errno with cli->error, but for -EPIPE (nobody reads any more). */
int export_drive(struct cli *cli, const struct export_format *format);

#endif
