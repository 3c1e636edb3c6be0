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

void ent_duck_unclaim(struct ent_duck_claim **c)
{
	if (!*c)
		return;
	pthread_mutex_lock(&lock);
	struct ent_duck_claim **at = &claims;
	while (*at != *c)
		at = &(*at)->next;
	*at = (*c)->next;
	pthread_mutex_unlock(&lock);
	free(*c);
	*c = NULL;
}
