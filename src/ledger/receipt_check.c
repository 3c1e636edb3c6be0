/* Checking receipts: every byte has to be needed, every signature to hold, every link between the entries to be there. */
#include <stdio.h>
#include <stdlib.h>

#include "crypto/hash.h"
#include "crypto/sign.h"
#include "ledger/cosign.h"
#include "ledger/receipt.h"
#include "ledger/receipt_part.h"

#define REPORT_BYTES_MAX ((size_t)256 << 20)

struct part {
	struct ent_receipt_name name;
	struct ent_bytes bytes;
};

struct check {
	struct ent_receipt_report *r;
	struct part *parts;
	size_t count;
	struct ent_bytes before_seal, seal;
};

static int bad(const struct ent_receipt_name *n, const char *why, struct ent_err *err)
{
	char name[128];
	ent_receipt_name_text(n, name);
	return ent_fail(err, ENT_EVERIFY, "%s: %s", name, why);
}

/* ---- parts ---- */

static int keep_part(struct check *c, const struct part *p, struct ent_err *err)
{
	if (c->count == 2 * ENT_RECEIPT_ENTRIES_MAX)
		return ent_fail(err, ENT_EDATA, "too many parts");
	if (c->count && ent_receipt_name_cmp(&c->parts[c->count - 1].name, &p->name) >= 0)
		return ent_fail(err, ENT_EDATA, "not a receipt: parts out of order");
	c->parts[c->count++] = *p;
	return 0;
}

static int split(struct check *c, struct ent_bytes receipt, struct ent_err *err)
{
	struct ent_bytes rest = receipt;
	size_t head = strlen(ENT_RECEIPT_HEAD);
	if (receipt.len > ENT_RECEIPT_BYTES_MAX || receipt.len < head || memcmp(receipt.data, ENT_RECEIPT_HEAD, head) != 0)
		return ent_fail(err, ENT_EDATA, "not a receipt: it does not start with entente-receipt/v1");
	rest = ent_bytes(rest.data + head, rest.len - head);
	c->parts = ent_arena_get(c->r->arena, 2 * ENT_RECEIPT_ENTRIES_MAX, sizeof *c->parts);
	if (!c->parts)
		return ent_nomem(err);
	for (;;) {
		struct part p;
		c->before_seal = ent_bytes(receipt.data, receipt.len - rest.len);
		ENT_TRY(ent_receipt_part_read(&rest, &p.name, &p.bytes, err));
		if (p.name.kind == ENT_PART_SEAL) {
			c->seal = p.bytes;
			return rest.len ? ent_fail(err, ENT_EDATA, "not a receipt: bytes behind the seal") : 0;
		}
		ENT_TRY(keep_part(c, &p, err));
	}
}

static size_t count_kind(const struct check *c, enum ent_part_kind kind)
{
	size_t n = 0;
	for (size_t i = 0; i < c->count; i++)
		n += c->parts[i].name.kind == kind;
	return n;
}

static const struct part *find_part(const struct check *c, enum ent_part_kind kind, const char *org, uint64_t index)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->parts[i].name.kind == kind && c->parts[i].name.index == index && !strcmp(c->parts[i].name.org, org))
			return &c->parts[i];
	return NULL;
}

/* ---- cards ---- */

static const struct ent_card *card_of(const struct ent_receipt_report *r, const char *org)
{
	const struct ent_card *last = NULL;
	for (size_t i = 0; i < r->card_count; i++)
		if (!strcmp(r->cards[i].org, org))
			last = &r->cards[i];
	return last;
}

static int open_card(struct check *c, const struct part *p, struct ent_err *err)
{
	struct ent_card card, same;
	enum ent_card_step step;
	const struct ent_card *before = card_of(c->r, p->name.org);
	struct ent_err inner = ENT_ERR_INIT;
	if (ent_card_open(p->bytes, &card, &inner))
		return bad(&p->name, inner.what, err);
	if (strcmp(card.org, p->name.org) != 0 || (uint64_t)card.version != p->name.index)
		return bad(&p->name, "the card is another one", err);
	if (before && ent_card_update(before, p->bytes, &step, &same, &inner))
		return bad(&p->name, "it does not follow from the version before", err);
	for (size_t i = 0; i < c->r->card_count; i++) /* two organisations with one name or key would confuse everything */
		if (strcmp(c->r->cards[i].org, card.org) != 0 && (!strcmp(c->r->cards[i].origin, card.origin) ||
								  !memcmp(c->r->cards[i].keys[ENT_KEY_SIGN], card.keys[ENT_KEY_SIGN], ENT_PUB_BYTES)))
			return bad(&p->name, "it shares a key or origin with another card", err);
	c->r->cards[c->r->card_count++] = card;
	return 0;
}

static int open_cards(struct check *c, struct ent_err *err)
{
	size_t n = count_kind(c, ENT_PART_CARD);
	if (n == 0 || n > ENT_RECEIPT_CARDS_MAX)
		return ent_fail(err, ENT_EDATA, "a receipt carries 1 to %d member cards", ENT_RECEIPT_CARDS_MAX);
	c->r->cards = ENT_NEWS(c->r->arena, n, struct ent_card);
	if (!c->r->cards)
		return ent_nomem(err);
	for (size_t i = 0; i < c->count; i++)
		if (c->parts[i].name.kind == ENT_PART_CARD)
			ENT_TRY(open_card(c, &c->parts[i], err));
	return 0;
}

static unsigned org_count(const struct ent_receipt_report *r)
{
	unsigned n = 0;
	for (size_t i = 0; i < r->card_count; i++)
		n += i == 0 || strcmp(r->cards[i].org, r->cards[i - 1].org) != 0;
	return n;
}

/* ---- entries ---- */

struct signer_ring {
	const struct ent_receipt_report *r;
	const char *org; /* NULL: anybody with a card */
};

static bool find_key(void *self, const uint8_t keyid[ENT_HASH_BYTES], uint8_t ret_pub[ENT_PUB_BYTES])
{
	const struct signer_ring *s = self;
	for (size_t i = 0; i < s->r->card_count; i++) {
		uint8_t id[ENT_HASH_BYTES];
		ent_keyid(s->r->cards[i].keys[ENT_KEY_SIGN], id);
		if ((!s->org || !strcmp(s->r->cards[i].org, s->org)) && !memcmp(id, keyid, sizeof id)) {
			memcpy(ret_pub, s->r->cards[i].keys[ENT_KEY_SIGN], ENT_PUB_BYTES);
			return true;
		}
	}
	return false;
}

static bool signed_by_org(const struct ent_receipt_report *r, const struct ent_dsse *d, const char *org)
{
	for (size_t i = 0; i < r->card_count; i++)
		if (!strcmp(r->cards[i].org, org) && ent_dsse_signed_by(d, r->cards[i].keys[ENT_KEY_SIGN]))
			return true;
	return false;
}

/* A run is signed by exactly its participants, and the log it stands in is one of them. */
static int check_run(const struct check *c, const struct part *p, const struct ent_dsse *d, struct ent_err *err)
{
	json_t *list;
	bool here = false;
	if (ent_json_array(d->body, "participants", &list, NULL) || json_array_size(list) != d->sig_count)
		return bad(&p->name, "signatures and participants differ", err);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *org = json_string_value(json_array_get(list, i));
		const char *before = i ? json_string_value(json_array_get(list, i - 1)) : "";
		if (!org || strcmp(before, org) >= 0 || !signed_by_org(c->r, d, org))
			return bad(&p->name, "a participant did not sign", err);
		here = here || !strcmp(org, p->name.org);
	}
	return here ? 0 : bad(&p->name, "this log's organisation took no part", err);
}

static int open_entry(struct check *c, const struct part *p, struct ent_receipt_item *item, struct ent_err *err)
{
	struct ent_err inner = ENT_ERR_INIT;
	if (ent_entry_open(p->bytes, &item->opened, &inner))
		return bad(&p->name, inner.what, err);
	const struct ent_entry *e = &item->opened;
	struct signer_ring one = { c->r, e->type == ENT_ENTRY_RUN ? NULL : e->actor };
	struct ent_keyring ring = { &one, find_key };
	item->org = p->name.org;
	item->index = p->name.index;
	item->type = e->type;
	item->time_ms = e->time_ms;
	item->body = e->dsse.body;
	if (!card_of(c->r, item->org))
		return bad(&p->name, "the receipt has no card of that organisation", err);
	if (ent_dsse_check(&e->dsse, &ring, &inner))
		return bad(&p->name, inner.what, err);
	if (e->type == ENT_ENTRY_RUN)
		return check_run(c, p, &e->dsse, err);
	if (e->dsse.sig_count != 1 || (e->type != ENT_ENTRY_REQUEST && strcmp(e->actor, item->org) != 0))
		return bad(&p->name, "made by another organisation than the log's", err);
	return 0;
}

static int open_entries(struct check *c, struct ent_err *err)
{
	size_t n = count_kind(c, ENT_PART_ENTRY);
	if (n == 0 || n > ENT_RECEIPT_ENTRIES_MAX || n != count_kind(c, ENT_PART_PROOF))
		return ent_fail(err, ENT_EDATA, "a receipt carries entries, each with its proof");
	c->r->entries = ENT_NEWS(c->r->arena, n, struct ent_receipt_item);
	if (!c->r->entries)
		return ent_nomem(err);
	for (size_t i = 0; i < c->count; i++)
		if (c->parts[i].name.kind == ENT_PART_ENTRY)
			ENT_TRY(open_entry(c, &c->parts[i], &c->r->entries[c->r->entry_count++], err));
	return 0;
}

/* ---- proofs ---- */

static bool line_by(const struct ent_receipt_report *r, const char *owner, struct ent_bytes text, const struct ent_note_line *line, bool *ret_log)
{
	for (size_t i = 0; i < r->card_count; i++) {
		bool own = !strcmp(r->cards[i].org, owner);
		struct ent_note_key key = { .alg = own ? ENT_NOTE_ED25519 : ENT_NOTE_COSIGNATURE };
		snprintf(key.name, sizeof key.name, "%s%s", r->cards[i].origin, own ? "" : "/witness");
		memcpy(key.pub, r->cards[i].keys[own ? ENT_KEY_LOG : ENT_KEY_WITNESS], ENT_PUB_BYTES);
		*ret_log = own;
		if (ent_note_line_is(line, &key) && !ent_note_check_line(text, line, &key, NULL, NULL))
			return true;
	}
	return false;
}

/* Every line has to hold; the owner's is needed, each other organisation counts once. */
static int check_lines(const struct check *c, const struct part *p, const struct ent_tlog_proof *t, unsigned *ret_cosigned, struct ent_err *err)
{
	unsigned own = 0, others = 0;
	for (size_t i = 0; i < t->signed_note.line_count; i++) {
		const struct ent_note_line *line = &t->signed_note.lines[i];
		bool log;
		if (!line_by(c->r, p->name.org, t->signed_note.text, line, &log))
			return bad(&p->name, "a signature line of its checkpoint does not verify", err);
		for (size_t k = 0; k < i; k++)
			if (ent_bytes_eq(t->signed_note.lines[k].name, line->name))
				return bad(&p->name, "a signer stands twice under its checkpoint", err);
		own += log;
		others += !log;
	}
	*ret_cosigned = others;
	return own == 1 ? 0 : bad(&p->name, "its checkpoint is not signed by the log", err);
}

static int note_log(struct check *c, const char *org, uint64_t size, unsigned cosigned)
{
	struct ent_receipt_log *log = NULL;
	for (size_t i = 0; i < c->r->log_count; i++)
		if (!strcmp(c->r->logs[i].org, org))
			log = &c->r->logs[i];
	if (!log) {
		log = &c->r->logs[c->r->log_count++];
		*log = (struct ent_receipt_log){ org, size, cosigned, org_count(c->r) - 1, ent_quorum(org_count(c->r) - 1) };
	}
	log->size = size < log->size ? size : log->size;
	log->cosigned = cosigned < log->cosigned ? cosigned : log->cosigned;
	return 0;
}

static int check_proof(struct check *c, const struct part *entry, const struct part *p, struct ent_tlog_proof *t, struct ent_err *err)
{
	struct ent_err inner = ENT_ERR_INIT;
	ent_hash leaf;
	unsigned cosigned = 0;
	if (ent_tlog_proof_parse(p->bytes, t, &inner))
		return bad(&p->name, inner.what, err);
	if (t->index != p->name.index || strcmp(t->checkpoint.origin, card_of(c->r, p->name.org)->origin) != 0)
		return bad(&p->name, "it proves another entry or log", err);
	ent_tree_leaf(entry->bytes, &leaf);
	if (ent_tree_check_inclusion(&leaf, t->index, t->checkpoint.size, &t->path, &t->checkpoint.root, &inner))
		return bad(&p->name, inner.what, err);
	ENT_TRY(check_lines(c, p, t, &cosigned, err));
	return note_log(c, p->name.org, t->checkpoint.size, cosigned);
}

static int check_proofs(struct check *c, struct ent_err *err)
{
	struct ent_tlog_proof *t = ENT_NEW(c->r->arena, struct ent_tlog_proof);
	c->r->logs = ENT_NEWS(c->r->arena, c->r->card_count, struct ent_receipt_log);
	if (!t || !c->r->logs)
		return ent_nomem(err);
	for (size_t i = 0; i < c->count; i++) {
		const struct part *p = &c->parts[i];
		if (p->name.kind != ENT_PART_ENTRY)
			continue;
		const struct part *proof = find_part(c, ENT_PART_PROOF, p->name.org, p->name.index);
		if (!proof)
			return bad(&p->name, "its proof is missing", err);
		ENT_TRY(check_proof(c, p, proof, t, err));
	}
	return 0;
}

/* ---- links ---- */

static bool names_commitment(const json_t *v, const char *hex)
{
	const char *key;
	size_t i;
	json_t *item;
	if (json_is_string(v))
		return !strcmp(json_string_value(v), hex);
	json_object_foreach((json_t *)(uintptr_t)v, key, item) if (names_commitment(item, hex)) return true;
	json_array_foreach(v, i, item) if (names_commitment(item, hex)) return true;
	return false;
}

static int check_content(struct check *c, const struct part *p, struct ent_err *err)
{
	struct ent_receipt_report *r = c->r;
	uint8_t hash[ENT_HASH_BYTES];
	char hex[2 * ENT_HASH_BYTES + 1];
	bool named = false;
	ent_sha256(p->bytes.data, p->bytes.len, hash);
	if (p->bytes.len < ENT_SALT_BYTES || memcmp(hash, p->name.hash, sizeof hash) != 0)
		return bad(&p->name, "it does not match its commitment", err);
	ent_hex(hex, hash, sizeof hash);
	for (size_t i = 0; i < r->entry_count && !named; i++)
		named = names_commitment(r->entries[i].body, hex);
	if (!named)
		return bad(&p->name, "no entry names it", err);
	struct ent_receipt_content *out = &r->contents[r->content_count++];
	out->commitment = ent_arena_dup(r->arena, hex);
	out->salt = p->bytes.data;
	out->bytes = ent_bytes(p->bytes.data + ENT_SALT_BYTES, p->bytes.len - ENT_SALT_BYTES);
	return out->commitment ? 0 : ent_nomem(err);
}

static int check_contents(struct check *c, struct ent_err *err)
{
	size_t n = count_kind(c, ENT_PART_CONTENT);
	if (n && !(c->r->contents = ENT_NEWS(c->r->arena, n, struct ent_receipt_content)))
		return ent_nomem(err);
	for (size_t i = 0; i < c->count; i++)
		if (c->parts[i].name.kind == ENT_PART_CONTENT)
			ENT_TRY(check_content(c, &c->parts[i], err));
	return 0;
}

static int item_bad(const struct ent_receipt_item *item, const char *why, struct ent_err *err)
{
	return ent_fail(err, ENT_EVERIFY, "entry/%s/%llu: %s", item->org, (unsigned long long)item->index, why);
}

static const struct ent_receipt_item *find_item(const struct ent_receipt_report *r, const char *id)
{
	char org[ENT_ORG_MAX + 1];
	uint64_t index;
	if (!id || !ent_entry_id_parse(id, org, &index))
		return NULL;
	for (size_t i = 0; i < r->entry_count; i++)
		if (r->entries[i].index == index && !strcmp(r->entries[i].org, org))
			return &r->entries[i];
	return NULL;
}

/* Every grant that a decision names is there and is one, of the log that decided. */
static int check_decision(const struct ent_receipt_report *r, const struct ent_receipt_item *item, struct ent_err *err)
{
	json_t *grants, *id;
	size_t i;
	if (ent_json_array(item->body, "grants", &grants, NULL))
		return 0;
	json_array_foreach(grants, i, id)
	{
		const struct ent_receipt_item *g = find_item(r, json_string_value(id));
		if (!g || g->type != ENT_ENTRY_GRANT || strcmp(g->org, item->org) != 0)
			return item_bad(item, "it names a grant that the receipt does not carry", err);
	}
	return 0;
}

static bool grant_used(const struct ent_receipt_report *r, const struct ent_receipt_item *grant)
{
	json_t *grants, *id;
	size_t k;
	for (size_t i = 0; i < r->entry_count; i++) {
		if (r->entries[i].type != ENT_ENTRY_DECISION || ent_json_array(r->entries[i].body, "grants", &grants, NULL))
			continue;
		json_array_foreach(grants, k, id) if (find_item(r, json_string_value(id)) == grant) return true;
	}
	return false;
}

/* What every entry has to have to do with the request. */
static int check_link(const struct ent_receipt_report *r, const struct ent_receipt_item *request, const char *proposal,
		      const struct ent_receipt_item *item, struct ent_err *err)
{
	const char *said = json_string_value(json_object_get(item->body, "proposal"));
	switch (item->type) {
	case ENT_ENTRY_REQUEST:
		return memcmp(item->opened.dsse.payload_hash, request->opened.dsse.payload_hash, ENT_HASH_BYTES) != 0
			       ? item_bad(item, "another request", err)
			       : 0;
	case ENT_ENTRY_GRANT:
		return grant_used(r, item) ? 0 : item_bad(item, "no decision names this grant", err);
	case ENT_ENTRY_DECISION:
		ENT_TRY(check_decision(r, item, err));
		break;
	case ENT_ENTRY_APPROVE:
	case ENT_ENTRY_RUN:
	case ENT_ENTRY_OPEN:
	case ENT_ENTRY_OUTPUT:
	case ENT_ENTRY_RESULT:
		break;
	default:
		return item_bad(item, "an entry of this type has no place in the receipt of a job", err);
	}
	return said && !strcmp(said, proposal) ? 0 : item_bad(item, "it belongs to another proposal", err);
}

static int check_same_run(const struct ent_receipt_report *r, struct ent_err *err)
{
	const struct ent_receipt_item *first = NULL;
	for (size_t i = 0; i < r->entry_count; i++) {
		if (r->entries[i].type != ENT_ENTRY_RUN)
			continue;
		if (first && memcmp(first->opened.dsse.payload_hash, r->entries[i].opened.dsse.payload_hash, ENT_HASH_BYTES) != 0)
			return item_bad(&r->entries[i], "the logs disagree on the run", err);
		first = first ? first : &r->entries[i];
	}
	return 0;
}

static bool of_job(int type)
{
	return type == ENT_ENTRY_REQUEST || type == ENT_ENTRY_DECISION || type == ENT_ENTRY_APPROVE || type == ENT_ENTRY_RUN ||
	       type == ENT_ENTRY_OPEN || type == ENT_ENTRY_OUTPUT || type == ENT_ENTRY_RESULT;
}

static int check_links(struct ent_receipt_report *r, struct ent_err *err)
{
	const struct ent_receipt_item *request = NULL;
	char proposal[2 * ENT_HASH_BYTES + 1];
	for (size_t i = 0; i < r->entry_count; i++) /* the requester's own copy gives the receipt its name */
		if (r->entries[i].type == ENT_ENTRY_REQUEST && !strcmp(r->entries[i].opened.actor, r->entries[i].org))
			request = request ? request : &r->entries[i];
	if (!request) { /* proofs of single entries; those of a job need its request */
		for (size_t i = 0; i < r->entry_count; i++)
			if (of_job(r->entries[i].type))
				return item_bad(&r->entries[i], "the requester's own entry of the request is missing", err);
		return 0;
	}
	ent_hex(proposal, request->opened.dsse.payload_hash, ENT_HASH_BYTES);
	for (size_t i = 0; i < r->entry_count; i++)
		ENT_TRY(check_link(r, request, proposal, &r->entries[i], err));
	ENT_TRY(check_same_run(r, err));
	for (size_t i = 0; i < r->entry_count; i++)
		if (r->entries[i].type == ENT_ENTRY_RESULT && !strcmp(r->entries[i].org, request->org))
			r->outcome = json_string_value(json_object_get(r->entries[i].body, "outcome"));
	r->request_id = ent_arena_printf(r->arena, "%s/%llu", request->org, (unsigned long long)request->index);
	return r->request_id ? 0 : ent_nomem(err);
}

static int check_seal(struct check *c, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf sig = ENT_BUF(ENT_SIG_BYTES);
	const char *text = (const char *)c->seal.data, *blank = memchr(text, ' ', c->seal.len);
	char org[ENT_ORG_MAX + 1] = { 0 };
	if (!blank || (size_t)(blank - text) > ENT_ORG_MAX || !ent_unbase64(&sig, blank + 1, c->seal.len - (size_t)(blank - text) - 1) ||
	    sig.len != ENT_SIG_BYTES)
		return ent_fail(err, ENT_EDATA, "seal: not ORG and a signature");
	memcpy(org, text, (size_t)(blank - text));
	const struct ent_card *card = card_of(c->r, org);
	if (!card || !ent_sign_verify(card->keys[ENT_KEY_SIGN], c->before_seal, sig.data, sig.len))
		return ent_fail(err, ENT_EVERIFY, "seal: the signature over the receipt does not verify");
	if (c->r->request_id && (strncmp(c->r->request_id, org, strlen(org)) != 0 || c->r->request_id[strlen(org)] != '/'))
		return ent_fail(err, ENT_EVERIFY, "seal: not made by the requester");
	c->r->sealed_by = card->org;
	return 0;
}

static int check(struct check *c, struct ent_bytes receipt, struct ent_err *err)
{
	ENT_TRY(split(c, receipt, err));
	ENT_TRY(open_cards(c, err));
	ENT_TRY(open_entries(c, err));
	ENT_TRY(check_proofs(c, err));
	ENT_TRY(check_contents(c, err));
	ENT_TRY(check_links(c->r, err));
	return check_seal(c, err);
}

int ent_receipt_check(struct ent_bytes receipt, struct ent_receipt_report *ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_receipt_report_deinit) struct ent_receipt_report r = { .arena = ent_arena_new(REPORT_BYTES_MAX) };
	struct check c = { .r = &r };
	if (!r.arena)
		return ent_nomem(err);
	ENT_TRY(check(&c, receipt, err));
	*ret = r;
	r = (struct ent_receipt_report){ 0 };
	return 0;
}

void ent_receipt_report_deinit(struct ent_receipt_report *r)
{
	for (size_t i = 0; i < r->entry_count; i++)
		ent_entry_deinit(&r->entries[i].opened);
	ent_arena_free(r->arena);
	*r = (struct ent_receipt_report){ 0 };
}
