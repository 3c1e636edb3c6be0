/* Read tokens: whoever shows one may read our entries over HTTP. HOME/secrets/read-tokens (0600) holds a line NAME HASH for each: the token itself is
 * shown once, when it is made, and is 32 random bytes, so its plain SHA-256 tells nothing. */
#include "node/core.h"

#define TOKENS_PATH "secrets/read-tokens"
#define TOKENS_BYTES_MAX 65536
#define TOKEN_HEAD "ent_"
#define TOKEN_LEN (sizeof TOKEN_HEAD - 1 + 64)

static bool line_parse(struct ent_bytes line, struct ent_token *ret)
{
	const uint8_t *space = memchr(line.data, ' ', line.len);
	size_t n = space ? (size_t)(space - line.data) : 0;
	if (!n || n > ENT_ORG_MAX || line.len != n + 65 || !ent_unhex(ret->hash, ENT_HASH_BYTES, (const char *)space + 1, 64))
		return false;
	memcpy(ret->name, line.data, n);
	ret->name[n] = 0;
	return ent_org_valid(ret->name);
}

static int parse(struct ent_node *n, struct ent_bytes text, struct ent_err *err)
{
	n->n_tokens = 0;
	while (text.len) {
		const uint8_t *nl = memchr(text.data, '\n', text.len);
		size_t len = nl ? (size_t)(nl - text.data) : text.len;
		if (!nl || n->n_tokens == ENT_TOKENS_MAX || !line_parse(ent_bytes(text.data, len), &n->tokens[n->n_tokens]))
			return ent_fail(err, ENT_ECONFIG, TOKENS_PATH " holds something else than lines NAME HASH");
		n->n_tokens++;
		text = ent_bytes(text.data + len + 1, text.len - len - 1);
	}
	return 0;
}

int ent_tokens_load(struct ent_node *n, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(TOKENS_BYTES_MAX);
	int r = ent_fs_read(n->env.fs, TOKENS_PATH, TOKENS_BYTES_MAX, &text, err);
	if (r == ENT_ENOTFOUND)
		return 0;
	return r ? r : parse(n, ent_buf_bytes(&text), err);
}

/* Every token is compared, in time that depends on their number only. */
bool ent_token_valid(const struct ent_node *n, const char *token)
{
	uint8_t hash[ENT_HASH_BYTES];
	bool found = false;
	if (!token || strlen(token) != TOKEN_LEN)
		return false;
	ent_sha256(token, TOKEN_LEN, hash);
	for (size_t i = 0; i < n->n_tokens; i++)
		found |= ent_const_eq(n->tokens[i].hash, hash, sizeof hash);
#ifdef ENT_MUTANT_TOKEN_UNCHECKED
	found = true;
#endif
	return found;
}

static int save(struct ent_node *n, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf text = ENT_BUF(TOKENS_BYTES_MAX);
	for (size_t i = 0; i < n->n_tokens; i++) {
		char hex[65];
		ent_hex(hex, n->tokens[i].hash, ENT_HASH_BYTES);
		ent_buf_printf(&text, "%s %s\n", n->tokens[i].name, hex);
	}
	ENT_TRY(ent_buf_check(&text, err));
	int r = ent_fs_replace(n->env.fs, TOKENS_PATH, ent_buf_bytes(&text), 0600, err);
	if (r) /* what is on disk counts */
		(void)ent_tokens_load(n, NULL);
	return r;
}

static struct ent_token *find(struct ent_node *n, const char *name)
{
	for (size_t i = 0; i < n->n_tokens; i++)
		if (!strcmp(n->tokens[i].name, name))
			return &n->tokens[i];
	return NULL;
}

static int make(struct ent_node *n, const char *name, char ret[TOKEN_LEN + 1], struct ent_err *err)
{
	uint8_t secret[32];
	char hex[65];
	struct ent_token *t = &n->tokens[n->n_tokens];
	if (!ent_org_valid(name)) {
		ent_fail(err, ENT_EUSAGE, "\"%.40s\" cannot name a token", name);
		return ent_next(err, "a name has lower-case letters, digits and _, and starts with a letter"), ENT_EUSAGE;
	}
	if (find(n, name)) {
		ent_fail(err, ENT_EUSAGE, "there is a token %s already", name);
		return ent_next(err, "choose another name, or take that one back: entente token --remove %s", name), ENT_EUSAGE;
	}
	if (n->n_tokens == ENT_TOKENS_MAX)
		return ent_fail(err, ENT_EUSAGE, "there are %d tokens already", ENT_TOKENS_MAX);
	ENT_TRY(ent_node_random(n, secret, sizeof secret, err));
	ent_hex(hex, secret, sizeof secret);
	snprintf(ret, TOKEN_LEN + 1, TOKEN_HEAD "%s", hex);
	snprintf(t->name, sizeof t->name, "%s", name);
	ent_sha256(ret, TOKEN_LEN, t->hash);
	ent_wipe(secret, sizeof secret);
	ent_wipe(hex, sizeof hex);
	n->n_tokens++;
	return save(n, err);
}

void ent_verb_token_add(struct ent_node *n, const json_t *args, struct ent_reply *reply)
{
	struct ent_err err = ENT_ERR_INIT;
	const char *name;
	char token[TOKEN_LEN + 1];
	if (!ent_arg_text(args, "name", true, &name, reply))
		return;
	if (make(n, name, token, &err)) {
		ent_reply_err(reply, &err);
		return;
	}
	ent_log(n->env.log, ENT_LOG_INFO, "token-made", "name=%s", name);
	ent_reply_ok(reply, json_pack("{s:s,s:s}", "name", name, "token", token));
	ent_wipe(token, sizeof token);
}

void ent_verb_token_list(struct ent_node *n, const json_t *args, struct ent_reply *reply)
{
	json_t *list = json_array();
	(void)args;
	for (size_t i = 0; i < n->n_tokens; i++)
		json_array_append_new(list, json_pack("{s:s}", "name", n->tokens[i].name));
	ent_reply_ok(reply, json_pack("{s:o}", "tokens", list));
}

void ent_verb_token_remove(struct ent_node *n, const json_t *args, struct ent_reply *reply)
{
	struct ent_err err = ENT_ERR_INIT;
	const char *name;
	if (!ent_arg_text(args, "name", true, &name, reply))
		return;
	struct ent_token *t = find(n, name);
	int r = t ? 0 : ent_fail(&err, ENT_ENOTFOUND, "there is no token %.40s", name);
	if (t) {
		*t = n->tokens[--n->n_tokens];
		r = save(n, &err);
	}
	if (r)
		ent_reply_err(reply, &err);
	else
		ent_reply_ok(reply, NULL);
}
