/* Shared by the files that read Arrow IPC. */
#ifndef ENT_ARROW_IPC_INNER_H
#define ENT_ARROW_IPC_INNER_H
#include "arrow/flat.h"
#include "arrow/ipc.h"

#define ENT_IPC_FIELDS_MAX 10000 /* nested ones too */

enum ent_ipc_header { ENT_IPC_HEADER_SCHEMA = 1, ENT_IPC_HEADER_DICTIONARY, ENT_IPC_HEADER_BATCH };

enum ent_ipc_kind {
	ENT_IPC_SAME,  /* fixed width, as it is */
	ENT_IPC_BITS,  /* booleans */
	ENT_IPC_TEXT,  /* offsets of offset_width, then bytes */
	ENT_IPC_BLOCK, /* fixed-size binary: becomes texts */
	ENT_IPC_VIEW,  /* texts that stand anywhere */
	ENT_IPC_SCALE  /* integers of width, multiplied or exactly divided, to integers of to_width */
};

struct ent_ipc_field {     /* in the order of the format: a field, then its children */
	uint8_t n_buffers; /* its own */
	bool variadic;     /* and as many as the batch says */
	int32_t column;    /* of the table; -1: nested */
	/* columns that can be read */
	enum ent_ipc_kind kind;
	bool coded; /* batches have indices into a dictionary; kind, width and so on are those of its values */
	bool index_signed;
	uint8_t index_width;
	int64_t dictionary; /* its id */
	uint32_t width;     /* bytes of a value in the file; of an offset for TEXT */
	uint8_t to_width;   /* SCALE */
	int64_t multiply, divide;
	struct ent_type type;
	char format[ENT_TYPE_TEXT_MAX]; /* as it is handed over */
	char native[120], unsupported[160];
	bool copied;
};

struct ent_ipc_entries { /* one message of a dictionary */
	struct ent_ipc_block block;
	int64_t id;
	bool delta; /* more entries, not others */
};

struct ent_ipc {
	struct ent_ipc_input input;
	bool file;
	uint64_t end;
	struct ArrowSchema schema;
	struct ent_ipc_field *fields;
	size_t n_fields, n_columns;
	struct ent_field *columns; /* n_columns; names owned */
	size_t *field_of;          /* by column */
	struct ent_ipc_block *blocks;
	size_t n_blocks;
	struct ent_ipc_entries *entries;
	size_t n_entries;
	uint64_t rows;
};

int ent_ipc_bad(const char *what, struct ent_err *err); /* ENT_EDATA */
/* A Message's metadata, read and parsed: its table, header's type, length of the body. meta holds the bytes. */
struct ent_ipc_message {
	struct ent_flat table, header;
	uint64_t type, body_bytes;
	bool v4;
};
int ent_ipc_message_read(const struct ent_ipc *f, uint64_t at, uint32_t meta_bytes, struct ent_buf *meta, struct ent_ipc_message *ret,
			 struct ent_err *err);

/* --- ipc_body.c: the bytes of buffers --- */

struct ent_ipc_unpacker;
struct ent_ipc_part {                      /* one buffer of a message */
	uint64_t at, len;                  /* in the file; bytes of contents */
	struct ent_ipc_unpacker *unpacker; /* of a compressed one; owned by the body */
};

struct ent_ipc_body { /* of the message that is read */
	const struct ent_ipc *f;
	struct ent_ipc_unpacker *unpackers;
	struct ent_ipc_views *views;
	uint64_t unpacked; /* what all messages so far say they unpack to */
	size_t memory;     /* of the unpackers */
	size_t held;       /* of the buffers of views */
};

void ent_ipc_body_reset(struct ent_ipc_body *b); /* its parts end */
/* A buffer of len bytes at a place of the file that was checked, in a message with that codec. */
int ent_ipc_part_open(struct ent_ipc_body *b, uint64_t at, uint64_t len, int codec, struct ent_ipc_part *ret, struct ent_err *err);
void ent_ipc_part_close(struct ent_ipc_body *b, const struct ent_ipc_part *p); /* earlier than with its body */
/* Contents [from, from + len). A compressed part goes forwards only: nothing before the `from` of an earlier call. */
int ent_ipc_part_read(struct ent_ipc_body *b, const struct ent_ipc_part *p, uint64_t from, void *to, size_t len, struct ent_err *err);

/* --- ipc_rows.c: a message, slice by slice --- */

struct ent_ipc_dictionary;
struct ent_ipc_taken { /* one column of the current message */
	const struct ent_ipc_field *field;
	size_t column;                                 /* of the table */
	struct ent_ipc_part validity, values, offsets; /* values: the indices of a coded one */
	struct ent_ipc_dictionary *dictionary;         /* of a coded one */
	struct ent_ipc_views *views;                   /* of one of views, whose values are the views; owned by the body */
};

struct ent_ipc_cursor {
	struct ent_ipc_body body;
	const struct ent_ipc_field *fields; /* of the messages it reads */
	size_t n_fields;
	struct ent_ipc_taken *taken;
	size_t n;
	const struct ent_ipc_block *block; /* NULL: none */
	uint64_t row;                      /* the next one of block */
	struct ent_buf meta, scratch;
};

void ent_ipc_cursor_init(struct ent_ipc_cursor *c, const struct ent_ipc *f);
void ent_ipc_cursor_deinit(struct ent_ipc_cursor *c); /* taken is the caller's */
int ent_ipc_cursor_load(struct ent_ipc_cursor *c, const struct ent_ipc_block *block, struct ent_err *err);
/* The next rows of the block; released when there are no more. */
int ent_ipc_cursor_next(struct ent_ipc_cursor *c, struct ArrowArray *ret, struct ent_err *err);

/* --- ipc_slice.c: rows of one column --- */

int ent_ipc_array_init(struct ArrowArray *a, size_t rows, int64_t n_buffers, size_t n_children, struct ent_err *err);
int ent_ipc_array_buffer(struct ArrowArray *a, size_t i, size_t len, void **ret, struct ent_err *err); /* len zero bytes, owned by a */
/* From c->row on n rows; the bytes they would take. */
int ent_ipc_slice(struct ent_ipc_cursor *c, const struct ent_ipc_taken *t, size_t n, struct ArrowArray *a, struct ent_err *err);
int ent_ipc_slice_bytes(struct ent_ipc_cursor *c, const struct ent_ipc_taken *t, size_t n, uint64_t *bytes, struct ent_err *err);
int ent_ipc_validity_read(struct ent_ipc_cursor *c, const struct ent_ipc_taken *t, size_t n, struct ArrowArray *a, struct ent_err *err);

/* --- ipc_view.c: texts that stand anywhere in several buffers --- */

int ent_ipc_views_new(struct ent_ipc_body *b, size_t n, int codec, struct ent_ipc_views **ret, struct ent_err *err);
void ent_ipc_views_put(struct ent_ipc_views *v, size_t i, uint64_t at, uint64_t len); /* buffer i, its place in the file checked */
void ent_ipc_views_free(struct ent_ipc_views *all);
int ent_ipc_view_slice(struct ent_ipc_cursor *c, const struct ent_ipc_taken *t, size_t n, struct ArrowArray *a, struct ent_err *err);
int ent_ipc_view_bytes(struct ent_ipc_cursor *c, const struct ent_ipc_taken *t, size_t n, uint64_t *bytes, struct ent_err *err);

/* --- ipc_dictionary.c: entries and rows that name them --- */

int ent_ipc_dictionary_new(struct ent_ipc_dictionary **ret, struct ent_err *err);
void ent_ipc_dictionary_free(struct ent_ipc_dictionary *d); /* NULL is fine */
/* As the first `until` messages of the file leave it; `until` never falls. *total: bytes of all dictionaries of the stream. */
int ent_ipc_dictionary_load(struct ent_ipc_dictionary *d, struct ent_ipc_cursor *c, const struct ent_ipc_field *field, size_t until, size_t *total,
			    struct ent_err *err);
int ent_ipc_coded_slice(struct ent_ipc_cursor *c, const struct ent_ipc_taken *t, size_t n, struct ArrowArray *a, struct ent_err *err);
int ent_ipc_coded_bytes(struct ent_ipc_cursor *c, const struct ent_ipc_taken *t, size_t n, uint64_t *bytes, struct ent_err *err);

/* ipc_schema.c: fields, columns and schema of f from a Schema table. */
int ent_ipc_schema_read(struct ent_ipc *f, const struct ent_flat *schema, bool v4, struct ent_err *err);
#endif
