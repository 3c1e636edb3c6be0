/* What the files of the copy suite share. */
#ifndef ENT_TEST_CONFORMANCE_COPY_KIT_H
#define ENT_TEST_CONFORMANCE_COPY_KIT_H
#include "suite_copy.h"

struct kit_target { /* an open sink */
	const struct suite_copy *s;
	struct ent_source *src;
	struct ent_sink *sink;
	uint64_t epoch;
	size_t index;
};

const char *kit_object(const struct suite_copy *s, const char *name); /* lent for a while */
struct ent_source *kit_open(const struct suite_copy *s);
int kit_simple(const int64_t *ids, const char *text, size_t n, struct ArrowSchema *schema, struct ArrowArray *rows);
void kit_expect(const struct suite_copy *s, const char *object, const char *want, const char *name);
size_t kit_count(const struct suite_copy *s, const char *object); /* SIZE_MAX: it cannot be read */
int kit_target_open(struct kit_target *t, const struct suite_copy *s, const char *job, uint64_t epoch, struct ent_err *e);
void kit_target_close(struct kit_target *t);
int kit_target_table(struct kit_target *t, const char *object, const struct ArrowSchema *schema, enum ent_write_mode mode, int resume,
		     struct ent_err *e);
int kit_target_commit(struct kit_target *t, const char *part, const char *cursor, uint64_t rows, struct ent_err *e);
int kit_write(const struct suite_copy *s, const char *object, enum ent_write_mode mode, const int64_t *ids, const char *text, size_t n,
	      struct ent_err *e);
void suite_changes_run(const struct suite_copy *s);
#endif
