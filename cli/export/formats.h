/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every format, in the order in which help lists them. */
#ifndef SONDE_EXPORT_FORMATS_H
#define SONDE_EXPORT_FORMATS_H

#include "export.h"

extern const struct export_format export_chrome, export_folded, export_perf_script, export_pprof,
	export_speedscope, export_json, export_csv, export_markdown, export_prometheus, export_otlp,
	export_otlp_proto, export_dftracer;

#endif
