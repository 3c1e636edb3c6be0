/* Listing a folder, and the manifest in a cursor. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "folder.h"

#define FILES_MAX ((size_t)1 << 20)
#define SETTLE_NS 1000000000ll /* two files of one tick of the clock must both be there before either is taken */

void ent_folder_list_deinit(struct ent_folder_list *l)
{
	free(l->entries);
	*l = (struct ent_folder_list){ 0 };
}

int64_t ent_folder_settled_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec - SETTLE_NS;
}

static int64_t ns_of(struct timespec t) { return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec; }

int ent_folder_entry_read(const char *path, const char *name, struct ent_folder_entry *ret, struct ent_err *err)
{
	char whole[8192], why[100];
	struct stat st;
	snprintf(whole, sizeof whole, "%s/%s", path, name);
	if (strlen(name) > ENT_FOLDER_NAME_MAX || stat(whole, &st) != 0) {
		int code = errno == ENOENT ? ENT_ENOTFOUND : ENT_EIO;
		ent_fail(err, code, "there is no file %.200s in %.100s", name, path);
		return ent_why(err, "%s", strerror_r(errno, why, sizeof why)), code;
	}
	if (!S_ISREG(st.st_mode))
		return ent_fail(err, ENT_EDATA, "%.200s is not a file", name);
	*ret = (struct ent_folder_entry){ .bytes = (uint64_t)st.st_size, .modified_ns = ns_of(st.st_mtim), .changed_ns = ns_of(st.st_ctim) };
	snprintf(ret->name, sizeof ret->name, "%s", name);
	return 0;
}

static int in_order(const void *a, const void *b)
{
	const struct ent_folder_entry *x = (const struct ent_folder_entry *)a, *y = (const struct ent_folder_entry *)b;
	if (x->changed_ns != y->changed_ns)
		return x->changed_ns < y->changed_ns ? -1 : 1;
	return strcmp(x->name, y->name);
}

static bool readable(const struct ent_host *host, const char *name)
{
	const char *dot = strrchr(name, '.');
	return name[0] != '.' && name[0] != '_' && dot && dot[1] && host->files(host->self, dot + 1);
}

static int entry_add(struct ent_folder_list *l, const struct ent_folder_entry *e, struct ent_err *err)
{
	if (l->n == FILES_MAX)
		return ent_fail(err, ENT_EUNSUPPORTED, "the folder has more than %zu files", FILES_MAX);
	if (l->n % 256 == 0) {
		struct ent_folder_entry *more = (struct ent_folder_entry *)realloc(l->entries, (l->n + 256) * sizeof *more);
		if (!more)
			return ent_nomem(err);
		l->entries = more;
	}
	l->entries[l->n++] = *e;
	return 0;
}

static void closedirp(DIR **d)
{
	if (*d)
		closedir(*d);
}

int ent_folder_list_read(const struct ent_host *host, const char *path, int64_t until_ns, struct ent_folder_list *ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_folder_list_deinit) struct ent_folder_list l = { 0 };
	ENT_CLEANUP(closedirp) DIR *dir = opendir(path);
	struct dirent *d;
	char why[100];
	if (!dir) {
		int code = errno == ENOENT || errno == ENOTDIR ? ENT_ENOTFOUND : errno == EACCES ? ENT_EDENIED : ENT_EIO;
		ent_fail(err, code, "the folder %.200s cannot be read", path);
		return ent_why(err, "%s", strerror_r(errno, why, sizeof why)), code;
	}
	while ((d = readdir(dir))) {
		struct ent_folder_entry e;
		if (!readable(host, d->d_name) || ent_folder_entry_read(path, d->d_name, &e, NULL))
			continue;
		if (e.changed_ns <= until_ns)
			ENT_TRY(entry_add(&l, &e, err));
	}
	if (l.n)
		qsort(l.entries, l.n, sizeof *l.entries, in_order);
	*ret = l;
	l = (struct ent_folder_list){ 0 };
	return 0;
}

/* --- cursors: "CHANGED N SUM NAME" --- */

bool ent_folder_cursor_parse(const char *text, struct ent_folder_cursor *ret)
{
	long long changed;
	unsigned long long n, sum;
	int at = 0;
	if (sscanf(text, "%lld %llu %llx %n", &changed, &n, &sum, &at) != 3 || !at || !text[at] || strlen(text + at) > ENT_FOLDER_NAME_MAX)
		return false;
	*ret = (struct ent_folder_cursor){ .changed_ns = changed, .n = n, .sum = sum };
	snprintf(ret->name, sizeof ret->name, "%s", n ? text + at : "");
	return true;
}

void ent_folder_cursor_text(const struct ent_folder_cursor *c, char out[400])
{
	snprintf(out, 400, "%lld %llu %016llx %s", (long long)c->changed_ns, (unsigned long long)c->n, (unsigned long long)c->sum,
		 c->n ? c->name : "-");
}

static uint64_t mixed(const struct ent_folder_entry *e)
{
	char text[400];
	int len = snprintf(text, sizeof text, "%llu %lld %s", (unsigned long long)e->bytes, (long long)e->modified_ns, e->name);
	uint64_t h = 0xcbf29ce484222325u;
	for (int i = 0; i < len; i++)
		h = (h ^ (uint8_t)text[i]) * 0x100000001b3u;
	return (h ^ h >> 31) * 0x9e3779b97f4a7c15u;
}

void ent_folder_cursor_take(struct ent_folder_cursor *c, const struct ent_folder_entry *e)
{
	c->n++;
	c->sum += mixed(e);
	c->changed_ns = e->changed_ns;
	snprintf(c->name, sizeof c->name, "%s", e->name);
}

int ent_folder_cursor_order(const struct ent_folder_cursor *c, const struct ent_folder_entry *e)
{
	if (!c->n)
		return -1;
	if (c->changed_ns != e->changed_ns)
		return c->changed_ns < e->changed_ns ? -1 : 1;
	return strcmp(c->name, e->name);
}

int ent_folder_cursor_check(const struct ent_folder_cursor *c, const struct ent_folder_list *l, size_t *ret_at, struct ent_err *err)
{
	struct ent_folder_cursor now = { 0 };
	size_t at = 0;
	while (at < l->n && ent_folder_cursor_order(c, &l->entries[at]) >= 0)
		ent_folder_cursor_take(&now, &l->entries[at++]);
	*ret_at = at;
#ifndef ENT_MUTANT_FOLDER_TRUSTED
	if (now.n != c->n || now.sum != c->sum) {
		ent_fail(err, ENT_EDATA, "a file of the folder that was taken already changed or went away");
		ent_why(err, "%llu files up to %.100s were taken; %llu of that time are there, or not the same", (unsigned long long)c->n, c->name,
			(unsigned long long)now.n);
		return ent_next(err, "put them back as they were, or begin a new stream; new files come under new names"), ENT_EDATA;
	}
#endif
	return 0;
}
