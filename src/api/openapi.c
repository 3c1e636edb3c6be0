/* The table of routes as OpenAPI 3.1. */
#include "api/api.h"
#include "api/routes.h"

/* "name? type" -> a property; a name without '?' is required. */
static void add_property(const char *text, size_t len, json_t *properties, json_t *required)
{
	char word[80];
	if (len >= sizeof word)
		return;
	memcpy(word, text, len);
	word[len] = 0;
	char *type = strchr(word, ' ');
	ENT_ASSERT(type);
	*type++ = 0;
	bool optional = type[-2] == '?';
	if (optional)
		type[-2] = 0;
	json_object_set_new(properties, word, json_pack("{ss}", "type", type));
	if (!optional)
		json_array_append_new(required, json_string(word));
}

static json_t *body_schema(const char *args)
{
	json_t *properties = json_object(), *required = json_array();
	while (*args) {
		size_t len = strcspn(args, ",");
		add_property(args, len, properties, required);
		args += len + (args[len] == ',');
		args += strspn(args, " ");
	}
	json_t *schema = json_pack("{ss so sb}", "type", "object", "properties", properties, "additionalProperties", 0);
	if (json_array_size(required))
		json_object_set_new(schema, "required", required);
	else
		json_decref(required);
	return schema;
}

static json_t *operation(const struct ent_api_route *r)
{
	json_t *body = json_pack("{s{s{so}}}", "content", "application/json", "schema", body_schema(r->args));
	json_t *content = json_object();
	json_object_set_new(content, r->content ? r->content : "application/json", json_object());
	json_t *responses = json_pack("{s{ssso} s{ss}}", "200", "description", "the answer", "content", content, "default", "description",
				      "{\"error\":{code,what,why,next}}");
	return json_pack("{s{ss ss so so}}", "post", "operationId", r->verb, "summary", r->summary, "requestBody", body, "responses", responses);
}

json_t *ent_api_openapi(void)
{
	json_t *paths = json_object();
	for (size_t i = 0; i < ent_api_routes_count; i++) {
		char path[80] = "/v1/";
		strncat(path, ent_api_routes[i].verb, sizeof path - 5);
		json_object_set_new(paths, path, operation(&ent_api_routes[i]));
	}
	return json_pack("{ss s{ssss} so}", "openapi", "3.1.0", "info", "title", "entente node", "version", ENT_VERSION, "paths", paths);
}
