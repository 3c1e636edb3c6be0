#include <stdio.h>

#include "object_store.h"

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 32;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool ent_object_unescape(struct ent_bytes text, char *out, size_t out_size)
{
	size_t n = 0;
	for (size_t i = 0; i < text.len; i++) {
		int c = text.data[i];
		if (c == '%') {
			int high = i + 2 < text.len ? hex_digit(text.data[i + 1]) : -1, low = high < 0 ? -1 : hex_digit(text.data[i + 2]);
			if (low < 0)
				return false;
			c = high * 16 + low;
			i += 2;
		}
		if (!c || n + 1 >= out_size)
			return false;
		out[n++] = (char)c;
	}
	if (!out_size)
		return false;
	out[n] = 0;
	return true;
}

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
