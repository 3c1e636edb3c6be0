/* Looks for 64-bit sentinels in the memory of a running process, at every byte offset, in both byte orders, and as decimal text.
 *
 * usage: scan PID SENTINEL...   prints each sentinel found with its place; exit 1 when any was found, 0 when none, 2 on trouble */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TABLE 65536u
#define CHUNK ((size_t)4 << 20)
#define OVERLAP 32u

struct needle {
	uint64_t value;
	const char *name;
};

static struct needle table[TABLE];
static char **names;
static int n_names, found;

static uint32_t slot_of(uint64_t v) { return (uint32_t)((v * 0x9e3779b97f4a7c15u) >> 48); }

static void put(uint64_t v, const char *name)
{
	uint32_t i = slot_of(v);
	while (table[i].name)
		i = (i + 1) % TABLE;
	table[i] = (struct needle){ v, name };
}

static const char *lookup(uint64_t v)
{
	for (uint32_t i = slot_of(v); table[i].name; i = (i + 1) % TABLE)
		if (table[i].value == v)
			return table[i].name;
	return NULL;
}

static void say(const char *name, uint64_t at, const char *form)
{
	printf("found %s at %llx (%s)\n", name, (unsigned long long)at, form);
	found++;
}

static void search(const uint8_t *p, size_t len, uint64_t at)
{
	uint64_t v, text;
	for (size_t i = 0; i + 8 <= len; i++) {
		memcpy(&v, p + i, 8);
		const char *name = v ? lookup(v) : NULL;
		if (name)
			say(name, at + i, "8 bytes");
		if (p[i] < '1' || p[i] > '9')
			continue;
		for (int k = 0; k < n_names; k++) {
			memcpy(&text, names[k], 8);
			if (text == v && i + strlen(names[k]) <= len && !memcmp(p + i, names[k], strlen(names[k])))
				say(names[k], at + i, "text");
		}
	}
}

static void search_range(int mem, uint64_t from, uint64_t to)
{
	static uint8_t data[CHUNK + OVERLAP];
	for (uint64_t at = from; at < to; at += CHUNK) {
		size_t want = to - at > CHUNK + OVERLAP ? CHUNK + OVERLAP : (size_t)(to - at);
		ssize_t got = pread(mem, data, want, (off_t)at);
		if (got > 8)
			search(data, (size_t)got, at);
	}
}

int main(int argc, char **argv)
{
	char path[64], line[512];
	if (argc < 3)
		return 2;
	names = argv + 2;
	n_names = argc - 2;
	for (int i = 0; i < n_names; i++) {
		uint64_t v = strtoull(names[i], NULL, 10);
		if (strlen(names[i]) < 12 || v < ((uint64_t)1 << 32))
			return 2; /* too common to tell anything */
		put(v, names[i]);
		put(__builtin_bswap64(v), names[i]);
	}
	snprintf(path, sizeof path, "/proc/%s/mem", argv[1]);
	int mem = open(path, O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof path, "/proc/%s/maps", argv[1]);
	FILE *maps = fopen(path, "r");
	if (mem < 0 || !maps)
		return 2;
	while (fgets(line, sizeof line, maps)) {
		unsigned long long from, to;
		char rights[8];
		if (sscanf(line, "%llx-%llx %7s", &from, &to, rights) == 3 && rights[0] == 'r' && !strstr(line, "[v"))
			search_range(mem, from, to);
	}
	fclose(maps);
	close(mem);
	return found ? 1 : 0;
}
