/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sonde/base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <systemd/sd-journal.h>

#include "sonde/base/format.h"
#include "sonde/base/json.h"

enum log_target { TARGET_PLAIN, TARGET_JSON, TARGET_JOURNAL };

static const struct {
	const char *name;
	int priority;
} levels[] = {
	[LOG_TRACE_] = {"trace", LOG_DEBUG}, [LOG_DEBUG_] = {"debug", LOG_DEBUG},
	[LOG_INFO_] = {"info", LOG_INFO},    [LOG_WARN_] = {"warn", LOG_WARNING},
	[LOG_ERROR_] = {"error", LOG_ERR},   [LOG_CRITICAL_] = {"critical", LOG_CRIT},
};

/* Set once by log_init() before there are threads; the lock keeps lines whole after that. */
static struct {
	atomic_int level;
	enum log_target target;
	char program[32];
	pthread_mutex_t lock;
} logger = {.level = LOG_INFO_, .program = "sonde", .lock = PTHREAD_MUTEX_INITIALIZER};

/* systemd names the device and inode it connected; another stderr may have been put there since. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;

	if (!stream || sscanf(stream, "%llu:%llu", &device, &inode) != 2)
		return false;
	return fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

static int parse_level(const char *s)
{
	for (size_t i = 0; i < ARRAY_SIZE(levels); i++)
		if (streq(levels[i].name, s))
			return i;
	return -EINVAL;
}

int log_init(const char *program, const char **ret_bad)
{
	const char *level = getenv("SONDE_LOG_LEVEL"), *format = getenv("SONDE_LOG_FORMAT");
	enum log_target target = TARGET_PLAIN;
	int parsed = LOG_INFO_;

	if (level && *level)
		parsed = parse_level(level);
	if (parsed < 0) {
		*ret_bad = "SONDE_LOG_LEVEL";
		return parsed;
	}
	if (format && streq(format, "json")) {
		target = TARGET_JSON;
	} else if (format && *format && !streq(format, "plain")) {
		*ret_bad = "SONDE_LOG_FORMAT";
		return -EINVAL;
	} else if (stderr_is_journal()) {
		target = TARGET_JOURNAL;
	}
	snprintf(logger.program, sizeof(logger.program), "%s", program);
	logger.target = target;
	atomic_store(&logger.level, parsed);
	return 0;
}

bool log_enabled(enum log_level level)
{
	return (int)level >= atomic_load_explicit(&logger.level, memory_order_relaxed);
}

/* Names from other programs may hold newlines and terminal escapes: they are shown as \n, \x1b. */
static void append_escaped(struct strbuf *line, const char *s)
{
	for (; *s; s++) {
		unsigned char c = *s;

		if (c == '\n')
			strbuf_puts(line, "\\n");
		else if (c < 0x20 || c == 0x7f)
			strbuf_printf(line, "\\x%02x", c);
		else
			strbuf_putc(line, c);
	}
}

static void append_time(struct strbuf *line, uint64_t epoch_us)
{
	time_t seconds = epoch_us / 1000000;
	char text[48] = "";
	struct tm tm;

	if (gmtime_r(&seconds, &tm))
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	strbuf_printf(line, "%s.%06uZ", text, (unsigned int)(epoch_us % 1000000));
}

static void make_plain(struct strbuf *line, enum log_level level, const char *message)
{
	append_time(line, now_epoch_us());
	strbuf_printf(line, " %s: %s: ", logger.program, levels[level].name);
	append_escaped(line, message);
	strbuf_putc(line, '\n');
}

static void make_json(struct strbuf *line, enum log_level level, const char *message)
{
	_cleanup_(strbuf_release) struct strbuf stamp = {};
	struct json_writer w;

	append_time(&stamp, now_epoch_us());
	json_begin(&w, line);
	json_object_begin(&w, NULL);
	json_string(&w, "time", stamp.data ? stamp.data : "");
	json_string(&w, "level", levels[level].name);
	json_string(&w, "program", logger.program);
	json_string(&w, "message", message);
	json_object_end(&w);
	strbuf_putc(line, '\n');
}

/* A log that cannot be written has nowhere to say so: the rest of the line is given up. */
static void write_all(const char *data, size_t len)
{
	while (len) {
		ssize_t n = write(STDERR_FILENO, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		data += n;
		len -= n;
	}
}

void log_write(enum log_level level, const char *fmt, ...)
{
	_cleanup_(strbuf_release) struct strbuf message = {}, line = {};
	int saved_errno = errno;
	va_list ap;

	if (!log_enabled(level))
		return;
	va_start(ap, fmt);
	strbuf_vprintf(&message, fmt, ap);
	va_end(ap);
	if (strbuf_error(&message) < 0)
		return;
	if (logger.target == TARGET_JOURNAL)
		append_escaped(&line, message.data);
	else if (logger.target == TARGET_JSON)
		make_json(&line, level, message.data);
	else
		make_plain(&line, level, message.data);
	if (strbuf_error(&line) < 0)
		return;

	pthread_mutex_lock(&logger.lock);
	if (logger.target == TARGET_JOURNAL)
		sd_journal_send("MESSAGE=%s", line.data ? line.data : "", "PRIORITY=%i",
				levels[level].priority, "SYSLOG_IDENTIFIER=%s", logger.program,
				NULL);
	else
		write_all(line.data, line.len);
	pthread_mutex_unlock(&logger.lock);
	errno = saved_errno;
}
