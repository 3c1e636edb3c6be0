/* LZ4 frames and Zstandard, as src/arrow wants them: bytes in, bytes out, and what they hold. */
#include "arrow_codec.h"

#include <stdlib.h>

#ifdef ENT_ARROW_LZ4
#include <lz4frame.h>

struct lz4 {
	LZ4F_dctx *dctx;
	size_t memory;
	bool begun;
};

static void *lz4_open(void)
{
	struct lz4 *l = (struct lz4 *)calloc(1, sizeof *l);
	if (l && !LZ4F_isError(LZ4F_createDecompressionContext(&l->dctx, LZ4F_VERSION)))
		return l;
	free(l);
	return NULL;
}

/* The library does not say what it holds: two blocks, and 64 KiB before the second. */
static const char *lz4_begin(struct lz4 *l, struct ent_bytes *in)
{
	LZ4F_frameInfo_t info;
	size_t n = in->len;
	size_t code = LZ4F_getFrameInfo(l->dctx, &info, in->data, &n);
	if (LZ4F_isError(code))
		return LZ4F_getErrorName(code);
	*in = ent_bytes(in->data + n, in->len - n);
	size_t block = (size_t)1 << (8 + 2 * (unsigned)info.blockSizeID);
	l->memory = 2 * block + 65536 * 2;
	l->begun = true;
	return NULL;
}

static const char *lz4_step(void *self, struct ent_bytes *in, uint8_t *out, size_t space, size_t *ret_n, bool *ret_end)
{
	struct lz4 *l = (struct lz4 *)self;
	*ret_n = 0;
	*ret_end = false;
	if (!l->begun)
		return lz4_begin(l, in);
	size_t n = in->len, made = space;
	size_t code = LZ4F_decompress(l->dctx, out, &made, in->data, &n, NULL);
	if (LZ4F_isError(code))
		return LZ4F_getErrorName(code);
	*in = ent_bytes(in->data + n, in->len - n);
	*ret_n = made;
	*ret_end = !code;
	return NULL;
}

static size_t lz4_memory(const void *self) { return ((const struct lz4 *)self)->memory; }

static void lz4_close(void *self)
{
	struct lz4 *l = (struct lz4 *)self;
	(void)LZ4F_freeDecompressionContext(l->dctx);
	free(l);
}

static const struct ent_ipc_codec lz4 = { .open = lz4_open, .step = lz4_step, .memory = lz4_memory, .ratio = 255, .close = lz4_close };
#endif

#ifdef ENT_ARROW_ZSTD
#include <zstd.h>

static void *zstd_open(void) { return ZSTD_createDStream(); }

static const char *zstd_step(void *self, struct ent_bytes *in, uint8_t *out, size_t space, size_t *ret_n, bool *ret_end)
{
	ZSTD_inBuffer from = { in->data, in->len, 0 };
	ZSTD_outBuffer to = { out, space, 0 };
	size_t code = ZSTD_decompressStream((ZSTD_DStream *)self, &to, &from);
	*ret_n = to.pos;
	*ret_end = !code;
	if (ZSTD_isError(code))
		return ZSTD_getErrorName(code);
	*in = ent_bytes(in->data + from.pos, in->len - from.pos);
	return NULL;
}

static size_t zstd_memory(const void *self) { return ZSTD_sizeof_DStream((const ZSTD_DStream *)self); }

static void zstd_close(void *self) { (void)ZSTD_freeDStream((ZSTD_DStream *)self); }

/* A block of 128 KiB takes four bytes at least. */
static const struct ent_ipc_codec zstd = { .open = zstd_open, .step = zstd_step, .memory = zstd_memory, .ratio = 32768, .close = zstd_close };
#endif

const struct ent_ipc_codec *const ent_arrow_codecs[ENT_IPC_CODECS] = {
#ifdef ENT_ARROW_LZ4
	[ENT_IPC_LZ4_FRAME] = &lz4,
#endif
#ifdef ENT_ARROW_ZSTD
	[ENT_IPC_ZSTD] = &zstd,
#endif
};
