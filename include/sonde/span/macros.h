/* SPDX-License-Identifier: MIT */
/* What is written in programs. */
#ifndef SONDE_SPAN_MACROS_H
#define SONDE_SPAN_MACROS_H

#include "finish.h"
#include "more.h"

#define SONDE_JOIN_(a, b) a##b
#define SONDE_JOIN(a, b)  SONDE_JOIN_(a, b)

/* Whether anybody is attached, so that what only spans need can be left out. */
#define SONDE_IS_ON() SONDE_UNLIKELY(sonde_interest())

#define SONDE_SITE(variable, category, name)                                                       \
	static struct sonde_site variable = {category, name, 0, 0}

/* A span until the end of the block, however that is left. */
#define SONDE_SPAN(name)	       SONDE_SPAN_CAT("", name)
#define SONDE_SPAN_CAT(category, name) SONDE_SPAN_AS(__COUNTER__, category, name)
#define SONDE_SPAN_AS(n, category, name)                                                           \
	SONDE_SITE(SONDE_JOIN(sonde_site_, n), category, name);                                    \
	SONDE_GUARD(SONDE_JOIN(sonde_span_, n), SONDE_JOIN(sonde_site_, n))

/* Spans that are no blocks: the pair has the same category, name and key (an integer or pointer
 * that no other such span has meanwhile), wherever and in whatever thread they are. */
#define SONDE_BEGIN(name, key) SONDE_BEGIN_CAT("", name, key)
#define SONDE_BEGIN_CAT(category, name, key)                                                       \
	SONDE_EVENT_AS(category, name, SONDE_RECORD_ASYNC_BEGIN, sonde_key_of(key))
#define SONDE_END(name, key) SONDE_END_CAT("", name, key)
#define SONDE_END_CAT(category, name, key)                                                         \
	SONDE_EVENT_AS(category, name, SONDE_RECORD_ASYNC_END, sonde_key_of(key))

#define SONDE_INSTANT(name)		  SONDE_INSTANT_CAT("", name)
#define SONDE_INSTANT_CAT(category, name) SONDE_EVENT_AS(category, name, SONDE_RECORD_INSTANT, 0)

/* A number that changes with time: what it is now. */
#define SONDE_COUNTER(name, value) SONDE_COUNTER_CAT("", name, value)
#define SONDE_COUNTER_CAT(category, name, value)                                                   \
	SONDE_EVENT_AS(category, name, SONDE_RECORD_COUNTER,                                       \
		       sonde_bits_of(SONDE_CAST(double, value)))

#define SONDE_EVENT_AS(category, name, kind, value)                                                \
	do {                                                                                       \
		SONDE_SITE(sonde_site_, category, name);                                           \
		if (SONDE_IS_ON())                                                                 \
			sonde_event(&sonde_site_, kind, value);                                    \
	} while (0)

/* A field of the innermost open span: an integer, a double, a bool, or text, which is copied
 * (SONDE_MAX_TEXT bytes of it). */
#define SONDE_FIELD(key, value)                                                                    \
	do {                                                                                       \
		static struct sonde_key sonde_key_ = {key, 0};                                     \
		if (SONDE_IS_ON())                                                                 \
			SONDE_PUT_FIELD(&sonde_key_, value);                                       \
	} while (0)

/* The innermost open span has failed, with this number. */
#define SONDE_ERROR(code)                                                                          \
	do {                                                                                       \
		if (SONDE_IS_ON())                                                                 \
			sonde_error(SONDE_CAST(sonde_i64, code));                                  \
	} while (0)

/* W3C trace contexts. FROM: the innermost open span continues that of a "traceparent"; 0 when it
 * is not one, or there is no such span. TO: writes one of that span (SONDE_TRACE_SIZE bytes) for
 * somebody else to continue; 0 and an empty text when there is none. */
#define SONDE_TRACE_FROM(text) (SONDE_IS_ON() ? sonde_trace_from(text) : 0)
#define SONDE_TRACE_TO(buf)    (SONDE_IS_ON() ? sonde_trace_to(buf) : ((buf)[0] = 0))

SONDE_FAST sonde_u64 sonde_bits_of(double value)
{
	sonde_u64 bits;

	__builtin_memcpy(&bits, &value, sizeof(bits));
	return bits;
}

#ifdef __cplusplus

#define SONDE_CAST(type, value) static_cast<type>(value)

#include <cxxabi.h>
#include <type_traits>

#define SONDE_GUARD_CLASS SONDE_SHARED(guard)

class SONDE_GUARD_CLASS
{
      public:
	explicit SONDE_GUARD_CLASS(sonde_site &site) noexcept
	{
		if (SONDE_IS_ON()) {
			token = sonde_begin(&site);
			if (token)
				exceptions = count();
		}
	}
	~SONDE_GUARD_CLASS()
	{
		if (SONDE_UNLIKELY(token))
			sonde_end(token, count() > exceptions
						 ? SONDE_SPAN_ERROR | SONDE_SPAN_EXCEPTION
						 : 0);
	}
	SONDE_GUARD_CLASS(const SONDE_GUARD_CLASS &) = delete;
	SONDE_GUARD_CLASS &operator=(const SONDE_GUARD_CLASS &) = delete;

      private:
	/* Of exceptions that are on their way, as std::uncaught_exceptions(). Where that is
	 * kept for a thread (the Itanium ABI for C++ says how) does not change, and asking
	 * is dear. */
	static unsigned count() noexcept
	{
#if defined(__cpp_exceptions)
		sonde_thread *t = SONDE_SHARED(thread);

		if ((sonde_u64)t <= 1)
			return 0;
		if (SONDE_UNLIKELY(!t->exceptions))
			t->exceptions = (const char *)abi::__cxa_get_globals() + sizeof(void *);
		return *(const unsigned *)t->exceptions;
#else
		return 0;
#endif
	}
	sonde_u64 token = 0;
	unsigned exceptions = 0;
};

#define SONDE_GUARD(variable, site) [[maybe_unused]] const SONDE_GUARD_CLASS variable(site)

template <class T> SONDE_FAST sonde_u64 sonde_key_of(T *key)
{
	return reinterpret_cast<sonde_u64>(key);
}

template <class T, std::enable_if_t<std::is_integral_v<T> || std::is_enum_v<T>, int> = 0>
SONDE_FAST sonde_u64 sonde_key_of(T key)
{
	return static_cast<sonde_u64>(key);
}

template <class T> SONDE_FAST void sonde_put_field(sonde_key *key, const T &value)
{
	using U = std::decay_t<T>;

	if constexpr (std::is_same_v<U, bool>)
		sonde_field_bool(key, value);
	else if constexpr (std::is_floating_point_v<U>)
		sonde_field_f64(key, static_cast<double>(value));
	else if constexpr (std::is_enum_v<U>)
		sonde_field_i64(key, static_cast<sonde_i64>(value));
	else if constexpr (std::is_integral_v<U> && std::is_unsigned_v<U>)
		sonde_field_u64(key, value);
	else if constexpr (std::is_integral_v<U>)
		sonde_field_i64(key, value);
	else if constexpr (std::is_convertible_v<const T &, const char *>)
		sonde_field_text(key, value);
	else
		sonde_field_bytes(key, value.data(), value.size());
}

#define SONDE_PUT_FIELD(key, value) sonde_put_field(key, value)

#else /* C */

#define SONDE_CAST(type, value) ((type)(value))

SONDE_FAST void sonde_end_guard(sonde_u64 *token)
{
	if (SONDE_UNLIKELY(*token))
		sonde_end(*token, 0);
}

#define SONDE_GUARD(variable, site)                                                                \
	__attribute__((cleanup(sonde_end_guard), unused)) sonde_u64 variable =                     \
		SONDE_IS_ON() ? sonde_begin(&(site)) : 0

#define sonde_key_of(key) ((sonde_u64)(key))

/* clang-format off */
#define SONDE_PUT_FIELD(key, value) \
	_Generic((value), \
		_Bool: sonde_field_bool, \
		float: sonde_field_f64, \
		double: sonde_field_f64, \
		long double: sonde_field_long_double, \
		char *: sonde_field_text, \
		const char *: sonde_field_text, \
		unsigned char: sonde_field_u64, \
		unsigned short: sonde_field_u64, \
		unsigned int: sonde_field_u64, \
		unsigned long: sonde_field_u64, \
		unsigned long long: sonde_field_u64, \
		default: sonde_field_i64)(key, value)
/* clang-format on */

#endif

#endif
