/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The reader process: reads the files that users control, and nothing else. See reader.h for who
 * starts it and reader_confine.h for what it is kept from.
 */
#ifndef SONDE_SYMBOL_READER_CHILD_H
#define SONDE_SYMBOL_READER_CHILD_H

#include <stdbool.h>

/* True when these are the arguments of a program that is to be the reader process. */
bool reader_child_is_meant(int argc, char **argv);
/*
 * Confines the process and answers requests from READER_SOCKET until it is closed. The exit
 * status; the caller is to leave with _exit(), as handlers of exit() may make forbidden calls.
 */
int reader_child_run(void);

#endif
