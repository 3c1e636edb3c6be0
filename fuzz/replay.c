/* Runs a fuzz target over every file of a corpus folder, and over each file cut short and with single bits flipped. TAP. */
#include <dirent.h>
#include <stdlib.h>

#include "base/bytes.h"
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t runs;

static void run(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1); /* exact size, so that ASan sees one byte too many */
	if (size)
		memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
	runs++;
}

static void variations(uint8_t *data, size_t size)
{
	run(data, size);
	for (size_t i = 0; i < 16 && size; i++)
		run(data, size * i / 16);
	for (size_t i = 0; i < 64 && size; i++) {
		size_t at = size * i / 64;
		data[at] ^= (uint8_t)(1u << i % 8);
		run(data, size);
		data[at] ^= (uint8_t)(1u << i % 8);
	}
}

static void replay(const char *path)
{
	static uint8_t data[1u << 20];
	FILE *f = fopen(path, "rb");
	if (!f)
		return;
	size_t size = fread(data, 1, sizeof data, f);
	fclose(f);
	variations(data, size);
}

int main(int argc, char **argv)
{
	size_t files = 0;
	DIR *d = argc > 1 ? opendir(argv[1]) : NULL;
	run((const uint8_t *)"", 0);
	for (struct dirent *e; d && (e = readdir(d));) {
		char path[4096];
		snprintf(path, sizeof path, "%s/%s", argv[1], e->d_name);
		if (e->d_name[0] != '.') {
			replay(path);
			files++;
		}
	}
	if (d)
		closedir(d);
	printf("%sok 1 - %zu corpus files, %zu runs\n1..1\n", files ? "" : "not ", files, runs);
	return files ? 0 : 1;
}
