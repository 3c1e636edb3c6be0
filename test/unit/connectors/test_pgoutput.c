/* PostgreSQL's replication messages, as a server of version 15 sent them (the one long value cut to four letters). */
#include <stdlib.h>

#include "pgoutput.h"
#include "tap.h"

/* clang-format off */
static const char *const recorded[] = {
	"4200000000019494d8000303c99ea2867a000002da",
	"59000040027075626c6963006d6f6f6400",
	"52000040077075626c69630074006400050169640000000014ffffffff00760000000019ffffffff006e00000006a4000c000600617400000004a0ffffffff006d0000004002ffffffff",
	"49000040074e000574000000013174000000036f6e65740000000531322e35307400000016323032342d30322d32392031303a30303a30302b30307400000004676c6164",
	"49000040074e00057400000001326e6e7400000008696e66696e6974796e",
	"430000000000019494d80000000001949508000303c99ea2867a",
	"42000000000194a2f0000303c99ea2965a000002db",
	"55000040074e0005740000000131740000000478787878740000000531322e35307400000016323032342d30322d32392031303a30303a30302b30307400000004676c6164",
	"4300000000000194a2f0000000000194a320000303c99ea2965a",
	"42000000000194a3c8000303c99ea2a2bd000002dc",
	"55000040074e0005740000000131757400000004312e30307400000016323032342d30322d32392031303a30303a30302b30307400000004676c6164",
	"4300000000000194a3c8000000000194a3f8000303c99ea2a2bd",
	"42000000000194a498000303c99ea2aa48000002dd",
	"55000040074b00057400000001326e6e6e6e4e00057400000001336e6e7400000008696e66696e6974796e",
	"4300000000000194a498000000000194a4c8000303c99ea2aa48",
	"42000000000194a510000303c99ea2ab1b000002de",
	"44000040074b00057400000001336e6e6e6e",
	"4300000000000194a510000000000194a540000303c99ea2ab1b",
	"42000000000194a580000303c99ea2ac9f000002df",
	"4d01000000000194a5806f74686572000000000568656c6c6f",
	"4300000000000194a580000000000194a5b0000303c99ea2ac9f",
	"42000000000194b130000303c99ea2c3b6000002e0",
	"59000040027075626c6963006d6f6f6400",
	"52000040077075626c69630074006400050169640000000014ffffffff00760000000019ffffffff006e00000006a4000c000600617400000004a0ffffffff006d0000004002ffffffff",
	"54000000010000004007",
	"4300000000000194b130000000000194b2a0000303c99ea2c3b6",
	"42000000000194b540000303c99ea2e00b000002e2",
	"59000040027075626c6963006d6f6f6400",
	"52000040077075626c69630074006600050169640000000014ffffffff01760000000019ffffffff016e00000006a4000c000601617400000004a0ffffffff016d0000004002ffffffff",
	"49000040074e00057400000001357400000004666976656e6e6e",
	"4300000000000194b540000000000194b570000303c99ea2e00b",
	"42000000000194b5d8000303c99ea2e15b000002e3",
	"55000040074f00057400000001357400000004666976656e6e6e4e0005740000000135740000000463696e716e6e6e",
	"4300000000000194b5d8000000000194b608000303c99ea2e15b",
};

static const char *const streamed[] = {
	"53000002e401",
	"59000002e4000040027075626c6963006d6f6f6400",
	"52000002e4000040077075626c69630074006600050169640000000014ffffffff01760000000019ffffffff016e00000006a4000c000601617400000004a0ffffffff016d0000004002ffffffff",
	"49000002e4000040074e000574000000033130317400000028797979797979797979797979797979797979797979797979797979797979797979797979797979796e6e6e",
	"45",
	"53000002e400",
	"45",
	"41000002e4000002e5",
	"63000002e40000000000019c851000000000019c8540000303c99eaccf19",
	"6200000000019c85c800000000019c86c0000303c99eacf2e9000002e6677800",
	"500000000000019c85c800000000019c86c0000303c99eacf2e9000002e6677800",
	"4b0000000000019c86c000000000019c86f8000303c99ead0926000002e6677800",
	"720000000000019c887800000000019c88b0000303c99ead1217000303c99ead126d000002e7677900",
};
/* clang-format on */

static struct ent_pgout_msg msg;

static int decode(struct ent_pgout *d, const char *hex, size_t cut, struct ent_err *e)
{
	static uint8_t bytes[4096];
	size_t n = strlen(hex) / 2;
	OK(n <= sizeof bytes && ent_unhex(bytes, n, hex, 2 * n), "recorded bytes");
	uint8_t *exact = (uint8_t *)malloc(n - cut + 1); /* so that a read beyond the end is seen by the sanitizer */
	memcpy(exact, bytes, n - cut);
	int code = ent_pgout_decode(d, ent_bytes(exact, n - cut), &msg, e);
	free(exact);
	return code;
}

static const char *hex_find(const char *const *all, size_t n, const char *type, size_t which)
{
	for (size_t i = 0; i < n; i++)
		if (!strncmp(all[i], type, 2) && !which--)
			return all[i];
	return "";
}

static int keep(struct ent_pgout *d, const char *hex)
{
	static uint8_t bytes[4096];
	struct ent_err e = ENT_ERR_INIT;
	ent_unhex(bytes, strlen(hex) / 2, hex, strlen(hex));
	int code = ent_pgout_decode(d, ent_bytes(bytes, strlen(hex) / 2), &msg, &e);
	OK(!code, "%.2s: %s %s", hex, e.what, e.why);
	return code;
}

static bool is(const struct ent_pgout_value *v, const char *text) { return v->kind == 't' && ent_bytes_eq(v->bytes, ent_bytes_str(text)); }

static void test_version1(void)
{
	struct ent_pgout d = { .version = 1 };
	const size_t n = ENT_COUNT(recorded);
	keep(&d, hex_find(recorded, n, "42", 0));
	OK(msg.kind == ENT_PGOUT_BEGIN && msg.xid == 0x2da && msg.lsn == 0x19494d8 && msg.time_us > (int64_t)1700000000 * 1000000, "begin");
	keep(&d, hex_find(recorded, n, "52", 0));
	OK(msg.kind == ENT_PGOUT_RELATION && msg.n_columns == 5 && !strcmp(msg.schema, "public") && !strcmp(msg.table, "t") && msg.identity == 'd',
	   "relation");
	OK(msg.columns[0].key && !msg.columns[1].key && !strcmp(msg.columns[2].name, "n") && msg.columns[2].oid == 1700 &&
		   msg.columns[2].modifier == ((12 << 16) | 2) + 4 && msg.columns[3].modifier == -1,
	   "its columns");
	keep(&d, hex_find(recorded, n, "49", 0));
	OK(msg.kind == ENT_PGOUT_INSERT && msg.now.n == 5 && is(&msg.now.values[0], "1") && is(&msg.now.values[2], "12.50") &&
		   is(&msg.now.values[3], "2024-02-29 10:00:00+00"),
	   "insert");
	keep(&d, hex_find(recorded, n, "49", 1));
	OK(msg.now.values[1].kind == 'n' && is(&msg.now.values[3], "infinity"), "NULL and infinity");
	keep(&d, hex_find(recorded, n, "43", 0));
	OK(msg.kind == ENT_PGOUT_COMMIT && msg.lsn == 0x19494d8 && msg.end_lsn == 0x1949508, "commit");
	keep(&d, hex_find(recorded, n, "55", 1));
	OK(msg.kind == ENT_PGOUT_UPDATE && !msg.old_kind && msg.now.values[1].kind == 'u', "a value that is not repeated");
	keep(&d, hex_find(recorded, n, "55", 2));
	OK(msg.old_kind == 'K' && is(&msg.old.values[0], "2") && is(&msg.now.values[0], "3"), "a key that changed");
	keep(&d, hex_find(recorded, n, "55", 3));
	OK(msg.old_kind == 'O' && is(&msg.old.values[1], "five") && is(&msg.now.values[1], "cinq"), "the whole old row");
	keep(&d, hex_find(recorded, n, "44", 0));
	OK(msg.kind == ENT_PGOUT_DELETE && msg.old_kind == 'K' && is(&msg.old.values[0], "3") && !msg.now.n, "delete");
	keep(&d, hex_find(recorded, n, "54", 0));
	OK(msg.kind == ENT_PGOUT_TRUNCATE && msg.relations.len == 4, "truncate");
	keep(&d, hex_find(recorded, n, "4d", 0));
	OK(msg.kind == ENT_PGOUT_OTHER, "a message of another program");
	keep(&d, hex_find(recorded, n, "59", 0));
	OK(msg.kind == ENT_PGOUT_OTHER, "a type");
}

/* Every message cut anywhere is an error, never a read beyond its end; so is one byte more. */
static void test_cut(const char *const *all, size_t n, unsigned version)
{
	size_t wrong = 0;
	for (size_t i = 0; i < n; i++) {
		for (size_t cut = 1; cut < strlen(all[i]) / 2 && cut < 60; cut++) {
			struct ent_pgout d = { .version = version };
			static uint8_t bytes[4096];
			size_t len = strlen(all[i]) / 2 - cut;
			ent_unhex(bytes, strlen(all[i]) / 2, all[i], strlen(all[i]));
			uint8_t *exact = (uint8_t *)malloc(len + 1);
			memcpy(exact, bytes, len);
			int code = ent_pgout_decode(&d, ent_bytes(exact, len), &msg, NULL);
			free(exact);
			bool blob = bytes[0] == 'M' || bytes[0] == 'Y' || bytes[0] == 'O'; /* taken whole, whatever they hold */
			wrong += !blob && code != ENT_EDATA;
		}
	}
	OK_INT(wrong, 0, "cut messages of version %u are refused", version);
}

static void test_streamed(void)
{
	struct ent_pgout d = { .version = 3 }, old = { .version = 1 };
	struct ent_err e = ENT_ERR_INIT;
	const size_t n = ENT_COUNT(streamed);
	OK_INT(decode(&old, hex_find(streamed, n, "53", 0), 0, &e), ENT_EDATA, "version 1 has no streams: %s", e.why);
	keep(&d, hex_find(streamed, n, "53", 0));
	OK(msg.kind == ENT_PGOUT_STREAM_START && d.in_stream && msg.xid, "a stream starts");
	uint32_t xid = msg.xid;
	keep(&d, hex_find(streamed, n, "52", 0));
	OK(msg.kind == ENT_PGOUT_RELATION && msg.xid == xid && msg.n_columns == 5, "a relation in it");
	keep(&d, hex_find(streamed, n, "49", 0));
	OK(msg.kind == ENT_PGOUT_INSERT && msg.xid == xid && is(&msg.now.values[0], "101"), "a row in it");
	keep(&d, hex_find(streamed, n, "45", 0));
	OK(msg.kind == ENT_PGOUT_STREAM_STOP && !d.in_stream, "it stops");
	keep(&d, hex_find(streamed, n, "41", 0));
	OK(msg.kind == ENT_PGOUT_STREAM_ABORT && msg.xid == xid, "a part of it is given up");
	keep(&d, hex_find(streamed, n, "63", 0));
	OK(msg.kind == ENT_PGOUT_STREAM_COMMIT && msg.xid == xid && msg.end_lsn > msg.lsn, "and it commits");
	keep(&d, hex_find(streamed, n, "62", 0));
	OK(msg.kind == ENT_PGOUT_PREPARE && msg.xid > xid, "a transaction to be prepared");
	keep(&d, hex_find(streamed, n, "50", 0));
	OK(msg.kind == ENT_PGOUT_PREPARE, "prepared");
	keep(&d, hex_find(streamed, n, "4b", 0));
	OK(msg.kind == ENT_PGOUT_COMMIT_PREPARED && msg.end_lsn > msg.lsn, "and committed");
	keep(&d, hex_find(streamed, n, "72", 0));
	OK(msg.kind == ENT_PGOUT_ROLLBACK_PREPARED, "or given up");
	test_cut(streamed, 1, 3);
}

static void test_frames(void)
{
	struct ent_err e = ENT_ERR_INIT;
	struct ent_pgout_frame f;
	static const uint8_t keep_alive[] = { 'k', 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1 };
	uint8_t data[26] = { 'w', [8] = 5, [16] = 9, [25] = 'E' }, status[ENT_PGOUT_STATUS_BYTES];
	OK(!ent_pgout_frame(ent_bytes(keep_alive, sizeof keep_alive), &f, &e) && !f.data && f.reply && f.end == 0x100000002, "a keepalive");
	OK_INT(ent_pgout_frame(ent_bytes(keep_alive, 17), &f, &e), ENT_EDATA, "cut: %s", e.why);
	OK(!ent_pgout_frame(ent_bytes(data, sizeof data), &f, &e) && f.data && f.start == 5 && f.end == 9 && f.message.len == 1, "data");
	OK_INT(ent_pgout_frame(ent_bytes("x", 1), &f, &e), ENT_EDATA, "another frame");
	ent_pgout_status(0x100000002, (int64_t)946684800 * 1000000 + 7, true, status);
	OK(status[0] == 'r' && status[4] == 1 && status[8] == 2 && status[24] == 2 && status[32] == 7 && status[33] == 1, "our status");
}

int main(void)
{
	test_version1();
	test_cut(recorded, ENT_COUNT(recorded), 1);
	test_streamed();
	test_frames();
	return tap_done();
}
