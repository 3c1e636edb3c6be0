#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

void ent_log(const struct ent_log_sink *sink, enum ent_level level, const char *event, const char *fmt, ...)
{
	char pairs[1024];
	va_list ap;
	if (!sink || level < sink->least)
		return;
	va_start(ap, fmt);
	vsnprintf(pairs, sizeof pairs, fmt, ap);
	va_end(ap);
	for (char *c = pairs; *c; c++)
		if ((unsigned char)*c < 0x20)
			*c = ' ';
	sink->line(sink->self, level, event, pairs);
}

const char *ent_level_name(enum ent_level level)
{
	static const char *const names[] = { "debug", "info", "warn", "error" };
	return names[level];
}
