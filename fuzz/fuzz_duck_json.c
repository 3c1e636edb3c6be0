/* Numbers of a JSON file: any bytes, in any pieces, name the same fields.
 * fuzz-deps: duck_options_dep */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "duck_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ent_duck_json_scan *whole = (struct ent_duck_json_scan *)calloc(1, sizeof *whole);
	struct ent_duck_json_scan *pieces = (struct ent_duck_json_scan *)calloc(1, sizeof *pieces);
	size_t step = size ? 1 + data[0] % 7 : 1;
	ent_duck_json_scan(whole, ent_bytes(data, size));
	for (size_t at = 0; at < size; at += step)
		ent_duck_json_scan(pieces, ent_bytes(data + at, size - at < step ? size - at : step));
	ENT_ASSERT(whole->found.n == pieces->found.n && whole->rows == pieces->rows);
	for (size_t i = 0; i < whole->found.n; i++)
		ENT_ASSERT(!strcmp(whole->found.all[i].field, pieces->found.all[i].field));
	free(whole);
	free(pieces);
	return 0;
}
