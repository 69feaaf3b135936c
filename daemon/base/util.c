/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sonde/base/util.h"

#include <fcntl.h>

int array_reserve(void *items, size_t *cap, size_t need, size_t size)
{
	void **array = items;
	size_t grown = *cap ? *cap : 8;
	size_t bytes;
	void *p;

	if (need <= *cap)
		return 0;
	while (grown < need) {
		if (grown > SIZE_MAX / 2)
			return -ENOMEM;
		grown *= 2;
	}
	if (__builtin_mul_overflow(grown, size, &bytes))
		return -ENOMEM;
	p = realloc(*array, bytes);
	if (!p)
		return -ENOMEM;
	memset((char *)p + *cap * size, 0, (grown - *cap) * size);
	*array = p;
	*cap = grown;
	return 0;
}

/* Files of /proc have no size to ask for: it reads until the end, doubling as it goes. */
static int read_fd(int fd, size_t max, char **ret_text, size_t *ret_size)
{
	_cleanup_(freep) char *text = NULL;
	size_t cap = 0, len = 0;

	for (;;) {
		ssize_t n;
		int r = array_reserve(&text, &cap, MAX(len + 2, (size_t)4096), 1);

		if (r < 0)
			return r;
		n = read(fd, text + len, cap - len - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += n;
		if (len > max)
			return -EFBIG;
	}
	text[len] = '\0';
	*ret_text = TAKE_PTR(text);
	if (ret_size)
		*ret_size = len;
	return 0;
}

int read_file(const char *path, size_t max, char **ret_text, size_t *ret_size)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return -errno;
	return read_fd(fd, max, ret_text, ret_size);
}

int write_fully(int fd, const void *data, size_t size)
{
	const char *p = data;

	while (size > 0) {
		ssize_t n = write(fd, p, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO;
		p += n;
		size -= (size_t)n;
	}
	return 0;
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 16;
}

int parse_u64(const char *s, uint64_t *ret)
{
	unsigned int base = 10;
	uint64_t value = 0;
	bool overflow = false;

	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
		base = 16;
		s += 2;
	}
	if (!*s)
		return -EINVAL;
	for (; *s; s++) {
		unsigned int digit = digit_value(*s);

		if (digit >= base)
			return -EINVAL;
		overflow |= __builtin_mul_overflow(value, base, &value);
		overflow |= __builtin_add_overflow(value, digit, &value);
	}
	if (overflow)
		return -ERANGE;
	*ret = value;
	return 0;
}
