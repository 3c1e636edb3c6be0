/* Replies of HBase 2.6.1's Thrift2 server as it sent them, requests as it takes them. */
#include "hb_message.h"
#include "tap.h"

/* getScannerResults with raw set: r1 (f:b deleted at server time, f:a, f:b), r2 (the mark of a deleted row, f:a) */
static const char raw_rows[] =
	"80010002000000116765745363616e6e6572526573756c7473000000070f00000c000000020b00010000000272310f00020c000000030b000100000001660b00020000000161"
	"0b000300000001310a000400000000000003e803000604000b000100000001660b000200000001620b0003000000000a0004000001a1ff4552620300060c000b000100000001"
	"660b000200000001620b0003000000000a000400000000000003e803000604000200030002000400000b00010000000272320f00020c000000020b000100000001660b000200"
	"0000000b0003000000000a000400000000000007d00300060e000b000100000001660b000200000001610b00030000000200ff0a000400000000000003e90300060400020003"
	"0002000400"
	"0000";
static const char regions[] =
	"8001000200000015676574416c6c526567696f6e4c6f636174696f6e73000000070f00000c000000010c00010b0001000000096c6f63616c686f73740800020000b1010a0003"
	"000001a1ff3bfe32000c00020a000100000000000000000b000200000001750b0003000000000b00040000000002000500020006000800070000000000"
	"0000";
static const char missing[] = "8001000200000003676574000000070c00010b0001000000046e6f7065020002000000";
static const char no_scanner[] = "800100020000000e6765745363616e6e6572526f7773000000070c00020b000100000012496e76616c6964207363616e6e65722049640000";
static const char unknown[] =
	"800100030000000a66726f626e6963617465000000070b000100000021496e76616c6964206d6574686f64206e616d653a202766726f626e6963617465270800"
	"020000000100";
static const char no_row[] = "8001000200000003676574000000070c00000f00020c0000000002000300020004000000";

static uint8_t frame[1000];
static struct ent_hb_answer answer;

static int take(const char *hex, const char *method)
{
	size_t n = strlen(hex) / 2;
	struct ent_err e = ENT_ERR_INIT;
	OK(n <= sizeof frame && ent_unhex(frame, n, hex, 2 * n), "recorded bytes");
	int code = ent_hb_answer(ent_bytes(frame, n), method, &answer, &e);
	OK(code || answer.sequence == 7, "%s %s", method, e.what);
	return code;
}

static void test_rows(void)
{
	struct ent_hb_rows rows;
	struct ent_hb_row row;
	struct ent_hb_cell cell;
	OK(!take(raw_rows, "getScannerResults") && answer.outcome == ENT_HB_DONE, "rows");
	OK(!ent_hb_answer_rows(&answer, &rows, NULL) && rows.n == 2, "two of them");
	OK(!ent_hb_row_next(&rows, &row, NULL) && ent_bytes_eq(row.key, ent_bytes_str("r1")) && row.n_cells == 3, "r1 with three cells");
	OK(!ent_hb_cell_next(&row, &cell, NULL) && ent_bytes_eq(cell.value, ent_bytes_str("1")) && cell.timestamp == 1000 && cell.type == 4, "a put");
	OK(!ent_hb_cell_next(&row, &cell, NULL) && ent_bytes_eq(cell.qualifier, ent_bytes_str("b")) && cell.type == 12,
	   "the mark of a deleted column");
	OK(!ent_hb_row_next(&rows, &row, NULL) && !ent_hb_cell_next(&row, &cell, NULL) && cell.type == 14 && cell.timestamp == 2000,
	   "the mark of a deleted row");
	OK(!ent_hb_cell_next(&row, &cell, NULL) && ent_bytes_eq(cell.value, ent_bytes("\0\xff", 2)) && !row.n_cells, "bytes");
	OK_INT(take(raw_rows, "get"), ENT_EPEER, "a reply to another call");
	OK(!take(no_row, "get") && !ent_hb_answer_row(&answer, &row, NULL) && !row.n_cells, "a row that is not there");
	OK_INT(ent_hb_answer_rows(&answer, &rows, NULL), ENT_EPEER, "one row is no list");
	bool yes;
	OK_INT(ent_hb_answer_bool(&answer, &yes, NULL), ENT_EPEER, "nor a yes");
}

static int count(void *arg, struct ent_bytes start, struct ent_err *err)
{
	(void)err;
	*(int *)arg += start.len ? 100 : 1;
	return 0;
}

static void test_others(void)
{
	int n = 0;
	OK(!take(regions, "getAllRegionLocations") && !ent_hb_answer_regions(&answer, count, &n, NULL), "regions");
	OK_INT(n, 1, "one, from the first row on");
	OK(!take(missing, "get") && answer.outcome == ENT_HB_IO && !answer.can_retry && ent_bytes_eq(answer.text, ent_bytes_str("nope")), "an error");
	OK(!take(no_scanner, "getScannerRows") && answer.outcome == ENT_HB_INVALID, "a scanner that is gone");
	OK(!take(unknown, "frobnicate") && answer.outcome == ENT_HB_BROKEN && answer.text.len == 33, "a call nobody knows");
}

static void test_requests(void)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf b = ENT_BUF(1000);
	char hex[500];
	ent_hb_put_scan(&b, 2, &(struct ent_hb_scan_spec){ .start = ent_bytes_str("a"), .page = 10, .from_ms = 1, .to_ms = 2, .raw = true });
	ent_hex(hex, b.data, b.len);
	OK_STR(hex,
	       "0c00020b00010000000161080004"
	       "0000000a0c00060a000100000000000000010a00020000000000000002000d00090b0b00000001000000055f7261775f00000001ff02000c0000",
	       "a raw scan of some time");
	ent_buf_reset(&b);
	ent_hb_delete_begin(&b, ent_bytes_str("r"), 1);
	ent_hb_delete_column(&b, ent_bytes_str("f"), ent_bytes_str("q"), 5);
	ent_hb_delete_end(&b, 1, 5);
	ent_hex(hex, b.data, b.len);
	OK_STR(hex,
	       "0b000100000001720f00020c000000010b000100000001660b000200000001710a0003000000000000000500"
	       "0a0003000000000000000508000400000001"
	       "00",
	       "a column's delete tells its time itself");
}

int main(void)
{
	test_rows();
	test_others();
	test_requests();
	return tap_done();
}
