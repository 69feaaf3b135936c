/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the command line to the parameters of the interface's methods. */
#ifndef SONDE_CLI_REQUEST_H
#define SONDE_CLI_REQUEST_H

#include "command.h"
#include "options.h"
#include "sonde/base/json.h"

/* Do the selectors and specifications say something that can be asked? 0, or a usage error. */
int request_check(const struct options *o, struct error *e);

/* Do the options say which processes: all, some of them, or those of a command? */
bool request_names_whom(const struct options *o);

/* Begins the parameters: the caller adds its own and calls request_end(). */
void request_begin(struct json_writer *w, struct strbuf *out);
int request_end(struct json_writer *w, struct error *e); /* 0, -ENOMEM */

/* "options": SessionOptions. command may be NULL. */
void request_session_options(struct json_writer *w, const struct options *o,
			     const struct command *command);
/* "selectors", when some were given. */
void request_selectors(struct json_writer *w, const struct options *o);
/* The members where, begin and stack_if: those that were given. */
void request_conditions(struct json_writer *w, const struct options *o);
/* "query": Query. */
void request_query(struct json_writer *w, const struct options *o);
/* The same of that kind, whatever the options say. */
void request_query_of(struct json_writer *w, const struct options *o, const char *kind);
/* The query, and which raw spans of it: members of Spans. */
void request_spans(struct json_writer *w, const struct options *o);
/*
 * "query" of ExportSamples: of a kind, all that there are, or those in the spans that the options
 * choose. 0, -ENOMEM.
 */
int request_samples(struct json_writer *w, const struct options *o, const char *kind);

/* What the daemon is to write: it has a working directory of its own. The caller frees it; NULL:
 * errno says why. */
char *absolute_path(const char *path);

#endif
