/* The MongoDB connector's own parts: one session, what is known about a collection, streams, sinks, changes. */
#ifndef ENT_MONGODB_MONGO_H
#define ENT_MONGODB_MONGO_H
#include <mongoc/mongoc.h>

#include "arrow/stream.h"
#include "entente/connector.h"
#include "mongo_bson.h"

#define ENT_MONGO_SCHEMAS "_entente_schema"         /* collection: the columns that a copy wrote, one document per collection */
#define ENT_MONGO_CHECKPOINTS "_entente_checkpoint" /* collection: see mongo_checkpoint.c */
#define ENT_MONGO_META_COLUMNS "entente.columns"    /* of a schema of images: the columns kept beside the source, as JSON */
#define ENT_MONGO_ATTEMPTS 6                        /* after a broken connection, 0.1 s to 3.2 s apart */

struct ent_mongo_table { /* one described object */
	struct ent_mongo_table *next;
	char *object, db[65], name[256];
	bool there;
	char uuid[33];
	char *kept; /* the document of ENT_MONGO_SCHEMAS as JSON, by bson_free; NULL: none */
	struct ent_mongo_columns columns;
};

struct ent_source {
	struct ent_host host;
	mongoc_uri_t *uri;
	mongoc_client_t *client;
	bool write;
	struct ent_buf declared; /* text of --schema */
	struct ent_mongo_table *tables;
};

/* --- mongo_session.c --- */
int ent_mongo_connect(struct ent_source *s, const char *url, const struct ent_option *options, size_t n_options, struct ent_err *err);
/* Forgets the connection and makes a new one; cursors of the old one must be gone. Waits before, longer with every attempt (from 0). */
int ent_mongo_reconnect(struct ent_source *s, unsigned attempt, struct ent_err *err);
/* Fills err from a failed call, with the server's code in vendor. Returns the code. */
int ent_mongo_fail(const bson_error_t *e, const char *what, struct ent_err *err);
bool ent_mongo_lost(const bson_error_t *e); /* the connection broke or the server changes its role: worth another attempt */
int ent_mongo_cancelled(const struct ent_source *s, struct ent_err *err);
void ent_mongo_sleep(struct ent_source *s, unsigned ms); /* less when cancelled */
uint64_t ent_mongo_now_ms(void);
/* Runs a command of ours on a database; reply (may be NULL) is the caller's to destroy, on success only. */
int ent_mongo_command(struct ent_source *s, const char *db, const bson_t *command, bson_t *reply, const char *what, struct ent_err *err);

static inline void ent_mongo_bson_freep(bson_t **b)
{
	if (*b)
		bson_destroy(*b);
}
static inline void ent_mongo_cursor_freep(mongoc_cursor_t **c) { mongoc_cursor_destroy(*c); }
static inline void ent_mongo_collection_freep(mongoc_collection_t **c) { mongoc_collection_destroy(*c); }
#define ENT_BSON_AUTO ENT_CLEANUP(ent_mongo_bson_freep) bson_t *
#define ENT_CURSOR_AUTO ENT_CLEANUP(ent_mongo_cursor_freep) mongoc_cursor_t *
#define ENT_COLLECTION_AUTO ENT_CLEANUP(ent_mongo_collection_freep) mongoc_collection_t *

/* --- mongo_table.c --- */
/* "collection" of the database in the address, or "database.collection" when the address names none. */
int ent_mongo_object_split(const struct ent_source *s, const char *object, char db[65], char name[256], struct ent_err *err);
/* Samples at the first use; lent until the source closes or ent_mongo_tables_forget. A collection that is not there: there is false. */
int ent_mongo_table_get(struct ent_source *s, const char *object, struct ent_mongo_table **ret, struct ent_err *err);
void ent_mongo_tables_forget(struct ent_source *s);
/* Keeps the columns of a collection for later readers. */
int ent_mongo_schema_store(struct ent_source *s, const char *db, const char *name, const struct ent_mongo_columns *c, struct ent_err *err);
/* uuid (may be NULL): the collection's own, as hexadecimal digits; "" when the server tells none. */
int ent_mongo_collection_there(struct ent_source *s, const char *db, const char *name, bool *ret, char uuid[33], struct ent_err *err);

/* --- mongo_read.c --- */
int ent_mongo_scan(struct ent_source *s, const char *object, const char *const *columns, size_t n_columns, struct ArrowArrayStream *ret,
		   struct ent_err *err);
int ent_mongo_read(struct ent_source *s, const struct ent_read *what, struct ArrowArrayStream *ret, struct ent_err *err);
int ent_mongo_plan(struct ent_source *s, const char *object, uint64_t rows_per_split, int (*take)(void *arg, const char *split, int64_t rows),
		   void *arg, struct ent_err *err);
#endif
