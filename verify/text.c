#include "verify.h"

#include <openssl/evp.h>
#include <stdarg.h>

static char why[600];

bool ent_verify_no(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	if (!why[0])
		vsnprintf(why, sizeof why, fmt, ap);
	va_end(ap);
	return false;
}

bool ent_verify_in(const char *where)
{
	char inner[400];
	snprintf(inner, sizeof inner, "%.399s", why);
	snprintf(why, sizeof why, "%.150s: %s", where, inner);
	return false;
}

const char *ent_verify_why(void) { return why; }
void ent_verify_reset(void) { why[0] = 0; }

bool ent_verify_is(struct span s, const char *text) { return s.n == strlen(text) && !memcmp(s.p, text, s.n); }

bool ent_verify_line(struct span *rest, struct span *line)
{
	const unsigned char *end = rest->n ? memchr(rest->p, '\n', rest->n) : NULL;
	if (!end)
		return false;
	line->p = rest->p;
	line->n = (size_t)(end - rest->p);
	rest->n -= line->n + 1;
	rest->p = end + 1;
	return true;
}

bool ent_verify_number(struct span digits, uint64_t max, uint64_t *out)
{
	uint64_t value = 0;
	if (digits.n == 0 || digits.n > 19 || (digits.n > 1 && digits.p[0] == '0'))
		return false;
	for (size_t i = 0; i < digits.n; i++) {
		if (digits.p[i] < '0' || digits.p[i] > '9')
			return false;
		value = value * 10 + (uint64_t)(digits.p[i] - '0');
	}
	*out = value;
	return value <= max;
}

bool ent_verify_unhex(struct span hex, unsigned char *out, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	if (hex.n != 2 * n)
		return false;
	for (size_t i = 0; i < hex.n; i++) {
		const char *d = hex.p[i] ? strchr(digits, hex.p[i]) : NULL;
		if (!d)
			return false;
		out[i / 2] = (unsigned char)(i % 2 ? out[i / 2] | (d - digits) : (d - digits) << 4);
	}
	return true;
}

/* Decoded, then encoded again: only the one canonical spelling survives. */
bool ent_verify_unbase64(struct span text, unsigned char *out, size_t max, size_t *n)
{
	size_t pad = text.n && text.p[text.n - 1] == '=' ? (text.n > 1 && text.p[text.n - 2] == '=' ? 2 : 1) : 0;
	unsigned char *raw = malloc(text.n + 4), *again = malloc(text.n + 4);
	*n = text.n / 4 * 3 - pad;
	bool good = raw && again && text.n % 4 == 0 && text.n < INT32_MAX && (!text.n || EVP_DecodeBlock(raw, text.p, (int)text.n) >= 0) && *n <= max;
	good = good && (size_t)EVP_EncodeBlock(again, raw, (int)*n) == text.n && (!text.n || !memcmp(again, text.p, text.n));
	if (good && *n)
		memcpy(out, raw, *n);
	free(raw);
	free(again);
	return good;
}

bool ent_verify_utf8(struct span s)
{
	json_t *text = json_stringn((const char *)s.p, s.n); /* jansson takes valid UTF-8 only */
	json_decref(text);
	return text != NULL;
}

void ent_verify_sha256(const struct span *pieces, size_t count, unsigned char out[32])
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	bool good = c && EVP_DigestInit_ex(c, EVP_sha256(), NULL) == 1;
	for (size_t i = 0; i < count && good; i++)
		good = EVP_DigestUpdate(c, pieces[i].p, pieces[i].n) == 1;
	if (!good || EVP_DigestFinal_ex(c, out, NULL) != 1)
		abort(); /* a verdict without hashes would be a lie */
	EVP_MD_CTX_free(c);
}

bool ent_verify_ed25519(const unsigned char pub[32], struct span message, const unsigned char sig[64])
{
	EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, pub, 32);
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	bool good = key && c && EVP_DigestVerifyInit(c, NULL, NULL, NULL, key) == 1 && EVP_DigestVerify(c, sig, 64, message.p, message.n) == 1;
	EVP_MD_CTX_free(c);
	EVP_PKEY_free(key);
	return good;
}
