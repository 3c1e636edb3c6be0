/* TLS 1.3 sessions over a connected, non-blocking stream socket: mutual, self-signed, pinned by the raw Ed25519 key of the peer's certificate.
 *
 * ALPN "entente/1", AES-128-GCM preferred, no resumption, no tickets, no early data, no renegotiation. Nothing of X.509 is trusted
 * but the key: the pin callback alone decides. A session belongs to one thread at a time and never waits: calls that cannot go on
 * return ENT_EAGAIN and say in *ret_want which readiness of the socket to poll for. */
#ifndef ENT_CRYPTO_TLS_H
#define ENT_CRYPTO_TLS_H
#include "base/bytes.h"
#include "crypto/sign.h"

struct ent_tls_identity; /* key and certificate, shared by all sessions; immutable, any thread */
struct ent_tls;

enum ent_tls_want { ENT_TLS_WANT_READ = 1, ENT_TLS_WANT_WRITE = 2 }; /* bits */

/* Makes the certificate (CN = org, valid from 2000 to 9999: clocks of members may differ; trust comes from the pin). */
int ent_tls_identity_new(const char *org, const uint8_t secret[ENT_SIGN_KEY_LEN], struct ent_tls_identity **ret, struct ent_err *err);
/* The same key and certificate for HTTP over TLS: ALPN http/1.1 or none, and a client may come without a certificate: then no pin is asked and
 * ent_tls_peer_key says false. */
int ent_tls_identity_web_new(const char *org, const uint8_t secret[ENT_SIGN_KEY_LEN], struct ent_tls_identity **ret, struct ent_err *err);
void ent_tls_identity_free(struct ent_tls_identity *id); /* sessions may outlive it; NULL is fine */
/* DER of the certificate, lent. */
struct ent_bytes ent_tls_identity_cert(const struct ent_tls_identity *id);
/* For HTTP clients that want it so: the secret key as PEM (PKCS #8; wipe it), the pin of a peer's key as "sha256//BASE64" of its SPKI. */
#define ENT_TLS_KEY_PEM_LEN 119
void ent_tls_key_pem(const uint8_t secret[ENT_SIGN_KEY_LEN], char ret[ENT_TLS_KEY_PEM_LEN + 1]);
#define ENT_TLS_PIN_LEN 52
void ent_tls_key_pin(const uint8_t public_key[ENT_SIGN_KEY_LEN], char ret[ENT_TLS_PIN_LEN + 1]);

/* Called once during the handshake with the peer's raw key; false refuses (the handshake fails with ENT_EDENIED). */
typedef bool (*ent_tls_pin_fn)(void *arg, const uint8_t public_key[ENT_SIGN_KEY_LEN]);

/* fd is borrowed: it must outlive the session and is not closed by it. */
int ent_tls_new(struct ent_tls_identity *id, int fd, bool server, ent_tls_pin_fn pin, void *pin_arg, struct ent_tls **ret, struct ent_err *err);
void ent_tls_free(struct ent_tls *t); /* sends close_notify when possible; NULL is fine */

/* 0 when the handshake is done; ENT_EAGAIN; ENT_EDENIED (pin refused, by us or by them), ENT_EPEER (anything else). */
int ent_tls_handshake(struct ent_tls *t, int *ret_want, struct ent_err *err);
/* The peer's raw key once the handshake is done; false: it showed none. */
bool ent_tls_peer_key(const struct ent_tls *t, uint8_t ret[ENT_SIGN_KEY_LEN]);
/* At least one byte, or ENT_EAGAIN, or ENT_EPEER (closed, reset, bad record). */
int ent_tls_read(struct ent_tls *t, void *buf, size_t len, size_t *ret_len, int *ret_want, struct ent_err *err);
/* Takes some bytes into records and pushes them; *ret_len is how many were taken (may be > 0 along with records still unsent: see flush). */
int ent_tls_write(struct ent_tls *t, const void *buf, size_t len, size_t *ret_len, int *ret_want, struct ent_err *err);
/* Pushes records the socket did not take yet. 0 when nothing is left. */
int ent_tls_flush(struct ent_tls *t, int *ret_want, struct ent_err *err);
bool ent_tls_pending(const struct ent_tls *t); /* received bytes wait inside the session: read before polling */
/* Changes the sending key after this many records instead of 2^22; for tests of the change. */
void ent_tls_rekey_after(struct ent_tls *t, uint64_t records);
const char *ent_tls_cipher(const struct ent_tls *t);
#endif
