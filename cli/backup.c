/* backup, restore: HOME in one file. The password comes from a file, never from the command line. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/home.h"
#include "cli/print.h"
#include "crypto/secret.h"
#include "node/backup.h"
#include "os/disk.h"
#include "os/system.h"

static void wipe_buf(struct ent_buf *b)
{
	if (b->data)
		ent_wipe(b->data, b->cap);
	ent_buf_deinit(b);
}

static void disk_freep(struct ent_fs **fs) { ent_disk_free(*fs); }

static int read_password(const struct ent_cli *cli, struct ent_buf *ret, struct ent_err *err)
{
	const char *path = ent_cli_value(cli, "password-file");
	if (!path)
		path = getenv("ENTENTE_BACKUP_PASSWORD_FILE");
	if (!path || !*path) {
		ent_fail(err, ENT_EUSAGE, "%s needs a password: a backup holds this organisation's keys", cli->command->name);
		return ent_next(err, "--password-file FILE, or ENTENTE_BACKUP_PASSWORD_FILE; its first line is the password");
	}
	ENT_TRY(ent_cli_read_file(path, ret, err));
	ret->len = strcspn(ent_buf_text(ret), "\r\n");
	return ret->len >= 8 ? 0 : ent_fail(err, ENT_EUSAGE, "the password in %s has less than 8 letters", path);
}

static void closep(FILE **f)
{
	if (*f)
		fclose(*f);
}

static int copy_rest(FILE *out, const char *to, const char *from, struct ent_err *err)
{
	char chunk[65536];
	size_t n;
	ENT_CLEANUP(closep) FILE *in = fopen(from, "rbe");
	if (!in)
		return ent_fail(err, ENT_EIO, "cannot read %s: %s", from, strerror(errno));
	while ((n = fread(chunk, 1, sizeof chunk, in)) > 0)
		if (fwrite(chunk, 1, n, out) != n)
			break;
	if (ferror(in) || ferror(out) || fflush(out) != 0 || fsync(fileno(out)) != 0)
		return ent_fail(err, errno == ENOSPC ? ENT_ENOSPACE : ENT_EIO, "cannot write %s: %s", to, strerror(errno));
	return 0;
}

static int write_backup(const char *home, const char *path, struct ent_bytes head, struct ent_err *err)
{
	char temp[4200], snapshot[4200];
	snprintf(temp, sizeof temp, "%s.tmp", path);
	snprintf(snapshot, sizeof snapshot, "%s/" ENT_BACKUP_SNAPSHOT, home);
	int fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ENT_CLEANUP(closep) FILE *out = fd >= 0 ? fdopen(fd, "wb") : NULL;
	if (!out)
		return ent_fail(err, ENT_EIO, "cannot write %s: %s", temp, strerror(errno));
	int failed = fwrite(head.data, 1, head.len, out) == head.len ? copy_rest(out, path, snapshot, err)
								     : ent_fail(err, ENT_EIO, "cannot write %s: %s", path, strerror(errno));
	unlink(snapshot);
	if (!failed && rename(temp, path) != 0)
		failed = ent_fail(err, ENT_EIO, "cannot write %s: %s", path, strerror(errno));
	if (failed)
		unlink(temp);
	return failed;
}

static int run_backup(struct ent_cli *cli, struct ent_err *err)
{
	ENT_CLEANUP(wipe_buf) struct ent_buf password = ENT_BUF(65536);
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf head = ENT_BUF(16 << 20);
	ENT_CLEANUP(disk_freep) struct ent_fs *fs = NULL;
	ENT_JSON_AUTO answer = NULL;
	struct stat st;
	char size[24];
	const char *home = ent_buf_text(&cli->home);
	ENT_TRY(read_password(cli, &password, err));
	ENT_TRY(ent_home_disk(home, &fs, err));
	ENT_TRY(ent_cli_call(cli, "backup", NULL, &answer, NULL, err));
	ENT_TRY(ent_backup_head(fs, ent_system_random(), ent_buf_bytes(&password), &head, err));
	ENT_TRY(write_backup(home, cli->args[0], ent_buf_bytes(&head), err));
	if (stat(cli->args[0], &st) != 0)
		return ent_fail(err, ENT_EIO, "cannot find %s: %s", cli->args[0], strerror(errno));
	json_object_set_new(answer, "file", json_string(cli->args[0]));
	json_object_set_new(answer, "bytes", json_integer(st.st_size));
	ent_cli_size((uint64_t)st.st_size, size);
	if (cli->json)
		ent_cli_json(answer);
	else
		printf("%s holds %s up to entry %lld (%s)\n", cli->args[0], ent_cli_str(answer, "org"), (long long)ent_cli_int(answer, "entries") - 1,
		       size);
	return 0;
}

static const struct ent_cli_option backup_options[] = {
	{ "password-file", 0, "FILE", "its first line protects the keys; default: ENTENTE_BACKUP_PASSWORD_FILE" },
};
const struct ent_cli_command ent_cli_backup = {
	.name = "backup",
	.args = "FILE",
	.summary = "write a snapshot of HOME to one file",
	.about =
		"Writes ledger, catalogue, configuration and witness records as they stand at one moment to FILE, also while the node runs; keys and "
		"secrets in it are encrypted with a password. The tables' own data is not in it.",
	.examples = { "entente backup monday.bak --password-file pw.txt", "ENTENTE_BACKUP_PASSWORD_FILE=pw.txt entente backup monday.bak" },
	.options = backup_options,
	.n_options = ENT_COUNT(backup_options),
	.args_min = 1,
	.args_max = 1,
	.offline = true,
	.run = run_backup,
};

static int open_backup(const char *path, struct ent_fs **ret_fs, struct ent_file **ret, struct ent_err *err)
{
	char *folder = ent_strdup(path), *name = ent_strdup(path);
	int r = folder && name ? ent_disk_new(dirname(folder), false, ret_fs, err) : ent_nomem(err);
	if (!r)
		r = (*ret_fs)->ops->open(*ret_fs, basename(name), ENT_OPEN_READ, 0, ret, err);
	if (r == ENT_ENOTFOUND)
		r = ent_fail(err, ENT_ENOTFOUND, "cannot read %s: no such file", path);
	free(folder);
	free(name);
	return r;
}

static int run_restore(struct ent_cli *cli, struct ent_err *err)
{
	ENT_CLEANUP(wipe_buf) struct ent_buf password = ENT_BUF(65536);
	ENT_CLEANUP(disk_freep) struct ent_fs *from = NULL;
	ENT_CLEANUP(disk_freep) struct ent_fs *fs = NULL;
	ENT_CLEANUP(ent_file_closep) struct ent_file *f = NULL;
	ENT_JSON_AUTO answer = NULL;
	const char *home = ent_buf_text(&cli->home);
	ENT_TRY(read_password(cli, &password, err));
	ENT_TRY(open_backup(cli->args[0], &from, &f, err));
	ENT_TRY(ent_disk_new(home, true, &fs, err));
	ENT_TRY(ent_backup_restore(fs, f, ent_buf_bytes(&password), &answer, err));
	if (cli->json)
		ent_cli_json(answer);
	else
		printf("restored %s in %s; when it serves, it first asks the members what they witnessed last\n", ent_cli_str(answer, "org"), home);
	return 0;
}

const struct ent_cli_command ent_cli_restore = {
	.name = "restore",
	.args = "FILE",
	.summary = "make HOME from a backup",
	.about = "Fills an empty HOME from a backup. The node appends nothing until the members have shown the last checkpoint they witnessed: if "
		 "that "
		 "reaches further than the backup, going on would fork the ledger, so the node refuses and says what to do.",
	.examples = { "entente -C home2 restore monday.bak --password-file pw.txt",
		      "ENTENTE_BACKUP_PASSWORD_FILE=pw.txt entente -C home2 restore monday.bak" },
	.options = backup_options,
	.n_options = ENT_COUNT(backup_options),
	.args_min = 1,
	.args_max = 1,
	.run = run_restore,
};
