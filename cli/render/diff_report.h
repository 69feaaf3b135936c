/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The answer of Diff as a file for a build server: JUnit XML, or Markdown for people. */
#ifndef SONDE_RENDER_DIFF_REPORT_H
#define SONDE_RENDER_DIFF_REPORT_H

#include "diff.h"

enum report_format { REPORT_NONE, REPORT_JUNIT, REPORT_MARKDOWN };

/* By the name's extension: .xml, .md. */
enum report_format diff_report_format(const char *path);
/* Writes the file, which appears when it is complete. 0, -errno with the error set. */
int diff_report_write(const char *path, reply_t *reply, const struct diff_view *view,
		      struct error *e);

/* "key: value" of everything that a reader needs to judge it later. */
struct report_facts {
	const char *name;
	struct strbuf text;
};
enum { REPORT_FACTS = 11 };
/* Fills the array; the number of facts. Release each text. */
size_t diff_report_facts(reply_t *reply, const struct diff_view *view,
			 struct report_facts ret[static REPORT_FACTS]);

void diff_report_junit(struct strbuf *out, reply_t *reply, const struct diff_view *view);
void diff_report_markdown(struct strbuf *out, reply_t *reply, const struct diff_view *view);

#endif
