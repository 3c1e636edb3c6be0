/* Who stands above TLS: messages are altered, repeated, dropped and delayed on their way; cards and checkpoints are forged. */
#include "sim/world.h"

#include "crypto/sign.h"

static void deliver(struct sim_world *w, int from, int to, struct ent_bytes message)
{
	if (sim_up(&w->nodes[to]))
		ent_node_peer_message(w->nodes[to].node, w->nodes[from].org, message);
}

static void deliver_flipped(struct sim_world *w, int from, int to, struct ent_bytes message)
{
	uint8_t *copy = malloc(message.len + 1);
	ENT_ASSERT(copy);
	memcpy(copy, message.data, message.len);
	for (uint64_t flips = 1 + sim_draw(w, 3); flips && message.len; flips--) {
		uint64_t bit = sim_draw(w, message.len * 8);
		copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	deliver(w, from, to, ent_bytes(copy, sim_chance(w, 10) ? (size_t)sim_draw(w, message.len + 1) : message.len));
	free(copy);
}

/* One of digits for another: what a bit flip does too rarely to a canonical text. */
static void deliver_other_number(struct sim_world *w, int from, int to, struct ent_bytes message)
{
	uint8_t *copy = malloc(message.len + 1);
	ENT_ASSERT(copy);
	memcpy(copy, message.data, message.len);
	size_t at = (size_t)sim_draw(w, message.len + 1);
	for (size_t i = at; i < message.len; i++)
		if (copy[i] >= '1' && copy[i] <= '9') {
			copy[i] = (uint8_t)('1' + sim_draw(w, 9));
			break;
		}
	deliver(w, from, to, ent_bytes(copy, message.len));
	free(copy);
}

static void remember(struct sim_world *w, struct sim_way *way, struct ent_bytes message)
{
	struct ent_buf *b = &way->old[way->n_old++ % ENT_COUNT(way->old)];
	(void)w;
	ent_buf_deinit(b);
	*b = (struct ent_buf)ENT_BUF(ENT_MESH_BYTES_MAX + 1);
	ent_buf_put(b, message.data, message.len);
}

void sim_deliver(struct sim_world *w, int from, int to, struct ent_bytes message)
{
	struct sim_way *way = &sim_link(w, from, to)->ways[from < to ? 0 : 1];
	sim_trace(w, message.data, message.len);
	if (!w->adversary || w->quiet) {
		deliver(w, from, to, message);
		return;
	}
	uint64_t fate = sim_draw(w, 100);
	const struct ent_buf *old = &way->old[sim_draw(w, ENT_COUNT(way->old))];
	if (fate < 3)
		deliver_flipped(w, from, to, message);
	else if (fate < 5)
		deliver_other_number(w, from, to, message);
	else if (fate >= 8)
		deliver(w, from, to, message); /* 5, 6, 7: dropped; perhaps it comes later, out of order */
	if (fate % 8 == 3 && old->len)
		deliver(w, from, to, ent_buf_bytes(old));
	remember(w, way, message);
}

/* ---- forgeries ---- */

/* A card in the name of `as`, in perfect form, with keys of the forger. */
void sim_forge_card(struct sim_world *w, int as, int to)
{
	uint8_t seed[32], seed2[32];
	struct ent_signer signer, old;
	struct sim_node *s = &w->nodes[to];
	struct ent_card card = w->nodes[as].card;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(ENT_CARD_BYTES_MAX), bytes = ENT_BUF(65536);
	for (size_t i = 0; i < sizeof seed; i++)
		seed[i] = (uint8_t)sim_draw(w, 256), seed2[i] = (uint8_t)sim_draw(w, 256);
	ENT_ASSERT(!ent_signer_init(&signer, seed, NULL));
	ENT_ASSERT(!ent_signer_init(&old, seed2, NULL));
	bool next = sim_chance(w, 50);
	if (next) {
		card.version++;
		card.has_prev = true;
		memcpy(card.prev, card.hash, sizeof card.prev);
	}
	for (int use = 0; use < ENT_KEY_USES; use++)
		for (size_t i = 0; i < ENT_PUB_BYTES; i++)
			card.keys[use][i] = use == ENT_KEY_SIGN ? signer.pub[i] : (uint8_t)sim_draw(w, 256);
	if (!next)
		ent_card_origin(card.org, card.keys[ENT_KEY_LOG], card.origin);
	ENT_ASSERT(!ent_card_make(&card, &signer, next ? &old : NULL, &text, NULL));
	ENT_JSON_AUTO msg = json_pack("{s:s,s:s,s:s,s:I,s:I,s:I}", "type", "hello", "card", ent_buf_text(&text), "software", "entente", "time",
				      (json_int_t)(SIM_EPOCH_MS + (int64_t)w->now), "size", (json_int_t)0, "have", (json_int_t)0);
	ENT_ASSERT(!ent_json_canonical(msg, &bytes, NULL));
	w->counts.forged++;
	sim_say(w, "a forged card of %s reaches %s", w->nodes[as].org, s->org);
	deliver(w, as, to, ent_buf_bytes(&bytes));
}

static void random_root(struct sim_world *w, ent_hash *ret)
{
	for (size_t i = 0; i < sizeof ret->b; i++)
		ret->b[i] = (uint8_t)sim_draw(w, 256);
}

static int log_key(struct sim_node *s, uint8_t ret[32])
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(80);
	ENT_TRY(ent_fs_read(s->disk, "keys/log", 80, &text, NULL));
	return text.len == 65 && ent_unhex(ret, 32, (const char *)text.data, 64) ? 0 : ENT_EDATA;
}

/* `as` signs a second root for a size that `to` cosigned before, with its true key. */
void sim_forge_checkpoint(struct sim_world *w, int as, int to)
{
	struct sim_node *s = &w->nodes[to];
	struct ent_checkpoint point = { 0 };
	struct ent_signer signer;
	uint8_t seed[32];
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf body = ENT_BUF(4096), text = ENT_BUF(1024);
	struct ent_http_answer answer = { .body = ENT_BUF(65536) };
	if (!sim_cosigned_size(s, as, &point.size) || log_key(&w->nodes[as], seed))
		return;
	ENT_ASSERT(!ent_signer_init(&signer, seed, NULL));
	snprintf(point.origin, sizeof point.origin, "%s", w->nodes[as].card.origin);
	random_root(w, &point.root);
	ent_checkpoint_body(&point, &text);
	ent_buf_printf(&body, "old %llu\n\n%s\n", (unsigned long long)(sim_chance(w, 50) ? 0 : point.size), ent_buf_text(&text));
	ENT_ASSERT(!ent_note_sign(ent_buf_bytes(&text), point.origin, ENT_NOTE_ED25519, 0, &signer, &body, NULL));
	struct ent_http_request r = { .method = "POST", .url = "/add-checkpoint", .body = ent_buf_bytes(&body) };
	w->counts.forged++;
	sim_say(w, "a second root of %s for size %llu reaches %s", w->nodes[as].org, (unsigned long long)point.size, s->org);
	ent_node_http(s->node, &r, &answer);
	const uint8_t *note = memmem(body.data, body.len, "\n\n", 2);
	if (answer.status == 200 && !sim_dead(s))
		sim_saw_cosigned(s, ent_bytes(note + 2, (size_t)(body.data + body.len - note - 2)));
	ent_buf_deinit(&answer.body);
}
