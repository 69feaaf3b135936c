/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Samples and waits as they travel from the daemon to exporters, as spans do (span_columns.h).
 * io.sonde.varlink says the same to other clients: SampleColumns.
 */
#ifndef SONDE_SAMPLE_COLUMNS_H
#define SONDE_SAMPLE_COLUMNS_H

enum sample_column {
#define COLUMN(id, name) SAMPLE_COLUMN_##id,
#include "sonde/sample_columns.def"
#undef COLUMN
	SAMPLE_COLUMNS,
};

#endif
