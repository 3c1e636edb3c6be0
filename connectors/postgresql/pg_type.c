/* Types: which joint type, copying type and wire kind a PostgreSQL type has. A type that is not listed travels as its text. */
#include <stdio.h>

#include "pg.h"

static const struct {
	unsigned oid;
	enum ent_type_id type;
	enum ent_pg_kind kind;
	bool cast; /* its text is what travels */
	bool copies_only;
} types[] = { { ENT_PG_OID_BOOL, ENT_T_BOOL, ENT_PG_BOOL, false, false },
	      { ENT_PG_OID_INT2, ENT_T_INT16, ENT_PG_INT2, false, false },
	      { ENT_PG_OID_INT4, ENT_T_INT32, ENT_PG_INT4, false, false },
	      { ENT_PG_OID_INT8, ENT_T_INT64, ENT_PG_INT8, false, false },
	      { ENT_PG_OID_FLOAT4, ENT_T_REAL, ENT_PG_FLOAT4, false, false },
	      { ENT_PG_OID_FLOAT8, ENT_T_DOUBLE, ENT_PG_FLOAT8, false, false },
	      { ENT_PG_OID_DATE, ENT_T_DATE, ENT_PG_DATE, false, false },
	      { ENT_PG_OID_TIMESTAMP, ENT_T_TIMESTAMP, ENT_PG_TIMESTAMP, false, false },
	      { ENT_PG_OID_TIMESTAMPTZ, ENT_T_TIMESTAMPTZ, ENT_PG_TIMESTAMP, false, false },
	      { ENT_PG_OID_TEXT, ENT_T_TEXT, ENT_PG_TEXT, false, false },
	      { ENT_PG_OID_VARCHAR, ENT_T_TEXT, ENT_PG_TEXT, true, false },
	      { ENT_PG_OID_BPCHAR, ENT_T_TEXT, ENT_PG_TEXT, true, false }, /* as text it loses its padding, as it does in comparisons */
	      { ENT_PG_OID_NAME, ENT_T_TEXT, ENT_PG_TEXT, true, false },
	      { ENT_PG_OID_UUID, ENT_T_TEXT, ENT_PG_TEXT, true, false },
	      { ENT_PG_OID_NUMERIC, ENT_T_DECIMAL, ENT_PG_NUMERIC, false, false },
	      { ENT_PG_OID_TIME, ENT_T_TIME, ENT_PG_TIME, false, true },
	      { ENT_PG_OID_BYTEA, ENT_T_BINARY, ENT_PG_BYTES, false, true } };

/* The modifier of a numeric: ((precision << 16) | scale in 11 bits) + 4; -1 when none was declared. */
static bool numeric_type(int modifier, struct ent_type *ret, char reason[200])
{
	int precision = (modifier - 4) >> 16 & 0xffff, scale = (modifier - 4) & 0x7ff;
	if (modifier < 4)
		snprintf(reason, 200, "numeric without precision has no joint type; offer a view with numeric(p,s), p up to 18");
	else if (precision > 38 || scale > precision)
		snprintf(reason, 200, "this numeric has more than 38 digits or an unusual scale");
	else
		*ret = (struct ent_type){ ENT_T_DECIMAL, (uint8_t)precision, (uint8_t)scale };
	return modifier >= 4 && precision <= 38 && scale <= precision;
}

bool ent_pg_type(unsigned oid, int modifier, bool is_enum, struct ent_type *ret, enum ent_pg_kind *ret_kind, bool *ret_cast, char reason[200])
{
	*ret = (struct ent_type){ .id = ENT_T_TEXT };
	*ret_kind = ENT_PG_TEXT;
	*ret_cast = is_enum;
	if (is_enum)
		return true;
	for (size_t i = 0; i < ENT_COUNT(types); i++) {
		if (types[i].oid == oid && !types[i].copies_only) {
			*ret = (struct ent_type){ .id = types[i].type };
			*ret_kind = types[i].kind;
			*ret_cast = types[i].cast;
			return oid != ENT_PG_OID_NUMERIC || numeric_type(modifier, ret, reason);
		}
	}
	snprintf(reason, 200, "this type has no joint type");
	return false;
}

void ent_pg_type_copied(unsigned oid, int modifier, struct ent_type *ret, enum ent_pg_kind *ret_kind, bool *ret_cast)
{
	char reason[200];
	*ret = (struct ent_type){ .id = ENT_T_TEXT };
	*ret_kind = ENT_PG_TEXT;
	*ret_cast = true;
	for (size_t i = 0; i < ENT_COUNT(types); i++) {
		if (types[i].oid != oid || (oid == ENT_PG_OID_NUMERIC && !numeric_type(modifier, ret, reason)))
			continue;
		if (oid != ENT_PG_OID_NUMERIC)
			*ret = (struct ent_type){ .id = types[i].type };
		*ret_kind = types[i].kind;
		*ret_cast = types[i].cast;
	}
}

unsigned ent_pg_type_oid(struct ent_type t)
{
	for (size_t i = 0; i < ENT_COUNT(types); i++)
		if (types[i].type == t.id && !types[i].cast)
			return types[i].oid;
	return 0;
}

void ent_pg_type_native(struct ent_type t, char out[ENT_TYPE_TEXT_MAX])
{
	if (t.id == ENT_T_UINT64)
		snprintf(out, ENT_TYPE_TEXT_MAX, "numeric(20,0)");
	else if (t.id == ENT_T_BINARY)
		snprintf(out, ENT_TYPE_TEXT_MAX, "bytea");
	else if (t.id == ENT_T_TIME)
		snprintf(out, ENT_TYPE_TEXT_MAX, "time without time zone");
	else if (t.id == ENT_T_DECIMAL)
		snprintf(out, ENT_TYPE_TEXT_MAX, "numeric(%u,%u)", t.precision, t.scale);
	else
		ent_type_name(t, out);
}

void ent_pg_name(struct ent_buf *out, const char *name)
{
	ent_buf_u8(out, '"');
	for (; *name; name++) {
		if (*name == '"')
			ent_buf_u8(out, '"');
		ent_buf_u8(out, (uint8_t)*name);
	}
	ent_buf_u8(out, '"');
}

void ent_pg_literal(struct ent_buf *out, const char *text)
{
	ent_buf_str(out, strchr(text, '\\') ? " E'" : "'");
	for (; *text; text++) {
		if (*text == '\'' || *text == '\\')
			ent_buf_u8(out, (uint8_t)*text);
		ent_buf_u8(out, (uint8_t)*text);
	}
	ent_buf_u8(out, '\'');
}
