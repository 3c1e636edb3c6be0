/* Foreign schemas: how many buffers each field has in a message, which columns can be read and as what. */
#include <stdio.h>
#include <stdlib.h>

#include "arrow/ipc_inner.h"

#define DEPTH_MAX 32

enum type_id { /* of the format */
	       T_NULL = 1,
	       T_INT,
	       T_FLOAT,
	       T_BINARY,
	       T_UTF8,
	       T_BOOL,
	       T_DECIMAL,
	       T_DATE,
	       T_TIME,
	       T_TIMESTAMP,
	       T_INTERVAL,
	       T_LIST,
	       T_STRUCT,
	       T_UNION,
	       T_FIXED_BINARY,
	       T_FIXED_LIST,
	       T_MAP,
	       T_DURATION,
	       T_LARGE_BINARY,
	       T_LARGE_UTF8,
	       T_LARGE_LIST,
	       T_RUN_END,
	       T_BINARY_VIEW,
	       T_UTF8_VIEW,
	       T_LIST_VIEW,
	       T_LARGE_LIST_VIEW,
	       T_COUNT
};

static const struct {
	const char *name;
	uint8_t buffers;
} kinds[T_COUNT] = {
	[T_NULL] = { "null", 0 },
	[T_INT] = { "int", 2 },
	[T_FLOAT] = { "float", 2 },
	[T_BINARY] = { "binary", 3 },
	[T_UTF8] = { "utf8", 3 },
	[T_BOOL] = { "bool", 2 },
	[T_DECIMAL] = { "decimal", 2 },
	[T_DATE] = { "date", 2 },
	[T_TIME] = { "time", 2 },
	[T_TIMESTAMP] = { "timestamp", 2 },
	[T_INTERVAL] = { "interval", 2 },
	[T_LIST] = { "list", 2 },
	[T_STRUCT] = { "struct", 1 },
	[T_UNION] = { "union", 1 },
	[T_FIXED_BINARY] = { "fixed_size_binary", 2 },
	[T_FIXED_LIST] = { "fixed_size_list", 1 },
	[T_MAP] = { "map", 2 },
	[T_DURATION] = { "duration", 2 },
	[T_LARGE_BINARY] = { "large_binary", 3 },
	[T_LARGE_UTF8] = { "large_utf8", 3 },
	[T_LARGE_LIST] = { "large_list", 2 },
	[T_RUN_END] = { "run_end_encoded", 0 },
	[T_BINARY_VIEW] = { "binary_view", 2 },
	[T_UTF8_VIEW] = { "utf8_view", 2 },
	[T_LIST_VIEW] = { "list_view", 3 },
	[T_LARGE_LIST_VIEW] = { "large_list_view", 3 },
};

static const char *const units[] = { "s", "ms", "us", "ns" };

static int bad_type(struct ent_err *err) { return ent_ipc_bad("a column's type is damaged", err); }

static void known(struct ent_ipc_field *f, enum ent_type_id id, enum ent_ipc_kind kind, uint32_t width, const char *format)
{
	f->type.id = id;
	f->kind = kind;
	f->width = width;
	f->copied = true;
	snprintf(f->format, sizeof f->format, "%s", format);
}

static void scaled(struct ent_ipc_field *f, enum ent_type_id id, uint32_t width, uint8_t to_width, int64_t multiply, int64_t divide,
		   const char *format)
{
	known(f, id, ENT_IPC_SCALE, width, format);
	f->to_width = to_width;
	f->multiply = multiply;
	f->divide = divide;
}

static int int_read(const struct ent_flat *t, struct ent_ipc_field *f, struct ent_err *err)
{
	static const char *const formats[2][4] = { { "C", "S", "I", "L" }, { "c", "s", "i", "l" } };
	uint64_t bits, is_signed;
	if (!ent_flat_number(t, 0, 4, &bits) || !ent_flat_number(t, 1, 1, &is_signed) || is_signed > 1)
		return bad_type(err);
	for (unsigned i = 0; i < 4; i++) {
		if (bits != 8u << i)
			continue;
		known(f, ENT_T_INT64, ENT_IPC_SAME, 1u << i, formats[is_signed][i]);
		snprintf(f->native, sizeof f->native, "%sint%u", is_signed ? "" : "u", (unsigned)bits);
		return ent_type_by_format(f->format, &f->type) ? 0 : bad_type(err);
	}
	return bad_type(err);
}

static int float_read(const struct ent_flat *t, struct ent_ipc_field *f, struct ent_err *err)
{
	static const char *const names[] = { "float16", "float32", "float64" };
	uint64_t precision;
	if (!ent_flat_number(t, 0, 2, &precision) || precision >= ENT_COUNT(names))
		return bad_type(err);
	snprintf(f->native, sizeof f->native, "%s", names[precision]);
	if (precision)
		known(f, precision == 1 ? ENT_T_REAL : ENT_T_DOUBLE, ENT_IPC_SAME, precision == 1 ? 4 : 8, precision == 1 ? "f" : "g");
	return 0;
}

static int decimal_read(const struct ent_flat *t, struct ent_ipc_field *f, struct ent_err *err)
{
	uint64_t precision, scale, bits;
	if (!ent_flat_number(t, 0, 4, &precision) || !ent_flat_number(t, 1, 4, &scale) || !ent_flat_number(t, 2, 4, &bits))
		return bad_type(err);
	bits = bits ? bits : 128;
	snprintf(f->native, sizeof f->native, "decimal%u(%u, %d)", (unsigned)bits, (unsigned)precision, (int)(int32_t)(uint32_t)scale);
	if (bits != 128 || !precision || precision > 38 || scale > precision)
		return 0;
	known(f, ENT_T_DECIMAL, ENT_IPC_SAME, 16, "");
	f->type.precision = (uint8_t)precision;
	f->type.scale = (uint8_t)scale;
	ent_type_format(f->type, f->format);
	return 0;
}

static int date_read(const struct ent_flat *t, struct ent_ipc_field *f, struct ent_err *err)
{
	uint64_t unit = 1;
	/* the default, DATE64, is 1: a field that is not written means it */
	struct ent_flat probe = *t;
	if (!ent_flat_number(&probe, 0, 2, &unit) || unit > 1)
		return bad_type(err);
	bool written = t->n_fields && ent_flat_le(t->all, t->vtable + 4, 2);
	if (!written || unit == 1)
		scaled(f, ENT_T_DATE, 8, 4, 1, 86400000, "tdD");
	else
		known(f, ENT_T_DATE, ENT_IPC_SAME, 4, "tdD");
	snprintf(f->native, sizeof f->native, f->kind == ENT_IPC_SAME ? "date32" : "date64");
	return 0;
}

static int time_read(const struct ent_flat *t, struct ent_ipc_field *f, struct ent_err *err)
{
	uint64_t unit, bits;
	bool written = t->n_fields && ent_flat_le(t->all, t->vtable + 4, 2); /* the default is milliseconds */
	if (!ent_flat_number(t, 0, 2, &unit) || !ent_flat_number(t, 1, 4, &bits) || unit > 3)
		return bad_type(err);
	unit = written ? unit : 1;
	bits = bits ? bits : 32;
	if (bits != (unit < 2 ? 32 : 64))
		return bad_type(err);
	snprintf(f->native, sizeof f->native, "time%u[%s]", (unsigned)bits, units[unit]);
	if (unit == 2)
		known(f, ENT_T_TIME, ENT_IPC_SAME, 8, "ttu");
	else
		scaled(f, ENT_T_TIME, (uint32_t)bits / 8, 8, unit == 0 ? 1000000 : unit == 1 ? 1000 : 1, unit == 3 ? 1000 : 1, "ttu");
	return 0;
}

static int timestamp_read(const struct ent_flat *t, struct ent_ipc_field *f, struct ent_err *err)
{
	static const char *const formats[] = { "tss:", "tsm:", "tsu:", "tsu:" };
	uint64_t unit;
	struct ent_bytes zone;
	char format[20];
	if (!ent_flat_number(t, 0, 2, &unit) || unit > 3 || !ent_flat_text(t, 1, &zone) || zone.len > 60 || !ent_utf8_valid(zone))
		return bad_type(err);
	enum ent_type_id id = zone.len ? ENT_T_TIMESTAMPTZ : ENT_T_TIMESTAMP; /* with a zone the numbers are UTC, whatever zone it is */
	snprintf(format, sizeof format, "%s%s", formats[unit], zone.len ? "UTC" : "");
	if (unit == 3)
		scaled(f, id, 8, 8, 1, 1000, format);
	else
		known(f, id, ENT_IPC_SAME, 8, format);
	snprintf(f->native, sizeof f->native, zone.len ? "timestamp[%s, tz=%.*s]" : "timestamp[%s]", units[unit], (int)zone.len,
		 (const char *)zone.data);
	return 0;
}

static int fixed_read(const struct ent_flat *t, struct ent_ipc_field *f, struct ent_err *err)
{
	uint64_t width;
	if (!ent_flat_number(t, 0, 4, &width) || width > INT32_MAX)
		return bad_type(err);
	snprintf(f->native, sizeof f->native, "fixed_size_binary[%u]", (unsigned)width);
	if (width)
		known(f, ENT_T_BINARY, ENT_IPC_BLOCK, (uint32_t)width, "z");
	return 0;
}

static int type_read(enum type_id id, const struct ent_flat *t, struct ent_ipc_field *f, struct ent_err *err)
{
	snprintf(f->native, sizeof f->native, "%s", kinds[id].name);
	switch (id) {
	case T_INT:
		return int_read(t, f, err);
	case T_FLOAT:
		return float_read(t, f, err);
	case T_DECIMAL:
		return decimal_read(t, f, err);
	case T_DATE:
		return date_read(t, f, err);
	case T_TIME:
		return time_read(t, f, err);
	case T_TIMESTAMP:
		return timestamp_read(t, f, err);
	case T_FIXED_BINARY:
		return fixed_read(t, f, err);
	case T_BOOL:
		known(f, ENT_T_BOOL, ENT_IPC_BITS, 0, "b");
		return 0;
	case T_UTF8:
	case T_LARGE_UTF8:
		known(f, ENT_T_TEXT, ENT_IPC_TEXT, id == T_UTF8 ? 4 : 8, "u");
		return 0;
	case T_BINARY:
	case T_LARGE_BINARY:
		known(f, ENT_T_BINARY, ENT_IPC_TEXT, id == T_BINARY ? 4 : 8, "z");
		return 0;
	case T_BINARY_VIEW:
	case T_UTF8_VIEW:
		known(f, id == T_UTF8_VIEW ? ENT_T_TEXT : ENT_T_BINARY, ENT_IPC_VIEW, 16, id == T_UTF8_VIEW ? "u" : "z");
		return 0;
	case T_NULL:
	case T_INTERVAL:
	case T_LIST:
	case T_STRUCT:
	case T_UNION:
	case T_FIXED_LIST:
	case T_MAP:
	case T_DURATION:
	case T_LARGE_LIST:
	case T_RUN_END:
	case T_LIST_VIEW:
	case T_LARGE_LIST_VIEW:
	case T_COUNT:
		return 0;
	}
	return 0;
}

/* Unions: a buffer of types, of offsets when dense; with metadata version 4 also validity. */
static int union_buffers(const struct ent_flat *t, bool v4, uint8_t *ret, struct ent_err *err)
{
	uint64_t mode;
	if (!ent_flat_number(t, 0, 2, &mode) || mode > 1)
		return bad_type(err);
	*ret = (uint8_t)(1 + (mode == 1) + v4);
	return 0;
}

/* Which dictionary, and how wide the indices are; f is as its values are. */
static int dictionary_read(const struct ent_flat *t, struct ent_ipc_field *f, struct ent_err *err)
{
	struct ent_flat index;
	uint64_t id, bits = 32, is_signed = 1, kind;
	char values[sizeof f->native];
	bool there;
	if (!ent_flat_number(t, 0, 8, &id) || !ent_flat_table(t, 1, &index, &there) || !ent_flat_number(t, 3, 2, &kind) ||
	    (there && (!ent_flat_number(&index, 0, 4, &bits) || !ent_flat_number(&index, 1, 1, &is_signed))) || is_signed > 1 || kind)
		return bad_type(err);
	if (bits != 8 && bits != 16 && bits != 32 && bits != 64)
		return bad_type(err);
	f->coded = true;
	f->n_buffers = 2;
	f->dictionary = (int64_t)id;
	f->index_width = (uint8_t)(bits / 8);
	f->index_signed = is_signed;
	memcpy(values, f->native, sizeof values);
	snprintf(f->native, sizeof f->native, "dictionary<%.100s>", values);
	return 0;
}

struct walk {
	struct ent_ipc *f;
	bool v4;
};

static int field_read(struct walk *w, const struct ent_flat *field, int32_t column, unsigned depth, struct ent_err *err);

static int children_read(struct walk *w, const struct ent_flat *field, unsigned depth, struct ent_err *err)
{
	struct ent_flat_vector children;
	if (!ent_flat_vector(field, 5, 4, &children) || (children.n && depth == DEPTH_MAX))
		return ent_ipc_bad("its columns are nested too deeply, or damaged", err);
	for (size_t i = 0; i < children.n; i++) {
		struct ent_flat child;
		if (!ent_flat_item(field, &children, i, &child))
			return ent_ipc_bad("a nested column is damaged", err);
		ENT_TRY(field_read(w, &child, -1, depth + 1, err));
	}
	return 0;
}

static int field_read(struct walk *w, const struct ent_flat *field, int32_t column, unsigned depth, struct ent_err *err)
{
	struct ent_flat type, dictionary;
	uint64_t id;
	bool typed = false, coded = false;
	if (w->f->n_fields == ENT_IPC_FIELDS_MAX)
		return ent_fail(err, ENT_EUNSUPPORTED, "the Arrow file has more than %d columns, nested ones counted", ENT_IPC_FIELDS_MAX);
	if (!ent_flat_number(field, 2, 1, &id) || !ent_flat_table(field, 3, &type, &typed) || !typed ||
	    !ent_flat_table(field, 4, &dictionary, &coded))
		return bad_type(err);
	if (!id || id >= T_COUNT)
		return ent_fail(err, ENT_EUNSUPPORTED, "the Arrow file has a column of type number %u, which is not known here", (unsigned)id);
	struct ent_ipc_field *f = &w->f->fields[w->f->n_fields++];
	*f = (struct ent_ipc_field){ .column = column, .n_buffers = kinds[id].buffers, .multiply = 1, .divide = 1 };
	f->variadic = !coded && (id == T_BINARY_VIEW || id == T_UTF8_VIEW);
	ENT_TRY(type_read((enum type_id)id, &type, f, err));
	if (coded) /* its indices stand in the batches, and nothing of its children */
		ENT_TRY(dictionary_read(&dictionary, f, err));
	else if (id == T_UNION)
		ENT_TRY(union_buffers(&type, w->v4, &f->n_buffers, err));
	if (!f->copied)
		snprintf(f->unsupported, sizeof f->unsupported, "type %s has no joint meaning", f->native);
	else if (!ent_type_is_joint(f->type))
		snprintf(f->unsupported, sizeof f->unsupported, "type %s is for copies only", f->native);
	return coded ? 0 : children_read(w, field, depth, err);
}

static int column_name(struct ent_ipc *f, const struct ent_flat *field, struct ent_field *ret, struct ent_err *err)
{
	struct ent_bytes name;
	uint64_t nullable;
	if (!ent_flat_text(field, 0, &name) || !ent_flat_number(field, 1, 1, &nullable))
		return ent_ipc_bad("a column's name is damaged", err);
	if (!name.len || name.len > 255 || !ent_utf8_valid(name) || memchr(name.data, 0, name.len))
		return ent_fail(err, ENT_EUNSUPPORTED, "the Arrow file has a column whose name is empty, too long or not UTF-8");
	for (size_t i = 0; i < f->n_columns; i++)
		if (ent_bytes_eq(name, ent_bytes_str(f->columns[i].name)))
			return ent_fail(err, ENT_EUNSUPPORTED, "the Arrow file has two columns named %.200s", f->columns[i].name);
	ret->name = strndup((const char *)name.data, name.len);
	ret->nullable = nullable != 0;
	return ret->name ? 0 : ent_nomem(err);
}

static int column_read(struct walk *w, const struct ent_flat *schema, const struct ent_flat_vector *all, size_t i, struct ent_err *err)
{
	struct ent_ipc *f = w->f;
	struct ent_flat field;
	size_t at = f->n_fields;
	if (!ent_flat_item(schema, all, i, &field))
		return ent_ipc_bad("a column is damaged", err);
	struct ent_field *c = &f->columns[i];
	ENT_TRY(column_name(f, &field, c, err));
	f->n_columns++;
	ENT_TRY(field_read(w, &field, (int32_t)i, 0, err));
	f->field_of[i] = at;
	c->type = f->fields[at].type;
	c->native = f->fields[at].native;
	c->unsupported = f->fields[at].unsupported[0] ? f->fields[at].unsupported : NULL;
	c->copied = f->fields[at].copied;
	c->format = f->fields[at].copied ? f->fields[at].format : NULL;
	return 0;
}

int ent_ipc_schema_read(struct ent_ipc *f, const struct ent_flat *schema, bool v4, struct ent_err *err)
{
	struct walk w = { f, v4 };
	struct ent_flat_vector all;
	uint64_t endian;
	if (f->fields)
		return ent_ipc_bad("it has two schemas", err);
	if (!ent_flat_number(schema, 0, 2, &endian) || !ent_flat_vector(schema, 1, 4, &all))
		return ent_ipc_bad("its schema is damaged", err);
	if (endian)
		return ent_fail(err, ENT_EUNSUPPORTED, "the Arrow file is big-endian");
	if (!all.n || all.n > ENT_COLUMNS_MAX)
		return ent_fail(err, ENT_EUNSUPPORTED, "the Arrow file has %zu columns; 1 to %u are possible", all.n, ENT_COLUMNS_MAX);
	f->fields = (struct ent_ipc_field *)calloc(ENT_IPC_FIELDS_MAX, sizeof *f->fields);
	f->columns = (struct ent_field *)calloc(all.n, sizeof *f->columns);
	f->field_of = (size_t *)calloc(all.n, sizeof *f->field_of);
	if (!f->fields || !f->columns || !f->field_of)
		return ent_nomem(err);
	for (size_t i = 0; i < all.n; i++)
		ENT_TRY(column_read(&w, schema, &all, i, err));
	return ent_schema_new(f->columns, f->n_columns, NULL, &f->schema, err);
}
