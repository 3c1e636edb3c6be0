/* Files named on the command line. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/command.h"

#define FILE_BYTES_MAX ((size_t)64 << 20)

static int from_errno(int number) { return number == ENOENT ? ENT_ENOTFOUND : number == ENOSPC ? ENT_ENOSPACE : ENT_EIO; }

static void closep(FILE **f)
{
	if (*f && *f != stdin && *f != stdout)
		fclose(*f);
}

int ent_cli_read_file(const char *path, struct ent_buf *ret, struct ent_err *err)
{
	uint8_t chunk[8192];
	size_t n;
	ENT_CLEANUP(closep) FILE *f = strcmp(path, "-") != 0 ? fopen(path, "rbe") : stdin;
	if (!f)
		return ent_fail(err, from_errno(errno), "cannot read %s: %s", path, strerror(errno));
	ret->max = FILE_BYTES_MAX;
	while ((n = fread(chunk, 1, sizeof chunk, f)) > 0)
		ent_buf_put(ret, chunk, n);
	if (ferror(f))
		return ent_fail(err, ENT_EIO, "cannot read %s: %s", path, strerror(errno));
	return ent_buf_check(ret, err);
}

static int write_all(FILE *f, const char *path, struct ent_bytes bytes, struct ent_err *err)
{
	if (fwrite(bytes.data, 1, bytes.len, f) != bytes.len || fflush(f) != 0)
		return ent_fail(err, from_errno(errno), "cannot write %s: %s", path, strerror(errno));
	if (f != stdout && fsync(fileno(f)) != 0 && errno != EINVAL)
		return ent_fail(err, from_errno(errno), "cannot write %s: %s", path, strerror(errno));
	return 0;
}

int ent_cli_write_file(const char *path, struct ent_bytes bytes, struct ent_err *err)
{
	char temp[4096];
	if (!strcmp(path, "-"))
		return write_all(stdout, "standard output", bytes, err);
	int n = snprintf(temp, sizeof temp, "%s.tmp", path);
	bool device = !strncmp(path, "/dev/", 5);
	if (n < 0 || (size_t)n >= sizeof temp)
		return ent_fail(err, ENT_EIO, "path too long: %s", path);
	const char *to = device ? path : temp;
	ENT_CLEANUP(closep) FILE *f = fopen(to, "wbe");
	if (!f)
		return ent_fail(err, from_errno(errno), "cannot write %s: %s", path, strerror(errno));
	ENT_TRY(write_all(f, path, bytes, err));
	if (!device && rename(temp, path) != 0)
		return ent_fail(err, from_errno(errno), "cannot write %s: %s", path, strerror(errno));
	return 0;
}
