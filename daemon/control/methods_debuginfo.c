/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a client has fetched by build-id is to be used from now on. */
#include "control/methods.h"

#include "sonde/base/hex.h"
#include "varlink/params.h"

enum { MAX_BUILD_IDS = 65536 };

struct forgetting {
	struct daemon *daemon;
	struct call *call;
	uint8_t (*build_ids)[BUILD_ID_SIZE];
	size_t n;
};

static struct forgetting *forgetting_free(struct forgetting *f)
{
	if (!f)
		return NULL;
	free(f->build_ids);
	free(f);
	return NULL;
}
DEFINE_CLEANUP(struct forgetting *, forgetting_free)

static int read_build_ids(struct call *call, struct forgetting *f, struct error *error)
{
	_cleanup_(freep) const char **texts = NULL;
	size_t n = 0;
	int r;

	r = param_strings(call_params(call), "build_ids", PARAM_REQUIRED, &texts, &n, error);
	if (r < 0)
		return r;
	if (n > MAX_BUILD_IDS)
		return error_set(error, E2BIG, "BadArgument", "build_ids: more than %d",
				 MAX_BUILD_IDS);
	f->build_ids = calloc(n + 1, sizeof(*f->build_ids));
	if (!f->build_ids)
		return -ENOMEM;
	for (; f->n < n; f->n++)
		if (hex_decode(texts[f->n], f->build_ids[f->n], BUILD_ID_SIZE) < 0)
			return error_set(error, EINVAL, "BadArgument",
					 "build_ids: \"%.100s\" is no build-id", texts[f->n]);
	return 0;
}

/* On the thread that answers questions: in order with them, and it alone uses the lines. */
static void forget_run(void *arg)
{
	struct forgetting *f = arg;

	for (size_t i = 0; i < f->n; i++)
		symbolizer_reread(f->daemon->symbolizer, f->build_ids[i]);
	if (f->n > 0)
		frame_lines_forget(f->daemon->lines);
}

static void forget_done(void *arg, bool cancelled)
{
	struct forgetting *f = arg;
	_cleanup_(strbuf_release) struct strbuf out = {0};

	(void)cancelled;
	strbuf_puts(&out, "{}");
	methods_reply(f->call, &out);
	forgetting_free(f);
}

void method_forget_symbols(struct daemon *d, struct call *call)
{
	_cleanup_(forgetting_freep) struct forgetting *f = calloc(1, sizeof(*f));
	struct error error = {0};
	int r = f ? read_build_ids(call, f, &error) : -ENOMEM;

	if (r >= 0) {
		f->daemon = d;
		f->call = call;
		r = worker_submit(d->asker, forget_run, forget_done, f);
	}
	if (r >= 0) {
		TAKE_PTR(f);
		return;
	}
	error_set(&error, -r, "Internal", "%s", strerror(-r));
	methods_fail(call, &error);
}
