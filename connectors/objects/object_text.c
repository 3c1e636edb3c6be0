#include <stdio.h>

#include "object_store.h"

const char *ent_object_suffix(const char *path)
{
	const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
	return dot && (!slash || dot > slash + 1) ? dot + 1 : "";
}

int ent_object_path_check(const char *path, struct ent_err *err)
{
	const char *why = path[0] != '/' ? "it is not absolute" : !ent_utf8_valid(ent_bytes_str(path)) ? "it is not UTF-8" : NULL;
	for (const char *at = path; !why && *at == '/';) {
		size_t n = strcspn(++at, "/");
		if (!n || (n == 1 && at[0] == '.') || (n == 2 && at[0] == '.' && at[1] == '.'))
			why = "a part of it is empty, . or ..";
		at += n;
	}
	if (!why)
		return 0;
	ent_fail(err, ENT_EUSAGE, "this is no path of a file: %.200s", path);
	return ent_why(err, "%s", why), ENT_EUSAGE;
}
