#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/secret.h"
#include "tap.h"

/* How a child that touches *at dies: 0 when it lives. */
static int touch(volatile uint8_t *at)
{
	int status = 0;
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL);
		*at = 1;
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

int main(void)
{
	uint8_t *p = ent_secret_new(100), zero[100] = { 0 };
	OK(p && !memcmp(p, zero, 100), "zeroed");
	OK(((uintptr_t)p & 63) == 0, "aligned");
	memset(p, 0x5a, 100);
	OK_INT(touch(p + 99), 0, "inside is fine");
	OK(touch(p + 4096) != 0, "behind lies a guard page");
	OK(touch(p - 64 - 1) != 0, "before lies a guard page");
	if (!ent_secret_locked(p))
		tap_skip("locked in memory", "RLIMIT_MEMLOCK forbids it here");
	else
		OK(true, "locked in memory");
	ent_secret_free(p);
	ent_secret_free(NULL);
	OK(!ent_secret_new(SIZE_MAX - 10), "absurd size refused");
	uint8_t buf[33];
	memset(buf, 7, sizeof buf);
	ent_wipe(buf, 32);
	OK(!memcmp(buf, zero, 32) && buf[32] == 7, "wipe wipes exactly");
	OK(ent_const_eq("abc", "abc", 3) && !ent_const_eq("abc", "abd", 3) && ent_const_eq("a", "b", 0), "constant-time compare");
	return tap_done();
}
