/* Values as SQL text, for the few statements that cannot bind: many rows at once, split bounds. */
#include "my.h"

void ent_my_text_literal(struct ent_buf *out, struct ent_bytes text)
{
	size_t from = 0;
	ent_buf_u8(out, '\'');
	for (size_t i = 0; i < text.len; i++) {
		char c = (char)text.data[i], e = c == '\'' || c == '"' || c == '\\' ? c
						 : c == 0                           ? '0'
						 : c == '\n'                        ? 'n'
						 : c == '\r'                        ? 'r'
						 : c == 26                          ? 'Z'
										    : 0;
		if (!e)
			continue;
		ent_buf_put(out, text.data + from, i - from);
		ent_buf_u8(out, '\\');
		ent_buf_u8(out, (uint8_t)e);
		from = i + 1;
	}
	if (text.len)
		ent_buf_put(out, text.data + from, text.len - from);
	ent_buf_u8(out, '\'');
}

void ent_my_hex_literal(struct ent_buf *out, struct ent_bytes bytes)
{
	ent_buf_str(out, "x'");
	ent_buf_hex(out, bytes.data, bytes.len);
	ent_buf_u8(out, '\'');
}
