/* Structured log lines: a level, an event name, key=value pairs. Libraries below `node` log at debug only; whoever handles an error logs it once.
 * No secret, no row value, no SQL text ever goes into a log line. */
#ifndef ENT_BASE_LOG_H
#define ENT_BASE_LOG_H
#include "base/check.h"

enum ent_level { ENT_LOG_DEBUG, ENT_LOG_INFO, ENT_LOG_WARN, ENT_LOG_ERROR };

struct ent_log_sink {
	void *self;
	enum ent_level least;
	void (*line)(void *self, enum ent_level level, const char *event, const char *pairs);
};

/* sink may be NULL: nothing happens. fmt yields "key=value key2=value2". Any thread, if the sink's line() is. */
void ent_log(const struct ent_log_sink *sink, enum ent_level level, const char *event, const char *fmt, ...) ENT_PRINTF(4, 5);
const char *ent_level_name(enum ent_level level);
#endif
