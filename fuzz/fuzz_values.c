/* Texts as dates, timestamps, decimals, numbers: what is read prints back to something that reads to the same value.
 * fuzz-deps: arrow_dep */
#include "arrow/value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ent_bytes text = ent_bytes(data, size);
	char out[ENT_VALUE_TEXT_MAX];
	int32_t day, day2;
	int64_t v, v2;
	double d, d2;
	ent_i128 w, w2;
	if (ent_date_parse(text, &day))
		ENT_ASSERT(ent_date_parse(ent_bytes(out, ent_date_text(day, out)), &day2) && day == day2);
	for (int zone = 0; zone < 2; zone++)
		if (ent_timestamp_parse(text, zone, &v))
			ENT_ASSERT(ent_timestamp_parse(ent_bytes(out, ent_timestamp_text(v, zone, out)), zone, &v2) && v == v2);
	for (unsigned scale = 0; scale <= 18; scale += 6)
		if (ent_decimal_parse(text, 18, scale, &w))
			ENT_ASSERT(ent_decimal_parse(ent_bytes(out, ent_decimal_text(w, scale, out)), 18, scale, &w2) && w == w2);
	if (ent_int_parse(text, &v))
		ENT_ASSERT(ent_int_parse(ent_bytes(out, ent_int_text(v, out)), &v2) && v == v2);
	if (ent_real_parse(text, &d))
		ENT_ASSERT(ent_real_parse(ent_bytes(out, ent_real_text(d, false, out)), &d2) && (d == d2 || (d != d && d2 != d2)));
	return 0;
}
