#include "my_type.h"

#include <stdio.h>
#include <stdlib.h>

struct name {
	const char *text;
	enum ent_my_kind kind;
	enum ent_type_id type, type_unsigned;
	unsigned width;
	uint64_t bytes_max;
	bool fixed;
	const char *reason;
};

static const struct name names[] = {
	{ "tinyint", ENT_MY_INT, ENT_T_INT16, ENT_T_INT16, 1, 0, false, "" },
	{ "smallint", ENT_MY_INT, ENT_T_INT16, ENT_T_INT32, 2, 0, false, "" },
	{ "mediumint", ENT_MY_INT, ENT_T_INT32, ENT_T_INT32, 3, 0, false, "" },
	{ "int", ENT_MY_INT, ENT_T_INT32, ENT_T_INT64, 4, 0, false, "" },
	{ "bigint", ENT_MY_INT, ENT_T_INT64, ENT_T_UINT64, 8, 0, false, "" },
	{ "decimal", ENT_MY_DECIMAL, ENT_T_DECIMAL, ENT_T_DECIMAL, 0, 0, false, "" },
	{ "float", ENT_MY_FLOAT, ENT_T_REAL, ENT_T_REAL, 4, 0, false, "" },
	{ "double", ENT_MY_DOUBLE, ENT_T_DOUBLE, ENT_T_DOUBLE, 8, 0, false, "" },
	{ "date", ENT_MY_DATE, ENT_T_DATE, ENT_T_DATE, 0, 0, false, "" },
	{ "datetime", ENT_MY_DATETIME, ENT_T_TIMESTAMP, ENT_T_TIMESTAMP, 0, 0, false, "" },
	{ "timestamp", ENT_MY_TIMESTAMP, ENT_T_TIMESTAMPTZ, ENT_T_TIMESTAMPTZ, 0, 0, false, "" },
	{ "time", ENT_MY_TIME, ENT_T_TIME, ENT_T_TIME, 0, 0, false, "a time of day has no joint type" },
	{ "year", ENT_MY_YEAR, ENT_T_INT16, ENT_T_INT16, 1, 0, false, "" },
	{ "char", ENT_MY_TEXT, ENT_T_TEXT, ENT_T_TEXT, 0, 255, true, "" },
	{ "varchar", ENT_MY_TEXT, ENT_T_TEXT, ENT_T_TEXT, 0, 65535, false, "" },
	{ "tinytext", ENT_MY_TEXT, ENT_T_TEXT, ENT_T_TEXT, 0, 255, false, "" },
	{ "text", ENT_MY_TEXT, ENT_T_TEXT, ENT_T_TEXT, 0, 65535, false, "" },
	{ "mediumtext", ENT_MY_TEXT, ENT_T_TEXT, ENT_T_TEXT, 0, 16777215, false, "" },
	{ "longtext", ENT_MY_TEXT, ENT_T_TEXT, ENT_T_TEXT, 0, 4294967295u, false, "" },
	{ "binary", ENT_MY_BINARY, ENT_T_BINARY, ENT_T_BINARY, 0, 255, true, "bytes have no joint type" },
	{ "varbinary", ENT_MY_BINARY, ENT_T_BINARY, ENT_T_BINARY, 0, 65535, false, "bytes have no joint type" },
	{ "tinyblob", ENT_MY_BINARY, ENT_T_BINARY, ENT_T_BINARY, 0, 255, false, "bytes have no joint type" },
	{ "blob", ENT_MY_BINARY, ENT_T_BINARY, ENT_T_BINARY, 0, 65535, false, "bytes have no joint type" },
	{ "mediumblob", ENT_MY_BINARY, ENT_T_BINARY, ENT_T_BINARY, 0, 16777215, false, "bytes have no joint type" },
	{ "longblob", ENT_MY_BINARY, ENT_T_BINARY, ENT_T_BINARY, 0, 4294967295u, false, "bytes have no joint type" },
	{ "bit", ENT_MY_BIT, ENT_T_UINT64, ENT_T_UINT64, 1, 0, false, "bits have no joint type" },
	{ "enum", ENT_MY_ENUM, ENT_T_TEXT, ENT_T_TEXT, 0, 0, false, "" },
	{ "set", ENT_MY_SET, ENT_T_TEXT, ENT_T_TEXT, 0, 0, false, "a set has no joint type" },
	{ "json", ENT_MY_JSON, ENT_T_TEXT, ENT_T_TEXT, 0, 4294967295u, false, "JSON has no joint type" },
	{ "uuid", ENT_MY_CAST, ENT_T_TEXT, ENT_T_TEXT, 0, 36, false, "" },
	{ "inet4", ENT_MY_CAST, ENT_T_TEXT, ENT_T_TEXT, 0, 15, false, "an address has no joint type" },
	{ "inet6", ENT_MY_CAST, ENT_T_TEXT, ENT_T_TEXT, 0, 45, false, "an address has no joint type" },
};

/* "(a)" or "(a,b)": how many numbers there were. */
static unsigned numbers_read(const char *at, unsigned out[2])
{
	unsigned n = 0;
	for (at++; n < 2 && *at >= '0' && *at <= '9'; at += *at == ',') {
		char *end;
		unsigned long v = strtoul(at, &end, 10);
		out[n++] = v > UINT32_MAX ? UINT32_MAX : (unsigned)v;
		at = end;
	}
	return n;
}

static void decimal_settle(struct ent_my_type *t, char reason[200])
{
	if (t->precision > 38) {
		t->kind = ENT_MY_CAST;
		t->bytes_max = t->precision + 3;
		t->type = (struct ent_type){ .id = ENT_T_TEXT };
		snprintf(reason, 200, "a decimal of more than 38 digits has no joint type; copies take it as text");
		return;
	}
	t->type.precision = (uint8_t)t->precision;
	t->type.scale = (uint8_t)t->scale;
	if (t->precision > 18)
		snprintf(reason, 200, "a decimal of more than 18 digits has no joint type");
}

/* The numbers in brackets mean something else for each kind. */
static bool numbers_settle(struct ent_my_type *t, const unsigned numbers[2], unsigned n)
{
	switch (t->kind) {
	case ENT_MY_DECIMAL:
		t->precision = n ? numbers[0] : 10;
		t->scale = n > 1 ? numbers[1] : 0;
		return t->precision >= 1 && t->precision <= 65 && t->scale <= t->precision && t->scale <= 38;
	case ENT_MY_DATETIME:
	case ENT_MY_TIMESTAMP:
	case ENT_MY_TIME:
		t->fraction = n ? numbers[0] : 0;
		return t->fraction <= 6;
	case ENT_MY_BIT:
		t->width = n ? numbers[0] : 1;
		return t->width >= 1 && t->width <= 64;
	case ENT_MY_TEXT:
	case ENT_MY_BINARY:
		t->bytes_max = n ? numbers[0] : t->fixed ? 1 : t->bytes_max;
		return true;
	case ENT_MY_INT: /* MySQL has no other way to say boolean, and keeps this one width for it */
		if (n && t->width == 1 && numbers[0] == 1 && !t->is_unsigned)
			t->type.id = ENT_T_BOOL;
		return true;
	case ENT_MY_FLOAT:
	case ENT_MY_DOUBLE:
	case ENT_MY_DATE:
	case ENT_MY_YEAR:
	case ENT_MY_ENUM:
	case ENT_MY_SET:
	case ENT_MY_JSON:
	case ENT_MY_CAST:
	case ENT_MY_NONE:
		break;
	}
	return true;
}

bool ent_my_type_parse(const char *native, struct ent_my_type *ret, char reason[200])
{
	size_t len = strcspn(native, "( ");
	unsigned numbers[2] = { 0 }, n;
	reason[0] = 0;
	for (size_t i = 0; i < ENT_COUNT(names); i++) {
		const struct name *k = &names[i];
		if (strlen(k->text) != len || memcmp(k->text, native, len) != 0)
			continue;
		bool is_unsigned = strstr(native + len, " unsigned") && k->kind != ENT_MY_ENUM && k->kind != ENT_MY_SET;
		*ret = (struct ent_my_type){ .kind = k->kind,
					     .is_unsigned = is_unsigned,
					     .fixed = k->fixed,
					     .width = k->width,
					     .bytes_max = k->bytes_max,
					     .type = { .id = is_unsigned ? k->type_unsigned : k->type } };
		n = native[len] == '(' ? numbers_read(native + len, numbers) : 0;
		if (!numbers_settle(ret, numbers, n))
			return false;
		snprintf(reason, 200, "%s",
			 ret->type.id == ENT_T_UINT64 && ret->kind == ENT_MY_INT ? "an unsigned bigint has no joint type" : k->reason);
		if (ret->kind == ENT_MY_DECIMAL)
			decimal_settle(ret, reason);
		return true;
	}
	return false;
}
