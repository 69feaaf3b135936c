/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Typed access to the parameters of a call. Every function returns 1 when the parameter is given,
 * 0 when an optional one is absent or null (outputs then stay as they were: set the default first),
 * -EINVAL with a "BadArgument" that names the parameter and what it should be, or -ENOMEM.
 * Strings and objects handed out belong to the parameters and live as long as they.
 */
#ifndef SONDE_VARLINK_PARAMS_H
#define SONDE_VARLINK_PARAMS_H

#include "sonde/base/error.h"

struct cJSON;

enum param_need { PARAM_OPTIONAL, PARAM_REQUIRED };

/* Every integer up to here has a double of its own; beyond, JSON readers round. */
#define PARAM_INT_MAX ((int64_t)9007199254740991LL)

int param_string(const struct cJSON *params, const char *name, enum param_need need,
		 const char **ret, struct error *e);
int param_bool(const struct cJSON *params, const char *name, enum param_need need, bool *ret,
	       struct error *e);
/* Exact integers of min to max; both within ±PARAM_INT_MAX. */
int param_int(const struct cJSON *params, const char *name, enum param_need need, int64_t min,
	      int64_t max, int64_t *ret, struct error *e);
int param_float(const struct cJSON *params, const char *name, enum param_need need, double *ret,
		struct error *e);
/* "0x…": how 64-bit values travel. */
int param_hex(const struct cJSON *params, const char *name, enum param_need need, uint64_t *ret,
	      struct error *e);
/* The caller frees the array (NULL when it is empty), not the strings. */
int param_strings(const struct cJSON *params, const char *name, enum param_need need,
		  const char ***ret, size_t *ret_count, struct error *e);
/* The caller frees the array (NULL when it is empty). */
int param_ints(const struct cJSON *params, const char *name, enum param_need need, int64_t min,
	       int64_t max, int64_t **ret, size_t *ret_count, struct error *e);
/* A nested object: its own parameters are read with these functions. */
int param_object(const struct cJSON *params, const char *name, enum param_need need,
		 const struct cJSON **ret, struct error *e);
/* An array of objects: param_first() and param_next() walk it, NULL behind the last. */
int param_objects(const struct cJSON *params, const char *name, enum param_need need,
		  const struct cJSON **ret, struct error *e);
const struct cJSON *param_first(const struct cJSON *array);
const struct cJSON *param_next(const struct cJSON *element);

/* Is it a JSON number that is an integer within ±PARAM_INT_MAX? */
bool param_is_int(const struct cJSON *item);
/* What a JSON value is, in words: "a string", "null", "a fraction". */
const char *param_kind(const struct cJSON *item);

#endif
