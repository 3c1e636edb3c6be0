/* Declared columns: one line per column, NAME TYPE, as `entente describe --schema` prints and `entente add --schema FILE` reads.
 *
 * A name with a blank, a quote or '#' stands in double quotes, a quote within it twice; the type is the rest of the line (letters, digits, blanks,
 * "(,)" and "_"). Empty lines and lines that begin with '#' say nothing. */
#ifndef ENT_ARROW_DECLARE_H
#define ENT_ARROW_DECLARE_H
#include "base/bytes.h"

/* Calls take for every line, in order; its failure stops. ENT_EDATA names the line. */
int ent_declared_each(struct ent_bytes text, int (*take)(void *arg, const char *name, const char *type, struct ent_err *err), void *arg,
		      struct ent_err *err);
void ent_declared_put(struct ent_buf *out, const char *name, const char *type);
#endif
