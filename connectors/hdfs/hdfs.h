/* HDFS over WebHDFS (HTTP, REST): what the files of this module share. */
#ifndef ENT_HDFS_H
#define ENT_HDFS_H
#include <curl/curl.h>

#include "../objects/object_store.h"
#include "hdfs_answer.h"

#define ENT_HDFS_HOSTS 8
#define ENT_HDFS_URL_MAX 8192

struct ent_hdfs_settings {
	char hosts[ENT_HDFS_HOSTS][256]; /* NameNodes: one is active */
	size_t n_hosts;
	char port[8], user[128], path[ENT_OBJECT_PATH_MAX];
	bool tls, named; /* named: the certificate must be for the host */
	char ca_file[ENT_OBJECT_PATH_MAX];
	char token[4096]; /* a delegation token, or "" */
};
/* hdfs://[USER@]HOST[,HOST...][:PORT]/PATH[?tls=verify-full|verify-ca|off]. Sets taken[i] for options that are ours. ENT_EUSAGE and others. */
int ent_hdfs_settings_make(const char *url, const struct ent_option *options, size_t n_options, bool *taken, struct ent_hdfs_settings *ret,
			   struct ent_err *err);

struct ent_hdfs {
	struct ent_host host;
	struct ent_hdfs_settings settings;
	size_t active; /* the NameNode that answered last */
	CURL *curl;
};

enum ent_hdfs_method { ENT_HDFS_GET, ENT_HDFS_PUT, ENT_HDFS_DELETE };

struct ent_hdfs_call { /* one request; who answers in what */
	enum ent_hdfs_method method;
	const char *url;
	int upload_fd; /* with PUT: the body, upload_len bytes of it from its start; -1: no body */
	uint64_t upload_len;
	int fd; /* a body of status 200 goes here; -1: into body */
	uint64_t fd_max;
	struct ent_buf body;             /* out: the body, or an error's; the caller frees */
	uint64_t written;                /* out: bytes given to fd */
	long status;                     /* out */
	char location[ENT_HDFS_URL_MAX]; /* out: of a redirect, which is never followed here */
	bool unreached;                  /* out: nothing was sent: no such host, refused, no TLS */
};
/* 0 when an answer came, whatever its status. ENT_EPEER, ENT_ECANCELLED, ENT_EIO, ENT_ENOSPACE otherwise. */
int ent_hdfs_call(struct ent_hdfs *h, struct ent_hdfs_call *c, struct ent_err *err);
void ent_hdfs_call_deinit(struct ent_hdfs_call *c);

/* One operation at the NameNode: "op=GETFILESTATUS&...", path and the rest escaped here. Tries every NameNode; waits out safe starts and
 * changes of the active one. c->body holds the answer's JSON; an error's is in err, with the exception's name. */
int ent_hdfs_ask(struct ent_hdfs *h, enum ent_hdfs_method method, const char *path, const char *query, struct ent_hdfs_call *c, struct ent_err *err);
void ent_hdfs_escape(struct ent_buf *out, const char *text, bool keep_slashes);
/* Waits before try number n (from 0), longer each time; false when it is time to give up, or the job was cancelled. */
bool ent_hdfs_wait(const struct ent_hdfs *h, unsigned n);

extern const struct ent_object_store_ops ent_hdfs_ops;
#endif
