/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "temp_file.h"

#include <fcntl.h>

#include "sonde/base/util.h"

static int open_in(const char *dir)
{
	_cleanup_(freep) char *path = NULL;
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0)
		return fd;
	/* Not every file system has files without a name. */
	if (asprintf(&path, "%s/sonde-XXXXXX", dir) < 0)
		return -ENOMEM;
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	unlink(path);
	return fd;
}

int temp_file_open(void)
{
	/* /tmp is the last choice: it may be in memory. */
	const char *const dirs[] = {getenv("TMPDIR"), "/var/tmp", "/tmp"};
	int fd = -ENOENT;

	for (size_t i = 0; i < ARRAY_SIZE(dirs) && fd < 0; i++)
		if (dirs[i] && *dirs[i])
			fd = open_in(dirs[i]);
	return fd;
}
