/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Varlink interface definition language: text to a tree, the tree back to text, and the check
 * of a call's or a reply's parameters against it. The tree is plain data for whoever walks it (the
 * reference page, the tests); everything in it belongs to the struct idl.
 */
#ifndef SONDE_VARLINK_IDL_H
#define SONDE_VARLINK_IDL_H

#include "sonde/base/error.h"
#include "sonde/base/strbuf.h"

struct cJSON;

enum idl_kind {
	IDL_BOOL,
	IDL_INT,
	IDL_FLOAT,
	IDL_STRING,
	IDL_OBJECT, /* any JSON value */
	IDL_STRUCT,
	IDL_ENUM,
	IDL_NAMED, /* a type of the same interface */
	IDL_ARRAY,
	IDL_MAP,
	IDL_MAYBE,
};

struct idl_field {
	char *name;
	struct idl_type *type; /* NULL for the names of an enum */
	char *comment;	       /* lines without their '#', or NULL */
};

struct idl_type {
	enum idl_kind kind;
	char *name;			 /* IDL_NAMED */
	const struct idl_type *resolved; /* IDL_NAMED: the struct or enum it stands for */
	struct idl_type *element;	 /* IDL_ARRAY, IDL_MAP, IDL_MAYBE */
	struct idl_field *fields;	 /* IDL_STRUCT, IDL_ENUM */
	size_t n_fields, cap_fields;
};

enum idl_member_kind { IDL_TYPE, IDL_METHOD, IDL_ERROR };

struct idl_member {
	enum idl_member_kind kind;
	char *name;
	struct idl_type *type;	 /* the type, the error's parameters, the method's input */
	struct idl_type *output; /* IDL_METHOD */
	char *comment;
};

struct idl {
	char *name; /* "io.sonde" */
	char *comment;
	struct idl_member *members;
	size_t n_members, cap_members;
};

/*
 * Parses an interface; a comment belongs to what follows it. -EINVAL with "line N: …" in e.
 * The caller owns *ret.
 */
int idl_parse(const char *text, struct idl **ret, struct error *e);
struct idl *idl_free(struct idl *idl);
DEFINE_CLEANUP(struct idl *, idl_free)
struct idl_type *idl_type_free(struct idl_type *type);
DEFINE_CLEANUP(struct idl_type *, idl_type_free)

/* Text again; formatting what was parsed from it gives the same text. */
void idl_format(const struct idl *idl, struct strbuf *out);
/* One type as it is written in an interface, on one line. */
void idl_format_type(const struct idl_type *type, struct strbuf *out);

/* NULL: there is none. The name is bare ("Status") or complete ("io.sonde.Status"). */
const struct idl_member *idl_find(const struct idl *idl, enum idl_member_kind kind,
				  const char *name);

/*
 * Checks the parameters of a call (output false) or of a reply: unknown, missing, given twice, or
 * of the wrong type, named by their path: "selectors.pids[2]: expected int, got string". params
 * NULL is an empty object. -EINVAL with "BadArgument"; -ENOENT when there is no such method.
 */
int idl_check(const struct idl *idl, const char *method, const struct cJSON *params, bool output,
	      struct error *e);
/* The same for the parameters of an error reply. */
int idl_check_error(const struct idl *idl, const char *error_name, const struct cJSON *params,
		    struct error *e);

#endif
