/* Apache Thrift's binary protocol, strict form, in frames: calls out, replies in. Sans-I/O; knows nothing of sockets or of any service.
 *
 * frame = length:32 big endian of what follows ‖ message. message = 0x8001 ‖ 0x00 ‖ kind:8 ‖ name (binary) ‖ sequence:32 ‖ one struct.
 * struct = fields (type:8 id:16 value) and a zero byte; binary = length:32 and that many bytes; list = element type:8, count:32, elements. */
#ifndef ENT_WIRE_THRIFT_H
#define ENT_WIRE_THRIFT_H
#include "base/bytes.h"

#define ENT_THRIFT_FRAME_MAX (256u << 20)
#define ENT_THRIFT_DEPTH_MAX 32 /* structs and lists within each other */

enum ent_thrift_type {
	ENT_THRIFT_STOP = 0,
	ENT_THRIFT_BOOL = 2,
	ENT_THRIFT_BYTE = 3,
	ENT_THRIFT_DOUBLE = 4,
	ENT_THRIFT_I16 = 6,
	ENT_THRIFT_I32 = 8,
	ENT_THRIFT_I64 = 10,
	ENT_THRIFT_BINARY = 11, /* also texts */
	ENT_THRIFT_STRUCT = 12,
	ENT_THRIFT_MAP = 13,
	ENT_THRIFT_SET = 14,
	ENT_THRIFT_LIST = 15
};

enum ent_thrift_kind { ENT_THRIFT_CALL = 1, ENT_THRIFT_REPLY = 2, ENT_THRIFT_EXCEPTION = 3, ENT_THRIFT_ONEWAY = 4 };

/* --- writing: a failure sticks in out --- */

/* Opens the frame of a call and its struct of arguments; returns where, for ent_thrift_call_end. */
size_t ent_thrift_call_begin(struct ent_buf *out, const char *name, int32_t sequence);
void ent_thrift_call_end(struct ent_buf *out, size_t at);

void ent_thrift_put_field(struct ent_buf *out, enum ent_thrift_type type, int16_t id); /* its value follows */
void ent_thrift_put_stop(struct ent_buf *out);                                         /* a struct ends */
void ent_thrift_put_bool(struct ent_buf *out, int16_t id, bool value);                 /* whole fields */
void ent_thrift_put_i32(struct ent_buf *out, int16_t id, int32_t value);
void ent_thrift_put_i64(struct ent_buf *out, int16_t id, int64_t value);
void ent_thrift_put_binary(struct ent_buf *out, int16_t id, struct ent_bytes value);
void ent_thrift_put_list(struct ent_buf *out, int16_t id, enum ent_thrift_type element, uint32_t n); /* n elements follow */
void ent_thrift_put_value(struct ent_buf *out, struct ent_bytes value);                              /* a binary without a field */

/* --- frames in --- */

struct ent_thrift_parser {
	struct ent_buf buf;
	size_t at; /* start of the first frame not yet handed out */
	size_t frame_max;
};
void ent_thrift_parser_init(struct ent_thrift_parser *p, size_t frame_max);
void ent_thrift_parser_deinit(struct ent_thrift_parser *p); /* zeroed is fine */
/* Takes received bytes. ENT_ENOMEM. */
int ent_thrift_parser_put(struct ent_thrift_parser *p, struct ent_bytes bytes, struct ent_err *err);
/* 0 and the content of a frame, lent until the next put; ENT_EAGAIN when none is whole yet; ENT_EPEER when one is longer than may be. */
int ent_thrift_parser_next(struct ent_thrift_parser *p, struct ent_bytes *ret, struct ent_err *err);

/* --- reading: after the first thing that is not what it should be, the reader's ok is false and everything ends --- */

struct ent_thrift_message {
	enum ent_thrift_kind kind;
	struct ent_bytes name;
	int32_t sequence;
	struct ent_reader body; /* of the struct's fields */
};
/* The head of a message, and that its struct is well formed to the end of the frame. ENT_EPEER. */
int ent_thrift_message(struct ent_bytes frame, struct ent_thrift_message *ret, struct ent_err *err);

struct ent_thrift_field {
	uint8_t type; /* enum ent_thrift_type, as sent */
	int16_t id;
};
/* The next field of a struct; false at its end. Its value must be read or skipped before the next. */
bool ent_thrift_field(struct ent_reader *r, struct ent_thrift_field *ret);
void ent_thrift_skip(struct ent_reader *r, uint8_t type);
bool ent_thrift_bool(struct ent_reader *r);
int32_t ent_thrift_i32(struct ent_reader *r);
int64_t ent_thrift_i64(struct ent_reader *r);
struct ent_bytes ent_thrift_binary(struct ent_reader *r);
/* Head of a list or set: the number of its elements, which fit into what is left. */
uint32_t ent_thrift_list(struct ent_reader *r, uint8_t *ret_element);
#endif
