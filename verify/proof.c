#include "verify.h"

#define PATH_MAX_HASHES 64

static void node(const unsigned char left[32], const unsigned char right[32], unsigned char out[32])
{
	struct span pieces[] = { { (const unsigned char *)"\1", 1 }, { left, 32 }, { right, 32 } };
	unsigned char hash[32];
	ent_verify_sha256(pieces, 3, hash);
	memcpy(out, hash, 32);
}

/* From the leaf up: a left sibling exists where the bit of the index is set; where the tree ends on the right there is none. */
static bool climb(unsigned char hash[32], uint64_t index, uint64_t size, unsigned char path[][32], size_t count)
{
	size_t used = 0;
	for (uint64_t last = size - 1; last; index >>= 1, last >>= 1) {
		if (!(index & 1) && index == last)
			continue;
		if (used == count)
			return false;
		if (index & 1)
			node(path[used++], hash, hash);
		else
			node(hash, path[used++], hash);
	}
	return used == count;
}

static bool name_ok(struct span name)
{
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] <= ' ' || name.p[i] == '+' || name.p[i] == 0x7f)
			return false;
	return name.n >= 1 && name.n <= 255 && ent_verify_utf8(name);
}

static bool read_line(struct proof *p, struct span line)
{
	static const char dash[] = "\xe2\x80\x94 ";
	if (p->lines == LINES_MAX || line.n < 5 || memcmp(line.p, dash, 4) != 0)
		return ent_verify_no("not a signature line");
	const unsigned char *blank = memchr(line.p + 4, ' ', line.n - 4);
	if (!blank)
		return ent_verify_no("not a signature line");
	struct span name = { line.p + 4, (size_t)(blank - line.p) - 4 }, text = { blank + 1, line.n - (size_t)(blank - line.p) - 1 };
	if (!name_ok(name) || !ent_verify_unbase64(text, p->sig[p->lines], 76, &p->sig_len[p->lines]) || p->sig_len[p->lines] < 5)
		return ent_verify_no("not a signature line");
	p->names[p->lines++] = name;
	return true;
}

static bool read_note(struct span note, struct proof *p, unsigned char root[32])
{
	struct span line, size, hash;
	const unsigned char *start = note.p;
	size_t n;
	if (note.n > 65536 || !ent_verify_utf8(note) || !ent_verify_line(&note, &p->origin) || p->origin.n < 1 || p->origin.n > 255 ||
	    !ent_verify_line(&note, &size) || !ent_verify_number(size, INT64_MAX, &p->size) || !ent_verify_line(&note, &hash) ||
	    !ent_verify_unbase64(hash, root, 32, &n) || n != 32)
		return ent_verify_no("not a checkpoint");
	p->text = (struct span){ start, (size_t)(note.p - start) };
	if (!ent_verify_line(&note, &line) || line.n)
		return ent_verify_no("not a checkpoint: more than three lines");
	while (ent_verify_line(&note, &line))
		if (!read_line(p, line))
			return false;
	return (p->lines && !note.n) || ent_verify_no("not a checkpoint: no signatures, or bytes behind them");
}

bool ent_verify_proof(struct span bytes, struct span entry, struct proof *p)
{
	unsigned char path[PATH_MAX_HASHES][32], root[32], hash[32];
	size_t count = 0, n;
	struct span line;
	memset(p, 0, sizeof *p);
	if (!ent_verify_line(&bytes, &line) || !ent_verify_is(line, "c2sp.org/tlog-proof@v1") || !ent_verify_line(&bytes, &line) || line.n < 7 ||
	    memcmp(line.p, "index ", 6) != 0 || !ent_verify_number((struct span){ line.p + 6, line.n - 6 }, INT64_MAX, &p->index))
		return ent_verify_no("not a tlog-proof@v1");
	for (;;) {
		if (!ent_verify_line(&bytes, &line))
			return ent_verify_no("the proof has no checkpoint");
		if (!line.n)
			break;
		if (count == PATH_MAX_HASHES || !ent_verify_unbase64(line, path[count], 32, &n) || n != 32)
			return ent_verify_no("a hash of the proof is malformed");
		count++;
	}
	if (!read_note(bytes, p, root))
		return false;
	struct span leaf[] = { { (const unsigned char *)"", 1 }, entry };
	ent_verify_sha256(leaf, 2, hash);
	if (p->index >= p->size || !climb(hash, p->index, p->size, path, count) || memcmp(hash, root, 32) != 0)
		return ent_verify_no("the entry is not in the tree of the checkpoint");
	return true;
}

bool ent_verify_proof_line(const struct proof *p, size_t i, const char *name, int alg, const unsigned char pub[32])
{
	unsigned char kind = (unsigned char)alg, id[32];
	struct span pieces[] = { { (const unsigned char *)name, strlen(name) }, { (const unsigned char *)"\n", 1 }, { &kind, 1 }, { pub, 32 } };
	size_t time_bytes = alg == 4 ? 8 : 0;
	char head[100] = "";
	uint64_t time = 0;
	ent_verify_sha256(pieces, 4, id);
	if (!ent_verify_is(p->names[i], name) || p->sig_len[i] != 4 + time_bytes + 64 || memcmp(p->sig[i], id, 4) != 0)
		return false;
	for (size_t k = 0; k < time_bytes; k++)
		time = time << 8 | p->sig[i][4 + k];
	if (time > INT64_MAX)
		return false;
	if (alg == 4)
		snprintf(head, sizeof head, "cosignature/v1\ntime %llu\n", (unsigned long long)time);
	unsigned char *message = malloc(strlen(head) + p->text.n);
	if (!message)
		return false;
	memcpy(message, head, strlen(head));
	memcpy(message + strlen(head), p->text.p, p->text.n);
	bool good = ent_verify_ed25519(pub, (struct span){ message, strlen(head) + p->text.n }, p->sig[i] + 4 + time_bytes);
	free(message);
	return good;
}
