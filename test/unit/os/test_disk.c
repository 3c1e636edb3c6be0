/* The file vtable on a real folder, its errors included. */
#include "os/disk.h"
#include <ftw.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "os/system.h"
#include "tap.h"

static char root[] = "/tmp/entente-disk-XXXXXX";
static struct ent_fs *fs;
static struct ent_err err;

static void files(void)
{
	struct ent_file *f = NULL, *g = NULL;
	char buf[64];
	size_t got = 0;
	uint64_t size = 0;
	OK_INT(fs->ops->open(fs, "a", ENT_OPEN_READ, 0, &f, &err), ENT_ENOTFOUND, "missing file");
	OK(err.code == ENT_ENOTFOUND && err.why[0], "why is said");
	OK_INT(fs->ops->open(fs, "a", ENT_OPEN_WRITE | ENT_OPEN_CREATE, 0600, &f, &err), 0);
	OK_INT(f->ops->write_at(f, 5, "hello", 5, &err), 0);
	OK_INT(f->ops->sync(f, &err), 0);
	OK(!f->ops->size(f, &size, &err) && size == 10, "size");
	OK(!f->ops->read_at(f, 4, buf, sizeof buf, &got, &err) && got == 6 && !memcmp(buf, "\0hello", 6), "short read at the end");
	OK(!f->ops->truncate(f, 7, &err) && !f->ops->size(f, &size, &err) && size == 7, "truncate");
	OK_INT(f->ops->lock(f, &err), 0, "lock");
	OK_INT(fs->ops->open(fs, "a", ENT_OPEN_WRITE | ENT_OPEN_CREATE | ENT_OPEN_EXCL, 0600, &g, &err), ENT_EIO, "exclusive create refuses");
	OK_INT(fs->ops->open(fs, "a", ENT_OPEN_WRITE, 0, &g, &err), 0);
	OK_INT(g->ops->lock(g, &err), ENT_EAGAIN, "second lock is refused at once");
	ent_file_closep(&f);
	OK_INT(g->ops->lock(g, &err), 0, "free after close");
	ent_file_closep(&g);
	OK_INT(fs->ops->open(fs, "a", ENT_OPEN_READ, 0, &f, &err), 0);
	OK_INT(f->ops->write_at(f, 0, "x", 1, &err), ENT_EIO, "read-only file refuses a write");
	ent_file_closep(&f);
}

static void full(void)
{
	struct ent_file *f = NULL;
	struct rlimit old, tight;
	getrlimit(RLIMIT_FSIZE, &old);
	tight = (struct rlimit){ 4096, old.rlim_max };
	OK_INT(fs->ops->open(fs, "full", ENT_OPEN_WRITE | ENT_OPEN_CREATE, 0600, &f, &err), 0);
	setrlimit(RLIMIT_FSIZE, &tight);
	char page[8192] = { 0 };
	OK_INT(f->ops->write_at(f, 0, page, sizeof page, &err), ENT_ENOSPACE, "a write that does not fit whole is an error");
	setrlimit(RLIMIT_FSIZE, &old);
	OK(err.next[0], "what to do is said");
	ent_file_closep(&f);
}

static void count_name(void *arg, const char *name)
{
	(void)name;
	++*(int *)arg;
}

static void names(void)
{
	static const char *const bad[] = { "", "/etc/passwd", "../x", "a/../b", "a//b", "a/", "./a" };
	struct ent_file *f = NULL;
	struct ent_buf b = ENT_BUF(100);
	char outside[128], link[128];
	int refused = 0, names = 0;
	uint64_t space = 0;
	for (size_t i = 0; i < ENT_COUNT(bad); i++)
		refused += fs->ops->open(fs, bad[i], ENT_OPEN_READ, 0, &f, &err) == ENT_EIO;
	OK_INT(refused, ENT_COUNT(bad), "paths out of the root are refused");
	snprintf(outside, sizeof outside, "/etc/passwd");
	snprintf(link, sizeof link, "%s/link", root);
	OK(!symlink(outside, link) && fs->ops->open(fs, "link", ENT_OPEN_READ, 0, &f, &err), "symbolic links are not followed");
	OK_INT(fs->ops->mkdir(fs, "l/m/n", 0700, &err), 0);
	OK_INT(fs->ops->mkdir(fs, "l/m/n", 0700, &err), 0, "again is fine");
	OK_INT(ent_fs_replace(fs, "l/m/n/file", ent_bytes_str("one"), 0600, &err), 0);
	OK_INT(ent_fs_replace(fs, "l/m/n/file", ent_bytes_str("two!"), 0600, &err), 0);
	OK(!ent_fs_read(fs, "l/m/n/file", 100, &b, &err) && !strcmp(ent_buf_text(&b), "two!"), "replaced");
	OK(!fs->ops->list(fs, "l/m/n", count_name, &names, &err) && names == 1, "no temporary file left");
	OK_INT(fs->ops->list(fs, "nowhere", count_name, &names, &err), ENT_ENOTFOUND);
	OK_INT(fs->ops->rename(fs, "l/m", "k", &err), 0);
	OK_INT(fs->ops->mkdir(fs, "l/m/n", 0700, &err), 0);
	OK_INT(fs->ops->sync_dir(fs, "l/m/n", &err), 0, "a folder that took the name of another is synced itself");
	OK_INT(fs->ops->sync_dir(fs, "gone", &err), ENT_ENOTFOUND);
	OK_INT(fs->ops->remove(fs, "k/n/file", &err), 0);
	OK_INT(fs->ops->remove(fs, "k/n", &err), 0, "an empty folder can be removed");
	OK_INT(fs->ops->remove(fs, "k/n", &err), ENT_ENOTFOUND);
	OK(!fs->ops->space(fs, &space, &err) && space > 0, "space");
	ent_buf_deinit(&b);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

int main(void)
{
	char away[64];
	signal(SIGXFSZ, SIG_IGN);
	ENT_ASSERT(mkdtemp(root));
	OK_INT(ent_disk_new("/nonexistent/x", true, &fs, &err), ENT_ENOTFOUND);
	OK_INT(ent_disk_new(root, false, &fs, &err), 0);
	files();
	full();
	names();
	snprintf(away, sizeof away, "%s.moved", root);
	OK(!rename(root, away) && !ent_fs_replace(fs, "after", ent_bytes_str("x"), 0600, &err), "the root may be renamed while in use");
	ent_disk_free(fs);
	OK_INT(nftw(away, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0, "clean up");
	uint8_t r[64] = { 0 }, zero[64] = { 0 };
	OK(!ent_system_random()->fill(NULL, r, sizeof r, &err) && memcmp(r, zero, sizeof r), "randomness");
	return tap_done();
}
