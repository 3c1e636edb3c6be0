/* Rows of one file under the folder's columns: what the file's own connector gives, by pointer, beside a few columns made here. */
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>

#include "folder.h"

enum made { MADE_OP = -1, MADE_UNCHANGED = -2, MADE_FILE = -3, MADE_ROW = -4 };

static const struct {
	enum made made;
	struct ent_field field;
} made_columns[] = {
	{ MADE_OP, { .name = "entente.op", .type = { .id = ENT_T_TEXT } } },
	{ MADE_UNCHANGED, { .name = "entente.unchanged", .type = { .id = ENT_T_TEXT }, .nullable = true } },
	{ MADE_FILE, { .name = ENT_FOLDER_FILE, .type = { .id = ENT_T_TEXT } } },
	{ MADE_ROW, { .name = ENT_FOLDER_ROW, .type = { .id = ENT_T_INT64 } } },
};
#define N_MADE ENT_COUNT(made_columns)
#define KEYS ENT_FOLDER_FILE "\t" ENT_FOLDER_ROW

struct rows {
	const struct ent_connector *files;
	struct ent_source *inner;
	char *folder;
	struct ent_folder_entry entry;
	struct ArrowArrayStream stream;
	struct ent_builder *builder; /* of the four made columns */
	int64_t next;                /* number of the next row */
	size_t n;
	int pick[]; /* columns: >= 0 of the file, else made */
};

bool ent_folder_matches(const char *object, const char *name) { return !object[0] || fnmatch(object, name, FNM_PERIOD) == 0; }

static void rows_free(void *self)
{
	struct rows *r = (struct rows *)self;
	ent_stream_release(&r->stream);
	if (r->inner)
		r->files->close(r->inner);
	ent_builder_free(r->builder);
	free(r->folder);
	free(r);
}

/* --- schemas --- */

static int fields_of(const struct ArrowSchema *file, const int *pick, size_t n, bool described, const char *keys, struct ArrowSchema *ret,
		     struct ent_err *err)
{
	struct ent_field *fields = (struct ent_field *)calloc(n, sizeof *fields);
	struct ent_field_info *infos = (struct ent_field_info *)calloc(n, sizeof *infos);
	int code = fields && infos ? 0 : ent_nomem(err);
	for (size_t i = 0; i < n && !code; i++) {
		if (pick[i] < 0) {
			fields[i] = made_columns[-pick[i] - 1].field;
			continue;
		}
		ent_schema_field(file, (size_t)pick[i], &infos[i]);
		fields[i] = (struct ent_field){ .name = infos[i].name,
						.type = infos[i].type,
						.nullable = true, /* the next file may have NULLs */
						.native = infos[i].native,
						.unsupported = described && infos[i].unsupported[0] ? infos[i].unsupported : NULL,
						.copied = infos[i].copied,
						.format = described ? NULL : file->children[pick[i]]->format };
	}
	code = code ? code : ent_schema_new(fields, n, keys, ret, err);
	free(fields);
	free(infos);
	return code;
}

bool ent_folder_schema_same(const struct ArrowSchema *a, const struct ArrowSchema *b)
{
	if (!a->release || !b->release || a->n_children != b->n_children)
		return false;
	for (size_t i = 0; i < (size_t)a->n_children; i++)
		if (strcmp(a->children[i]->name, b->children[i]->name) != 0 || strcmp(a->children[i]->format, b->children[i]->format) != 0)
			return false;
	return true;
}

static int name_free(const struct ArrowSchema *file, struct ent_err *err)
{
	for (size_t i = 0; i < N_MADE; i++)
		if (ent_schema_find(file, made_columns[i].field.name) >= 0)
			return ent_fail(err, ENT_EUNSUPPORTED, "a file of the folder has a column %s, which the folder's rows have already",
					made_columns[i].field.name);
	return 0;
}

/* --- one file --- */

static int file_open(const struct ent_source *s, const struct ent_folder_entry *e, const struct ent_connector **ret_files, struct ent_source **ret,
		     struct ent_err *err)
{
	char whole[8192];
	const char *dot = strrchr(e->name, '.');
	*ret_files = dot ? s->host.files(s->host.self, dot + 1) : NULL;
	if (!*ret_files)
		return ent_fail(err, ENT_EUSAGE, "the kind of file is not known: %.200s", e->name);
	snprintf(whole, sizeof whole, "%s/%s", s->path, e->name);
	return (*ret_files)->open(&s->host, whole, s->options, s->n_options, ret, err);
}

int ent_folder_described(const struct ent_source *s, const struct ent_folder_entry *e, struct ArrowSchema *ret, struct ent_err *err)
{
	const struct ent_connector *files;
	struct ent_source *inner = NULL;
	struct ent_object object = { .size = sizeof object };
	ENT_SCHEMA_AUTO file = { 0 };
	ENT_TRY(file_open(s, e, &files, &inner, err));
	int code = files->describe(inner, "", &file, &object, err);
	files->close(inner);
	ENT_TRY(code);
	ENT_TRY(name_free(&file, err));
	size_t n = (size_t)file.n_children;
	int *pick = (int *)calloc(n + 2, sizeof *pick);
	for (size_t i = 0; pick && i < n; i++)
		pick[i] = (int)i;
	if (pick) {
		pick[n] = MADE_FILE;
		pick[n + 1] = MADE_ROW;
	}
	code = pick ? fields_of(&file, pick, n + 2, true, KEYS, ret, err) : ent_nomem(err);
	free(pick);
	return code;
}

/* --- batches --- */

struct joined { /* private_data: children by pointer */
	struct ArrowArray file, made;
	const void *no_validity[1];
	struct ArrowArray *children[];
};

static void joined_release(struct ArrowArray *a)
{
	struct joined *j = (struct joined *)a->private_data;
	ent_array_release(&j->file);
	ent_array_release(&j->made);
	free(j);
	a->release = NULL;
}

static int made_fill(struct rows *r, int64_t n, struct ArrowArray *ret, struct ent_err *err)
{
	for (int64_t i = 0; i < n; i++) {
		ENT_TRY(ent_builder_text(r->builder, 0, ent_bytes_str("I"), err));
		ENT_TRY(ent_builder_null(r->builder, 1, err));
		ENT_TRY(ent_builder_text(r->builder, 2, ent_bytes_str(r->entry.name), err));
		ENT_TRY(ent_builder_int(r->builder, 3, r->next + i, err));
	}
	r->next += n;
	return ent_builder_finish(r->builder, ret, err);
}

static int join(struct rows *r, struct ArrowArray *file, struct ArrowArray *ret, struct ent_err *err)
{
	struct joined *j = (struct joined *)calloc(1, sizeof *j + r->n * sizeof *j->children);
	if (!j)
		return ent_nomem(err);
	j->file = ent_array_take(file);
	*ret = (struct ArrowArray){ .length = j->file.length,
				    .n_buffers = 1,
				    .buffers = j->no_validity,
				    .n_children = (int64_t)r->n,
				    .children = j->children,
				    .release = joined_release,
				    .private_data = j };
	int code = made_fill(r, ret->length, &j->made, err);
	for (size_t i = 0; i < r->n && !code; i++) {
		if (r->pick[i] >= j->file.n_children)
			code = ent_fail(err, ENT_EDATA, "a file's rows lack a column");
		else
			j->children[i] = r->pick[i] < 0 ? j->made.children[-r->pick[i] - 1] : j->file.children[r->pick[i]];
	}
	if (code)
		ent_array_release(ret);
	return code;
}

/* Whether the file is still the one that was listed. */
static int unchanged(const struct rows *r, struct ent_err *err)
{
	struct ent_folder_entry now = { .bytes = 0 };
	if (!ent_folder_entry_read(r->folder, r->entry.name, &now, NULL) && now.bytes == r->entry.bytes && now.modified_ns == r->entry.modified_ns)
		return 0;
	ent_fail(err, ENT_EDATA, "the file %.200s changed while it was read", r->entry.name);
	return ent_next(err, "write files elsewhere and move them into the folder when they are whole"), ENT_EDATA;
}

static int rows_next(void *self, struct ArrowArray *ret, struct ent_err *err)
{
	struct rows *r = (struct rows *)self;
	ENT_ARRAY_AUTO file = { 0 };
	ENT_TRY(ent_stream_next(&r->stream, &file, err));
	if (!file.release)
		return unchanged(r, err);
	if (file.offset)
		return ent_fail(err, ENT_EINTERNAL, "a file's rows come with an offset");
	return join(r, &file, ret, err);
}

static const struct ent_stream_ops rows_ops = { rows_next, rows_free };

/* --- opening --- */

static void pick_all(struct rows *r, const struct ArrowSchema *file, bool changes)
{
	for (int i = 0; changes && i < 2; i++)
		r->pick[r->n++] = -i - 1;
	for (int64_t i = 0; i < file->n_children; i++)
		r->pick[r->n++] = (int)i;
	r->pick[r->n++] = MADE_FILE;
	r->pick[r->n++] = MADE_ROW;
}

static int pick_named(struct rows *r, const struct ArrowSchema *file, const struct ent_folder_rows *what, struct ent_err *err)
{
	for (size_t i = 0; i < what->n_columns; i++) {
		const char *name = what->columns[i];
		int at = !strcmp(name, ENT_FOLDER_FILE) ? MADE_FILE : !strcmp(name, ENT_FOLDER_ROW) ? MADE_ROW : ent_schema_find(file, name);
		if (at == -1)
			return ent_fail(err, ENT_ENOTFOUND, "there is no column %.200s in %.200s that can be read", name, r->entry.name);
		r->pick[r->n++] = at;
	}
	return 0;
}

static int rows_start(struct rows *r, const struct ent_source *s, const struct ent_folder_rows *what, struct ArrowSchema *ret, struct ent_err *err)
{
	static const struct ent_read all = { .size = sizeof all, .object = "" };
	ENT_SCHEMA_AUTO file = { 0 }, made = { 0 };
	struct ent_field fields[N_MADE];
	for (size_t i = 0; i < N_MADE; i++)
		fields[i] = made_columns[i].field;
	ENT_TRY(ent_schema_new(fields, N_MADE, NULL, &made, err));
	ENT_TRY(ent_builder_new(&made, 0, &r->builder, err));
	ENT_TRY(file_open(s, &r->entry, &r->files, &r->inner, err));
	ENT_TRY(r->files->read(r->inner, &all, &r->stream, err));
	ENT_TRY(ent_stream_schema(&r->stream, &file, err));
	ENT_TRY(name_free(&file, err));
	if (what->columns)
		ENT_TRY(pick_named(r, &file, what, err));
	else
		pick_all(r, &file, what->changes);
	return fields_of(&file, r->pick, r->n, false, what->columns ? NULL : KEYS, ret, err);
}

int ent_folder_rows_open(const struct ent_source *s, const struct ent_folder_entry *e, const struct ent_folder_rows *what,
			 struct ArrowArrayStream *ret, struct ent_err *err)
{
	ENT_SCHEMA_AUTO schema = { 0 };
	size_t most = what->columns ? what->n_columns : ENT_COLUMNS_MAX + N_MADE;
	struct rows *r = (struct rows *)calloc(1, sizeof *r + most * sizeof *r->pick);
	if (!r)
		return ent_nomem(err);
	r->entry = *e;
	r->next = 1;
	r->folder = ent_strdup(s->path);
	int code = r->folder ? rows_start(r, s, what, &schema, err) : ent_nomem(err);
	if (code) {
		rows_free(r);
		return code;
	}
	return ent_stream_new(&schema, &rows_ops, r, ret, err);
}
