/* A segment file with any content: opening it cuts, refuses or replays, and never crashes.
 * fuzz-deps: ledger_dep testsupport */
#include "ledger/segment.h"
#include "support/simfs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ent_fs *fs = simfs_new(1);
	struct ent_segments s = { 0 };
	struct ent_buf entry = ENT_BUF(ENT_ENTRY_BYTES_MAX);
	ENT_ASSERT(!fs->ops->mkdir(fs, "l/segment", 0700, NULL));
	ENT_ASSERT(!ent_fs_replace(fs, "l/segment/00000000", ent_bytes(data, size), 0600, NULL));
	if (!ent_segments_open(&s, fs, "l", NULL, NULL, NULL)) {
		struct ent_bytes more = ent_bytes_str("more");
		ENT_ASSERT(!ent_segments_append(&s, &more, 1, NULL));
		ENT_ASSERT(!ent_segments_read(&s, ent_segments_size(&s) - 1, &entry, NULL) && entry.len == 4);
	}
	ent_segments_deinit(&s);
	ent_buf_deinit(&entry);
	simfs_free(fs);
	return 0;
}
