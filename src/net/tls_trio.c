#include "net/tls_trio.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/address.h"
#include "net/job_link.h"
#include "os/system.h"

#define HANDSHAKE_TURNS 1000
#define LINK_BYTES_MAX ((size_t)4 << 30)

struct pair { /* one connection while it is made: end 0 dialled */
	int fd[2];
	struct ent_tls *tls[2];
};

static bool anyone(void *arg, const uint8_t key[ENT_SIGN_KEY_LEN])
{
	(void)arg;
	(void)key;
	return true;
}

static int connect_loopback(int ret_fd[2], struct ent_err *err)
{
	struct addrinfo *to = NULL;
	char where[32];
	uint16_t port = 0;
	int listening = -1;
	ENT_TRY(ent_address_listen("127.0.0.1:0", &listening, &port, err));
	snprintf(where, sizeof where, "127.0.0.1:%u", port);
	int code = ent_address_resolve(where, true, &to, err);
	if (!code) {
		struct pollfd p = { listening, POLLIN, 0 };
		ret_fd[0] = ent_address_connect(to);
		freeaddrinfo(to);
		ret_fd[1] = poll(&p, 1, 5000) == 1 ? accept4(listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK) : -1;
		if (ret_fd[0] < 0 || ret_fd[1] < 0)
			code = ent_fail(err, ENT_EIO, "no connection to this machine itself: %s", strerror(errno));
		else
			ent_address_tune(ret_fd[1]);
	}
	close(listening);
	return code;
}

static int shake(struct pair *p, struct ent_err *err)
{
	bool done[2] = { false };
	for (int turn = 0; turn < HANDSHAKE_TURNS && (!done[0] || !done[1]); turn++) {
		int end = turn & 1, want = 0, code = done[end] ? 0 : ent_tls_handshake(p->tls[end], &want, err);
		struct pollfd f = { p->fd[end], want & ENT_TLS_WANT_READ ? POLLIN : POLLOUT, 0 };
		if (code && code != ENT_EAGAIN)
			return code;
		done[end] = !code;
		if (code)
			poll(&f, 1, 1);
	}
	return done[0] && done[1] ? 0 : ent_fail(err, ENT_EPEER, "the TLS handshake did not finish");
}

static int pair_make(struct pair *p, struct ent_tls_identity *id, struct ent_err *err)
{
	ENT_TRY(connect_loopback(p->fd, err));
	for (int end = 0; end < 2; end++)
		ENT_TRY(ent_tls_new(id, p->fd[end], end, anyone, NULL, &p->tls[end], err));
	return shake(p, err);
}

static void pair_deinit(struct pair *p)
{
	for (int end = 0; end < 2; end++) {
		ent_tls_free(p->tls[end]);
		if (p->fd[end] >= 0)
			close(p->fd[end]);
	}
}

static int between(int a, int b, struct ent_tls_identity *id, struct ent_link_group *const groups[3], struct ent_link *ret[3][3], struct ent_err *err)
{
	static const char *const names[3] = { "1", "2", "3" };
	ENT_CLEANUP(pair_deinit) struct pair p = { .fd = { -1, -1 } };
	const int who[2] = { a, b };
	ENT_TRY(pair_make(&p, id, err));
	for (int end = 0; end < 2; end++) {
		int me = who[end], other = who[1 - end];
		ENT_TRY(ent_job_link_new(groups[me], p.fd[end], p.tls[end], names[other], LINK_BYTES_MAX, ent_bytes(NULL, 0), &ret[me][other], err));
		p.fd[end] = -1;
		p.tls[end] = NULL;
	}
	return 0;
}

static int all(struct ent_tls_identity *id, struct ent_link_group *const groups[3], struct ent_link *ret[3][3], struct ent_err *err)
{
	ENT_TRY(between(0, 1, id, groups, ret, err));
	ENT_TRY(between(1, 2, id, groups, ret, err));
	return between(2, 0, id, groups, ret, err);
}

int ent_tls_trio(struct ent_link *ret[3][3], struct ent_err *err)
{
	struct ent_link *links[3][3] = { { NULL } };
	struct ent_link_group *groups[3] = { ent_link_group_new(), ent_link_group_new(), ent_link_group_new() };
	struct ent_tls_identity *id = NULL;
	uint8_t secret[ENT_SIGN_KEY_LEN], public_key[ENT_SIGN_KEY_LEN];
	int code = groups[0] && groups[1] && groups[2] ? 0 : ent_nomem(err);
	code = code ? code : ent_sign_keygen(ent_system_random(), secret, public_key, err);
	code = code ? code : ent_tls_identity_new("trio", secret, &id, err);
	code = code ? code : all(id, groups, links, err);
	ent_tls_identity_free(id);
	for (int i = 0; i < 3; i++)
		for (int j = 0; code && j < 3; j++)
			if (links[i][j])
				links[i][j]->ops->free(links[i][j]);
	for (int i = 0; i < 3; i++)
		ent_link_group_unref(groups[i]);
	if (!code)
		memcpy(ret, links, sizeof links);
	return code;
}
