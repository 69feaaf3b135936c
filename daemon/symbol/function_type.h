/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Types of functions: parameters by name, where each is at entry, what is behind pointers. Read
 * from DWARF here and from BTF in probe/ (which has libbpf); both fill the same structs.
 */
#ifndef SONDE_SYMBOL_FUNCTION_TYPE_H
#define SONDE_SYMBOL_FUNCTION_TYPE_H

#include "symbol/elf_image.h"

enum ctype_kind {
	CTYPE_VOID,
	CTYPE_INT,  /* signed */
	CTYPE_UINT, /* unsigned */
	CTYPE_BOOL,
	CTYPE_CHAR, /* a plain, signed or unsigned char: a number that is shown as a character */
	CTYPE_FLOAT,
	CTYPE_ENUM,
	CTYPE_POINTER, /* references of C++, too */
	CTYPE_STRUCT,  /* struct, class, union: members may overlap */
	CTYPE_ARRAY,
	CTYPE_FUNCTION, /* only behind a pointer */
	CTYPE_UNKNOWN,	/* declared, never defined here; or of a language we do not know */
};

struct ctype;

struct ctype_member {
	const char
		*name; /* "" for an anonymous struct or union, whose members count as the outer's */
	const struct ctype *type;
	uint32_t offset; /* bytes from the start of the struct */
	uint8_t shift,
		bits; /* of a bit field: within the bytes of its type at offset; bits 0: none */
};

struct ctype_value {
	const char *name;
	int64_t value;
};

/* How the calling convention passes a value, where its kind and size do not say it. */
enum ctype_abi {
	CTYPE_ABI_PLAIN,
	CTYPE_ABI_X87,		/* long double: always on the stack, returned in st0 */
	CTYPE_ABI_BY_REFERENCE, /* a C++ class that is not copied bit by bit: by its address */
};

/*
 * Typedefs, const and volatile are seen through; the name keeps what the source says. The members
 * of a struct are read from the file when they are first asked for, as everything that can be
 * reached from one function may be half of the program: call ctype_complete() before members.
 */
struct ctype {
	enum ctype_kind kind;
	bool is_signed;		    /* of INT, CHAR and ENUM */
	bool is_flags;		    /* ENUM whose values are single bits (and zero): shown as A|B */
	const char *name;	    /* "const char *", "struct request", "enum color", "size_t" */
	uint64_t size;		    /* bytes; 0 when unknown */
	const struct ctype *target; /* of POINTER and ARRAY */
	uint64_t count;		    /* elements of ARRAY; 0 when unknown */
	const struct ctype_member *members;
	size_t n_members;
	const struct ctype_value *values; /* of ENUM */
	size_t n_values;
	uint8_t abi;			   /* enum ctype_abi */
	void (*complete)(struct ctype *t); /* NULL: members are there; see ctype_complete() */
};

/* Makes the members of a struct available; any other type is always complete. */
static inline const struct ctype *ctype_complete(const struct ctype *t)
{
	if (t->complete)
		t->complete((struct ctype *)t);
	return t;
}

enum param_place {
	PARAM_IN_REGISTER, /* integer argument register number `reg`, from 0 */
	PARAM_ON_STACK,	   /* 8-byte word number `reg` above the return address, from 0 */
	PARAM_IN_FLOAT,	   /* a floating-point register, which no probe can read */
	PARAM_SPREAD,	   /* a struct in two registers; the first is `reg` */
	PARAM_NOWHERE,	   /* optimised away, or not expressible */
	PARAM_IN_NOTE,	   /* argument number `reg` of a static probe: see note */
};

struct usdt_arg;

struct function_param {
	const char *name; /* "" when it has none */
	const struct ctype *type;
	enum param_place place;
	uint32_t reg;
	const struct usdt_arg *note; /* of PARAM_IN_NOTE: where it is found (symbol/usdt.h) */
};

/* Owned by the function_types it came from. */
struct function_type {
	const char *name; /* as in the source, without scope */
	struct function_param *params;
	size_t n_params;
	const struct ctype *ret; /* CTYPE_VOID for none */
	bool is_variadic;
	bool is_static; /* no function but a static probe: its parameters are all PARAM_IN_NOTE */
	/* The result does not come in the return register: a float, or a struct in memory (whose
	 * address is then the hidden first argument, already counted in the params' registers). */
	bool ret_in_float, ret_in_memory;
	const char *file; /* where it is defined, or "" */
	uint32_t line;
};

struct function_types;

/*
 * Opens the type information of a file: its own DWARF, a separate debug file found by build-id or
 * .gnu_debuglink, with the supplementary file of dwz where it has one. -ENODATA when there is none
 * (the error's fix names the package or debuginfod); files are hostile: every loop is bounded.
 */
int function_types_open(struct elf_image *image, const char *path, const char *debug_dir,
			struct error *e, struct function_types **ret);
/*
 * The same without opening any file, for the reader process: debug is the separate debug file or
 * NULL, supplement that of dwz or negative. Neither is needed afterwards.
 */
int function_types_open_confined(const struct elf_image *image, const struct elf_image *debug,
				 int supplement, struct error *e, struct function_types **ret);
struct function_types *function_types_free(struct function_types *t);
DEFINE_CLEANUP(struct function_types *, function_types_free)

/* The function that begins at an address of the file. -ENOENT when DWARF does not have it. */
int function_types_find(struct function_types *t, uint64_t vaddr, const struct function_type **ret);

/* Where a struct is in the debug information (type_image.h), and the struct of such a place. */
struct type_key;
bool function_types_key(const struct function_types *t, const struct ctype *c,
			struct type_key *ret);
const struct ctype *function_types_struct(struct function_types *t, const struct type_key *key);

#endif
