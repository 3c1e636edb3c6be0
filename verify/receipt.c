#include "verify.h"

#include <time.h>

#define RECEIPT_MAX (64u << 20)
#define PARTS_MAX (2 * ENTRIES_MAX + CARDS_MAX)

enum kind { CARD, ENTRY, PROOF, CONTENT, SEAL, KINDS };

struct part {
	enum kind kind;
	char name[128]; /* as in the file */
	char org[32];
	uint64_t index;
	unsigned char hash[32];
	struct span bytes;
};

struct parts {
	struct part at[PARTS_MAX];
	size_t count;
	struct span sealed; /* what the seal covers */
};

const struct card *ent_verify_card_of(const struct receipt *r, const char *org)
{
	const struct card *last = NULL;
	for (size_t i = 0; i < r->cards_count; i++)
		if (!strcmp(r->cards[i].org, org))
			last = &r->cards[i];
	return last;
}

/* ---- the file ---- */

static bool parse_id(const char *text, struct part *p)
{
	const char *slash = strchr(text, '/');
	if (!slash || (size_t)(slash - text) >= sizeof p->org)
		return false;
	memcpy(p->org, text, (size_t)(slash - text));
	return ent_verify_org(p->org) &&
	       ent_verify_number((struct span){ (const unsigned char *)slash + 1, strlen(slash + 1) }, 1ull << 53, &p->index);
}

static bool parse_name(struct part *p)
{
	static const char *const heads[KINDS] = { "card/", "entry/", "proof/", "content/", "seal" };
	for (p->kind = CARD; p->kind < KINDS; p->kind++) {
		size_t n = strlen(heads[p->kind]);
		if (strncmp(p->name, heads[p->kind], n) != 0)
			continue;
		if (p->kind == SEAL)
			return !p->name[n];
		if (p->kind == CONTENT)
			return ent_verify_unhex((struct span){ (const unsigned char *)p->name + n, strlen(p->name + n) }, p->hash, 32);
		return parse_id(p->name + n, p);
	}
	return false;
}

static bool read_part(struct span *rest, struct part *p)
{
	struct span line;
	uint64_t n;
	memset(p, 0, sizeof *p);
	if (!ent_verify_line(rest, &line) || line.n < 8 || memcmp(line.p, "part ", 5) != 0)
		return ent_verify_no("not a receipt: a part line is missing");
	const unsigned char *blank = memchr(line.p + 5, ' ', line.n - 5);
	size_t name = blank ? (size_t)(blank - line.p) - 5 : sizeof p->name;
	if (name >= sizeof p->name || memchr(line.p, 0, line.n) || !ent_verify_number((struct span){ blank + 1, line.n - name - 6 }, RECEIPT_MAX, &n))
		return ent_verify_no("not a receipt: a part line is malformed");
	memcpy(p->name, line.p + 5, name);
	if (!parse_name(p) || rest->n < n + 1 || rest->p[n] != '\n')
		return ent_verify_no("not a receipt: part %s is unknown or cut short", p->name);
	p->bytes = (struct span){ rest->p, (size_t)n };
	rest->p += n + 1;
	rest->n -= (size_t)n + 1;
	return true;
}

static int order(const struct part *a, const struct part *b)
{
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	int c = a->kind == CONTENT ? memcmp(a->hash, b->hash, 32) : strcmp(a->org, b->org);
	return c ? c : a->index < b->index ? -1 : a->index > b->index;
}

static bool read_parts(struct span bytes, struct parts *out)
{
	struct span rest = bytes, line;
	if (bytes.n > RECEIPT_MAX || !ent_verify_line(&rest, &line) || !ent_verify_is(line, "entente-receipt/v1"))
		return ent_verify_no("not a receipt: it does not start with entente-receipt/v1");
	for (;;) {
		struct part *p = &out->at[out->count++];
		out->sealed = (struct span){ bytes.p, bytes.n - rest.n };
		if (!read_part(&rest, p))
			return false;
		if (out->count > 1 && order(p - 1, p) >= 0)
			return ent_verify_no("not a receipt: parts are out of order");
		if (p->kind == SEAL || out->count == PARTS_MAX)
			return (p->kind == SEAL && !rest.n) || ent_verify_no("not a receipt: bytes behind the seal, or too many parts");
	}
}

static const struct part *find_part(const struct parts *ps, enum kind kind, const char *org, uint64_t index)
{
	for (size_t i = 0; i < ps->count; i++)
		if (ps->at[i].kind == kind && ps->at[i].index == index && !strcmp(ps->at[i].org, org))
			return &ps->at[i];
	return NULL;
}

/* ---- cards and entries ---- */

static bool take_card(struct receipt *r, const struct part *p)
{
	if (r->cards_count == CARDS_MAX)
		return ent_verify_no("too many cards");
	struct card *c = &r->cards[r->cards_count];
	const struct card *before = ent_verify_card_of(r, p->org);
	if (!ent_verify_card(p->bytes, before, c))
		return false;
	if (strcmp(c->org, p->org) != 0 || (uint64_t)c->version != p->index)
		return ent_verify_no("it is the card of another organisation or version");
	for (size_t i = 0; i < r->cards_count; i++)
		if (strcmp(r->cards[i].org, c->org) != 0 &&
		    (!strcmp(r->cards[i].origin, c->origin) || !memcmp(r->cards[i].keys[USE_SIGN], c->keys[USE_SIGN], 32)))
			return ent_verify_no("it shares a key or origin with another card");
	r->cards_count++;
	r->orgs += !before;
	return true;
}

/* One signature of the entry holds under a key that this organisation has or had. */
static bool signed_by(const struct receipt *r, const struct envelope *e, const char *org)
{
	for (size_t i = 0; i < r->cards_count; i++) {
		unsigned char id[32];
		ent_verify_sha256(&(struct span){ r->cards[i].keys[USE_SIGN], 32 }, 1, id);
		for (size_t k = 0; k < e->count; k++)
			if (!strcmp(r->cards[i].org, org) && !memcmp(e->keyid[k], id, 32))
				return ent_verify_signed(e, r->cards[i].keys[USE_SIGN]);
	}
	return ent_verify_no("%s did not sign", org);
}

static bool check_time(const char *t)
{
	struct tm tm = { 0 };
	char again[32] = "";
	const char *end = strlen(t) == 24 ? strptime(t, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
	time_t s = timegm(&tm);
	if (end != t + 19 || t[19] != '.' || strspn(t + 20, "0123456789") != 3 || t[23] != 'Z' || !gmtime_r(&s, &tm))
		return false;
	return strftime(again, sizeof again, "%Y-%m-%dT%H:%M:%S", &tm) == 19 && !memcmp(again, t, 19);
}

static bool check_run(const struct receipt *r, const struct entry *e)
{
	const json_t *list = json_object_get(e->e.body, "participants");
	bool here = false;
	if (e->actor || e->time || json_object_get(e->e.body, "actor") || json_object_get(e->e.body, "time"))
		return ent_verify_no("a run has neither time nor actor");
	if (json_array_size(list) != e->e.count)
		return ent_verify_no("signatures and participants differ");
	for (size_t i = 0; i < e->e.count; i++) {
		const char *org = json_string_value(json_array_get(list, i)), *before = i ? json_string_value(json_array_get(list, i - 1)) : "";
		if (!org || strcmp(before, org) >= 0 || !signed_by(r, &e->e, org))
			return ent_verify_no("a participant did not sign");
		here = here || !strcmp(org, e->org);
	}
	return here || ent_verify_no("this log's organisation took no part");
}

static bool known_type(const char *type)
{
	static const char *const types =
		" note member key register grant revoke request decision approve run open output result budget copy replicate prepare "
		"model crossref anchor erase alarm block ";
	char word[40];
	snprintf(word, sizeof word, " %s ", type);
	return strstr(types, word) != NULL;
}

static bool take_entry(struct receipt *r, const struct part *p)
{
	struct entry *e = &r->entries[r->entries_count++];
	memcpy(e->org, p->org, sizeof e->org);
	e->index = p->index;
	e->bytes = p->bytes;
	if (!ent_verify_envelope(p->bytes, &e->e))
		return false;
	const char *type = ent_verify_text(e->e.body, "type");
	e->actor = ent_verify_text(e->e.body, "actor");
	e->time = ent_verify_text(e->e.body, "time");
	if (!type || strcmp(type, e->e.type) != 0 || !known_type(type))
		return ent_verify_no("not an entry");
	if (!ent_verify_card_of(r, e->org))
		return ent_verify_no("the receipt has no card of %s", e->org);
	if (!strcmp(type, "run"))
		return check_run(r, e);
	if (!e->actor || !e->time || !ent_verify_org(e->actor) || !check_time(e->time) || e->e.count != 1 || !signed_by(r, &e->e, e->actor))
		return ent_verify_no("actor, time or signature is wrong");
	return !strcmp(e->actor, e->org) || !strcmp(type, "request") || ent_verify_no("made by another organisation than the log's");
}

/* ---- proofs ---- */

static bool check_lines(struct receipt *r, const struct part *p, const struct proof *proof)
{
	unsigned own = 0, others = 0;
	for (size_t i = 0; i < proof->lines; i++) {
		bool good = false;
		for (size_t k = 0; k < r->cards_count && !good; k++) {
			bool mine = !strcmp(r->cards[k].org, p->org);
			char name[120];
			snprintf(name, sizeof name, "%s%s", r->cards[k].origin, mine ? "" : "/witness");
			good = ent_verify_proof_line(proof, i, name, mine ? 1 : 4, r->cards[k].keys[mine ? USE_LOG : USE_WITNESS]);
			own += good && mine;
			others += good && !mine;
		}
		if (!good)
			return ent_verify_no("a signature line of its checkpoint does not verify");
		for (size_t k = 0; k < i; k++)
			if (proof->names[k].n == proof->names[i].n && !memcmp(proof->names[k].p, proof->names[i].p, proof->names[i].n))
				return ent_verify_no("a signer stands twice under its checkpoint");
	}
	if (own != 1)
		return ent_verify_no("its checkpoint is not signed by the log");
	size_t log = (size_t)(ent_verify_card_of(r, p->org) - r->cards);
	if (!r->logs[log].seen || proof->size < r->logs[log].size)
		r->logs[log].size = proof->size;
	if (!r->logs[log].seen || others < r->logs[log].cosigned)
		r->logs[log].cosigned = others;
	r->logs[log].seen = true;
	return true;
}

static bool check_proof(struct receipt *r, const struct entry *e, const struct part *p)
{
	static struct proof proof; /* one thread; large */
	if (!ent_verify_proof(p->bytes, e->bytes, &proof))
		return false;
	if (proof.index != e->index || !ent_verify_is(proof.origin, ent_verify_card_of(r, e->org)->origin))
		return ent_verify_no("it proves another entry or log");
	return check_lines(r, p, &proof);
}

static bool check_proofs(struct receipt *r, const struct parts *ps)
{
	size_t proofs = 0;
	for (size_t i = 0; i < ps->count; i++)
		proofs += ps->at[i].kind == PROOF;
	for (size_t i = 0; i < r->entries_count; i++) {
		const struct part *p = find_part(ps, PROOF, r->entries[i].org, r->entries[i].index);
		if (!p)
			return ent_verify_no("entry/%s/%llu: its proof is missing", r->entries[i].org, (unsigned long long)r->entries[i].index);
		if (!check_proof(r, &r->entries[i], p))
			return ent_verify_in(p->name);
	}
	return proofs == r->entries_count || ent_verify_no("a proof without its entry");
}

/* ---- links ---- */

static bool mentions(const json_t *v, const char *text)
{
	const char *key;
	json_t *item;
	size_t i;
	json_object_foreach((json_t *)(uintptr_t)v, key, item) if (mentions(item, text)) return true;
	json_array_foreach(v, i, item) if (mentions(item, text)) return true;
	return json_is_string(v) && !strcmp(json_string_value(v), text);
}

static bool check_content(const struct receipt *r, const struct part *p)
{
	unsigned char hash[32];
	ent_verify_sha256(&p->bytes, 1, hash);
	if (p->bytes.n < 32 || memcmp(hash, p->hash, 32) != 0)
		return ent_verify_no("it does not match its commitment");
	for (size_t i = 0; i < r->entries_count; i++)
		if (mentions(r->entries[i].e.body, strchr(p->name, '/') + 1))
			return true;
	return ent_verify_no("no entry names it");
}

static bool is_type(const struct entry *e, const char *type) { return !strcmp(e->e.type, type); }

static bool of_job(const struct entry *e)
{
	return is_type(e, "request") || is_type(e, "decision") || is_type(e, "approve") || is_type(e, "run") || is_type(e, "open") ||
	       is_type(e, "output") || is_type(e, "result");
}

static const struct entry *by_id(const struct receipt *r, const char *id)
{
	char text[64];
	for (size_t i = 0; id && i < r->entries_count; i++) {
		snprintf(text, sizeof text, "%s/%llu", r->entries[i].org, (unsigned long long)r->entries[i].index);
		if (!strcmp(text, id))
			return &r->entries[i];
	}
	return NULL;
}

/* Is every grant of this decision there? With grant given: does the decision name it? */
static bool grants_of(const struct receipt *r, const struct entry *decision, const struct entry *grant)
{
	json_t *id;
	size_t i;
	json_array_foreach(json_object_get(decision->e.body, "grants"), i, id)
	{
		const struct entry *g = by_id(r, json_string_value(id));
		if (grant && g == grant)
			return true;
		if (!grant && (!g || !is_type(g, "grant") || strcmp(g->org, decision->org) != 0))
			return ent_verify_no("it names a grant that the receipt does not carry");
	}
	return !grant;
}

static bool check_link(const struct receipt *r, const struct entry *e, const char *proposal)
{
	const char *said = json_string_value(json_object_get(e->e.body, "proposal"));
	if (is_type(e, "request"))
		return !memcmp(e->e.hash, r->request->e.hash, 32) || ent_verify_no("another request");
	if (is_type(e, "grant")) {
		for (size_t i = 0; i < r->entries_count; i++)
			if (is_type(&r->entries[i], "decision") && grants_of(r, &r->entries[i], e))
				return true;
		return ent_verify_no("no decision names this grant");
	}
	if (!of_job(e))
		return ent_verify_no("an entry of this type has no place in the receipt of a job");
	if (is_type(e, "decision") && !grants_of(r, e, NULL))
		return false;
	return (said && !strcmp(said, proposal)) || ent_verify_no("it belongs to another proposal");
}

static bool check_links(struct receipt *r)
{
	char proposal[65], where[100];
	const struct entry *run = NULL;
	for (size_t i = 0; i < r->entries_count && !r->request; i++)
		if (is_type(&r->entries[i], "request") && !strcmp(r->entries[i].org, r->entries[i].actor))
			r->request = &r->entries[i];
	for (size_t i = 0; r->request && i < 32; i++)
		snprintf(proposal + 2 * i, 3, "%02x", r->request->e.hash[i]);
	for (size_t i = 0; i < r->entries_count; i++) {
		const struct entry *e = &r->entries[i];
		snprintf(where, sizeof where, "entry/%s/%llu", e->org, (unsigned long long)e->index);
		if (r->request ? !check_link(r, e, proposal) : of_job(e) && !ent_verify_no("the requester's own entry of the request is missing"))
			return ent_verify_in(where);
		if (is_type(e, "run") && run && memcmp(run->e.hash, e->e.hash, 32) != 0)
			return ent_verify_no("%s: the logs disagree on the run", where);
		run = is_type(e, "run") && !run ? e : run;
		if (r->request && is_type(e, "result") && !strcmp(e->org, r->request->org))
			r->outcome = json_string_value(json_object_get(e->e.body, "outcome"));
	}
	return true;
}

static bool check_seal(struct receipt *r, const struct parts *ps)
{
	struct span s = ps->at[ps->count - 1].bytes;
	const unsigned char *blank = s.n ? memchr(s.p, ' ', s.n) : NULL;
	unsigned char sig[64];
	size_t n;
	if (!blank || (size_t)(blank - s.p) >= sizeof r->sealed_by ||
	    !ent_verify_unbase64((struct span){ blank + 1, s.n - (size_t)(blank - s.p) - 1 }, sig, 64, &n) || n != 64)
		return ent_verify_no("seal: not an organisation and its signature");
	memcpy(r->sealed_by, s.p, (size_t)(blank - s.p));
	const struct card *c = ent_verify_card_of(r, r->sealed_by);
	if (!c || !ent_verify_ed25519(c->keys[USE_SIGN], ps->sealed, sig))
		return ent_verify_no("seal: the signature over the receipt does not verify");
	return !r->request || !strcmp(r->request->org, r->sealed_by) || ent_verify_no("seal: not made by the requester");
}

static bool check(struct span bytes, struct receipt *r, struct parts *ps)
{
	if (!read_parts(bytes, ps))
		return false;
	for (size_t i = 0; i < ps->count; i++) {
		const struct part *p = &ps->at[i];
		if (p->kind == ENTRY && r->entries_count == ENTRIES_MAX)
			return ent_verify_no("too many entries");
		if ((p->kind == CARD && !take_card(r, p)) || (p->kind == ENTRY && !take_entry(r, p)))
			return ent_verify_in(p->name);
	}
	if (!r->cards_count || !r->entries_count)
		return ent_verify_no("a receipt carries cards and entries");
	if (!check_proofs(r, ps))
		return false;
	for (size_t i = 0; i < ps->count; i++)
		if (ps->at[i].kind == CONTENT && !check_content(r, &ps->at[i]))
			return ent_verify_in(ps->at[i].name);
	return check_links(r) && check_seal(r, ps);
}

bool ent_verify_receipt(struct span bytes, struct receipt *out)
{
	struct parts *ps = calloc(1, sizeof *ps);
	memset(out, 0, sizeof *out);
	out->entries = calloc(ENTRIES_MAX, sizeof *out->entries);
	ent_verify_reset();
	bool good = ps && out->entries ? check(bytes, out, ps) : ent_verify_no("out of memory");
	free(ps);
	return good;
}

void ent_verify_receipt_free(struct receipt *r)
{
	for (size_t i = 0; i < r->entries_count; i++)
		ent_verify_envelope_free(&r->entries[i].e);
	free(r->entries);
	memset(r, 0, sizeof *r);
}
