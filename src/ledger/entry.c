#include "ledger/entry.h"

#include "base/clock.h"

static const struct {
	const char *name, *text;
} rows[ENT_ENTRY_COUNT] = {
#define ENT_ENTRY_ROW(upper, lower, text) { #lower, text },
	ENT_ENTRY_MAP(ENT_ENTRY_ROW)
#undef ENT_ENTRY_ROW
};

const char *ent_entry_name(int type) { return type >= 0 && type < ENT_ENTRY_COUNT ? rows[type].name : "?"; }
const char *ent_entry_text(int type) { return type >= 0 && type < ENT_ENTRY_COUNT ? rows[type].text : "?"; }

int ent_entry_by_name(const char *name)
{
	for (int i = 0; i < ENT_ENTRY_COUNT; i++)
		if (!strcmp(rows[i].name, name))
			return i;
	return -1;
}

bool ent_org_valid(const char *org)
{
	size_t n = strlen(org);
	if (n == 0 || n > ENT_ORG_MAX || org[0] < 'a' || org[0] > 'z')
		return false;
	for (size_t i = 1; i < n; i++)
		if (!((org[i] >= 'a' && org[i] <= 'z') || (org[i] >= '0' && org[i] <= '9') || org[i] == '_'))
			return false;
	return true;
}

bool ent_entry_id_parse(const char *id, char ret_org[ENT_ORG_MAX + 1], uint64_t *ret_index)
{
	char org[ENT_ORG_MAX + 1] = { 0 };
	const char *slash = strchr(id, '/');
	if (!slash || (size_t)(slash - id) > ENT_ORG_MAX)
		return false;
	memcpy(org, id, (size_t)(slash - id));
	if (!ent_org_valid(org) || !ent_parse_u64(slash + 1, strlen(slash + 1), (uint64_t)1 << 53, ret_index))
		return false;
	memcpy(ret_org, org, sizeof org);
	return true;
}

static int put_common(json_t *body, int type, int64_t time_ms, const char *actor, struct ent_err *err)
{
	char time[ENT_TIME_LEN + 1];
	if (json_object_get(body, "type") || json_object_get(body, "time") || json_object_get(body, "actor"))
		return ent_fail(err, ENT_EDATA, "type, time and actor are set by the entry itself");
	if (json_object_set_new(body, "type", json_string(ent_entry_name(type))))
		return ent_nomem(err);
	if (type == ENT_ENTRY_RUN)
		return 0;
	if (!actor || !ent_org_valid(actor))
		return ent_fail(err, ENT_EDATA, "an entry needs the organisation that makes it");
	ent_time_format(time_ms, time);
	if (json_object_set_new(body, "time", json_string(time)) || json_object_set_new(body, "actor", json_string(actor)))
		return ent_nomem(err);
	return 0;
}

int ent_entry_payload(int type, int64_t time_ms, const char *actor, const json_t *fields, struct ent_buf *ret, struct ent_err *err)
{
	ENT_JSON_AUTO body = fields ? json_copy((json_t *)(uintptr_t)fields) : json_object();
	if (type < 0 || type >= ENT_ENTRY_COUNT)
		return ent_fail(err, ENT_EDATA, "no such entry type: %d", type);
	if (!body)
		return ent_nomem(err);
	if (!json_is_object(body))
		return ent_fail(err, ENT_EDATA, "the fields of an entry are a JSON object");
	ENT_TRY(put_common(body, type, time_ms, actor, err));
	return ent_json_canonical(body, ret, err);
}

int ent_entry_make(int type, int64_t time_ms, const char *actor, const json_t *fields, const struct ent_signer *signer, struct ent_buf *ret,
		   struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf payload = ENT_BUF(ENT_DSSE_BYTES_MAX);
	ENT_TRY(ent_entry_payload(type, time_ms, actor, fields, &payload, err));
	return ent_dsse_seal(ent_entry_name(type), ent_buf_bytes(&payload), signer, 1, ret, err);
}

static int open_common(struct ent_entry *e, struct ent_err *err)
{
	const char *type, *time;
	ENT_TRY(ent_json_str(e->dsse.body, "type", &type, err));
	if (strcmp(type, e->dsse.type) != 0)
		return ent_fail(err, ENT_EDATA, "type of the entry and type of its envelope differ");
	e->type = ent_entry_by_name(type);
	if (e->type < 0)
		return ent_fail(err, ENT_EDATA, "not an entry type: %s", type);
	e->actor = "";
	if (e->type == ENT_ENTRY_RUN)
		return json_object_get(e->dsse.body, "actor") || json_object_get(e->dsse.body, "time")
			       ? ent_fail(err, ENT_EDATA, "run has neither time nor actor")
			       : 0;
	ENT_TRY(ent_json_str(e->dsse.body, "actor", &e->actor, err));
	ENT_TRY(ent_json_str(e->dsse.body, "time", &time, err));
	if (!ent_org_valid(e->actor))
		return ent_fail(err, ENT_EDATA, "actor is not the name of an organisation");
	return ent_time_parse(time, &e->time_ms) ? 0 : ent_fail(err, ENT_EDATA, "time is not UTC with milliseconds");
}

int ent_entry_open(struct ent_bytes envelope, struct ent_entry *ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_entry_deinit) struct ent_entry e = { 0 };
	ENT_TRY(ent_dsse_open(envelope, &e.dsse, err));
	ENT_TRY(open_common(&e, err));
	*ret = e;
	e = (struct ent_entry){ 0 };
	return 0;
}

void ent_entry_deinit(struct ent_entry *e)
{
	ent_dsse_deinit(&e->dsse);
	*e = (struct ent_entry){ 0 };
}
