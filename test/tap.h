/* A tiny test harness: every OK prints one TAP line; the plan comes at the end. A failed line names the place. */
#ifndef ENT_TEST_TAP_H
#define ENT_TEST_TAP_H
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

__attribute__((weak)) int tap_count, tap_failed; /* weak: one pair per program, however many files include this */

#define OK(cond, ...) tap_line(!!(cond), __FILE__, __LINE__, #cond, "" __VA_ARGS__)
#define OK_INT(got, want, ...) tap_int((long long)(got), (long long)(want), __FILE__, __LINE__, "" __VA_ARGS__)
#define OK_STR(got, want, ...) tap_str((got), (want), __FILE__, __LINE__, "" __VA_ARGS__)

__attribute__((unused, format(printf, 5, 6))) static int tap_line(int ok, const char *file, int line, const char *cond, const char *fmt, ...)
{
	char name[512];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(name, sizeof name, fmt, ap);
	va_end(ap);
	printf("%sok %d - %s\n", ok ? "" : "not ", ++tap_count, name[0] ? name : cond);
	if (!ok) {
		tap_failed++;
		printf("# failed at %s:%d: %s\n", file, line, cond);
	}
	fflush(stdout);
	if (!ok && getenv("TAP_BAIL")) /* planted bugs: one failed line says enough, and what follows may only wait */
		_exit(1);
	return ok;
}

__attribute__((unused, format(printf, 5, 6))) static int tap_int(long long got, long long want, const char *file, int line, const char *fmt, ...)
{
	char name[512];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(name, sizeof name, fmt, ap);
	va_end(ap);
	int ok = tap_line(got == want, file, line, "integers differ", "%s", name);
	if (!ok)
		printf("# got %lld, want %lld\n", got, want);
	return ok;
}

__attribute__((unused, format(printf, 5, 6))) static int tap_str(const char *got, const char *want, const char *file, int line, const char *fmt, ...)
{
	char name[512];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(name, sizeof name, fmt, ap);
	va_end(ap);
	int ok = tap_line(got && want && !strcmp(got, want), file, line, "texts differ", "%s", name);
	if (!ok)
		printf("# got  %s\n# want %s\n", got ? got : "(null)", want ? want : "(null)");
	return ok;
}

__attribute__((unused)) static void tap_skip(const char *name, const char *reason) { printf("ok %d - %s # SKIP %s\n", ++tap_count, name, reason); }

__attribute__((unused)) static int tap_done(void)
{
	printf("1..%d\n", tap_count);
	return tap_failed ? 1 : 0;
}
#endif
