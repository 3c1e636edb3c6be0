/* Declared columns: what is read, what is refused, and that what is printed reads back. */
#include "arrow/declare.h"
#include "tap.h"

static int collect(void *arg, const char *name, const char *type, struct ent_err *err)
{
	(void)err;
	ent_buf_printf((struct ent_buf *)arg, "[%s|%s]", name, type);
	return 0;
}

static int again(void *arg, const char *name, const char *type, struct ent_err *err)
{
	(void)err;
	ent_declared_put((struct ent_buf *)arg, name, type);
	return 0;
}

static void check(const char *text, int code, const char *want)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf out = ENT_BUF(4096);
	struct ent_err e = ENT_ERR_INIT;
	OK_INT(ent_declared_each(ent_bytes_str(text), collect, &out, &e), code, "%s", e.what);
	OK_STR(code ? e.what : ent_buf_text(&out), want);
}

static int stop(void *arg, const char *name, const char *type, struct ent_err *err)
{
	(void)arg;
	(void)type;
	return ent_fail(err, ENT_EUSAGE, "no %s", name);
}

int main(void)
{
	check("", 0, "");
	check("a integer\n\n# said nothing\n  b\tdecimal(12,2)  \r\nc.d timestamp with time zone", 0,
	      "[a|integer][b|decimal(12,2)][c.d|timestamp with time zone]");
	check("\"a \"\"b\"\" #\" text\n", 0, "[a \"b\" #|text]");
	check("a integer\nb\n", ENT_EDATA, "line 2 of the schema is not understood");
	check("\"a text\n", ENT_EDATA, "line 1 of the schema is not understood");
	check("\"\" text\n", ENT_EDATA, "line 1 of the schema is not understood");
	check("\xff text\n", ENT_EDATA, "line 1 of the schema is not understood");
	check("a te;xt\n", ENT_EDATA, "line 1 of the schema is not understood");
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf out = ENT_BUF(4096), twice = ENT_BUF(4096);
	ent_declared_put(&out, "plain", "text");
	ent_declared_put(&out, "with \"quotes\" and # signs", "decimal(18,0)");
	OK(!ent_declared_each(ent_buf_bytes(&out), again, &twice, NULL) && !strcmp(ent_buf_text(&out), ent_buf_text(&twice)), "reads back");
	struct ent_err e = ENT_ERR_INIT;
	OK_INT(ent_declared_each(ent_buf_bytes(&out), stop, NULL, &e), ENT_EUSAGE, "%s", e.what);
	return tap_done();
}
