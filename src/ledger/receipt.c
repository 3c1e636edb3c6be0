/* Writing receipts. Parts are kept sorted, so equal contents give equal bytes. */
#include "ledger/receipt.h"

#include <stdio.h>
#include <stdlib.h>

#include "ledger/receipt_part.h"

struct part {
	struct ent_receipt_name name;
	struct ent_buf bytes;
};

struct ent_receipt_writer {
	struct part *parts;
	size_t count, cap, total;
};

int ent_receipt_new(struct ent_receipt_writer **ret, struct ent_err *err)
{
	struct ent_receipt_writer *w = calloc(1, sizeof *w);
	if (!w)
		return ent_nomem(err);
	*ret = w;
	return 0;
}

void ent_receipt_free(struct ent_receipt_writer *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < w->count; i++)
		ent_buf_deinit(&w->parts[i].bytes);
	free(w->parts);
	free(w);
}

/* The same part again is fine, another one of that name is not. */
static int put(struct ent_receipt_writer *w, const struct ent_receipt_name *name, struct ent_bytes bytes, struct ent_err *err)
{
	for (size_t i = 0; i < w->count; i++)
		if (!ent_receipt_name_cmp(&w->parts[i].name, name))
			return ent_bytes_eq(ent_buf_bytes(&w->parts[i].bytes), bytes) ? 0 : ent_fail(err, ENT_EDATA, "two parts of one name");
	w->total += bytes.len + 200;
	if (w->total > ENT_RECEIPT_BYTES_MAX)
		return ent_fail(err, ENT_EDATA, "a receipt has at most %u bytes", ENT_RECEIPT_BYTES_MAX);
	if (w->count == w->cap) {
		size_t cap = w->cap ? 2 * w->cap : 16;
		struct part *more = realloc(w->parts, cap * sizeof *more);
		if (!more)
			return ent_nomem(err);
		w->parts = more;
		w->cap = cap;
	}
	struct part *p = &w->parts[w->count++];
	*p = (struct part){ .name = *name };
	ent_buf_init(&p->bytes, ENT_RECEIPT_BYTES_MAX);
	ent_buf_put(&p->bytes, bytes.data, bytes.len);
	return ent_buf_check(&p->bytes, err);
}

int ent_receipt_card(struct ent_receipt_writer *w, struct ent_bytes envelope, struct ent_err *err)
{
	struct ent_card card;
	struct ent_receipt_name name = { .kind = ENT_PART_CARD };
	ENT_TRY(ent_card_open(envelope, &card, err));
	snprintf(name.org, sizeof name.org, "%s", card.org);
	name.index = (uint64_t)card.version;
	return put(w, &name, envelope, err);
}

int ent_receipt_entry(struct ent_receipt_writer *w, const char *org, uint64_t index, struct ent_bytes envelope, struct ent_bytes tlog_proof,
		      struct ent_err *err)
{
	struct ent_receipt_name name = { .kind = ENT_PART_ENTRY, .index = index };
	if (!ent_org_valid(org))
		return ent_fail(err, ENT_EDATA, "not the name of an organisation");
	snprintf(name.org, sizeof name.org, "%s", org);
	for (size_t i = 0; i < w->count; i++)
		if (!ent_receipt_name_cmp(&w->parts[i].name, &name)) /* its proof may be another one by now; the first stays */
			return put(w, &name, envelope, err);
	ENT_TRY(put(w, &name, envelope, err));
	name.kind = ENT_PART_PROOF;
	return put(w, &name, tlog_proof, err);
}

int ent_receipt_content(struct ent_receipt_writer *w, const uint8_t salt[ENT_SALT_BYTES], struct ent_bytes bytes, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf both = ENT_BUF(ENT_RECEIPT_BYTES_MAX);
	struct ent_receipt_name name = { .kind = ENT_PART_CONTENT };
	ent_commit(salt, bytes, name.hash);
	ent_buf_put(&both, salt, ENT_SALT_BYTES);
	ent_buf_put(&both, bytes.data, bytes.len);
	ENT_TRY(ent_buf_check(&both, err));
	return put(w, &name, ent_buf_bytes(&both), err);
}

static int by_name(const void *a, const void *b) { return ent_receipt_name_cmp(&((const struct part *)a)->name, &((const struct part *)b)->name); }

int ent_receipt_seal(struct ent_receipt_writer *w, const char *org, const struct ent_signer *sign, struct ent_buf *ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf out = ENT_BUF(ENT_RECEIPT_BYTES_MAX), seal = ENT_BUF(256);
	struct ent_receipt_name name = { .kind = ENT_PART_SEAL };
	uint8_t sig[ENT_SIG_BYTES];
	if (w->count)
		qsort(w->parts, w->count, sizeof *w->parts, by_name);
	ent_buf_str(&out, ENT_RECEIPT_HEAD);
	for (size_t i = 0; i < w->count; i++)
		ent_receipt_part_write(&w->parts[i].name, ent_buf_bytes(&w->parts[i].bytes), &out);
	ENT_TRY(ent_buf_check(&out, err));
	ENT_TRY(sign->sign(sign->self, ent_buf_bytes(&out), sig, err));
	ent_buf_printf(&seal, "%s ", org);
	ent_buf_base64(&seal, sig, sizeof sig);
	ent_receipt_part_write(&name, ent_buf_bytes(&seal), &out);
	ENT_TRY(ent_buf_check(&out, err));
	ent_buf_put(ret, out.data, out.len);
	return ent_buf_check(ret, err);
}
