/* A decision for people: one line per column and use with the rule behind it, then what the result is held to. */
#include "policy/policy.h"

static size_t name_width(const struct ent_decision *d)
{
	size_t width = 0;
	for (size_t i = 0; i < d->n_lines; i++) {
		const struct ent_decision_line *l = &d->lines[i];
		size_t n = strlen(l->table->org) + strlen(l->table->name) + 2 + (l->column ? strlen(l->column) : 1);
		width = n > width ? n : width;
	}
	return width > 40 ? 40 : width;
}

static void print_line(const struct ent_decision_line *l, size_t width, struct ent_buf *out)
{
	size_t n = strlen(l->table->org) + strlen(l->table->name) + 2 + (l->column ? strlen(l->column) : 1);
	ent_buf_printf(out, "  %s  %s.%s.%s", l->allowed ? "yes" : "NO ", l->table->org, l->table->name, l->column ? l->column : "*");
	for (; n < width; n++)
		ent_buf_str(out, " ");
	ent_buf_printf(out, "  %-18s", ent_use_text(l->use));
	if (!l->allowed) {
		ent_buf_printf(out, "\n       why   %s\n       next  %s\n", l->why, l->next);
		return;
	}
	if (!strcmp(l->rule, "own")) {
		ent_buf_str(out, "  your own\n");
		return;
	}
	ent_buf_printf(out, "  rule %s, k %u", l->rule, (unsigned)l->k);
	if (l->leak != ENT_LEAK_NONE)
		ent_buf_printf(out, ", leak %s", ent_leak_text(l->leak));
	if (l->approvals)
		ent_buf_printf(out, ", approval of %u", (unsigned)l->approvals);
	ent_buf_str(out, "\n");
}

static void print_tables(const struct ent_decision *d, struct ent_buf *out)
{
	for (size_t i = 0; i < d->n_tables; i++) {
		const struct ent_decision_table *t = &d->tables[i];
		if (t->protect)
			ent_buf_printf(out, "  %s.%s is protected: a group is released with %u or more of its rows%s\n", t->table->org,
				       t->table->name, (unsigned)t->k, t->own_values ? "; own values allowed" : "");
		else if (!t->own)
			ent_buf_printf(out, "  %s.%s is open: every column used carries SELECT\n", t->table->org, t->table->name);
	}
}

static void print_aggs(const struct ent_decision *d, struct ent_buf *out)
{
	for (size_t i = 0; i < d->n_aggs; i++) {
		const struct ent_decision_agg *a = &d->aggs[i];
		if (a->held == ENT_HELD_FILTERED)
			ent_buf_printf(out, "  %s with a condition: NULL unless k rows meet it and none or k do not\n", ent_agg_text(a->expr->agg));
		else if (a->held == ENT_HELD_NON_NULL)
			ent_buf_printf(out, "  %s of a nullable value: NULL unless k rows have one\n", ent_agg_text(a->expr->agg));
		if (a->opens_sum_count)
			ent_buf_str(out, "  avg opens the sum and the count behind it\n");
	}
}

static void print_guards(const struct ent_decision *d, struct ent_buf *out)
{
	for (size_t i = 0; i < d->n_guards; i++) {
		const struct ent_decision_guard *g = &d->guards[i];
		const struct ent_policy_selection *s = &d->selections[g->selection];
		if (g->kind == ENT_GUARD_NEVER)
			continue; /* stands among the refusals */
		if (g->other_trio) {
			ent_buf_printf(out, "  job %s cannot be compared, other parties hold what it left: %s must approve (%s.%s)\n", g->job, s->org,
				       s->org, s->table);
			continue;
		}
		if (g->kind == ENT_GUARD_DROPPED)
			ent_buf_printf(out, "  job %s asked the same rows by other groups: refused if either left one out (%s.%s)\n", g->job, s->org,
				       s->table);
		else
			ent_buf_printf(out, "  %s compared with %s%s: fewer than %u rows of difference %s (%s.%s)\n",
				       g->kind == ENT_GUARD_TOTAL ? "totals are" : "cells are", g->job ? "job " : "the other conditions",
				       g->job ? g->job : "", (unsigned)g->k, g->kind == ENT_GUARD_TOTAL ? "refuse the job" : "hide the cell", s->org,
				       s->table);
	}
}

void ent_decision_print(const struct ent_decision *d, struct ent_buf *out)
{
	size_t width = name_width(d);
	ent_buf_printf(out, "%s\n", d->allowed ? "allowed" : "refused");
	for (size_t i = 0; i < d->n_lines; i++)
		print_line(&d->lines[i], width, out);
	for (size_t i = 0; i < d->n_refusals; i++)
		ent_buf_printf(out, "  NO   %s\n       why   %s\n       next  %s\n", d->refusals[i].what, d->refusals[i].why, d->refusals[i].next);
	print_tables(d, out);
	print_aggs(d, out);
	if (d->n_outers)
		ent_buf_str(out, "  outer join: unmatched rows in a group are none or k\n");
	print_guards(d, out);
	for (size_t i = 0; i < d->n_approvals; i++)
		ent_buf_printf(out, "  needs approval of %u organisation%s, %s among them\n", (unsigned)d->approvals[i].of,
			       d->approvals[i].of == 1 ? "" : "s", d->approvals[i].org);
}
