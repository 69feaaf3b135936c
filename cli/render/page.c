/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "page.h"

/* Only '<' can end the element, and in JSON it stands in strings only. */
void page_append_json(struct strbuf *out, const struct strbuf *json)
{
	size_t from = 0;

	for (size_t i = 0; i < json->len; i++) {
		if (json->data[i] != '<')
			continue;
		strbuf_append(out, json->data + from, i - from);
		strbuf_puts(out, "\\u003c");
		from = i + 1;
	}
	strbuf_append(out, json->data + from, json->len - from);
}
