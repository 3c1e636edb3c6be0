/* Addresses of stores, and the password files beside them, for connectors that make their own connections:
 *
 *   SCHEME://[USER[:PASSWORD]@][HOST[:PORT][,HOST...]][/PATH][?NAME=VALUE&...]
 *
 * Every part may be percent-encoded; [..] holds an IPv6 address; the last port named counts for all hosts. */
#ifndef ENT_DIAL_ADDRESS_H
#define ENT_DIAL_ADDRESS_H
#include "base/err.h"

#define ENT_ADDRESS_HOSTS 8
#define ENT_PASSWORD_BYTES 1024

struct ent_address_form {    /* what a connector says about its addresses */
	const char *store;   /* "Cassandra", for messages */
	const char *example; /* what to write instead of a wrong one */
	uint16_t port;       /* where none is named */
	/* One decoded parameter; refuses names it does not know. NULL: there are none. */
	int (*parameter)(void *self, const char *name, const char *value, struct ent_err *err);
};

struct ent_address {
	char user[256], password[ENT_PASSWORD_BYTES]; /* "" when not named */
	char hosts[ENT_ADDRESS_HOSTS][256];           /* without the brackets of IPv6 */
	size_t n_hosts;                               /* 0: none is named */
	uint16_t port;
	char path[4096]; /* what follows the first / */
};

/* The scheme is the caller's to check. ENT_EUSAGE with the form's example. */
int ent_address_parse(const char *url, const struct ent_address_form *form, void *self, struct ent_address *ret, struct ent_err *err);
void ent_address_wipe(struct ent_address *a); /* the password */
/* "this is no STORE address", why, and the example. */
int ent_address_wrong(const struct ent_address_form *form, const char *why, struct ent_err *err);

/* The whole file without the ends of lines behind it. ENT_ENOTFOUND, ENT_EIO; ENT_EDATA when it is empty, too long or holds a NUL. */
int ent_password_read(const char *path, char ret[ENT_PASSWORD_BYTES], struct ent_err *err);
#endif
