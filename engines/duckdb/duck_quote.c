#include "duck_quote.h"

static void quoted(struct ent_buf *out, const char *text, char quote)
{
	ent_buf_u8(out, (uint8_t)quote);
	for (; *text; text++) {
#ifndef ENT_MUTANT_DUCKDB_QUOTES
		if (*text == quote)
			ent_buf_u8(out, (uint8_t)quote);
#endif
		ent_buf_u8(out, (uint8_t)*text);
	}
	ent_buf_u8(out, (uint8_t)quote);
}

void ent_duck_literal(struct ent_buf *out, const char *text) { quoted(out, text, '\''); }
void ent_duck_name(struct ent_buf *out, const char *name) { quoted(out, name, '"'); }
