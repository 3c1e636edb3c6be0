/* Rows to documents: which BSON type each column becomes, nested documents rebuilt from dotted names. No connection. */
#ifndef ENT_MONGODB_ENCODE_H
#define ENT_MONGODB_ENCODE_H
#include "arrow/batch.h"
#include "entente/connector.h"
#include "mongo_column.h"

/* What a column of a table is written as: form, type and kind of value decided from both sides. */
struct ent_mongo_plan {
	struct ent_mongo_columns columns; /* in the order of the source's columns; path: where it goes */
	uint32_t *kinds;                  /* per column: the one ent_mongo_kind that is written; 0: any (JSON) */
	struct ent_mongo_node *tree;
	size_t n_keys;
	uint64_t rows_before; /* of earlier batches, for errors */
};
void ent_mongo_plan_deinit(struct ent_mongo_plan *p); /* zeroed is fine */

/* source: what read gave. keys: the columns that become _id; none: ENT_EUSAGE. existing: the columns of a collection that is there, or NULL.
 * lines (one per column, may be NULL) tell what becomes of each; with lines == NULL a refused column is ENT_EUNSUPPORTED by name. */
int ent_mongo_plan_make(struct ent_mongo_plan *p, const struct ArrowSchema *source, const char *const *keys, size_t n_keys,
			const struct ent_mongo_columns *existing, struct ent_map_line *lines, struct ent_err *err);
/* Row as a document; doc is initialised by the caller, and to be given up on failure. ENT_EDATA names row and column. */
int ent_mongo_encode(const struct ent_mongo_plan *p, const struct ent_batch *batch, size_t first_column, size_t row, bson_t *doc,
		     struct ent_err *err);
/* Only {_id: ...}. */
int ent_mongo_encode_key(const struct ent_mongo_plan *p, const struct ent_batch *batch, size_t first_column, size_t row, bson_t *doc,
			 struct ent_err *err);
/* One column's value, appended to doc under name; NULL is null. */
int ent_mongo_encode_value(const struct ent_mongo_plan *p, const struct ent_batch *batch, size_t first_column, size_t row, size_t column,
			   const char *name, bson_t *doc, struct ent_err *err);
#endif
