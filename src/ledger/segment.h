/* Segments: the entries themselves, in files of 65,536 entries. Segments are the truth; everything else can be made again from them.
 *
 * A record is length, back, CRC-32C (little-endian, 4 bytes each) and the entry. back = bytes from the start of the group of records written by
 * one append to this record: everything before a group was on disk when the group was written. So a bad record that lies before the group of a
 * later good one was acknowledged once: damage, not a torn tail. The CRC covers segment number, offset, length, back and entry. */
#ifndef ENT_LEDGER_SEGMENT_H
#define ENT_LEDGER_SEGMENT_H
#include "base/file.h"

#define ENT_SEGMENT_ENTRIES 65536u
#define ENT_SEGMENT_MAGIC "entente-segment1"
#define ENT_SEGMENT_HEAD 16u
#define ENT_RECORD_HEAD 12u
#define ENT_ENTRY_BYTES_MAX 65535u
#define ENT_GROUP_BYTES_MAX (64u << 20) /* what one write takes at most */

struct ent_segments {
	struct ent_fs *fs;
	char dir[200];
	struct ent_file *tail; /* the one that grows */
	uint64_t tail_number, tail_bytes;
	uint32_t tail_count;
	uint64_t *offsets;   /* of the tail's records, and its end: tail_count + 1 used */
	uint64_t old_number; /* the full segment read last */
	struct ent_file *old;
	uint64_t *old_offsets;
	bool failed; /* a write or sync failed: nothing may be appended until it is opened again */
};

/* Called in order for every entry of the last segment. */
typedef int (*ent_segment_each)(void *arg, uint64_t index, struct ent_bytes entry, struct ent_err *err);

/* Makes segment 0; removes one that was never finished. */
int ent_segments_create(struct ent_segments *s, struct ent_fs *fs, const char *dir, struct ent_err *err);
/* Opens, cuts a torn tail, replays the last segment. ENT_EVERIFY names damage. */
int ent_segments_open(struct ent_segments *s, struct ent_fs *fs, const char *dir, ent_segment_each each, void *arg, struct ent_err *err);
void ent_segments_deinit(struct ent_segments *s);
uint64_t ent_segments_size(const struct ent_segments *s);

uint32_t ent_segments_room(const struct ent_segments *s); /* entries until the tail is full */
/* At most room() entries, durable on return. */
int ent_segments_append(struct ent_segments *s, const struct ent_bytes *entries, size_t count, struct ent_err *err);
/* The full tail gets its index, a new tail is made. Whatever is derived from the old one must be durable before. */
int ent_segments_roll(struct ent_segments *s, struct ent_err *err);
/* Appends the entry; ENT_EVERIFY when its record is damaged. */
int ent_segments_read(struct ent_segments *s, uint64_t index, struct ent_buf *ret, struct ent_err *err);

/* Replays one segment file without changing anything; *ret_count good entries, *ret_clean false when bytes follow that are none. For audits. */
int ent_segment_replay(struct ent_fs *fs, const char *dir, uint64_t number, ent_segment_each each, void *arg, uint32_t *ret_count, bool *ret_clean,
		       struct ent_err *err);
#endif
