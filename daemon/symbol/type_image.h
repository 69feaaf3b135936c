/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Types of functions as one flat block, as the reader process answers them. The question names
 * functions by address and structs by their place in the debug information; the answer has, in the
 * order of the question, the functions with their parameters and the structs with their members,
 * and all types that these are made of. A struct is no more than a name there, and the place to ask
 * for its members by: everything that can be reached from one function may be half of the program.
 *
 * A type refers to ones before it only, so what an answer says cannot go in circles, whatever it
 * says; structs may contain themselves, step by step, which whoever follows their members must
 * bound, as with any struct ctype.
 */
#ifndef SONDE_SYMBOL_TYPE_IMAGE_H
#define SONDE_SYMBOL_TYPE_IMAGE_H

#include "symbol/flat.h"
#include "symbol/type_arena.h"

enum {
	TYPE_IMAGE_VERSION = 1,
	TYPE_FUNCTIONS_MAX = 1024, /* of one question */
	TYPE_STRUCTS_MAX = 64,	   /* of one question */
	TYPE_PARAMS_MAX = 64,	   /* of a function */
	TYPE_MEMBERS_MAX = 4096,   /* of a struct */
	TYPE_VALUES_MAX = 4096,	   /* of an enum */
	TYPE_TYPES_MAX = 1 << 20,  /* of one answer, as the next ones */
	TYPE_ALL_VALUES_MAX = 4 << 20,
	TYPE_STRINGS_MAX = 64 << 20,
	TYPE_STRING_LEN_MAX = 4096,
	TYPE_WORDS_MAX = 1 << 30, /* above the return address */
};
#define TYPE_IMAGE_MAGIC "SONDEtyp"

/* Where the debug information has a struct. */
struct type_key {
	uint64_t offset;
	uint32_t section; /* enum type_section */
	uint32_t zero;
};

enum type_section {
	TYPE_IN_INFO = 0,
	TYPE_IN_TYPES = 1,	/* .debug_types of DWARF 4 */
	TYPE_IN_SUPPLEMENT = 2, /* added to the others: of the supplementary file */
	TYPE_SECTIONS = 4,
};

/* What is in the answer's file before the answer. Addresses follow, then struct type_key. */
struct type_question {
	uint64_t token; /* the same as before: the same file, which may be open still */
	uint32_t n_functions, n_structs;
};

struct type_image_header {
	char magic[8];
	uint32_t version, n_functions, n_structs, n_types;
	uint32_t n_params, n_members, n_values, zero;
	uint64_t strings_size;
};

/* Texts are offsets into the strings, of which the first is "". */
struct flat_type {
	uint64_t size, count;
	struct type_key key; /* of a struct, else zeros */
	uint32_t name;
	uint32_t target; /* index + 1 of one before; 0: none */
	uint32_t first_value, n_values;
	uint8_t kind, abi, flags; /* enum ctype_kind, ctype_abi, flat_type_flags */
	uint8_t zero[5];
};

enum flat_type_flags { FLAT_TYPE_SIGNED = 1 << 0, FLAT_TYPE_IS_FLAGS = 1 << 1 };

struct flat_function {
	uint32_t name, file, line, ret;
	uint32_t first_param, n_params; /* behind those of the function before */
	uint32_t flags, zero;
};

enum flat_function_flags {
	FLAT_FUNCTION_FOUND = 1 << 0, /* without: all is zero */
	FLAT_FUNCTION_VARIADIC = 1 << 1,
	FLAT_FUNCTION_RET_IN_FLOAT = 1 << 2,
	FLAT_FUNCTION_RET_IN_MEMORY = 1 << 3,
};

struct flat_param {
	uint32_t name, type, place, reg;
};

struct flat_struct {
	uint32_t first_member, n_members; /* behind those of the struct before */
	uint32_t abi;			  /* once its members are known */
	uint32_t zero;
};

struct flat_member {
	uint32_t name, type, offset;
	uint8_t shift, bits;
	uint16_t zero;
};

struct flat_value {
	int64_t value;
	uint32_t name, zero;
};

/* An answer that was checked. */
struct type_image {
	const struct flat_type *types;
	const struct flat_value *values;
	const struct flat_function *functions;
	const struct flat_struct *structs;
	const struct flat_param *params;
	const struct flat_member *members;
	const char *strings;
	size_t n_types, n_values, n_functions, n_structs, n_params, n_members, strings_size;
	struct flat flat; /* what the above point into */
};

/*
 * Maps what fd holds, which must be sealed: the answer to that many functions and structs. -EBADMSG
 * when it is not valid, -ENOMEM.
 */
int type_image_open(int fd, size_t n_functions, size_t n_structs, struct error *error,
		    struct type_image **ret);
struct type_image *type_image_free(struct type_image *t);
DEFINE_CLEANUP(struct type_image *, type_image_free)

/* A type that came in an answer. */
struct lazy_ctype {
	struct ctype c; /* first: complete() goes back from it */
	struct type_key key;
	void *owner;
};

/*
 * Makes the types of an answer, an array with the image's indices; structs are completed by
 * `complete`, which finds `owner` in them. Nothing of the image is kept. NULL: out of memory.
 */
struct lazy_ctype *type_image_types(const struct type_image *t, struct type_arena *arena,
				    void (*complete)(struct ctype *t), void *owner,
				    const char **ret_strings);
/* A function or a struct's members of the answer, of those types and strings. NULL likewise. */
struct function_type *type_image_function(const struct type_image *t, size_t index,
					  const struct lazy_ctype *types, const char *strings,
					  struct type_arena *arena);
struct ctype_member *type_image_members(const struct type_image *t, size_t index,
					const struct lazy_ctype *types, const char *strings,
					struct type_arena *arena);

#endif
