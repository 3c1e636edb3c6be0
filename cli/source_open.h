/* An opened source and the module that reads it. Shared by sources.c and probe.c. */
#ifndef ENT_CLI_SOURCE_OPEN_H
#define ENT_CLI_SOURCE_OPEN_H
#include "cli/sources.h"

struct ent_opened {
	const struct ent_connector *connector;
	struct ent_source *source;
};
int ent_source_open(struct ent_sources *s, const struct ent_source_spec *spec, struct ent_opened *ret, struct ent_err *err);
void ent_source_close(struct ent_opened *o); /* zeroed is fine */
#endif
