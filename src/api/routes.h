/* The one table of routes. */
#ifndef ENT_API_ROUTES_H
#define ENT_API_ROUTES_H
#include <stdbool.h>
#include <stddef.h>

struct ent_api_route {
	const char *verb;    /* POST /v1/VERB */
	const char *summary; /* one sentence */
	const char *args;    /* "name? type, ..." for people and for OpenAPI */
	const char *content; /* media type when the answer is bytes; NULL: a JSON object */
};

extern const struct ent_api_route ent_api_routes[];
extern const size_t ent_api_routes_count;
const struct ent_api_route *ent_api_route_by_verb(const char *verb, size_t len);
#endif
