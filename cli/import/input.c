/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "input.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <zlib.h>

#include "sonde/base/format.h"

enum {
	RAW = 128 * 1024,
	PLAIN = 512 * 1024,
	/* Text of traces shrinks 10 to 200 times, and deflate cannot do better than 1,032. */
	BOMB_RATIO = 600,
};
static const uint64_t BOMB_BYTES = 64 << 20;

struct import_input {
	char *name;
	int fd;
	const uint8_t *memory; /* instead of fd */
	size_t memory_len, memory_at;
	bool gzip, known; /* known: it has been looked at */
	bool ended;	  /* of the compressed member, with nothing behind it yet */
	z_stream zip;
	uint8_t *raw;
	char *plain;
	size_t raw_at, raw_len; /* of raw: not used yet */
	bool raw_end;
	uint64_t raw_read, plain_read;
	char head[IMPORT_HEAD];
	size_t head_len, head_at; /* what import_input_head() has read is given out again */
	bool has_head;
};

static struct import_input *input_new(const char *name)
{
	struct import_input *in = calloc(1, sizeof(*in));

	if (!in)
		return NULL;
	in->fd = -EBADF;
	in->name = strdup(name);
	in->raw = malloc(RAW);
	in->plain = malloc(PLAIN);
	return in->name && in->raw && in->plain ? in : import_input_free(in);
}

int import_input_open(const char *path, struct import_input **ret, struct error *error)
{
	_cleanup_(import_input_freep) struct import_input *in =
		input_new(streq(path, "-") ? "standard input" : path);
	struct stat st;
	int r;

	if (!in)
		return -ENOMEM;
	in->fd = streq(path, "-") ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
	if (in->fd < 0) {
		r = error_set(error, errno, "NoSuchFile", "cannot open %s: %s", path,
			      strerror(errno));
		error_fix(error, "name a file that another tool has written, or - for standard "
				 "input");
		return r;
	}
	if (fstat(in->fd, &st) == 0 && S_ISDIR(st.st_mode))
		return error_set(error, EISDIR, "NoSuchFile", "%s is a directory", path);
	*ret = TAKE_PTR(in);
	return 0;
}

struct import_input *import_input_of(const char *name, const void *data, size_t len)
{
	struct import_input *in = input_new(name);

	if (in) {
		in->memory = data;
		in->memory_len = len;
	}
	return in;
}

struct import_input *import_input_free(struct import_input *in)
{
	if (!in)
		return NULL;
	if (in->gzip)
		inflateEnd(&in->zip);
	safe_close(in->fd);
	free(in->name);
	free(in->raw);
	free(in->plain);
	free(in);
	return NULL;
}

uint64_t import_input_time(const struct import_input *in)
{
	struct stat st;

	if (in->fd < 0 || fstat(in->fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_mtim.tv_sec < 1)
		return now_epoch_us();
	return (uint64_t)st.st_mtim.tv_sec * 1000000 + (uint64_t)st.st_mtim.tv_nsec / 1000;
}

const char *import_input_name(const struct import_input *in)
{
	return in->name;
}

/* More raw bytes behind those that are there. */
static int fill(struct import_input *in, struct error *error)
{
	ssize_t n;

	memmove(in->raw, in->raw + in->raw_at, in->raw_len);
	in->raw_at = 0;
	if (in->fd >= 0) {
		do
			n = read(in->fd, in->raw + in->raw_len, RAW - in->raw_len);
		while (n < 0 && errno == EINTR);
		if (n < 0)
			return error_set(error, errno, "BadFile", "cannot read %s: %s", in->name,
					 strerror(errno));
	} else {
		n = (ssize_t)MIN(in->memory_len - in->memory_at, RAW - in->raw_len);
		if (n > 0)
			memcpy(in->raw + in->raw_len, in->memory + in->memory_at, (size_t)n);
		in->memory_at += (size_t)n;
	}
	in->raw_end = n == 0;
	in->raw_len += (size_t)n;
	in->raw_read += (size_t)n;
	return 0;
}

static int look(struct import_input *in, struct error *error)
{
	int r = 0;

	while (in->raw_len < 2 && !in->raw_end && r >= 0)
		r = fill(in, error);
	if (r < 0)
		return r;
	in->known = true;
	if (in->raw_len < 2 || in->raw[0] != 0x1f || in->raw[1] != 0x8b)
		return 0;
	if (inflateInit2(&in->zip, 15 + 16) != Z_OK)
		return -ENOMEM;
	in->gzip = true;
	return 0;
}

static int damaged(const struct import_input *in, const char *why, struct error *error)
{
	return error_set(error, EBADMSG, "BadFile", "%s: %s (at byte %llu of the compressed file)",
			 in->name, why, (unsigned long long)(in->raw_read - in->raw_len));
}

/* Behind a member another one may follow, or zeros that pad the file. */
static int next_member(struct import_input *in, struct error *error)
{
	while (in->raw_len && !in->raw[in->raw_at]) {
		in->raw_at++;
		in->raw_len--;
	}
	if (!in->raw_len)
		return 0;
	if (in->raw[in->raw_at] != 0x1f)
		return damaged(in, "there is something else behind the compressed data", error);
	in->ended = false;
	return inflateReset(&in->zip) == Z_OK ? 0 : -EIO;
}

static int inflate_some(struct import_input *in, size_t *ret_len, struct error *error)
{
	int code;

	in->zip.next_in = in->raw + in->raw_at;
	in->zip.avail_in = (unsigned int)in->raw_len;
	in->zip.next_out = (uint8_t *)in->plain;
	in->zip.avail_out = PLAIN;
	code = inflate(&in->zip, Z_NO_FLUSH);
	in->raw_at += in->raw_len - in->zip.avail_in;
	in->raw_len = in->zip.avail_in;
	*ret_len = PLAIN - in->zip.avail_out;
	if (code == Z_MEM_ERROR)
		return -ENOMEM;
	if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)
		return damaged(in, in->zip.msg ? in->zip.msg : "the compressed data are damaged",
			       error);
	in->ended = code == Z_STREAM_END;
	in->plain_read += *ret_len;
	if (in->plain_read > BOMB_BYTES &&
	    in->plain_read / BOMB_RATIO > in->raw_read - in->raw_len) {
		int r = damaged(in, "it grows more than 600 times when it is unpacked", error);

		error_fix(error, "if that is meant, unpack it yourself and import the result");
		return r;
	}
	return 0;
}

static int read_gzip(struct import_input *in, size_t *ret_len, struct error *error)
{
	*ret_len = 0;
	while (!*ret_len) {
		int r = 0;

		if (!in->raw_len && !in->raw_end)
			r = fill(in, error);
		if (r >= 0 && in->ended && in->raw_len)
			r = next_member(in, error);
		if (r < 0)
			return r;
		if (!in->raw_len) {
			if (!in->raw_end)
				continue;
			return in->ended ? 0
					 : damaged(in,
						   "the file is truncated: it ends in the "
						   "middle of the compressed data",
						   error);
		}
		r = inflate_some(in, ret_len, error);
		if (r < 0)
			return r;
	}
	return 1;
}

static int read_block(struct import_input *in, const char **ret, size_t *ret_len,
		      struct error *error)
{
	int r = in->known ? 0 : look(in, error);

	if (r < 0)
		return r;
	if (in->gzip) {
		*ret = in->plain;
		return read_gzip(in, ret_len, error);
	}
	if (!in->raw_len)
		r = fill(in, error);
	if (r < 0)
		return r;
	*ret = (const char *)in->raw + in->raw_at;
	*ret_len = in->raw_len;
	in->raw_len = in->raw_at = 0;
	return *ret_len > 0;
}

int import_input_head(struct import_input *in, const char **ret, size_t *ret_len,
		      struct error *error)
{
	/* Blocks are longer than a head; only short files, and pipes, have more than one in it. */
	while (!in->has_head && in->head_len < IMPORT_HEAD) {
		const char *data;
		size_t len, take;
		int r = read_block(in, &data, &len, error);

		if (r < 0)
			return r;
		if (r == 0)
			break;
		take = MIN(len, IMPORT_HEAD - in->head_len);
		memcpy(in->head + in->head_len, data, take);
		in->head_len += take;
		if (take == len)
			continue;
		/* The rest stays where it is, to be read next. */
		if (!in->gzip) {
			in->raw_at = (size_t)((const uint8_t *)data - in->raw) + take;
			in->raw_len = len - take;
		} else {
			memmove(in->plain, in->plain + take, len - take);
			in->head_at = len - take;
		}
		break;
	}
	in->has_head = true;
	*ret = in->head;
	*ret_len = in->head_len;
	return 0;
}

int import_input_read(struct import_input *in, const char **ret, size_t *ret_len,
		      struct error *error)
{
	if (in->head_len) {
		*ret = in->head;
		*ret_len = in->head_len;
		in->head_len = 0;
		return 1;
	}
	if (in->head_at) {
		*ret = in->plain;
		*ret_len = in->head_at;
		in->head_at = 0;
		return 1;
	}
	return read_block(in, ret, ret_len, error);
}

int import_input_all(struct import_input *in, size_t max, char **ret, size_t *ret_len,
		     struct error *error)
{
	_cleanup_(freep) char *all = NULL;
	size_t len = 0, cap = 0, n = 0;
	const char *data;
	int r;

	if (array_reserve(&all, &cap, 1, 1) < 0)
		return -ENOMEM;
	while ((r = import_input_read(in, &data, &n, error)) > 0) {
		if (n > max - len)
			return error_set(error, EFBIG, "BadFile", "%s has more than %zu MiB",
					 in->name, max >> 20);
		if (array_reserve(&all, &cap, len + n + 1, 1) < 0)
			return -ENOMEM;
		memcpy(all + len, data, n);
		len += n;
	}
	if (r < 0)
		return r;
	*ret = TAKE_PTR(all);
	*ret_len = len;
	return 0;
}
