/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text of include/sonde/io.sonde.varlink, put into the daemon by interface_embed.py. */
#ifndef SONDE_CONTROL_INTERFACE_H
#define SONDE_CONTROL_INTERFACE_H

#define SONDE_INTERFACE "io.sonde"

extern const char sonde_interface[];

#endif
