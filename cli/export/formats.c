/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "formats.h"

const struct export_format *const export_formats[] = {
	&export_chrome,	    &export_pprof, &export_folded,     &export_perf_script,
	&export_speedscope, &export_json,  &export_csv,	       &export_markdown,
	&export_prometheus, &export_otlp,  &export_otlp_proto, &export_dftracer,
};

const size_t export_formats_count = ARRAY_SIZE(export_formats);

const struct export_format *export_format_find(const char *name)
{
	for (size_t i = 0; i < export_formats_count; i++)
		if (streq(export_formats[i]->name, name))
			return export_formats[i];
	return NULL;
}

int export_nothing(struct export *x)
{
	(void)x;
	return 0;
}

void export_free_state(struct export *x)
{
	free(x->state);
}

const char *export_host(struct export *x, const char *of_process)
{
	const char *of_session = reply_str(x->session, "host");

	if (of_process)
		return of_process;
	if (*of_session || x->options->inputs.n)
		return of_session;
	if (!*x->here)
		host_name(x->here);
	return x->here;
}

static bool ends_with(const char *path, size_t path_len, const char *end, size_t len)
{
	/* A name that is nothing but an extension has none. */
	return path_len > len && strncasecmp(path + path_len - len, end, len) == 0;
}

bool export_is_gzip(const char *path)
{
	return path && ends_with(path, strlen(path), ".gz", 3);
}

const struct export_format *export_format_of(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	size_t len = strlen(name), best = 0;
	const struct export_format *found = NULL;

	if (export_is_gzip(name))
		len -= 3;
	for (size_t i = 0; i < export_formats_count; i++) {
		for (const char *e = export_formats[i]->extensions; *e; e += *e == '|') {
			size_t n = strcspn(e, "|");

			if (n > best && ends_with(name, len, e, n)) {
				best = n;
				found = export_formats[i];
			}
			e += n;
		}
	}
	return found;
}
