/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Batches of an import: whatever a client sends, a line a batch, the model and the windows stay
 * what can be written, or the batch is refused with a reason.
 */
#include "control/import_private.h"
#include "varlink/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int take(struct import *i, char *line)
{
	_cleanup_(message_free_jsonp) struct cJSON *params = NULL;
	struct error e = {};
	bool due = false;
	int r = message_parse(line, strlen(line), &params, &e);

	if (r < 0)
		return r;
	e = (struct error){};
	r = import_take(i, params, &due, &e);
	if (r < 0 && r != -ENOMEM && !e.name[0])
		abort();
	if (r >= 0 && due != (i->n_batches > 0))
		abort();
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(import_freep) struct import *i = calloc(1, sizeof(*i));
	_cleanup_(freep) char *text = strndup((const char *)data, size);
	char *rest = text;

	if (!i || !text || model_new(&i->model) < 0)
		return 0;
	i->spec = model_string(i->model, "fuzz");
	for (char *line; (line = strsep(&rest, "\n"));)
		if (take(i, line) < 0)
			return 0;
	/* -EINVAL: the window names what the model does not have. */
	if (import_roll(i) == -EINVAL)
		abort();
	return 0;
}
