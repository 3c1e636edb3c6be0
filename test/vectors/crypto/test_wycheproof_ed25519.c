/* Project Wycheproof's Ed25519 vectors: every verdict must be the published one. Runs in the source root; skipped by name without the file. */
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "crypto/sign.h"
#include "tap.h"

static const char path[] = "../shared/vectors/wycheproof/ed25519_test.json";

static bool unhex(const json_t *v, struct ent_buf *out)
{
	const char *hex = json_string_value(v);
	size_t len = hex ? strlen(hex) : 0;
	ent_buf_reset(out);
	return hex && (!len || ent_unhex(ent_buf_space(out, len / 2), len / 2, hex, len));
}

int main(void)
{
	json_error_t e;
	json_t *doc = json_load_file(path, 0, &e), *group, *test;
	size_t i, j, wrong = 0, tests = 0, valid = 0;
	struct ent_buf key = ENT_BUF(1000), msg = ENT_BUF(1 << 20), sig = ENT_BUF(10000);
	if (!doc) {
		tap_skip("Wycheproof Ed25519", "no vectors beside the source tree");
		return tap_done();
	}
	json_array_foreach(json_object_get(doc, "testGroups"), i, group)
	{
		OK(unhex(json_object_get(json_object_get(group, "publicKey"), "pk"), &key) && key.len == 32, "key of group %zu", i);
		json_array_foreach(json_object_get(group, "tests"), j, test)
		{
			bool want = !strcmp(json_string_value(json_object_get(test, "result")), "valid");
			bool read = unhex(json_object_get(test, "msg"), &msg) && unhex(json_object_get(test, "sig"), &sig);
			bool got = read && ent_sign_verify(key.data, ent_buf_bytes(&msg), sig.data, sig.len);
			if (!read || got != want) {
				printf("# test %lld: %s\n", json_integer_value(json_object_get(test, "tcId")),
				       json_string_value(json_object_get(test, "comment")));
				wrong++;
			}
			tests++;
			valid += want;
		}
	}
	OK(tests == (size_t)json_integer_value(json_object_get(doc, "numberOfTests")), "%zu tests, %zu of them valid", tests, valid);
	OK_INT(wrong, 0, "every verdict agrees");
	json_decref(doc);
	ent_buf_deinit(&key);
	ent_buf_deinit(&msg);
	ent_buf_deinit(&sig);
	return tap_done();
}
