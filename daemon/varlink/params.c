/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "varlink/params.h"

#include <math.h>
#include <cjson/cJSON.h>

bool param_is_int(const struct cJSON *item)
{
	return cJSON_IsNumber(item) && fabs(item->valuedouble) <= (double)PARAM_INT_MAX &&
	       item->valuedouble == floor(item->valuedouble);
}

const char *param_kind(const struct cJSON *item)
{
	if (!item)
		return "nothing";
	if (cJSON_IsNull(item))
		return "null";
	if (cJSON_IsBool(item))
		return "bool";
	if (cJSON_IsString(item))
		return "string";
	if (cJSON_IsArray(item))
		return "array";
	if (cJSON_IsObject(item))
		return "object";
	if (param_is_int(item))
		return "int";
	if (fabs(item->valuedouble) > (double)PARAM_INT_MAX)
		return "a number beyond 2^53";
	return "a fraction";
}

/* 1 with the item, 0 when it is absent and may be. */
static int find_param(const cJSON *params, const char *name, enum param_need need,
		      const char *expected, const cJSON **ret, struct error *e)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(params, name);

	if (item && !cJSON_IsNull(item)) {
		*ret = item;
		return 1;
	}
	if (need == PARAM_OPTIONAL)
		return 0;
	return error_set(e, EINVAL, "BadArgument", "%s: missing, expected %s", name, expected);
}

static int wrong_type(struct error *e, const char *name, const char *expected, const cJSON *item)
{
	return error_set(e, EINVAL, "BadArgument", "%s: expected %s, got %s", name, expected,
			 param_kind(item));
}

static int wrong_element(struct error *e, const char *name, size_t i, const char *expected,
			 const cJSON *item)
{
	return error_set(e, EINVAL, "BadArgument", "%s[%zu]: expected %s, got %s", name, i,
			 expected, param_kind(item));
}

int param_string(const struct cJSON *params, const char *name, enum param_need need,
		 const char **ret, struct error *e)
{
	const cJSON *item;
	int r = find_param(params, name, need, "string", &item, e);

	if (r <= 0)
		return r;
	if (!cJSON_IsString(item))
		return wrong_type(e, name, "string", item);
	*ret = item->valuestring;
	return 1;
}

int param_bool(const struct cJSON *params, const char *name, enum param_need need, bool *ret,
	       struct error *e)
{
	const cJSON *item;
	int r = find_param(params, name, need, "bool", &item, e);

	if (r <= 0)
		return r;
	if (!cJSON_IsBool(item))
		return wrong_type(e, name, "bool", item);
	*ret = cJSON_IsTrue(item);
	return 1;
}

static int check_range(const char *name, double value, int64_t min, int64_t max, struct error *e)
{
	if (value >= (double)min && value <= (double)max)
		return 0;
	return error_set(e, EINVAL, "BadArgument", "%s: %.0f is out of range: %lld to %lld", name,
			 value, (long long)min, (long long)max);
}

int param_int(const struct cJSON *params, const char *name, enum param_need need, int64_t min,
	      int64_t max, int64_t *ret, struct error *e)
{
	const cJSON *item;
	int r = find_param(params, name, need, "int", &item, e);

	if (r <= 0)
		return r;
	if (!param_is_int(item))
		return wrong_type(e, name, "int", item);
	r = check_range(name, item->valuedouble, min, max, e);
	if (r < 0)
		return r;
	*ret = (int64_t)item->valuedouble;
	return 1;
}

int param_float(const struct cJSON *params, const char *name, enum param_need need, double *ret,
		struct error *e)
{
	const cJSON *item;
	int r = find_param(params, name, need, "float", &item, e);

	if (r <= 0)
		return r;
	if (!cJSON_IsNumber(item) || !isfinite(item->valuedouble))
		return wrong_type(e, name, "float", item);
	*ret = item->valuedouble;
	return 1;
}

int param_hex(const struct cJSON *params, const char *name, enum param_need need, uint64_t *ret,
	      struct error *e)
{
	static const char expected[] = "a hexadecimal string like \"0x1f\" of at most 64 bits";
	const char *text = NULL;
	const cJSON *item;
	int r = find_param(params, name, need, expected, &item, e);

	if (r <= 0)
		return r;
	text = cJSON_GetStringValue(item);
	if (!text)
		return wrong_type(e, name, expected, item);
	if (!startswith(text, "0x") || parse_u64(text, ret) < 0)
		return error_set(e, EINVAL, "BadArgument", "%s: expected %s, got \"%.40s\"", name,
				 expected, text);
	return 1;
}

/* 1 with the array and its length, which cJSON has to count. */
static int find_array(const cJSON *params, const char *name, enum param_need need,
		      const char *expected, const cJSON **ret, size_t *ret_count, struct error *e)
{
	const cJSON *item;
	int r = find_param(params, name, need, expected, &item, e);

	if (r <= 0)
		return r;
	if (!cJSON_IsArray(item))
		return wrong_type(e, name, expected, item);
	*ret = item;
	*ret_count = cJSON_GetArraySize(item);
	return 1;
}

int param_strings(const struct cJSON *params, const char *name, enum param_need need,
		  const char ***ret, size_t *ret_count, struct error *e)
{
	_cleanup_(freep) const char **strings = NULL;
	const cJSON *array, *item;
	size_t count, i = 0;
	int r = find_array(params, name, need, "an array of strings", &array, &count, e);

	if (r <= 0)
		return r;
	if (count && !(strings = calloc(count, sizeof(*strings))))
		return -ENOMEM;
	cJSON_ArrayForEach(item, array)
	{
		if (!cJSON_IsString(item))
			return wrong_element(e, name, i, "string", item);
		strings[i++] = item->valuestring;
	}
	*ret = TAKE_PTR(strings);
	*ret_count = count;
	return 1;
}

int param_ints(const struct cJSON *params, const char *name, enum param_need need, int64_t min,
	       int64_t max, int64_t **ret, size_t *ret_count, struct error *e)
{
	_cleanup_(freep) int64_t *ints = NULL;
	const cJSON *array, *item;
	size_t count, i = 0;
	int r = find_array(params, name, need, "an array of ints", &array, &count, e);

	if (r <= 0)
		return r;
	if (count && !(ints = calloc(count, sizeof(*ints))))
		return -ENOMEM;
	cJSON_ArrayForEach(item, array)
	{
		if (!param_is_int(item))
			return wrong_element(e, name, i, "int", item);
		r = check_range(name, item->valuedouble, min, max, e);
		if (r < 0)
			return r;
		ints[i++] = (int64_t)item->valuedouble;
	}
	*ret = TAKE_PTR(ints);
	*ret_count = count;
	return 1;
}

int param_object(const struct cJSON *params, const char *name, enum param_need need,
		 const struct cJSON **ret, struct error *e)
{
	const cJSON *item;
	int r = find_param(params, name, need, "object", &item, e);

	if (r <= 0)
		return r;
	if (!cJSON_IsObject(item))
		return wrong_type(e, name, "object", item);
	*ret = item;
	return 1;
}

int param_objects(const struct cJSON *params, const char *name, enum param_need need,
		  const struct cJSON **ret, struct error *e)
{
	const cJSON *array, *item;
	size_t count, i = 0;
	int r = find_array(params, name, need, "an array of objects", &array, &count, e);

	if (r <= 0)
		return r;
	cJSON_ArrayForEach(item, array)
	{
		if (!cJSON_IsObject(item))
			return wrong_element(e, name, i, "object", item);
		i++;
	}
	*ret = array;
	return 1;
}

const struct cJSON *param_first(const struct cJSON *array)
{
	return array ? array->child : NULL;
}

const struct cJSON *param_next(const struct cJSON *element)
{
	return element->next;
}
