/* What a change stream's document says, and positions in the log as text. Bytes in, facts out; no connection (and fuzzed). */
#ifndef ENT_MONGODB_EVENT_H
#define ENT_MONGODB_EVENT_H
#include "mongo_bson.h"

enum ent_mongo_event_kind {
	ENT_ME_INSERT,
	ENT_ME_UPDATE, /* also replace */
	ENT_ME_DELETE,
	ENT_ME_STOP, /* dropped, renamed, invalidated: nothing sensible follows */
	ENT_ME_OTHER /* nothing that concerns rows */
};

struct ent_mongo_event { /* views into the document */
	enum ent_mongo_event_kind kind;
	const char *name; /* its operationType */
	const char *db, *collection;
	bool has_full;              /* the whole document; an update whose document is gone by now has none */
	struct ent_bytes full, key; /* documents */
	int64_t time_us;            /* 0 unknown */
	struct ent_bytes session;   /* raw lsid: with number names the transaction it is part of; empty: none */
	int64_t number;
};

/* ENT_EDATA: not an event. */
int ent_mongo_event_read(const bson_t *doc, struct ent_mongo_event *ret, struct ent_err *err);
/* Both are of one transaction. */
bool ent_mongo_event_together(const struct ent_mongo_event *a, const struct ent_mongo_event *b);

/* Cursors: "r:" and the resume token's data, "j:" and another token as JSON, "t:SECONDS:COUNT" a time of operation. */
#define ENT_MONGO_CURSOR_MAX 400
int ent_mongo_cursor_text(const bson_t *token, char ret[ENT_MONGO_CURSOR_MAX], struct ent_err *err);
/* Appends resumeAfter or startAtOperationTime to the options of a change stream. ENT_EDATA. */
int ent_mongo_cursor_options(const char *cursor, bson_t *opts, struct ent_err *err);
/* 1: a lies at or before b; 0: after it, or they cannot be compared. */
int ent_mongo_cursor_reached(const char *a, const char *b);
#endif
