/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The formats that are imported. */
#ifndef SONDE_CLI_IMPORT_FORMATS_H
#define SONDE_CLI_IMPORT_FORMATS_H

#include "input.h"
#include "sink.h"

struct import_format {
	const char *name; /* as --format has it */
	/* Reads the input to its end. 0, or -errno with the error set. */
	int (*read)(struct import_input *in, struct import_sink *sink, struct error *error);
	const char *const *suffixes; /* of names of files; ends with NULL */
	/* Whether a file that begins like that is of this format; len is not 0. */
	bool (*is)(const char *head, size_t len);
};

/* By name; NULL: there is none. */
const struct import_format *import_format_find(const char *name);
/* By the name of the file and how it begins; -EBADMSG with a BadFile when it is none of them. */
int import_format_detect(struct import_input *in, const struct import_format **ret,
			 struct error *error);

/* One a format: each in a file of its own. */
int import_chrome(struct import_input *in, struct import_sink *sink, struct error *error);
int import_dftracer(struct import_input *in, struct import_sink *sink, struct error *error);
int import_folded(struct import_input *in, struct import_sink *sink, struct error *error);
int import_perf_script(struct import_input *in, struct import_sink *sink, struct error *error);
int import_pprof(struct import_input *in, struct import_sink *sink, struct error *error);
bool import_is_dftracer(const char *head, size_t len);
bool import_is_perf_script(const char *head, size_t len);
bool import_is_folded(const char *head, size_t len);
bool import_is_pprof(const char *head, size_t len);

#endif
