#include "ledger/note.h"

#include <stdio.h>

#include "crypto/hash.h"
#include "crypto/sign.h"

#define DASH "\xe2\x80\x94 " /* em dash and a blank open every signature line */
#define DASH_LEN 4

static bool name_valid(struct ent_bytes name)
{
	if (name.len == 0 || name.len > ENT_NOTE_NAME_MAX || !ent_utf8_valid(name))
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (name.data[i] <= ' ' || name.data[i] == '+' || name.data[i] == 0x7f)
			return false;
	return true;
}

uint32_t ent_note_keyid(const struct ent_note_key *k)
{
	uint8_t hash[ENT_HASH_BYTES];
	struct ent_bytes pieces[] = { ent_bytes_str(k->name), ent_bytes("\n", 1), ent_bytes(&k->alg, 1), ent_bytes(k->pub, ENT_PUB_BYTES) };
	ent_sha256v(pieces, 4, hash);
	return (uint32_t)hash[0] << 24 | (uint32_t)hash[1] << 16 | (uint32_t)hash[2] << 8 | hash[3];
}

int ent_note_key_parse(const char *vkey, struct ent_note_key *ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf raw = ENT_BUF(1 + ENT_PUB_BYTES);
	struct ent_note_key k = { .alg = 0 };
	uint8_t id[4];
	const char *one = strchr(vkey, '+'), *two = one ? strchr(one + 1, '+') : NULL;
	if (!two || !name_valid(ent_bytes(vkey, (size_t)(one - vkey))) || !ent_unhex(id, 4, one + 1, (size_t)(two - one - 1)) ||
	    !ent_unbase64(&raw, two + 1, strlen(two + 1)) || raw.len != 1 + ENT_PUB_BYTES)
		return ent_fail(err, ENT_EDATA, "not a verifier key (name+hash+base64)");
	memcpy(k.name, vkey, (size_t)(one - vkey));
	k.alg = raw.data[0];
	memcpy(k.pub, raw.data + 1, ENT_PUB_BYTES);
	uint32_t want = (uint32_t)id[0] << 24 | (uint32_t)id[1] << 16 | (uint32_t)id[2] << 8 | id[3];
	if ((k.alg != ENT_NOTE_ED25519 && k.alg != ENT_NOTE_COSIGNATURE) || ent_note_keyid(&k) != want)
		return ent_fail(err, ENT_EDATA, "the verifier key contradicts itself");
	*ret = k;
	return 0;
}

void ent_note_key_format(const struct ent_note_key *k, struct ent_buf *ret)
{
	uint8_t raw[1 + ENT_PUB_BYTES] = { k->alg };
	memcpy(raw + 1, k->pub, ENT_PUB_BYTES);
	ent_buf_printf(ret, "%s+%08x+", k->name, ent_note_keyid(k));
	ent_buf_base64(ret, raw, sizeof raw);
}

/* One line with its newline. */
static int parse_line(struct ent_bytes line, struct ent_note_line *ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf raw = ENT_BUF(8192);
	const char *text = (const char *)line.data;
	const char *blank = line.len > DASH_LEN ? memchr(text + DASH_LEN, ' ', line.len - DASH_LEN) : NULL;
	if (!blank || memcmp(text, DASH, DASH_LEN) != 0)
		return ent_fail(err, ENT_EDATA, "not a signature line");
	*ret = (struct ent_note_line){ .whole = line, .name = ent_bytes(text + DASH_LEN, (size_t)(blank - text) - DASH_LEN) };
	size_t rest = line.len - (size_t)(blank - text) - 2; /* without the blank and the newline */
	if (!name_valid(ret->name) || !ent_unbase64(&raw, blank + 1, rest) || raw.len < 5)
		return ent_fail(err, ENT_EDATA, "not a signature line");
	ret->keyid = (uint32_t)raw.data[0] << 24 | (uint32_t)raw.data[1] << 16 | (uint32_t)raw.data[2] << 8 | raw.data[3];
	ret->sig_len = raw.len - 4;
	memcpy(ret->sig, raw.data + 4, ret->sig_len < sizeof ret->sig ? ret->sig_len : sizeof ret->sig);
	return 0;
}

int ent_note_parse_lines(struct ent_bytes lines, struct ent_note *ret, struct ent_err *err)
{
	const uint8_t *at = lines.data, *end = at + lines.len;
	size_t count = 0;
	while (at < end) {
		const uint8_t *stop = memchr(at, '\n', (size_t)(end - at));
		if (!stop || count == ENT_NOTE_LINES_MAX)
			return ent_fail(err, ENT_EDATA, stop ? "more than %d signature lines" : "a signature line without end", ENT_NOTE_LINES_MAX);
		ENT_TRY(parse_line(ent_bytes(at, (size_t)(stop - at) + 1), &ret->lines[count++], err));
		at = stop + 1;
	}
	ret->text = ent_bytes(lines.data, 0);
	ret->line_count = count;
	return count ? 0 : ent_fail(err, ENT_EDATA, "no signature line");
}

static bool text_valid(struct ent_bytes note)
{
	if (!ent_utf8_valid(note))
		return false;
	for (size_t i = 0; i < note.len; i++)
		if (note.data[i] < ' ' && note.data[i] != '\n')
			return false;
	return true;
}

int ent_note_parse(struct ent_bytes note, struct ent_note *ret, struct ent_err *err)
{
	if (note.len > ENT_NOTE_BYTES_MAX || !text_valid(note))
		return ent_fail(err, ENT_EDATA, "not a note: too long or not plain text");
	for (size_t i = note.len; i >= 2; i--) { /* the last empty line ends the text */
		if (note.data[i - 1] != '\n' || note.data[i - 2] != '\n')
			continue;
		if (i < 3)
			break;
		ENT_TRY(ent_note_parse_lines(ent_bytes(note.data + i, note.len - i), ret, err));
		ret->text = ent_bytes(note.data, i - 1);
		return 0;
	}
	return ent_fail(err, ENT_EDATA, "not a note: no empty line before signatures");
}

bool ent_note_line_is(const struct ent_note_line *line, const struct ent_note_key *key)
{
	return ent_bytes_eq(line->name, ent_bytes_str(key->name)) && line->keyid == ent_note_keyid(key);
}

static void cosigned_message(struct ent_bytes text, uint64_t time_s, struct ent_buf *ret)
{
	ent_buf_printf(ret, "cosignature/v1\ntime %llu\n", (unsigned long long)time_s);
	ent_buf_put(ret, text.data, text.len);
}

int ent_note_check_line(struct ent_bytes text, const struct ent_note_line *line, const struct ent_note_key *key, uint64_t *ret_time_s,
			struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf message = ENT_BUF(text.len + 64);
	struct ent_reader r = ent_reader(ent_bytes(line->sig, sizeof line->sig));
	bool co = key->alg == ENT_NOTE_COSIGNATURE;
	uint64_t time_s = co ? ent_read_be64(&r) : 0;
	if (co)
		cosigned_message(text, time_s, &message);
	else
		ent_buf_put(&message, text.data, text.len);
	ENT_TRY(ent_buf_check(&message, err));
	bool good = ent_note_line_is(line, key) && line->sig_len == (co ? 8u : 0u) + ENT_SIG_BYTES && time_s <= INT64_MAX &&
		    ent_sign_verify(key->pub, ent_buf_bytes(&message), r.at, ENT_SIG_BYTES);
#ifdef ENT_MUTANT_NOTE_NOT_CHECKED
	good = true;
#endif
	if (!good)
		return ent_fail(err, ENT_EVERIFY, "the signature line of %s does not verify", key->name);
	if (ret_time_s)
		*ret_time_s = time_s;
	return 0;
}

int ent_note_sign(struct ent_bytes text, const char *name, int alg, uint64_t time_s, const struct ent_signer *signer, struct ent_buf *ret,
		  struct ent_err *err)
{
	struct ent_note_key key = { .alg = (uint8_t)alg };
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf message = ENT_BUF(text.len + 64), raw = ENT_BUF(128);
	uint8_t sig[ENT_SIG_BYTES];
	if (!name_valid(ent_bytes_str(name)))
		return ent_fail(err, ENT_EDATA, "not a name for a signature line");
	memcpy(key.name, name, strlen(name));
	memcpy(key.pub, signer->pub, ENT_PUB_BYTES);
	if (alg == ENT_NOTE_COSIGNATURE)
		cosigned_message(text, time_s, &message);
	else
		ent_buf_put(&message, text.data, text.len);
	ENT_TRY(ent_buf_check(&message, err));
	ENT_TRY(signer->sign(signer->self, ent_buf_bytes(&message), sig, err));
	ent_buf_be32(&raw, ent_note_keyid(&key));
	if (alg == ENT_NOTE_COSIGNATURE)
		ent_buf_be64(&raw, time_s);
	ent_buf_put(&raw, sig, sizeof sig);
	ent_buf_printf(ret, DASH "%s ", name);
	ent_buf_base64(ret, raw.data, raw.len);
	ent_buf_str(ret, "\n");
	return ent_buf_check(ret, err);
}

void ent_checkpoint_body(const struct ent_checkpoint *c, struct ent_buf *ret)
{
	ent_buf_printf(ret, "%s\n%llu\n", c->origin, (unsigned long long)c->size);
	ent_buf_base64(ret, c->root.b, ENT_HASH_BYTES);
	ent_buf_str(ret, "\n");
}

void ent_checkpoint_hash(const struct ent_checkpoint *c, uint8_t ret[ENT_HASH_BYTES])
{
	char size[32], root[ENT_BASE64_LEN(ENT_HASH_BYTES) + 1];
	snprintf(size, sizeof size, "\n%llu\n", (unsigned long long)c->size);
	ent_base64(root, c->root.b, ENT_HASH_BYTES);
	struct ent_bytes body[] = { ent_bytes_str(c->origin), ent_bytes_str(size), ent_bytes_str(root), ent_bytes("\n", 1) };
	ent_sha256v(body, 4, ret);
}

/* The next line without its newline; false at the end. */
static bool next_line(struct ent_bytes *text, struct ent_bytes *ret)
{
	const uint8_t *stop = text->len ? memchr(text->data, '\n', text->len) : NULL;
	if (!stop)
		return false;
	*ret = ent_bytes(text->data, (size_t)(stop - text->data));
	*text = ent_bytes(stop + 1, text->len - ret->len - 1);
	return true;
}

int ent_checkpoint_parse(struct ent_bytes text, bool strict, struct ent_checkpoint *ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf root = ENT_BUF(ENT_HASH_BYTES);
	struct ent_bytes origin, size, hash, more;
	struct ent_checkpoint c = { .size = 0 };
	if (!next_line(&text, &origin) || !next_line(&text, &size) || !next_line(&text, &hash))
		return ent_fail(err, ENT_EDATA, "a checkpoint has three lines");
	if (origin.len == 0 || origin.len > ENT_NOTE_NAME_MAX || memchr(origin.data, 0, origin.len) ||
	    !ent_parse_u64((const char *)size.data, size.len, INT64_MAX, &c.size) || !ent_unbase64(&root, (const char *)hash.data, hash.len) ||
	    root.len != ENT_HASH_BYTES)
		return ent_fail(err, ENT_EDATA, "not a checkpoint: origin, size or root is malformed");
	while (next_line(&text, &more))
		if (strict || !more.len)
			return ent_fail(err, ENT_EDATA, "not a checkpoint: a line too many");
	if (text.len)
		return ent_fail(err, ENT_EDATA, "not a checkpoint: the last line has no end");
	memcpy(c.origin, origin.data, origin.len);
	memcpy(c.root.b, root.data, ENT_HASH_BYTES);
	*ret = c;
	return 0;
}
