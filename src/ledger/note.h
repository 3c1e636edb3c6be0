/* Signed notes and checkpoints (C2SP signed-note, tlog-checkpoint, tlog-cosignature): text, an empty line, signature lines. */
#ifndef ENT_LEDGER_NOTE_H
#define ENT_LEDGER_NOTE_H
#include "ledger/tree.h"

#define ENT_NOTE_NAME_MAX 255
#define ENT_NOTE_LINES_MAX 100
#define ENT_NOTE_BYTES_MAX (64u << 10)

enum ent_note_alg { ENT_NOTE_ED25519 = 0x01, ENT_NOTE_COSIGNATURE = 0x04 };

struct ent_note_key { /* who may sign lines */
	char name[ENT_NOTE_NAME_MAX + 1];
	uint8_t alg; /* enum ent_note_alg */
	uint8_t pub[ENT_PUB_BYTES];
};
uint32_t ent_note_keyid(const struct ent_note_key *k);                                   /* SHA-256(name ‖ 0x0A ‖ alg ‖ pub)[:4], big-endian */
int ent_note_key_parse(const char *vkey, struct ent_note_key *ret, struct ent_err *err); /* name+hash+base64 */
void ent_note_key_format(const struct ent_note_key *k, struct ent_buf *ret);

struct ent_note_line {
	struct ent_bytes name; /* lent from the note */
	uint32_t keyid;
	struct ent_bytes whole;         /* the line with its newline */
	uint8_t sig[8 + ENT_SIG_BYTES]; /* what follows the key id */
	size_t sig_len;
};

struct ent_note {              /* a parsed note; everything lent from the bytes given to parse */
	struct ent_bytes text; /* with its last newline */
	struct ent_note_line lines[ENT_NOTE_LINES_MAX];
	size_t line_count;
};
int ent_note_parse(struct ent_bytes note, struct ent_note *ret, struct ent_err *err); /* foreign bytes; at least one line */
/* Parses signature lines alone, as a witness answers. */
int ent_note_parse_lines(struct ent_bytes lines, struct ent_note *ret, struct ent_err *err);
bool ent_note_line_is(const struct ent_note_line *line, const struct ent_note_key *key); /* name and key id match */
/* ENT_EVERIFY when the line does not sign text under key. ret_time_s (may be NULL) is the cosignature's time, 0 for plain signatures. */
int ent_note_check_line(struct ent_bytes text, const struct ent_note_line *line, const struct ent_note_key *key, uint64_t *ret_time_s,
			struct ent_err *err);
/* Appends one signature line over text. time_s is used for cosignatures only. */
int ent_note_sign(struct ent_bytes text, const char *name, int alg, uint64_t time_s, const struct ent_signer *signer, struct ent_buf *ret,
		  struct ent_err *err);

struct ent_checkpoint {
	char origin[ENT_NOTE_NAME_MAX + 1];
	uint64_t size;
	ent_hash root;
};
void ent_checkpoint_body(const struct ent_checkpoint *c, struct ent_buf *ret);         /* origin\nsize\nroot\n */
void ent_checkpoint_hash(const struct ent_checkpoint *c, uint8_t ret[ENT_HASH_BYTES]); /* SHA-256 of the body: the block hash */
/* Reads the first three lines; extension lines are allowed when strict is false. */
int ent_checkpoint_parse(struct ent_bytes text, bool strict, struct ent_checkpoint *ret, struct ent_err *err);
#endif
