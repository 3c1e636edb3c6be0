/* Witnessing: every status of add-checkpoint, persistence before the answer, rounds over a double of the network, forks and rollback. */
#include "ledger/cosign.h"
#include "ledger/proof.h"
#include "ledger/witness.h"
#include "support/ledger_kit.h"
#include "tap.h"

struct side { /* a member as witness */
	struct kit_org org;
	struct ent_fs *fs;
	struct ent_witness *w;
	struct kit_org *log; /* the only log it knows */
	unsigned alarms;
	char what[64];
	bool both;
	int status; /* 0: answers; otherwise this status comes back instead */
	bool silent;
};

static bool log_key(void *self, const char *origin, uint8_t ret_pub[ENT_PUB_BYTES])
{
	struct side *s = self;
	memcpy(ret_pub, s->log->keys[ENT_KEY_LOG].pub, ENT_PUB_BYTES);
	return !strcmp(origin, s->log->card.origin);
}

static void on_alarm(void *self, const struct ent_fork *fork)
{
	struct side *s = self;
	s->alarms++;
	s->both = fork->known.len && fork->offered.len;
	snprintf(s->what, sizeof s->what, "%s", fork->what);
}

static void open_witness(struct side *s)
{
	struct ent_witness_config c = {
		.fs = s->fs, .dir = "witness", .clock = &s->org.clock.clock, .self = s, .log_key = log_key, .alarm = on_alarm
	};
	ent_card_witness_name(&s->org.card, c.name);
	c.signer = s->org.keys[ENT_KEY_WITNESS];
	ENT_ASSERT(!ent_witness_open(&c, &s->w, NULL));
}

static void side_init(struct side *s, const char *name, struct kit_org *log)
{
	memset(s, 0, sizeof *s);
	s->fs = simfs_new(7);
	kit_org_init(&s->org, name, s->fs);
	s->log = log;
	open_witness(s);
}

static void side_deinit(struct side *s)
{
	ent_witness_free(s->w);
	simfs_free(s->fs);
	kit_org_deinit(&s->org);
}

static struct ent_http_answer ask(struct side *s, const char *head, struct ent_bytes note)
{
	struct ent_http_answer a = { .body = ENT_BUF(ENT_NOTE_BYTES_MAX) };
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf body = ENT_BUF(ENT_TLOG_PROOF_MAX);
	ent_buf_str(&body, head);
	ent_buf_put(&body, note.data, note.len);
	ent_witness_add(s->w, ent_buf_bytes(&body), &a);
	return a;
}

static int status_of(struct side *s, const char *head, struct ent_bytes note)
{
	struct ent_http_answer a = ask(s, head, note);
	ent_buf_deinit(&a.body);
	return a.status;
}

/* "old N", the proof from N to size, empty line. */
static void head_of(struct ent_ledger *l, uint64_t old, uint64_t size, struct ent_buf *ret)
{
	struct ent_proof p;
	ent_buf_init(ret, 8192);
	ENT_ASSERT(!ent_ledger_consistency(l, old, size, &p, NULL));
	ent_buf_printf(ret, "old %llu\n", (unsigned long long)old);
	for (size_t i = 0; i < p.count; i++) {
		ent_buf_base64(ret, p.at[i].b, ENT_HASH_BYTES);
		ent_buf_str(ret, "\n");
	}
	ent_buf_str(ret, "\n");
}

static void grow(struct kit_org *o, struct ent_ledger *l, const char *text)
{
	ENT_ASSERT(kit_add(o, l, text) != UINT64_MAX && !ent_ledger_publish(l, NULL));
}

static void test_statuses(struct kit_org *o, struct ent_ledger *l, struct side *s, struct kit_org *stranger)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf head = { 0 }, bad = ENT_BUF(ENT_NOTE_BYTES_MAX);
	struct ent_bytes n = ent_ledger_signed_note(l);
	static const char *const malformed[] = { "", "old\n\n", "old 01\n\n", "old -1\n\n", "old 0\nnot base64\n\n", "old 0\n", "new 0\n\n" };
	for (size_t i = 0; i < ENT_COUNT(malformed); i++)
		OK_INT(status_of(s, malformed[i], n), 400, "malformed: %zu", i);
	OK_INT(status_of(s, "old 3\n\n", n), 400, "old size beyond the checkpoint");
	OK_INT(status_of(s, "old 1\n\n", n), 409, "an old size it never saw");
	ent_buf_put(&bad, n.data, n.len);
	bad.data[bad.len - 5] = bad.data[bad.len - 5] == 'A' ? 'B' : 'A';
	OK_INT(status_of(s, "old 0\n\n", ent_buf_bytes(&bad)), 403, "not signed by the log");
	OK_INT(status_of(s, "old 0\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n", n), 422, "a proof from nothing");
	struct ent_http_answer a = ask(s, "old 0\n\n", n);
	OK_INT(a.status, 200);
	struct ent_note lines;
	struct ent_note_key key = { .alg = ENT_NOTE_COSIGNATURE };
	uint64_t time_s;
	ent_card_witness_name(&s->org.card, key.name);
	memcpy(key.pub, s->org.keys[ENT_KEY_WITNESS].pub, ENT_PUB_BYTES);
	OK_INT(ent_note_parse_lines(ent_buf_bytes(&a.body), &lines, NULL), 0);
	const uint8_t *blank = memmem(n.data, n.len, "\n\n", 2);
	OK_INT(ent_note_check_line(ent_bytes(n.data, (size_t)(blank - n.data) + 1), &lines.lines[0], &key, &time_s, NULL), 0);
	OK_INT(time_s, s->org.clock.utc / 1000);
	ent_buf_deinit(&a.body);
	OK_INT(status_of(s, "old 2\n\n", n), 200, "the same again");
	grow(o, l, "more");
	n = ent_ledger_signed_note(l);
	a = ask(s, "old 0\n\n", n);
	OK_INT(a.status, 409);
	OK_STR(a.type, "text/x.tlog.size");
	OK_STR(ent_buf_text(&a.body), "2\n");
	ent_buf_deinit(&a.body);
	OK_INT(status_of(s, "old 2\n\n", n), 422, "no proof");
	head_of(l, 2, ent_ledger_signed(l)->size, &head);
	OK_INT(status_of(s, ent_buf_text(&head), n), 200);
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf last = ENT_BUF(ENT_NOTE_BYTES_MAX);
	OK_INT(ent_witness_last(s->w, o->card.origin, &last, NULL), 0);
	OK(ent_bytes_eq(ent_buf_bytes(&last), n));
	struct kit_org *known = s->log;
	s->log = stranger;
	OK_INT(status_of(s, "old 4\n\n", n), 404, "a log it does not witness");
	s->log = known;
	s->alarms = 0;
}

/* After an answer the power goes; the checkpoint must still be known. Then a different root for that size is refused for ever. */
static void test_persist(struct kit_org *o, struct side *s)
{
	struct ent_fs *one = simfs_new(1), *two = simfs_new(2);
	struct kit_org a = *o, b = *o;
	struct ent_ledger *la = NULL, *lb = NULL;
	unsigned lost = 0;
	a.config.fs = one;
	b.config.fs = two;
	ENT_ASSERT(!ent_ledger_create(&a.config, ent_buf_bytes(&o->card_bytes), &la, NULL));
	ENT_ASSERT(!ent_ledger_create(&b.config, ent_buf_bytes(&o->card_bytes), &lb, NULL));
	uint64_t old = 0;
	for (int i = 0; i < 12; i++) {
		ENT_CLEANUP(ent_buf_deinit) struct ent_buf head = { 0 }, last = ENT_BUF(ENT_NOTE_BYTES_MAX);
		head_of(la, old, ent_ledger_signed(la)->size, &head);
		lost += status_of(s, ent_buf_text(&head), ent_ledger_signed_note(la)) != 200;
		ent_witness_free(s->w);
		simfs_crash(s->fs);
		open_witness(s);
		lost += ent_witness_last(s->w, o->card.origin, &last, NULL) != 0 || !ent_bytes_eq(ent_buf_bytes(&last), ent_ledger_signed_note(la));
		old = ent_ledger_signed(la)->size;
		grow(&a, la, "one history");
		grow(&b, lb, "another history");
	}
	OK_INT(lost, 0, "what was cosigned is known after the power came back");
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf head = { 0 };
	head_of(la, old, ent_ledger_signed(la)->size, &head);
	OK_INT(status_of(s, ent_buf_text(&head), ent_ledger_signed_note(la)), 200);
	char same[64];
	snprintf(same, sizeof same, "old %llu\n\n", (unsigned long long)ent_ledger_signed(la)->size);
	s->alarms = 0;
	OK_INT(ent_ledger_signed(la)->size, ent_ledger_signed(lb)->size);
	OK_INT(status_of(s, same, ent_ledger_signed_note(lb)), 409, "two roots for one size");
	OK(s->alarms == 1 && s->both && !strcmp(s->what, "two roots for one size"), "a fork alarm with both signed checkpoints");
	grow(&b, lb, "and on");
	ent_buf_deinit(&head);
	head_of(lb, ent_ledger_signed(la)->size, ent_ledger_signed(lb)->size, &head);
	OK_INT(status_of(s, ent_buf_text(&head), ent_ledger_signed_note(lb)), 422, "the other history, continued");
	OK(s->alarms == 2 && !strcmp(s->what, "not consistent"));
	ent_ledger_free(la);
	ent_ledger_free(lb);
	simfs_free(one);
	simfs_free(two);
}

static void test_damaged_record(struct kit_org *o, struct ent_ledger *l, struct side *s)
{
	struct ent_fs *old = s->fs;
	s->fs = simfs_new(11);
	ent_witness_free(s->w);
	open_witness(s);
	OK_INT(status_of(s, "old 0\n\n", ent_ledger_signed_note(l)), 200);
	simfs_fail(s->fs, SIMFS_SYNC, 1, ENT_EIO);
	grow(o, l, "next");
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf head = { 0 };
	head_of(l, ent_ledger_signed(l)->size - 2, ent_ledger_signed(l)->size, &head);
	OK_INT(status_of(s, ent_buf_text(&head), ent_ledger_signed_note(l)), 500, "a record that cannot be stored is not cosigned");
	ent_witness_free(s->w);
	simfs_free(s->fs);
	s->fs = old;
	open_witness(s);
}

/* ---- rounds ---- */

struct net { /* answers on pump(), in order */
	struct ent_http http;
	struct side *sides[4];
	size_t count;
	struct call {
		struct side *to;
		struct ent_buf body;
		void (*done)(void *, const struct ent_http_answer *, const struct ent_err *);
		void *arg;
	} calls[64];
	size_t call_count;
};

static int net_start(struct ent_http *h, const struct ent_http_request *r,
		     void (*done)(void *, const struct ent_http_answer *, const struct ent_err *), void *arg, struct ent_err *err)
{
	struct net *n = (struct net *)h;
	(void)err;
	for (size_t i = 0; i < n->count; i++) {
		if (strstr(r->url, n->sides[i]->org.name) == NULL)
			continue;
		struct call *c = &n->calls[n->call_count++];
		*c = (struct call){ n->sides[i], ENT_BUF(ENT_TLOG_PROOF_MAX), done, arg };
		ent_buf_put(&c->body, r->body.data, r->body.len);
		return 0;
	}
	return ENT_EPEER;
}

static void pump(struct net *n)
{
	for (size_t i = 0; i < n->call_count; i++) {
		struct call c = n->calls[i];
		struct ent_http_answer a = { .body = ENT_BUF(ENT_NOTE_BYTES_MAX) };
		struct ent_err err = ENT_ERR_INIT;
		if (c.to->silent)
			ent_fail(&err, ENT_EPEER, "no answer");
		else if (c.to->status)
			a.status = c.to->status;
		else
			ent_witness_add(c.to->w, ent_buf_bytes(&c.body), &a);
		c.done(c.arg, &a, &err);
		ent_buf_deinit(&a.body);
		ent_buf_deinit(&c.body);
	}
	n->call_count = 0;
}

struct rounds {
	unsigned done, have, peers, alarms;
	bool quorum;
	char what[64];
};

static void on_done(void *self, const struct ent_checkpoint *c, unsigned have, unsigned peers, bool quorum)
{
	struct rounds *r = self;
	(void)c;
	r->done++;
	r->have = have;
	r->peers = peers;
	r->quorum = quorum;
}

static void on_fork(void *self, const char *org, const struct ent_fork *fork)
{
	struct rounds *r = self;
	(void)org;
	r->alarms++;
	snprintf(r->what, sizeof r->what, "%s", fork->what);
}

static void test_quorum(void)
{
	static const unsigned want[] = { 0, 1, 2, 2, 3, 4, 4, 5 };
	for (unsigned n = 0; n < ENT_COUNT(want); n++)
		OK_INT(ent_quorum(n), want[n], "%u witnesses", n);
}

static void test_rounds(struct kit_org *o, struct ent_ledger *l, struct side *a, struct side *b)
{
	struct net net = { .http = { net_start }, .sides = { a, b }, .count = 2 };
	struct rounds r = { 0 };
	struct ent_cosign_config config = { .ledger = l, .http = &net.http, .clock = &o->clock.clock, .self = &r, .done = on_done, .alarm = on_fork };
	struct ent_cosign_peer peers[2] = { 0 };
	struct side *sides[2] = { a, b };
	struct ent_cosign *c = NULL;
	for (int i = 0; i < 2; i++) {
		snprintf(peers[i].org, sizeof peers[i].org, "%.31s", sides[i]->org.name);
		snprintf(peers[i].url, sizeof peers[i].url, "http://%.31s/add-checkpoint", sides[i]->org.name);
		ent_card_witness_name(&sides[i]->org.card, peers[i].key.name);
		peers[i].key.alg = ENT_NOTE_COSIGNATURE;
		memcpy(peers[i].key.pub, sides[i]->org.keys[ENT_KEY_WITNESS].pub, ENT_PUB_BYTES);
	}
	OK_INT(ent_cosign_new(&config, &c, NULL), 0);
	OK_INT(ent_cosign_start(c, NULL), 0);
	OK(r.done == 1 && r.have == 0 && r.quorum, "nobody to ask: done at once");
	OK_INT(ent_cosign_peers(c, peers, 2, NULL), 0);
	OK_INT(ent_cosign_start(c, NULL), 0);
	OK(ent_cosign_running(c));
	pump(&net); /* a knows an older size: 409, asked again */
	pump(&net);
	OK(r.done == 2 && r.have == 2 && r.quorum, "%u of %u", r.have, r.peers);
	struct ent_note note;
	OK_INT(ent_note_parse(ent_ledger_served_note(l), &note, NULL), 0);
	OK_INT(note.line_count, 3, "/checkpoint carries the log's and both witnesses' lines");
	grow(o, l, "b is down");
	b->silent = true;
	ent_cosign_start(c, NULL);
	pump(&net);
	OK(r.done == 3 && r.have == 1 && !r.quorum);
	b->silent = false;
	grow(o, l, "nobody answers in time");
	ent_cosign_start(c, NULL);
	ent_cosign_tick(c);
	OK(ent_cosign_running(c));
	o->clock.mono = ent_cosign_due_ms(c);
	ent_cosign_tick(c);
	OK(r.done == 4 && r.have == 0 && !ent_cosign_running(c), "the limit ends a round");
	pump(&net);
	pump(&net);
	OK(r.have == 2 && r.quorum, "late lines are used as well");
	OK_INT(r.alarms, 0);
	a->status = 200;
	grow(o, l, "a answers nonsense");
	ent_cosign_start(c, NULL);
	pump(&net);
	OK(r.have == 1 && !r.quorum, "200 without a valid line counts for nothing");
	a->status = 422;
	ent_cosign_start(c, NULL);
	pump(&net);
	OK(r.alarms == 1 && !strcmp(r.what, "not consistent"), "422 is an alarm");
	a->status = 0;
	ent_cosign_start(c, NULL);
	ent_cosign_free(c);
	pump(&net); /* answers to a freed round are ignored */
}

static void test_rollback(struct kit_org *o, struct side *a)
{
	struct ent_fs *fs = simfs_new(21);
	struct kit_org restored = *o;
	struct ent_ledger *l = NULL;
	struct net net = { .http = { net_start }, .sides = { a }, .count = 1 };
	struct rounds r = { 0 };
	struct ent_cosign *c = NULL;
	struct ent_cosign_peer peer = { .url = "http://", .key = { .alg = ENT_NOTE_COSIGNATURE } };
	restored.config.fs = fs;
	snprintf(peer.url, sizeof peer.url, "http://%.31s/", a->org.name);
	ent_card_witness_name(&a->org.card, peer.key.name);
	memcpy(peer.key.pub, a->org.keys[ENT_KEY_WITNESS].pub, ENT_PUB_BYTES);
	ENT_ASSERT(!ent_ledger_create(&restored.config, ent_buf_bytes(&o->card_bytes), &l, NULL));
	struct ent_cosign_config config = { .ledger = l, .http = &net.http, .clock = &o->clock.clock, .self = &r, .done = on_done, .alarm = on_fork };
	ENT_ASSERT(!ent_cosign_new(&config, &c, NULL) && !ent_cosign_peers(c, &peer, 1, NULL) && !ent_cosign_start(c, NULL));
	pump(&net);
	OK(r.alarms == 1 && !strcmp(r.what, "rolled back") && r.have == 0, "a witness that saw more: the log was rolled back");
	ent_cosign_free(c);
	ent_ledger_free(l);
	simfs_free(fs);
}

int main(void)
{
	struct ent_fs *fs = simfs_new(1);
	struct kit_org o, stranger;
	struct side a, b;
	struct ent_ledger *l = NULL;
	kit_org_init(&o, "hudson", fs);
	kit_org_init(&stranger, "stranger", fs);
	side_init(&a, "skywatch", &o);
	side_init(&b, "registry", &o);
	ENT_ASSERT(!ent_ledger_create(&o.config, ent_buf_bytes(&o.card_bytes), &l, NULL));
	test_quorum();
	test_statuses(&o, l, &a, &stranger);
	test_damaged_record(&o, l, &a);
	test_rounds(&o, l, &a, &b);
	test_rollback(&o, &a);
	simfs_free(b.fs);
	b.fs = simfs_new(8);
	ent_witness_free(b.w);
	open_witness(&b);
	test_persist(&o, &b);
	side_deinit(&a);
	side_deinit(&b);
	ent_ledger_free(l);
	simfs_free(fs);
	kit_org_deinit(&o);
	kit_org_deinit(&stranger);
	return tap_done();
}
