/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's log: levels trace to critical from $SONDE_LOG_LEVEL (default info), format
 * plain or json from $SONDE_LOG_FORMAT, the journal when stderr is connected to it
 * ($JOURNAL_STREAM). Thread-safe; one line a call, newlines in the message are escaped.
 */
#ifndef SONDE_BASE_LOG_H
#define SONDE_BASE_LOG_H

#include "sonde/base/util.h"

enum log_level { LOG_TRACE_, LOG_DEBUG_, LOG_INFO_, LOG_WARN_, LOG_ERROR_, LOG_CRITICAL_ };

/* Reads the environment; 0, or -EINVAL with *ret_bad naming the variable it did not understand. */
int log_init(const char *program, const char **ret_bad);
bool log_enabled(enum log_level level);
void log_write(enum log_level level, const char *fmt, ...) _printf_(2, 3);

#define log_trace(...)	  (log_enabled(LOG_TRACE_) ? log_write(LOG_TRACE_, __VA_ARGS__) : (void)0)
#define log_debug(...)	  (log_enabled(LOG_DEBUG_) ? log_write(LOG_DEBUG_, __VA_ARGS__) : (void)0)
#define log_info(...)	  log_write(LOG_INFO_, __VA_ARGS__)
#define log_warn(...)	  log_write(LOG_WARN_, __VA_ARGS__)
#define log_error(...)	  log_write(LOG_ERROR_, __VA_ARGS__)
#define log_critical(...) log_write(LOG_CRITICAL_, __VA_ARGS__)

#endif
