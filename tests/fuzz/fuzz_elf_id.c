/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A file that a debuginfod server has sent: its build-id, and that of what it needs. */
#include <stdint.h>
#include <sys/mman.h>

#include "../../cli/fetch/elf_id.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_id(const char *id)
{
	size_t len = strlen(id);

	if (len >= ELF_ID_HEX || len % 2 || strspn(id, "0123456789abcdef") != len)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(closep) int fd = memfd_create("fuzz", MFD_CLOEXEC);
	char id[ELF_ID_HEX], supplement[ELF_ID_HEX];

	if (fd < 0 || write_fully(fd, data, size) < 0 || elf_id_read(fd, id, supplement) < 0)
		return 0;
	check_id(id);
	check_id(supplement);
	if (!id[0])
		abort();
	return 0;
}
