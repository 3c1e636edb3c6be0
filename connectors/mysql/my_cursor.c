/* Where in the log: which server, which file and when that file was begun, how far. Another server, a log begun anew (RESET MASTER) or a file that
 * was purged are noticed by one of these and stop the job. */
#include <stdio.h>
#include <stdlib.h>

#include "my_changes.h"

#define HEARTBEAT_NS 200000000

bool ent_my_cursor_parse(const char *text, struct ent_my_cursor *ret)
{
	unsigned long long position;
	*ret = (struct ent_my_cursor){ 0 };
	int n = sscanf(text, "1 %79s %255s %llu %u", ret->identity, ret->file, &position, &ret->created);
	ret->position = position;
	return n == 4 && position >= 4;
}

/* binlog.000012 -> 12 */
static uint64_t file_number(const char *file)
{
	const char *dot = strrchr(file, '.');
	return dot ? strtoull(dot + 1, NULL, 10) : 0;
}

int ent_my_position_reached(const char *a, const char *b)
{
	struct ent_my_cursor x, y;
	if (!ent_my_cursor_parse(a, &x) || !ent_my_cursor_parse(b, &y) || strcmp(x.identity, y.identity) != 0)
		return 0;
	uint64_t f = file_number(x.file), g = file_number(y.file);
	return f < g || (f == g && x.position <= y.position);
}

int ent_my_position(struct ent_source *s, char ret[400], struct ent_err *err)
{
	ENT_CLEANUP(ent_my_result_freep) MYSQL_RES *r = NULL;
	ENT_TRY(ent_my_ready(s, err));
	const char *sql = !s->mariadb && s->version >= 80200 ? "SHOW BINARY LOG STATUS" : "SHOW MASTER STATUS";
	ENT_TRY(ent_my_run(s->con, ent_bytes_str(sql), &r, "the end of the binary log cannot be read", err));
	MYSQL_ROW row = r ? mysql_fetch_row(r) : NULL;
	if (!row || !row[0] || !row[1]) {
		ent_fail(err, ENT_EUNSUPPORTED, "this MySQL server writes no binary log");
		return ent_next(err, "start it with --log-bin --binlog-format=ROW --binlog-row-image=FULL --binlog-row-metadata=FULL"),
		       ENT_EUNSUPPORTED;
	}
	snprintf(ret, 400, "1 %s %s %s 0", s->identity, row[0], row[1]);
	return 0;
}

static int setting_check(struct ent_source *s, const char *name, const char *want, struct ent_err *err)
{
	char sql[100], value[100] = "";
	snprintf(sql, sizeof sql, "SELECT @@global.%s", name);
	int code = ent_my_value(s->con, sql, value, sizeof value, "the server's settings cannot be read", err);
	if (code && err && err->vendor != 1193) /* the server does not know it */
		return code;
	if (!code && !strcmp(value, want))
		return 0;
	ent_fail(err, ENT_EUNSUPPORTED, "changes need %s = %s; the server has %s", name, want, value[0] ? value : "no such setting");
	return ent_next(err, "SET GLOBAL %s = '%s', then let older sessions end", name, want), ENT_EUNSUPPORTED;
}

static uint32_t own_server_id(const char *job)
{
	uint64_t h = 0xcbf29ce484222325u;
	for (const char *p = job; *p; p++)
		h = (h ^ (uint8_t)*p) * 0x100000001b3u;
	return 0x40000000u | ((uint32_t)(h ^ h >> 32) & 0x3fffffffu);
}

static int dump_ask(struct ent_changes *c, const struct ent_my_cursor *at, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf b = ENT_BUF(400);
	char sql[200];
	snprintf(sql, sizeof sql,
		 "SET @master_binlog_checksum = @@global.binlog_checksum, @mariadb_slave_capability = 4, @master_heartbeat_period = %d",
		 HEARTBEAT_NS);
	ENT_TRY(ent_my_exec(c->log, sql, "the binary log cannot be asked for", err));
	ENT_TRY(ent_my_value(c->log, "SELECT @@global.binlog_checksum", sql, sizeof sql, "the binary log cannot be asked for", err));
	c->checksum = strcmp(sql, "NONE") != 0;
	if (at->position > UINT32_MAX)
		return ent_fail(err, ENT_EUNSUPPORTED, "the cursor lies beyond 4 GiB of its file");
	ent_buf_le32(&b, (uint32_t)at->position);
	ent_buf_put(&b, "\0\0", 2);
	ent_buf_le32(&b, own_server_id(c->job));
	ent_buf_str(&b, at->file);
	ENT_TRY(ent_buf_check(&b, err));
	if (c->log->methods->db_command(c->log, COM_BINLOG_DUMP, (const char *)b.data, b.len, 1, NULL))
		return ent_my_fail(c->log, "the binary log cannot be asked for", err);
	return 0;
}

int ent_my_log_begin(struct ent_changes *c, const char *cursor, struct ent_err *err)
{
	char now[400];
	struct ent_my_cursor at;
	struct ent_source *s = c->source;
	ENT_TRY(ent_my_position(s, now, err));
	ENT_TRY(setting_check(s, "binlog_format", "ROW", err));
	ENT_TRY(setting_check(s, "binlog_row_image", "FULL", err));
	ENT_TRY(setting_check(s, "binlog_row_metadata", "FULL", err));
	if (!ent_my_cursor_parse(cursor ? cursor : now, &at))
		return ent_fail(err, ENT_EDATA, "this is no cursor of a MySQL log: %.100s", cursor ? cursor : now);
	if (strcmp(at.identity, s->identity) != 0) {
		ent_fail(err, ENT_EDATA, "this is another server than the one whose changes the job followed");
		ent_why(err, "it was %s, it is %s", at.identity, s->identity);
		return ent_next(err, "go back to that server, or begin anew: entente replicate run ... --restart"), ENT_EDATA;
	}
	snprintf(c->file, sizeof c->file, "%s", at.file);
	snprintf(c->cursor, sizeof c->cursor, "%s", cursor ? cursor : now);
	c->position = at.position;
	c->created = at.created;
	ENT_TRY(ent_my_connect(s, ENT_MY_LOG, &c->log, err));
	return dump_ask(c, &at, err);
}
