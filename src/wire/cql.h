/* Cassandra's native protocol, version 4: requests out, responses in. Sans-I/O; knows nothing of sockets or of values' types.
 *
 * frame = version:8 flags:8 stream:16 opcode:8 length:32 body, big endian. A request's stream number comes back in its response, so many
 * requests can be in flight. A [value] is length:32 and that many bytes; length -1 is NULL, -2 leaves the column as it is. */
#ifndef ENT_WIRE_CQL_H
#define ENT_WIRE_CQL_H
#include "base/bytes.h"

#define ENT_CQL_HEAD 9
#define ENT_CQL_COMPRESSED 0x01u      /* flag of a frame whose body is compressed */
#define ENT_CQL_BODY_MAX (256u << 20) /* the protocol's own bound */
#define ENT_CQL_COLUMNS_MAX 65535u

enum ent_cql_op {
	ENT_CQL_ERROR = 0x00,
	ENT_CQL_STARTUP = 0x01,
	ENT_CQL_READY = 0x02,
	ENT_CQL_AUTHENTICATE = 0x03,
	ENT_CQL_OPTIONS = 0x05,
	ENT_CQL_SUPPORTED = 0x06,
	ENT_CQL_QUERY = 0x07,
	ENT_CQL_RESULT = 0x08,
	ENT_CQL_PREPARE = 0x09,
	ENT_CQL_EXECUTE = 0x0A,
	ENT_CQL_REGISTER = 0x0B,
	ENT_CQL_EVENT = 0x0C,
	ENT_CQL_BATCH = 0x0D,
	ENT_CQL_AUTH_CHALLENGE = 0x0E,
	ENT_CQL_AUTH_RESPONSE = 0x0F,
	ENT_CQL_AUTH_SUCCESS = 0x10
};

enum ent_cql_consistency {
	ENT_CQL_ANY,
	ENT_CQL_ONE,
	ENT_CQL_TWO,
	ENT_CQL_THREE,
	ENT_CQL_QUORUM,
	ENT_CQL_ALL,
	ENT_CQL_LOCAL_QUORUM,
	ENT_CQL_EACH_QUORUM,
	ENT_CQL_SERIAL,
	ENT_CQL_LOCAL_SERIAL,
	ENT_CQL_LOCAL_ONE
};
/* "LOCAL_QUORUM", letters of either case; false for an unknown name. */
bool ent_cql_consistency_by_name(const char *name, enum ent_cql_consistency *ret);

/* --- requests: each appends one whole frame; a failure sticks in out --- */

struct ent_cql_params {                               /* what goes with a statement */
	enum ent_cql_consistency consistency, serial; /* serial: for conditional statements; ENT_CQL_ANY = not said */
	struct ent_bytes values;                      /* n_values [value]s, one after the other */
	uint16_t n_values;
	int32_t page_rows;             /* 0: the whole result */
	struct ent_bytes paging_state; /* where to go on; empty: at the start */
	int64_t timestamp_us;          /* write time; 0: the server's */
};

void ent_cql_options(struct ent_buf *out, int16_t stream);
void ent_cql_startup(struct ent_buf *out, int16_t stream, const char *compression); /* "lz4"; NULL: none */
void ent_cql_auth_plain(struct ent_buf *out, int16_t stream, struct ent_bytes user, struct ent_bytes password);
void ent_cql_query(struct ent_buf *out, int16_t stream, struct ent_bytes text, const struct ent_cql_params *p);
void ent_cql_prepare(struct ent_buf *out, int16_t stream, struct ent_bytes text);
void ent_cql_execute(struct ent_buf *out, int16_t stream, struct ent_bytes id, const struct ent_cql_params *p);

enum ent_cql_batch_kind { ENT_CQL_LOGGED, ENT_CQL_UNLOGGED, ENT_CQL_COUNTER };
struct ent_cql_statement { /* one of a batch: prepared when id is not empty, else text */
	struct ent_bytes id, text, values;
	uint16_t n_values;
};
void ent_cql_batch(struct ent_buf *out, int16_t stream, enum ent_cql_batch_kind kind, const struct ent_cql_statement *statements, uint16_t n,
		   const struct ent_cql_params *p); /* p: consistency, serial and timestamp count */

void ent_cql_put_value(struct ent_buf *out, struct ent_bytes value);
void ent_cql_put_text(struct ent_buf *out, const char *value);
void ent_cql_put_i32(struct ent_buf *out, int32_t value);
void ent_cql_put_i64(struct ent_buf *out, int64_t value);
void ent_cql_put_null(struct ent_buf *out);
void ent_cql_put_unset(struct ent_buf *out);

/* --- responses --- */

struct ent_cql_frame {
	uint8_t flags;
	int16_t stream;
	enum ent_cql_op op;
	struct ent_bytes body; /* lent until the next put */
};

struct ent_cql_parser {
	struct ent_buf buf;
	size_t at; /* start of the first frame not yet handed out */
	size_t body_max;
};
void ent_cql_parser_init(struct ent_cql_parser *p, size_t body_max);
void ent_cql_parser_deinit(struct ent_cql_parser *p);
/* Takes received bytes. ENT_ENOMEM. */
int ent_cql_parser_put(struct ent_cql_parser *p, struct ent_bytes bytes, struct ent_err *err);
/* 0 and a frame; ENT_EAGAIN when none is whole yet; ENT_EPEER when the bytes cannot be a response of version 4. */
int ent_cql_parser_next(struct ent_cql_parser *p, struct ent_cql_frame *ret, struct ent_err *err);

enum ent_cql_event_kind {
	ENT_CQL_IS_ERROR,
	ENT_CQL_IS_READY,
	ENT_CQL_IS_AUTHENTICATE,
	ENT_CQL_IS_CHALLENGE,
	ENT_CQL_IS_AUTHENTICATED,
	ENT_CQL_IS_SUPPORTED,
	ENT_CQL_IS_VOID,
	ENT_CQL_IS_ROWS,
	ENT_CQL_IS_KEYSPACE,
	ENT_CQL_IS_PREPARED,
	ENT_CQL_IS_SCHEMA_CHANGE,
	ENT_CQL_IS_EVENT
};

enum ent_cql_error_code { /* those that callers tell apart */
			  ENT_CQL_E_SERVER = 0x0000,
			  ENT_CQL_E_PROTOCOL = 0x000A,
			  ENT_CQL_E_CREDENTIALS = 0x0100,
			  ENT_CQL_E_UNAVAILABLE = 0x1000,
			  ENT_CQL_E_OVERLOADED = 0x1001,
			  ENT_CQL_E_BOOTSTRAPPING = 0x1002,
			  ENT_CQL_E_TRUNCATE = 0x1003,
			  ENT_CQL_E_WRITE_TIMEOUT = 0x1100,
			  ENT_CQL_E_READ_TIMEOUT = 0x1200,
			  ENT_CQL_E_READ_FAILURE = 0x1300,
			  ENT_CQL_E_FUNCTION = 0x1400,
			  ENT_CQL_E_WRITE_FAILURE = 0x1500,
			  ENT_CQL_E_SYNTAX = 0x2000,
			  ENT_CQL_E_UNAUTHORIZED = 0x2100,
			  ENT_CQL_E_INVALID = 0x2200,
			  ENT_CQL_E_CONFIG = 0x2300,
			  ENT_CQL_E_EXISTS = 0x2400,
			  ENT_CQL_E_UNPREPARED = 0x2500
};

enum ent_cql_type { /* ids of the protocol */
		    ENT_CQL_T_CUSTOM = 0x00,
		    ENT_CQL_T_ASCII = 0x01,
		    ENT_CQL_T_BIGINT = 0x02,
		    ENT_CQL_T_BLOB = 0x03,
		    ENT_CQL_T_BOOLEAN = 0x04,
		    ENT_CQL_T_COUNTER = 0x05,
		    ENT_CQL_T_DECIMAL = 0x06,
		    ENT_CQL_T_DOUBLE = 0x07,
		    ENT_CQL_T_FLOAT = 0x08,
		    ENT_CQL_T_INT = 0x09,
		    ENT_CQL_T_TIMESTAMP = 0x0B,
		    ENT_CQL_T_UUID = 0x0C,
		    ENT_CQL_T_TEXT = 0x0D,
		    ENT_CQL_T_VARINT = 0x0E,
		    ENT_CQL_T_TIMEUUID = 0x0F,
		    ENT_CQL_T_INET = 0x10,
		    ENT_CQL_T_DATE = 0x11,
		    ENT_CQL_T_TIME = 0x12,
		    ENT_CQL_T_SMALLINT = 0x13,
		    ENT_CQL_T_TINYINT = 0x14,
		    ENT_CQL_T_DURATION = 0x15, /* from version 5 on; version 4 shows it as custom */
		    ENT_CQL_T_LIST = 0x20,
		    ENT_CQL_T_MAP = 0x21,
		    ENT_CQL_T_SET = 0x22,
		    ENT_CQL_T_UDT = 0x30,
		    ENT_CQL_T_TUPLE = 0x31
};

struct ent_cql_column {
	struct ent_bytes keyspace, table, name;
	uint16_t type; /* enum ent_cql_type, or one this codec does not know */
};

struct ent_cql_meta { /* columns of rows, or of what a prepared statement takes */
	uint32_t n_columns;
	bool none, global;             /* no specs follow; keyspace and table stand once */
	struct ent_bytes paging_state; /* empty: there are no more pages */
	struct ent_bytes global_keyspace, global_table;
	struct ent_bytes specs; /* checked: as many as n_columns */
};

struct ent_cql_event { /* everything in it is lent by the frame */
	enum ent_cql_event_kind kind;
	uint32_t error;         /* IS_ERROR */
	struct ent_bytes text;  /* message of an error; class of an authenticator; keyspace; token of a challenge */
	struct ent_bytes id;    /* PREPARED; the unknown one of ENT_CQL_E_UNPREPARED */
	struct ent_cql_meta in; /* PREPARED: what it takes */
	struct ent_cql_meta out;
	uint32_t n_rows;         /* ROWS */
	struct ent_reader cells; /* ROWS: n_rows * out.n_columns [value]s, read by ent_cql_cell */
};

/* ENT_EPEER names what is wrong. */
int ent_cql_event(const struct ent_cql_frame *frame, struct ent_cql_event *ret, struct ent_err *err);
/* The next column of meta, specs read so far in *at (start with meta->specs). false at the end. */
bool ent_cql_column(const struct ent_cql_meta *meta, struct ent_bytes *at, struct ent_cql_column *ret);
/* The next cell; ret->data NULL for NULL. ENT_EPEER when the frame is over. */
int ent_cql_cell(struct ent_reader *cells, struct ent_bytes *ret, struct ent_err *err);
/* Whether an answer to OPTIONS offers value under key; false for other frames, too. */
bool ent_cql_offers(const struct ent_cql_frame *frame, const char *key, const char *value);
const char *ent_cql_error_name(uint32_t code); /* "WriteTimeout", "?" */
#endif
