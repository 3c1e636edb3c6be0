/* What WebHDFS says, decoded; addresses. Answers as a server of version 3.4.1 sent them. */
#include "hdfs.h"
#include "tap.h"

static void test_status(void)
{
	static const char file[] = "{\"FileStatus\":{\"accessTime\":1700000000001,\"blockSize\":1048576,\"childrenNum\":0,\"fileId\":16402,\"group\":"
				   "\"supergroup\",\"length\":24930,\"modificationTime\":1700000000123,\"owner\":\"joe\",\"pathSuffix\":\"\","
				   "\"permission\":\"644\",\"replication\":2,\"storagePolicy\":0,\"type\":\"FILE\"}}";
	static const char *const bad[] = { "",
					   "{",
					   "[]",
					   "{\"FileStatus\":{}}",
					   "{\"FileStatus\":[]}",
					   "{\"FileStatus\":{\"length\":-1,\"modificationTime\":1,\"type\":\"FILE\"}}",
					   "{\"FileStatus\":{\"length\":1.5,\"modificationTime\":1,\"type\":\"FILE\"}}",
					   "{\"FileStatus\":{\"length\":1,\"modificationTime\":1,\"type\":7}}" };
	struct ent_hdfs_status s = { 0 };
	struct ent_err e = ENT_ERR_INIT;
	OK_INT(ent_hdfs_status_read(ent_bytes_str(file), &s, &e), 0, "a file %s", e.what);
	OK(s.length == 24930 && s.modified_ms == 1700000000123 && s.file_id == 16402 && !s.folder);
	OK_INT(ent_hdfs_status_read(ent_bytes_str("{\"FileStatus\":{\"length\":0,\"modificationTime\":1,\"type\":\"DIRECTORY\"}}"), &s, &e), 0);
	OK(s.folder && !s.file_id);
	for (size_t i = 0; i < ENT_COUNT(bad); i++)
		OK_INT(ent_hdfs_status_read(ent_bytes_str(bad[i]), &s, &e), ENT_EPEER, "refused: %s", bad[i]);
	OK_INT(ent_hdfs_status_read(ent_bytes_str("{\"FileStatus\":{\"length\":0,\"modificationTime\":1,\"type\":\"SYMLINK\"}}"), &s, &e),
	       ENT_EUNSUPPORTED, "%s", e.what);
}

static void test_small(void)
{
	struct ent_err e = ENT_ERR_INIT;
	bool b = false;
	char out[30];
	OK(!ent_hdfs_boolean_read(ent_bytes_str("{\"boolean\":true}"), &b, &e) && b);
	OK(!ent_hdfs_boolean_read(ent_bytes_str("{\"boolean\":false}"), &b, &e) && !b);
	OK_INT(ent_hdfs_boolean_read(ent_bytes_str("{\"boolean\":1}"), &b, &e), ENT_EPEER);
	OK(!ent_hdfs_location_read(ent_bytes_str("{\"Location\":\"http://h:1/x\"}"), out, sizeof out, &e) && !strcmp(out, "http://h:1/x"));
	OK_INT(ent_hdfs_location_read(ent_bytes_str("{\"Location\":\"http://0123456789012345678901234567890\"}"), out, sizeof out, &e), ENT_EPEER,
	       "too long");
}

static void test_errors(void)
{
	static const struct {
		long status;
		const char *body, *why;
		int code;
	} all[] = {
		{ 404,
		  "{\"RemoteException\":{\"exception\":\"FileNotFoundException\",\"javaClassName\":\"java.io.FileNotFoundException\",\"message\":"
		  "\"File does not exist: /x\\n\\tat org.apache.hadoop.hdfs.Server.call(Server.java:1)\"}}",
		  "FileNotFoundException: File does not exist: /x", ENT_ENOTFOUND },
		{ 403, "{\"RemoteException\":{\"exception\":\"IOException\",\"message\":\"could only be written to 0 of the 1 nodes\"}}",
		  "IOException: could only be written to 0 of the 1 nodes", ENT_EPEER },
		{ 403, "{\"RemoteException\":{\"exception\":\"StandbyException\",\"message\":\"not here\\u0007\"}}", "StandbyException: not here ",
		  ENT_EAGAIN },
		{ 403, "{\"RemoteException\":{\"exception\":\"AccessControlException\"}}", "AccessControlException: ", ENT_EDENIED },
		{ 401, "<html>", "HTTP status 401", ENT_EDENIED },
		{ 500, "", "HTTP status 500", ENT_EPEER },
		{ 503, "{}", "HTTP status 503", ENT_EAGAIN },
	};
	for (size_t i = 0; i < ENT_COUNT(all); i++) {
		struct ent_err e = ENT_ERR_INIT;
		OK_INT(ent_hdfs_error_read(all[i].status, ent_bytes_str(all[i].body), "what", &e), all[i].code, "%s", all[i].why);
		OK_STR(e.why, all[i].why);
		OK_INT(e.vendor, all[i].status);
	}
	struct ent_err e = ENT_ERR_INIT;
	OK_INT(ent_hdfs_error_read(404, ent_bytes_str("It looks like you are making an HTTP request to a Hadoop IPC port."), "what", &e), ENT_EPEER);
	OK(strstr(e.what, "no WebHDFS") && strstr(e.next, "9870"), "another port: %s; %s", e.what, e.next);
	OK_INT(ent_hdfs_error_read(404, ent_bytes_str("x"), "what", NULL), ENT_EPEER, "nobody listens");
}

static void test_addresses(void)
{
	static const struct {
		const char *url, *host, *port, *path;
		bool tls, named;
	} good[] = { { "hdfs://nn/a.csv", "nn", "9871", "/a.csv", true, true },
		     { "hdfs://nn/a.csv?tls=off", "nn", "9870", "/a.csv", false, true },
		     { "hdfs://joe@nn:50070/a%20b/c.csv?tls=verify-ca", "nn", "50070", "/a b/c.csv", true, false },
		     { "hdfs://[::1]:9870/a.csv?tls=verify-full", "[::1]", "9870", "/a.csv", true, true },
		     { "hdfs://a,b,c:1/x", "a", "1", "/x", true, true } };
	static const char *const bad[] = { "hdfs:/nn/a",        "hdfs://nn",          "hdfs:///a.csv",     "hdfs://n n/a",     "hdfs://nn:0/a",
					   "hdfs://nn:70000/a", "hdfs://nn:/a",       "hdfs://a,,b/x",     "hdfs://u:p@nn/a",  "hdfs://@nn/a",
					   "hdfs://nn/a?x=1",   "hdfs://nn/a?tls=no", "hdfs://nn#x/a.csv", "hdfs://a:1,b:2/x", "hdfs://a/b%0" };
	bool taken[1];
	for (size_t i = 0; i < ENT_COUNT(good); i++) {
		struct ent_hdfs_settings s;
		struct ent_err e = ENT_ERR_INIT;
		OK_INT(ent_hdfs_settings_make(good[i].url, NULL, 0, taken, &s, &e), 0, "%s %s", good[i].url, e.why);
		OK(!strcmp(s.hosts[0], good[i].host) && !strcmp(s.port, good[i].port) && !strcmp(s.path, good[i].path) && s.tls == good[i].tls &&
			   s.named == good[i].named,
		   "%s: %s %s %s", good[i].url, s.hosts[0], s.port, s.path);
	}
	for (size_t i = 0; i < ENT_COUNT(bad); i++) {
		struct ent_hdfs_settings s;
		struct ent_err e = ENT_ERR_INIT;
		OK_INT(ent_hdfs_settings_make(bad[i], NULL, 0, taken, &s, &e), ENT_EUSAGE, "%s: %s", bad[i], e.why);
	}
}

static void token_write(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");
	OK(f && fputs(text, f) >= 0 && !fclose(f));
}

static void test_options(void)
{
	char path[] = "/tmp/entente-token.XXXXXX";
	struct ent_hdfs_settings s;
	struct ent_err e = ENT_ERR_INIT;
	bool taken[3] = { false };
	int fd = mkstemp(path);
	OK(fd >= 0 && !close(fd));
	token_write(path, "KAADam9lBGpvZQCKAY\n");
	const struct ent_option options[] = { { "password-file", path }, { "null", "NA" }, { "ca-file", "/ca.crt" } };
	OK_INT(ent_hdfs_settings_make("hdfs://nn/a.csv", options, 3, taken, &s, &e), 0, "%s", e.what);
	OK(!strcmp(s.token, "KAADam9lBGpvZQCKAY") && !strcmp(s.ca_file, "/ca.crt") && taken[0] && !taken[1] && taken[2],
	   "own options are taken, the others are left to the file's reader");
	OK_INT(ent_hdfs_settings_make("hdfs://nn/a.csv?tls=off", options, 3, taken, &s, &e), ENT_EUSAGE, "no token in clear: %s", e.what);
	token_write(path, "a&b");
	OK_INT(ent_hdfs_settings_make("hdfs://nn/a.csv", options, 1, taken, &s, &e), ENT_EDATA, "no token: %s", e.what);
	unlink(path);
	OK_INT(ent_hdfs_settings_make("hdfs://nn/a.csv", options, 1, taken, &s, &e), ENT_ENOTFOUND, "no file: %s", e.what);
}

int main(void)
{
	test_status();
	test_small();
	test_errors();
	test_addresses();
	test_options();
	return tap_done();
}
