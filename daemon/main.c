/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sonded: arguments, configuration, parts in order, the loop, teardown in reverse. */
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <systemd/sd-daemon.h>
#include "control/always.h"
#include "control/config.h"
#include "control/daemon.h"
#include "control/merged.h"
#include "sonde/base/log.h"
#include "symbol/reader_child.h"

enum { MAX_CONNECTIONS = 8 };

struct arguments {
	const char *socket, *config, *compared, *store;
	const char *replay[MERGED_MAX];
	size_t n_replay;
	bool private, import;
	int connections[MAX_CONNECTIONS];
	size_t n_connections;
};

static const char usage[] =
	"usage: sonded [--socket PATH] [--config FILE] [--store DIR] [--foreground]\n"
	"       sonded --private --connection FD...\n"
	"       sonded --replay FILE... [--connection FD...] [--socket PATH]\n"
	"       sonded --replay FILE --compare FILE [--connection FD...] [--socket PATH]\n"
	"       sonded --import --connection FD...\n"
	"\n"
	"The daemon of sonde: collects, keeps and answers. Stays in the foreground; systemd runs "
	"it\n"
	"as sonded.service.\n"
	"\n"
	"  --socket PATH     listen here (default /run/sonde/sonde.sock)\n"
	"  --config FILE     configuration (default /etc/sonde/sonde.conf)\n"
	"  --store DIR       keep the history there (default /var/lib/sonde)\n"
	"  --foreground      accepted for clarity: sonded never forks into the background\n"
	"  --private         serve the given connections only, and end with the last one\n"
	"  --replay FILE     answer from a recording, or from several as one (may be repeated); "
	"needs\n"
	"                    no privilege\n"
	"  --compare FILE    compare the recording with this one\n"
	"  --import          write a recording of what a client sends; needs no privilege\n"
	"  --connection FD   an open, connected socket (for the sonde command)\n"
	"  --print-config    print a configuration file with every key, its default and its "
	"meaning\n"
	"  --version, --help\n";

static int parse_fd(const char *s, struct arguments *a)
{
	uint64_t fd;

	if (a->n_connections == MAX_CONNECTIONS || parse_u64(s, &fd) < 0 || fd > INT32_MAX)
		return -EINVAL;
	a->connections[a->n_connections++] = (int)fd;
	return 0;
}

/* 1: go on; otherwise *ret_status is the exit status. */
static int parse_arguments(int argc, char **argv, struct arguments *a, bool *ret_print_config,
			   int *ret_status)
{
	static const struct option options[] = {
		{"socket", required_argument, NULL, 's'},
		{"config", required_argument, NULL, 'c'},
		{"foreground", no_argument, NULL, 'f'},
		{"private", no_argument, NULL, 'p'},
		{"replay", required_argument, NULL, 'r'},
		{"import", no_argument, NULL, 'i'},
		{"compare", required_argument, NULL, 'C'},
		{"store", required_argument, NULL, 'S'},
		{"connection", required_argument, NULL, 'n'},
		{"print-config", no_argument, NULL, 'P'},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int c;

	*ret_status = EXIT_OK;
	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (c) {
		case 's':
			a->socket = optarg;
			break;
		case 'c':
			a->config = optarg;
			break;
		case 'f':
			break;
		case 'p':
			a->private = true;
			break;
		case 'i':
			a->import = true;
			break;
		case 'r':
			if (a->n_replay == MERGED_MAX) {
				fprintf(stderr, "sonded: --replay takes at most %d files\n",
					MERGED_MAX);
				*ret_status = EXIT_USAGE;
				return 0;
			}
			a->replay[a->n_replay++] = optarg;
			break;
		case 'C':
			a->compared = optarg;
			break;
		case 'S':
			a->store = optarg;
			break;
		case 'n':
			if (parse_fd(optarg, a) == 0)
				break;
			fprintf(stderr,
				"sonded: --connection takes a descriptor's number, at most %d of "
				"them\n",
				MAX_CONNECTIONS);
			*ret_status = EXIT_USAGE;
			return 0;
		case 'P':
			*ret_print_config = true;
			break;
		case 'V':
			printf("sonded %s\n", SONDE_VERSION);
			return 0;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			*ret_status = EXIT_USAGE;
			return 0;
		}
	}
	if (optind == argc && a->private + a->import + (a->n_replay > 0) <= 1 &&
	    (a->n_connections > 0 || (!a->private && !a->import)) &&
	    (!a->compared || a->n_replay == 1))
		return 1;
	fprintf(stderr, "sonded: %s; see sonded --help\n",
		optind < argc ? "takes no arguments besides options"
		: a->compared
			? "--compare needs one --replay"
			: "--private and --import need --connection, and exclude --replay and "
			  "each other");
	*ret_status = EXIT_USAGE;
	return 0;
}

static void end_loop(void *arg)
{
	(void)sd_event_exit(arg, 0);
}

/* Where calls come from: given connections, sockets of the service manager, or a path of our own.
 */
static int open_doors(struct daemon *d, const struct arguments *a, struct error *error)
{
	int r, n = sd_listen_fds(true);

	for (size_t i = 0; i < a->n_connections; i++) {
		r = server_add_connection(d->server, a->connections[i]);
		if (r < 0)
			return error_set(error, -r, "BadArgument",
					 "--connection %d is not a connected socket: %s",
					 a->connections[i], strerror(-r));
	}
	if (a->n_connections > 0)
		server_on_idle(d->server, end_loop, d->event);
	for (int i = 0; i < n; i++) {
		r = server_listen_fd(d->server, SD_LISTEN_FDS_START + i);
		if (r < 0)
			return error_set(error, -r, "BadArgument",
					 "the service manager's socket cannot be used: %s",
					 strerror(-r));
	}
	if (n > 0 || (a->n_connections > 0 && !a->socket))
		return 0;
	return server_listen(d->server, a->socket ? a->socket : d->config->socket, error);
}

static int run(const struct arguments *a, const struct config *config, struct error *error)
{
	_cleanup_(sd_event_unrefp) sd_event *event = NULL;
	_cleanup_(daemon_freep) struct daemon *d = NULL;
	int r;

	r = sd_event_default(&event);
	if (r < 0)
		return error_set(error, -r, "Internal", "no event loop: %s", strerror(-r));
	(void)sd_event_add_signal(event, NULL, SIGTERM, NULL, NULL);
	(void)sd_event_add_signal(event, NULL, SIGINT, NULL, NULL);
	(void)sd_event_set_watchdog(event, true);
	r = daemon_new(event, config, &d);
	if (r < 0)
		return error_set(error, -r, "Internal", "cannot start: %s", strerror(-r));
	r = server_new(event, daemon_dispatch, d, &d->server);
	if (r < 0)
		return error_set(error, -r, "Internal", "cannot serve: %s", strerror(-r));
	/* The address first: a second daemon must not load a thing. */
	r = open_doors(d, a, error);
	if (r < 0)
		return r;
	r = a->n_replay ? daemon_open_recordings(d, a->replay, a->n_replay, a->compared, error)
	    : a->import ? daemon_take_import(d)
			: daemon_go_live(d, error);
	/* A private daemon answers each call with the reason instead, and Doctor with all of them.
	 */
	if (r < 0 && a->n_connections == 0)
		return r;
	/* What serves one command has no history of its own. */
	if (r >= 0 && !a->n_replay && a->n_connections == 0 && streq(config->history, "yes"))
		(void)always_start(d);
	memset(error, 0, sizeof(*error));
	(void)sd_notify(false, "READY=1");
	r = sd_event_loop(event);
	(void)sd_notify(false, "STOPPING=1");
	return r < 0 ? error_set(error, -r, "Internal", "the event loop failed: %s", strerror(-r))
		     : 0;
}

static int print_configuration(void)
{
	_cleanup_(strbuf_release) struct strbuf out = {0};

	config_describe(&out);
	fputs(out.data ? out.data : "", stdout);
	return strbuf_error(&out) < 0 || fflush(stdout) != 0 ? EXIT_FAILED : EXIT_OK;
}

int main(int argc, char **argv)
{
	_cleanup_(config_freep) struct config *config = NULL;
	struct arguments a = {0};
	struct error error = {0};
	bool print_config = false;
	const char *bad = NULL;
	sigset_t mask;
	int status;

	/* Not for people: how the daemon starts the process that reads users' files. */
	if (reader_child_is_meant(argc, argv))
		_exit(reader_child_run());
	if (parse_arguments(argc, argv, &a, &print_config, &status) == 0)
		return status;
	if (config_load(a.config, &config, &error) < 0) {
		fprintf(stderr, "sonded: %s\n", error.message);
		return EXIT_USAGE;
	}
	if (print_config)
		return print_configuration();
	if (a.store && config_set_store(config, a.store) < 0) {
		fprintf(stderr, "sonded: --store takes an absolute path\n");
		return EXIT_USAGE;
	}
	/* What the command starts for itself speaks up only when something is wrong. */
	(void)setenv("SONDE_LOG_LEVEL", a.n_connections > 0 ? "warn" : config->log_level, false);
	(void)setenv("SONDE_LOG_FORMAT", config->log_format, false);
	if (log_init("sonded", &bad) < 0) {
		fprintf(stderr, "sonded: %s has a value that is not understood: see man sonded\n",
			bad);
		return EXIT_USAGE;
	}
	/*
	 * Raw spans fill and leave blocks of some megabytes many times a second: taken from the
	 * kernel each time, page faults would cost more than all the rest.
	 */
	(void)mallopt(M_MMAP_THRESHOLD, 32 << 20);
	(void)mallopt(M_TRIM_THRESHOLD, 32 << 20);
	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	signal(SIGPIPE, SIG_IGN);
	if (run(&a, config, &error) < 0) {
		log_critical("%s%s%s", error.message, error.fix[0] ? "; " : "", error.fix);
		return error_exit_status(error.name);
	}
	return EXIT_OK;
}
