/* Options of `add` for CSV and JSON: "key=value" lines; whatever they hold, the arguments they become stay literals (quotes balance).
 * fuzz-deps: duck_options_dep */
#include <stdlib.h>

#include "duck_options.h"
#include "duck_override.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ent_option options[16];
	size_t n = 0, quotes = 0;
	char *text = strndup((const char *)data, size), *rest = text;
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf out = ENT_BUF(1 << 20);
	for (char *line = strsep(&rest, "\n"); line && n < ENT_COUNT(options); line = strsep(&rest, "\n")) {
		char *equals = strchr(line, '=');
		if (equals)
			*equals = 0;
		options[n++] = (struct ent_option){ line, equals ? equals + 1 : NULL };
	}
	enum ent_duck_file file = size && data[0] & 1 ? ENT_DUCK_CSV : ENT_DUCK_JSON;
	if (!ent_duck_options_put(file, options, n, &out, NULL))
		for (const char *p = ent_buf_text(&out); *p; p++)
			quotes += *p == '\'';
	struct ent_duck_overrides overrides;
	ent_buf_reset(&out);
	if (!ent_duck_overrides_read(options, n, &overrides, NULL)) {
		ent_duck_overrides_put(&overrides, &out);
		for (const char *p = ent_buf_text(&out); *p; p++)
			quotes += *p == '\'';
		for (size_t i = 0; i < overrides.n; i++)
			ent_duck_override_cast(&overrides, overrides.all[i].column, &out);
	}
	ENT_ASSERT(quotes % 2 == 0);
	free(text);
	return 0;
}
