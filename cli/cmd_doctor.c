/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "query.h"
#include "render/text.h"
#include "varlink/message.h"

static void check_text(struct output *o, reply_t *check, size_t name_width)
{
	struct strbuf *out = output_data(o);
	bool ok = reply_bool(check, "ok"), required = reply_bool(check, "required");
	const char *name = reply_str(check, "name"), *fix = reply_str(check, "fix");
	enum style style = ok ? STYLE_GOOD : required ? STYLE_BAD : STYLE_WARM;
	size_t width = text_width(name);

	strbuf_printf(out, "%s%-8s%s ", output_style(o, style),
		      ok	 ? "ok"
		      : required ? "MISSING"
				 : "missing",
		      output_style_end(o, style));
	text_append_safe(out, name);
	text_spaces(out, (width < name_width ? name_width - width : 0) + 2);
	text_append_safe(out, reply_str(check, "detail"));
	strbuf_putc(out, '\n');
	if (!ok && *fix) {
		text_spaces(out, 9 + name_width + 2);
		strbuf_puts(out, "fix: ");
		text_append_safe(out, fix);
		strbuf_putc(out, '\n');
	}
}

static bool required_missing(reply_t *reply)
{
	reply_foreach(check, reply, "checks") if (!reply_bool(check, "ok") &&
						  reply_bool(check, "required")) return true;
	return false;
}

static void doctor_text(struct output *o, reply_t *reply, const void *arg)
{
	size_t width = 0;
	bool missing = required_missing(reply);

	(void)arg;
	reply_foreach(check, reply, "checks")
	{
		size_t w = text_width(reply_str(check, "name"));

		width = MAX(width, MIN(w, (size_t)40));
	}
	reply_foreach(check, reply, "checks") check_text(o, check, width);
	strbuf_printf(output_data(o), "\n%s\n",
		      missing ? "sonde cannot work here: what is MISSING is required"
			      : "everything that is required is there");
}

int cmd_doctor(struct cli *cli)
{
	static const struct view view = {.text = doctor_text};
	_cleanup_(message_free_jsonp) struct cJSON *reply = NULL;
	int r = query_call(cli, "Doctor", NULL, &reply);

	if (r < 0)
		return r;
	output_answer(cli->output, reply, &view, NULL);
	return required_missing(reply) ? EXIT_UNSUPPORTED : EXIT_OK;
}
