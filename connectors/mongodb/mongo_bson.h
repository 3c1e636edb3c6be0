/* BSON documents to rows, and rows to BSON documents. Bytes in, values out; no connection (and fuzzed). */
#ifndef ENT_MONGODB_BSON_H
#define ENT_MONGODB_BSON_H
#include "mongo_column.h"

struct ent_mongo_decoder {
	const struct ent_mongo_columns *columns; /* borrowed, like tree */
	const struct ent_mongo_node *tree;
	struct ent_builder *builder; /* borrowed; its columns are those of columns, from first_column on */
	size_t first_column;
	bool strict; /* a field that no column reads is an error: a copy would lose it */
	uint64_t rows;
	uint64_t *seen; /* per column: the row that set it last */
	uint16_t *micros;
};
/* columns, tree, builder: set by the caller before. */
int ent_mongo_decoder_init(struct ent_mongo_decoder *d, struct ent_err *err);
void ent_mongo_decoder_deinit(struct ent_mongo_decoder *d); /* zeroed is fine */
/* One document becomes one row of the builder. ENT_EDATA names row and column, never the value; the batch is then to be given up. */
int ent_mongo_decode(struct ent_mongo_decoder *d, const bson_t *doc, struct ent_err *err);
/* Only the fields of _id; every other column is NULL. For deleted documents. */
int ent_mongo_decode_key(struct ent_mongo_decoder *d, const bson_t *key, struct ent_err *err);

/* Every field of the document has its column. */
bool ent_mongo_knows(const struct ent_mongo_node *tree, const bson_t *doc);

/* Canonical extended JSON of one value, without blanks. ENT_EDATA: not UTF-8, or nested too deep. */
int ent_mongo_json(const bson_iter_t *at, struct ent_buf *out, struct ent_err *err);
#endif
