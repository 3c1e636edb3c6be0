/* The ring limit: three processes, each sending to its left and receiving from its right neighbour at once, with no computation. Measured plain,
 * over bare TLS 1.3 (a sender and a receiver thread, 16 KB records), and through job links as MPC uses them (one thread: send a tile, receive a
 * tile). One JSON object per line: value, unit, and the ratio to the limit of the same run.
 *
 * usage: ring [MEGABYTES]   bytes each party sends per measurement (default 256) */
#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "crypto/prg.h"
#include "crypto/tls.h"
#include "net/tls_mesh.h"
#include "os/system.h"

#define PARTIES 3

static struct shared { /* between the processes */
	double seconds[PARTIES];
	pthread_barrier_t barrier;
} * shared;

static uint8_t secret[PARTIES][32], public_key[PARTIES][32];
static uint16_t ports[PARTIES];
static int listeners[PARTIES];
static int me;
static size_t total;

static double now_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu_used; /* by the last measurement, this party */

static void meet(void) { pthread_barrier_wait(&shared->barrier); }

static int listen_any(uint16_t *port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof sa;
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one); /* the mesh listens there later */
	ENT_ASSERT(!bind(fd, (struct sockaddr *)&sa, sizeof sa) && !listen(fd, 8) && !getsockname(fd, (struct sockaddr *)&sa, &len));
	*port = ntohs(sa.sin_port);
	return fd;
}

static int dial(uint16_t port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ENT_ASSERT(!connect(fd, (struct sockaddr *)&sa, sizeof sa));
	return fd;
}

/* One direction of the bare measurements. */
struct lane {
	int fd;
	SSL *ssl; /* NULL: plain */
	size_t piece;
};

static void *lane_send(void *arg)
{
	struct lane *l = arg;
	uint8_t *buf = calloc(1, l->piece);
	for (size_t left = total; left;) {
		size_t want = left < l->piece ? left : l->piece;
		ssize_t n = l->ssl ? SSL_write(l->ssl, buf, (int)want) : send(l->fd, buf, want, MSG_NOSIGNAL);
		ENT_ASSERT(n > 0);
		left -= (size_t)n;
	}
	free(buf);
	return NULL;
}

static void *lane_recv(void *arg)
{
	struct lane *l = arg;
	uint8_t *buf = malloc(l->piece);
	for (size_t left = total; left;) {
		ssize_t n = l->ssl ? SSL_read(l->ssl, buf, (int)l->piece) : recv(l->fd, buf, l->piece, 0);
		ENT_ASSERT(n > 0);
		left -= (size_t)n;
	}
	free(buf);
	return NULL;
}

static SSL_CTX *bare_context(void)
{
	struct ent_tls_identity *id = NULL;
	ENT_ASSERT(!ent_tls_identity_new("bench", secret[me], &id, NULL));
	struct ent_bytes der = ent_tls_identity_cert(id);
	const unsigned char *p = der.data;
	X509 *cert = d2i_X509(NULL, &p, (long)der.len);
	EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret[me], 32);
	SSL_CTX *c = SSL_CTX_new(TLS_method());
	ENT_ASSERT(SSL_CTX_use_certificate(c, cert) && SSL_CTX_use_PrivateKey(c, key) && SSL_CTX_set_min_proto_version(c, TLS1_3_VERSION) &&
		   SSL_CTX_set_ciphersuites(c, "TLS_AES_128_GCM_SHA256"));
	SSL_CTX_set_num_tickets(c, 0);
	X509_free(cert);
	EVP_PKEY_free(key);
	ent_tls_identity_free(id);
	return c;
}

static SSL *bare_session(SSL_CTX *c, int fd, bool server)
{
	SSL *s = SSL_new(c);
	SSL_set_fd(s, fd);
	ENT_ASSERT((server ? SSL_accept(s) : SSL_connect(s)) == 1);
	return s;
}

static double timed(struct lane *out, struct lane *in)
{
	pthread_t t;
	meet();
	double start = now_s(), cpu = cpu_s();
	pthread_create(&t, NULL, lane_send, out);
	lane_recv(in);
	pthread_join(t, NULL);
	double took = now_s() - start;
	cpu_used = cpu_s() - cpu;
	meet();
	return took;
}

static double bare(bool tls)
{
	int out = dial(ports[(me + PARTIES - 1) % PARTIES]), in = accept(listeners[me], NULL, NULL);
	struct lane to = { .fd = out, .piece = tls ? 16384 : 131072 }, from = { .fd = in, .piece = tls ? 16384 : 131072 };
	SSL_CTX *c = tls ? bare_context() : NULL;
	if (tls && me == 0) { /* the handshakes go round, one side first */
		to.ssl = bare_session(c, out, false);
		from.ssl = bare_session(c, in, true);
	} else if (tls) {
		from.ssl = bare_session(c, in, true);
		to.ssl = bare_session(c, out, false);
	}
	double took = timed(&to, &from);
	SSL_free(to.ssl);
	SSL_free(from.ssl);
	SSL_CTX_free(c);
	close(out);
	close(in);
	return took;
}

static int on_event(void *arg, enum ent_mesh_event event, const char *org, const char *text, struct ent_bytes bytes)
{
	(void)arg;
	(void)event;
	(void)org;
	(void)text;
	(void)bytes;
	return 0;
}

static const char *const orgs[PARTIES] = { "alpha", "bravo", "charlie" };

static struct ent_mesh *mesh_up(void)
{
	struct ent_mesh_options o = { .org = orgs[me], .software = "bench", .event = on_event };
	struct ent_mesh_pin pins[PARTIES];
	struct ent_mesh *m = NULL;
	char where[32];
	size_t n = 0;
	close(listeners[me]);
	snprintf(where, sizeof where, "127.0.0.1:%u", ports[me]);
	o.listen = where;
	memcpy(o.tls_secret, secret[me], 32);
	ENT_ASSERT(!ent_tls_mesh_new(&o, &m, NULL));
	for (int i = 0; i < PARTIES; i++) {
		if (i == me)
			continue;
		struct ent_mesh_pin *p = &pins[n++];
		*p = (struct ent_mesh_pin){ 0 };
		snprintf(p->org, sizeof p->org, "%s", orgs[i]);
		snprintf(p->address, sizeof p->address, "127.0.0.1:%u", ports[i]);
		memcpy(p->tls_key, public_key[i], 32);
	}
	ENT_ASSERT(!ent_tls_mesh_pins(m, pins, n, NULL));
	return m;
}

static struct ent_link *link_to(struct ent_mesh *m, int other)
{
	struct ent_link *l = NULL;
	char name[20];
	snprintf(name, sizeof name, "ring%d", me + other);
	ENT_ASSERT(!m->ops->job_link(m, orgs[other], name, 10000, &l, NULL));
	return l;
}

/* One thread, send a tile to the left, receive one from the right. */
static double tiles(struct ent_link *left, struct ent_link *right, size_t tile, size_t rounds)
{
	uint8_t *buf = calloc(1, tile);
	meet();
	double start = now_s(), cpu = cpu_s();
	for (size_t i = 0; i < rounds; i++)
		ENT_ASSERT(!left->ops->send(left, buf, tile, NULL) && !right->ops->recv(right, buf, tile, NULL));
	double took = now_s() - start;
	cpu_used = cpu_s() - cpu;
	meet();
	free(buf);
	return took;
}

/* The slowest party decides. */
static double slowest(double mine)
{
	shared->seconds[me] = mine;
	meet();
	double most = 0;
	for (int i = 0; i < PARTIES; i++)
		most = shared->seconds[i] > most ? shared->seconds[i] : most;
	meet();
	return most;
}

static void say(const char *name, double value, const char *unit, double limit)
{
	if (me)
		return;
	printf("{\"name\":\"%s\",\"value\":%.4g,\"unit\":\"%s\"", name, value, unit);
	if (limit > 0)
		printf(",\"ratio\":%.2f", value / limit);
	if (!strncmp(unit, "GB/s per party", 14))
		printf(",\"cpu_s_per_gb\":%.2f", cpu_used / (double)total * 1e9);
	printf("}\n");
	fflush(stdout);
}

static double prg_speed(void)
{
	static uint8_t buf[32768];
	struct ent_prg p;
	uint64_t index = 0;
	ent_prg_init(&p, secret[0]);
	double start = now_s();
	for (; index < 40000u * 2048; index += 2048)
		ent_prg_fill(&p, 1, 1, index, buf, sizeof buf);
	return (double)index * 16 / (now_s() - start) / 1e9;
}

static void party(void)
{
	static const size_t sizes[] = { 16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20 };
	double bytes = (double)total, limit, plain = bytes / slowest(bare(false)) / 1e9;
	say("ring_plain", plain, "GB/s per party", 0);
	limit = bytes / slowest(bare(true)) / 1e9;
	say("ring_tls_limit", limit, "GB/s per party", 0);
	struct ent_mesh *m = mesh_up();
	struct ent_link *left = NULL, *right = NULL;
	int l = (me + PARTIES - 1) % PARTIES, r = (me + 1) % PARTIES;
	left = link_to(m, l < r ? l : r);
	right = link_to(m, l < r ? r : l);
	if (l > r) {
		struct ent_link *other = left;
		left = right;
		right = other;
	}
	for (size_t i = 0; i < ENT_COUNT(sizes); i++) {
		char name[40];
		snprintf(name, sizeof name, "ring_links_%zuk", sizes[i] >> 10);
		say(name, bytes / slowest(tiles(left, right, sizes[i], total / sizes[i])) / 1e9, "GB/s per party", limit);
	}
	say("ring_round_1k", slowest(tiles(left, right, 1024, 5000)) / 5000 * 1e6, "us per round of 1 KiB", 0);
	left->ops->free(left);
	right->ops->free(right);
	ent_tls_mesh_free(m);
	if (!me)
		say(ent_prg_kernel_best()->name, prg_speed(), "GB/s per core, share PRG", 0);
}

static void setup(void)
{
	pthread_barrierattr_t attr;
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ENT_ASSERT(shared != MAP_FAILED);
	pthread_barrierattr_init(&attr);
	pthread_barrierattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_barrier_init(&shared->barrier, &attr, PARTIES);
	for (int i = 0; i < PARTIES; i++) {
		ENT_ASSERT(!ent_sign_keygen(ent_system_random(), secret[i], public_key[i], NULL));
		listeners[i] = listen_any(&ports[i]);
	}
}

int main(int argc, char **argv)
{
	uint64_t mb = 256;
	int failed = 0;
	if (argc > 1 && !ent_parse_u64(argv[1], strlen(argv[1]), 1 << 20, &mb))
		return 2;
	total = (size_t)mb << 20;
	setup();
	for (me = 0; me < PARTIES; me++)
		if (!fork()) {
			for (int i = 0; i < PARTIES; i++)
				if (i != me)
					close(listeners[i]);
			party();
			_exit(0);
		}
	for (int i = 0; i < PARTIES; i++)
		close(listeners[i]);
	for (int i = 0, status; i < PARTIES; i++)
		failed += wait(&status) < 0 || status != 0;
	return failed ? 1 : 0;
}
