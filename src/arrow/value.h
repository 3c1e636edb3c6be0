/* Values as text and back, one spelling each: 12.50 (scale digits), 2013-01-31, 2013-01-31 05:00:00, 2013-01-31 05:00:00.25+00, 05:00:00.25, true,
 * \x and hexadecimal digits for bytes, infinity and -infinity for dates and timestamps without end, shortest round-trip for floats (NaN,
 * Infinity, -Infinity). Years beyond 9999 have more digits; before 0001 a trailing " BC". */
#ifndef ENT_ARROW_VALUE_H
#define ENT_ARROW_VALUE_H
#include "arrow/batch.h"

#define ENT_VALUE_TEXT_MAX 64 /* any value but text, with its NUL */

void ent_value_put(const struct ent_view *v, size_t row, struct ent_buf *out); /* nothing for NULL */
size_t ent_int_text(int64_t v, char out[ENT_VALUE_TEXT_MAX]);
size_t ent_decimal_text(ent_i128 scaled, unsigned scale, char out[ENT_VALUE_TEXT_MAX]);
size_t ent_real_text(double v, bool is_float, char out[ENT_VALUE_TEXT_MAX]);
size_t ent_date_text(int32_t days, char out[ENT_VALUE_TEXT_MAX]);
size_t ent_clock_text(int64_t us, char out[ENT_VALUE_TEXT_MAX]);
size_t ent_timestamp_text(int64_t us, bool with_zone, char out[ENT_VALUE_TEXT_MAX]);

/* Strict readers of the spellings above (also 'T' between date and time, "Z"; zone offsets +HH[:MM] where with_zone). False otherwise. */
bool ent_date_parse(struct ent_bytes text, int32_t *ret_days);
bool ent_clock_parse(struct ent_bytes text, int64_t *ret_us); /* HH:MM[:SS[.ffffff]], 24:00:00 */
bool ent_timestamp_parse(struct ent_bytes text, bool with_zone, int64_t *ret_us);
bool ent_decimal_parse(struct ent_bytes text, unsigned precision, unsigned scale, ent_i128 *ret); /* exact or false; no exponent */
bool ent_int_parse(struct ent_bytes text, int64_t *ret);
bool ent_real_parse(struct ent_bytes text, double *ret);
#endif
