/* Shared by the files that read Arrow IPC. */
#ifndef ENT_ARROW_IPC_INNER_H
#define ENT_ARROW_IPC_INNER_H
#include "arrow/flat.h"
#include "arrow/ipc.h"

#define ENT_IPC_FIELDS_MAX 10000 /* nested ones too */

enum ent_ipc_kind {
	ENT_IPC_SAME,  /* fixed width, as it is */
	ENT_IPC_BITS,  /* booleans */
	ENT_IPC_TEXT,  /* offsets of offset_width, then bytes */
	ENT_IPC_BLOCK, /* fixed-size binary: becomes texts */
	ENT_IPC_SCALE  /* integers of width, multiplied or exactly divided, to integers of to_width */
};

struct ent_ipc_field {     /* in the order of the format: a field, then its children */
	uint8_t n_buffers; /* its own */
	bool variadic;     /* and as many as the batch says */
	int32_t column;    /* of the table; -1: nested */
	/* columns that can be read */
	enum ent_ipc_kind kind;
	uint32_t width;   /* bytes of a value in the file; of an offset for TEXT */
	uint8_t to_width; /* SCALE */
	int64_t multiply, divide;
	struct ent_type type;
	char format[ENT_TYPE_TEXT_MAX]; /* as it is handed over */
	char native[120], unsupported[160];
	bool copied;
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
/* ipc_schema.c: fields, columns and schema of f from a Schema table. */
int ent_ipc_schema_read(struct ent_ipc *f, const struct ent_flat *schema, bool v4, struct ent_err *err);
#endif
