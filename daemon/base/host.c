/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sonde/base/host.h"

#include <sys/utsname.h>

#include "sonde/base/util.h"

void host_name(char ret[static HOST_NAME_MAX_LEN + 1])
{
	struct utsname u = {};

	(void)uname(&u);
	snprintf(ret, HOST_NAME_MAX_LEN + 1, "%s", u.nodename);
}

void host_boot(char ret[static HOST_BOOT_LEN + 1])
{
	_cleanup_(freep) char *text = NULL;

	ret[0] = '\0';
	if (read_file("/proc/sys/kernel/random/boot_id", 4096, &text, NULL) < 0)
		return;
	snprintf(ret, HOST_BOOT_LEN + 1, "%.*s", (int)strcspn(text, "\n"), text);
}
