/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A file for what does not fit into memory: it has no name, and is gone when it is closed. */
#ifndef SONDE_CLI_TEMP_FILE_H
#define SONDE_CLI_TEMP_FILE_H

/* In $TMPDIR, else /var/tmp, else /tmp. The file, or -errno of the last place that was tried. */
int temp_file_open(void);

#endif
