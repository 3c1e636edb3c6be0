/* Responses of CQL version 4: the first byte says how the rest is cut into pieces; every event is read to its last cell.
 * fuzz-deps: wire_dep */
#include "wire/cql.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void columns(const struct ent_cql_meta *meta)
{
	struct ent_bytes at = meta->specs;
	struct ent_cql_column c;
	uint32_t n = 0;
	while (ent_cql_column(meta, &at, &c))
		n++;
	ENT_ASSERT(meta->none || n == meta->n_columns);
}

static void event(const struct ent_cql_frame *f)
{
	struct ent_cql_event e;
	struct ent_bytes cell;
	(void)ent_cql_offers(f, "COMPRESSION", "lz4");
	if (ent_cql_event(f, &e, NULL))
		return;
	columns(&e.in);
	columns(&e.out);
	for (uint64_t i = (uint64_t)e.n_rows * e.out.n_columns; i; i--)
		if (ent_cql_cell(&e.cells, &cell, NULL))
			break;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ent_cql_parser p;
	struct ent_cql_frame f;
	if (!size)
		return 0;
	size_t cut = 1u + data[0];
	ent_cql_parser_init(&p, 65536);
	for (size_t at = 1; at < size; at += cut) {
		if (ent_cql_parser_put(&p, ent_bytes(data + at, size - at < cut ? size - at : cut), NULL))
			break;
		while (!ent_cql_parser_next(&p, &f, NULL))
			event(&f);
	}
	ent_cql_parser_deinit(&p);
	return 0;
}
