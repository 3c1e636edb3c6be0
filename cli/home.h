/* HOME without a running node: takes its lock and answers the same requests, and makes new homes. Wiring only. */
#ifndef ENT_CLI_HOME_H
#define ENT_CLI_HOME_H
#include "base/json.h"

struct ent_home;

/* The folder -C names, else ENTENTE_HOME, else ~/.local/share/entente. */
int ent_home_path(const char *given, struct ent_buf *ret, struct ent_err *err);
struct ent_fs;
/* The folder as the file vtable (ent_disk_free). ENT_ECONFIG: no such folder. */
int ent_home_disk(const char *path, struct ent_fs **ret, struct ent_err *err);
/* ENT_EAGAIN: a node or command has it locked. ENT_ECONFIG: no home there. */
int ent_home_open(const char *path, struct ent_home **ret, struct ent_err *err);
void ent_home_close(struct ent_home *home);
/* One request, answered before this returns; probing a source happens here, on this thread's time. *ret_answer is a new reference (may
 * be NULL on failure), content is appended. Verbs: src/node/README.md; those that need peers fail with ENT_ENONODE. */
int ent_home_request(struct ent_home *home, const char *verb, const json_t *args, json_t **ret_answer, struct ent_buf *content, struct ent_err *err);
/* Makes a new home; see ent_node_init. */
int ent_home_init(const char *path, const json_t *args, json_t **ret_answer, struct ent_err *err);
/* `entente serve`: runs until SIGTERM or SIGINT; returns 0 after a clean stop. */
int ent_serve(const char *path, struct ent_err *err);
#endif
