/* MySQL's binary log, event after event by the length each one says. First byte: 1 = with checksums, as the servers send it; 0 = without, so that
 * changed bytes reach the readers behind them.
 * fuzz-deps: my_log_dep */
#include "my_log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const natives[] = { "tinyint",      "tinyint unsigned", "tinyint(1)",    "smallint",       "mediumint", "int",      "int unsigned",
				       "bigint",       "bigint unsigned",  "decimal(20,4)", "decimal(65,30)", "float",     "double",   "date",
				       "datetime(6)",  "datetime(0)",      "timestamp(2)",  "time(3)",        "time(0)",   "year",     "char(5)",
				       "varchar(300)", "binary(4)",        "blob",          "bit(10)",        "enum('a')", "set('a')", "json" };

/* One value as each native type it may be. */
static void value_read(const struct ent_my_log_column *c, struct ent_bytes value, struct ent_buf *scratch)
{
	for (size_t i = 0; i < ENT_COUNT(natives); i++) {
		ENT_SCHEMA_AUTO schema = { 0 };
		ENT_CLEANUP(ent_builder_freep) struct ent_builder *b = NULL;
		struct ent_my_type type;
		char reason[200];
		struct ent_err e = ENT_ERR_INIT;
		ENT_ASSERT(ent_my_type_parse(natives[i], &type, reason));
		for (int charset = ENT_MY_UTF8; charset <= ENT_MY_LATIN1; charset++) {
			if (ent_my_log_match(c, &type, (enum ent_my_charset)charset))
				continue;
			const struct ent_field field = { .name = "x", .type = type.type, .nullable = true };
			if (!b && (ent_schema_new(&field, 1, NULL, &schema, &e) || ent_builder_new(&schema, 1 << 20, &b, &e)))
				return;
			(void)ent_my_log_value(c, &type, (enum ent_my_charset)charset, value, scratch, b, 0, &e);
		}
	}
}

static void rows_read(const struct ent_my_event *event, const struct ent_my_map *map, struct ent_buf *scratch)
{
	struct ent_my_rows rows;
	struct ent_err e = ENT_ERR_INIT;
	struct ent_bytes before[64] = { 0 }, after[64] = { 0 };
	bool end = false;
	if (!map->columns || map->n_columns > 64 || ent_my_rows_open(event, map, &rows, &e))
		return;
	for (int n = 0; n < 20 && !ent_my_rows_next(&rows, before, after, &end, &e) && !end; n++)
		for (size_t i = 0; i < map->n_columns; i++) {
			value_read(&map->columns[i], before[i], scratch);
			value_read(&map->columns[i], after[i], scratch);
		}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	ENT_CLEANUP(ent_my_map_deinit) struct ent_my_map map = { 0 };
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf scratch = ENT_BUF(1 << 16);
	bool checksum = size && data[0] & 1;
	for (size_t at = 1, n; at + 19 <= size; at += n) {
		struct ent_my_event event;
		struct ent_err e = ENT_ERR_INIT;
		char name[256];
		uint64_t position;
		struct ent_bytes sql;
		n = (size_t)data[at + 9] | (size_t)data[at + 10] << 8 | (size_t)data[at + 11] << 16;
		n = n < 19 || n > size - at ? size - at : n;
		if (ent_my_event_open(ent_bytes(data + at, n), checksum, &event, &e))
			continue;
		if (event.type == ENT_MY_EV_FORMAT)
			(void)ent_my_format_read(&event, &(bool){ false }, &e);
		else if (event.type == ENT_MY_EV_ROTATE)
			(void)ent_my_rotate_read(&event, name, &position, &e);
		else if (event.type == ENT_MY_EV_QUERY && !ent_my_query_read(&event, name, &sql, &e))
			(void)(ent_my_statement_kind(sql), ent_my_statement_names(sql, name, "test", "kinds"));
		else if (event.type == ENT_MY_EV_TABLE_MAP) {
			ent_my_map_deinit(&map);
			map = (struct ent_my_map){ 0 };
			(void)ent_my_map_read(&event, &map, &e);
		} else if ((event.type >= ENT_MY_EV_WRITE_1 && event.type <= ENT_MY_EV_DELETE_1) ||
			   (event.type >= ENT_MY_EV_WRITE_2 && event.type <= ENT_MY_EV_DELETE_2))
			rows_read(&event, &map, &scratch);
	}
	return 0;
}
