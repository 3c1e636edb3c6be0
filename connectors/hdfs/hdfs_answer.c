#include "hdfs_answer.h"

#include <stdio.h>

#include "base/json.h"

static int no_answer(struct ent_err *err) { return ent_fail(err, ENT_EPEER, "HDFS gives an answer that is none"); }

static int object_read(struct ent_bytes body, json_t **ret, struct ent_err *err)
{
	if (ent_json_parse(body, ENT_HDFS_ANSWER_MAX, ret, NULL) || !json_is_object(*ret))
		return no_answer(err);
	return 0;
}

static uint64_t number(const json_t *object, const char *key, bool *ret_there)
{
	json_t *v = json_object_get(object, key);
	*ret_there = json_is_integer(v) && json_integer_value(v) >= 0;
	return *ret_there ? (uint64_t)json_integer_value(v) : 0;
}

int ent_hdfs_status_read(struct ent_bytes body, struct ent_hdfs_status *ret, struct ent_err *err)
{
	ENT_JSON_AUTO all = NULL;
	ENT_TRY(object_read(body, &all, err));
	json_t *s = json_object_get(all, "FileStatus");
	const char *type = json_string_value(json_object_get(s, "type"));
	bool length, modified, id;
	struct ent_hdfs_status status = { .length = number(s, "length", &length),
					  .modified_ms = number(s, "modificationTime", &modified),
					  .file_id = number(s, "fileId", &id) };
	if (!length || !modified || !type)
		return no_answer(err);
	status.folder = !strcmp(type, "DIRECTORY");
	if (!status.folder && strcmp(type, "FILE") != 0)
		return ent_fail(err, ENT_EUNSUPPORTED, "this name in HDFS is a %.20s, neither file nor folder", type);
	*ret = status;
	return 0;
}

int ent_hdfs_boolean_read(struct ent_bytes body, bool *ret, struct ent_err *err)
{
	ENT_JSON_AUTO all = NULL;
	ENT_TRY(object_read(body, &all, err));
	json_t *v = json_object_get(all, "boolean");
	if (!json_is_boolean(v))
		return no_answer(err);
	*ret = json_is_true(v);
	return 0;
}

int ent_hdfs_location_read(struct ent_bytes body, char *out, size_t out_size, struct ent_err *err)
{
	ENT_JSON_AUTO all = NULL;
	ENT_TRY(object_read(body, &all, err));
	const char *text = json_string_value(json_object_get(all, "Location"));
	if (!text || strlen(text) >= out_size)
		return no_answer(err);
	snprintf(out, out_size, "%s", text);
	return 0;
}

/* --- errors --- */

static const struct {
	const char *exception;
	int code;
} exceptions[] = {
	{ "FileNotFoundException", ENT_ENOTFOUND },
	{ "AccessControlException", ENT_EDENIED },
	{ "SecurityException", ENT_EDENIED },
	{ "AuthorizationException", ENT_EDENIED },
	{ "InvalidToken", ENT_EDENIED },
	{ "FileAlreadyExistsException", ENT_EUSAGE },
	{ "ParentNotDirectoryException", ENT_EUSAGE },
	{ "InvalidPathException", ENT_EUSAGE },
	{ "IllegalArgumentException", ENT_EUSAGE },
	{ "UnsupportedOperationException", ENT_EUNSUPPORTED },
	{ "DSQuotaExceededException", ENT_ENOSPACE },
	{ "NSQuotaExceededException", ENT_ENOSPACE },
	{ "QuotaExceededException", ENT_ENOSPACE },
	{ "StandbyException", ENT_EAGAIN },
	{ "RetriableException", ENT_EAGAIN },
	{ "SafeModeException", ENT_EAGAIN },
};

static int code_of(long status, const char *exception)
{
	for (size_t i = 0; exception && i < ENT_COUNT(exceptions); i++)
		if (!strcmp(exceptions[i].exception, exception))
			return exceptions[i].code;
	if (exception) /* IOException comes as 403 too */
		return ENT_EPEER;
	/* 404 without an exception: an HTTP server that knows no WebHDFS, or the port of Hadoop's own protocol; of files it says nothing */
	return status == 401 || status == 403 ? ENT_EDENIED : status == 503 ? ENT_EAGAIN : ENT_EPEER;
}

/* The first line, printable letters only. */
static void line_of(const char *text, char out[400])
{
	size_t n = 0;
	for (; text && *text && *text != '\n' && n < 390; text++)
		out[n++] = (unsigned char)*text < ' ' ? ' ' : *text;
	while (n && ((unsigned char)out[n - 1] & 0xc0) == 0x80 && n >= 389) /* not in the middle of a letter */
		n--;
	out[n] = 0;
}

int ent_hdfs_error_read(long status, struct ent_bytes body, const char *what, struct ent_err *err)
{
	ENT_JSON_AUTO all = NULL;
	char line[400] = "";
	if (ent_json_parse(body, ENT_HDFS_ANSWER_MAX, &all, NULL))
		all = NULL;
	json_t *remote = json_object_get(all, "RemoteException");
	const char *exception = json_string_value(json_object_get(remote, "exception"));
	int code = code_of(status, exception);
	line_of(json_string_value(json_object_get(remote, "message")), line);
	ent_fail(err, code, "%s", status == 404 && !exception ? "there is no WebHDFS at this port" : what);
	if (err)
		err->vendor = (int)status;
	if (exception)
		ent_why(err, "%.100s: %s", exception, line);
	else
		ent_why(err, "HTTP status %ld", status);
	if (status == 404 && !exception)
		ent_next(err, "WebHDFS has port 9871, without TLS 9870 and ?tls=off; 8020 and 9000 are those of Hadoop's own protocol");
	if (code == ENT_EDENIED)
		ent_next(err, "name the user in the address, hdfs://USER@HOST/..., or give a delegation token with --password-file");
	return code;
}
