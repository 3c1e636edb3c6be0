/* A folder of files as tables that only grow: what the files of this module share. */
#ifndef ENT_FOLDER_H
#define ENT_FOLDER_H
#include "arrow/builder.h"
#include "arrow/stream.h"
#include "entente/connector.h"

#define ENT_FOLDER_FILE "_file"
#define ENT_FOLDER_ROW "_row"
#define ENT_FOLDER_NAME_MAX 255

struct ent_folder_entry { /* what must stay as it is once a file was taken */
	char name[ENT_FOLDER_NAME_MAX + 1];
	uint64_t bytes;
	int64_t modified_ns, changed_ns;
};

struct ent_folder_list { /* by time of change (ctime), then name: the order in which files came */
	struct ent_folder_entry *entries;
	size_t n;
};
void ent_folder_list_deinit(struct ent_folder_list *l); /* zeroed is fine */
/* Files that can be read, without hidden ones (. _), that have not changed since until_ns. */
int ent_folder_list_read(const struct ent_host *host, const char *path, int64_t until_ns, struct ent_folder_list *ret, struct ent_err *err);
int ent_folder_entry_read(const char *path, const char *name, struct ent_folder_entry *ret, struct ent_err *err);
int64_t ent_folder_settled_ns(void); /* files that changed before it are thought to be whole */

struct ent_folder_cursor { /* all files up to the last one, as a manifest: how many, and a sum over their names, lengths and times */
	int64_t changed_ns;
	uint64_t n, sum;
	char name[ENT_FOLDER_NAME_MAX + 1];
};
bool ent_folder_cursor_parse(const char *text, struct ent_folder_cursor *ret);
void ent_folder_cursor_text(const struct ent_folder_cursor *c, char out[400]);
void ent_folder_cursor_take(struct ent_folder_cursor *c, const struct ent_folder_entry *e);
int ent_folder_cursor_order(const struct ent_folder_cursor *c, const struct ent_folder_entry *e); /* < 0: e comes after c */
/* The files up to the cursor are the very ones it was made of: ENT_EDATA. *ret_at: the first one after it. */
int ent_folder_cursor_check(const struct ent_folder_cursor *c, const struct ent_folder_list *l, size_t *ret_at, struct ent_err *err);

struct ent_source {
	struct ent_host host;
	char *path;
	struct ent_option *options; /* of the files' reader; owned */
	size_t n_options;
};

/* folder_rows.c: the rows of one file with two more columns, and in front of them, for changes, two others. */
struct ent_folder_rows {
	bool changes;
	const char *const *columns; /* NULL: all; not with changes */
	size_t n_columns;
};
int ent_folder_rows_open(const struct ent_source *s, const struct ent_folder_entry *e, const struct ent_folder_rows *what,
			 struct ArrowArrayStream *ret, struct ent_err *err);
int ent_folder_described(const struct ent_source *s, const struct ent_folder_entry *e, struct ArrowSchema *ret, struct ent_err *err);
bool ent_folder_schema_same(const struct ArrowSchema *a, const struct ArrowSchema *b);
bool ent_folder_matches(const char *object, const char *name);

/* folder_follow.c */
int ent_folder_changes_open(struct ent_source *s, const struct ent_changes_spec *spec, struct ent_changes **ret, struct ent_err *err);
int ent_folder_changes_next(struct ent_changes *c, uint32_t timeout_ms, struct ent_event *ret, struct ent_err *err);
int ent_folder_changes_ack(struct ent_changes *c, const char *cursor, struct ent_err *err);
void ent_folder_changes_close(struct ent_changes *c);
int ent_folder_changes_drop(struct ent_source *s, const char *job, struct ent_err *err);
int ent_folder_position(struct ent_source *s, char ret[400], struct ent_err *err);
int ent_folder_position_reached(const char *a, const char *b);
#endif
