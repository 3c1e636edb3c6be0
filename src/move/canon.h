/* Canonical texts: equal values of two stores have equal bytes, whatever types hold them. 1.50 = 1.5 = 1.5e0; timestamps are moments in UTC; a REAL
 * beside a DOUBLE is compared as the double it is; true beside a number is 1. Text is compared byte by byte. */
#ifndef ENT_MOVE_CANON_H
#define ENT_MOVE_CANON_H
#include "arrow/value.h"

enum ent_canon_kind { ENT_CANON_RAW, ENT_CANON_NUMBER, ENT_CANON_MOMENT };

struct ent_canon { /* how one side of a pair of columns is put */
	enum ent_canon_kind kind;
	bool as_double, signed_zero;
};

/* For the side whose type is mine, beside a column of type other. */
struct ent_canon ent_canon_choose(struct ent_type mine, struct ent_type other);
/* Appends u8 0 for NULL, else u8 1, be32 length and the canonical bytes. Failure sticks in out. */
void ent_canon_put(const struct ent_canon *c, const struct ent_view *v, size_t row, struct ent_buf *out);
/* A number's text without its accidents: sign, digits without zeros at either end, exponent ("15e-1", "0", "-0"); false: no number. */
bool ent_canon_number(struct ent_bytes text, bool signed_zero, struct ent_buf *out);
#endif
