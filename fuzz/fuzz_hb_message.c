/* Replies of HBase's Thrift2 server: method:8, then a frame; every row is read to its last cell.
 * fuzz-deps: hb_type_dep */
#include "hb_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const methods[] = { "getScannerResults", "get",         "getAllRegionLocations", "getTableDescriptor",
				       "openScanner",       "tableExists", "getClusterId" };

static void cells(struct ent_hb_row *row)
{
	struct ent_hb_cell c;
	while (row->n_cells)
		if (ent_hb_cell_next(row, &c, NULL))
			return;
}

static int touch(void *arg, struct ent_bytes b, struct ent_err *err)
{
	(void)err;
	for (size_t i = 0; i < b.len; i++)
		*(uint8_t *)arg ^= b.data[i];
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ent_hb_answer a;
	struct ent_hb_rows rows;
	struct ent_hb_row row;
	struct ent_bytes text;
	int32_t n;
	bool yes;
	uint8_t sum = 0;
	if (!size || ent_hb_answer(ent_bytes(data + 1, size - 1), methods[data[0] % ENT_COUNT(methods)], &a, NULL))
		return 0;
	ENT_ASSERT(a.text.len <= 400);
	if (!ent_hb_answer_rows(&a, &rows, NULL))
		while (rows.n && !ent_hb_row_next(&rows, &row, NULL))
			cells(&row);
	if (!ent_hb_answer_row(&a, &row, NULL))
		cells(&row);
	(void)ent_hb_answer_regions(&a, touch, &sum, NULL);
	(void)ent_hb_answer_families(&a, touch, &sum, NULL);
	(void)ent_hb_answer_i32(&a, &n, NULL);
	(void)ent_hb_answer_bool(&a, &yes, NULL);
	if (!ent_hb_answer_text(&a, &text, NULL))
		(void)touch(&sum, text, NULL);
	return 0;
}
