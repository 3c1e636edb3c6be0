/* The types a joint query knows, one meaning everywhere (engine.md: PostgreSQL 15, text by bytes, timestamps in UTC microseconds),
 * and their Arrow formats; behind them the types that only copies know. */
#ifndef ENT_ARROW_TYPE_H
#define ENT_ARROW_TYPE_H
#include "base/bytes.h"

enum ent_type_id {
	ENT_T_BOOL,        /* "b" */
	ENT_T_INT16,       /* "s" */
	ENT_T_INT32,       /* "i" */
	ENT_T_INT64,       /* "l" */
	ENT_T_DECIMAL,     /* "d:p,s", p <= 18 in columns; results of SUM up to 38 */
	ENT_T_REAL,        /* "f" */
	ENT_T_DOUBLE,      /* "g" */
	ENT_T_DATE,        /* "tdD" days since 1970-01-01 */
	ENT_T_TIMESTAMP,   /* "tsu:" microseconds, no zone */
	ENT_T_TIMESTAMPTZ, /* "tsu:UTC" */
	ENT_T_TEXT,        /* "u" */
	ENT_T_UINT64,      /* "L"; from here on: copies only */
	ENT_T_TIME,        /* "ttu" microseconds of the day, 0 to 24:00:00 */
	ENT_T_BINARY,      /* "z" */
	ENT_T_COUNT
};

struct ent_type {
	enum ent_type_id id;
	uint8_t precision, scale; /* decimal only */
};

static inline bool ent_type_is_int(struct ent_type t) { return t.id >= ENT_T_INT16 && t.id <= ENT_T_INT64; }
static inline bool ent_type_is_number(struct ent_type t) { return t.id >= ENT_T_INT16 && t.id <= ENT_T_DOUBLE; }
static inline bool ent_type_is_float(struct ent_type t) { return t.id == ENT_T_REAL || t.id == ENT_T_DOUBLE; }
static inline bool ent_type_is_time(struct ent_type t) { return t.id >= ENT_T_DATE && t.id <= ENT_T_TIMESTAMPTZ; }
/* A joint query may use columns of this type. */
static inline bool ent_type_is_joint(struct ent_type t) { return t.id <= ENT_T_TEXT && (t.id != ENT_T_DECIMAL || t.precision <= 18); }
static inline bool ent_type_is_bytes(struct ent_type t) { return t.id == ENT_T_TEXT || t.id == ENT_T_BINARY; }
static inline bool ent_type_eq(struct ent_type a, struct ent_type b)
{
	return a.id == b.id && (a.id != ENT_T_DECIMAL || (a.precision == b.precision && a.scale == b.scale));
}

#define ENT_TYPE_TEXT_MAX 40
void ent_type_name(struct ent_type t, char out[ENT_TYPE_TEXT_MAX]);   /* "decimal(12,2)", "timestamp with time zone" */
bool ent_type_by_name(const char *name, struct ent_type *ret);        /* the names above */
void ent_type_format(struct ent_type t, char out[ENT_TYPE_TEXT_MAX]); /* Arrow format */
/* Also accepts the formats that widen without loss: "c" "C" "S" "I" (to the next signed type), "tss:" "tsm:" "U" "vu"; false for any other. */
bool ent_type_by_format(const char *format, struct ent_type *ret);
#endif
