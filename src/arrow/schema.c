/* Schemas: every node owns one heap block of texts and its children; reading a foreign one trusts nothing but that its pointers are what they say. */
#include "arrow/schema.h"

#include <stdio.h>
#include <stdlib.h>

#define META_PAIRS_MAX 1000
#define META_BYTES_MAX (1 << 20)
#define META_ENCODED_MAX ((size_t)4 << 20)

struct node { /* private_data of our schemas */
	char *format, *name;
	uint8_t *metadata;
	struct ArrowSchema *children;
	struct ArrowSchema **pointers;
};

static void node_free(struct node *n)
{
	free(n->format);
	free(n->name);
	free(n->metadata);
	free(n->children);
	free(n->pointers);
	free(n);
}

static void node_release(struct ArrowSchema *s)
{
	for (int64_t i = 0; i < s->n_children; i++)
		ent_schema_release(s->children[i]);
	node_free((struct node *)s->private_data);
	s->release = NULL;
}

static void meta_put(struct ent_buf *b, const char *text)
{
	uint32_t len = (uint32_t)strlen(text);
	ent_buf_put(b, &len, sizeof len); /* host order: the interface stays within one process */
	ent_buf_put(b, text, len);
}

/* Encodes pairs (key, value, key, value ...), leaving out those without a value. Empty when none is left. */
static void meta_encode(struct ent_buf *b, const char *const pairs[][2], size_t n)
{
	uint32_t count = 0;
	for (size_t i = 0; i < n; i++)
		count += pairs[i][1] != NULL;
	if (!count)
		return;
	ent_buf_put(b, &count, sizeof count);
	for (size_t i = 0; i < n; i++) {
		if (pairs[i][1]) {
			meta_put(b, pairs[i][0]);
			meta_put(b, pairs[i][1]);
		}
	}
}

/* Makes s an own node; metadata (may be NULL) moves in on success. n_children empty children are ready to be filled. */
static int node_init(struct ArrowSchema *s, const char *format, const char *name, struct ent_buf *metadata, size_t n_children, struct ent_err *err)
{
	struct node *n = (struct node *)calloc(1, sizeof *n);
	if (!n)
		return ent_nomem(err);
	n->format = ent_strdup(format);
	n->name = ent_strdup(name);
	n->children = (struct ArrowSchema *)calloc(n_children + 1, sizeof *n->children);
	n->pointers = (struct ArrowSchema **)calloc(n_children + 1, sizeof(struct ArrowSchema *));
	if (!n->format || !n->name || !n->children || !n->pointers || (metadata && metadata->code)) {
		node_free(n);
		return ent_nomem(err);
	}
	for (size_t i = 0; i < n_children; i++)
		n->pointers[i] = &n->children[i];
	if (metadata) {
		n->metadata = metadata->data;
		*metadata = (struct ent_buf)ENT_BUF(0);
	}
	*s = (struct ArrowSchema){ .format = n->format,
				   .name = n->name,
				   .metadata = (const char *)n->metadata,
				   .n_children = (int64_t)n_children,
				   .children = n->pointers,
				   .release = node_release,
				   .private_data = n };
	return 0;
}

static int field_init(struct ArrowSchema *s, const struct ent_field *f, struct ent_err *err)
{
	char format[ENT_TYPE_TEXT_MAX] = "n";
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf meta = ENT_BUF(META_ENCODED_MAX);
	const char *const pairs[][2] = { { ENT_META_NATIVE, f->native }, { ENT_META_UNSUPPORTED, f->unsupported } };
	meta_encode(&meta, pairs, 2);
	if (!f->unsupported || f->copied)
		ent_type_format(f->type, format);
	ENT_TRY(node_init(s, f->format && !f->unsupported ? f->format : format, f->name, &meta, 0, err));
	s->flags = f->nullable ? ARROW_FLAG_NULLABLE : 0;
	return 0;
}

int ent_schema_new(const struct ent_field *fields, size_t n_fields, const char *keys, struct ArrowSchema *ret, struct ent_err *err)
{
	ENT_SCHEMA_AUTO s = { 0 };
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf meta = ENT_BUF(META_ENCODED_MAX);
	const char *const pairs[][2] = { { ENT_META_KEYS, keys && keys[0] ? keys : NULL } };
	meta_encode(&meta, pairs, 1);
	ENT_TRY(node_init(&s, "+s", "", &meta, n_fields, err));
	for (size_t i = 0; i < n_fields; i++)
		ENT_TRY(field_init(s.children[i], &fields[i], err));
	*ret = ent_schema_take(&s);
	return 0;
}

/* Walks encoded metadata; false when its counts are out of bounds. fn may be NULL. Stops when fn returns true. */
static bool meta_walk(const char *at, bool (*fn)(void *arg, struct ent_bytes key, struct ent_bytes value), void *arg, size_t *ret_size)
{
	const char *start = at;
	int32_t n, len[2];
	memcpy(&n, at, 4);
	at += 4;
	if (n < 0 || n > META_PAIRS_MAX)
		return false;
	for (int32_t i = 0; i < n; i++) {
		struct ent_bytes part[2];
		for (int k = 0; k < 2; k++) {
			memcpy(&len[k], at, 4);
			if (len[k] < 0 || len[k] > META_BYTES_MAX)
				return false;
			part[k] = ent_bytes(at + 4, (size_t)len[k]);
			at += 4 + len[k];
		}
		if (fn && fn(arg, part[0], part[1]))
			break;
	}
	*ret_size = (size_t)(at - start);
	return true;
}

struct wanted {
	const char *key;
	char *out;
	size_t size;
	bool found;
};

static bool wanted_take(void *arg, struct ent_bytes key, struct ent_bytes value)
{
	struct wanted *w = (struct wanted *)arg;
	if (!ent_bytes_eq(key, ent_bytes_str(w->key)))
		return false;
	size_t len = value.len < w->size - 1 ? value.len : w->size - 1;
	memcpy(w->out, value.data, len);
	while (len < value.len && len > 0 && !ent_utf8_valid(ent_bytes(w->out, len)))
		len--; /* cut at a character */
	w->out[len] = 0;
	w->found = ent_utf8_valid(ent_bytes(w->out, len));
	return true;
}

bool ent_metadata_get(const char *metadata, const char *key, char *out, size_t out_size)
{
	struct wanted w = { key, out, out_size, false };
	size_t size;
	if (!metadata || !out_size || !meta_walk(metadata, wanted_take, &w, &size))
		return false;
	return w.found;
}

static struct ent_bytes meta_bytes(const char *metadata)
{
	size_t size = 0;
	return metadata && meta_walk(metadata, NULL, NULL, &size) ? ent_bytes(metadata, size) : ent_bytes(NULL, 0);
}

bool ent_schema_same(const struct ArrowSchema *a, const struct ArrowSchema *b)
{
	if (a->n_children != b->n_children)
		return false;
	for (int64_t i = 0; i < a->n_children; i++) {
		const struct ArrowSchema *x = a->children[i], *y = b->children[i];
		if (strcmp(x->name, y->name) != 0 || strcmp(x->format, y->format) != 0 || x->flags != y->flags ||
		    !ent_bytes_eq(meta_bytes(x->metadata), meta_bytes(y->metadata)))
			return false;
	}
	return true;
}

int ent_schema_meta_add(struct ArrowSchema *schema, const char *key, const char *value, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf meta = ENT_BUF(META_ENCODED_MAX);
	struct node *n = (struct node *)schema->private_data;
	uint32_t count = 0;
	size_t size = 4;
	ENT_ASSERT(schema->release == node_release);
	if (n->metadata && meta_walk((const char *)n->metadata, NULL, NULL, &size))
		memcpy(&count, n->metadata, 4);
	count++;
	ent_buf_put(&meta, &count, sizeof count);
	if (n->metadata)
		ent_buf_put(&meta, n->metadata + 4, size - 4);
	meta_put(&meta, key);
	meta_put(&meta, value);
	ENT_TRY(ent_buf_check(&meta, err));
	free(n->metadata);
	n->metadata = meta.data;
	schema->metadata = (const char *)n->metadata;
	meta = (struct ent_buf)ENT_BUF(0);
	return 0;
}

static int field_check(const struct ArrowSchema *f, size_t i, struct ent_err *err)
{
	size_t size;
	if (!f || !f->release || !f->format || !f->name)
		return ent_fail(err, ENT_EDATA, "column %zu of the schema is not filled", i + 1);
	size_t len = strnlen(f->name, 256);
	if (!len || len > 255 || !ent_utf8_valid(ent_bytes(f->name, len)))
		return ent_fail(err, ENT_EDATA, "column %zu of the schema has no usable name", i + 1);
	if (f->metadata && !meta_walk(f->metadata, NULL, NULL, &size))
		return ent_fail(err, ENT_EDATA, "column %s has broken metadata", f->name);
	return 0;
}

int ent_schema_check(const struct ArrowSchema *s, struct ent_err *err)
{
	size_t size;
	if (!s || !s->release || !s->format || strcmp(s->format, "+s") != 0 || s->dictionary)
		return ent_fail(err, ENT_EDATA, "the schema is not a struct of columns");
	if (s->n_children < 0 || s->n_children > (int64_t)ENT_COLUMNS_MAX || (s->n_children && !s->children))
		return ent_fail(err, ENT_EDATA, "the schema has %lld columns, at most %u are possible", (long long)s->n_children, ENT_COLUMNS_MAX);
	if (s->metadata && !meta_walk(s->metadata, NULL, NULL, &size))
		return ent_fail(err, ENT_EDATA, "the schema has broken metadata");
	for (int64_t i = 0; i < s->n_children; i++)
		ENT_TRY(field_check(s->children[i], (size_t)i, err));
	return 0;
}

static int node_dup(const struct ArrowSchema *s, size_t n_children, struct ArrowSchema *ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf meta = ENT_BUF(META_ENCODED_MAX);
	size_t size;
	if (s->metadata && meta_walk(s->metadata, NULL, NULL, &size))
		ent_buf_put(&meta, s->metadata, size);
	ENT_TRY(node_init(ret, s->format, s->name ? s->name : "", &meta, n_children, err));
	ret->flags = s->flags;
	return 0;
}

int ent_schema_dup(const struct ArrowSchema *schema, struct ArrowSchema *ret, struct ent_err *err)
{
	ENT_SCHEMA_AUTO s = { 0 };
	ENT_TRY(ent_schema_check(schema, err));
	ENT_TRY(node_dup(schema, (size_t)schema->n_children, &s, err));
	for (int64_t i = 0; i < schema->n_children; i++) {
		const struct ArrowSchema *child = schema->children[i];
		if (child->n_children || child->dictionary)
			return ent_fail(err, ENT_EUNSUPPORTED, "column %s is nested or dictionary-encoded", child->name);
		ENT_TRY(node_dup(child, 0, s.children[i], err));
	}
	*ret = ent_schema_take(&s);
	return 0;
}

void ent_schema_field(const struct ArrowSchema *schema, size_t i, struct ent_field_info *ret)
{
	const struct ArrowSchema *f = schema->children[i];
	*ret = (struct ent_field_info){ .name = f->name, .nullable = (f->flags & ARROW_FLAG_NULLABLE) != 0 };
	(void)ent_metadata_get(f->metadata, ENT_META_NATIVE, ret->native, sizeof ret->native);
	ret->copied = !f->dictionary && !f->n_children && strcmp(f->format, "vu") != 0 && ent_type_by_format(f->format, &ret->type);
	if (!ent_metadata_get(f->metadata, ENT_META_UNSUPPORTED, ret->unsupported, sizeof ret->unsupported) && !ret->copied)
		snprintf(ret->unsupported, sizeof ret->unsupported, "no joint type for Arrow format %.40s", f->format);
}

int ent_schema_find(const struct ArrowSchema *schema, const char *name)
{
	for (int64_t i = 0; i < schema->n_children; i++)
		if (!strcmp(schema->children[i]->name, name))
			return (int)i;
	return -1;
}
