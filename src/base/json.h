/* JSON glue over jansson: strict parsing, the canonical form, and typed getters with clear errors.
 *
 * Canonical: ASCII keys, unique and byte-sorted, compact, integers within +-2^53, strings, arrays, objects, true, false, null;
 * no floats. Bytes that do not re-dump to themselves are refused, so one meaning has one spelling and one hash. */
#ifndef ENT_BASE_JSON_H
#define ENT_BASE_JSON_H
#include <jansson.h>

#include "base/bytes.h"

/* Any strict JSON (unique keys, UTF-8), depth and size bounded by the caller's cap; *ret is a new reference. */
int ent_json_parse(struct ent_bytes text, size_t bytes_max, json_t **ret, struct ent_err *err);
/* As above and canonical; ENT_EDATA otherwise. */
int ent_json_parse_canonical(struct ent_bytes text, size_t bytes_max, json_t **ret, struct ent_err *err);
/* Appends the canonical form. ENT_EDATA when the value has no canonical form. */
int ent_json_canonical(const json_t *value, struct ent_buf *out, struct ent_err *err);

/* Members of an object; lent until the object changes. ENT_EDATA names the missing or mistyped key. */
int ent_json_str(const json_t *obj, const char *key, const char **ret, struct ent_err *err);
int ent_json_int(const json_t *obj, const char *key, int64_t min, int64_t max, int64_t *ret, struct ent_err *err);
int ent_json_bool(const json_t *obj, const char *key, bool *ret, struct ent_err *err);
int ent_json_array(const json_t *obj, const char *key, json_t **ret, struct ent_err *err);
int ent_json_object(const json_t *obj, const char *key, json_t **ret, struct ent_err *err);
/* Lower-case hex of exactly len bytes. */
int ent_json_hex(const json_t *obj, const char *key, void *ret, size_t len, struct ent_err *err);

static inline void ent_json_decrefp(json_t **v) { json_decref(*v); }
#define ENT_JSON_AUTO ENT_CLEANUP(ent_json_decrefp) json_t *
#endif
