#include "base/json.h"

#include <stdlib.h>

#define JSON_INT_MAX ((int64_t)1 << 53)

int ent_json_parse(struct ent_bytes text, size_t bytes_max, json_t **ret, struct ent_err *err)
{
	json_error_t where;
	if (text.len > bytes_max)
		return ent_fail(err, ENT_EDATA, "JSON of %zu bytes, at most %zu are read here", text.len, bytes_max);
	json_t *v = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &where);
	if (!v)
		return ent_fail(err, ENT_EDATA, "not JSON: %s at line %d, column %d", where.text, where.line, where.column);
	*ret = v;
	return 0;
}

static bool has_canonical_form(const json_t *v);

static bool object_has_canonical_form(const json_t *v)
{
	const char *key;
	json_t *item;
	json_object_foreach((json_t *)(uintptr_t)v, key, item)
	{
		for (const char *c = key; *c; c++)
			if ((unsigned char)*c > 0x7e || (unsigned char)*c < 0x20)
				return false;
		if (!has_canonical_form(item))
			return false;
	}
	return true;
}

static bool has_canonical_form(const json_t *v)
{
	size_t i;
	json_t *item;
	switch (json_typeof(v)) {
	case JSON_OBJECT:
		return object_has_canonical_form(v);
	case JSON_ARRAY:
		json_array_foreach(v, i, item) if (!has_canonical_form(item)) return false;
		return true;
	case JSON_INTEGER:
		return json_integer_value(v) <= JSON_INT_MAX && json_integer_value(v) >= -JSON_INT_MAX;
	case JSON_REAL:
		return false;
	case JSON_STRING:
	case JSON_TRUE:
	case JSON_FALSE:
	case JSON_NULL:
		return true;
	}
	return false;
}

int ent_json_canonical(const json_t *value, struct ent_buf *out, struct ent_err *err)
{
	if (!value || !has_canonical_form(value))
		return ent_fail(err, ENT_EDATA, "this JSON has no canonical form (floats, large integers or non-ASCII keys)");
	char *text = json_dumps(value, JSON_SORT_KEYS | JSON_COMPACT | JSON_ENCODE_ANY);
	if (!text)
		return ent_nomem(err);
	ent_buf_str(out, text);
	free(text);
	return ent_buf_check(out, err);
}

int ent_json_parse_canonical(struct ent_bytes text, size_t bytes_max, json_t **ret, struct ent_err *err)
{
	ENT_JSON_AUTO v = NULL;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf again = ENT_BUF(bytes_max);
	ENT_TRY(ent_json_parse(text, bytes_max, &v, err));
	ENT_TRY(ent_json_canonical(v, &again, err));
	if (!ent_bytes_eq(ent_buf_bytes(&again), text))
		return ent_fail(err, ENT_EDATA, "JSON is not in canonical form");
	*ret = json_incref(v);
	return 0;
}

static int wrong(struct ent_err *err, const char *key, const char *want)
{
	return ent_fail(err, ENT_EDATA, "\"%s\" is missing or not %s", key, want);
}

int ent_json_str(const json_t *obj, const char *key, const char **ret, struct ent_err *err)
{
	const json_t *v = json_object_get(obj, key);
	if (!json_is_string(v) || strlen(json_string_value(v)) != json_string_length(v))
		return wrong(err, key, "text");
	*ret = json_string_value(v);
	return 0;
}

int ent_json_int(const json_t *obj, const char *key, int64_t min, int64_t max, int64_t *ret, struct ent_err *err)
{
	const json_t *v = json_object_get(obj, key);
	if (!json_is_integer(v) || json_integer_value(v) < min || json_integer_value(v) > max)
		return wrong(err, key, "an integer in range");
	*ret = json_integer_value(v);
	return 0;
}

int ent_json_bool(const json_t *obj, const char *key, bool *ret, struct ent_err *err)
{
	const json_t *v = json_object_get(obj, key);
	if (!json_is_boolean(v))
		return wrong(err, key, "true or false");
	*ret = json_is_true(v);
	return 0;
}

int ent_json_array(const json_t *obj, const char *key, json_t **ret, struct ent_err *err)
{
	json_t *v = json_object_get(obj, key);
	if (!json_is_array(v))
		return wrong(err, key, "a list");
	*ret = v;
	return 0;
}

int ent_json_object(const json_t *obj, const char *key, json_t **ret, struct ent_err *err)
{
	json_t *v = json_object_get(obj, key);
	if (!json_is_object(v))
		return wrong(err, key, "an object");
	*ret = v;
	return 0;
}

int ent_json_hex(const json_t *obj, const char *key, void *ret, size_t len, struct ent_err *err)
{
	const char *text;
	ENT_TRY(ent_json_str(obj, key, &text, err));
	return ent_unhex(ret, len, text, strlen(text)) ? 0 : wrong(err, key, "lower-case hex of the right length");
}
