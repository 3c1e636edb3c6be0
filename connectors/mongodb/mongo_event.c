/* Change events and cursors. */
#include "mongo_event.h"

#include <stdio.h>
#include <stdlib.h>

static const char *text_at(const bson_iter_t *at) { return BSON_ITER_HOLDS_UTF8(at) ? bson_iter_utf8(at, NULL) : NULL; }

static bool view_of(const bson_iter_t *at, struct ent_bytes *ret)
{
	uint32_t len;
	const uint8_t *data;
	if (!BSON_ITER_HOLDS_DOCUMENT(at))
		return false;
	bson_iter_document(at, &len, &data);
	*ret = ent_bytes(data, len);
	return data != NULL;
}

static void place_read(const bson_iter_t *ns, struct ent_mongo_event *e)
{
	bson_iter_t in;
	if (!BSON_ITER_HOLDS_DOCUMENT(ns) || !bson_iter_recurse(ns, &in))
		return;
	while (bson_iter_next(&in)) {
		if (!strcmp(bson_iter_key(&in), "db"))
			e->db = text_at(&in);
		else if (!strcmp(bson_iter_key(&in), "coll"))
			e->collection = text_at(&in);
	}
}

static enum ent_mongo_event_kind kind_of(const char *name)
{
	static const struct {
		const char *name;
		enum ent_mongo_event_kind kind;
	} kinds[] = { { "insert", ENT_ME_INSERT },          { "update", ENT_ME_UPDATE },   { "replace", ENT_ME_UPDATE },
		      { "delete", ENT_ME_DELETE },          { "drop", ENT_ME_STOP },       { "rename", ENT_ME_STOP },
		      { "dropDatabase", ENT_ME_STOP },      { "invalidate", ENT_ME_STOP }, { "refineCollectionShardKey", ENT_ME_OTHER },
		      { "reshardCollection", ENT_ME_OTHER } };
	for (size_t i = 0; i < ENT_COUNT(kinds); i++)
		if (!strcmp(kinds[i].name, name))
			return kinds[i].kind;
	return ENT_ME_OTHER;
}

static void time_read(const bson_iter_t *at, struct ent_mongo_event *e)
{
	uint32_t seconds, count;
	if (!strcmp(bson_iter_key(at), "clusterTime") && BSON_ITER_HOLDS_TIMESTAMP(at)) {
		bson_iter_timestamp(at, &seconds, &count);
		if (!e->time_us)
			e->time_us = (int64_t)seconds * 1000000;
	} else if (!strcmp(bson_iter_key(at), "wallTime") && BSON_ITER_HOLDS_DATE_TIME(at)) {
		int64_t us;
		if (!__builtin_mul_overflow(bson_iter_date_time(at), 1000, &us))
			e->time_us = us;
	}
}

static void member_read(const bson_iter_t *at, struct ent_mongo_event *e, bool *has_key)
{
	const char *name = bson_iter_key(at);
	if (!strcmp(name, "operationType"))
		e->name = text_at(at);
	else if (!strcmp(name, "ns"))
		place_read(at, e);
	else if (!strcmp(name, "fullDocument"))
		e->has_full = view_of(at, &e->full);
	else if (!strcmp(name, "documentKey"))
		*has_key = view_of(at, &e->key);
	else if (!strcmp(name, "txnNumber") && BSON_ITER_HOLDS_INT64(at))
		e->number = bson_iter_int64(at);
	else if (!strcmp(name, "lsid"))
		(void)view_of(at, &e->session);
	else
		time_read(at, e);
}

int ent_mongo_event_read(const bson_t *doc, struct ent_mongo_event *ret, struct ent_err *err)
{
	struct ent_mongo_event e = { .number = -1 };
	bson_iter_t at;
	bool has_key = false, ok = bson_iter_init(&at, doc);
	while (ok && bson_iter_next(&at))
		member_read(&at, &e, &has_key);
	if (!ok || at.err_off || !e.name)
		return ent_fail(err, ENT_EDATA, "MongoDB sent a change that is not understood");
	e.kind = kind_of(e.name);
	bool rows = e.kind == ENT_ME_INSERT || e.kind == ENT_ME_UPDATE || e.kind == ENT_ME_DELETE;
	if (rows && (!has_key || !e.db || !e.collection || (e.kind == ENT_ME_INSERT && !e.has_full)))
		return ent_fail(err, ENT_EDATA, "MongoDB sent a change without document or key");
	if (e.number < 0)
		e.session = ent_bytes(NULL, 0);
	*ret = e;
	return 0;
}

bool ent_mongo_event_together(const struct ent_mongo_event *a, const struct ent_mongo_event *b)
{
	return a->session.len && a->number == b->number && ent_bytes_eq(a->session, b->session);
}

/* --- cursors --- */

int ent_mongo_cursor_text(const bson_t *token, char ret[ENT_MONGO_CURSOR_MAX], struct ent_err *err)
{
	bson_iter_t at;
	int n;
	if (bson_count_keys(token) == 1 && bson_iter_init_find(&at, token, "_data") && BSON_ITER_HOLDS_UTF8(&at)) {
		n = snprintf(ret, ENT_MONGO_CURSOR_MAX, "r:%s", bson_iter_utf8(&at, NULL));
	} else {
		char *json = bson_as_canonical_extended_json(token, NULL);
		n = json ? snprintf(ret, ENT_MONGO_CURSOR_MAX, "j:%s", json) : -1;
		bson_free(json);
	}
	if (n >= 0 && n < ENT_MONGO_CURSOR_MAX)
		return 0;
	ent_fail(err, ENT_EUNSUPPORTED, "a resume token of MongoDB is longer than %d bytes", ENT_MONGO_CURSOR_MAX - 1);
	return ent_why(err, "tokens repeat the document's _id, and this one is very long"), ENT_EUNSUPPORTED;
}

static bool time_parse(const char *cursor, uint32_t *seconds, uint32_t *count)
{
	char *end;
	if (strncmp(cursor, "t:", 2) != 0 || cursor[2] < '0' || cursor[2] > '9')
		return false;
	unsigned long long s = strtoull(cursor + 2, &end, 10);
	if (*end != ':' || end[1] < '0' || end[1] > '9')
		return false;
	unsigned long long c = strtoull(end + 1, &end, 10);
	*seconds = (uint32_t)s;
	*count = (uint32_t)c;
	return !*end && s <= UINT32_MAX && c <= UINT32_MAX;
}

int ent_mongo_cursor_options(const char *cursor, bson_t *opts, struct ent_err *err)
{
	uint32_t seconds, count;
	if (time_parse(cursor, &seconds, &count)) {
		BSON_APPEND_TIMESTAMP(opts, "startAtOperationTime", seconds, count);
		return 0;
	}
	bson_t *token = !strncmp(cursor, "r:", 2) && ent_utf8_valid(ent_bytes_str(cursor)) ? BCON_NEW("_data", BCON_UTF8(cursor + 2))
			: !strncmp(cursor, "j:", 2)                                        ? bson_new_from_json((const uint8_t *)cursor + 2, -1, NULL)
											   : NULL;
	if (!token)
		return ent_fail(err, ENT_EDATA, "this is no position in MongoDB's log: %.60s", cursor);
	BSON_APPEND_DOCUMENT(opts, "resumeAfter", token);
	bson_destroy(token);
	return 0;
}

/* The time within a token: after its first byte (0x82) in a server's, at the start in one of 16 digits. */
static bool token_time(const char *data, uint64_t *ret)
{
	const char *at = strlen(data) >= 18 && !strncmp(data, "82", 2) ? data + 2 : strlen(data) == 16 ? data : NULL;
	char digits[17], *end;
	if (!at)
		return false;
	memcpy(digits, at, 16);
	digits[16] = 0;
	*ret = strtoull(digits, &end, 16);
	return !*end && digits[0] != '-' && digits[0] != '+';
}

static bool cursor_time(const char *cursor, uint64_t *ret)
{
	uint32_t seconds, count;
	if (!strncmp(cursor, "r:", 2))
		return token_time(cursor + 2, ret);
	if (!time_parse(cursor, &seconds, &count))
		return false;
	*ret = (uint64_t)seconds << 32 | count;
	return true;
}

int ent_mongo_cursor_reached(const char *a, const char *b)
{
	uint64_t ta, tb;
	if (!strcmp(a, b))
		return 1;
	if (!cursor_time(a, &ta) || !cursor_time(b, &tb))
		return 0;
	if (ta != tb)
		return ta < tb;
	return !strncmp(a, "r:", 2) && !strncmp(b, "r:", 2) ? strcmp(a, b) <= 0 : 1;
}
