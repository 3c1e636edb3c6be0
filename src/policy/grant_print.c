/* Grants back to text: one statement, conditions in a fixed order, defaults left out. */
#include "policy/grant.h"

static bool is_plain(const char *name)
{
	size_t n = strlen(name);
	if (!n || (name[0] >= '0' && name[0] <= '9') || !strcmp(name, "any"))
		return false;
	return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == n;
}

void ent_grant_print_name(const char *name, struct ent_buf *out)
{
	if (is_plain(name)) {
		ent_buf_str(out, name);
		return;
	}
	ent_buf_u8(out, '"');
	for (const char *c = name; *c; c++) {
		if (*c == '"')
			ent_buf_u8(out, '"');
		ent_buf_u8(out, (uint8_t)*c);
	}
	ent_buf_u8(out, '"');
}

static void print_names(struct ent_buf *out, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		ent_buf_str(out, i ? ", " : "");
		ent_grant_print_name(names[i], out);
	}
}

static void print_aggregates(struct ent_buf *out, uint32_t uses)
{
	const char *sep = "";
	ent_buf_str(out, "AGGREGATE(");
	for (int u = 0; u < ENT_USE_NAMES; u++) {
		if (!(uses & ENT_USE_AGGREGATES & ENT_USE_BIT(u)))
			continue;
		ent_buf_printf(out, "%s%s", sep, ent_use_json((enum ent_use)u) + strlen("aggregate."));
		sep = ", ";
	}
	ent_buf_str(out, ")");
}

static void print_uses(struct ent_buf *out, const struct ent_grant *g)
{
	const char *sep = "";
	bool aggregates = false;
	if (g->deny && g->uses == ENT_USE_ALL) {
		ent_buf_str(out, "ALL");
		return;
	}
	for (int u = 0; u < ENT_USE_NAMES; u++) {
		bool aggregate = (ENT_USE_AGGREGATES & ENT_USE_BIT(u)) != 0;
		if (!(g->uses & ENT_USE_BIT(u)) || (aggregate && aggregates))
			continue;
		ent_buf_str(out, sep);
		if (aggregate)
			print_aggregates(out, g->uses);
		else
			ent_buf_str(out, ent_use_text((enum ent_use)u));
		aggregates |= aggregate;
		sep = ", ";
	}
}

static void print_conditions(struct ent_buf *out, const struct ent_grant *g)
{
	char day[16];
	if (g->n_purposes) {
		ent_buf_str(out, " FOR ");
		print_names(out, g->purposes, g->n_purposes);
	}
	if (g->min_group != ENT_GRANT_MIN_GROUP_DEFAULT)
		ent_buf_printf(out, " MIN GROUP %u", (unsigned)g->min_group);
	if (g->until_day != ENT_GRANT_NO_DATE) {
		ent_day_text(g->until_day, day);
		ent_buf_printf(out, " UNTIL %s", day);
	}
	if (g->uses_max)
		ent_buf_printf(out, " USES %llu", (unsigned long long)g->uses_max);
	if (g->leak != ENT_LEAK_NONE)
		ent_buf_printf(out, " LEAK %s", ent_leak_text(g->leak));
	if (g->approvals == 1)
		ent_buf_str(out, " REQUIRE APPROVAL");
	if (g->approvals > 1)
		ent_buf_printf(out, " REQUIRE APPROVAL OF %u", (unsigned)g->approvals);
	if (g->own_values)
		ent_buf_str(out, " WITH OWN VALUES");
}

void ent_grant_print(const struct ent_grant *g, struct ent_buf *out)
{
	ent_buf_str(out, g->deny ? "DENY " : "GRANT ");
	print_uses(out, g);
	ent_buf_str(out, " ON ");
	ent_grant_print_name(g->table, out);
	ent_buf_str(out, "(");
	print_names(out, g->columns, g->n_columns);
	ent_buf_str(out, ")");
	if (g->n_orgs) {
		ent_buf_str(out, " TO ");
		print_names(out, g->orgs, g->n_orgs);
	} else if (!g->deny) {
		ent_buf_str(out, " TO ANY");
	}
	print_conditions(out, g);
	ent_buf_str(out, ";");
}
