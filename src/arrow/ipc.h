/* Arrow IPC, files and streams: the pieces a file is made of, and reading one that somebody else wrote.
 *
 * Reading: metadata are checked when the file is opened, with every offset and length; rows are read in slices of at most ENT_BATCH_ROWS_MAX rows
 * and ENT_BATCH_BYTES_MAX bytes whatever the size of the writer's batches, compressed or not, so memory stays flat: dictionaries alone are held
 * whole, within ENT_IPC_DICTIONARY_BYTES_MAX. Values themselves are checked by ent_batch_open. */
#ifndef ENT_ARROW_IPC_H
#define ENT_ARROW_IPC_H
#include "arrow/batch.h"
#include "entente/connector.h"

#define ENT_IPC_DICTIONARY_BYTES_MAX ((size_t)256 << 20) /* of all columns of a stream */
#define ENT_IPC_UNPACK_MEMORY_MAX ((size_t)512 << 20)    /* what codecs may hold at once */
#define ENT_IPC_UNPACK_FREE ((uint64_t)1 << 30)          /* what a file may unpack to whatever its size; beyond that: */
#define ENT_IPC_UNPACK_RATIO 1000                        /* so many times its size */
#define ENT_IPC_MAGIC "ARROW1\0\0"                       /* 8 bytes; a file begins with it and ends with its first 6 */

struct ent_ipc_block { /* one message of rows */
	uint64_t at, body_at, body_bytes, rows;
	uint32_t meta_bytes; /* with the 8 bytes before the metadata */
	int8_t codec;        /* of enum ent_ipc_codec_id; -1: its buffers are not compressed */
	size_t dictionaries; /* so many messages of dictionaries count for it */
};

/* --- writing: appended to out --- */

int ent_ipc_schema_put(const struct ArrowSchema *schema, struct ent_buf *out, struct ent_err *err); /* copying types; natives do not travel */
int ent_ipc_batch_put(const struct ent_batch *batch, struct ent_buf *out, struct ent_err *err);
void ent_ipc_end_put(struct ent_buf *out); /* the end mark: a stream is whole, a file lacks its footer */
/* The rest of a file after the end mark. */
int ent_ipc_footer_put(const struct ArrowSchema *schema, const struct ent_ipc_block *blocks, size_t n, struct ent_buf *out, struct ent_err *err);

/* --- reading --- */

enum ent_ipc_codec_id { ENT_IPC_LZ4_FRAME, ENT_IPC_ZSTD, ENT_IPC_CODECS };

/* Unpacks one buffer, front to back: libraries of others, so whoever opens a file brings them (connectors/arrow/arrow_codec.h). */
struct ent_ipc_codec {
	void *(*open)(void); /* NULL: out of memory */
	/* Takes bytes from the front of in and moves it on, puts up to space bytes to out. *ret_end: a frame is complete. NULL, or what is wrong. */
	const char *(*step)(void *self, struct ent_bytes *in, uint8_t *out, size_t space, size_t *ret_n, bool *ret_end);
	size_t (*memory)(const void *self); /* it holds now */
	uint64_t ratio;                     /* no byte can become more than so many */
	void (*close)(void *self);
};

struct ent_ipc_input {                                                                       /* bytes at random */
	int (*read_at)(void *self, uint64_t at, void *buf, size_t len, struct ent_err *err); /* all or an error */
	void *self;
	uint64_t bytes;
	const struct ent_ipc_codec *const *codecs; /* ENT_IPC_CODECS of them, NULL where there is none; NULL: none at all */
};

struct ent_ipc; /* an opened file */

/* File or stream, as the first bytes say. ENT_EDATA: damaged, cut off, no Arrow; ENT_EUNSUPPORTED: compressed in a way that
 * input has no codec for, big-endian, from before 2019.
 * unfinished: no end mark is asked for (a writer's own). */
int ent_ipc_open(const struct ent_ipc_input *input, bool unfinished, struct ent_ipc **ret, struct ent_err *err);
void ent_ipc_close(struct ent_ipc *f);                             /* NULL is fine */
const struct ArrowSchema *ent_ipc_schema(const struct ent_ipc *f); /* as describe wants it; lent */
uint64_t ent_ipc_rows(const struct ent_ipc *f);
uint64_t ent_ipc_end(const struct ent_ipc *f); /* behind the last message, before the end mark */
const struct ent_ipc_block *ent_ipc_blocks(const struct ent_ipc *f, size_t *ret_n);
/* Columns by index, from the blocks [from, to). f must outlive the stream. schema: the chosen fields, without "unsupported". */
int ent_ipc_read(const struct ent_ipc *f, const size_t *columns, size_t n_columns, size_t from, size_t to, struct ArrowArrayStream *ret,
		 struct ent_err *err);
#endif
