/* A folder of files: one table with the key (_file, _row), splits, new files as changes by manifest, what stops it.
 * usage: test_folder MODULE DUCKDB-MODULE ARROW-MODULE */
#include <stdlib.h>
#include <sys/stat.h>

#include "objects_case.h"

#define SETTLED_MS 1100

static const struct ent_connector *c;
static char folder[200], url[220];

static const char *path(const char *name)
{
	static char all[16][300];
	static size_t n;
	char *out = all[n++ % 16];
	snprintf(out, sizeof all[0], "%s/%s", folder, name);
	return out;
}

static void put(const char *name, const char *text)
{
	FILE *f = fopen(path(name), "wb");
	OK(f && fputs(text, f) >= 0 && !fclose(f), "wrote %s", name);
}

static void settle(void) { usleep(SETTLED_MS * 1000); }

static struct ent_source *opened(void)
{
	struct ent_host host = suite_host();
	struct ent_err e = ENT_ERR_INIT;
	struct ent_source *s = NULL;
	OK_INT(c->open(&host, url, NULL, 0, &s, &e), 0, "%s", e.what);
	return s;
}

static int rows_text(struct ArrowArrayStream *rows, struct ent_buf *out, struct ent_err *e)
{
	ENT_SCHEMA_AUTO schema = { 0 };
	ENT_TRY(ent_stream_schema(rows, &schema, e));
	for (;;) {
		ENT_ARRAY_AUTO a = { 0 };
		ENT_BATCH_AUTO b = { 0 };
		ENT_TRY(ent_stream_next(rows, &a, e));
		if (!a.release)
			return 0;
		ENT_TRY(ent_batch_open_copy(&schema, &a, &b, e));
		for (size_t r = 0; r < b.rows; r++)
			for (size_t i = 0; i < b.n_columns; i++) {
				if (ent_view_null(&b.columns[i], r))
					ent_buf_str(out, "-");
				ent_value_put(&b.columns[i], r, out);
				ent_buf_str(out, i + 1 < b.n_columns ? "|" : ";");
			}
	}
}

static int read_text(const char *object, const char *split, const char *const *columns, size_t n, struct ent_buf *out, struct ent_err *e)
{
	ENT_STREAM_AUTO rows = { 0 };
	struct ent_source *s = opened();
	const struct ent_read what = { .size = sizeof what, .object = object, .split = split, .columns = columns, .n_columns = n };
	ent_buf_reset(out);
	*e = (struct ent_err)ENT_ERR_INIT;
	int code = c->read(s, &what, &rows, e);
	code = code ? code : rows_text(&rows, out, e);
	ent_stream_release(&rows);
	c->close(s);
	return code;
}

static int split_note(void *arg, const char *split, int64_t rows)
{
	struct ent_buf *all = arg;
	(void)rows;
	ent_buf_printf(all, "%s\n", split);
	return 0;
}

static void test_reading(void)
{
	static const char *const some[] = { "_row", "name", "_file" };
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf out = ENT_BUF(1 << 16), splits = ENT_BUF(1 << 16);
	ENT_SCHEMA_AUTO schema = { 0 };
	struct ent_object object = { .size = sizeof object };
	struct ent_err e = ENT_ERR_INIT;
	char keys[100] = "";
	OK_INT(read_text("*.csv", NULL, NULL, 0, &out, &e), ENT_ENOTFOUND, "an empty folder: %s", e.what);
	put("b.csv", "id,name\n1,one\n2,\n");
	settle();
	put("a.csv", "id,name\n3,three\n");
	put(".hidden.csv", "x\n1\n");
	put("_part.csv", "x\n1\n");
	put("readme", "nothing");
	struct ent_source *s = opened();
	OK_INT(c->describe(s, "*.csv", &schema, &object, &e), 0, "%s %s", e.what, e.why);
	OK(schema.n_children == 4 && ent_schema_find(&schema, "_file") == 2 && ent_schema_find(&schema, "_row") == 3, "two more columns");
	OK(ent_metadata_get(schema.metadata, ENT_META_KEYS, keys, sizeof keys) && !strcmp(keys, "_file\t_row"), "are the key");
	OK_INT(c->plan(s, "*.csv", 1, split_note, &splits, &e), 0);
	c->close(s);
	OK_INT(read_text("*.csv", NULL, NULL, 0, &out, &e), 0, "%s %s", e.what, e.why);
	OK_STR(ent_buf_text(&out), "1|one|b.csv|1;2|-|b.csv|2;3|three|a.csv|1;", "in the order they came");
	OK_INT(read_text("a*", NULL, some, 3, &out, &e), 0, "%s %s", e.what, e.why);
	OK_STR(ent_buf_text(&out), "1|three|a.csv;", "some columns");
	OK_INT(read_text("*.parquet", NULL, NULL, 0, &out, &e), ENT_ENOTFOUND, "%s", e.what);
	char *second = strchr((char *)splits.data, '\n');
	OK(second, "splits");
	*second++ = 0;
	second[strcspn(second, "\n")] = 0;
	OK_INT(read_text("*.csv", ent_buf_text(&splits), NULL, 0, &out, &e), 0, "%s %s", e.what, e.why);
	OK_STR(ent_buf_text(&out), "1|one|b.csv|1;2|-|b.csv|2;", "a split is a file");
	put("a.csv", "id,name\n3,changed\n");
	OK_INT(read_text("*.csv", second, NULL, 0, &out, &e), ENT_EDATA, "which must be the same: %s", e.what);
	OK_INT(read_text("*.csv", "1 2 ../a.csv", NULL, 0, &out, &e), ENT_EUSAGE, "no way out: %s", e.what);
	put("z.csv", "id,other\n3,x\n");
	OK_INT(read_text("*.csv", NULL, NULL, 0, &out, &e), ENT_EDATA, "other columns: %s", e.what);
	unlink(path("z.csv"));
	const struct ent_option write[] = { { "access", "write" } };
	struct ent_host host = suite_host();
	OK_INT(c->open(&host, url, write, 1, &s, &e), ENT_EUNSUPPORTED, "%s", e.what);
	OK_INT(suite_open_describe(c, "folder:/nowhere", "", NULL, 0, &e), ENT_ENOTFOUND, "%s", e.what);
}

/* --- changes --- */

static struct ent_changes *followed(struct ent_source *s, const char *cursor, struct ent_err *e)
{
	static const char *const objects[] = { "*.csv", "*.arrow" };
	const struct ent_changes_spec spec = { .size = sizeof spec, .job = "j", .objects = objects, .n_objects = 2, .cursor = cursor };
	struct ent_changes *ch = NULL;
	int code = c->changes_open(s, &spec, &ch, e);
	return code ? NULL : ch;
}

/* Events up to the next COMMIT or HEARTBEAT as text: "S0 R0(rows) C". */
static int events(struct ent_changes *ch, struct ent_buf *out, char cursor[400], struct ent_err *e)
{
	ENT_SCHEMA_AUTO schema = { 0 };
	ent_buf_reset(out);
	for (int i = 0; i < 60; i++) {
		struct ent_event ev = { .size = sizeof ev };
		ENT_BATCH_AUTO b = { 0 };
		ENT_TRY(c->changes_next(ch, 100, &ev, e));
		if (ev.kind == ENT_EVENT_SCHEMA) {
			ent_schema_release(&schema);
			schema = ent_schema_take(&ev.schema);
			ent_buf_printf(out, "S%zu ", ev.table);
		} else if (ev.kind == ENT_EVENT_ROWS) {
			int code = schema.release ? ent_batch_open_copy(&schema, &ev.array, &b, e) : 0;
			ent_buf_printf(out, "R%zu(", ev.table);
			for (size_t r = 0; !code && r < b.rows; r++)
				for (size_t k = 0; k < b.n_columns; k++) {
					if (ent_view_null(&b.columns[k], r))
						ent_buf_str(out, "-");
					ent_value_put(&b.columns[k], r, out);
					ent_buf_str(out, k + 1 < b.n_columns ? "|" : ";");
				}
			ent_buf_str(out, ") ");
			ent_array_release(&ev.array);
			ENT_TRY(code);
		} else if (ev.kind != ENT_EVENT_IDLE) {
			ent_buf_str(out, ev.kind == ENT_EVENT_COMMIT ? "C" : "H");
			snprintf(cursor, 400, "%s", ev.cursor);
			return 0;
		} else if (!out->len && i > 30) {
			ent_buf_str(out, "-");
			return 0;
		}
	}
	return 0;
}

static void test_changes(void)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf out = ENT_BUF(1 << 16);
	struct ent_err e = ENT_ERR_INIT;
	char first[400] = "", second[400] = "", third[400] = "", position[400] = "";
	struct ent_source *s = opened();
	settle();
	struct ent_changes *ch = followed(s, NULL, &e);
	OK(ch && !events(ch, &out, first, &e), "%s %s", e.what, e.why);
	OK_STR(ent_buf_text(&out), "H", "begins here");
	put("new.csv", "id,name\n7,seven\n");
	OK(!events(ch, &out, second, &e) && !strcmp(ent_buf_text(&out), "S0 R0(I|-|7|seven|new.csv|1;) C"), "a new file: %s", ent_buf_text(&out));
	OK_INT(c->changes_ack(ch, second, &e), 0);
	OK_INT(c->changes_ack(ch, "rubbish", &e), ENT_EDATA, "%s", e.what);
	put("notes.json", "{\"a\": 1}\n");
	OK(!events(ch, &out, third, &e) && !strcmp(ent_buf_text(&out), "H"), "a file of no table: %s", ent_buf_text(&out));
	c->changes_close(ch);
	OK(c->position_reached(first, second) && c->position_reached(second, third) && !c->position_reached(third, second) &&
		   c->position_reached(third, third),
	   "the order of cursors");
	OK(!c->position(s, position, &e) && !strcmp(position, third), "the end: %s", position);
	ch = followed(s, second, &e);
	OK(ch && !events(ch, &out, third, &e) && !strcmp(ent_buf_text(&out), "H"), "taken once: %s", ent_buf_text(&out));
	c->changes_close(ch);
	ch = followed(s, first, &e);
	OK(ch && !events(ch, &out, second, &e) && !strcmp(ent_buf_text(&out), "S0 R0(I|-|7|seven|new.csv|1;) C"), "a crash before the commit: %s",
	   ent_buf_text(&out));
	put("more.csv", "id,name,extra\n8,eight,x\n");
	OK(!events(ch, &out, second, &e), "%s", e.what); /* notes.json */
	OK(!events(ch, &out, third, &e) && !strcmp(ent_buf_text(&out), "S0 R0(I|-|8|eight|x|more.csv|1;) C"), "new columns are told: %s",
	   ent_buf_text(&out));
	c->changes_close(ch);
	c->close(s);
	OK(!followed(s = opened(), "rubbish", &e) && e.code == ENT_EDATA, "%s", e.what);
	c->close(s);
}

/* A file that was taken changes or goes away: loud, when it is followed and when it is followed again. */
static void test_stopped(void)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf out = ENT_BUF(1 << 16);
	struct ent_err e = ENT_ERR_INIT;
	char cursor[400] = "", next[400];
	struct ent_source *s = opened();
	settle();
	OK_INT(c->position(s, cursor, &e), 0);
	struct ent_changes *ch = followed(s, cursor, &e);
	OK(ch != NULL, "%s %s", e.what, e.why);
	put("more.csv", "id,name,extra\n8,eight,y\n");
	OK_INT(events(ch, &out, next, &e), ENT_EDATA, "changed while it is followed: %s (%s)", e.what, e.why);
	c->changes_close(ch);
	OK(!followed(s, cursor, &e) && e.code == ENT_EDATA, "changed: %s", e.what);
	settle();
	OK_INT(c->position(s, cursor, &e), 0);
	unlink(path("b.csv"));
	OK(!followed(s, cursor, &e) && e.code == ENT_EDATA, "gone: %s", e.what);
	put("b.csv", "id,name\n1,one\n2,\n");
	settle();
	OK(!followed(s, cursor, &e) && e.code == ENT_EDATA, "another of the same name: %s", e.what);
	c->close(s);
}

int main(int argc, char **argv)
{
	const struct ent_connector *files[2];
	if (argc != 4)
		return 2;
	snprintf(folder, sizeof folder, "%s/entente-folder.XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	c = suite_module(argv[1]);
	files[0] = suite_module(argv[2]);
	files[1] = suite_module(argv[3]);
	if (!OK(c && files[0] && files[1] && mkdtemp(folder), "ready"))
		return tap_done();
	snprintf(url, sizeof url, "folder:%s", folder);
	objects_start(files, 2, folder);
	test_reading();
	test_changes();
	test_stopped();
	objects_tidy();
	OK(access(folder, F_OK) != 0, "tidied up");
	return tap_done();
}
