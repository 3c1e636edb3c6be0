#include "os/loader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tap.h"

static void count(void *arg, const char *name) { *(int *)arg += !strcmp(name, "broken"); }

int main(void)
{
	char dir[] = "/tmp/entente-load-XXXXXX", path[64];
	struct ent_loader *l = NULL;
	struct ent_err err = ENT_ERR_INIT;
	void *symbol = NULL;
	int seen = 0;
	ENT_ASSERT(mkdtemp(dir));
	setenv("ENTENTE_MODULES", dir, 1);
	snprintf(path, sizeof path, "%s/broken.so", dir);
	FILE *f = fopen(path, "w");
	fputs("not a shared object", f);
	fclose(f);
	OK_INT(ent_loader_new(&l, &err), 0);
	OK_INT(ent_loader_symbol(l, "missing", "x", &symbol, &err), ENT_ENOTFOUND);
	OK(strstr(err.what, "missing") && strstr(err.why, dir) && err.next[0], "what, why, next");
	OK_INT(ent_loader_symbol(l, "broken", "x", &symbol, &err), ENT_EUNSUPPORTED, "a broken module is told from a missing one");
	OK_INT(ent_loader_symbol(l, "../broken", "x", &symbol, &err), ENT_ENOTFOUND, "names with slashes are no modules");
	OK(!ent_loader_list(l, count, &seen, &err) && seen == 1, "listed once");
	ent_loader_free(l);
	remove(path);
	rmdir(dir);
	return tap_done();
}
