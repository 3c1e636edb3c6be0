/* One schema with a column of every joint type, and rows for it: ordinary, NULL and extreme ones. */
#ifndef ENT_TEST_ARROW_CASE_H
#define ENT_TEST_ARROW_CASE_H
#include "arrow/builder.h"
#include "tap.h"

static const struct ent_field case_fields[] = {
	{ "flag", { ENT_T_BOOL, 0, 0 }, true, "bool", NULL },
	{ "small", { ENT_T_INT16, 0, 0 }, true, NULL, NULL },
	{ "int", { ENT_T_INT32, 0, 0 }, true, NULL, NULL },
	{ "big", { ENT_T_INT64, 0, 0 }, true, NULL, NULL },
	{ "money", { ENT_T_DECIMAL, 12, 2 }, true, "numeric(12,2)", NULL },
	{ "real", { ENT_T_REAL, 0, 0 }, true, NULL, NULL },
	{ "double", { ENT_T_DOUBLE, 0, 0 }, true, NULL, NULL },
	{ "day", { ENT_T_DATE, 0, 0 }, true, NULL, NULL },
	{ "at", { ENT_T_TIMESTAMP, 0, 0 }, true, NULL, NULL },
	{ "instant", { ENT_T_TIMESTAMPTZ, 0, 0 }, true, NULL, NULL },
	{ "text", { ENT_T_TEXT, 0, 0 }, true, NULL, NULL },
	{ "id", { ENT_T_INT32, 0, 0 }, false, NULL, NULL },
};
#define CASE_COLUMNS ENT_COUNT(case_fields)

static inline void case_schema(struct ArrowSchema *ret)
{
	struct ent_err e = ENT_ERR_INIT;
	if (ent_schema_new(case_fields, CASE_COLUMNS, "id", ret, &e))
		OK(0, "schema: %s", e.what);
}

static inline int case_numbers(struct ent_builder *b, int64_t v, double d)
{
	int bad = ent_builder_int(b, 0, v & 1, NULL) || ent_builder_int(b, 1, v, NULL) || ent_builder_int(b, 2, v, NULL) ||
		  ent_builder_int(b, 3, v, NULL);
	bad = bad || ent_builder_int(b, 4, v, NULL) || ent_builder_real(b, 5, d, NULL) || ent_builder_real(b, 6, d, NULL);
	return bad || ent_builder_int(b, 7, v, NULL) || ent_builder_int(b, 8, v, NULL) || ent_builder_int(b, 9, v, NULL);
}

/* Rows: 0 ordinary, 1 all NULL, 2 negative with an empty text, 3 text that CSV and terminals mind. */
static inline void case_rows(struct ent_builder *b)
{
	static const char *texts[] = { "plain", NULL, "", "a,\"b\"\n\x1b[31m \xe6\xbc\xa2" };
	for (int r = 0; r < 4; r++) {
		for (size_t c = 0; r == 1 && c + 1 < CASE_COLUMNS; c++)
			OK(!ent_builder_null(b, c, NULL), "NULL in column %zu", c);
		if (r != 1)
			OK(!case_numbers(b, r == 0 ? 1234 : -r, r == 0 ? 0.5 : -1e10), "numbers of row %d", r);
		if (texts[r])
			OK(!ent_builder_text(b, 10, ent_bytes_str(texts[r]), NULL), "text of row %d", r);
		OK(!ent_builder_int(b, 11, r, NULL), "id of row %d", r);
	}
}

static inline void case_batch(const struct ArrowSchema *schema, struct ArrowArray *ret)
{
	struct ent_builder *b = NULL;
	OK_INT(ent_builder_new(schema, 0, &b, NULL), 0, "builder");
	case_rows(b);
	OK_INT(ent_builder_finish(b, ret, NULL), 0, "finish");
	ent_builder_free(b);
}
#endif
