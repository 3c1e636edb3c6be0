/* Values of a batch as COPY wants them. How a column is written follows from both sides: the field's type and the target column's type in the
 * catalogue. Knows nothing of connections. */
#ifndef ENT_POSTGRESQL_ENCODE_H
#define ENT_POSTGRESQL_ENCODE_H
#include "arrow/batch.h"
#include "entente/connector.h"
#include "pg_wire.h"

enum ent_pg_form { /* the bytes of one value */
		   ENT_PG_AS_BOOL,
		   ENT_PG_AS_INT2,
		   ENT_PG_AS_INT4,
		   ENT_PG_AS_INT8,
		   ENT_PG_AS_FLOAT4,
		   ENT_PG_AS_FLOAT8,
		   ENT_PG_AS_NUMERIC,
		   ENT_PG_AS_DATE,
		   ENT_PG_AS_TIMESTAMP,
		   ENT_PG_AS_TIME,
		   ENT_PG_AS_TEXT,
		   ENT_PG_AS_JSONB,
		   ENT_PG_AS_UUID,
		   ENT_PG_AS_BYTES,
		   ENT_PG_AS_PARSED /* the server parses the text: only in COPY's text format */
};

struct ent_pg_put {           /* one column on its way; the first part is the caller's */
	const char *name;     /* borrowed */
	struct ent_type type; /* of the field */
	unsigned oid;         /* of the target column, domains resolved */
	int modifier;
	bool is_enum, same_native;

	enum ent_pg_form form;
	int precision, scale;  /* of the target's numeric; precision 0: any */
	int64_t fraction;      /* microseconds a time must be a multiple of */
	size_t characters_max; /* of the target's varchar or char; 0: any */
};

/* Chooses the form and the limits. Returns the verdict; why is filled when there is something to say. */
enum ent_map_verdict ent_pg_put_choose(struct ent_pg_put *p, char why[200]);

/* One row in COPY's binary (or text) format, appended to out; columns[i] goes to puts[i], from row rows[i] (rows NULL: all from row). row_name
 * counts from 1, for errors. A value that the target cannot hold exactly is ENT_EDATA by row, column and text. */
int ent_pg_row_put(const struct ent_pg_put *puts, const struct ent_view *const *columns, size_t n, bool as_text, const size_t *rows, size_t row,
		   uint64_t row_name, struct ent_buf *out, struct ent_err *err);
/* One value that is not NULL as the text the server reads, after the same checks. */
int ent_pg_value_text(const struct ent_pg_put *p, const struct ent_view *v, size_t row, uint64_t row_name, struct ent_buf *out, struct ent_err *err);
void ent_pg_copy_header_put(struct ent_buf *out);
#endif
