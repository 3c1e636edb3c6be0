/* Levenshtein distance over one row; names beyond 63 bytes are not compared. */
#include "policy/near.h"

#include <string.h>

#define NEAR_MAX 63

struct ent_near ent_near(const char *wanted)
{
	size_t n = strlen(wanted);
	return (struct ent_near){ .wanted = wanted, .distance = n / 3 + 2 }; /* farther than this is not a slip */
}

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

static size_t distance(const char *a, size_t na, const char *b, size_t nb)
{
	size_t row[NEAR_MAX + 1];
	for (size_t j = 0; j <= nb; j++)
		row[j] = j;
	for (size_t i = 1; i <= na; i++) {
		size_t corner = row[0];
		row[0] = i;
		for (size_t j = 1; j <= nb; j++) {
			size_t old = row[j];
			row[j] = least(corner + (a[i - 1] != b[j - 1]), 1 + least(row[j - 1], old));
			corner = old;
		}
	}
	return row[nb];
}

void ent_near_try(struct ent_near *near, const char *name)
{
	size_t na = strlen(near->wanted), nb = strlen(name);
	if (na > NEAR_MAX || nb > NEAR_MAX)
		return;
	size_t d = distance(near->wanted, na, name, nb);
	if (d < near->distance) {
		near->distance = d;
		near->best = name;
	}
}
