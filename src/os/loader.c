#include "os/loader.h"

#include <dirent.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FOLDERS_MAX 32
#define PATH_LEN 1024

struct ent_loader {
	size_t count;
	char folders[FOLDERS_MAX][PATH_LEN];
};

static void add(struct ent_loader *l, const char *folder, size_t len)
{
	if (len && len < PATH_LEN && l->count < FOLDERS_MAX)
		snprintf(l->folders[l->count++], PATH_LEN, "%.*s", (int)len, folder);
}

static void add_listed(struct ent_loader *l, const char *list)
{
	while (*list) {
		size_t n = strcspn(list, ":");
		add(l, list, n);
		list += n + (list[n] == ':');
	}
}

static void closedirp(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

/* Every folder below base: a build tree keeps each module in its own. */
static void add_children(struct ent_loader *l, const char *base)
{
	ENT_CLEANUP(closedirp) DIR *dir = opendir(base);
	struct dirent *e;
	while (dir && (e = readdir(dir))) {
		char path[PATH_LEN];
		int n = e->d_name[0] == '.' ? -1 : snprintf(path, sizeof path, "%s/%s", base, e->d_name);
		if (n > 0 && (size_t)n < sizeof path && e->d_type == DT_DIR && !strstr(e->d_name, ".so.p"))
			add(l, path, (size_t)n);
	}
}

/* The folder that holds the running program. */
static bool exe_folder(char out[PATH_LEN])
{
	ssize_t n = readlink("/proc/self/exe", out, PATH_LEN - 1);
	if (n <= 0)
		return false;
	out[n] = 0;
	char *slash = strrchr(out, '/');
	if (!slash)
		return false;
	*slash = 0;
	return true;
}

static void add_default(struct ent_loader *l)
{
	char exe[PATH_LEN], path[PATH_LEN + 64];
	if (!exe_folder(exe))
		return;
	snprintf(path, sizeof path, "%s/../lib/entente/modules", exe);
	add(l, path, strlen(path));
	for (int up = 0; up < 4; up++) { /* programs of the build tree sit up to four folders deep */
		snprintf(path, sizeof path, "%s/build.ninja", exe);
		if (!access(path, F_OK)) {
			snprintf(path, sizeof path, "%s/connectors", exe);
			add_children(l, path);
			snprintf(path, sizeof path, "%s/engines", exe);
			add_children(l, path);
			return;
		}
		char *slash = strrchr(exe, '/');
		if (!slash || slash == exe)
			return;
		*slash = 0;
	}
}

int ent_loader_new(struct ent_loader **ret, struct ent_err *err)
{
	struct ent_loader *l = ent_alloc(1, sizeof *l);
	const char *listed = getenv("ENTENTE_MODULES");
	if (!l)
		return ent_nomem(err);
	if (listed && *listed)
		add_listed(l, listed);
	else
		add_default(l);
	*ret = l;
	return 0;
}

void ent_loader_free(struct ent_loader *l) { free(l); }

static int load(const char *path, const char *symbol, void **ret, struct ent_err *err)
{
	void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL), *found = module ? dlsym(module, symbol) : NULL;
	const char *why = found ? NULL : dlerror();
	if (found) {
		*ret = found;
		return 0;
	}
	ent_fail(err, ENT_EUNSUPPORTED, "the module %s cannot be used", path);
	ent_why(err, "%s", why ? why : "unknown");
	ent_next(err, "install the library it needs, or remove the module");
	return ENT_EUNSUPPORTED;
}

int ent_loader_symbol(struct ent_loader *l, const char *module, const char *symbol, void **ret, struct ent_err *err)
{
	char path[PATH_LEN + 128];
	if (!*module || strlen(module) > 60 || strchr(module, '/'))
		return ent_fail(err, ENT_ENOTFOUND, "no module can have this name");
	for (size_t i = 0; i < l->count; i++) {
		snprintf(path, sizeof path, "%s/%s.so", l->folders[i], module);
		if (!access(path, R_OK))
			return load(path, symbol, ret, err);
	}
	ent_fail(err, ENT_ENOTFOUND, "there is no module '%s'", module);
	ent_why(err, "looked in %zu folder%s, first %s", l->count, l->count == 1 ? "" : "s", l->count ? l->folders[0] : "(none)");
	ent_next(err, "install it, or name its folder in ENTENTE_MODULES");
	return ENT_ENOTFOUND;
}

static bool module_name(const char *file, char out[64])
{
	size_t n = strlen(file);
	if (n < 4 || n - 3 > 60 || strcmp(file + n - 3, ".so") != 0)
		return false;
	snprintf(out, 64, "%.*s", (int)(n - 3), file);
	return true;
}

static bool earlier_has(const struct ent_loader *l, size_t before, const char *file)
{
	char path[PATH_LEN + 300];
	for (size_t i = 0; i < before; i++) {
		snprintf(path, sizeof path, "%s/%s", l->folders[i], file);
		if (!access(path, F_OK))
			return true;
	}
	return false;
}

int ent_loader_list(struct ent_loader *l, void (*each)(void *arg, const char *module), void *arg, struct ent_err *err)
{
	(void)err;
	for (size_t i = 0; i < l->count; i++) {
		ENT_CLEANUP(closedirp) DIR *dir = opendir(l->folders[i]);
		struct dirent *e;
		char name[64];
		while (dir && (e = readdir(dir)))
			if (module_name(e->d_name, name) && !earlier_has(l, i, e->d_name))
				each(arg, name);
	}
	return 0;
}
