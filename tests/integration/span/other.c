/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A part of the program that was built with another version of the header: a copy of its own. */
#define SONDE_REVISION 1
#include <sonde/span.h>

#ifdef __cplusplus
extern "C"
#endif
	unsigned long
	other_revision(void);

unsigned long other_revision(void)
{
	SONDE_SHARED(interest) = SONDE_INTEREST_BATCH;
	{
		SONDE_SPAN("other");
	}
	{
		SONDE_SPAN("other");
	}
	return SONDE_SHARED(thread)->block.batch.n_records - 1;
}
