/* What a NameNode or DataNode says, decoded: foreign bytes, JSON. */
#ifndef ENT_HDFS_ANSWER_H
#define ENT_HDFS_ANSWER_H
#include "base/bytes.h"

#define ENT_HDFS_ANSWER_MAX ((size_t)1 << 20)

struct ent_hdfs_status {                       /* of GETFILESTATUS */
	uint64_t length, modified_ms, file_id; /* file_id 0: not told */
	bool folder;
};
int ent_hdfs_status_read(struct ent_bytes body, struct ent_hdfs_status *ret, struct ent_err *err);
/* {"boolean": true} */
int ent_hdfs_boolean_read(struct ent_bytes body, bool *ret, struct ent_err *err);
/* {"Location": url}; ENT_EDATA when it does not fit. */
int ent_hdfs_location_read(struct ent_bytes body, char *out, size_t out_size, struct ent_err *err);
/* Fills err from {"RemoteException": {exception, message}}, without the Java stack that follows the message; what: what was tried. Also for
 * bodies that are no JSON. Returns the code. */
int ent_hdfs_error_read(long status, struct ent_bytes body, const char *what, struct ent_err *err);
#endif
