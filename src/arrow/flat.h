/* Reading flatbuffers that somebody else made: every offset is checked before it is followed, so accessors of a table that ent_flat_table gave need
 * no more. An absent field reads as 0. Little-endian, as the format is. */
#ifndef ENT_ARROW_FLAT_H
#define ENT_ARROW_FLAT_H
#include "base/bytes.h"

struct ent_flat { /* one table */
	struct ent_bytes all;
	size_t at, vtable; /* positions in all */
	uint16_t n_fields, bytes;
};

struct ent_flat_vector {
	size_t at, n; /* position of the first item */
};

/* The root table of a buffer. False: it is none. */
bool ent_flat_root(struct ent_bytes all, struct ent_flat *ret);
/* A number of width 1, 2, 4 or 8 bytes, not extended by its sign; false when it does not lie within the table. Absent: *ret = 0. */
bool ent_flat_number(const struct ent_flat *t, unsigned field, unsigned width, uint64_t *ret);
/* A table the field points to. *ret_there false when absent. */
bool ent_flat_table(const struct ent_flat *t, unsigned field, struct ent_flat *ret, bool *ret_there);
bool ent_flat_text(const struct ent_flat *t, unsigned field, struct ent_bytes *ret);
/* A vector of items of that many bytes, all within the buffer. Absent: no items. */
bool ent_flat_vector(const struct ent_flat *t, unsigned field, size_t item, struct ent_flat_vector *ret);
/* Item i of a vector of tables. */
bool ent_flat_item(const struct ent_flat *t, const struct ent_flat_vector *v, size_t i, struct ent_flat *ret);
uint64_t ent_flat_le(struct ent_bytes all, size_t at, unsigned width); /* at + width within all */
#endif
