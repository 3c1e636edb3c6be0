/* Streams: a pull function behind the C stream interface, and the way back from its errno and text to an error object. */
#include "arrow/stream.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct feed { /* private_data of our streams */
	struct ArrowSchema schema;
	const struct ent_stream_ops *ops;
	void *self;
	int failed; /* errno of the first failure: sticks */
	char text[2000];
};

/* why and next travel one line each. */
static int feed_fail(struct feed *f, struct ent_err *e)
{
	for (char *p = e->why; *p; p++)
		*p = *p == '\n' ? ' ' : *p;
	for (char *p = e->what; *p; p++)
		*p = *p == '\n' ? ' ' : *p;
	snprintf(f->text, sizeof f->text, "%s %s %s\n%s\n%s", ent_code_name(e->code), e->sqlstate[0] ? e->sqlstate : "-", e->what, e->why, e->next);
	f->failed = e->code == ENT_ENOMEM ? ENOMEM : e->code == ENT_ECANCELLED ? ECANCELED : e->code == ENT_EDATA ? EINVAL : EIO;
	return f->failed;
}

static int feed_schema(struct ArrowArrayStream *s, struct ArrowSchema *out)
{
	struct feed *f = (struct feed *)s->private_data;
	struct ent_err e = ENT_ERR_INIT;
	if (ent_schema_dup(&f->schema, out, &e))
		return feed_fail(f, &e);
	return 0;
}

static int feed_next(struct ArrowArrayStream *s, struct ArrowArray *out)
{
	struct feed *f = (struct feed *)s->private_data;
	struct ent_err e = ENT_ERR_INIT;
	if (f->failed)
		return f->failed;
	*out = (struct ArrowArray){ 0 };
	if (f->ops->next(f->self, out, &e))
		return feed_fail(f, &e);
	return 0;
}

static const char *feed_error(struct ArrowArrayStream *s)
{
	struct feed *f = (struct feed *)s->private_data;
	return f->failed ? f->text : NULL;
}

static void feed_release(struct ArrowArrayStream *s)
{
	struct feed *f = (struct feed *)s->private_data;
	ent_schema_release(&f->schema);
	if (f->ops->free)
		f->ops->free(f->self);
	free(f);
	s->release = NULL;
}

int ent_stream_new(struct ArrowSchema *schema, const struct ent_stream_ops *ops, void *self, struct ArrowArrayStream *ret, struct ent_err *err)
{
	struct feed *f = (struct feed *)calloc(1, sizeof *f);
	if (!f) {
		ent_schema_release(schema);
		if (ops->free)
			ops->free(self);
		return ent_nomem(err);
	}
	f->schema = ent_schema_take(schema);
	f->ops = ops;
	f->self = self;
	*ret = (struct ArrowArrayStream){
		.get_schema = feed_schema, .get_next = feed_next, .get_last_error = feed_error, .release = feed_release, .private_data = f
	};
	return 0;
}

/* --- from memory --- */

struct shelf {
	size_t at, n;
	struct ArrowArray batches[];
};

static int shelf_next(void *self, struct ArrowArray *ret, struct ent_err *err)
{
	struct shelf *s = (struct shelf *)self;
	(void)err;
	if (s->at < s->n) {
		*ret = ent_array_take(&s->batches[s->at]);
		s->at++;
	}
	return 0;
}

static void shelf_free(void *self)
{
	struct shelf *s = (struct shelf *)self;
	for (size_t i = 0; s && i < s->n; i++)
		ent_array_release(&s->batches[i]);
	free(s);
}

static const struct ent_stream_ops shelf_ops = { shelf_next, shelf_free };

int ent_stream_from_batches(struct ArrowSchema *schema, struct ArrowArray *batches, size_t n, struct ArrowArrayStream *ret, struct ent_err *err)
{
	size_t bytes;
	struct shelf *s = NULL;
	if (ent_mul_size(n, sizeof *batches, &bytes))
		s = (struct shelf *)calloc(1, sizeof *s + bytes);
	if (!s) {
		for (size_t i = 0; i < n; i++)
			ent_array_release(&batches[i]);
		ent_schema_release(schema);
		return ent_nomem(err);
	}
	s->n = n;
	for (size_t i = 0; i < n; i++)
		s->batches[i] = ent_array_take(&batches[i]);
	return ent_stream_new(schema, &shelf_ops, s, ret, err);
}

/* --- reading --- */

/* "NAME SQLSTATE what \n why \n next"; false when the text is not of that form. */
static bool error_read(const char *text, struct ent_err *err)
{
	char name[16] = "", state[8] = "";
	int at = 0;
	if (sscanf(text, "%15[A-Z] %7[A-Z0-9-] %n", name, state, &at) != 2 || !at)
		return false;
	int code = ent_code_by_name(name);
	if (strcmp(ent_code_name(code), name) != 0)
		return false;
	const char *what = text + at, *why = strchr(what, '\n'), *next = why ? strchr(why + 1, '\n') : NULL;
	if (!next)
		return false;
	ent_fail(err, code, "%.*s", (int)(why - what), what);
	if (next > why + 1)
		ent_why(err, "%.*s", (int)(next - why - 1), why + 1);
	if (next[1])
		ent_next(err, "%s", next + 1);
	if (strlen(state) == 5)
		memcpy(err->sqlstate, state, 6);
	return true;
}

static int stream_failed(struct ArrowArrayStream *stream, int number, struct ent_err *err)
{
	struct ent_err mine = ENT_ERR_INIT, *e = err ? err : &mine;
	const char *text = stream->get_last_error ? stream->get_last_error(stream) : NULL;
	if (text && strnlen(text, 4096) < 4096 && error_read(text, e))
		return e->code;
	int code = number == ENOMEM ? ENT_ENOMEM : number == ECANCELED ? ENT_ECANCELLED : ENT_EIO;
	ent_fail(e, code, "reading rows failed");
	return ent_why(e, "%.500s", text ? text : "no reason given"), code;
}

int ent_stream_schema(struct ArrowArrayStream *stream, struct ArrowSchema *ret, struct ent_err *err)
{
	ENT_SCHEMA_AUTO s = { 0 };
	if (!stream->release || !stream->get_schema || !stream->get_next)
		return ent_fail(err, ENT_EDATA, "the stream of rows is not filled");
	int failed = stream->get_schema(stream, &s);
	if (failed)
		return stream_failed(stream, failed, err);
	ENT_TRY(ent_schema_check(&s, err));
	*ret = ent_schema_take(&s);
	return 0;
}

int ent_stream_next(struct ArrowArrayStream *stream, struct ArrowArray *ret, struct ent_err *err)
{
	struct ArrowArray a = { 0 };
	int failed = stream->get_next(stream, &a);
	if (failed)
		return stream_failed(stream, failed, err);
	*ret = a;
	return 0;
}

static int each(struct ArrowArrayStream *stream, const struct ArrowSchema *schema, bool copy,
		int (*fn)(void *arg, const struct ent_batch *batch, struct ent_err *err), void *arg, struct ent_err *err)
{
	for (;;) {
		ENT_ARRAY_AUTO a = { 0 };
		ENT_BATCH_AUTO b = { 0 };
		ENT_TRY(ent_stream_next(stream, &a, err));
		if (!a.release)
			return 0;
		ENT_TRY((copy ? ent_batch_open_copy : ent_batch_open)(schema, &a, &b, err));
		ENT_TRY(fn(arg, &b, err));
	}
}

int ent_stream_each(struct ArrowArrayStream *stream, const struct ArrowSchema *schema,
		    int (*fn)(void *arg, const struct ent_batch *batch, struct ent_err *err), void *arg, struct ent_err *err)
{
	return each(stream, schema, false, fn, arg, err);
}

int ent_stream_each_copy(struct ArrowArrayStream *stream, const struct ArrowSchema *schema,
			 int (*fn)(void *arg, const struct ent_batch *batch, struct ent_err *err), void *arg, struct ent_err *err)
{
	return each(stream, schema, true, fn, arg, err);
}
