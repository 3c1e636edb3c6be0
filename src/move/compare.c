/* Are two tables equal, and if not, which keys differ? Stores of one kind sum split by split, and only splits that differ are read. Memory is
 * bounded: rows go to buckets by the hash of their key, a bucket is a digest of its rows; only buckets that differ are read again, as many at a
 * time as the memory holds, until enough differing keys are found. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "arrow/stream.h"
#include "crypto/hash.h"
#include "move/canon.h"
#include "move/digest.h"
#include "move/move.h"

#define BUCKETS 65536u
#define LIMIT_DEFAULT 20u
#define MEMORY_DEFAULT ((size_t)64 << 20)
#define ROW_BYTES_MAX ((size_t)128 << 20)
#define KEYS_MAX 64
#define SPLIT_ROWS_DEFAULT 1000000u /* smaller tables are summed as one: at one moment */

struct kept { /* a row of a bucket that is looked at: key and all values, canonical, then their texts */
	uint32_t key_len, canon_len, text_len;
	uint8_t *bytes;
};

struct comparing;

struct side {
	struct comparing *all;
	const struct ent_move_end *end;
	const char *where;
	struct ent_move_session session;
	struct ArrowSchema described;
	struct ent_move_digest *buckets;
	uint64_t *bytes; /* of each bucket */
	struct ent_move_digest digest;
	struct ent_canon *canon;   /* of every column compared */
	struct ent_checksum *sums; /* of every split, by the store */
	struct kept *kept;
	size_t n_kept, cap_kept, kept_bytes;
	struct ent_err err;
	pthread_t thread;
	bool running;
};

struct comparing {
	const struct ent_move_compare *what;
	const struct ent_move_env *env;
	struct side side[2];
	const char **columns;
	size_t n_columns;
	char *key_text;
	const char *keys[KEYS_MAX];
	size_t key_at[KEYS_MAX]; /* in columns */
	size_t n_keys;
	char **splits; /* where the stores sum; each of them cuts both tables whole */
	size_t n_splits, cap_splits;
	bool summed; /* the stores could sum: only splits that differ are read */
	int (*work)(struct side *s, struct ent_err *err);
	uint8_t *wanted; /* second pass: bit per bucket; NULL: first pass */
	size_t memory, limit, found;
	size_t at_once; /* buckets of one pass; more after a pass that found nothing, since a table that moves is equal again when it is looked at */
	json_t *rows;   /* of the details */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned at_work;
	atomic_uint_fast64_t seen;
	atomic_bool stop;
};

/* ---- which columns, which key ---- */

static int open_side(struct side *s, struct ent_err *err)
{
	struct ent_object object = { .size = sizeof object };
	ENT_TRY(s->end->open(s->end->self, NULL, 0, &s->session, err));
	if (!s->session.connector->read)
		return ent_fail(err, ENT_EUNSUPPORTED, "the module %s cannot read for comparisons", s->session.connector->name);
	ENT_TRY(ent_move_condition_check(s->where, s->session.connector->dialect, err));
	ENT_TRY(s->session.connector->describe(s->session.source, s->end->object, &s->described, &object, err));
	return ent_schema_check(&s->described, err);
}

static bool given(const struct comparing *c, const char *name)
{
	for (size_t i = 0; i < c->what->n_columns; i++)
		if (!strcmp(c->what->columns[i], name))
			return true;
	return !c->what->n_columns;
}

/* Columns of a; those that b lacks are told. */
static int common_columns(struct comparing *c, json_t *only_a, json_t *only_b, struct ent_err *err)
{
	const struct ArrowSchema *a = &c->side[0].described, *b = &c->side[1].described;
	c->columns = (const char **)ent_alloc((size_t)a->n_children + 1, sizeof *c->columns);
	if (!c->columns)
		return ent_nomem(err);
	for (size_t i = 0; i < (size_t)a->n_children; i++) {
		struct ent_field_info fa, fb;
		int at = ent_schema_find(b, a->children[i]->name);
		ent_schema_field(a, i, &fa);
		if (!given(c, fa.name))
			continue;
		if (at < 0) {
			json_array_append_new(only_a, json_string(fa.name));
			continue;
		}
		ent_schema_field(b, (size_t)at, &fb);
		if (!fa.copied || !fb.copied)
			return ent_fail(err, ENT_EUNSUPPORTED, "column %.200s has no form that can be compared", fa.name),
			       ent_next(err, "name the columns to compare with --columns"), ENT_EUNSUPPORTED;
		c->columns[c->n_columns++] = fa.name;
	}
	for (size_t i = 0; i < (size_t)b->n_children; i++)
		if (given(c, b->children[i]->name) && ent_schema_find(a, b->children[i]->name) < 0)
			json_array_append_new(only_b, json_string(b->children[i]->name));
	for (size_t i = 0; i < c->what->n_columns; i++)
		if (ent_schema_find(a, c->what->columns[i]) < 0 && ent_schema_find(b, c->what->columns[i]) < 0)
			return ent_fail(err, ENT_ENOTFOUND, "neither side has a column %.200s", c->what->columns[i]);
	return c->n_columns ? 0 : ent_fail(err, ENT_EUSAGE, "the two sides have no column in common");
}

static bool column_index(const struct comparing *c, const char *name, size_t *ret)
{
	for (size_t i = 0; i < c->n_columns; i++)
		if (!strcmp(c->columns[i], name)) {
			*ret = i;
			return true;
		}
	return false;
}

static bool take_key(struct comparing *c, const char *name)
{
	if (c->n_keys == KEYS_MAX || !column_index(c, name, &c->key_at[c->n_keys]))
		return false;
	c->keys[c->n_keys] = c->columns[c->key_at[c->n_keys]];
	c->n_keys++;
	return true;
}

/* The side's first key, if all its columns are compared. */
static int schema_key(struct comparing *c, const struct side *s, struct ent_err *err)
{
	char text[4000], *save = NULL;
	if (c->n_keys || !ent_metadata_get(s->described.metadata, ENT_META_KEYS, text, sizeof text))
		return 0;
	text[strcspn(text, "\n")] = 0;
	free(c->key_text);
	c->key_text = ent_strdup(text);
	if (!c->key_text)
		return ent_nomem(err);
	for (char *name = strtok_r(c->key_text, "\t", &save); name; name = strtok_r(NULL, "\t", &save))
		if (!take_key(c, name)) {
			c->n_keys = 0;
			return 0;
		}
	return 0;
}

static int choose_keys(struct comparing *c, struct ent_err *err)
{
	for (size_t i = 0; i < c->what->n_keys; i++)
		if (!take_key(c, c->what->keys[i]))
			return ent_fail(err, ENT_ENOTFOUND, "the key column %.200s is not among those compared", c->what->keys[i]);
	ENT_TRY(schema_key(c, &c->side[0], err));
	ENT_TRY(schema_key(c, &c->side[1], err));
	for (size_t i = 0; !c->n_keys && c->n_columns <= KEYS_MAX && i < c->n_columns; i++)
		c->key_at[i] = i;
	if (!c->n_keys && c->n_columns > KEYS_MAX)
		return ent_fail(err, ENT_EUSAGE, "neither side names a key"), ent_next(err, "name its columns: --key a,b"), ENT_EUSAGE;
	return 0;
}

static size_t key_count(const struct comparing *c) { return c->n_keys ? c->n_keys : c->n_columns; }

static int choose_canon(struct comparing *c, struct ent_err *err)
{
	for (size_t k = 0; k < 2; k++) {
		struct side *s = &c->side[k], *o = &c->side[!k];
		s->canon = ent_alloc(c->n_columns, sizeof *s->canon);
		s->buckets = (struct ent_move_digest *)calloc(BUCKETS, sizeof *s->buckets);
		s->bytes = (uint64_t *)calloc(BUCKETS, sizeof *s->bytes);
		if (!s->canon || !s->buckets || !s->bytes)
			return ent_nomem(err);
		for (size_t i = 0; i < c->n_columns; i++) {
			struct ent_field_info mine, other;
			ent_schema_field(&s->described, (size_t)ent_schema_find(&s->described, c->columns[i]), &mine);
			ent_schema_field(&o->described, (size_t)ent_schema_find(&o->described, c->columns[i]), &other);
			s->canon[i] = ent_canon_choose(mine.type, other.type);
		}
	}
	return 0;
}

/* ---- in the stores ---- */

static bool same_natives(const struct comparing *c)
{
	for (size_t i = 0; i < c->n_columns; i++) {
		struct ent_field_info f[2];
		for (size_t k = 0; k < 2; k++)
			ent_schema_field(&c->side[k].described, (size_t)ent_schema_find(&c->side[k].described, c->columns[i]), &f[k]);
		if (strcmp(f[0].native, f[1].native) != 0 || !ent_type_eq(f[0].type, f[1].type))
			return false;
	}
	return true;
}

static bool can_checksum(const struct comparing *c)
{
	const struct ent_connector *a = c->side[0].session.connector, *b = c->side[1].session.connector;
	return !c->what->no_checksum && !strcmp(a->name, b->name) && (a->capabilities & b->capabilities & ENT_CAP_CHECKSUM) && same_natives(c);
}

static int take_split(void *arg, const char *split, int64_t rows)
{
	struct comparing *c = arg;
	(void)rows;
	if (c->n_splits == c->cap_splits) {
		size_t cap = c->cap_splits ? c->cap_splits * 2 : 64;
		char **more = (char **)realloc(c->splits, cap * sizeof *more);
		if (!more)
			return ENT_ENOMEM;
		c->splits = more;
		c->cap_splits = cap;
	}
	c->splits[c->n_splits] = ent_strdup(split);
	return c->splits[c->n_splits] ? (int)(c->n_splits++, 0) : ENT_ENOMEM;
}

static void drop_splits(struct comparing *c)
{
	for (size_t i = 0; i < c->n_splits; i++)
		free(c->splits[i]);
	c->n_splits = 0;
}

/* One whole table when it cannot be cut. */
static int cut(struct comparing *c, struct ent_err *err)
{
	const struct side *a = &c->side[0];
	const struct ent_connector *from = a->session.connector;
	uint64_t rows = c->what->split_rows ? c->what->split_rows : SPLIT_ROWS_DEFAULT;
	if (from->plan && (from->capabilities & ENT_CAP_SPLIT))
		return from->plan(a->session.source, a->end->object, rows, take_split, c, err);
	return 0;
}

static int sum_split(struct side *s, const char *split, struct ent_checksum *ret, struct ent_err *err)
{
	const struct comparing *c = s->all;
	struct ent_read what = {
		.size = sizeof what, .object = s->end->object, .columns = c->columns, .n_columns = c->n_columns, .where = s->where, .split = split
	};
	*ret = (struct ent_checksum){ .size = sizeof *ret };
	return s->session.connector->checksum(s->session.source, &what, ret, err);
}

static bool stopped(const struct comparing *c) { return atomic_load(&c->stop) || (c->env->cancelled && c->env->cancelled(c->env->self)); }

static int sum_side(struct side *s, struct ent_err *err)
{
	struct comparing *c = s->all;
	if (c->n_splits < 2)
		return sum_split(s, NULL, s->sums, err);
	for (size_t i = 0; i < c->n_splits; i++) {
		if (stopped(c))
			return ent_fail(err, ENT_ECANCELLED, "interrupted");
		ENT_TRY(sum_split(s, c->splits[i], &s->sums[i], err));
		atomic_fetch_add(&c->seen, s->sums[i].rows);
	}
	return 0;
}

static size_t split_count(const struct comparing *c) { return c->n_splits < 2 ? 1 : c->n_splits; }

static bool split_equal(const struct comparing *c, size_t i)
{
	const struct ent_checksum *a = &c->side[0].sums[i], *b = &c->side[1].sums[i];
	return a->rows == b->rows && !strcmp(a->digest, b->digest);
}

/* The rows of a side, and the hash of its splits' digests when there are several. */
static void sums_tell(const struct comparing *c, const struct side *s, uint64_t *rows, char digest[65])
{
	struct ent_sha256 sha;
	uint8_t hash[ENT_SHA256_LEN];
	ent_sha256_init(&sha);
	for (size_t i = 0; i < split_count(c); i++) {
		*rows += s->sums[i].rows;
		ent_sha256_put(&sha, s->sums[i].digest, strlen(s->sums[i].digest));
	}
	ent_sha256_finish(&sha, hash);
	if (split_count(c) > 1)
		ent_hex(digest, hash, sizeof hash);
	else
		snprintf(digest, 65, "%s", s->sums[0].digest);
}

static int pass(struct comparing *c, int (*work)(struct side *s, struct ent_err *err), struct ent_err *err);

/* Both stores sum at the same time. A store that cannot cut its table as the other's (another key) sums it whole. */
static int sums_make(struct comparing *c, struct ent_err *err)
{
	struct ent_err first = ENT_ERR_INIT;
	ENT_TRY(cut(c, err));
	for (size_t k = 0; k < 2; k++)
		if (!(c->side[k].sums = (struct ent_checksum *)calloc(split_count(c), sizeof(struct ent_checksum))))
			return ent_nomem(err);
	int code = pass(c, sum_side, &first);
	if (code && c->n_splits > 1 && code != ENT_ECANCELLED && code != ENT_EIO) {
		drop_splits(c);
		return pass(c, sum_side, err);
	}
	if (code && err)
		*err = first;
	return code;
}

static int checksums(struct comparing *c, struct ent_move_difference *ret, bool *ret_equal, struct ent_err *err)
{
	*ret_equal = false;
	struct ent_err e = ENT_ERR_INIT;
	if (!can_checksum(c))
		return 0;
	int code = sums_make(c, &e);
	if (code == ENT_EUNSUPPORTED) { /* one store behind the module has none: the rows are read */
		drop_splits(c);
		return 0;
	}
	if (code && err)
		*err = e;
	ENT_TRY(code);
	*ret_equal = true;
	for (size_t i = 0; i < split_count(c); i++)
		*ret_equal = *ret_equal && split_equal(c, i);
	c->summed = *ret_equal || c->n_splits > 1;
	if (c->summed) {
		sums_tell(c, &c->side[0], &ret->rows_a, ret->digest_a);
		sums_tell(c, &c->side[1], &ret->rows_b, ret->digest_b);
	}
	return 0;
}

/* ---- reading a side ---- */

struct row_bufs {
	struct ent_buf key, canon, text;
};

static void put_row(const struct comparing *c, const struct side *s, const struct ent_batch *b, size_t row, struct row_bufs *r)
{
	ent_buf_reset(&r->key);
	ent_buf_reset(&r->canon);
	for (size_t i = 0; i < key_count(c); i++)
		ent_canon_put(&s->canon[c->key_at[i]], &b->columns[c->key_at[i]], row, &r->key);
	for (size_t i = 0; i < c->n_columns; i++)
		ent_canon_put(&s->canon[i], &b->columns[i], row, &r->canon);
}

static uint32_t bucket_of(const struct ent_buf *key)
{
	static const uint8_t fixed[16] = "entente compare";
	return (uint32_t)(ent_siphash(fixed, key->data, key->len) % BUCKETS);
}

static int keep(struct side *s, const struct ent_batch *b, size_t row, struct row_bufs *r, struct ent_err *err)
{
	static const struct ent_canon raw = { .kind = ENT_CANON_RAW };
	ent_buf_reset(&r->text);
	for (size_t i = 0; i < s->all->n_columns; i++)
		ent_canon_put(&raw, &b->columns[i], row, &r->text);
	ENT_TRY(ent_buf_check(&r->text, err));
	size_t len = r->key.len + r->canon.len + r->text.len;
	if (s->kept_bytes + len > 4 * s->all->memory) {
		ent_fail(err, ENT_ENOMEM, "too many rows share a key to be compared in memory");
		return ent_next(err, "name a key with --key"), ENT_ENOMEM;
	}
	if (s->n_kept == s->cap_kept) {
		size_t cap = s->cap_kept ? s->cap_kept * 2 : 1024;
		struct kept *more = (struct kept *)realloc(s->kept, cap * sizeof *more);
		if (!more)
			return ent_nomem(err);
		s->kept = more;
		s->cap_kept = cap;
	}
	uint8_t *bytes = (uint8_t *)malloc(len + 1);
	if (!bytes)
		return ent_nomem(err);
	memcpy(bytes, r->key.data, r->key.len);
	memcpy(bytes + r->key.len, r->canon.data, r->canon.len);
	memcpy(bytes + r->key.len + r->canon.len, r->text.data, r->text.len);
	s->kept[s->n_kept++] = (struct kept){ (uint32_t)r->key.len, (uint32_t)r->canon.len, (uint32_t)r->text.len, bytes };
	s->kept_bytes += len;
	return 0;
}

static int take_row(struct side *s, const struct ent_batch *b, size_t row, struct row_bufs *r, struct ent_err *err)
{
	const struct comparing *c = s->all;
	put_row(c, s, b, row, r);
	ENT_TRY(ent_buf_check(&r->key, err));
	ENT_TRY(ent_buf_check(&r->canon, err));
	uint32_t at = bucket_of(&r->key);
	if (c->wanted)
		return c->wanted[at / 8] >> (at % 8) & 1 ? keep(s, b, row, r, err) : 0;
	ent_digest_put(&s->buckets[at], ent_buf_bytes(&r->canon));
	s->bytes[at] += r->key.len + 2 * r->canon.len;
	return 0;
}

static int take_batch(struct side *s, const struct ArrowSchema *schema, const struct ArrowArray *array, struct row_bufs *r, struct ent_err *err)
{
	ENT_BATCH_AUTO b = { 0 };
	ENT_TRY(ent_batch_open_copy(schema, array, &b, err));
	if (b.n_columns != s->all->n_columns)
		return ent_fail(err, ENT_EDATA, "%.200s gives other columns than asked for", s->end->name);
	for (size_t i = 0; i < b.rows; i++)
		ENT_TRY(take_row(s, &b, i, r, err));
	atomic_fetch_add(&s->all->seen, b.rows);
	return 0;
}

static int read_split(struct side *s, const char *split, struct row_bufs *r, struct ent_err *err)
{
	struct comparing *c = s->all;
	struct ent_read what = {
		.size = sizeof what, .object = s->end->object, .columns = c->columns, .n_columns = c->n_columns, .where = s->where, .split = split
	};
	ENT_STREAM_AUTO stream = { 0 };
	ENT_SCHEMA_AUTO schema = { 0 };
	ENT_TRY(s->session.connector->read(s->session.source, &what, &stream, err));
	ENT_TRY(ent_stream_schema(&stream, &schema, err));
	for (;;) {
		ENT_ARRAY_AUTO batch = { 0 };
		if (stopped(c))
			return ent_fail(err, ENT_ECANCELLED, "interrupted");
		ENT_TRY(ent_stream_next(&stream, &batch, err));
		if (!batch.release)
			return 0;
		ENT_TRY(take_batch(s, &schema, &batch, r, err));
	}
}

static int read_splits(struct side *s, struct row_bufs *r, struct ent_err *err)
{
	struct comparing *c = s->all;
	if (!c->summed)
		return read_split(s, NULL, r, err);
	for (size_t i = 0; i < c->n_splits; i++)
		if (!split_equal(c, i))
			ENT_TRY(read_split(s, c->splits[i], r, err));
	return 0;
}

static int read_side(struct side *s, struct ent_err *err)
{
	struct row_bufs r = { ENT_BUF(ROW_BYTES_MAX), ENT_BUF(ROW_BYTES_MAX), ENT_BUF(ROW_BYTES_MAX) };
	int code = read_splits(s, &r, err);
	ent_buf_deinit(&r.key);
	ent_buf_deinit(&r.canon);
	ent_buf_deinit(&r.text);
	return code;
}

static void *side_main(void *arg)
{
	struct side *s = arg;
	struct comparing *c = s->all;
	int code = c->work(s, &s->err);
	if (!code)
		s->err = (struct ent_err)ENT_ERR_INIT;
	else if (!s->err.code)
		s->err.code = code;
	if (code)
		atomic_store(&c->stop, true);
	pthread_mutex_lock(&c->lock);
	c->at_work--;
	pthread_cond_signal(&c->changed);
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

static void tell(struct comparing *c)
{
	struct ent_move_progress p = { .phase = c->work == sum_side ? "checksum"
						: c->wanted         ? "keys"
								    : "compare",
				       .rows = atomic_load(&c->seen),
				       .rows_total = -1 };
	if (c->env->progress)
		c->env->progress(c->env->self, &p);
}

static void wait_sides(struct comparing *c)
{
	pthread_mutex_lock(&c->lock);
	while (c->at_work) {
		struct timespec until;
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += 100000000;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		pthread_cond_timedwait(&c->changed, &c->lock, &until);
		pthread_mutex_unlock(&c->lock);
		tell(c);
		pthread_mutex_lock(&c->lock);
	}
	pthread_mutex_unlock(&c->lock);
}

/* Works on both sides at the same time. */
static int pass(struct comparing *c, int (*work)(struct side *s, struct ent_err *err), struct ent_err *err)
{
	int failed = 0;
	c->work = work;
	c->at_work = 2;
	atomic_store(&c->stop, false);
	for (size_t k = 0; k < 2; k++) {
		c->side[k].running = !pthread_create(&c->side[k].thread, NULL, side_main, &c->side[k]);
		if (c->side[k].running)
			continue;
		failed = ent_fail(err, ENT_ENOMEM, "no thread could be started");
		atomic_store(&c->stop, true);
		pthread_mutex_lock(&c->lock);
		c->at_work--;
		pthread_mutex_unlock(&c->lock);
	}
	wait_sides(c);
	for (size_t k = 0; k < 2; k++)
		if (c->side[k].running)
			pthread_join(c->side[k].thread, NULL);
	for (size_t k = 0; k < 2 && !failed; k++) {
		const struct ent_err *e = &c->side[k].err;
		if (!e->code || (e->code == ENT_ECANCELLED && c->side[!k].err.code && c->side[!k].err.code != ENT_ECANCELLED))
			continue;
		failed = e->code;
		if (err)
			*err = *e;
	}
	return failed;
}

/* ---- differing keys ---- */

static int by_bytes(const uint8_t *a, size_t n, const uint8_t *b, size_t m)
{
	int d = memcmp(a, b, n < m ? n : m);
	return d ? d : (n > m) - (n < m);
}

static int by_key(const struct kept *a, const struct kept *b) { return by_bytes(a->bytes, a->key_len, b->bytes, b->key_len); }

static int by_row(const void *x, const void *y)
{
	const struct kept *a = x, *b = y;
	int d = by_key(a, b);
	return d ? d : by_bytes(a->bytes + a->key_len, a->canon_len, b->bytes + b->key_len, b->canon_len);
}

/* Value i of a row as text. */
static json_t *value_json(const struct kept *row, size_t i)
{
	struct ent_reader r = ent_reader(ent_bytes(row->bytes + row->key_len + row->canon_len, row->text_len));
	for (;; i--) {
		struct ent_bytes v = { 0 };
		bool null = !ent_read_u8(&r);
		if (!null)
			v = ent_read(&r, ent_read_be32(&r));
		if (!i)
			return null || !r.ok ? json_null() : json_stringn((const char *)v.data, v.len < 200 ? v.len : 200);
	}
}

static json_t *shown(const struct kept *row, size_t i)
{
	json_t *v = value_json(row, i);
	return v ? v : json_string("?"); /* cut inside a letter */
}

static json_t *key_json(const struct comparing *c, const struct kept *row)
{
	json_t *list = json_array();
	for (size_t i = 0; i < key_count(c); i++)
		json_array_append_new(list, shown(row, c->key_at[i]));
	return list;
}

static bool canon_equal(const struct kept *a, const struct kept *b, size_t column)
{
	struct ent_reader r[2] = { ent_reader(ent_bytes(a->bytes + a->key_len, a->canon_len)),
				   ent_reader(ent_bytes(b->bytes + b->key_len, b->canon_len)) };
	for (;; column--) {
		struct ent_bytes v[2] = { { 0 }, { 0 } };
		bool there[2];
		for (size_t k = 0; k < 2; k++) {
			there[k] = ent_read_u8(&r[k]) != 0;
			if (there[k])
				v[k] = ent_read(&r[k], ent_read_be32(&r[k]));
		}
		if (!column)
			return there[0] == there[1] && ent_bytes_eq(v[0], v[1]);
	}
}

static void put_difference(struct comparing *c, const struct kept *a, const struct kept *b)
{
	json_t *differ = json_array();
	for (size_t i = 0; a && b && i < c->n_columns; i++)
		if (!canon_equal(a, b, i))
			json_array_append_new(differ, json_pack("{s:s,s:o,s:o}", "column", c->columns[i], "a", shown(a, i), "b", shown(b, i)));
	json_array_append_new(c->rows, json_pack("{s:o,s:s,s:o}", "key", key_json(c, a ? a : b), "side",
						 a && b ? "both"
						 : a    ? "a"
							: "b",
						 "differ", differ));
	c->found++;
}

static void merge(struct comparing *c)
{
	struct side *a = &c->side[0], *b = &c->side[1];
	size_t i = 0, k = 0;
	if (a->n_kept)
		qsort(a->kept, a->n_kept, sizeof *a->kept, by_row);
	if (b->n_kept)
		qsort(b->kept, b->n_kept, sizeof *b->kept, by_row);
	while ((i < a->n_kept || k < b->n_kept) && c->found < c->limit) {
		int d = i == a->n_kept ? 1 : k == b->n_kept ? -1 : by_key(&a->kept[i], &b->kept[k]);
		if (!d && !by_row(&a->kept[i], &b->kept[k]))
			i++, k++;
		else if (!d)
			put_difference(c, &a->kept[i++], &b->kept[k++]);
		else if (d < 0)
			put_difference(c, &a->kept[i++], NULL);
		else
			put_difference(c, NULL, &b->kept[k++]);
	}
}

static void drop_kept(struct side *s)
{
	for (size_t i = 0; i < s->n_kept; i++)
		free(s->kept[i].bytes);
	s->n_kept = s->kept_bytes = 0;
}

/* Marks the next differing buckets that fit the memory together; false: none is left. */
static bool want(struct comparing *c, size_t *at)
{
	uint64_t bytes = 0;
	size_t n = 0;
	memset(c->wanted, 0, BUCKETS / 8);
	for (; *at < BUCKETS && n < c->at_once; ++*at) {
		if (ent_digest_eq(&c->side[0].buckets[*at], &c->side[1].buckets[*at]))
			continue;
		bytes += c->side[0].bytes[*at] + c->side[1].bytes[*at];
		if (n && bytes > c->memory)
			break;
		c->wanted[*at / 8] |= (uint8_t)(1u << (*at % 8));
		n++;
	}
	return n > 0;
}

static int find_keys(struct comparing *c, bool *ret_more, struct ent_err *err)
{
	size_t at = 0;
	c->wanted = (uint8_t *)calloc(BUCKETS / 8, 1);
	if (!c->wanted)
		return ent_nomem(err);
	c->at_once = c->limit;
	while (c->found < c->limit && want(c, &at)) {
		size_t before = c->found;
		int r = pass(c, read_side, err);
		if (!r)
			merge(c);
		c->at_once *= c->found == before ? 8 : 1;
		drop_kept(&c->side[0]);
		drop_kept(&c->side[1]);
		if (r)
			return r;
	}
	*ret_more = c->found >= c->limit;
	return 0;
}

/* ---- all of it ---- */

static bool sum_up(struct comparing *c, struct ent_move_difference *ret)
{
	bool equal = true;
	for (size_t i = 0; i < BUCKETS; i++) {
		equal = equal && ent_digest_eq(&c->side[0].buckets[i], &c->side[1].buckets[i]);
		ent_digest_sum(&c->side[0].digest, &c->side[0].buckets[i]);
		ent_digest_sum(&c->side[1].digest, &c->side[1].buckets[i]);
	}
	if (c->summed) /* the stores counted all */
		return equal;
	ret->rows_a = c->side[0].digest.rows;
	ret->rows_b = c->side[1].digest.rows;
	ent_digest_text(&c->side[0].digest, ret->digest_a);
	ent_digest_text(&c->side[1].digest, ret->digest_b);
	return equal;
}

static int run(struct comparing *c, json_t *details, struct ent_move_difference *ret, struct ent_err *err)
{
	json_t *only_a = json_object_get(details, "columns_only_a"), *only_b = json_object_get(details, "columns_only_b");
	bool more = false;
	ENT_TRY(open_side(&c->side[0], err));
	ENT_TRY(open_side(&c->side[1], err));
	ENT_TRY(common_columns(c, only_a, only_b, err));
	ENT_TRY(choose_keys(c, err));
	bool columns_equal = !json_array_size(only_a) && !json_array_size(only_b);
	ENT_TRY(checksums(c, ret, &ret->equal, err));
	ret->in_stores = c->summed;
	if (ret->equal) {
		ret->equal = columns_equal;
		return 0;
	}
	ENT_TRY(choose_canon(c, err));
	ENT_TRY(pass(c, read_side, err));
	bool rows_equal = sum_up(c, ret);
	ret->equal = rows_equal && columns_equal;
	for (size_t i = 0; i < key_count(c); i++)
		json_array_append_new(json_object_get(details, "keys"), json_string(c->columns[c->key_at[i]]));
	if (!rows_equal)
		ENT_TRY(find_keys(c, &more, err));
	json_object_set_new(details, "more", json_boolean(more));
	return 0;
}

static void side_deinit(struct side *s)
{
	drop_kept(s);
	free(s->kept);
	free(s->buckets);
	free(s->bytes);
	free(s->sums);
	free(s->canon);
	ent_schema_release(&s->described);
	if (s->session.source)
		s->session.connector->close(s->session.source);
}

int ent_move_compare(const struct ent_move_compare *what, const struct ent_move_env *env, struct ent_move_difference *ret, struct ent_err *err)
{
	struct ent_move_difference d = { .equal = false };
	struct comparing *c = ent_alloc(1, sizeof *c);
	ENT_JSON_AUTO details = json_pack("{s:[],s:[],s:b,s:[],s:[]}", "columns_only_a", "columns_only_b", "more", 0, "keys", "rows");
	if (!c || !details) {
		free(c);
		return ent_nomem(err);
	}
	*c = (struct comparing){ .what = what,
				 .env = env,
				 .memory = what->memory_bytes_max ? what->memory_bytes_max : MEMORY_DEFAULT,
				 .limit = what->limit ? what->limit : LIMIT_DEFAULT,
				 .rows = json_object_get(details, "rows") };
	c->side[0] = (struct side){ .all = c, .end = &what->a, .where = what->where_a, .err = ENT_ERR_INIT };
	c->side[1] = (struct side){ .all = c, .end = &what->b, .where = what->where_b, .err = ENT_ERR_INIT };
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->changed, NULL);
	int r = run(c, details, &d, err);
	side_deinit(&c->side[0]);
	side_deinit(&c->side[1]);
	pthread_mutex_destroy(&c->lock);
	pthread_cond_destroy(&c->changed);
	drop_splits(c);
	free(c->splits);
	free(c->columns);
	free(c->key_text);
	free(c->wanted);
	free(c);
	if (r)
		return r;
	d.details = json_incref(details);
	*ret = d;
	return 0;
}
