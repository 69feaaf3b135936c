/* SPDX-License-Identifier: MIT */
/* The macros where there can be no spans: what they are given is looked at by the compiler only. */
#ifndef SONDE_SPAN_NOTHING_H
#define SONDE_SPAN_NOTHING_H

#define SONDE_TRACE_SIZE 56

#define SONDE_NOTHING(value)                                                                       \
	do {                                                                                       \
		(void)sizeof(value);                                                               \
	} while (0)

#define SONDE_SPAN(name)			 SONDE_NOTHING(name)
#define SONDE_SPAN_CAT(category, name)		 SONDE_NOTHING(name)
#define SONDE_BEGIN(name, key)			 SONDE_NOTHING(key)
#define SONDE_BEGIN_CAT(category, name, key)	 SONDE_NOTHING(key)
#define SONDE_END(name, key)			 SONDE_NOTHING(key)
#define SONDE_END_CAT(category, name, key)	 SONDE_NOTHING(key)
#define SONDE_INSTANT(name)			 SONDE_NOTHING(name)
#define SONDE_INSTANT_CAT(category, name)	 SONDE_NOTHING(name)
#define SONDE_COUNTER(name, value)		 SONDE_NOTHING(value)
#define SONDE_COUNTER_CAT(category, name, value) SONDE_NOTHING(value)
#define SONDE_FIELD(key, value)			 SONDE_NOTHING(value)
#define SONDE_ERROR(code)			 SONDE_NOTHING(code)
#define SONDE_TRACE_FROM(text)			 ((void)sizeof(text), 0)
#define SONDE_TRACE_TO(buf)			 ((buf)[0] = 0)
#define SONDE_IS_ON()				 0

#endif
