/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Configuration. */
#include <criterion/criterion.h>
#include <sys/stat.h>

#include "control/config.h"

static int load(const char *text, struct config **ret, struct error *e)
{
	char path[] = "/tmp/sonde-conf-XXXXXX";
	int fd = mkstemp(path), r;

	*e = (struct error){};
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	r = config_load(path, ret, e);
	unlink(path);
	return r;
}

Test(config, defaults)
{
	_cleanup_(config_freep) struct config *c = NULL;
	struct error e;

	cr_assert_eq(load("", &c, &e), 0);
	cr_assert_str_eq(c->socket, "/run/sonde/sonde.sock");
	cr_assert_eq(c->ring_size, 16 << 20);
	cr_assert_eq(c->symbol_cache, 24 << 20);
	cr_assert_str_eq(c->cache, "/var/cache/sonde");
	cr_assert_eq(c->cache_size, 256 << 20);
	cr_assert_eq(c->raw_memory, 16 << 20);
	cr_assert_str_eq(c->log_level, "info");
	cr_assert_str_eq(c->log_format, "plain");
}

Test(config, values)
{
	_cleanup_(config_freep) struct config *c = NULL;
	struct error e;

	cr_assert_eq(load("# one\n[daemon]\nsocket = /tmp/a b.sock ; two\nring_size=20MB\n"
			  "raw_memory = 1GiB\n\n[log]\nlevel = debug\nformat=json\n",
			  &c, &e),
		     0, "%s", e.message);
	cr_assert_str_eq(c->socket, "/tmp/a b.sock");
	cr_assert_eq(c->ring_size, 32 << 20);
	cr_assert_eq(c->raw_memory, 1 << 30);
	cr_assert_str_eq(c->log_level, "debug");
	cr_assert_str_eq(c->log_format, "json");
}

Test(config, errors)
{
	static const struct {
		const char *text, *message, *fix;
	} cases[] = {
		{"[daemon]\nsock = /a\n", ":2: [daemon] has no key \"sock\"",
		 "its keys are: socket, ring_size, symbol_cache, cache, cache_size, unwind_memory, "
		 "raw_memory"},
		{"[deamon]\nsocket = /a\n", ":2: there is no section [deamon]",
		 "the sections are: daemon, history, retention, log"},
		{"socket = /a\n", ":1: \"socket\" stands before any section", "daemon, history"},
		{"\n[daemon]\n\nring_size = 2GiB\n", ":4: \"2GiB\" is no value for ring_size",
		 "write a size from 1.0 MiB to 1.0 GiB, such as 16MiB"},
		{"[daemon]\nring_size = 4096\n", ":2: \"4096\" is no value", "1.0 MiB"},
		{"[daemon]\nring_size =\n", ":2: \"\" is no value", "1.0 MiB"},
		{"[daemon]\nsocket = a\n", ":2: \"a\" is no value for socket",
		 "write an absolute path"},
		{"[log]\nlevel = loud\n", ":2: \"loud\" is no value for level",
		 "write one of trace, debug, info, warn, error, critical"},
		{"[log]\nlevel = info\nlevel = warn\n", ":3: a second value for level", "remove"},
		{"[daemon]\nsocket = /a\n  ring_size = 2MiB\n", ":3: a second value for socket",
		 "indented"},
		{"[daemon]\nnonsense\n", ":2: neither [section] nor key = value", "#"},
		{"[daemon\nsocket = /a\n", ":1: neither [section]", "#"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct config *c = NULL;
		struct error e;

		cr_assert_eq(load(cases[i].text, &c, &e), -EINVAL, "%s", cases[i].text);
		cr_assert_null(c);
		cr_assert_str_eq(e.name, "BadFile");
		cr_assert(startswith(e.message, "/tmp/sonde-conf-"));
		cr_assert(strstr(e.message, cases[i].message), "%s", e.message);
		cr_assert(strstr(e.fix, cases[i].fix), "%s", e.fix);
	}
}

Test(config, long_lines)
{
	_cleanup_(strbuf_release) struct strbuf text = {};
	struct config *c = NULL;
	struct error e;

	strbuf_puts(&text, "[daemon]\nsocket = /");
	for (int i = 0; i < 1000; i++)
		strbuf_puts(&text, "abc");
	cr_assert_eq(load(text.data, &c, &e), -EINVAL);
	cr_assert(strstr(e.message, ":2: a line of more than"), "%s", e.message);
}

Test(config, missing_files)
{
	struct config *c = NULL;
	struct error e = {};

	cr_assert_eq(config_load("/nonexistent/sonde.conf", &c, &e), -ENOENT);
	cr_assert_str_eq(e.name, "NoSuchFile");
	e = (struct error){};
	cr_assert_lt(config_load("/tmp", &c, &e), 0);
	cr_assert_str_eq(e.name, "NoSuchFile");
	if (access(CONFIG_PATH, F_OK) == 0)
		cr_skip_test("this machine has a " CONFIG_PATH);
	e = (struct error){};
	cr_assert_eq(config_load(NULL, &c, &e), 0, "%s", e.message);
	c = config_free(c);
}

/* What is described can be read: once as it stands, once with every key in force. */
Test(config, description)
{
	_cleanup_(strbuf_release) struct strbuf text = {}, active = {};
	struct config *a = NULL, *b = NULL;
	struct error e;

	config_describe(&text);
	cr_assert_eq(load(text.data, &a, &e), 0, "%s", e.message);
	for (const char *p = text.data; *p; p++)
		if (!(p[0] == '#' && p[1] != ' ' && (p == text.data || p[-1] == '\n')))
			strbuf_putc(&active, *p);
	cr_assert(strstr(active.data, "\nring_size = 16MiB\n"), "%s", active.data);
	cr_assert_eq(load(active.data, &b, &e), 0, "%s", e.message);
	cr_assert_eq(a->ring_size, b->ring_size);
	cr_assert_eq(a->raw_memory, b->raw_memory);
	cr_assert_str_eq(a->socket, b->socket);
	config_free(a);
	config_free(b);
}
