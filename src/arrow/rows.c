/* Canonical bytes of a schema and of rows: the format is in rows.h and must never change. */
#include "arrow/rows.h"

#include <math.h>

static const char letters[ENT_T_COUNT + 1] = "bsildfgDtzuLTB";

/* enum order: BOOL INT16 INT32 INT64 DECIMAL REAL DOUBLE DATE TIMESTAMP TIMESTAMPTZ TEXT UINT64 TIME BINARY */
_Static_assert(ENT_T_COUNT == 14 && ENT_T_DECIMAL == 4 && ENT_T_TEXT == 10, "one letter per type");

int ent_rows_put_schema(const struct ArrowSchema *schema, struct ent_buf *out, struct ent_err *err)
{
	ENT_TRY(ent_schema_check(schema, err));
	ent_buf_be16(out, (uint16_t)schema->n_children);
	for (size_t i = 0; i < (size_t)schema->n_children; i++) {
		struct ent_field_info f;
		ent_schema_field(schema, i, &f);
		if (!f.copied)
			return ent_fail(err, ENT_EUNSUPPORTED, "column %s has no canonical form: %s", f.name, f.unsupported);
		size_t len = strlen(f.name);
		ent_buf_be16(out, (uint16_t)len);
		ent_buf_put(out, f.name, len);
		ent_buf_u8(out, (uint8_t)letters[f.type.id]);
		ent_buf_u8(out, f.type.precision);
		ent_buf_u8(out, f.type.scale);
		ent_buf_u8(out, f.nullable);
	}
	return ent_buf_check(out, err);
}

static void put_real(double d, struct ent_buf *out)
{
	uint64_t bits;
	memcpy(&bits, &d, sizeof bits);
	ent_buf_be64(out, isnan(d) ? 0x7ff8000000000000u : bits);
}

static void put_value(const struct ent_view *v, size_t row, struct ent_buf *out)
{
	if (ent_type_is_bytes(v->type)) {
		struct ent_bytes text = ent_view_text(v, row);
		ent_buf_be32(out, (uint32_t)text.len);
		ent_buf_put(out, text.data, text.len);
	} else if (v->type.id == ENT_T_DECIMAL) {
		ent_u128 wide = (ent_u128)ent_view_wide(v, row);
		ent_buf_be64(out, (uint64_t)(wide >> 64));
		ent_buf_be64(out, (uint64_t)wide);
	} else if (ent_type_is_float(v->type)) {
		put_real(ent_view_real(v, row), out);
	} else if (v->type.id == ENT_T_BOOL) {
		ent_buf_u8(out, (uint8_t)ent_view_int(v, row));
	} else {
		ent_buf_be64(out, (uint64_t)ent_view_int(v, row));
	}
}

void ent_rows_put(const struct ent_batch *batch, size_t row, struct ent_buf *out)
{
	for (size_t c = 0; c < batch->n_columns; c++) {
		bool null = ent_view_null(&batch->columns[c], row);
		ent_buf_u8(out, !null);
		if (!null)
			put_value(&batch->columns[c], row, out);
	}
}
