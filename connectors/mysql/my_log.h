/* MySQL's and MariaDB's binary log, event by event: foreign bytes in, structs and builder values out. No library, no I/O, fuzzed.
 *
 * An event: u32 time, u8 type, u32 server, u32 size, u32 position behind it, u16 flags, then its body and, where the log has checksums, a CRC-32 over
 * all before it. All numbers little-endian unless a value's own packing says otherwise. */
#ifndef ENT_MYSQL_MY_LOG_H
#define ENT_MYSQL_MY_LOG_H
#include "arrow/builder.h"
#include "my_type.h"

enum ent_my_event_type {
	ENT_MY_EV_QUERY = 2,
	ENT_MY_EV_STOP = 3,
	ENT_MY_EV_ROTATE = 4,
	ENT_MY_EV_FORMAT = 15,
	ENT_MY_EV_XID = 16,
	ENT_MY_EV_TABLE_MAP = 19,
	ENT_MY_EV_WRITE_1 = 23,
	ENT_MY_EV_UPDATE_1 = 24,
	ENT_MY_EV_DELETE_1 = 25,
	ENT_MY_EV_INCIDENT = 26,
	ENT_MY_EV_HEARTBEAT = 27,
	ENT_MY_EV_WRITE_2 = 30,
	ENT_MY_EV_UPDATE_2 = 31,
	ENT_MY_EV_DELETE_2 = 32,
	ENT_MY_EV_GTID = 33,
	ENT_MY_EV_XA_PREPARE = 38,
	ENT_MY_EV_PARTIAL_UPDATE = 39,
	ENT_MY_EV_PAYLOAD = 40, /* a compressed transaction */
	ENT_MY_EV_HEARTBEAT_2 = 41,
	ENT_MY_EV_MARIA_GTID = 162,
	ENT_MY_EV_MARIA_COMPRESSED = 165, /* to 171: compressed events */
	ENT_MY_EV_MARIA_COMPRESSED_LAST = 171
};

enum ent_my_log_type { /* of columns, as the protocol numbers them */
		       ENT_MY_T_TINY = 1,
		       ENT_MY_T_SHORT = 2,
		       ENT_MY_T_LONG = 3,
		       ENT_MY_T_FLOAT = 4,
		       ENT_MY_T_DOUBLE = 5,
		       ENT_MY_T_NULL = 6,
		       ENT_MY_T_TIMESTAMP = 7,
		       ENT_MY_T_LONGLONG = 8,
		       ENT_MY_T_INT24 = 9,
		       ENT_MY_T_DATE = 10,
		       ENT_MY_T_TIME = 11,
		       ENT_MY_T_DATETIME = 12,
		       ENT_MY_T_YEAR = 13,
		       ENT_MY_T_NEWDATE = 14,
		       ENT_MY_T_VARCHAR = 15,
		       ENT_MY_T_BIT = 16,
		       ENT_MY_T_TIMESTAMP2 = 17,
		       ENT_MY_T_DATETIME2 = 18,
		       ENT_MY_T_TIME2 = 19,
		       ENT_MY_T_JSON = 245,
		       ENT_MY_T_NEWDECIMAL = 246,
		       ENT_MY_T_ENUM = 247,
		       ENT_MY_T_SET = 248,
		       ENT_MY_T_TINY_BLOB = 249,
		       ENT_MY_T_MEDIUM_BLOB = 250,
		       ENT_MY_T_LONG_BLOB = 251,
		       ENT_MY_T_BLOB = 252,
		       ENT_MY_T_VAR_STRING = 253,
		       ENT_MY_T_STRING = 254,
		       ENT_MY_T_GEOMETRY = 255
};

struct ent_my_event {
	uint32_t time, server, position;
	uint8_t type;
	uint16_t flags;
	struct ent_bytes body; /* without header and checksum */
};

/* packet: one event. checksum: the log has them. ENT_EDATA: cut, or its checksum is wrong. */
int ent_my_event_open(struct ent_bytes packet, bool checksum, struct ent_my_event *ret, struct ent_err *err);
/* Whether the events of this file end with checksums; ENT_EUNSUPPORTED: older than version 4. */
int ent_my_format_read(const struct ent_my_event *e, bool *ret_checksum, struct ent_err *err);
int ent_my_rotate_read(const struct ent_my_event *e, char ret_file[256], uint64_t *ret_position, struct ent_err *err);
/* database: NUL-terminated, of the session; sql: lent. */
int ent_my_query_read(const struct ent_my_event *e, char database[256], struct ent_bytes *ret_sql, struct ent_err *err);

/* --- what a statement does to tables --- */
enum ent_my_statement {
	ENT_MY_ST_BEGIN,
	ENT_MY_ST_COMMIT,
	ENT_MY_ST_ROLLBACK,
	ENT_MY_ST_XA_OTHER, /* END */
	ENT_MY_ST_XA_SETTLED,
	ENT_MY_ST_ROWS, /* INSERT, UPDATE ...: the log is not in rows */
	ENT_MY_ST_TRUNCATE,
	ENT_MY_ST_ALTER,
	ENT_MY_ST_ALTER_ROWS, /* ALTER that takes rows in or out: partitions */
	ENT_MY_ST_DROP,
	ENT_MY_ST_RENAME,
	ENT_MY_ST_OTHER
};
enum ent_my_statement ent_my_statement_kind(struct ent_bytes sql);
/* Whether the statement names database.table; current: the session's database. Looks at every name, so it may say yes too often, never too seldom. */
bool ent_my_statement_names(struct ent_bytes sql, const char *current, const char *database, const char *table);

/* --- tables and rows --- */

struct ent_my_log_column {
	uint8_t type; /* of the protocol; enum and set told apart from char */
	uint16_t meta;
	bool nullable;
	char name[256];         /* "" where the log has no names */
	struct ent_bytes words; /* values of an enum or set, each with its length in front; lent by the map */
	size_t n_words;
};

struct ent_my_map {             /* which columns the rows that follow have */
	uint64_t id, signature; /* signature: equal for equal columns */
	char database[256], table[256];
	struct ent_my_log_column *columns;
	size_t n_columns;
	bool named;
	struct ent_buf kept; /* bytes of words */
};
int ent_my_map_read(const struct ent_my_event *e, struct ent_my_map *ret, struct ent_err *err);
void ent_my_map_deinit(struct ent_my_map *m);
/* The id alone, of a map or rows event; false when it is cut. */
bool ent_my_table_id(const struct ent_my_event *e, uint64_t *ret);

struct ent_my_rows {
	char op;   /* I U D */
	bool full; /* every column is there, before and after */
	const struct ent_my_map *map;
	struct ent_bytes before, after; /* which columns: one bit each */
	struct ent_reader at;
};
int ent_my_rows_open(const struct ent_my_event *e, const struct ent_my_map *map, struct ent_my_rows *ret, struct ent_err *err);

/* Raw values of one image, lent by the event; data NULL = NULL. */
/* before: of U and D; after: of I and U; each with n_columns elements. *ret_end: there was no further row. */
int ent_my_rows_next(struct ent_my_rows *r, struct ent_bytes *before, struct ent_bytes *after, bool *ret_end, struct ent_err *err);

enum ent_my_charset { ENT_MY_UTF8, ENT_MY_LATIN1, ENT_MY_OTHER_CHARSET };
enum ent_my_charset ent_my_charset_of(const char *collation);

/* Whether the log's column can be read as the catalogue's type; NULL, or why not. */
const char *ent_my_log_unreadable(const struct ent_my_type *type, enum ent_my_charset charset); /* the same from the catalogue alone */
const char *ent_my_log_match(const struct ent_my_log_column *c, const struct ent_my_type *type, enum ent_my_charset charset);
/* One value that matched into column col of the builder. ENT_EDATA: it breaks its own packing, or has no place elsewhere (zero dates). */
int ent_my_log_value(const struct ent_my_log_column *c, const struct ent_my_type *type, enum ent_my_charset charset, struct ent_bytes value,
		     struct ent_buf *scratch, struct ent_builder *b, size_t col, struct ent_err *err);

/* --- pieces, for tests too --- */
/* MySQL's packed decimal as text; false when it is cut or has a wrong digit group. */
bool ent_my_decimal_read(struct ent_reader *r, unsigned precision, unsigned scale, char out[80]);
/* MySQL's binary JSON as the server would print it. ENT_EDATA. */
int ent_my_json_text(struct ent_bytes value, struct ent_buf *out, struct ent_err *err);
uint32_t ent_my_crc32(struct ent_bytes b);
uint64_t ent_my_lenenc(struct ent_reader *r); /* MySQL's length-encoded integer; 0 and r->ok false for NULL and reserved marks */
#endif
