/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol/python_offsets.h"

enum { MINOR_KNOWN_FROM = 11, MINOR_PUBLISHED_FROM = 13, MINOR_LAST = 14 };
enum { COOKIE_BYTES = 8, VERSION_AT = 1, FREE_THREADED_AT = 2, RUNTIME_SIZE_AT = 3 };
enum { WIDEST_RUNTIME = 16 << 20, FIRST_SHIM_OWNER = 3 };

static const struct python_offsets python_3_11 = {
	.interpreter_next = 0,
	.interpreter_threads = 16,
	.thread_next = 8,
	.thread_native_id = 160,
	.thread_frame = 56,
	.cframe_frame = 8,
	.frame_code = 32,
	.frame_previous = 48,
	.frame_instruction = 56,
	.frame_owner = 69,
	.frame_entry = 68,
	.shim_owner = PYTHON_NONE,
	.code_file = 112,
	.code_name = 128,
	.code_lines = 136,
	.code_first_line = 72,
	.code_instructions = 184,
	.string_length = 16,
	.string_state = 32,
	.string_ascii = 48,
	.string_wide = 72,
	.bytes_length = 16,
	.bytes_data = 32,
};

static const struct python_offsets python_3_12 = {
	.interpreter_next = 0,
	.interpreter_threads = 72,
	.thread_next = 8,
	.thread_native_id = 144,
	.thread_frame = 56,
	.cframe_frame = 0,
	.frame_code = 0,
	.frame_previous = 8,
	.frame_instruction = 56,
	.frame_owner = 70,
	.frame_entry = PYTHON_NONE,
	.shim_owner = FIRST_SHIM_OWNER,
	.code_file = 112,
	.code_name = 128,
	.code_lines = 136,
	.code_first_line = 68,
	.code_instructions = 192,
	.string_length = 16,
	.string_state = 32,
	.string_ascii = 40,
	.string_wide = 56,
	.bytes_length = 16,
	.bytes_data = 32,
};

/* The same in both. */
enum { INTERPRETERS_AT = 40 };

/*
 * The fields of _Py_DebugOffsets, by the number of the 64-bit word: the structures of it have more
 * fields in 3.14. {field, its place in 3.13, in 3.14}
 */
#define FIELD(name, in_13, in_14)                                                                  \
	{                                                                                          \
		offsetof(struct python_offsets, name),                                             \
		{                                                                                  \
			in_13, in_14                                                               \
		}                                                                                  \
	}
static const struct {
	size_t field;
	uint8_t at[2];
} published[] = {
	FIELD(interpreter_next, 8, 8),	 FIELD(interpreter_threads, 9, 9),
	FIELD(thread_next, 21, 24),	 FIELD(thread_frame, 23, 26),
	FIELD(thread_native_id, 25, 28), FIELD(frame_previous, 29, 32),
	FIELD(frame_code, 30, 33),	 FIELD(frame_instruction, 31, 34),
	FIELD(frame_owner, 33, 36),	 FIELD(code_file, 35, 40),
	FIELD(code_name, 37, 42),	 FIELD(code_lines, 38, 43),
	FIELD(code_first_line, 39, 44),	 FIELD(code_instructions, 43, 48),
	FIELD(bytes_length, 65, 75),	 FIELD(bytes_data, 66, 76),
	FIELD(string_state, 68, 78),	 FIELD(string_length, 69, 79),
	FIELD(string_ascii, 70, 80),
};
enum { INTERPRETERS_FIELD = 5, PUBLISHED_WORDS = 81 };

static uint64_t word(const uint8_t *start, size_t i)
{
	uint64_t w;

	memcpy(&w, start + i * sizeof(w), sizeof(w));
	return w;
}

bool python_offsets_published(const uint8_t *start, size_t size, uint32_t *ret_version)
{
	uint64_t version;

	if (size < PUBLISHED_WORDS * sizeof(uint64_t) ||
	    memcmp(start, "xdebugpy", COOKIE_BYTES) != 0)
		return false;
	version = word(start, VERSION_AT);
	if (version > UINT32_MAX)
		return false;
	*ret_version = (uint32_t)version;
	return true;
}

static bool is_among_texts(const struct python_offsets *o, uint16_t field)
{
	return field >= o->code_file && (field - o->code_file) % sizeof(uint64_t) == 0 &&
	       field - o->code_file < PYTHON_TEXTS_BYTES;
}

/* What the kernel side takes for granted. */
static bool is_possible(const struct python_offsets *o)
{
	uint16_t words[] = {o->frame_code, o->frame_previous, o->frame_instruction};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (words[i] % sizeof(uint64_t) || words[i] > PYTHON_FRAME_BYTES - sizeof(uint64_t))
			return false;
	return o->frame_owner < PYTHON_FRAME_BYTES && is_among_texts(o, o->code_name) &&
	       is_among_texts(o, o->code_lines);
}

static int read_published(uint32_t minor, const uint8_t *start, struct python_offsets *ret,
			  uint32_t *ret_interpreters)
{
	struct python_offsets o = {.cframe_frame = PYTHON_NONE,
				   .frame_entry = PYTHON_NONE,
				   .shim_owner = FIRST_SHIM_OWNER};
	uint64_t interpreters = word(start, INTERPRETERS_FIELD);

	for (size_t i = 0; i < ARRAY_SIZE(published); i++) {
		uint64_t value = word(start, published[i].at[minor - MINOR_PUBLISHED_FROM]);
		uint16_t narrow = (uint16_t)value;

		if (value >= PYTHON_NONE)
			return -EBADMSG;
		memcpy((uint8_t *)&o + published[i].field, &narrow, sizeof(narrow));
	}
	/* Not published: a length and a pointer are in between. */
	if (o.string_ascii >= PYTHON_NONE - 2 * sizeof(uint64_t))
		return -EBADMSG;
	o.string_wide = (uint16_t)(o.string_ascii + 2 * sizeof(uint64_t));
	if (!is_possible(&o) || interpreters >= WIDEST_RUNTIME ||
	    interpreters >= word(start, RUNTIME_SIZE_AT))
		return -EBADMSG;
	*ret = o;
	*ret_interpreters = (uint32_t)interpreters;
	return 0;
}

int python_offsets_find(uint32_t version, const uint8_t *start, size_t size, struct error *error,
			struct python_offsets *ret, uint32_t *ret_interpreters)
{
	uint32_t major = version >> 24, minor = version >> 16 & 0xff, says;

	if (major != 3 || minor < MINOR_KNOWN_FROM || minor > MINOR_LAST)
		return error_set(error, ENOTSUP, "NotSupported",
				 "Python %u.%u is not known: 3.%d to 3.%d are", major, minor,
				 MINOR_KNOWN_FROM, MINOR_LAST);
	if (minor < MINOR_PUBLISHED_FROM) {
		*ret = minor == MINOR_KNOWN_FROM ? python_3_11 : python_3_12;
		*ret_interpreters = INTERPRETERS_AT;
		return 0;
	}
	if (!python_offsets_published(start, size, &says) || says != version)
		return error_set(error, EBADMSG, "BadFile",
				 "Python 3.%u does not publish where its fields are", minor);
	if (word(start, FREE_THREADED_AT) != 0)
		return error_set(error, ENOTSUP, "NotSupported",
				 "Python 3.%u without the global lock is not known", minor);
	if (read_published(minor, start, ret, ret_interpreters) < 0)
		return error_set(error, EBADMSG, "BadFile",
				 "what Python 3.%u publishes of its fields cannot be", minor);
	return 0;
}
