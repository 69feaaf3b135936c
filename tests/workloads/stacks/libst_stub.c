/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "st.h"
#include "libst.h"

/* Short, so that much of the time goes by in the stub that leads here. */
WL_FUNC void stub_leaf(void)
{
	__asm__ volatile("" ::: "memory");
}
