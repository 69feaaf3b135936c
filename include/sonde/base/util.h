/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Small things every module uses: cleanup attributes made from destructors, ownership
 * transfer, array helpers. Nothing here allocates behind the caller's back.
 */
#ifndef SONDE_BASE_UTIL_H
#define SONDE_BASE_UTIL_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define _cleanup_(f)   __attribute__((__cleanup__(f)))
#define _printf_(a, b) __attribute__((__format__(__printf__, a, b)))
#define _unused_       __attribute__((__unused__))
#define ARRAY_SIZE(a)  (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)      ((a) < (b) ? (a) : (b))
#define MAX(a, b)      ((a) > (b) ? (a) : (b))
#define NSEC_PER_SEC   1000000000ULL
#define NSEC_PER_MSEC  1000000ULL
#define NSEC_PER_USEC  1000ULL

/* Hands on the ownership of a pointer: yields it and leaves NULL behind. */
#define TAKE_PTR(p)                                                                                \
	({                                                                                         \
		__typeof__(p) *_pp = &(p);                                                         \
		__typeof__(p) _p = *_pp;                                                           \
		*_pp = NULL;                                                                       \
		_p;                                                                                \
	})

/* Hands on the ownership of a file descriptor: yields it and leaves -EBADF behind. */
#define TAKE_FD(fd)                                                                                \
	({                                                                                         \
		int *_fdp = &(fd);                                                                 \
		int _fd = *_fdp;                                                                   \
		*_fdp = -EBADF;                                                                    \
		_fd;                                                                               \
	})

/* Makes x_freep() for _cleanup_ from a destructor x_free() that takes NULL. */
#define DEFINE_CLEANUP(type, func)                                                                 \
	static inline void func##p(type *p)                                                        \
	{                                                                                          \
		if (*p)                                                                            \
			*p = func(*p);                                                             \
	}

static inline void freep(void *p)
{
	free(*(void **)p);
}

/* Closes a descriptor unless it is negative, keeps errno, returns -EBADF to store back. */
static inline int safe_close(int fd)
{
	if (fd >= 0) {
		int saved = errno;
		close(fd);
		errno = saved;
	}
	return -EBADF;
}

/* A copy, or NULL of NULL. 0 or -ENOMEM. */
static inline int strdup_to(char **ret, const char *s)
{
	*ret = s ? strdup(s) : NULL;
	return s && !*ret ? -ENOMEM : 0;
}

static inline void closep(int *fd)
{
	safe_close(*fd);
}

static inline void fclosep(FILE **f)
{
	if (*f)
		fclose(*f);
}

static inline bool streq(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

static inline bool startswith(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* The file name of a path: what is behind its last slash, if anything is. */
static inline const char *path_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

/*
 * Grows the array *items of *cap elements of `size` bytes so that it holds at least `need`;
 * new elements are zero. 0, or -ENOMEM with the array as it was.
 */
int array_reserve(void *items, size_t *cap, size_t need, size_t size);

/* The whole file as a NUL-terminated string the caller frees; at most max bytes, else -EFBIG. */
int read_file(const char *path, size_t max, char **ret_text, size_t *ret_size);

/* Writes all of it at the descriptor's position, also where write() takes it in pieces. */
int write_fully(int fd, const void *data, size_t size);

/* A strict unsigned number, decimal or 0x-hexadecimal, nothing behind it. 0, -EINVAL, -ERANGE. */
int parse_u64(const char *s, uint64_t *ret);

#endif
