/* Loads our own modules (connectors, engines) from the install folder, the build tree, or where ENTENTE_MODULES says. */
#ifndef ENT_OS_LOADER_H
#define ENT_OS_LOADER_H
#include "base/err.h"

/* Folders looked at, ':'-separated: ENTENTE_MODULES alone when set; else <exe>/../lib/entente/modules, and for a program run from its
 * build tree the folders <tree>/connectors/<name> and <tree>/engines/<name>. */
struct ent_loader;
int ent_loader_new(struct ent_loader **ret, struct ent_err *err);
void ent_loader_free(struct ent_loader *l); /* modules stay loaded: they may own threads */
/* dlopen of <folder>/<name>.so, first found, and its symbol. ENT_ENOTFOUND when no folder has it, ENT_EUNSUPPORTED when it cannot be loaded (why
 * says). */
int ent_loader_symbol(struct ent_loader *l, const char *module, const char *symbol, void **ret, struct ent_err *err);
/* Calls each for every module name found (without .so), each once. */
int ent_loader_list(struct ent_loader *l, void (*each)(void *arg, const char *module), void *arg, struct ent_err *err);
#endif
