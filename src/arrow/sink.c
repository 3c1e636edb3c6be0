#include "arrow/sink.h"

#include <stdio.h>

#include "arrow/schema.h"

int ent_sink_overtaken(uint64_t there, uint64_t mine, struct ent_err *err)
{
	ent_fail(err, ENT_EAGAIN, "another run of this job took over");
	if (there)
		ent_why(err, "the target knows epoch %llu, this run has %llu", (unsigned long long)there, (unsigned long long)mine);
	else
		ent_why(err, "the target knows a higher epoch than this run's %llu", (unsigned long long)mine);
	ent_next(err, "let the other run finish, or stop it and start again");
	if (err)
		snprintf(err->sqlstate, sizeof err->sqlstate, "%s", ENT_SINK_OVERTAKEN);
	return ENT_EAGAIN;
}

bool ent_sink_is_overtaken(const struct ent_err *err) { return err->code == ENT_EAGAIN && !strcmp(err->sqlstate, ENT_SINK_OVERTAKEN); }

bool ent_sink_listed(struct ent_bytes names, const char *name)
{
	size_t len = strlen(name);
	for (const uint8_t *at = names.data, *end = names.data + names.len; at < end;) {
		const uint8_t *tab = (const uint8_t *)memchr(at, '\t', (size_t)(end - at));
		size_t n = (size_t)((tab ? tab : end) - at);
		if (n == len && !memcmp(at, name, n))
			return true;
		at += n + 1;
	}
	return false;
}

int ent_sink_keys_take(const struct ent_target *target, struct ent_sink_keys *ret, struct ent_err *err)
{
	char *rest = ret->text, *k = NULL;
	ret->n = 0;
	ret->text[0] = 0;
	if (!target->keys)
		ent_metadata_get(target->schema->metadata, ENT_META_KEYS, ret->text, sizeof ret->text);
	ret->text[strcspn(ret->text, "\n")] = 0; /* the first of several */
	for (size_t i = 0; target->keys ? i < target->n_keys : (k = strtok_r(rest, "\t", &rest)) != NULL; i++) {
		const char *name = target->keys ? target->keys[i] : k;
		if (ret->n == ENT_SINK_KEYS_MAX)
			return ent_fail(err, ENT_EUSAGE, "a key has more than %d columns", ENT_SINK_KEYS_MAX);
		if (ent_schema_find(target->schema, name) < 0)
			return ent_fail(err, ENT_EUSAGE, "the key column %.200s is not among the columns copied", name);
		ret->names[ret->n++] = name;
	}
	return 0;
}
