/* Inside the printers: one growing text, its parameters, and how columns and group parts are spelled at the moment. */
#ifndef ENT_SQL_PRINT_H
#define ENT_SQL_PRINT_H
#include "sql/internal.h"

#define ENT_SQL_PRINT_MAX ((size_t)4 << 20)

struct ent_printer {
	struct ent_arena *arena;
	struct ent_err *err;
	enum ent_dialect dialect;
	struct ent_buf text;
	struct ent_printed_param *params;
	size_t n_params, cap_params;
	/* spelling of a column; cast tells whether its stored type must still be brought to the bound one */
	int (*column)(struct ent_printer *p, const struct ent_expr *e);
	void *column_arg;
	/* true: e was printed as a part computed below (group label or aggregate) */
	bool (*computed)(struct ent_printer *p, const struct ent_expr *e, int *code);
	const void *computed_arg;
};

void ent_printer_init(struct ent_printer *p, struct ent_arena *arena, enum ent_dialect dialect, struct ent_err *err);
int ent_printer_done(struct ent_printer *p, struct ent_printed *out); /* hands the text over, or frees it */
void ent_print(struct ent_printer *p, const char *s);
void ent_print_n(struct ent_printer *p, const char *letter, size_t n); /* "g", 3 -> g3 */
const char *ent_print_type(struct ent_printer *p, struct ent_type t);
int ent_print_expr(struct ent_printer *p, const struct ent_expr *e);
int ent_print_cast(struct ent_printer *p, const struct ent_expr *e);                      /* print_cast.c: the cast's own spelling */
int ent_print_column_cast(struct ent_printer *p, const char *spelled, struct ent_type t); /* a stored column in its bound type */
static inline bool ent_printer_pg(const struct ent_printer *p) { return p->dialect == ENT_DIALECT_POSTGRESQL; }
/* Prints a template: %0 %1 ... are arguments of e, %, %+ %a %o lists of them (all; from the second; by AND; by OR), %# the second as digits,
 * %w the first one's decimal type with 19 digits, %t e's type, %u its unit, %% a percent sign, everything else letters. */
int ent_print_form(struct ent_printer *p, const struct ent_expr *e, const char *form);
#endif
