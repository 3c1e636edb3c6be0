/* The read routes of C2SP tlog-tiles over what the ledger has on disk. */
#include "ledger/ledger_state.h"

static void say(struct ent_http_answer *a, int status, const char *text)
{
	a->status = status;
	a->type = "text/plain; charset=utf-8";
	ent_buf_reset(&a->body);
	ent_buf_printf(&a->body, "%s\n", text);
}

/* "067" or "x001/x234/067", canonical; optionally ".p/W" behind. */
static bool parse_number(const char *p, uint64_t *ret_number, unsigned *ret_width)
{
	uint64_t number = 0, width = 256;
	for (int groups = 0;; groups++) {
		bool more = *p == 'x';
		p += more;
		for (int i = 0; i < 3; i++) {
			if (p[i] < '0' || p[i] > '9')
				return false;
			number = number * 10 + (uint64_t)(p[i] - '0');
		}
		if (more && groups == 0 && number == 0)
			return false; /* a leading group of zeros is not canonical */
		p += 3;
		if (!more)
			break;
		if (*p++ != '/' || groups == 4)
			return false;
	}
	if (!strncmp(p, ".p/", 3)) {
		if (!ent_parse_u64(p + 3, strlen(p + 3), 255, &width) || width == 0)
			return false;
	} else if (*p) {
		return false;
	}
	*ret_number = number;
	*ret_width = (unsigned)width;
	return true;
}

static int bundle(struct ent_ledger *l, uint64_t number, unsigned width, struct ent_buf *out, struct ent_err *err)
{
	ENT_CLEANUP(ent_buf_deinit) struct ent_buf entry = ENT_BUF(ENT_ENTRY_BYTES_MAX);
	if (number > UINT64_MAX >> 16 || number * ENT_TILE_WIDTH + width > ent_ledger_size(l))
		return ent_fail(err, ENT_ENOTFOUND, "no such entries");
	for (unsigned i = 0; i < width; i++) {
		ent_buf_reset(&entry);
		ENT_TRY(ent_ledger_entry(l, number * ENT_TILE_WIDTH + i, &entry, err));
		ent_buf_be16(out, (uint16_t)entry.len);
		ent_buf_put(out, entry.data, entry.len);
	}
	return ent_buf_check(out, err);
}

static void answer_bytes(struct ent_http_answer *a, int code)
{
	if (code) {
		say(a, code == ENT_ENOTFOUND ? 404 : 500, code == ENT_ENOTFOUND ? "not here" : "cannot be read");
		return;
	}
	a->status = 200;
	a->type = "application/octet-stream";
}

static void serve_tile(struct ent_ledger *l, const char *rest, bool trusted, struct ent_http_answer *a)
{
	bool entries = !strncmp(rest, "entries/", 8);
	const char *slash = strchr(rest, '/');
	uint64_t level = 0, number;
	unsigned width;
	if (!slash || (!entries && !ent_parse_u64(rest, (size_t)(slash - rest), 63, &level)) || !parse_number(slash + 1, &number, &width)) {
		say(a, 400, "not a tile: /tile/L/N[.p/W] or /tile/entries/N[.p/W]");
		return;
	}
	if (entries && !trusted) {
		say(a, 403, "entries are for members: come by TLS with a member's certificate or a read token (entente token)");
		return;
	}
	ent_buf_reset(&a->body);
	if (entries)
		answer_bytes(a, bundle(l, number, width, &a->body, NULL));
	else
		answer_bytes(a, ent_tiles_get(&l->tiles, (unsigned)level, number, width, &a->body, NULL));
}

bool ent_ledger_serve(struct ent_ledger *l, const struct ent_http_request *request, struct ent_http_answer *answer)
{
	bool checkpoint = !strcmp(request->url, "/checkpoint");
	if (!checkpoint && strncmp(request->url, "/tile/", 6) != 0)
		return false;
	if (strcmp(request->method, "GET") != 0) {
		say(answer, 405, "GET only");
	} else if (checkpoint) {
		answer->status = 200;
		answer->type = "text/plain; charset=utf-8";
		ent_buf_reset(&answer->body);
		ent_buf_put(&answer->body, l->served.data, l->served.len);
	} else {
		serve_tile(l, request->url + 6, request->trusted, answer);
	}
	return true;
}
