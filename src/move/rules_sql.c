#include "move/rules_sql.h"

/* "a""b" */
static void put_name(struct ent_buf *out, const char *name)
{
	ent_buf_u8(out, '"');
	for (; *name; name++) {
		if (*name == '"')
			ent_buf_u8(out, '"');
		ent_buf_u8(out, (uint8_t)*name);
	}
	ent_buf_u8(out, '"');
}

static const struct ent_rules_step *step_of(const struct ent_rules_bound *b, size_t layer, size_t column)
{
	for (size_t i = 0; i < b->n_steps; i++)
		if (b->steps[i].layer == layer && b->steps[i].at == column)
			return &b->steps[i];
	return NULL;
}

static void put_layer(const struct ent_rules_bound *b, size_t layer, struct ent_buf *out)
{
	ent_buf_printf(out, ", l%zu AS (SELECT r", layer);
	for (size_t c = 0; c < b->n_columns; c++) {
		const struct ent_rules_step *s = step_of(b, layer, c);
		if (s)
			ent_buf_printf(out, ", %s AS c%zu, coalesce(%s, false) AS h%zu", s->value, c, s->hit, (size_t)(s - b->steps));
		else
			ent_buf_printf(out, ", c%zu", c);
	}
	for (size_t i = 0; i < b->n_steps && b->steps[i].layer < layer; i++)
		ent_buf_printf(out, ", h%zu", i);
	ent_buf_printf(out, " FROM l%zu)", layer - 1);
}

static void put_layers(const struct ent_rules_bound *b, size_t last, struct ent_buf *out, size_t *ret_params)
{
	ent_buf_str(out, "WITH l0 AS (SELECT rowid AS r");
	for (size_t c = 0; c < b->n_columns; c++)
		ent_buf_printf(out, ", c%zu", c);
	ent_buf_str(out, " FROM " ENT_RULES_TABLE ")");
	for (size_t layer = 1; layer <= last; layer++)
		put_layer(b, layer, out);
	*ret_params = b->layer_params[last];
}

static void put_dropped(const struct ent_rules_bound *b, struct ent_buf *out)
{
	ent_buf_str(out, "(false");
	for (size_t i = 0; i < b->n_steps; i++)
		if (b->steps[i].rule->otherwise == ENT_ELSE_DROP)
			ent_buf_printf(out, " OR h%zu", i);
	ent_buf_str(out, ")");
}

/* Whether a row repeats an earlier one: the first of equal keys stays. A key with NULL is nobody's; whole rows are equal with their NULLs. */
static void put_repeats(const struct ent_rules_bound *b, struct ent_buf *out)
{
	ent_buf_str(out, b->n_key ? "(row_number() OVER (PARTITION BY " : "false");
	for (size_t i = 0; i < b->n_key; i++)
		ent_buf_printf(out, "%sc%zu", i ? ", " : "", b->key[i]);
	ent_buf_str(out, b->n_key ? " ORDER BY r) > 1" : "");
	for (size_t i = 0; i < b->n_key && !b->rules->whole_row; i++)
		ent_buf_printf(out, " AND c%zu IS NOT NULL", b->key[i]);
	ent_buf_str(out, b->n_key ? ")" : "");
}

/* f: all rows with dropped; d: those that stay, with repeats. */
static void put_filtered(const struct ent_rules_bound *b, struct ent_buf *out, size_t *ret_params)
{
	put_layers(b, b->n_layers, out, ret_params);
	ent_buf_str(out, ", f AS (SELECT *, ");
	put_dropped(b, out);
	ent_buf_printf(out, " AS dropped FROM l%zu), d AS (SELECT *, ", b->n_layers);
	put_repeats(b, out);
	ent_buf_str(out, " AS repeats FROM f WHERE NOT dropped)");
}

int ent_rules_sql_counts(const struct ent_rules_bound *b, struct ent_buf *out, size_t *ret_params, struct ent_err *err)
{
	put_filtered(b, out, ret_params);
	ent_buf_str(out, " SELECT count(*), count(*) FILTER (WHERE dropped), (SELECT count(*) FROM d WHERE repeats)");
	for (size_t i = 0; i < b->n_steps; i++)
		ent_buf_printf(out, ", count(*) FILTER (WHERE h%zu)", i);
	ent_buf_str(out, " FROM f");
	return ent_buf_check(out, err);
}

int ent_rules_sql_samples(const struct ent_rules_bound *b, size_t step, unsigned limit, struct ent_buf *out, size_t *ret_params, struct ent_err *err)
{
	const struct ent_rules_step *s = &b->steps[step];
	put_layers(b, s->layer - 1, out, ret_params);
	*ret_params = b->layer_params[s->layer];
	ent_buf_printf(out, ", hits AS (SELECT c%zu AS c, r FROM l%zu WHERE coalesce(%s, false))", s->at, s->layer - 1, s->hit);
	/* every parameter up to this layer is named, used or not: a statement takes its parameters without gaps */
	ent_buf_str(out, ", named AS (SELECT 0");
	for (size_t i = 0; i < *ret_params; i++)
		ent_buf_printf(out, ", $%zu", i + 1);
	ent_buf_printf(out,
		       ") SELECT left(CAST(c AS VARCHAR), 80) FROM hits WHERE (SELECT count(*) FROM named) = 1 GROUP BY c ORDER BY min(r) LIMIT %u",
		       limit);
	return ent_buf_check(out, err);
}

int ent_rules_sql_repeated(const struct ent_rules_bound *b, unsigned limit, struct ent_buf *out, size_t *ret_params, struct ent_err *err)
{
	put_filtered(b, out, ret_params);
	ent_buf_str(out, " SELECT left(concat_ws(', '");
	for (size_t i = 0; i < b->n_key && i < 8; i++)
		ent_buf_printf(out, ", CAST(c%zu AS VARCHAR)", b->key[i]);
	ent_buf_printf(out, "), 80) FROM d WHERE repeats ORDER BY r LIMIT %u", limit);
	return ent_buf_check(out, err);
}

/* ---- similar text ---- */

#define NEAR_GRAM 5           /* characters of a piece */
#define NEAR_TEXT 4000        /* characters that are looked at */
#define NEAR_BUCKET 20        /* earlier rows of a bucket that a row is compared with */
#define NEAR_SURE_PERCENT 70u /* from here on, bands of four find what they should */

/* g: the set of pieces of each text. */
static void put_grams(const struct ent_rules_bound *b, struct ent_buf *out)
{
	ent_buf_printf(out,
		       ", g AS (SELECT r, list_distinct(list_transform(range(1, greatest(length(t) - %d, 2)), lambda i: substr(t, i, %d))) AS g "
		       "FROM (SELECT r, left(trim(regexp_replace(lower(c%zu), '\\s+', ' ', 'g')), %d) AS t FROM d WHERE NOT repeats) WHERE t <> '')",
		       NEAR_GRAM - 2, NEAR_GRAM, b->near, NEAR_TEXT);
}

/* k: for every band, a hash over the smallest hashes of the pieces under as many hash functions as the band is wide. */
static void put_bands(unsigned bands, unsigned width, struct ent_buf *out)
{
	ent_buf_printf(out, ", k AS (SELECT r, unnest(range(0, %u)) AS band, unnest(list_transform(range(0, %u), lambda b: hash(", bands, bands);
	for (unsigned i = 0; i < width; i++)
		ent_buf_printf(out, "%slist_min(list_transform(g, lambda x: hash(x, %u * b + %u)))", i ? ", " : "", width, i);
	ent_buf_str(out, "))) AS k FROM g)");
}

int ent_rules_sql_near(const struct ent_rules_bound *b, struct ent_buf *out, size_t *ret_params, struct ent_err *err)
{
	bool sure = b->rules->near_percent >= NEAR_SURE_PERCENT;
	put_filtered(b, out, ret_params);
	put_grams(b, out);
	put_bands(sure ? 32 : 64, sure ? 4 : 2, out);
	ent_buf_printf(
		out,
		", p AS (SELECT r, band, k, row_number() OVER (PARTITION BY band, k ORDER BY r) AS n FROM k)"
		", pairs AS (SELECT DISTINCT later.r AS r, early.r AS k FROM p AS early JOIN p AS later ON early.band = later.band "
		"AND early.k = later.k AND early.r < later.r AND early.n <= %d)"
		", sizes AS (SELECT pairs.r AS r, pairs.k AS k, len(list_intersect(a.g, e.g)) AS common, len(a.g) + len(e.g) AS size FROM pairs "
		"JOIN g AS a ON a.r = pairs.r JOIN g AS e ON e.r = pairs.k)"
		" SELECT r, min(k) AS k FROM sizes WHERE 100 * common >= %u * (size - common) GROUP BY r ORDER BY r",
		NEAR_BUCKET, b->rules->near_percent);
	return ent_buf_check(out, err);
}

int ent_rules_sql_near_samples(const struct ent_rules_bound *b, unsigned limit, struct ent_buf *out, size_t *ret_params, struct ent_err *err)
{
	put_filtered(b, out, ret_params);
	ent_buf_printf(out,
		       " SELECT left(a.c%zu, 60) || ' ~ ' || left(e.c%zu, 60) FROM " ENT_RULES_NEAR " AS n JOIN d AS a ON a.r = n.r "
		       "JOIN d AS e ON e.r = n.k ORDER BY n.r LIMIT %u",
		       b->near, b->near, limit);
	return ent_buf_check(out, err);
}

/* ---- the result ---- */

int ent_rules_sql_rows(const struct ent_rules_bound *b, bool none, struct ent_buf *out, size_t *ret_params, struct ent_err *err)
{
	put_filtered(b, out, ret_params);
	ent_buf_str(out, " SELECT ");
	for (size_t c = 0; c < b->n_columns; c++) {
		ent_buf_printf(out, "%sc%zu AS ", c ? ", " : "", c);
		put_name(out, b->as[c]);
	}
	ent_buf_str(out, " FROM d WHERE NOT repeats");
	if (b->rules->near_column && b->rules->near_drop && !none)
		ent_buf_str(out, " AND r NOT IN (SELECT r FROM " ENT_RULES_NEAR ")");
	ent_buf_str(out, none ? " LIMIT 0" : " ORDER BY d.r");
	return ent_buf_check(out, err);
}
