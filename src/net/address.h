/* HOST:PORT texts, and the sockets made from them. Private to net. */
#ifndef ENT_NET_ADDRESS_H
#define ENT_NET_ADDRESS_H
#include <netdb.h>

#include "base/bytes.h"

struct ent_address {
	char host[256]; /* "" for the wildcard '*' */
	char port[6];
};

/* HOST:PORT, [V6]:PORT or *:PORT. ENT_ECONFIG. */
int ent_address_parse(const char *text, struct ent_address *ret, struct ent_err *err);
/* A listening, non-blocking socket; the port really bound. ENT_ECONFIG, ENT_EIO. */
int ent_address_listen(const char *text, int *ret_fd, uint16_t *ret_port, struct ent_err *err);
/* Blocks for names, not for numbers. ENT_EPEER when the name has no address. */
int ent_address_resolve(const char *text, bool numbers_only, struct addrinfo **ret, struct ent_err *err);
/* Starts a non-blocking connect with TCP_NODELAY; -1 and errno on failure at once. */
int ent_address_connect(const struct addrinfo *to);
/* "10.0.0.7:4711" of the other end, for messages. */
void ent_address_peer(int fd, char out[64]);
/* Options every party connection has. */
void ent_address_tune(int fd);
#endif
