/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the kernel side reads the arguments of static probes. */
#ifndef SONDE_PROBE_SIGNATURE_NOTE_H
#define SONDE_PROBE_SIGNATURE_NOTE_H

#include "sonde/fetch.h"
#include "symbol/usdt.h"

/*
 * An argument as a number, or as an address: what is read there (kind and room) is not written.
 * False: it cannot be read as that.
 */
bool signature_note_number(const struct usdt_arg *arg, struct fetch *ret);
bool signature_note_address(const struct usdt_arg *arg, struct fetch *ret);
/* The result of a span that ends there: its first argument, or FETCH_NONE. */
void signature_note_result(const struct usdt_note *note, struct fetch *ret);

#endif
