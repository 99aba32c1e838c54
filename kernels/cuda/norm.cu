/* norm.cu - group and layer norms as fast as memory lets them be.
 *
 * Threads take eight neighbour channels (a column) each, and a block as many rows
 * at once as its threads have columns for; a thread stays in its column.  Sums of
 * a thread are f32, those over threads double, in one order that depends on the
 * shape of a unit alone.  Mean first, then squares: a group whose mean is far
 * above its deviation keeps its digits.
 */
#include "kernels/cuda/rows.h"

/* A thread's columns: col, col + THREADS .. in rows row, row + rows .. */
struct Columns {
	int col, row, rows;
};

DEV Columns
columns_of(int columns)
{
	Columns c;
	c.rows = columns < THREADS ? THREADS / columns : 1;
	c.col = columns < THREADS ? thread_x() % columns : thread_x();
	c.row = columns < THREADS ? thread_x() / columns : 0;
	if (c.row >= c.rows)
		c.col = columns;        /* nothing to do */
	return c;
}

DEV int
lanes_left(int64_t channels, int64_t c)
{
	return channels - c < LANES ? (int)(channels - c) : LANES;
}

/* ---- norm_stats ---- */

/* Sums of one pass over a unit, or of squares about the groups' means, by
 * channel and row of threads, into shared memory. */
DEV void
unit_pass(const StatsArgs &p, const int64_t at[2], bool squares, uint32_t sums,
	uint32_t means)
{
	const int first = (int)((p.channels[0] + LANES - 1) / LANES);
	const int second = (int)((p.channels[1] + LANES - 1) / LANES);
	const int all = (int)(p.channels[0] + p.channels[1]);
	Columns t = columns_of(first + second);
	for (int col = t.col; col < first + second; col += THREADS) {
		const int part = col >= first;
		const int c = (part ? col - first : col) * LANES;
		const int base = c + (part ? (int)p.channels[0] : 0);
		const int n = lanes_left(part ? p.channels[1] : p.channels[0], c);
		const BoxArgs &in = part ? p.in[1] : p.in[0];
		const int64_t from = (part ? at[1] : at[0]) + c;
		float sum[LANES], mean[LANES], x[LANES];
#pragma unroll
		for (int j = 0; j < LANES; j++) {
			sum[j] = mean[j] = 0;
			if (squares && j < n)
				mean[j] = as_float(lds4(means + (uint32_t)
					((base + j) / (int)p.per) * 4));
		}
		for (int64_t r = t.row; r < in.count; r += t.rows) {
			load_lanes(in.data[0], in.dtype[0],
				from + box_at(in, 0, r), n, p.vec, x);
#pragma unroll
			for (int j = 0; j < LANES; j++) {
				float d = x[j] - mean[j];
				sum[j] = squares ? fma_of(d, d, sum[j])
					: sum[j] + x[j];
			}
		}
#pragma unroll
		for (int j = 0; j < LANES; j++)
			if (j < n)
				sts4(sums + (uint32_t)(t.row * all + base + j) * 4,
					as_bits(sum[j]));
	}
}

/* The total of group g. */
DEV double
group_total(const StatsArgs &p, int g, uint32_t sums)
{
	const int first = (int)((p.channels[0] + LANES - 1) / LANES);
	const int second = (int)((p.channels[1] + LANES - 1) / LANES);
	const int all = (int)(p.channels[0] + p.channels[1]);
	const int rows = first + second < THREADS ? THREADS / (first + second) : 1;
	double total = 0;
	for (int r = 0; r < rows; r++)
		for (int k = 0; k < (int)p.per; k++)
			total += as_float(lds4(sums + (uint32_t)(r * all
				+ g * (int)p.per + k) * 4));
	return total;
}

/* A block makes one unit.  Shared memory: means of groups, sums. */
KERNEL(norm_stats, THREADS, 1, StatsArgs)
{
	const uint32_t means = shared_base(), sums = means
		+ (uint32_t)(p.groups + 3) / 4 * 16;
	const int64_t at[2] = {box_at(p.units, 1, block_x()),
		box_at(p.units, 2, block_x())};
	const double n = (double)(p.in[0].count * p.per);
	const int64_t y = box_at(p.units, 0, block_x());
	unit_pass(p, at, false, sums, means);
	sync_threads();
	for (int g = thread_x(); g < p.groups; g += THREADS) {
		float mean = (float)(group_total(p, g, sums) / n);
		sts4(means + (uint32_t)g * 4, as_bits(mean));
		store(p.units.data[0], p.units.dtype[0], y + g, mean);
	}
	sync_threads();
	unit_pass(p, at, true, sums, means);
	sync_threads();
	for (int g = thread_x(); g < p.groups; g += THREADS)
		store(p.units.data[0], p.units.dtype[0], y + p.groups + g,
			(float)group_total(p, g, sums));
}

/* ---- norm_combine ---- */

/* Sum over the thread's units of the means of group g, or of what makes the
 * variance about `mean`. */
DEV double
units_sum(const CombineArgs &p, int64_t at, int row, int rows, bool squares,
	double mean)
{
	const BoxArgs &u = p.units;
	double sum = 0;
	for (int64_t k = row; k < u.count; k += rows) {
		int64_t x = at + box_at(u, 0, k);
		double m = load(u.data[0], u.dtype[0], x);
		if (squares)
			sum += load(u.data[0], u.dtype[0], x + p.groups)
				+ p.rows * ((m - mean) * (m - mean));
		else
			sum += m;
	}
	return sum;
}

/* Adds up what the rows of threads have for group g, in their order. */
DEV double
rows_total(uint32_t sums, int groups, int rows, int g)
{
	double total = 0;
	for (int r = 0; r < rows; r++)
		total += lds_double(sums + (uint32_t)(r * groups + g) * 8);
	return total;
}

/* A block makes one result; a thread takes one group of some units. */
KERNEL(norm_combine, THREADS, 1, CombineArgs)
{
	const int groups = p.groups, rows = THREADS / groups;
	const int g = thread_x() % groups, row = thread_x() / groups;
	const uint32_t sums = shared_base();
	const double n = (double)p.units.count;
	const int64_t at = box_at(p.out, 1, block_x()) + g;
	const int64_t y = box_at(p.out, 0, block_x()) + g;
	if (row < rows)
		sts_double(sums + (uint32_t)(row * groups + g) * 8,
			units_sum(p, at, row, rows, false, 0));
	sync_threads();
	const double mean = rows_total(sums, groups, rows, g) / n;
	sync_threads();
	if (row < rows)
		sts_double(sums + (uint32_t)(row * groups + g) * 8,
			units_sum(p, at, row, rows, true, mean));
	sync_threads();
	if (row > 0)
		return;
	const double var = rows_total(sums, groups, rows, g) / (p.rows * n);
	store(p.out.data[0], p.out.dtype[0], y, (float)mean);
	store(p.out.data[0], p.out.dtype[0], y + groups,
		(float)(1 / root(var + p.eps)));
}

/* ---- norm_apply ---- */

/* A block takes APPLY_ROWS rows for each of its rows of threads, all of one row
 * of statistics. */
KERNEL(norm_apply, THREADS, 1, ApplyRowsArgs)
{
	const int columns = (int)((p.channels + LANES - 1) / LANES);
	Columns t = columns_of(columns);
	const int64_t unit = block_x() / p.chunks;
	const int64_t first = block_x() % p.chunks * APPLY_ROWS * t.rows;
	const int64_t y0 = box_at(p.out, 0, unit), x0 = box_at(p.out, 1, unit);
	const int64_t s0 = box_at(p.out, 2, unit);
	for (int col = t.col; col < columns; col += THREADS) {
		const int c = col * LANES, n = lanes_left(p.channels, c);
		float mean[LANES], scale[LANES], beta[LANES], x[LANES];
		load_lanes(p.gamma, p.gamma_type, p.first + c, n, p.vec, scale);
		load_lanes(p.beta, p.beta_type, p.first + c, n, p.vec, beta);
#pragma unroll
		for (int j = 0; j < LANES; j++) {
			int64_t s = s0 + (p.first + c + (j < n ? j : 0)) / p.per;
			mean[j] = load(p.out.data[2], p.out.dtype[2], s);
			scale[j] *= load(p.out.data[2], p.out.dtype[2],
				s + p.groups);
		}
		for (int k = 0; k < APPLY_ROWS; k++) {
			int64_t r = first + t.row + (int64_t)k * t.rows;
			if (r >= p.in.count)
				break;
			load_lanes(p.in.data[1], p.in.dtype[1],
				x0 + box_at(p.in, 1, r) + c, n, p.vec, x);
#pragma unroll
			for (int j = 0; j < LANES; j++)
				x[j] = activate(p.act, fma_of(x[j] - mean[j],
					scale[j], beta[j]));
			store_lanes(p.in.data[0], p.in.dtype[0],
				y0 + box_at(p.in, 0, r) + c, n, p.vec, x);
		}
	}
}

/* ---- layer_norm ---- */

/* Sum over the lanes of a warp, the same in all of them. */
DEV float
warp_sum(float v)
{
#pragma unroll
	for (int lanes = 16; lanes > 0; lanes /= 2)
		v += shfl_xor(v, lanes);
	return v;
}

/* The warp's sum of x - mean, or of its square, over a row. */
DEV float
row_sum(const RowsArgs &p, int64_t at, bool squares, float mean)
{
	const BoxArgs &b = p.box;
	float sum = 0, x[LANES];
	for (int64_t c = (thread_x() & 31) * LANES; c < p.channels; c += 32 * LANES) {
		const int n = lanes_left(p.channels, c);
		load_lanes(b.data[1], b.dtype[1], at + c, n, p.vec, x);
#pragma unroll
		for (int j = 0; j < LANES; j++) {
			float d = j < n ? x[j] - mean : 0;
			sum = squares ? fma_of(d, d, sum) : sum + d;
		}
	}
	return warp_sum(sum);
}

/* A warp makes one row. */
KERNEL(layer_norm, THREADS, 1, RowsArgs)
{
	const BoxArgs &b = p.box;
	const int64_t row = block_x() * (THREADS / 32) + (thread_x() >> 5);
	if (row >= b.count)
		return;
	const int64_t from = box_at(b, 1, row), to = box_at(b, 0, row);
	const float n = (float)p.channels;
	/* the second pass mends what rounding left in the first */
	float mean = row_sum(p, from, false, 0) / n;
	mean += row_sum(p, from, false, mean) / n;
	const float var = row_sum(p, from, true, mean) / n;
	const float rstd = (float)(1 / root((double)var + p.eps));
	for (int64_t c = (thread_x() & 31) * LANES; c < p.channels; c += 32 * LANES) {
		const int k = lanes_left(p.channels, c);
		float x[LANES], gamma[LANES], beta[LANES];
		load_lanes(b.data[1], b.dtype[1], from + c, k, p.vec, x);
		load_lanes(p.gamma, p.gamma_type, c, k, p.vec, gamma);
		load_lanes(p.beta, p.beta_type, c, k, p.vec, beta);
#pragma unroll
		for (int j = 0; j < LANES; j++)
			x[j] = fma_of((x[j] - mean) * rstd, gamma[j], beta[j]);
		store_lanes(b.data[0], b.dtype[0], to + c, k, p.vec, x);
	}
}
