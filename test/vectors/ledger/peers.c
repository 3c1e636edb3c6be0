/* Our side of the talks with independent programs (peers.sh).
 *   peers log DIR               a log of 700 entries as files for a tlog-tiles checker, its vkey, and two add-checkpoint bodies for a witness
 *   peers check DIR N VKEYFILE ANSWER   does the answer to body N carry a valid cosignature under that key?
 *   peers witness-key           vkey of our witness
 *   peers witness DIR VKEYFILE  answers one add-checkpoint body (stdin): status and type in a line, then the body */
#include "ledger/witness.h"
#include "os/disk.h"
#include "support/ledger_kit.h"

static struct kit_org org;

static void write_file(const char *dir, const char *name, struct ent_bytes b)
{
	struct ent_fs *disk;
	char folder[400];
	ENT_ASSERT(!ent_disk_new(dir, true, &disk, NULL));
	snprintf(folder, sizeof folder, "%s", name);
	char *slash = strrchr(folder, '/');
	if (slash) {
		*slash = 0;
		ENT_ASSERT(!disk->ops->mkdir(disk, folder, 0755, NULL));
	}
	ENT_ASSERT(!ent_fs_replace(disk, name, b, 0644, NULL));
	ent_disk_free(disk);
}

static void read_all(FILE *f, struct ent_buf *out)
{
	ent_buf_init(out, 1u << 20);
	for (int c; f && (c = fgetc(f)) != EOF;)
		ent_buf_u8(out, (uint8_t)c);
}

static void read_key(const char *path, struct ent_note_key *ret)
{
	struct ent_buf text;
	FILE *f = fopen(path, "rb");
	read_all(f, &text);
	fclose(f);
	while (text.len && text.data[text.len - 1] == '\n')
		text.data[--text.len] = 0;
	ENT_ASSERT(!ent_note_key_parse(ent_buf_text(&text), ret, NULL));
	ent_buf_deinit(&text);
}

static bool dump(struct ent_ledger *l, const char *dir, const char *route)
{
	struct ent_http_request r = { .method = "GET", .url = route, .trusted = true };
	struct ent_http_answer a = { .body = ENT_BUF(ENT_HTTP_BODY_MAX) };
	bool there = ent_ledger_serve(l, &r, &a) && a.status == 200;
	if (there)
		write_file(dir, route + 1, ent_buf_bytes(&a.body));
	ent_buf_deinit(&a.body);
	return there;
}

/* Every resource that a checker of this size may ask for. */
static void dump_all(struct ent_ledger *l, const char *dir)
{
	uint64_t size = ent_ledger_size(l);
	char route[100];
	dump(l, dir, "/checkpoint");
	for (unsigned level = 0; size >> (8 * level); level++) {
		uint64_t count = size >> (8 * level);
		for (uint64_t n = 0; n * 256 < count; n++) {
			char part[16] = "";
			if (count - n * 256 < 256)
				snprintf(part, sizeof part, ".p/%u", (unsigned)(count - n * 256));
			snprintf(route, sizeof route, "/tile/%u/%03u%s", level, (unsigned)n, part);
			ENT_ASSERT(dump(l, dir, route));
			snprintf(route, sizeof route, "/tile/entries/%03u%s", (unsigned)n, part);
			ENT_ASSERT(level || dump(l, dir, route));
		}
	}
}

static void write_ask(struct ent_ledger *l, const char *dir, int which, uint64_t old)
{
	struct ent_buf body = ENT_BUF(1u << 20);
	struct ent_bytes note = ent_ledger_signed_note(l);
	struct ent_proof p;
	char name[20];
	ENT_ASSERT(!ent_ledger_consistency(l, old, ent_ledger_signed(l)->size, &p, NULL));
	ent_buf_printf(&body, "old %llu\n", (unsigned long long)old);
	for (size_t i = 0; i < p.count; i++) {
		ent_buf_base64(&body, p.at[i].b, ENT_HASH_BYTES);
		ent_buf_str(&body, "\n");
	}
	ent_buf_str(&body, "\n");
	ent_buf_put(&body, note.data, note.len);
	snprintf(name, sizeof name, "ask%d", which);
	write_file(dir, name, ent_buf_bytes(&body));
	snprintf(name, sizeof name, "note%d", which);
	write_file(dir, name, note);
	ent_buf_deinit(&body);
}

static void grow(struct ent_ledger *l, int count)
{
	char text[30];
	for (int i = 0; i < count; i++) {
		snprintf(text, sizeof text, "entry %d", i);
		ENT_ASSERT(kit_add(&org, l, text) != UINT64_MAX);
	}
	ENT_ASSERT(!ent_ledger_publish(l, NULL) && !ent_ledger_cosigned(l, ent_bytes("", 0), NULL));
}

static int make_log(const char *dir)
{
	struct ent_ledger *l = NULL;
	struct ent_buf vkey = ENT_BUF(400);
	struct ent_note_key key = { .alg = ENT_NOTE_ED25519 };
	char tree[500];
	ENT_ASSERT(!ent_ledger_create(&org.config, ent_buf_bytes(&org.card_bytes), &l, NULL));
	grow(l, 300);
	uint64_t first = ent_ledger_signed(l)->size;
	write_ask(l, dir, 1, 0);
	grow(l, 400);
	write_ask(l, dir, 2, first);
	snprintf(tree, sizeof tree, "%s/log", dir);
	dump_all(l, tree);
	snprintf(key.name, sizeof key.name, "%s", org.card.origin);
	memcpy(key.pub, org.keys[ENT_KEY_LOG].pub, ENT_PUB_BYTES);
	ent_note_key_format(&key, &vkey);
	ent_buf_str(&vkey, "\n");
	write_file(dir, "log.pub", ent_buf_bytes(&vkey));
	printf("%llu\n", (unsigned long long)ent_ledger_size(l));
	ent_buf_deinit(&vkey);
	ent_ledger_free(l);
	return 0;
}

static int check(char **argv)
{
	struct ent_note_key key;
	struct ent_buf note, answer;
	struct ent_note signed_note, lines;
	char path[500];
	read_key(argv[2], &key);
	snprintf(path, sizeof path, "%s/note%s", argv[0], argv[1]);
	FILE *f = fopen(path, "rb"), *g = fopen(argv[3], "rb");
	read_all(f, &note);
	read_all(g, &answer);
	bool good = !ent_note_parse(ent_buf_bytes(&note), &signed_note, NULL) && !ent_note_parse_lines(ent_buf_bytes(&answer), &lines, NULL) &&
		    !ent_note_check_line(signed_note.text, &lines.lines[0], &key, NULL, NULL);
	fclose(f);
	fclose(g);
	ent_buf_deinit(&note);
	ent_buf_deinit(&answer);
	return good ? 0 : 1;
}

static struct ent_note_key foreign;

static bool log_key(void *self, const char *origin, uint8_t ret_pub[ENT_PUB_BYTES])
{
	(void)self;
	memcpy(ret_pub, foreign.pub, ENT_PUB_BYTES);
	return !strcmp(origin, foreign.name);
}

static int witness(const char *dir, const char *vkey)
{
	struct ent_fs *disk;
	struct ent_witness *w;
	struct ent_buf body;
	struct ent_http_answer a = { .body = ENT_BUF(1u << 20) };
	read_key(vkey, &foreign);
	ENT_ASSERT(!ent_disk_new(dir, true, &disk, NULL));
	struct ent_witness_config c = {
		.fs = disk, .dir = "witness", .clock = &org.clock.clock, .signer = org.keys[ENT_KEY_WITNESS], .log_key = log_key
	};
	ent_card_witness_name(&org.card, c.name);
	ENT_ASSERT(!ent_witness_open(&c, &w, NULL));
	read_all(stdin, &body);
	ent_witness_add(w, ent_buf_bytes(&body), &a);
	printf("%d %s\n", a.status, a.type);
	fwrite(a.body.data, 1, a.body.len, stdout);
	ent_buf_deinit(&body);
	ent_buf_deinit(&a.body);
	ent_witness_free(w);
	ent_disk_free(disk);
	return 0;
}

static int witness_key(void)
{
	struct ent_buf out = ENT_BUF(400);
	struct ent_note_key key = { .alg = ENT_NOTE_COSIGNATURE };
	ent_card_witness_name(&org.card, key.name);
	memcpy(key.pub, org.keys[ENT_KEY_WITNESS].pub, ENT_PUB_BYTES);
	ent_note_key_format(&key, &out);
	puts(ent_buf_text(&out));
	ent_buf_deinit(&out);
	return 0;
}

int main(int argc, char **argv)
{
	struct ent_fs *fs = simfs_new(1);
	int code = 2;
	kit_org_init(&org, "hudson", fs);
	if (argc == 3 && !strcmp(argv[1], "log"))
		code = make_log(argv[2]);
	else if (argc == 6 && !strcmp(argv[1], "check"))
		code = check(argv + 2);
	else if (argc == 2 && !strcmp(argv[1], "witness-key"))
		code = witness_key();
	else if (argc == 4 && !strcmp(argv[1], "witness"))
		code = witness(argv[2], argv[3]);
	simfs_free(fs);
	kit_org_deinit(&org);
	return code;
}
