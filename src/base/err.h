/* Filling and reading struct ent_err. Every function accepts NULL for the object. */
#ifndef ENT_BASE_ERR_H
#define ENT_BASE_ERR_H
#include "base/check.h"
#include "entente/error.h"

#define ENT_ERR_INIT \
	{ \
		.size = sizeof(struct ent_err) \
	}

/* Sets code and the "what" line and clears the rest; returns code, so that `return ent_fail(err, ENT_EDATA, ...)` reads well. */
int ent_fail(struct ent_err *err, int code, const char *fmt, ...) ENT_PRINTF(3, 4);
/* Add the "why" and the "next" line; return err->code (or ENT_EINTERNAL when err is NULL). */
int ent_why(struct ent_err *err, const char *fmt, ...) ENT_PRINTF(2, 3);
int ent_next(struct ent_err *err, const char *fmt, ...) ENT_PRINTF(2, 3);
/* Out of memory, said once the same way. */
int ent_nomem(struct ent_err *err);

const char *ent_code_name(int code); /* "DENIED"; "OK" for 0, "?" for foreign numbers */
const char *ent_code_text(int code);
int ent_code_http(int code);
int ent_code_exit(int code);
bool ent_code_retry(int code);
int ent_code_by_name(const char *name); /* ENT_EINTERNAL when unknown */
#endif
