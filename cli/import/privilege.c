/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "privilege.h"

#include <grp.h>
#include <sys/prctl.h>

enum { NOBODY = 65534 };

int import_drop_privilege(struct error *error)
{
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (geteuid() != 0)
		return 0;
	if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
	    setresuid(NOBODY, NOBODY, NOBODY) < 0) {
		/* As the kernel says it of ids that are not mapped, and where setgroups is denied.
		 */
		if (errno == EINVAL || errno == EPERM)
			return 0;
		return error_set(error, errno, "Internal", "cannot give up privileges: %s",
				 strerror(errno));
	}
	return 0;
}
