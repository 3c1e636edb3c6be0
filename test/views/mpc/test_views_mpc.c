/* Proof by enumeration. Each protocol runs on at most three rows over Z_2 and Z_4, once for every value of every PRG output and every sharing of its
 * inputs; what a party sees (its input components, its PRG outputs, what it receives) must have the same distribution for all secrets. Masks are
 * restricted to the bits that matter; ring protocols are looked at modulo 4, a homomorphic image. The three parties are coroutines of one thread.
 * Owners and receivers outside the trio are part of the step at each party: the owner is asked again by everyone, what the receiver gets is put
 * together afterwards. Entries marked `broken` have their masks taken away: there the difference must be seen. */
#include <ucontext.h>

#include "crypto/hash.h"
#include "crypto/prg.h"
#include "mpc/compare.h"
#include "mpc/convert.h"
#include "mpc/engine.h"
#include "mpc/gate.h"
#include "mpc/input.h"
#include "mpc/open.h"
#include "mpc/permute.h"
#include "mpc/shuffle.h"
#include "mpc/sort.h"
#include "tap.h"
#include "trio.h"

#define VARS_MAX 64
#define STACK ((size_t)512 * 1024)
#define OWNER_KEYS 8 /* and 9: the two components an owner outside draws */
#define RECEIVED_MAX 4096

struct seat;

struct protocol {
	const char *name;
	int (*run)(struct ent_mpc *m, struct seat *s, struct ent_err *err);
	unsigned inputs, bits;  /* secrets, and bits of each */
	unsigned ring_bits;     /* ring words are looked at modulo 2^ring_bits */
	bool ring;              /* secrets are shared by sum instead of XOR */
	bool zero_ring;         /* zero shares are ring words */
	uint64_t lanes, packed; /* bits that vary in plane words and in packed rows */
	unsigned perms;         /* rows of its permutations, 0 = none */
	bool only_perms;        /* masks stay 0: only what is opened is looked at */
	unsigned cross;         /* planes of a masked number; 0 = 63 */
	bool receiver;          /* someone outside gets the result: and only that */
	bool broken;            /* the masks stay 0: views must differ */
	int knows;              /* the party that knows the secret anyway; -1 none */
};

struct var { /* one PRG word; lanes 0 = a permutation draw */
	int key;
	uint32_t op;
	uint16_t stream;
	uint64_t word, lanes, stride;
	uint32_t radix;
};

struct queue {
	uint8_t data[65536];
	size_t head, tail;
};

struct end {
	struct ent_link link;
	struct seat *seat;
	struct queue *in, *out;
	uint64_t left, at, length; /* of the message being received, in bytes */
};

struct world {
	const struct protocol *p;
	uint64_t secret[4];
	struct var var[VARS_MAX];
	size_t vars;
	bool learning; /* the first run: every PRG word met becomes a variable */
	uint64_t runs;
	struct queue q[6];
	ucontext_t main;
};

struct seat {
	struct world *w;
	int party;
	ucontext_t at;
	struct end end[2]; /* prev, next */
	uint64_t index, view, sum[2], c[4][2];
	uint32_t op_base;
	bool watching, learned, done;
	int rc;
};

static struct seat *starting;

static uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15ull;
	return h ^ h >> 29;
}

static bool is_permutation(int key) { return key >= 4 && key < OWNER_KEYS; }
static uint64_t ring_mask(const struct protocol *p) { return ((uint64_t)1 << p->ring_bits) - 1; }
static uint64_t secret_mask(const struct protocol *p) { return ((uint64_t)1 << p->bits) - 1; }

static int queue_send(struct ent_link *l, const void *data, size_t len, struct ent_err *err)
{
	struct end *e = (struct end *)l;
	struct queue *q = e->out;
	(void)err;
	while (q->tail - q->head + len > sizeof q->data)
		swapcontext(&e->seat->at, &e->seat->w->main);
	for (size_t i = 0; i < len; i++)
		q->data[q->tail++ % sizeof q->data] = ((const uint8_t *)data)[i];
	return 0;
}

/* A payload enters the view word by word; of the 63 planes of a masked number only the lowest two are looked at. */
static void see(struct end *e, const uint8_t *data, size_t len)
{
	struct seat *s = e->seat;
	const struct protocol *p = s->w->p;
	for (size_t i = 0; i < len; i += 8) {
		uint64_t v = 0;
		memcpy(&v, data + i, len - i < 8 ? len - i : 8);
		bool cross = e->length == (p->cross ? p->cross : 63) * 8;
		if (!cross || e->at + i < 16)
			s->view = mix(s->view, cross || !(p->ring || p->zero_ring) ? v : v & ring_mask(p));
	}
	e->at += len;
	e->left -= len;
}

static int queue_recv(struct ent_link *l, void *data, size_t len, struct ent_err *err)
{
	struct end *e = (struct end *)l;
	uint8_t *to = data;
	(void)err;
	while (e->in->tail - e->in->head < len)
		swapcontext(&e->seat->at, &e->seat->w->main);
	for (size_t i = 0; i < len; i++)
		to[i] = e->in->data[e->in->head++ % sizeof e->in->data];
	if (!e->seat->watching)
		return 0;
	if (!e->left) { /* a header */
		e->length = e->left = (uint64_t)to[4] | (uint64_t)to[5] << 8 | (uint64_t)to[6] << 16;
		e->at = 0;
	} else if (!e->seat->w->p->only_perms)
		see(e, data, len);
	else
		e->left -= len;
	return 0;
}

/* What is opened to all, when only that is looked at. */
static void opened(void *arg, const void *data, size_t bytes)
{
	struct seat *s = arg;
	for (size_t i = 0; i < bytes && s->w->p->only_perms; i++)
		s->view = mix(s->view, ((const uint8_t *)data)[i]);
}

static void queue_none(struct ent_link *l) { (void)l; }

/* Which bits of a PRG word vary; permutation draws have none and are told by their key. */
static uint64_t lanes_of(const struct protocol *p, int key, uint16_t stream, uint64_t word)
{
	if (is_permutation(key) || p->only_perms)
		return 0;
	if (stream == STREAM_MASK1_BITS || stream == STREAM_MASK2_BITS || stream == STREAM_NEW_BITS)
		return p->packed;
	if (stream == STREAM_MASK1_RING || stream == STREAM_MASK2_RING || stream == STREAM_NEW_RING || (stream == STREAM_ZERO && p->zero_ring))
		return ring_mask(p);
	if (stream == STREAM_CROSS)
		return word % TILE_WORDS < 2 ? p->lanes : 0;
	return p->lanes;
}

static struct var *find(struct seat *s, int key, uint32_t op, uint16_t stream, uint64_t word)
{
	struct world *w = s->w;
	for (size_t i = 0; i < w->vars; i++)
		if (w->var[i].key == key && w->var[i].op == op && w->var[i].stream == stream && w->var[i].word == word)
			return &w->var[i];
	if (!w->learning)
		return NULL;
	uint64_t lanes = lanes_of(w->p, key, stream, word);
	uint32_t radix = is_permutation(key) ? (word ? 1 : w->p->perms == 2 ? 2 : 6) : 1u << __builtin_popcountll(lanes);
	if (radix == 1)
		return NULL;
	ENT_ASSERT(w->vars < VARS_MAX);
	w->var[w->vars] = (struct var){ key, op, stream, word, lanes, 0, radix };
	return &w->var[w->vars++];
}

static uint64_t deposit(uint64_t digit, uint64_t lanes)
{
	uint64_t v = 0;
	for (int b = 0; b < 64; b++)
		if (lanes >> b & 1) {
			v |= (digit & 1) << b;
			digit >>= 1;
		}
	return v;
}

/* Two 32-bit draws that make digit choose one of the permutations of 2 or 3 rows, each once. */
static uint64_t permutation_word(uint64_t digit, unsigned rows)
{
	if (rows == 2)
		return digit << 31 | 5;
	return ((digit % 3 << 32) / 3 + 5) | (digit / 3 << 63) | (uint64_t)5 << 32;
}

static void enumerate_prg(void *arg, int key, uint32_t op, uint16_t stream, uint64_t word, uint64_t *out, size_t words)
{
	struct seat *s = arg;
	for (size_t i = 0; i < words; i++) {
		struct var *v = s->watching && (!is_permutation(key) || word + i == 0) ? find(s, key, op - s->op_base, stream, word + i) : NULL;
		uint64_t digit = v && v->stride ? s->index / v->stride % v->radix : 0;
		out[i] = is_permutation(key) ? permutation_word(digit, s->w->p->perms) : v ? deposit(digit, v->lanes) : 0;
		if (v)
			s->view = mix(s->view, out[i]);
	}
}

/* Shares of the secrets in this run: two components run over everything, the third follows. */
static void share(struct seat *s)
{
	const struct protocol *p = s->w->p;
	uint64_t rest = s->index, mask = secret_mask(p);
	for (unsigned i = 0; i < p->inputs; i++) {
		uint64_t x[3] = { 0 };
		if (!p->only_perms) {
			x[0] = rest & mask;
			x[1] = rest >> p->bits & mask;
			rest >>= 2 * p->bits;
		}
		x[2] = (p->ring ? s->w->secret[i] - x[0] - x[1] : s->w->secret[i] ^ x[0] ^ x[1]) & mask;
		for (int j = 0; j < 2; j++) {
			s->c[i][j] = x[party_after(s->party, j)];
			if (!p->only_perms)
				s->view = mix(s->view, s->c[i][j]);
		}
	}
}

static void set_strides(struct world *w)
{
	uint64_t stride = w->p->only_perms ? 1 : (uint64_t)1 << (2 * w->p->bits * w->p->inputs);
	for (size_t i = 0; i < w->vars; i++) {
		w->var[i].stride = stride;
		stride *= w->var[i].radix;
	}
	w->runs = stride;
}

static int one_run(struct ent_mpc *m, struct seat *s, uint64_t index, struct ent_err *err)
{
	s->index = index;
	s->op_base = m->op;
	s->view = 1;
	m->shuffles = 0;
	share(s);
	return s->w->p->run(m, s, err);
}

static int all_runs(struct seat *s)
{
	struct ent_err err = ENT_ERR_INIT;
	ENT_CLEANUP(ent_mpc_freep) struct ent_mpc *m = NULL;
	struct ent_mpc_options o = { .party = s->party,
				     .prev = &s->end[0].link,
				     .next = &s->end[1].link,
				     .random = ent_system_random(),
				     .job = "j",
				     .trio = "t",
				     .arg = s,
				     .prg = enumerate_prg,
				     .opened = opened };
	ENT_TRY(ent_mpc_new(&o, &m, &err));
	s->watching = true;
	ENT_TRY(one_run(m, s, 0, &err));
	s->learned = true;
	while (s->w->learning) /* until the others have learned, too */
		swapcontext(&s->at, &s->w->main);
	for (uint64_t i = 0; i < s->w->runs; i++) {
		ENT_TRY(one_run(m, s, i, &err));
		s->sum[0] += mix(s->view, 3);
		s->sum[1] += mix(mix(s->view, 5), 7);
	}
	return 0;
}

static void party_main(void)
{
	struct seat *s = starting;
	s->rc = all_runs(s);
	s->done = true;
	swapcontext(&s->at, &s->w->main);
}

static void seat_new(struct world *w, struct seat *s, int p, char *stack)
{
	static const struct ent_link_ops ops = { queue_send, queue_recv, queue_none, queue_none };
	*s = (struct seat){ .w = w, .party = p };
	/* queue 2p: p to next; 2p+1: p to prev */
	s->end[0] = (struct end){ .link = { .ops = &ops }, .seat = s, .in = &w->q[2 * party_after(p, 2)], .out = &w->q[2 * p + 1] };
	s->end[1] = (struct end){ .link = { .ops = &ops }, .seat = s, .in = &w->q[2 * party_after(p, 1) + 1], .out = &w->q[2 * p] };
	getcontext(&s->at);
	s->at.uc_stack.ss_sp = stack;
	s->at.uc_stack.ss_size = STACK;
	makecontext(&s->at, party_main, 0);
}

/* Runs everything for one choice of secrets; the sums of the three seats are the fingerprints of their view distributions. */
static int explore(const struct protocol *p, const uint64_t secret[4], struct seat seat[3], uint64_t *ret_runs)
{
	static struct world w;
	static char stack[3][STACK] __attribute__((aligned(64)));
	memset(&w, 0, sizeof w);
	w.p = p;
	w.learning = true;
	memcpy(w.secret, secret, sizeof w.secret);
	for (int i = 0; i < 3; i++)
		seat_new(&w, &seat[i], i, stack[i]);
	while (!seat[0].done || !seat[1].done || !seat[2].done) {
		for (int i = 0; i < 3; i++)
			if (!seat[i].done) {
				starting = &seat[i];
				swapcontext(&w.main, &seat[i].at);
			}
		if (w.learning && seat[0].learned && seat[1].learned && seat[2].learned) {
			set_strides(&w);
			w.learning = false;
		}
		for (int i = 0; i < 3; i++)
			if (seat[i].done && seat[i].rc)
				return seat[i].rc;
	}
	*ret_runs = w.runs;
	return 0;
}

/* What someone outside got in each run from each party. */
static uint64_t received[3][RECEIVED_MAX];

/* Over all masks, the same for every sharing of one secret: the receiver learns the result and nothing of the components. */
static uint64_t receiver_differs(const struct protocol *p, uint64_t runs, uint64_t *ret_first)
{
	uint64_t sharings = (uint64_t)1 << (2 * p->bits), different = 0;
	for (uint64_t i = 0; i < sharings; i++) {
		uint64_t sum = 0;
		for (uint64_t k = i; k < runs && k < RECEIVED_MAX; k += sharings)
			sum += mix(mix(received[0][k], received[1][k]), received[2][k]);
		*ret_first = i ? *ret_first : sum;
		different += sum != *ret_first;
	}
	return different;
}

static bool same_view(const struct seat *a, const struct seat *b) { return a->sum[0] == b->sum[0] && a->sum[1] == b->sum[1]; }

/* All secrets against secrets 0; true when every party that may learn nothing sees the same. */
static void prove(const struct protocol *p)
{
	struct seat first[3], here[3];
	uint64_t runs = 0, bits = p->inputs * p->bits, different = 0, got = 0, before = 0;
	int rc = 0;
	for (uint64_t v = 0; v < (uint64_t)1 << bits && !rc; v++) {
		uint64_t secret[4] = { 0 };
		for (unsigned i = 0; i < p->inputs; i++)
			secret[i] = v >> (i * p->bits) & secret_mask(p);
		rc = explore(p, secret, v ? here : first, &runs);
		for (int i = 0; v && i < 3; i++)
			different += i != p->knows && !same_view(&first[i], &here[i]);
		if (p->receiver) {
			different += receiver_differs(p, runs, &got);
			different += v && got == before; /* he does learn the secret */
			before = got;
		}
	}
	if (p->broken)
		OK(!rc && different, "%s: without masks the views differ", p->name);
	else
		OK(!rc && !different, "%s: one view for all secrets (%llu runs each)", p->name, (unsigned long long)runs);
}

/* Input i as `planes` planes of `rows` rows, or as a ring of one row. */
static int bits_in(struct ent_mpc *m, const struct seat *s, unsigned i, size_t rows, unsigned planes, struct ent_bits *ret, struct ent_err *err)
{
	ENT_TRY(ent_bits_new(m, rows, planes, ret, err));
	for (int j = 0; j < 2; j++)
		for (unsigned k = 0; k < planes; k++)
			ret->c[j][k] = s->c[i][j] >> (k * rows) & (((uint64_t)1 << rows) - 1);
	return 0;
}

static int ring_in(struct ent_mpc *m, const struct seat *s, unsigned i, struct ent_ring *ret, struct ent_err *err)
{
	ENT_TRY(ent_ring_new(m, 1, ret, err));
	for (int j = 0; j < 2; j++)
		ret->c[j][0] = s->c[i][j];
	return 0;
}

#define BITS ENT_CLEANUP(ent_bits_deinit) struct ent_bits
#define RING ENT_CLEANUP(ent_ring_deinit) struct ent_ring
#define ROWS ENT_CLEANUP(ent_rows_deinit) struct ent_rows

static int run_input(struct ent_mpc *m, struct seat *s, struct ent_err *err)
{
	ROWS z = { 0 };
	struct ent_plain in = { .rows = 2, .planes = 1, .bits = &s->w->secret[0] };
	return ent_mpc_input(m, 0, &in, &z, err);
}

static int run_and(struct ent_mpc *m, struct seat *s, struct ent_err *err)
{
	BITS x = { 0 };
	BITS y = { 0 };
	BITS z = { 0 };
	ENT_TRY(bits_in(m, s, 0, s->w->p->bits, 1, &x, err));
	ENT_TRY(bits_in(m, s, 1, s->w->p->bits, 1, &y, err));
	return ent_mpc_and(m, &x, &y, &z, err);
}

static int run_or(struct ent_mpc *m, struct seat *s, struct ent_err *err)
{
	BITS x = { 0 };
	BITS y = { 0 };
	BITS z = { 0 };
	ENT_TRY(bits_in(m, s, 0, 1, 1, &x, err));
	ENT_TRY(bits_in(m, s, 1, 1, 1, &y, err));
	return ent_mpc_or(m, &x, &y, &z, err);
}

static int run_mux(struct ent_mpc *m, struct seat *s, struct ent_err *err)
{
	BITS c = { 0 };
	BITS x = { 0 };
	BITS y = { 0 };
	BITS z = { 0 };
	ENT_TRY(bits_in(m, s, 0, 1, 1, &c, err));
	ENT_TRY(bits_in(m, s, 1, 1, 1, &x, err));
	ENT_TRY(bits_in(m, s, 2, 1, 1, &y, err));
	return ent_mpc_mux(m, &c, &x, &y, &z, err);
}

static int run_eq(struct ent_mpc *m, struct seat *s, struct ent_err *err)
{
	BITS x = { 0 };
	BITS y = { 0 };
	BITS z = { 0 };
	ENT_TRY(bits_in(m, s, 0, 1, 2, &x, err));
	ENT_TRY(bits_in(m, s, 1, 1, 2, &y, err));
	return ent_mpc_eq(m, &x, &y, &z, err);
}

static int run_lt(struct ent_mpc *m, struct seat *s, struct ent_err *err)
{
	BITS x = { 0 };
	BITS y = { 0 };
	BITS z = { 0 };
	ENT_TRY(bits_in(m, s, 0, 1, 1, &x, err));
	ENT_TRY(bits_in(m, s, 1, 1, 1, &y, err));
	return ent_mpc_lt(m, &x, &y, false, &z, err);
}

static int run_lt_const(struct ent_mpc *m, struct seat *s, struct ent_err *err)
{
	BITS x = { 0 };
	BITS z = { 0 };
	ENT_TRY(bits_in(m, s, 0, 1, 2, &x, err));
	return ent_mpc_lt_const(m, &x, 2, false, &z, err);
}

static int run_copy(struct ent_mpc *m, struct seat *s, struct ent_err *err)
{
	BITS stop = { 0 };
	BITS x = { 0 };
	ENT_TRY(bits_in(m, s, 0, 2, 1, &stop, err));
	ENT_TRY(bits_in(m, s, 1, 2, 1, &x, err));
	return ent_mpc_copy_down(m, &stop, &x, err);
}

static int run_mul(struct ent_mpc *m, struct seat *s, struct ent_err *err)
{
	RING x = { 0 };
	RING y = { 0 };
	RING z = { 0 };
	ENT_TRY(ring_in(m, s, 0, &x, err));
	ENT_TRY(ring_in(m, s, 1, &y, err));
	return ent_mpc_mul(m, &x, &y, &z, err);
}

static int run_dot(struct ent_mpc *m, struct seat *s, struct ent_err *err)
{
	RING x = { 0 };
	RING y = { 0 };
	RING z = { 0 };
	ENT_TRY(ring_in(m, s, 0, &x, err));
	ENT_TRY(ring_in(m, s, 1, &y, err));
	return ent_mpc_dot(m, &x, &y, &z, err);
}

static int run_b2a(struct ent_mpc *m, struct seat *s, struct ent_err *err)
{
	BITS x = { 0 };
	RING z = { 0 };
	ENT_TRY(bits_in(m, s, 0, 1, 1, &x, err));
	return ent_mpc_b2a_bit(m, &x, &z, err);
}

static int run_a2b(struct ent_mpc *m, struct seat *s, struct ent_err *err)
{
	RING x = { 0 };
	BITS z = { 0 };
	ENT_TRY(ring_in(m, s, 0, &x, err));
	return ent_mpc_a2b(m, &x, 2, &z, err);
}

/* Secrets and masks in the two top bits, so that the top bit of a sum varies. */
static int top_in(struct ent_mpc *m, const struct seat *s, struct ent_ring *ret, struct ent_err *err)
{
	ENT_TRY(ring_in(m, s, 0, ret, err));
	for (int j = 0; j < 2; j++)
		ret->c[j][0] <<= 62;
	return 0;
}

static int run_trunc(struct ent_mpc *m, struct seat *s, struct ent_err *err)
{
	RING x = { 0 };
	RING z = { 0 };
	ENT_TRY(top_in(m, s, &x, err));
	return ent_mpc_trunc(m, &x, 62, &z, err);
}

/* ---- owners and receivers outside the trio ---- */

struct outside { /* the link to him at one party */
	struct ent_link link;
	struct seat *s; /* NULL: nobody listens */
	uint8_t data[256];
	size_t head, tail;
};

static struct seat *drawing; /* whose draws of an owner's components are counted now */
static bool owner_draws;     /* by the owner himself: no part of a view */

void __wrap_ent_prg_fill(const struct ent_prg *p, uint32_t op, uint16_t stream, uint64_t index, void *out, size_t len);
void __real_ent_prg_fill(const struct ent_prg *p, uint32_t op, uint16_t stream, uint64_t index, void *out, size_t len);

static const uint8_t owner_nonce[16] = "views";

/* The seeds are 1,1,... and 2,2,...; which of them a generator has is told by its key. */
static int owner_component(const struct ent_prg *p)
{
	static struct ent_prg first;
	static bool known;
	uint8_t seed[16], key[ENT_PRG_KEY_LEN];
	if (!known) {
		memset(seed, 1, sizeof seed);
		ENT_ASSERT(!ent_hkdf_sha256(ent_bytes(seed, 16), ent_bytes(owner_nonce, 16), ent_bytes_str("entente owner share 1"), key, sizeof key,
					    NULL));
		ent_prg_init(&first, key);
		known = true;
	}
	return memcmp(p->round_keys, first.round_keys, sizeof first.round_keys) ? 1 : 0;
}

void __wrap_ent_prg_fill(const struct ent_prg *p, uint32_t op, uint16_t stream, uint64_t index, void *out, size_t len)
{
	if (!drawing || stream != STREAM_OUTSIDE) {
		__real_ent_prg_fill(p, op, stream, index, out, len);
		return;
	}
	uint64_t *words = out, seen = drawing->view;
	enumerate_prg(drawing, OWNER_KEYS + owner_component(p), drawing->op_base, stream, 2 * index, words, len / 8);
	if (owner_draws)
		drawing->view = seen;
}

static int owner_seeds(struct ent_random *r, void *buf, size_t len, struct ent_err *err)
{
	(void)r, (void)err;
	for (size_t i = 0; i < len; i++)
		((uint8_t *)buf)[i] = (uint8_t)(1 + i / 16);
	return 0;
}

static int outside_send(struct ent_link *l, const void *data, size_t len, struct ent_err *err)
{
	struct outside *o = (struct outside *)l;
	(void)err;
	if (!o->s)
		return 0;
	ENT_ASSERT(o->tail + len <= sizeof o->data);
	memcpy(o->data + o->tail, data, len);
	o->tail += len;
	return 0;
}

/* The greeting holds nothing but the seeds, which count as what is drawn from them. */
static int outside_recv(struct ent_link *l, void *data, size_t len, struct ent_err *err)
{
	struct outside *o = (struct outside *)l;
	(void)err;
	ENT_ASSERT(o->head + len <= o->tail);
	memcpy(data, o->data + o->head, len);
	for (size_t i = 0; i < len && o->head; i++)
		o->s->view = mix(o->s->view, o->data[o->head + i]);
	o->head += len;
	return 0;
}

static const struct ent_link_ops outside_ops = { outside_send, outside_recv, queue_none, queue_none };

static int run_owner(struct ent_mpc *m, struct seat *s, struct ent_err *err)
{
	ROWS z = { 0 };
	struct ent_random seeds = { owner_seeds };
	struct outside mine = { .link = { .ops = &outside_ops }, .s = s }, others = { .link = { .ops = &outside_ops } };
	struct ent_link *links[3] = { &others.link, &others.link, &others.link };
	uint64_t top = s->w->secret[0] << 62;
	bool ring = s->w->p->ring;
	struct ent_plain plain = { .rows = ring ? 1 : 2, .planes = !ring, .rings = ring, .bits = &s->w->secret[0], .ring = { &top } };
	links[s->party] = &mine.link;
	drawing = s;
	owner_draws = true;
	int code = ent_outside_send(links, &seeds, owner_nonce, &plain, err);
	owner_draws = false;
	code = code ? code : ent_mpc_input_outside(m, &mine.link, owner_nonce, &plain, &z, err);
	return code;
}

static int run_receiver(struct ent_mpc *m, struct seat *s, struct ent_err *err)
{
	ROWS x = { .rows = 2 };
	struct outside o = { .link = { .ops = &outside_ops }, .s = s };
	if (s->w->p->ring) {
		x.rows = x.bits.rows = 1;
		x.rings = 1;
		ENT_TRY(top_in(m, s, &x.ring[0], err));
	} else {
		ENT_TRY(bits_in(m, s, 0, 2, 1, &x.bits, err));
	}
	ENT_TRY(ent_mpc_open_rows_outside(m, (struct ent_why){ "x", ENT_PERMIT_RESULT }, &o.link, &x, err));
	uint64_t h = 1;
	for (size_t i = 0; i < o.tail; i++)
		h = mix(h, o.data[i]);
	ENT_ASSERT(s->index < RECEIVED_MAX);
	received[s->party][s->index] = h;
	return 0;
}

static int run_shuffle(struct ent_mpc *m, struct seat *s, struct ent_err *err)
{
	ROWS x = { .rows = 2 };
	ENT_TRY(bits_in(m, s, 0, 2, 1, &x.bits, err));
	return ent_mpc_shuffle(m, &x, err);
}

/* Two rows of one bit each, as ring words mod 2. */
static int run_shuffle_ring(struct ent_mpc *m, struct seat *s, struct ent_err *err)
{
	ROWS x = { .rows = 2, .rings = 1, .bits = { .rows = 2 } };
	ENT_TRY(ent_ring_new(m, 2, &x.ring[0], err));
	for (int j = 0; j < 2; j++)
		for (unsigned r = 0; r < 2; r++)
			x.ring[0].c[j][r] = s->c[r][j];
	return ent_mpc_shuffle(m, &x, err);
}

static int run_open_to(struct ent_mpc *m, struct seat *s, struct ent_err *err)
{
	ROWS x = { .rows = 2 };
	uint64_t out;
	ENT_TRY(bits_in(m, s, 0, 2, 1, &x.bits, err));
	return ent_mpc_open_rows_to(m, (struct ent_why){ "x", ENT_PERMIT_RESULT }, 1, &x, s->party == 1 ? &out : NULL, NULL, err);
}

static int run_sort(struct ent_mpc *m, struct seat *s, struct ent_err *err)
{
	ROWS x = { .rows = 3 };
	struct ent_sort_stats stats;
	ENT_TRY(bits_in(m, s, 0, 3, 1, &x.bits, err));
	return ent_mpc_sort(m, &x, 0, 1, &stats, err);
}

static int run_compact(struct ent_mpc *m, struct seat *s, struct ent_err *err)
{
	ROWS x = { .rows = 3 };
	BITS flag = { 0 };
	ENT_TRY(bits_in(m, s, 0, 3, 1, &x.bits, err));
	ENT_TRY(bits_in(m, s, 0, 3, 1, &flag, err));
	return ent_mpc_compact(m, &x, &flag, err);
}

#define TOP ((uint64_t)3 << 62)

static const struct protocol protocols[] = {
	{ .name = "input", .run = run_input, .inputs = 1, .bits = 2, .lanes = 3, .knows = 0 },
	{ .name = "and", .run = run_and, .inputs = 2, .bits = 2, .lanes = 3, .knows = -1 },
	{ .name = "or", .run = run_or, .inputs = 2, .bits = 1, .lanes = 1, .knows = -1 },
	{ .name = "mux", .run = run_mux, .inputs = 3, .bits = 1, .lanes = 1, .knows = -1 },
	{ .name = "eq, 2 planes", .run = run_eq, .inputs = 2, .bits = 2, .lanes = 1, .knows = -1 },
	{ .name = "lt, 1 plane", .run = run_lt, .inputs = 2, .bits = 1, .lanes = 1, .knows = -1 },
	{ .name = "lt_const, 2 planes", .run = run_lt_const, .inputs = 1, .bits = 2, .lanes = 1, .knows = -1 },
	{ .name = "copy_down, 2 rows", .run = run_copy, .inputs = 2, .bits = 2, .lanes = 2, .knows = -1 },
	{ .name = "mul mod 4", .run = run_mul, .inputs = 2, .bits = 2, .ring_bits = 2, .ring = true, .zero_ring = true, .knows = -1 },
	{ .name = "dot mod 4", .run = run_dot, .inputs = 2, .bits = 2, .ring_bits = 2, .ring = true, .zero_ring = true, .knows = -1 },
	{ .name = "b2a mod 4", .run = run_b2a, .inputs = 1, .bits = 1, .ring_bits = 2, .zero_ring = true, .lanes = 1, .knows = -1 },
	{ .name = "a2b mod 4", .run = run_a2b, .inputs = 1, .bits = 2, .ring_bits = 2, .ring = true, .lanes = 1, .knows = -1 },
	{ .name = "trunc mod 8",
	  .run = run_trunc,
	  .inputs = 1,
	  .bits = 2,
	  .ring_bits = 3,
	  .ring = true,
	  .zero_ring = true,
	  .lanes = 1,
	  .cross = 62,
	  .knows = -1 },
	{ .name = "owner outside", .run = run_owner, .inputs = 1, .bits = 2, .lanes = 3, .knows = -1 },
	{ .name = "owner outside, broken", .run = run_owner, .inputs = 1, .bits = 2, .broken = true, .knows = -1 },
	{ .name = "owner outside, ring", .run = run_owner, .inputs = 1, .bits = 2, .ring_bits = 2, .ring = true, .lanes = TOP, .knows = -1 },
	{ .name = "receiver outside", .run = run_receiver, .inputs = 1, .bits = 2, .lanes = 3, .receiver = true, .knows = -1 },
	{ .name = "receiver outside, broken", .run = run_receiver, .inputs = 1, .bits = 2, .receiver = true, .broken = true, .knows = -1 },
	{ .name = "receiver outside, ring",
	  .run = run_receiver,
	  .inputs = 1,
	  .bits = 2,
	  .ring_bits = 2,
	  .ring = true,
	  .lanes = TOP,
	  .receiver = true,
	  .knows = -1 },
	{ .name = "shuffle, 2 rows of bits", .run = run_shuffle, .inputs = 1, .bits = 2, .packed = 0x0101, .perms = 2, .knows = -1 },
	{ .name = "shuffle, 2 ring rows mod 2",
	  .run = run_shuffle_ring,
	  .inputs = 2,
	  .bits = 1,
	  .ring_bits = 1,
	  .ring = true,
	  .perms = 2,
	  .knows = -1 },
	{ .name = "sort, 3 rows: outcomes", .run = run_sort, .inputs = 1, .bits = 3, .perms = 3, .only_perms = true, .knows = -1 },
	{ .name = "compaction, 3 rows: destinations", .run = run_compact, .inputs = 1, .bits = 3, .perms = 3, .only_perms = true, .knows = -1 },
	{ .name = "open to party 1", .run = run_open_to, .inputs = 1, .bits = 2, .knows = 1 },
};

/* All 24 permutations of 4 rows equally often: 23 degrees of freedom; beyond 100 lies 1.4e-11. */
static int permutations(struct ent_mpc *m, int p, void *arg, struct ent_err *err)
{
	double *chi = arg;
	uint64_t count[256] = { 0 };
	const int draws = 24000;
	for (int i = 0; i < draws; i++) {
		uint32_t at[4];
		ENT_TRY(ent_mpc_begin(m, err));
		ent_mpc_permutation(m, 0, at, 4);
		count[at[0] << 6 | at[1] << 4 | at[2] << 2 | at[3]]++;
	}
	for (int v = 0; v < 256; v++) {
		double d = (double)count[v] - draws / 24.0;
		bool valid = ((1 << (v >> 6)) | (1 << (v >> 4 & 3)) | (1 << (v >> 2 & 3)) | (1 << (v & 3))) == 15;
		chi[p] += valid ? d * d / (draws / 24.0) : (double)count[v] * 1000;
	}
	return 0;
}

int main(void)
{
	double chi[3] = { 0 };
	struct trio t = { .fn = permutations, .arg = chi };
	for (size_t i = 0; i < ENT_COUNT(protocols); i++)
		prove(&protocols[i]);
	int rc = trio_run(&t);
	OK(!rc && chi[0] < 100 && chi[1] < 100 && chi[2] < 100, "permutations of 4 rows are uniform (chi square %.0f %.0f %.0f)", chi[0], chi[1],
	   chi[2]);
	return tap_done();
}
