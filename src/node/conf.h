/* HOME/entente.conf: key = value, every key commented, unknown keys are errors. One table row per key makes parser, sample file and listing. */
#ifndef ENT_NODE_CONF_H
#define ENT_NODE_CONF_H
#include "base/arena.h"
#include "base/json.h"

#define ENT_CONF_PATH "entente.conf"
#define ENT_CONF_BYTES_MAX 65536

#define ENT_CONF_MAP(X) /* key, default, check, help */ \
	X(org, "", org, "name of this organisation; fixed by init") \
	X(listen, "", address, "HOST:PORT for party links: control messages and joint computation, TLS 1.3 between members only") \
	X(http, "", address, "HOST:PORT for reading the ledger and for witnessing; empty: the port after listen") \
	X(http_local_open, "yes", flag, \
	  "yes: who comes from this machine may read entries without TLS or token; no: TLS for all, a token or a member's certificate for entries") \
	X(advertise, "", address, "HOST[:PORT] of the party links that goes into the member card, when others reach us by another name") \
	X(advertise_http, "", address, "the same for the HTTP port") \
	X(compute_only, "no", flag, "yes: owns no tables, sees only shares, witnesses") \
	X(threads, "0", count, "worker threads of a joint computation; 0: one per processor") \
	X(memory_mb, "600", count, "memory for the rows of one joint computation") \
	X(rtt_us, "200", count, "assumed round trip between compute parties; part of every proposal") \
	X(bandwidth_mb, "100", count, "assumed megabytes per second between compute parties; part of every proposal") \
	X(batch_ms, "250", count, "a checkpoint follows an appended entry after at most this long (100 to 1000)") \
	X(witness_hours, "4", count, "after this long without any cosignature, widening grants and jobs stop; 0: never") \
	X(source_timeout_ms, "30000", count, "for connecting to a source and for each statement there") \
	X(log_level, "info", level, "debug, info, warn or error")

enum ent_conf_key {
#define ENT_CONF_ENUM(key, value, check, help) ENT_CONF_##key,
	ENT_CONF_MAP(ENT_CONF_ENUM)
#undef ENT_CONF_ENUM
		ENT_CONF_COUNT
};

struct ent_conf {
	char value[ENT_CONF_COUNT][300];
};

void ent_conf_defaults(struct ent_conf *conf);
/* ENT_ECONFIG names line and key; an unknown key is answered with the nearest known one. */
int ent_conf_parse(struct ent_bytes text, struct ent_conf *ret, struct ent_err *err);
int ent_conf_set(struct ent_conf *conf, const char *key, struct ent_bytes value, struct ent_err *err);
/* The file with every key commented; keys at their default are commented out. */
void ent_conf_print(const struct ent_conf *conf, struct ent_buf *out);
int64_t ent_conf_int(const struct ent_conf *conf, enum ent_conf_key key);
bool ent_conf_yes(const struct ent_conf *conf, enum ent_conf_key key);
int ent_conf_json(const struct ent_conf *conf, json_t **ret, struct ent_err *err); /* [{key, value, default, help}] */

/* HOST:PORT or [V6]:PORT; port_optional also takes HOST alone. wildcard: 0.0.0.0, ::, * as host. */
bool ent_address_split(const char *address, char ret_host[256], uint16_t *ret_port /* 0: none */);
bool ent_address_wildcard(const char *host);
#endif
