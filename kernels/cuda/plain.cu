/* plain.cu - the plain form of every op: a thread for each element, or row, of
 * the result, from the definition of its row in ops.def.  Any strides, parts,
 * cuts and types.  What a fast form is compared with, and what runs where none
 * fits.
 */
#include "kernels/cuda/box.h"

/* ---- moving ---- */

KERNEL(plain_resize, THREADS, 1, ResizeArgs)
{
	const BoxArgs &b = p.box;
	int64_t i = grid_x();
	if (i >= b.count)
		return;
	int64_t x = box_at(b, 1, i), k = i;
	for (int d = 0; d < p.over; d++, k /= b.n[d - 1])
		x += ((p.lo[d] + k % b.n[d]) * p.from[d] / p.to[d] - p.begin[d])
			* p.step[d];
	store(b.data[0], b.dtype[0], box_at(b, 0, i),
		load(b.data[1], b.dtype[1], x));
}

/* The non-finite search: the number of the first element, along the axes as
 * they stand in the box, that is NaN or infinite goes to view 1's data if it is
 * smaller than what is there. */
KERNEL(nonfinite, THREADS, 1, BoxArgs)
{
	int64_t i = grid_x();
	if (i >= p.count)
		return;
	float x = load(p.data[0], p.dtype[0], box_at(p, 0, i));
	if ((as_bits(x) & 0x7f800000u) == 0x7f800000u)
		atomic_min((uint64_t *)p.data[1], (uint64_t)i);
}

/* ---- tables ---- */

/* 2^x in double for |x| < 1000: x = n + f with |f| <= 1/2, Taylor's series. */
DEV double
exp2_of(double x)
{
	double n = round_even(x), f = (x - n) * 0.69314718055994530942;
	double y = 1;
	for (int k = 14; k > 0; k--)
		y = fma_of(y, f / k, 1.);
	return y * as_double((uint64_t)((int64_t)n + 1023) << 52);
}

/* sin(x), or cos(x), in double for |x| < 1e6: Taylor's series around the
 * nearest quarter turn. */
DEV double
sine_of(double x, bool cosine)
{
	double n = round_even(x * 0.63661977236758134308);
	double r = fma_of(n, -1.57079632679489655800, x);
	r = fma_of(n, -6.12323399573676603587e-17, r);
	int64_t quarter = (int64_t)n + (cosine ? 1 : 0);
	double y = 1, s = r * r;
	if (quarter & 1) {
		for (int k = 18; k > 0; k -= 2)
			y = fma_of(y, -s / (k * (k - 1)), 1.);
	} else {
		for (int k = 19; k > 1; k -= 2)
			y = fma_of(y, -s / (k * (k - 1)), 1.);
		y *= r;
	}
	return quarter & 2 ? -y : y;
}

/* The frequency exp(-ln(10000) k / half) is rounded to f32 and multiplied in
 * f32, as PyTorch does it: at a step of 999 that is seen. */
KERNEL(plain_sinusoid, THREADS, 1, SinusoidArgs)
{
	const BoxArgs &b = p.box;
	int64_t i = grid_x(), half = p.channels / 2;
	if (i >= b.count)
		return;
	int64_t c = box_at(b, 2, i), k = c;
	bool second = c >= half;
	if (p.interleave) {
		k = c / 2;
		second = c % 2;
	} else if (second) {
		k = c - half;
	}
	float y = 0;
	if (c < 2 * half) {
		float f = (float)exp2_of(-13.28771237954945 * (double)k
			/ (double)half);
		float x = load(b.data[1], b.dtype[1], box_at(b, 1, i));
		y = (float)sine_of((double)(x * f),
			second == (p.sin_first != 0));
	}
	store(b.data[0], b.dtype[0], box_at(b, 0, i), y);
}

/* Ids were checked on the host, where they came from; one outside the table
 * reads nothing and gives NaN. */
KERNEL(plain_embed, THREADS, 1, EmbedArgs)
{
	const BoxArgs &b = p.box;
	int64_t i = grid_x();
	if (i >= b.count)
		return;
	float id = load(b.data[1], b.dtype[1], box_at(b, 1, i));
	bool in = id >= 0.f && id < (float)p.rows;
	float y = in ? load(p.table, p.dtype, (int64_t)id * p.channels
		+ box_at(b, 2, i)) : as_float(0x7fc00000u);
	store(b.data[0], b.dtype[0], box_at(b, 0, i), y);
}

/* ---- norms ---- */

/* Sum over group g of a unit of x (no mean given) or of (x - mean)^2. */
DEV double
unit_sum(const StatsArgs &p, const int64_t *at, int64_t g, bool squares,
	double mean)
{
	double sum = 0;
	for (int64_t k = 0; k < p.per; k++) {
		int64_t c = g * p.per + k;
		int part = c >= p.channels[0];
		const BoxArgs &in = p.in[part];
		int64_t from = part ? at[1] + c - p.channels[0] : at[0] + c;
		for (int64_t r = 0; r < in.count; r++) {
			double x = load(in.data[0], in.dtype[0],
				from + box_at(in, 0, r));
			double d = x - mean;
			sum += squares ? d * d : x;
		}
	}
	return sum;
}

KERNEL(plain_norm_stats, THREADS, 1, StatsArgs)
{
	int64_t i = grid_x(), unit = i / p.groups, g = i % p.groups;
	if (unit >= p.units.count)
		return;
	const int64_t at[2] = {box_at(p.units, 1, unit),
		box_at(p.units, 2, unit)};
	double n = (double)(p.in[0].count * p.per);
	double mean = unit_sum(p, at, g, false, 0) / n;
	double m2 = unit_sum(p, at, g, true, mean);
	int64_t y = box_at(p.units, 0, unit) + g;
	store(p.units.data[0], p.units.dtype[0], y, (float)mean);
	store(p.units.data[0], p.units.dtype[0], y + p.groups, (float)m2);
}

/* With units of equal size the mean is the mean of means, and the squares are
 * those within plus those of the means. */
KERNEL(plain_norm_combine, THREADS, 1, CombineArgs)
{
	int64_t i = grid_x(), row = i / p.groups, g = i % p.groups;
	if (row >= p.out.count)
		return;
	const BoxArgs &u = p.units;
	int64_t at = box_at(p.out, 1, row) + g;
	double sum = 0, m2 = 0, n = (double)u.count;
	for (int64_t k = 0; k < u.count; k++)
		sum += load(u.data[0], u.dtype[0], at + box_at(u, 0, k));
	double mean = sum / n;
	for (int64_t k = 0; k < u.count; k++) {
		int64_t x = at + box_at(u, 0, k);
		double d = load(u.data[0], u.dtype[0], x) - mean;
		m2 += load(u.data[0], u.dtype[0], x + p.groups)
			+ p.rows * (d * d);
	}
	int64_t y = box_at(p.out, 0, row) + g;
	store(p.out.data[0], p.out.dtype[0], y, (float)mean);
	store(p.out.data[0], p.out.dtype[0], y + p.groups,
		(float)(1 / root(m2 / (p.rows * n) + p.eps)));
}

KERNEL(plain_norm_apply, THREADS, 1, ApplyArgs)
{
	const BoxArgs &b = p.box;
	int64_t i = grid_x();
	if (i >= b.count)
		return;
	int64_t c = box_at(b, 3, i), stats = box_at(b, 2, i) + c / p.per;
	float mean = load(b.data[2], b.dtype[2], stats);
	float rstd = load(b.data[2], b.dtype[2], stats + p.groups);
	float x = load(b.data[1], b.dtype[1], box_at(b, 1, i));
	float scale = load(p.gamma, p.gamma_type, c) * rstd;
	float y = fma_of(x - mean, scale, load(p.beta, p.beta_type, c));
	store(b.data[0], b.dtype[0], box_at(b, 0, i), activate(p.act, y));
}

KERNEL(plain_layer_norm, THREADS, 1, RowsArgs)
{
	const BoxArgs &b = p.box;
	int64_t i = grid_x();
	if (i >= b.count)
		return;
	int64_t x = box_at(b, 1, i), y = box_at(b, 0, i);
	double mean = 0, var = 0, n = (double)p.channels;
	for (int64_t c = 0; c < p.channels; c++)
		mean += load(b.data[1], b.dtype[1], x + c);
	mean /= n;
	for (int64_t c = 0; c < p.channels; c++) {
		double d = load(b.data[1], b.dtype[1], x + c) - mean;
		var += d * d;
	}
	float rstd = (float)(1 / root(var / n + p.eps));
	for (int64_t c = 0; c < p.channels; c++) {
		double d = load(b.data[1], b.dtype[1], x + c) - mean;
		store(b.data[0], b.dtype[0], y + c, fma_of((float)d * rstd,
			load(p.gamma, p.gamma_type, c),
			load(p.beta, p.beta_type, c)));
	}
}

/* ---- matrix work ---- */

/* A pixel of the result: its indices along the three axes, and its place in
 * each view. */
struct Pixel {
	int64_t o[3], batch;
};

DEV Pixel
pixel_at(const MatrixArgs &p, int64_t i)
{
	Pixel x;
#pragma unroll
	for (int a = 2; a >= 0; a--) {
		x.o[a] = i % p.out[a];
		i /= p.out[a];
	}
	x.batch = i;
	return x;
}

DEV int64_t
pixel_in(const MatrixArgs &p, int v, const Pixel &x)
{
	return batch_at(p, v, x.batch) + x.o[0] * p.step[v][0]
		+ x.o[1] * p.step[v][1] + x.o[2] * p.step[v][2];
}

/* Adds the products of one tap and one part for row `row` of the matrix. */
DEV float
tap_sum(const MatrixArgs &p, int part, int64_t x, int64_t w, float sum)
{
	const void *data = part ? p.data[MV_X2] : p.data[MV_X];
	int type = part ? p.dtype[MV_X2] : p.dtype[MV_X];
	for (int64_t c = 0; c < p.cin[part]; c++)
		sum = fma_of(load(data, type, x + c), load(p.w, p.w_type, w + c),
			sum);
	return sum;
}

/* The sum for row `row` of the matrix. */
DEV float
matrix_sum(const MatrixArgs &p, const Pixel &x, int64_t row)
{
	float sum = 0;
	int64_t taps = (int64_t)p.kernel[0] * p.kernel[1] * p.kernel[2];
	for (int part = 0; part < 2; part++)
		for (int64_t t = 0; t < taps && p.cin[part]; t++) {
			int64_t i[3], k = t;
			bool in = true;
			int64_t at = batch_at(p, MV_X + part, x.batch);
#pragma unroll
			for (int a = 2; a >= 0; a--) {
				i[a] = x.o[a] * p.stride[a] + k % p.kernel[a]
					- p.shift[a];
				k /= p.kernel[a];
				in = in && i[a] >= 0 && i[a] < p.in[a];
				at += i[a] * p.step[MV_X + part][a];
			}
			if (in)
				sum = tap_sum(p, part, at,
					(row * taps + t) * (p.cin[0] + p.cin[1])
					+ (part ? p.cin[0] : 0), sum);
		}
	return sum;
}

/* sum + bias + row, for row `c` of the matrix */
DEV float
matrix_terms(const MatrixArgs &p, const Pixel &x, int64_t c, float sum)
{
	if (p.bias)
		sum += load(p.bias, p.bias_type, c);
	if (p.data[MV_ROW])
		sum += load(p.data[MV_ROW], p.dtype[MV_ROW],
			pixel_in(p, MV_ROW, x) + (p.row_c ? c : 0));
	return sum;
}

KERNEL(plain_matrix, THREADS, 1, MatrixArgs)
{
	int64_t i = grid_x(), c = i % p.cout;
	int64_t pixels = p.batch * p.out[0] * p.out[1] * p.out[2];
	if (i / p.cout >= pixels)
		return;
	Pixel x = pixel_at(p, i / p.cout);
	float y = matrix_terms(p, x, c, matrix_sum(p, x, c));
	if (p.geglu)
		y *= mathf_gelu(matrix_terms(p, x, c + p.cout,
			matrix_sum(p, x, c + p.cout)));
	else
		y = activate(p.act, y);
	if (p.data[MV_ADD])
		y += load(p.data[MV_ADD], p.dtype[MV_ADD],
			pixel_in(p, MV_ADD, x) + c);
	store(p.data[MV_Y], p.dtype[MV_Y], pixel_in(p, MV_Y, x) + c, y);
}

/* ---- attention ---- */

/* q k for one query and key, times the scale. */
DEV float
score(const AttendArgs &p, int64_t q, int64_t k)
{
	float s = 0;
	for (int64_t e = 0; e < p.d; e++)
		s = fma_of(load(p.data[AV_Q], p.dtype[AV_Q], q + e),
			load(p.data[AV_K], p.dtype[AV_K], k + e), s);
	return s * p.scale;
}

/* A block makes one query of one head.  Keys come in tiles, one to a thread;
 * maximum, weights and their sum pass through shared memory, and behind them
 * lie the sums of values, each thread's own channels. */
KERNEL(plain_attend, ATTEND_KEYS, 1, AttendArgs)
{
	const int tid = thread_x();
	const uint32_t weights = shared_base(), sums = weights + ATTEND_KEYS * 4;
	int64_t head = block_x() % p.heads, query = block_x() / p.heads
		% p.query.count, batch = block_x() / p.heads / p.query.count;
	int64_t q = dims_at(p.batch, p.batch_step[AV_Q], batch)
		+ dims_at(p.query, p.query_step[0], query) + head * p.d;
	int64_t k = dims_at(p.batch, p.batch_step[AV_K], batch) + head * p.d;
	int64_t v = dims_at(p.batch, p.batch_step[AV_V], batch) + head * p.dv;
	int64_t keys = p.key.count;
	if (p.causal) {
		int64_t seen = query / p.causal_inner % p.causal_n
			+ p.causal_lo + 1;
		keys = seen < keys ? seen : keys;
	}
	float most = -1e30f, weight = 0;
	for (int64_t c = tid; c < p.dv; c += ATTEND_KEYS)
		sts4(sums + (uint32_t)c * 4, 0);
	for (int64_t first = 0; first < keys; first += ATTEND_KEYS) {
		int64_t j = first + tid;
		int n = keys - first < ATTEND_KEYS ? (int)(keys - first)
			: ATTEND_KEYS;
		float s = tid < n ? score(p, q, k + dims_at(p.key,
			p.key_step[0], j)) : 0, top = most;
		sts4(weights + tid * 4, as_bits(s));
		sync_threads();
		for (int i = 0; i < n; i++)
			top = max_of(top, as_float(lds4(weights + i * 4)));
		sync_threads();
		sts4(weights + tid * 4, as_bits(mathf_exp2(s - top)));
		sync_threads();
		float down = mathf_exp2(most - top);
		most = top;
		weight *= down;
		for (int i = 0; i < n; i++)
			weight += as_float(lds4(weights + i * 4));
		for (int64_t c = tid; c < p.dv; c += ATTEND_KEYS) {
			float sum = as_float(lds4(sums + (uint32_t)c * 4)) * down;
			for (int i = 0; i < n; i++)
				sum = fma_of(as_float(lds4(weights + i * 4)),
					load(p.data[AV_V], p.dtype[AV_V], v + c
					+ dims_at(p.key, p.key_step[1],
					first + i)), sum);
			sts4(sums + (uint32_t)c * 4, as_bits(sum));
		}
		sync_threads();
	}
	int64_t y = dims_at(p.batch, p.batch_step[AV_Y], batch)
		+ dims_at(p.query, p.query_step[1], query) + head * p.dv;
	for (int64_t c = tid; c < p.dv; c += ATTEND_KEYS)
		store(p.data[AV_Y], p.dtype[AV_Y], y + c,
			as_float(lds4(sums + (uint32_t)c * 4)) / weight);
}
