/* TLS 1.3 by OpenSSL over a BIO of ours. Outgoing records gather in a buffer and leave in one system call; incoming ones are read many at a time.
 * That, not the cipher, is what decides throughput on a fast network: a call per 16 KB record costs more than encrypting it. OpenSSL's own
 * read-ahead is not used: it moves everything it holds to the front of its buffer at each record. */
#include "crypto/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "crypto/hash.h"
#include "crypto/secret.h"

#define ALPN \
	"\x09" \
	"entente/1"
#define ALPN_WEB \
	"\x08" \
	"http/1.1"
#define TAKE_BYTES (128u << 10) /* plain bytes turned into records per write */
#define OUT_BYTES_MAX (1u << 20)
#define IN_BYTES (128u << 10)
/* AES-GCM allows 2^24.5 full records under one key (RFC 8446 section 5.5); we change keys far earlier. */
#define RECORDS_PER_KEY (1u << 22)
#define RECORD_BYTES 16384u

struct ent_tls_identity {
	bool web;
	atomic_int refs; /* the owner and every session: a session's BIO needs the method */
	EVP_PKEY *key;
	X509 *cert;
	uint8_t *der;
	size_t der_len;
	SSL_CTX *ctx;
	BIO_METHOD *method;
};

struct ent_tls {
	struct ent_tls_identity *id;
	SSL *ssl;
	int fd;
	bool refused, broken, established, ended, shown;
	ent_tls_pin_fn pin;
	void *pin_arg;
	uint8_t peer[ENT_SIGN_KEY_LEN];
	struct ent_buf out;
	size_t out_at;
	uint8_t *in; /* records received and not yet taken by OpenSSL */
	size_t in_at, in_len;
	uint64_t records, records_max;
};

static int out_write(BIO *b, const char *data, int len)
{
	struct ent_tls *t = BIO_get_data(b);
	ent_buf_put(&t->out, data, (size_t)len);
	return t->out.code ? -1 : len;
}

static int in_fill(struct ent_tls *t, BIO *b)
{
	ssize_t n;
	do
		n = recv(t->fd, t->in, IN_BYTES, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	t->ended = n == 0;
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		BIO_set_retry_read(b);
	t->in_at = 0;
	t->in_len = n > 0 ? (size_t)n : 0;
	return n > 0 ? 1 : (int)n;
}

static int in_read(BIO *b, char *data, int len)
{
	struct ent_tls *t = BIO_get_data(b);
	BIO_clear_retry_flags(b);
	if (t->in_at == t->in_len) {
		int filled = in_fill(t, b);
		if (filled <= 0)
			return filled;
	}
	size_t n = t->in_len - t->in_at < (size_t)len ? t->in_len - t->in_at : (size_t)len;
	memcpy(data, t->in + t->in_at, n);
	t->in_at += n;
	return (int)n;
}

static long bio_ctrl(BIO *b, int cmd, long num, void *ptr)
{
	const struct ent_tls *t = BIO_get_data(b);
	(void)num;
	(void)ptr;
	return cmd == BIO_CTRL_FLUSH || (cmd == BIO_CTRL_EOF && t->ended);
}

static bool raw_key(X509 *cert, uint8_t ret[ENT_SIGN_KEY_LEN])
{
	EVP_PKEY *key = cert ? X509_get0_pubkey(cert) : NULL;
	size_t len = ENT_SIGN_KEY_LEN;
	return key && EVP_PKEY_get_id(key) == EVP_PKEY_ED25519 && EVP_PKEY_get_raw_public_key(key, ret, &len) == 1 && len == ENT_SIGN_KEY_LEN;
}

/* Replaces chain building altogether: the pin is the only authority. Possession of the key is proved by CertificateVerify. */
static int verify_peer(X509_STORE_CTX *store, void *arg)
{
	(void)arg;
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct ent_tls *t = SSL_get_app_data(ssl);
	bool ok = raw_key(X509_STORE_CTX_get0_cert(store), t->peer) && t->pin(t->pin_arg, t->peer);
	t->shown = ok;
#ifdef ENT_MUTANT_PIN_SKIPPED
	ok = true;
#endif
	t->refused = !ok;
	X509_STORE_CTX_set_error(store, ok ? X509_V_OK : X509_V_ERR_CERT_REJECTED);
	return ok;
}

static int select_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in, unsigned in_len, void *arg)
{
	const struct ent_tls_identity *id = arg;
	const char *ours = id->web ? ALPN_WEB : ALPN;
	unsigned char *chosen = NULL;
	(void)ssl;
	if (SSL_select_next_proto(&chosen, out_len, (const unsigned char *)ours, (unsigned)strlen(ours), in, in_len) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

/* OpenSSL's macros take text they only read through a pointer that is not const. */
static char *unconst(const char *text) { return (char *)(uintptr_t)text; }

static bool context_setup(struct ent_tls_identity *id)
{
	const char *alpn = id->web ? ALPN_WEB : ALPN;
	SSL_CTX *c = id->ctx = SSL_CTX_new(TLS_method());
	if (!c || !SSL_CTX_set_min_proto_version(c, TLS1_3_VERSION) || !SSL_CTX_set_max_proto_version(c, TLS1_3_VERSION) ||
	    !SSL_CTX_set_ciphersuites(c, "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256") ||
	    !SSL_CTX_set1_groups_list(c, unconst(id->web ? "X25519:P-256" : "X25519")) || !SSL_CTX_set1_sigalgs_list(c, unconst("ed25519")) ||
	    !SSL_CTX_use_certificate(c, id->cert) || !SSL_CTX_use_PrivateKey(c, id->key) || !SSL_CTX_set_num_tickets(c, 0) ||
	    SSL_CTX_set_alpn_protos(c, (const unsigned char *)alpn, (unsigned)strlen(alpn)))
		return false;
	SSL_CTX_set_options(c, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(c, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_max_early_data(c, 0);
	SSL_CTX_set_verify(c, SSL_VERIFY_PEER | (id->web ? 0 : SSL_VERIFY_FAIL_IF_NO_PEER_CERT), NULL);
	SSL_CTX_set_cert_verify_callback(c, verify_peer, NULL);
	SSL_CTX_set_alpn_select_cb(c, select_alpn, id);
	id->method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "entente records");
	return id->method && BIO_meth_set_write(id->method, out_write) && BIO_meth_set_read(id->method, in_read) &&
	       BIO_meth_set_ctrl(id->method, bio_ctrl);
}

/* The serial number comes from the key, so one key always makes the same certificate. */
static bool cert_make(struct ent_tls_identity *id, const char *org)
{
	uint8_t pub[ENT_SIGN_KEY_LEN], hash[ENT_SHA256_LEN];
	size_t len = sizeof pub;
	X509 *x = id->cert = X509_new();
	if (!x || EVP_PKEY_get_raw_public_key(id->key, pub, &len) != 1)
		return false;
	ent_sha256(pub, sizeof pub, hash);
	hash[0] &= 0x7f;
	BIGNUM *serial = BN_bin2bn(hash, 16, NULL);
	bool ok = serial && BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(x));
	BN_free(serial);
	X509_NAME *name = X509_get_subject_name(x);
	ok = ok && X509_set_version(x, X509_VERSION_3) && ASN1_TIME_set_string(X509_getm_notBefore(x), "20000101000000Z") &&
	     ASN1_TIME_set_string(X509_getm_notAfter(x), "99991231235959Z") &&
	     X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)org, -1, -1, 0) && X509_set_issuer_name(x, name) &&
	     X509_set_pubkey(x, id->key) && X509_sign(x, id->key, NULL) > 0;
	int der_len = ok ? i2d_X509(x, &id->der) : -1;
	id->der_len = der_len > 0 ? (size_t)der_len : 0;
	return der_len > 0;
}

static int identity_new(const char *org, const uint8_t secret[ENT_SIGN_KEY_LEN], bool web, struct ent_tls_identity **ret, struct ent_err *err)
{
	struct ent_tls_identity *id = ent_alloc(1, sizeof *id);
	if (!id)
		return ent_nomem(err);
	atomic_init(&id->refs, 1);
	id->web = web;
	id->key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret, ENT_SIGN_KEY_LEN);
	if (!id->key || !cert_make(id, org) || !context_setup(id)) {
		unsigned long e = ERR_get_error();
		ent_tls_identity_free(id);
		ent_fail(err, ENT_EINTERNAL, "could not set up TLS");
		ent_why(err, "%s", e ? ERR_reason_error_string(e) : "the crypto library gave no reason");
		ERR_clear_error();
		return ENT_EINTERNAL;
	}
	*ret = id;
	return 0;
}

int ent_tls_identity_new(const char *org, const uint8_t secret[ENT_SIGN_KEY_LEN], struct ent_tls_identity **ret, struct ent_err *err)
{
	return identity_new(org, secret, false, ret, err);
}

int ent_tls_identity_web_new(const char *org, const uint8_t secret[ENT_SIGN_KEY_LEN], struct ent_tls_identity **ret, struct ent_err *err)
{
	return identity_new(org, secret, true, ret, err);
}

/* RFC 8410: what stands before the 32 raw bytes in PKCS #8 and in SPKI. */
void ent_tls_key_pem(const uint8_t secret[ENT_SIGN_KEY_LEN], char ret[ENT_TLS_KEY_PEM_LEN + 1])
{
	static const uint8_t head[16] = { 0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20 };
	uint8_t der[48];
	char text[ENT_BASE64_LEN(48) + 1];
	memcpy(der, head, sizeof head);
	memcpy(der + sizeof head, secret, ENT_SIGN_KEY_LEN);
	ent_base64(text, der, sizeof der);
	snprintf(ret, ENT_TLS_KEY_PEM_LEN + 1, "-----BEGIN PRIVATE KEY-----\n%s\n-----END PRIVATE KEY-----\n", text);
	ent_wipe(der, sizeof der);
	ent_wipe(text, sizeof text);
}

void ent_tls_key_pin(const uint8_t public_key[ENT_SIGN_KEY_LEN], char ret[ENT_TLS_PIN_LEN + 1])
{
	static const uint8_t head[12] = { 0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0 };
	uint8_t der[44], hash[ENT_SHA256_LEN];
	char text[ENT_BASE64_LEN(ENT_SHA256_LEN) + 1];
	memcpy(der, head, sizeof head);
	memcpy(der + sizeof head, public_key, ENT_SIGN_KEY_LEN);
	ent_sha256(der, sizeof der, hash);
	ent_base64(text, hash, sizeof hash);
	snprintf(ret, ENT_TLS_PIN_LEN + 1, "sha256//%s", text);
}

void ent_tls_identity_free(struct ent_tls_identity *id)
{
	if (!id || atomic_fetch_sub(&id->refs, 1) > 1)
		return;
	SSL_CTX_free(id->ctx);
	BIO_meth_free(id->method);
	X509_free(id->cert);
	EVP_PKEY_free(id->key);
	OPENSSL_free(id->der);
	free(id);
}

struct ent_bytes ent_tls_identity_cert(const struct ent_tls_identity *id) { return ent_bytes(id->der, id->der_len); }

static bool session_setup(struct ent_tls *t, bool server)
{
	t->ssl = SSL_new(t->id->ctx);
	BIO *b = BIO_new(t->id->method);
	t->in = malloc(IN_BYTES);
	if (!t->ssl || !b || !t->in) {
		BIO_free(b);
		return false;
	}
	BIO_set_data(b, t);
	BIO_set_init(b, 1);
	SSL_set_bio(t->ssl, b, b);
	SSL_set_app_data(t->ssl, t);
	if (server)
		SSL_set_accept_state(t->ssl);
	else
		SSL_set_connect_state(t->ssl);
	return true;
}

int ent_tls_new(struct ent_tls_identity *id, int fd, bool server, ent_tls_pin_fn pin, void *pin_arg, struct ent_tls **ret, struct ent_err *err)
{
	struct ent_tls *t = ent_alloc(1, sizeof *t);
	if (!t)
		return ent_nomem(err);
	atomic_fetch_add(&id->refs, 1);
	*t = (struct ent_tls){ .id = id, .fd = fd, .pin = pin, .pin_arg = pin_arg, .out = ENT_BUF(OUT_BYTES_MAX), .records_max = RECORDS_PER_KEY };
	if (!session_setup(t, server)) {
		ent_tls_free(t);
		ERR_clear_error();
		return ent_nomem(err);
	}
	*ret = t;
	return 0;
}

void ent_tls_free(struct ent_tls *t)
{
	int want;
	if (!t)
		return;
	if (t->established && !t->broken) {
		SSL_shutdown(t->ssl);
		ent_tls_flush(t, &want, NULL);
	}
	SSL_free(t->ssl);
	ent_wipe(t->out.data, t->out.cap);
	ent_buf_deinit(&t->out);
	free(t->in);
	ent_tls_identity_free(t->id);
	free(t);
	ERR_clear_error();
}

static bool is_refusal(unsigned long e)
{
	switch (ERR_GET_REASON(e)) {
	case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
	case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
	case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
	case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
		return true;
	}
	return false;
}

/* What a failed OpenSSL call means; ENT_EAGAIN keeps the session, everything else ends it. */
static int outcome(struct ent_tls *t, int result, int *ret_want, struct ent_err *err)
{
	int saved = errno, kind = SSL_get_error(t->ssl, result);
	*ret_want = kind == SSL_ERROR_WANT_WRITE ? ENT_TLS_WANT_WRITE : ENT_TLS_WANT_READ;
	if (kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE)
		return ENT_EAGAIN;
	unsigned long e = ERR_get_error();
	ERR_clear_error();
	t->broken = true;
	if (t->refused) {
		ent_fail(err, ENT_EDENIED, "the peer's TLS key is not the one of a trusted member card");
		ent_next(err, "if the peer has a new card, trust it with --replace");
		return ENT_EDENIED;
	}
	if (is_refusal(e)) {
		ent_fail(err, ENT_EDENIED, "the peer refused our TLS key");
		ent_why(err, "it has not pinned our card, or an older one");
		ent_next(err, "give the peer our card: entente card");
		return ENT_EDENIED;
	}
	ent_fail(err, ENT_EPEER, "the TLS connection to the peer ended");
	ent_why(err, "%s",
		kind == SSL_ERROR_ZERO_RETURN ? "the peer closed it"
		: e                           ? ERR_reason_error_string(e)
		: saved                       ? strerror(saved)
					      : "closed without notice");
	return ENT_EPEER;
}

static int gone(struct ent_err *err) { return ent_fail(err, ENT_EPEER, "the TLS connection to the peer has ended"); }

int ent_tls_flush(struct ent_tls *t, int *ret_want, struct ent_err *err)
{
	while (t->out_at < t->out.len) {
		ssize_t n = send(t->fd, t->out.data + t->out_at, t->out.len - t->out_at, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			*ret_want = ENT_TLS_WANT_WRITE;
			return ENT_EAGAIN;
		}
		if (n < 0) {
			t->broken = true;
			ent_fail(err, ENT_EPEER, "the TLS connection to the peer ended");
			ent_why(err, "%s", strerror(errno));
			return ENT_EPEER;
		}
		t->out_at += (size_t)n;
	}
	ent_buf_reset(&t->out);
	t->out_at = 0;
	return 0;
}

int ent_tls_handshake(struct ent_tls *t, int *ret_want, struct ent_err *err)
{
	if (t->broken)
		return gone(err);
	ERR_clear_error();
	errno = 0;
	int result = SSL_do_handshake(t->ssl), want = 0;
	int code = result == 1 ? 0 : outcome(t, result, ret_want, err);
	/* Also what tells the peer why we refuse must leave. */
	int flushed = ent_tls_flush(t, &want, code ? NULL : err);
	if (code && code != ENT_EAGAIN)
		return code;
	if (flushed == ENT_EAGAIN)
		*ret_want = ENT_TLS_WANT_WRITE | (code ? *ret_want : 0);
	if (flushed)
		return flushed;
	if (code)
		return code;
	const unsigned char *alpn = NULL;
	unsigned alpn_len = 0;
	SSL_get0_alpn_selected(t->ssl, &alpn, &alpn_len);
	if (!t->id->web && (alpn_len != sizeof ALPN - 2 || memcmp(alpn, &ALPN[1], alpn_len) != 0)) {
		t->broken = true;
		return ent_fail(err, ENT_EPEER, "the peer does not speak entente/1");
	}
	t->established = true;
	return 0;
}

bool ent_tls_peer_key(const struct ent_tls *t, uint8_t ret[ENT_SIGN_KEY_LEN])
{
	ENT_ASSERT(t->established);
	if (t->shown)
		memcpy(ret, t->peer, ENT_SIGN_KEY_LEN);
	return t->shown;
}

int ent_tls_read(struct ent_tls *t, void *buf, size_t len, size_t *ret_len, int *ret_want, struct ent_err *err)
{
	if (t->broken)
		return gone(err);
	ERR_clear_error();
	errno = 0;
	size_t got = 0;
	int result = SSL_read_ex(t->ssl, buf, len, &got);
	if (result != 1)
		return outcome(t, result, ret_want, err);
	*ret_len = got;
	return 0;
}

int ent_tls_write(struct ent_tls *t, const void *buf, size_t len, size_t *ret_len, int *ret_want, struct ent_err *err)
{
	if (t->broken)
		return gone(err);
	ENT_TRY(ent_tls_flush(t, ret_want, err));
	ERR_clear_error();
	errno = 0;
	size_t taken = 0, limit = len < TAKE_BYTES ? len : TAKE_BYTES;
	while (taken < limit) {
		size_t n = 0;
		int result = SSL_write_ex(t->ssl, (const uint8_t *)buf + taken, limit - taken, &n);
		if (result != 1)
			return outcome(t, result, ret_want, err);
		taken += n;
		t->records += 1 + n / RECORD_BYTES;
	}
	if (t->records >= t->records_max) {
		SSL_key_update(t->ssl, SSL_KEY_UPDATE_NOT_REQUESTED);
		t->records = 0;
	}
	*ret_len = taken;
	int code = ent_tls_flush(t, ret_want, err);
	return code == ENT_EAGAIN ? 0 : code;
}

void ent_tls_rekey_after(struct ent_tls *t, uint64_t records) { t->records_max = records; }

bool ent_tls_pending(const struct ent_tls *t) { return t->in_at < t->in_len || SSL_has_pending(t->ssl) == 1; }

const char *ent_tls_cipher(const struct ent_tls *t) { return SSL_get_cipher_name(t->ssl); }
