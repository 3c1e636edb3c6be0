#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct code_row {
	const char *name, *text;
	int http, exit;
	bool retry;
};

static const struct code_row rows[ENT_ERR_COUNT] = { { "OK", "ok", 200, 0, false },
#define ENT_ERR_ROW(name, text, http, exit, retry) { #name, text, http, exit, retry },
						     ENT_ERR_MAP(ENT_ERR_ROW)
#undef ENT_ERR_ROW
};

static const struct code_row *row_of(int code) { return &rows[code >= 0 && code < ENT_ERR_COUNT ? code : ENT_EINTERNAL]; }

int ent_fail(struct ent_err *err, int code, const char *fmt, ...)
{
	if (!err)
		return code;
	va_list ap;
	va_start(ap, fmt);
	err->size = sizeof *err;
	err->code = code;
	err->vendor = 0;
	err->sqlstate[0] = err->why[0] = err->next[0] = 0;
	vsnprintf(err->what, sizeof err->what, fmt, ap);
	va_end(ap);
	return code;
}

int ent_why(struct ent_err *err, const char *fmt, ...)
{
	if (!err)
		return ENT_EINTERNAL;
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(err->why, sizeof err->why, fmt, ap);
	va_end(ap);
	return err->code;
}

int ent_next(struct ent_err *err, const char *fmt, ...)
{
	if (!err)
		return ENT_EINTERNAL;
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(err->next, sizeof err->next, fmt, ap);
	va_end(ap);
	return err->code;
}

int ent_nomem(struct ent_err *err) { return ent_fail(err, ENT_ENOMEM, "out of memory"); }

const char *ent_code_name(int code) { return code >= 0 && code < ENT_ERR_COUNT ? rows[code].name : "?"; }

const char *ent_code_text(int code) { return row_of(code)->text; }
int ent_code_http(int code) { return row_of(code)->http; }
int ent_code_exit(int code) { return row_of(code)->exit; }
bool ent_code_retry(int code) { return row_of(code)->retry; }

int ent_code_by_name(const char *name)
{
	for (int i = 0; i < ENT_ERR_COUNT; i++)
		if (!strcmp(rows[i].name, name))
			return i;
	return ENT_EINTERNAL;
}
