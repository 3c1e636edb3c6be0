/* Published vectors: RFC 9162 proofs (good and bad), and a log that another implementation wrote. argv[1]: the folder with merkle/ and tessera-log/.
 */
#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/json.h"
#include "ledger/note.h"
#include "ledger/tree.h"
#include "tap.h"

#define LOG_KEY "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"

struct tally {
	size_t good, bad, wrong;
};

static bool read_file(const char *path, struct ent_buf *out)
{
	FILE *f = fopen(path, "rb");
	char chunk[65536];
	size_t n;
	if (!out->max)
		ent_buf_init(out, 8u << 20);
	ent_buf_reset(out);
	while (f && (n = fread(chunk, 1, sizeof chunk, f)) > 0)
		ent_buf_put(out, chunk, n);
	if (f)
		fclose(f);
	return f != NULL;
}

/* False when the text is not a hash of 32 bytes: then there is nothing to verify, which counts as refused. */
static bool hash_of(const json_t *v, ent_hash *ret)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf raw = ENT_BUF(100);
	const char *text = json_string_value(v);
	if (!text || !ent_unbase64(&raw, text, strlen(text)) || raw.len != ENT_HASH_BYTES)
		return false;
	memcpy(ret->b, raw.data, ENT_HASH_BYTES);
	return true;
}

/* Roots that the vectors call "don't care" are short; any fixed value does for them. */
static bool root_of(const json_t *v, ent_hash *ret)
{
	const char *text = json_string_value(v);
	memset(ret, 0, sizeof *ret);
	if (text && strlen(text) < 20)
		memcpy(ret->b, text, strlen(text));
	return hash_of(v, ret) || (text && strlen(text) < 20);
}

static bool proof_of(const json_t *v, struct ent_proof *ret)
{
	ret->count = json_array_size(v);
	if (ret->count > ENT_PROOF_MAX)
		return false;
	for (size_t i = 0; i < ret->count; i++)
		if (!hash_of(json_array_get(v, i), &ret->at[i]))
			return false;
	return true;
}

static uint64_t number(const json_t *o, const char *key)
{
	double v = json_number_value(json_object_get(o, key)); /* read as reals: some are 2^64 - 1 */
	return v >= 18446744073709549568.0 ? UINT64_MAX : (uint64_t)v;
}

static bool verify_one(const json_t *o)
{
	struct ent_proof p;
	ent_hash root, root1, leaf;
	if (!proof_of(json_object_get(o, "proof"), &p))
		return false;
	if (json_object_get(o, "leafIdx"))
		return root_of(json_object_get(o, "root"), &root) && hash_of(json_object_get(o, "leafHash"), &leaf) &&
		       !ent_tree_check_inclusion(&leaf, number(o, "leafIdx"), number(o, "treeSize"), &p, &root, NULL);
	return root_of(json_object_get(o, "root1"), &root1) && root_of(json_object_get(o, "root2"), &root) &&
	       !ent_tree_check_consistency(number(o, "size1"), number(o, "size2"), &p, &root1, &root, NULL);
}

static void check_file(const char *path, struct tally *t)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = { 0 };
	read_file(path, &text);
	json_t *o = json_loadb(ent_buf_text(&text), text.len, JSON_DECODE_INT_AS_REAL, NULL);
	bool want_err = json_is_true(json_object_get(o, "wantErr")), good = o && verify_one(o);
	t->good += !want_err;
	t->bad += want_err;
	if (!o || good == want_err) {
		t->wrong++;
		printf("# %s: %s\n", path, good ? "accepted" : "refused");
	}
	json_decref(o);
}

static void walk(const char *folder, struct tally *t)
{
	DIR *d = opendir(folder);
	struct dirent *e;
	while (d && (e = readdir(d))) {
		char path[1000];
		struct stat s;
		snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
		if (e->d_name[0] == '.' || stat(path, &s))
			continue;
		if (S_ISDIR(s.st_mode))
			walk(path, t);
		else if (strlen(path) > 5 && !strcmp(path + strlen(path) - 5, ".json"))
			check_file(path, t);
	}
	if (d)
		closedir(d);
}

static void test_merkle(const char *root)
{
	static const char *const kinds[] = { "inclusion", "consistency" };
	for (size_t i = 0; i < ENT_COUNT(kinds); i++) {
		char folder[800];
		struct tally t = { 0 };
		snprintf(folder, sizeof folder, "%s/merkle/%s", root, kinds[i]);
		walk(folder, &t);
		if (!t.good) {
			tap_skip(kinds[i], "the merkle vectors are not here");
			continue;
		}
		OK_INT(t.wrong, 0, "%s: %zu good, %zu bad proofs", kinds[i], t.good, t.bad);
		OK(t.bad > t.good);
	}
}

static int read_point(const char *root, const char *name, const struct ent_note_key *key, struct ent_checkpoint *ret)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = { 0 };
	struct ent_note note;
	char path[800];
	snprintf(path, sizeof path, "%s/tessera-log/%s", root, name);
	if (!read_file(path, &text))
		return ENT_ENOTFOUND;
	ENT_TRY(ent_note_parse(ent_buf_bytes(&text), &note, NULL));
	ENT_TRY(ent_checkpoint_parse(note.text, true, ret, NULL));
	for (size_t i = 0; i < note.line_count; i++)
		if (ent_note_line_is(&note.lines[i], key))
			return ent_note_check_line(note.text, &note.lines[i], key, NULL, NULL);
	return ENT_EVERIFY;
}

/* The entries of the newest bundle, hashed one by one, give the roots of all checkpoints and the stored hash tiles. */
static void test_log(const char *root)
{
	struct ent_note_key key;
	struct ent_checkpoint point;
	struct ent_frontier tree = { 0 };
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf bundle = { 0 }, tile = { 0 };
	char path[800], name[40];
	size_t matched = 0, tiles = 0;
	ent_hash leaves[256], here;
	OK_INT(ent_note_key_parse(LOG_KEY, &key, NULL), 0);
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf again = ENT_BUF(300);
	ent_note_key_format(&key, &again);
	OK_STR(ent_buf_text(&again), LOG_KEY);
	if (read_point(root, "checkpoint", &key, &point) == ENT_ENOTFOUND) {
		tap_skip("tessera-log", "the log of another implementation is not here");
		return;
	}
	snprintf(path, sizeof path, "%s/tessera-log/tile/entries/000.p/%llu", root, (unsigned long long)point.size);
	OK(read_file(path, &bundle), "entries of size %llu", (unsigned long long)point.size);
	struct ent_reader r = ent_reader(ent_buf_bytes(&bundle));
	for (uint64_t size = 0; size <= point.size; size++) {
		snprintf(name, sizeof name, "checkpoint.%llu", (unsigned long long)size);
		ent_frontier_root(&tree, &here);
		struct ent_checkpoint c = { .size = 0 };
		matched += !read_point(root, name, &key, &c) && c.size == size && !memcmp(&c.root, &here, sizeof here);
		snprintf(path, sizeof path, "%s/tessera-log/tile/0/000.p/%llu", root, (unsigned long long)size);
		tiles += read_file(path, &tile) && tile.len == size * ENT_HASH_BYTES && !memcmp(tile.data, leaves, tile.len);
		if (size < point.size) {
			struct ent_bytes entry = ent_read(&r, ent_read_be16(&r));
			ent_tree_leaf(entry, &leaves[size]);
			ent_frontier_add(&tree, &leaves[size]);
		}
	}
	OK(r.ok && ent_reader_left(&r) == 0);
	OK_INT(matched, 16, "all 16 checkpoints: signature, size and root");
	OK_INT(tiles, point.size, "the stored tiles hold these leaves");
	memcpy(key.pub, leaves, ENT_PUB_BYTES);
	OK_INT(read_point(root, "checkpoint", &key, &point), ENT_EVERIFY, "another key");
}

int main(int argc, char **argv)
{
	const char *root = argc > 1 ? argv[1] : "../shared/vectors";
	test_merkle(root);
	test_log(root);
	return tap_done();
}
