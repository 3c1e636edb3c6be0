/* "Did you mean": the nearest names by edit distance with transpositions (optimal string alignment). */
#include <stdio.h>

#include "sql/internal.h"

#define NAME_MAX_LEN 63

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t m = a < b ? a : b;
	return m < c ? m : c;
}

static size_t edit_distance(const char *a, const char *b)
{
	size_t n = strnlen(a, NAME_MAX_LEN), m = strnlen(b, NAME_MAX_LEN);
	size_t row[3][NAME_MAX_LEN + 1];
	for (size_t j = 0; j <= m; j++)
		row[0][j] = j;
	for (size_t i = 1; i <= n; i++) {
		size_t *now = row[i % 3], *up = row[(i - 1) % 3], *up2 = row[(i + 1) % 3];
		now[0] = i;
		for (size_t j = 1; j <= m; j++) {
			now[j] = min3(up[j] + 1, now[j - 1] + 1, up[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && up2[j - 2] + 1 < now[j])
				now[j] = up2[j - 2] + 1;
		}
	}
	return row[n % 3][m];
}

void ent_nearest_init(struct ent_nearest *n, const char *wanted)
{
	*n = (struct ent_nearest){ .wanted = wanted, .distance = { SIZE_MAX, SIZE_MAX } };
}

void ent_nearest_try(struct ent_nearest *n, const char *candidate)
{
	size_t len = strlen(n->wanted), d = edit_distance(n->wanted, candidate);
	if (d > len / 3 + 1 || !strcmp(n->best[0], candidate) || !strcmp(n->best[1], candidate))
		return;
	size_t at = d < n->distance[0] ? 0 : 1;
	if (d >= n->distance[at])
		return;
	if (at == 0) {
		memcpy(n->best[1], n->best[0], sizeof n->best[1]);
		n->distance[1] = n->distance[0];
	}
	snprintf(n->best[at], sizeof n->best[at], "%s", candidate);
	n->distance[at] = d;
}

int ent_nearest_next(const struct ent_nearest *n, struct ent_err *err, const char *otherwise)
{
	if (n->best[0][0] && n->best[1][0])
		return ent_next(err, "did you mean %s or %s?", n->best[0], n->best[1]);
	if (n->best[0][0])
		return ent_next(err, "did you mean %s?", n->best[0]);
	return ent_next(err, "%s", otherwise);
}
