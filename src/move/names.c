/* Names of modes, and the id of a job. */
#include "crypto/hash.h"
#include "move/move.h"

static const char *const modes[] = { "create", "append", "replace", "upsert" };

const char *ent_move_mode_name(enum ent_write_mode mode) { return modes[mode]; }

bool ent_move_mode_by_name(const char *name, enum ent_write_mode *ret)
{
	for (size_t i = 0; i < ENT_COUNT(modes); i++)
		if (!strcmp(modes[i], name)) {
			*ret = (enum ent_write_mode)i;
			return true;
		}
	return false;
}

static json_t *texts(const char *const *list, size_t n)
{
	json_t *a = json_array();
	for (size_t i = 0; i < n; i++)
		json_array_append_new(a, json_string(list[i]));
	return a;
}

int ent_move_job_id(const struct ent_move_copy *copy, char ret[ENT_MOVE_ID_LEN + 1], struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(1 << 20);
	ENT_JSON_AUTO targets = json_array();
	uint8_t sha[ENT_SHA256_LEN];
	for (size_t i = 0; i < copy->n_targets; i++)
		json_array_append_new(targets, json_string(copy->targets[i].name));
	ENT_JSON_AUTO o = json_pack("{s:s,s:O,s:s,s:s,s:o,s:o}", "source", copy->source.name, "targets", targets, "mode",
				    ent_move_mode_name(copy->mode), "where", copy->where ? copy->where : "", "columns",
				    texts(copy->columns, copy->n_columns), "keys", texts(copy->keys, copy->n_keys));
	if (o && copy->part_of)
		json_object_set_new(o, "part_of", json_string(copy->part_of));
	ENT_TRY(o ? ent_json_canonical(o, &text, err) : ent_nomem(err));
	ent_sha256(text.data, text.len, sha);
	ent_hex(ret, sha, ENT_MOVE_ID_LEN / 2);
	return 0;
}

/* Connectors put a condition between parentheses: one that closes them would reach over the split's own bounds. */
int ent_move_condition_check(const char *where, const char *dialect, struct ent_err *err)
{
	bool escapes = dialect && (!strcmp(dialect, "mysql") || !strcmp(dialect, "mongodb")); /* elsewhere a quote in a text is doubled */
	char quote = 0;
	long depth = 0;
	for (const char *p = where ? where : ""; *p && depth >= 0; p++) {
		if (quote && escapes && *p == '\\' && p[1])
			p++;
		else if (quote)
			quote = *p == quote ? 0 : quote;
		else if (*p == '\'' || *p == '"' || *p == '`')
			quote = *p;
		else
			depth += (*p == '(') - (*p == ')');
	}
#ifdef ENT_MUTANT_MOVE_CONDITION
	depth = 0;
#endif
	return depth >= 0 ? 0 : ent_fail(err, ENT_EUSAGE, "the condition closes a parenthesis that it did not open");
}
