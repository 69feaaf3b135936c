/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/suspect.h"

const uint8_t suspect_classes[SUSPECT_CLASSES] = {0xf0, 0xc4, 0xc5, 0x62};

/* Operand size, address size, repeat and segment prefixes may stand before a lock prefix. */
static bool is_prefix(uint8_t byte)
{
	switch (byte) {
	case 0x66:
	case 0x67:
	case 0xf2:
	case 0xf3:
	case 0x26:
	case 0x2e:
	case 0x36:
	case 0x3e:
	case 0x64:
	case 0x65:
		return true;
	default:
		return false;
	}
}

uint8_t suspect_class(int fd, uint64_t offset)
{
#if defined(__x86_64__)
	uint8_t code[8];
	ssize_t n = pread(fd, code, sizeof(code), offset);
	ssize_t i = 0;

	while (i < n && is_prefix(code[i]))
		i++;
	for (size_t k = 0; i < n && k < ARRAY_SIZE(suspect_classes); k++)
		if (code[i] == suspect_classes[k])
			return code[i];
#else
	(void)fd;
	(void)offset;
	(void)is_prefix;
#endif
	return 0;
}
