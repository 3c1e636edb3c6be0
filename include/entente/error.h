/* Error codes and the error object, shared by the node and its modules.
 *
 * One table generates names, texts, HTTP status, exit code and whether a retry may help. A code says which kind of trouble;
 * the object says what happened, why, and what to do next. Functions return 0 or a code and fill the object when given. */
#ifndef ENTENTE_ERROR_H
#define ENTENTE_ERROR_H
#include <stddef.h>

/* clang-format off */
#define ENT_ERR_MAP(X) /* name, text, HTTP status, exit code, retry may help */ \
	X(NOMEM, "out of memory or over a cap", 503, 75, 1) \
	X(VERIFY, "verification failed", 422, 1, 0) \
	X(USAGE, "not understood", 400, 2, 0) \
	X(SQL, "SQL not understood", 400, 2, 0) \
	X(UNSUPPORTED, "not supported", 400, 2, 0) \
	X(DATA, "bad data", 422, 65, 0) \
	X(NOTFOUND, "not found", 404, 66, 0) \
	X(NONODE, "no node runs", 503, 69, 1) \
	X(INTERNAL, "internal error", 500, 70, 0) \
	X(IO, "input or output failed", 500, 74, 0) \
	X(NOSPACE, "no space left", 507, 74, 0) \
	X(AGAIN, "try again", 503, 75, 1) \
	X(PEER, "a peer failed or broke protocol", 502, 76, 1) \
	X(DENIED, "denied", 403, 77, 0) \
	X(CONFIG, "configuration", 500, 78, 0) \
	X(CANCELLED, "interrupted", 499, 130, 0)
/* clang-format on */

enum ent_code {
	ENT_OK = 0,
#define ENT_ERR_ENUM(name, text, http, exit, retry) ENT_E##name,
	ENT_ERR_MAP(ENT_ERR_ENUM)
#undef ENT_ERR_ENUM
		ENT_ERR_COUNT
};

struct ent_err {
	size_t size;      /* sizeof(struct ent_err) of who made it */
	int code;         /* enum ent_code */
	int vendor;       /* number a library or server gave, or 0 */
	char sqlstate[6]; /* five letters of SQLSTATE, or empty */
	char what[400];
	char why[600];
	char next[600];
};
#endif
