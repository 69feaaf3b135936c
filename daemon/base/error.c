/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sonde/base/error.h"

#include <stdarg.h>

#include "sonde/base/strbuf.h"

/* A message is one line wherever it is shown, whatever the names in it contain. */
static void flatten(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = ' ';
}

int(error_set)(struct error *e, int code, const char *name, const char *fmt, ...)
{
	va_list ap;

	if (e && !e->name[0]) {
		snprintf(e->name, sizeof(e->name), "%s", name);
		va_start(ap, fmt);
		vsnprintf(e->message, sizeof(e->message), fmt, ap);
		va_end(ap);
		flatten(e->message);
	}
	return -code;
}

void error_fix(struct error *e, const char *fmt, ...)
{
	va_list ap;

	if (!e || e->fix[0])
		return;
	va_start(ap, fmt);
	vsnprintf(e->fix, sizeof(e->fix), fmt, ap);
	va_end(ap);
	flatten(e->fix);
}

uint32_t error_column(const char *text, size_t at)
{
	uint32_t column = 1;

	for (size_t i = 0; i < at && text[i]; i++)
		if (((unsigned char)text[i + 1] & 0xc0) != 0x80)
			column++;
	return column;
}

int error_complain(struct error *e, const char *text, size_t at, const char *fmt, ...)
{
	_cleanup_(strbuf_release) struct strbuf b = {};
	va_list ap;

	va_start(ap, fmt);
	strbuf_vprintf(&b, fmt, ap);
	va_end(ap);
	if (strbuf_error(&b) < 0)
		return -ENOMEM;
	return error_set(e, EINVAL, "BadCondition", "column %u: %s", error_column(text, at),
			 b.data);
}

int error_exit_status(const char *name)
{
	static const struct {
		const char *name;
		int status;
	} table[] = {
#define ERROR(name, status, text) {#name, status},
#include "sonde/base/error.def"
#undef ERROR
		/* Said by the client itself: no daemon was there to answer. */
		{"NoDaemon", EXIT_NO_DAEMON},
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (streq(table[i].name, name))
			return table[i].status;
	return EXIT_FAILED;
}
