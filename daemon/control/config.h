/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's configuration, /etc/sonde/sonde.conf. One table (config.c) has every key with its
 * default, its bounds and its meaning. What a file does not say has its default.
 */
#ifndef SONDE_CONTROL_CONFIG_H
#define SONDE_CONTROL_CONFIG_H

#include "sonde/base/error.h"
#include "sonde/base/strbuf.h"

#define CONFIG_PATH "/etc/sonde/sonde.conf"

struct config {
	char *socket;		/* absolute path */
	uint64_t ring_size;	/* bytes, a power of two */
	uint64_t symbol_cache;	/* bytes, in memory */
	char *cache;		/* directory, absolute path */
	uint64_t cache_size;	/* bytes, on disk */
	uint64_t unwind_memory; /* bytes of unwind tables in the kernel */
	uint64_t raw_memory;	/* bytes of packed raw spans kept a session */
	char *history;		/* "yes" or "no" */
	char *store, *sessions; /* directories, absolute paths */
	uint64_t history_frequency;
	uint64_t history_window_ns;
	uint64_t retention_time_ns;
	uint64_t retention_size;
	/* For log_init(), as $SONDE_LOG_LEVEL and $SONDE_LOG_FORMAT where those are not set. */
	char *log_level, *log_format;
};

/*
 * path NULL: the default file, which need not exist. -ENOENT and other -errno when the file cannot
 * be read, -EINVAL with "FILE:LINE: …" for a section, key or value that is not right.
 */
int config_load(const char *path, struct config **ret, struct error *error);
/* Instead of the file's; -EINVAL for a path that is not absolute. */
int config_set_store(struct config *c, const char *dir);
struct config *config_free(struct config *c);
DEFINE_CLEANUP(struct config *, config_free)

/* A file with every key, its meaning and its default, all commented out. */
void config_describe(struct strbuf *out);

#endif
