/* Messages of HBase's Thrift2 service: parts of requests, and what replies say. Bytes only, no connection (and fuzzed). */
#ifndef ENT_HBASE_MESSAGE_H
#define ENT_HBASE_MESSAGE_H
#include "wire/thrift.h"

/* --- parts of requests; a failure sticks in out --- */

enum ent_hb_delete { ENT_HB_DELETE_COLUMN = 0, ENT_HB_DELETE_COLUMNS = 1, ENT_HB_DELETE_FAMILY = 2 };

struct ent_hb_scan_spec {             /* TScan */
	struct ent_bytes start, stop; /* rows [start, stop); empty: from the first, to the last */
	int32_t page;                 /* rows that the server fetches ahead */
	int32_t limit;                /* 0: none */
	int64_t from_ms, to_ms;       /* cells of [from, to); to_ms 0: any time */
	const char *filter;           /* in HBase's filter language; NULL: none */
	bool reversed;                /* start is then the last row, and stop the one before the first */
	bool raw;                     /* with deleted cells and the marks of deletes, as long as the store keeps them */
};
void ent_hb_put_scan(struct ent_buf *out, int16_t id, const struct ent_hb_scan_spec *s);
void ent_hb_put_table_name(struct ent_buf *out, int16_t id, struct ent_bytes ns, struct ent_bytes name); /* TTableName */
void ent_hb_put_family(struct ent_buf *out, struct ent_bytes family);                                    /* TColumnFamilyDescriptor, an element */
/* A TPut as an element of a list or the value of a field: begin, cells, end. The number of cells is told before. */
void ent_hb_put_begin(struct ent_buf *out, struct ent_bytes row, uint32_t n_cells);
void ent_hb_put_cell(struct ent_buf *out, struct ent_bytes family, struct ent_bytes qualifier, struct ent_bytes value);
void ent_hb_put_end(struct ent_buf *out, int64_t timestamp); /* 0: the server's */
/* A TDelete likewise; no columns: the whole row. Everything up to the timestamp goes, which each column tells for itself. */
void ent_hb_delete_begin(struct ent_buf *out, struct ent_bytes row, uint32_t n_columns);
void ent_hb_delete_column(struct ent_buf *out, struct ent_bytes family, struct ent_bytes qualifier, int64_t timestamp);
void ent_hb_delete_end(struct ent_buf *out, uint32_t n_columns, int64_t timestamp);

/* --- replies --- */

enum ent_hb_outcome {
	ENT_HB_DONE,
	ENT_HB_IO,      /* TIOError: the store could not do it */
	ENT_HB_INVALID, /* TIllegalArgument: a scanner that is gone */
	ENT_HB_BROKEN   /* TApplicationException: the server stumbled over the call itself */
};
struct ent_hb_answer { /* everything in it is lent by the frame */
	enum ent_hb_outcome outcome;
	int32_t sequence;
	struct ent_bytes text; /* of a failure */
	bool can_retry;
	uint8_t type;            /* of the result; ENT_THRIFT_STOP: none */
	struct ent_reader value; /* where it begins */
};
/* ENT_EPEER: no reply to method. */
int ent_hb_answer(struct ent_bytes frame, const char *method, struct ent_hb_answer *ret, struct ent_err *err);

struct ent_hb_cell {
	struct ent_bytes family, qualifier, value;
	int64_t timestamp; /* milliseconds */
	uint8_t type;      /* 4 put; more: marks of deletes; 0: not said */
};
struct ent_hb_row { /* TResult */
	struct ent_bytes key;
	uint32_t n_cells; /* 0: there is no such row */
	struct ent_reader cells;
};
struct ent_hb_rows { /* what is left of a list<TResult> */
	uint32_t n;
	struct ent_reader at;
};
int ent_hb_answer_rows(const struct ent_hb_answer *a, struct ent_hb_rows *ret, struct ent_err *err);
int ent_hb_answer_row(const struct ent_hb_answer *a, struct ent_hb_row *ret, struct ent_err *err); /* one TResult */
/* The next of n; ENT_EPEER. */
int ent_hb_row_next(struct ent_hb_rows *rows, struct ent_hb_row *ret, struct ent_err *err);
/* The next of n_cells; ENT_EPEER. */
int ent_hb_cell_next(struct ent_hb_row *row, struct ent_hb_cell *ret, struct ent_err *err);
int ent_hb_answer_i32(const struct ent_hb_answer *a, int32_t *ret, struct ent_err *err);
int ent_hb_answer_bool(const struct ent_hb_answer *a, bool *ret, struct ent_err *err);
int ent_hb_answer_text(const struct ent_hb_answer *a, struct ent_bytes *ret, struct ent_err *err);
/* Start keys of the regions of list<THRegionLocation>, in the order sent; the first region's is empty. take's failure stops. */
int ent_hb_answer_regions(const struct ent_hb_answer *a, int (*take)(void *arg, struct ent_bytes start, struct ent_err *err), void *arg,
			  struct ent_err *err);
/* Names of the families of a TTableDescriptor. */
int ent_hb_answer_families(const struct ent_hb_answer *a, int (*take)(void *arg, struct ent_bytes family, struct ent_err *err), void *arg,
			   struct ent_err *err);
#endif
