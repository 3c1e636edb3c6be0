#include "ledger/cosign.h"

#include <stdio.h>
#include <stdlib.h>

#include "ledger/proof.h"

#define LIMIT_MS_DEFAULT 1000u
#define LINE_MAX 1024u
#define NEVER UINT64_MAX

enum peer_state { WAITING, SIGNED, FAILED };

struct peer {
	struct ent_cosign_peer who;
	uint64_t known; /* size it cosigned last, as far as we know */
	enum peer_state state;
	bool retried;
	struct ent_buf line;
};

struct ent_cosign {
	struct ent_cosign_config config;
	struct peer peers[ENT_WITNESSES_MAX];
	size_t peer_count;
	uint64_t round, due_ms;
	bool running, dead;
	size_t outstanding; /* answers that still come; the memory lives until then */
	struct ent_checkpoint point;
	struct ent_buf note;
	size_t text_len; /* of the note's text */
};

struct exchange {
	struct ent_cosign *c;
	uint64_t round;
	size_t peer;
};

unsigned ent_quorum(unsigned others)
{
	if (!others)
		return 0;
	unsigned f = (others - 1) / 3;
	return (others + f) / 2 + 1;
}

int ent_cosign_new(const struct ent_cosign_config *config, struct ent_cosign **ret, struct ent_err *err)
{
	struct ent_cosign *c = calloc(1, sizeof *c);
	if (!c)
		return ent_nomem(err);
	c->config = *config;
	if (!c->config.limit_ms)
		c->config.limit_ms = LIMIT_MS_DEFAULT;
	c->due_ms = NEVER;
	ent_buf_init(&c->note, ENT_NOTE_BYTES_MAX);
	*ret = c;
	return 0;
}

static void drop_peers(struct ent_cosign *c)
{
	for (size_t i = 0; i < c->peer_count; i++)
		ent_buf_deinit(&c->peers[i].line);
	c->peer_count = 0;
}

static void release(struct ent_cosign *c)
{
	if (!c->dead || c->outstanding)
		return;
	drop_peers(c);
	ent_buf_deinit(&c->note);
	free(c);
}

void ent_cosign_free(struct ent_cosign *c)
{
	if (!c)
		return;
	c->dead = true;
	release(c);
}

static unsigned signed_count(const struct ent_cosign *c)
{
	unsigned n = 0;
	for (size_t i = 0; i < c->peer_count; i++)
		n += c->peers[i].state == SIGNED;
	return n;
}

/* Gives the lines to the ledger, as long as its last checkpoint is the one of this round. */
static void hand_over(struct ent_cosign *c)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf lines = ENT_BUF(ENT_WITNESSES_MAX * LINE_MAX);
	unsigned have = signed_count(c), peers = (unsigned)c->peer_count;
	for (size_t i = 0; i < c->peer_count; i++)
		if (c->peers[i].state == SIGNED)
			ent_buf_put(&lines, c->peers[i].line.data, c->peers[i].line.len);
	if (lines.code || ent_ledger_signed(c->config.ledger)->size != c->point.size ||
	    ent_ledger_cosigned(c->config.ledger, ent_buf_bytes(&lines), NULL))
		have = 0;
	if (c->config.done)
		c->config.done(c->config.self, &c->point, have, peers, have >= ent_quorum(peers));
}

static void finish(struct ent_cosign *c)
{
	c->running = false;
	c->due_ms = NEVER;
	hand_over(c);
}

static void finish_when_all(struct ent_cosign *c)
{
	for (size_t i = 0; i < c->peer_count; i++)
		if (c->peers[i].state == WAITING)
			return;
	finish(c);
}

static void alarm_fork(struct ent_cosign *c, const struct peer *p, const char *what)
{
	struct ent_fork fork = { c->point.origin, ent_bytes("", 0), ent_buf_bytes(&c->note), what };
	if (c->config.alarm)
		c->config.alarm(c->config.self, p->who.org, &fork);
}

static int send_to(struct ent_cosign *c, size_t at, struct ent_err *err);

/* Our key's line in what a witness answered, checked, or false. */
static bool take_line(struct ent_cosign *c, struct peer *p, struct ent_bytes body)
{
	struct ent_note *n = calloc(1, sizeof *n);
	bool found = false;
	if (n && !ent_note_parse_lines(body, n, NULL))
		for (size_t i = 0; i < n->line_count && !found; i++)
			found = ent_note_line_is(&n->lines[i], &p->who.key) && n->lines[i].whole.len <= LINE_MAX &&
				!ent_note_check_line(ent_bytes(c->note.data, c->text_len), &n->lines[i], &p->who.key, NULL, NULL) &&
				(ent_buf_reset(&p->line), ent_buf_put(&p->line, n->lines[i].whole.data, n->lines[i].whole.len), !p->line.code);
	free(n);
	return found;
}

static enum peer_state conflict(struct ent_cosign *c, size_t at, struct ent_bytes body)
{
	struct peer *p = &c->peers[at];
	uint64_t size;
	if (body.len < 2 || body.data[body.len - 1] != '\n' || !ent_parse_u64((const char *)body.data, body.len - 1, INT64_MAX, &size))
		return FAILED;
	if (size > c->point.size) {
		alarm_fork(c, p, "rolled back");
		return FAILED;
	}
	if (size == c->point.size && p->known == size) {
		alarm_fork(c, p, "two roots for one size");
		return FAILED;
	}
	if (p->retried)
		return FAILED;
	p->retried = true;
	p->known = size;
	return send_to(c, at, NULL) ? FAILED : p->state; /* an http that answers at once has moved it already */
}

static enum peer_state judge(struct ent_cosign *c, size_t at, const struct ent_http_answer *answer)
{
	struct peer *p = &c->peers[at];
	struct ent_bytes body = ent_buf_bytes(&answer->body);
	if (answer->status == 200 && take_line(c, p, body)) {
		p->known = c->point.size;
		return SIGNED;
	}
	if (answer->status == 409)
		return conflict(c, at, body);
	if (answer->status == 422)
		alarm_fork(c, p, "not consistent");
	return FAILED;
}

static void answered(void *arg, const struct ent_http_answer *answer, const struct ent_err *err)
{
	struct exchange x = *(struct exchange *)arg;
	struct ent_cosign *c = x.c;
	free(arg);
	c->outstanding--;
	if (c->dead) {
		release(c);
		return;
	}
	if (x.round != c->round || x.peer >= c->peer_count || c->peers[x.peer].state != WAITING)
		return;
	enum peer_state now = err && err->code ? FAILED : judge(c, x.peer, answer);
	if (x.round != c->round || c->peers[x.peer].state != WAITING)
		return;
	c->peers[x.peer].state = now;
	if (c->running)
		finish_when_all(c);
	else if (c->peers[x.peer].state == SIGNED) /* late, but still of use */
		hand_over(c);
}

static int build_body(struct ent_cosign *c, const struct peer *p, struct ent_buf *ret, struct ent_err *err)
{
	struct ent_proof proof;
	ENT_TRY(ent_ledger_consistency(c->config.ledger, p->known, c->point.size, &proof, err));
	ent_buf_printf(ret, "old %llu\n", (unsigned long long)p->known);
	for (size_t i = 0; i < proof.count; i++) {
		ent_buf_base64(ret, proof.at[i].b, ENT_HASH_BYTES);
		ent_buf_str(ret, "\n");
	}
	ent_buf_str(ret, "\n");
	ent_buf_put(ret, c->note.data, c->note.len);
	return ent_buf_check(ret, err);
}

static int send_to(struct ent_cosign *c, size_t at, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf body = ENT_BUF(ENT_TLOG_PROOF_MAX);
	struct peer *p = &c->peers[at];
	ENT_TRY(build_body(c, p, &body, err));
	struct exchange *x = malloc(sizeof *x);
	if (!x)
		return ent_nomem(err);
	*x = (struct exchange){ c, c->round, at };
	struct ent_http_request r = {
		.method = "POST", .url = p->who.url, .body = ent_buf_bytes(&body), .timeout_ms = c->config.limit_ms, .peer_key = p->who.tls_key
	};
	c->outstanding++;
	int code = c->config.http->start(c->config.http, &r, answered, x, err);
	if (code) { /* then done() is never called */
		c->outstanding--;
		free(x);
	}
	return code;
}

int ent_cosign_peers(struct ent_cosign *c, const struct ent_cosign_peer *peers, size_t count, struct ent_err *err)
{
	if (count > ENT_WITNESSES_MAX)
		return ent_fail(err, ENT_EUNSUPPORTED, "more than %d witnesses", ENT_WITNESSES_MAX);
	if (c->running)
		finish(c);
	c->round++;
	drop_peers(c);
	for (size_t i = 0; i < count; i++) {
		c->peers[i] = (struct peer){ .who = peers[i], .state = FAILED };
		ent_buf_init(&c->peers[i].line, LINE_MAX);
	}
	c->peer_count = count;
	return 0;
}

int ent_cosign_start(struct ent_cosign *c, struct ent_err *err)
{
	struct ent_bytes note = ent_ledger_signed_note(c->config.ledger);
	const uint8_t *blank = memmem(note.data, note.len, "\n\n", 2);
	if (c->running)
		finish(c);
	ENT_ASSERT(blank);
	c->round++;
	c->point = *ent_ledger_signed(c->config.ledger);
	ent_buf_reset(&c->note);
	ent_buf_put(&c->note, note.data, note.len);
	ENT_TRY(ent_buf_check(&c->note, err));
	c->text_len = (size_t)(blank - note.data) + 1;
	c->running = true;
	c->due_ms = c->config.clock->mono_ms(c->config.clock) + c->config.limit_ms;
	for (size_t i = 0; i < c->peer_count; i++) {
		c->peers[i].retried = false;
		ent_buf_reset(&c->peers[i].line);
		c->peers[i].state = WAITING;
	}
	uint64_t round = c->round;
	for (size_t i = 0; i < c->peer_count && c->round == round; i++) /* an http that answers at once may end the round in between */
		if (c->peers[i].state == WAITING && send_to(c, i, NULL))
			c->peers[i].state = FAILED;
	if (c->running && c->round == round)
		finish_when_all(c);
	return 0;
}

bool ent_cosign_running(const struct ent_cosign *c) { return c->running; }
uint64_t ent_cosign_due_ms(const struct ent_cosign *c) { return c->due_ms; }

void ent_cosign_tick(struct ent_cosign *c)
{
	if (c->running && c->config.clock->mono_ms(c->config.clock) >= c->due_ms)
		finish(c);
}
