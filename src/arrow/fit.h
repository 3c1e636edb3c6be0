/* What becomes of a value of one type in a column of another: the type law of copies, shared by every sink. Nothing is cut, rounded or guessed
 * in silence: a pair of types is exact, widened (every value survives, spelled wider), lossy (only when somebody asked for it) or refused, and a
 * value that its column cannot hold is refused by name. */
#ifndef ENT_ARROW_FIT_H
#define ENT_ARROW_FIT_H
#include "arrow/value.h"
#include "entente/connector.h"

/* why: filled when the verdict is not exact, and when it is exact but each value is checked ("int to smallint": values that fit survive). */
enum ent_map_verdict ent_fit_types(struct ent_type from, struct ent_type to, char why[200]);

struct ent_fitted { /* a value in the target's terms */
	bool null;
	ent_i128 number;       /* booleans, integers, decimals (scaled), dates, times and timestamps */
	double real;           /* REAL, DOUBLE */
	struct ent_bytes text; /* TEXT, BINARY: lent by the view or by scratch */
};

/* Row row of a column in terms of type to. scratch: an initialised buffer for converted text, overwritten. ENT_EDATA, saying the value and why it
 * does not fit; the caller names column and row (ent_fit_misfit). Pairs whose verdict is refused: ENT_EUNSUPPORTED. */
int ent_fit_value(const struct ent_view *v, size_t row, struct ent_type to, struct ent_buf *scratch, struct ent_fitted *ret, struct ent_err *err);
/* "row 17 of column x cannot be stored as smallint", with the value cut to what a person reads as the reason. row: from 1. ENT_EDATA. */
int ent_fit_misfit(const struct ent_view *v, size_t row, uint64_t number, const char *column, const char *type, struct ent_err *err);
#endif
