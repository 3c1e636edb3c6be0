/* A list of the process, since the lock that it makes up for is one of the process. */
#include "duck_claim.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ent_duck_claim {
	struct ent_duck_claim *next;
	bool writes;
	duckdb_database db; /* shared by refs writers; NULL: nothing is shared */
	unsigned refs;
	char path[PATH_MAX]; /* canonical, but for the last part of a file that is not there */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct ent_duck_claim *claims;

static int canonical(const char *path, char ret[PATH_MAX], struct ent_err *err)
{
	char folder[PATH_MAX], real[PATH_MAX], last[PATH_MAX];
	if (realpath(path, ret))
		return 0;
	if (errno != ENOENT || snprintf(folder, sizeof folder, "%s", path) >= PATH_MAX)
		return ent_fail(err, ENT_ENOTFOUND, "the database %.200s cannot be reached", path);
	snprintf(last, sizeof last, "%s", path);
	if (!realpath(dirname(folder), real))
		return ent_fail(err, ENT_ENOTFOUND, "there is no folder for the database %.200s", path);
	if (snprintf(ret, PATH_MAX, "%s/%s", strcmp(real, "/") ? real : "", basename(last)) >= PATH_MAX)
		return ent_fail(err, ENT_EUSAGE, "the path %.200s is too long", path);
	return 0;
}

static bool taken(const struct ent_duck_claim *want)
{
	for (const struct ent_duck_claim *c = claims; c; c = c->next)
		if ((c->writes || want->writes) && !strcmp(c->path, want->path))
			return true;
	return false;
}

static int enlist(struct ent_duck_claim *c, struct ent_err *err)
{
	int code = 0;
	pthread_mutex_lock(&lock);
	if (taken(c)) {
		code = ent_fail(err, ENT_EAGAIN, "the database %.200s is open in this process already, for writing or by this job", c->path);
		ent_next(err, "wait for the job that has it, or name another file");
	} else {
		c->next = claims;
		claims = c;
	}
	pthread_mutex_unlock(&lock);
	return code;
}

int ent_duck_claim(const char *path, bool writes, struct ent_duck_claim **ret, struct ent_err *err)
{
	struct ent_duck_claim *c = (struct ent_duck_claim *)calloc(1, sizeof *c);
	if (!c)
		return ent_nomem(err);
	c->writes = writes;
	int code = canonical(path, c->path, err);
	code = code ? code : enlist(c, err);
	if (code)
		free(c);
	else
		*ret = c;
	return code;
}

static struct ent_duck_claim *shared_find(const char *path)
{
	for (struct ent_duck_claim *c = claims; c; c = c->next)
		if (c->db && !strcmp(c->path, path)) {
			c->refs++;
			return c;
		}
	return NULL;
}

int ent_duck_claim_shared(const char *path, duckdb_database *db, int *ret_first, struct ent_duck_claim **ret, struct ent_err *err)
{
	char real[PATH_MAX];
	ENT_TRY(canonical(path, real, err));
	pthread_mutex_lock(&lock);
	struct ent_duck_claim *c = shared_find(real);
	pthread_mutex_unlock(&lock);
	*ret_first = !c;
	if (!c)
		return ent_duck_claim(path, true, ret, err);
	duckdb_close(db);
	*db = c->db;
	*ret = c;
	return 0;
}

void ent_duck_share(struct ent_duck_claim *c, duckdb_database db)
{
	pthread_mutex_lock(&lock);
	c->db = db;
	c->refs = 1;
	pthread_mutex_unlock(&lock);
}

int ent_duck_is_shared(const struct ent_duck_claim *c) { return c && c->db; }

void ent_duck_unclaim(struct ent_duck_claim **c)
{
	if (!*c)
		return;
	pthread_mutex_lock(&lock);
	bool last = !(*c)->db || !--(*c)->refs;
	struct ent_duck_claim **at = &claims;
	while (last && *at != *c)
		at = &(*at)->next;
	if (last) {
		if ((*c)->db)
			duckdb_close(&(*c)->db);
		*at = (*c)->next;
		free(*c);
	}
	pthread_mutex_unlock(&lock);
	*c = NULL;
}
