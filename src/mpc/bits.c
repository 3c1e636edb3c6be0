/* Bit planes, local work: constants go to component 0, everything linear to both components alike. */
#include "mpc/engine.h"
#include "mpc/kernel.h"

struct ent_bits ent_bits_planes(const struct ent_bits *x, unsigned first, unsigned count)
{
	ENT_ASSERT(first <= x->planes && count <= x->planes - first);
	size_t skip = first * ent_words(x->rows);
	return (struct ent_bits){ x->rows, count, { x->c[0] + skip, x->c[1] + skip }, NULL };
}

static size_t total(const struct ent_bits *x) { return ent_words(x->rows) * x->planes; }

int ent_bits_dup(struct ent_mpc *m, const struct ent_bits *x, struct ent_bits *ret, struct ent_err *err)
{
	ENT_TRY(ent_bits_make(m, x->rows, x->planes, ret, err));
	for (int j = 0; j < 2; j++)
		if (total(x))
			memcpy(ret->c[j], x->c[j], total(x) * 8);
	return 0;
}

void ent_bits_xor_in(struct ent_bits *x, const struct ent_bits *y)
{
	size_t words = ent_words(x->rows);
	ENT_ASSERT(x->rows == y->rows && (y->planes == x->planes || y->planes == 1));
	for (int j = 0; j < 2; j++)
		for (unsigned k = 0; k < x->planes; k++)
			ent_mpc_kernel()->xor_in(plane(x, j, k), plane(y, j, y->planes == 1 ? 0 : k), words);
}

int ent_bits_xor(struct ent_mpc *m, const struct ent_bits *x, const struct ent_bits *y, struct ent_bits *ret, struct ent_err *err)
{
	ENT_ASSERT(x->rows == y->rows && (y->planes == x->planes || y->planes == 1));
	struct ent_bits z;
	ENT_TRY(ent_bits_dup(m, x, &z, err));
	ent_bits_xor_in(&z, y);
	*ret = z;
	return 0;
}

static void flip_words(uint64_t *x, size_t words)
{
	for (size_t i = 0; i < words; i++)
		x[i] = ~x[i];
}

void ent_bits_flip(struct ent_mpc *m, struct ent_bits *x)
{
	for (int j = 0; j < 2; j++)
		if (is_first(m, j))
			flip_words(x->c[j], total(x));
}

int ent_bits_not(struct ent_mpc *m, const struct ent_bits *x, struct ent_bits *ret, struct ent_err *err)
{
	struct ent_bits z;
	ENT_TRY(ent_bits_dup(m, x, &z, err));
	ent_bits_flip(m, &z);
	*ret = z;
	return 0;
}

void ent_bits_xor_public(struct ent_mpc *m, struct ent_bits *x, const uint64_t *planes)
{
	for (int j = 0; j < 2; j++)
		if (is_first(m, j))
			ent_mpc_kernel()->xor_in(x->c[j], planes, total(x));
}

void ent_bits_xor_const(struct ent_mpc *m, struct ent_bits *x, uint64_t value)
{
	ENT_ASSERT(x->planes <= 64);
	for (int j = 0; j < 2; j++)
		for (unsigned k = 0; k < x->planes; k++)
			if (is_first(m, j) && (value >> k & 1))
				flip_words(plane(x, j, k), ent_words(x->rows));
}

int ent_bits_const(struct ent_mpc *m, size_t rows, unsigned planes, uint64_t value, struct ent_bits *ret, struct ent_err *err)
{
	struct ent_bits z;
	ENT_TRY(ent_bits_new(m, rows, planes, &z, err));
	ent_bits_xor_const(m, &z, value);
	*ret = z;
	return 0;
}

int ent_bits_index(struct ent_mpc *m, size_t rows, unsigned planes, struct ent_bits *ret, struct ent_err *err)
{
	static const uint64_t low[6] = { 0xaaaaaaaaaaaaaaaaull, 0xccccccccccccccccull, 0xf0f0f0f0f0f0f0f0ull,
					 0xff00ff00ff00ff00ull, 0xffff0000ffff0000ull, 0xffffffff00000000ull };
	struct ent_bits z;
	ENT_TRY(ent_bits_new(m, rows, planes, &z, err));
	for (int j = 0; j < 2; j++)
		for (unsigned k = 0; k < planes && is_first(m, j); k++)
			for (size_t w = 0; w < ent_words(rows); w++)
				plane(&z, j, k)[w] = k < 6 ? low[k] : k < 64 && (w >> (k - 6) & 1) ? ~(uint64_t)0 : 0;
	*ret = z;
	return 0;
}

int ent_bits_stack(struct ent_mpc *m, const struct ent_bits *const *parts, size_t count, struct ent_bits *ret, struct ent_err *err)
{
	struct ent_bits z;
	unsigned planes = 0;
	ENT_ASSERT(count > 0);
	for (size_t i = 0; i < count; i++) {
		ENT_ASSERT(parts[i]->rows == parts[0]->rows);
		planes += parts[i]->planes;
	}
	ENT_TRY(ent_bits_make(m, parts[0]->rows, planes, &z, err));
	for (int j = 0; j < 2; j++) {
		uint64_t *to = z.c[j];
		for (size_t i = 0; i < count; i++) {
			if (total(parts[i]))
				memcpy(to, parts[i]->c[j], total(parts[i]) * 8);
			to += total(parts[i]);
		}
	}
	*ret = z;
	return 0;
}

int ent_bits_widen(struct ent_mpc *m, const struct ent_bits *x, unsigned planes, bool sign, struct ent_bits *ret, struct ent_err *err)
{
	struct ent_bits z;
	size_t words = ent_words(x->rows);
	ENT_ASSERT(planes >= x->planes && x->planes > 0);
	ENT_TRY(ent_bits_make(m, x->rows, planes, &z, err));
	for (int j = 0; j < 2; j++) {
		memcpy(z.c[j], x->c[j], total(x) * 8);
		for (unsigned k = x->planes; k < planes; k++)
			if (sign)
				memcpy(plane(&z, j, k), plane(x, j, x->planes - 1), words * 8);
			else
				memset(plane(&z, j, k), 0, words * 8);
	}
	*ret = z;
	return 0;
}

/* Copies `count` bits from bit `from` of src to bit `to` of dst; bits of dst around them stay. src is read up to its word of the last bit. */
static void copy_bits(uint64_t *dst, size_t to, const uint64_t *src, size_t from, size_t count)
{
	while (count) {
		unsigned d = (unsigned)(to % 64), s = (unsigned)(from % 64);
		size_t n = 64 - (d > s ? d : s);
		n = n < count ? n : count;
		uint64_t mask = n == 64 ? ~(uint64_t)0 : (((uint64_t)1 << n) - 1);
		uint64_t v = (src[from / 64] >> s) & mask;
		dst[to / 64] = (dst[to / 64] & ~(mask << d)) | v << d;
		to += n;
		from += n;
		count -= n;
	}
}

int ent_bits_append(struct ent_mpc *m, const struct ent_bits *x, const struct ent_bits *y, struct ent_bits *ret, struct ent_err *err)
{
	struct ent_bits z;
	size_t rows;
	ENT_ASSERT(x->planes == y->planes && ent_add_size(x->rows, y->rows, &rows));
	ENT_TRY(ent_bits_new(m, x->rows + y->rows, x->planes, &z, err));
	for (int j = 0; j < 2; j++)
		for (unsigned k = 0; k < x->planes; k++) {
			copy_bits(plane(&z, j, k), 0, plane(x, j, k), 0, x->rows);
			copy_bits(plane(&z, j, k), x->rows, plane(y, j, k), 0, y->rows);
		}
	*ret = z;
	return 0;
}

int ent_bits_range(struct ent_mpc *m, const struct ent_bits *x, size_t first, size_t count, struct ent_bits *ret, struct ent_err *err)
{
	struct ent_bits z;
	ENT_ASSERT(first <= x->rows && count <= x->rows - first);
	ENT_TRY(ent_bits_new(m, count, x->planes, &z, err));
	for (int j = 0; j < 2; j++)
		for (unsigned k = 0; k < x->planes; k++)
			copy_bits(plane(&z, j, k), 0, plane(x, j, k), first, count);
	*ret = z;
	return 0;
}

/* Row-major in between: one read per row instead of one per bit. */
int ent_bits_gather(struct ent_mpc *m, const struct ent_bits *x, const uint32_t *at, size_t count, struct ent_bits *ret, struct ent_err *err)
{
	ENT_CLEANUP(ent_bits_deinit) struct ent_bits z = { 0 };
	ENT_CLEANUP(ent_mpc_scratch_free) struct scratch in = { 0 }, out = { 0 };
	size_t bytes = (x->planes + 7) / 8;
	ENT_TRY(ent_bits_make(m, count, x->planes, &z, err));
	ENT_TRY(ent_mpc_scratch(m, x->rows + 64, bytes + 1, &in, err));
	ENT_TRY(ent_mpc_scratch(m, count + 64, bytes + 1, &out, err));
	for (int j = 0; j < 2; j++) {
		ent_rows_pack(x->c[j], x->rows, x->planes, in.at);
		ent_rows_permute(in.at, at, count, bytes, out.at);
		ent_rows_unpack(out.at, count, x->planes, z.c[j]);
	}
	*ret = ent_bits_take(&z);
	return 0;
}

int ent_bits_shift_down(struct ent_mpc *m, const struct ent_bits *x, bool first, struct ent_bits *ret, struct ent_err *err)
{
	struct ent_bits z;
	size_t words = ent_words(x->rows);
	ENT_TRY(ent_bits_make(m, x->rows, x->planes, &z, err));
	for (int j = 0; j < 2; j++)
		for (unsigned k = 0; k < x->planes; k++) {
			uint64_t carry = first && is_first(m, j), *to = plane(&z, j, k);
			const uint64_t *from = plane(x, j, k);
			for (size_t w = 0; w < words; w++) {
				to[w] = from[w] << 1 | carry;
				carry = from[w] >> 63;
			}
		}
	*ret = z;
	return 0;
}

int ent_bits_shift_up(struct ent_mpc *m, const struct ent_bits *x, bool last, struct ent_bits *ret, struct ent_err *err)
{
	struct ent_bits z;
	size_t words = ent_words(x->rows);
	ENT_TRY(ent_bits_make(m, x->rows, x->planes, &z, err));
	for (int j = 0; j < 2; j++)
		for (unsigned k = 0; k < x->planes && words; k++) {
			uint64_t *to = plane(&z, j, k), bit = (uint64_t)1 << ((x->rows - 1) % 64);
			const uint64_t *from = plane(x, j, k);
			for (size_t w = 0; w < words; w++)
				to[w] = from[w] >> 1 | (w + 1 < words ? from[w + 1] << 63 : 0);
			to[words - 1] = (to[words - 1] & ~bit) | (last && is_first(m, j) ? bit : 0);
		}
	*ret = z;
	return 0;
}
