/* The file vtable on a real folder. Everything is opened relative to the root's descriptor, so renaming HOME while running harms nothing. */
#ifndef ENT_OS_DISK_H
#define ENT_OS_DISK_H
#include "base/file.h"

/* root is made (0700) when create is true and it is missing. Paths with "..", empty parts or a leading '/' are refused (ENT_EIO).
 * Opened folders are kept for sync_dir. Any thread; one file by one thread at a time. */
int ent_disk_new(const char *root, bool create, struct ent_fs **ret, struct ent_err *err);
void ent_disk_free(struct ent_fs *fs); /* files opened from it must be closed before; NULL is fine */
int ent_disk_fd(struct ent_fs *fs);    /* descriptor of the root, lent */
#endif
