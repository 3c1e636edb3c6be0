#include "ledger/receipt_part.h"

#include <stdio.h>

static const char *const kinds[] = { "card", "entry", "proof", "content", "seal" };

int ent_receipt_name_cmp(const struct ent_receipt_name *a, const struct ent_receipt_name *b)
{
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	int c = a->kind == ENT_PART_CONTENT ? memcmp(a->hash, b->hash, sizeof a->hash) : strcmp(a->org, b->org);
	if (c)
		return c;
	return a->index < b->index ? -1 : a->index > b->index;
}

void ent_receipt_name_text(const struct ent_receipt_name *n, char ret[128])
{
	char hex[2 * ENT_HASH_BYTES + 1];
	ent_hex(hex, n->hash, sizeof n->hash);
	if (n->kind == ENT_PART_SEAL)
		snprintf(ret, 128, "seal");
	else if (n->kind == ENT_PART_CONTENT)
		snprintf(ret, 128, "content/%s", hex);
	else
		snprintf(ret, 128, "%s/%s/%llu", kinds[n->kind], n->org, (unsigned long long)n->index);
}

void ent_receipt_part_write(const struct ent_receipt_name *n, struct ent_bytes bytes, struct ent_buf *out)
{
	char name[128];
	ent_receipt_name_text(n, name);
	ent_buf_printf(out, "part %s %zu\n", name, bytes.len);
	ent_buf_put(out, bytes.data, bytes.len);
	ent_buf_str(out, "\n");
}

static bool parse_name(const char *text, struct ent_receipt_name *n)
{
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	for (int k = ENT_PART_CARD; k <= ENT_PART_SEAL; k++) {
		if (strlen(kinds[k]) != len || memcmp(kinds[k], text, len) != 0)
			continue;
		n->kind = (enum ent_part_kind)k;
		if (k == ENT_PART_SEAL)
			return !slash;
		if (!slash)
			return false;
		if (k == ENT_PART_CONTENT)
			return ent_unhex(n->hash, sizeof n->hash, slash + 1, strlen(slash + 1));
		return ent_entry_id_parse(slash + 1, n->org, &n->index);
	}
	return false;
}

int ent_receipt_part_read(struct ent_bytes *rest, struct ent_receipt_name *ret_name, struct ent_bytes *ret_bytes, struct ent_err *err)
{
	const uint8_t *stop = rest->len ? memchr(rest->data, '\n', rest->len < 200 ? rest->len : 200) : NULL;
	char line[200] = { 0 };
	struct ent_receipt_name n = { .kind = ENT_PART_CARD };
	uint64_t len;
	if (!stop || memcmp(rest->data, "part ", rest->len < 5 ? rest->len : 5) != 0 || stop - rest->data < 8)
		return ent_fail(err, ENT_EDATA, "not a receipt: a part line is missing");
	memcpy(line, rest->data + 5, (size_t)(stop - rest->data) - 5);
	char *blank = strchr(line, ' ');
	if (!blank || !ent_parse_u64(blank + 1, strlen(blank + 1), ENT_RECEIPT_BYTES_MAX, &len))
		return ent_fail(err, ENT_EDATA, "not a receipt: a part line is malformed");
	*blank = 0;
	if (strlen(line) + 1 + strlen(blank + 1) + 5 != (size_t)(stop - rest->data) || !parse_name(line, &n))
		return ent_fail(err, ENT_EDATA, "not a receipt: no part is called %.80s", line);
	size_t left = rest->len - (size_t)(stop - rest->data) - 1;
	if (left < len + 1 || stop[1 + len] != '\n')
		return ent_fail(err, ENT_EDATA, "not a receipt: part %s is cut short", line);
	*ret_name = n;
	*ret_bytes = ent_bytes(stop + 1, (size_t)len);
	*rest = ent_bytes(stop + 2 + len, left - (size_t)len - 1);
	return 0;
}
