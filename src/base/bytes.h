/* Byte ranges, growable buffers born with their maximum, and the text encodings used in files and on wires. */
#ifndef ENT_BASE_BYTES_H
#define ENT_BASE_BYTES_H
#include <string.h>

#include "base/err.h"

struct ent_bytes { /* borrowed: somebody else owns data */
	const uint8_t *data;
	size_t len;
};

static inline struct ent_bytes ent_bytes(const void *data, size_t len) { return (struct ent_bytes){ (const uint8_t *)data, len }; }
static inline struct ent_bytes ent_bytes_str(const char *s) { return ent_bytes(s, strlen(s)); }
static inline bool ent_bytes_eq(struct ent_bytes a, struct ent_bytes b) { return a.len == b.len && (!a.len || !memcmp(a.data, b.data, a.len)); }

/* Growable buffer. The first failure (over max, or out of memory) sticks: later puts do nothing and ent_buf_check tells. The
 * byte after len is always 0 once something was put, so text can be read as a C string with ent_buf_str. */
struct ent_buf {
	uint8_t *data;
	size_t len, cap, max;
	int code;
};

#define ENT_BUF(bytes_max) \
	{ \
		.max = (bytes_max) \
	}
void ent_buf_init(struct ent_buf *b, size_t max);
void ent_buf_deinit(struct ent_buf *b); /* frees; NULL and zeroed are fine; usable with ENT_CLEANUP */
void ent_buf_reset(struct ent_buf *b);  /* keeps the memory, clears length and failure */
void ent_buf_put(struct ent_buf *b, const void *data, size_t len);
void ent_buf_str(struct ent_buf *b, const char *s);
void ent_buf_printf(struct ent_buf *b, const char *fmt, ...) ENT_PRINTF(2, 3);
void ent_buf_u8(struct ent_buf *b, uint8_t v);
void ent_buf_be16(struct ent_buf *b, uint16_t v);
void ent_buf_be32(struct ent_buf *b, uint32_t v);
void ent_buf_be64(struct ent_buf *b, uint64_t v);
void ent_buf_le32(struct ent_buf *b, uint32_t v);
void ent_buf_le64(struct ent_buf *b, uint64_t v);
uint8_t *ent_buf_space(struct ent_buf *b, size_t len); /* appends len zero bytes and lends them; NULL after a failure */
int ent_buf_check(const struct ent_buf *b, struct ent_err *err);
/* Appends what was received, after dropping the *at bytes at the start that were used up, when they are half of the buffer; *at follows. */
int ent_buf_receive(struct ent_buf *b, size_t *at, struct ent_bytes bytes, struct ent_err *err);
static inline const char *ent_buf_text(const struct ent_buf *b) { return b->data ? (const char *)b->data : ""; }
static inline struct ent_bytes ent_buf_bytes(const struct ent_buf *b) { return ent_bytes(b->data, b->len); }

/* A reader that never passes the end: after a short read, ok is false and zeros come back. */
struct ent_reader {
	const uint8_t *at, *end;
	bool ok;
};
static inline struct ent_reader ent_reader(struct ent_bytes b) { return (struct ent_reader){ b.data, b.data + b.len, true }; }
struct ent_bytes ent_read(struct ent_reader *r, size_t len);
uint8_t ent_read_u8(struct ent_reader *r);
uint16_t ent_read_be16(struct ent_reader *r);
uint32_t ent_read_be32(struct ent_reader *r);
uint64_t ent_read_be64(struct ent_reader *r);
uint32_t ent_read_le32(struct ent_reader *r);
uint64_t ent_read_le64(struct ent_reader *r);
static inline size_t ent_reader_left(const struct ent_reader *r) { return (size_t)(r->end - r->at); }

/* Hex is lower case. Decoders accept only the canonical form (exact length, lower case; base64 with padding, no slack bits)
 * and return false otherwise. Text outputs are NUL-terminated. */
void ent_hex(char *out /* 2*len+1 */, const void *data, size_t len);
bool ent_unhex(void *out, size_t len, const char *hex /* exactly 2*len letters */, size_t hex_len);
/* Text of an address, %XX decoded, into out with a NUL behind; false when it does not fit, holds a NUL or a % without two digits. */
bool ent_percent_decode(struct ent_bytes text, char *out, size_t out_size);
#define ENT_BASE64_LEN(n) (((n) + 2) / 3 * 4)
void ent_base64(char *out /* ENT_BASE64_LEN(len)+1 */, const void *data, size_t len);
bool ent_unbase64(struct ent_buf *out, const char *text, size_t text_len);
void ent_buf_hex(struct ent_buf *b, const void *data, size_t len);
void ent_buf_base64(struct ent_buf *b, const void *data, size_t len);

/* Reads a decimal integer without sign, blanks or leading zeros, at most max. */
bool ent_parse_u64(const char *text, size_t len, uint64_t max, uint64_t *ret);
bool ent_utf8_valid(struct ent_bytes text);
char *ent_strdup(const char *s); /* NULL in, NULL out */
#endif
