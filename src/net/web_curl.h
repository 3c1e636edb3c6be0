/* What the two HTTP clients share: one transfer on a curl handle. Private to net. */
#ifndef ENT_NET_WEB_CURL_H
#define ENT_NET_WEB_CURL_H
#include <curl/curl.h>

#include "base/http.h"

struct ent_web_identity { /* what this side shows to servers that ask */
	uint8_t cert[1024];
	size_t cert_len;
	char key[128]; /* PEM */
};

struct ent_transfer {
	CURL *easy;
	struct curl_slist *headers;
	char *url;
	uint8_t *sent;
	char pin[64];
	struct ent_buf body;
	char error[CURL_ERROR_SIZE];
};

/* url: whole, http or https. Copies what it needs of the request. */
int ent_transfer_init(struct ent_transfer *t, const struct ent_http_request *request, const char *url, const char *agent, size_t body_max,
		      struct ent_err *err);
int ent_transfer_identity(struct ent_transfer *t, const struct ent_web_identity *id); /* copied */
void ent_transfer_deinit(struct ent_transfer *t);
/* Fills answer (the body moves into it) or says why there is none. */
int ent_transfer_result(struct ent_transfer *t, CURLcode code, struct ent_http_answer *ret, struct ent_err *err);
#endif
