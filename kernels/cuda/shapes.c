/* shapes.c - see shapes.h. */
#include "kernels/cuda/shapes.h"

#include "ir/base/base.h"
#include "kernels/cuda/cuda.h"

#include <string.h>

/* From the vendor's table of compute capabilities; of each block 1 KB of shared
 * memory is the driver's from sm_80 on.  Three stages on the small ones: four
 * would leave one block where two fit. */
static const CudaArch archs[] = {
	{75, 65536, 64 << 10, 64 << 10, 1024, 16, 2},
	{80, 65536, 164 << 10, 163 << 10, 2048, 32, 4},
	{86, 65536, 100 << 10, 99 << 10, 1536, 16, 3},
	{89, 65536, 100 << 10, 99 << 10, 1536, 24, 3},
	{90, 65536, 228 << 10, 227 << 10, 2048, 32, 4},
	{120, 65536, 100 << 10, 99 << 10, 1536, 24, 3},
};

const CudaArch *
cuda_arch(int sm)
{
	size_t i = COUNT_OF(archs) - 1;
	while (i > 0 && archs[i].sm > sm)
		i--;
	return &archs[i];
}

static int
block_shared(const CudaArch *a, int shared)
{
	return shared + (a->sm >= 80 ? 1024 : 0);
}

int
cuda_blocks(const CudaArch *a, int registers, int shared, int threads)
{
	/* registers go to warps, 256 at a time */
	int warp = (registers * 32 + 255) / 256 * 256;
	int n = a->registers / (warp * (threads / 32));
	if (shared > a->shared_block)
		return 0;
	n = n < a->threads / threads ? n : a->threads / threads;
	n = n < a->blocks ? n : a->blocks;
	int by_shared = a->shared / block_shared(a, shared > 0 ? shared : 1);
	return n < by_shared ? n : by_shared;
}

/* ---- matrix work ---- */

const MatrixShape matrix_shapes[SHAPES] = {
	[SHAPE_128] = {128, 128, 2, "matrix_f16_128", "matrix_bf16_128"},
	[SHAPE_160] = {160, 256, 2, "matrix_f16_160", "matrix_bf16_160"},
	[SHAPE_64] = {64, 256, 2, "matrix_f16_64", "matrix_bf16_64"},
	[SHAPE_ANY] = {64, 256, 2, "matrix_f16_any", "matrix_bf16_any"},
};

int
matrix_shape(const CudaArch *a, int64_t cout, bool geglu, bool aligned)
{
	static const int order[] = {SHAPE_128, SHAPE_160, SHAPE_64};
	int64_t rows = geglu ? 2 * cout : cout, least = INT64_MAX;
	int best = SHAPE_64;
	if (!aligned)
		return SHAPE_ANY;
	for (size_t i = 0; i < COUNT_OF(order); i++) {
		int64_t n = matrix_shapes[order[i]].channels;
		int64_t padded = round_up(rows, n);
		/* without copies under way 128 channels stall too long; half
		 * of 160 / 2 results are no whole sectors */
		if (padded >= least || (order[i] == SHAPE_128 && a->sm < 80)
			|| (order[i] == SHAPE_160 && geglu))
			continue;
		least = padded;
		best = order[i];
	}
	return best;
}

static int64_t
box_pixels(const MatrixArgs *p, const int *tile)
{
	int64_t box = 1;
	for (int i = 0; i < 3; i++)
		box *= (int64_t)(tile[i] - 1) * p->stride[i] + p->kernel[i];
	return box;
}

static int
taps_of(const MatrixArgs *p)
{
	return p->kernel[0] * p->kernel[1] * p->kernel[2];
}

int
matrix_shared(int shape, const MatrixArgs *p)
{
	const MatrixShape *s = &matrix_shapes[shape];
	int box = (int)box_pixels(p, p->tile), row = MATRIX_CHUNK * 2;
	int ring = p->stages * s->channels * row + p->a_stages * box * row
		+ (box * 4 + 15) / 16 * 16 * 2;
	/* the epilogue's stage: 16 rows of each warp, f32 */
	int stage = s->threads / 32 * 16 * (s->channels / s->warps_n + 4) * 4;
	return ring > stage ? ring : stage;
}

/* Offsets within a box are 32 bits, in units of 8 elements if aligned. */
static bool
offsets_fit(const MatrixArgs *p, const int *tile, bool aligned)
{
	for (int v = MV_X; v <= MV_X2; v++) {
		double far = 0;
		for (int i = 0; i < 3; i++)
			far += (double)((tile[i] - 1) * p->stride[i]
				+ p->kernel[i]) * (double)p->step[v][i];
		if (far / (aligned ? 8 : 1) > 2e9)
			return false;
	}
	return true;
}

/* Puts tile[] into `p` and returns its price: tiles times what one costs, the
 * products (as many whatever the tile holds) and the input's box. */
static double
try_tile(const CudaArch *a, int shape, bool aligned, const int *tile,
	MatrixArgs *p)
{
	int64_t box = box_pixels(p, tile);
	double tiles = (double)p->batch;
	for (int i = 0; i < 3; i++) {
		p->tile[i] = tile[i];
		p->tiles[i] = (int)((p->out[i] + tile[i] - 1) / tile[i]);
		tiles *= p->tiles[i];
	}
	int shared = block_shared(a, matrix_shared(shape, p));
	if (shared > block_shared(a, a->shared_block)
		|| !offsets_fit(p, tile, aligned))
		return 1e300;
	/* rows of the box that do not go by eights meet banks twice, and one
	 * block on an SM waits where two would work */
	double price = 1 + (double)box / taps_of(p) / 512;
	if (tile[2] % 8 && p->out[2] > tile[2])
		price *= 1.3;
	if (2 * shared > a->shared)
		price *= 1.5;
	return tiles * price;
}

/* Extents of a tile along one axis: powers of two up to the axis. */
static int
next_extent(int n, int64_t out)
{
	return n < out ? 2 * n : MATRIX_TILE_M + 1;
}

bool
matrix_tiles(const CudaArch *a, int shape, bool aligned, MatrixArgs *p)
{
	int tile[3], best[3] = {0};
	double least = 1e299;
	int64_t channels = matrix_shapes[shape].channels / (p->geglu ? 2 : 1);
	p->stages = a->stages;
	p->a_stages = 1 + (p->stages + taps_of(p) - 1) / taps_of(p);
	p->ntiles = (int)((p->cout + channels - 1) / channels);
	for (tile[2] = 1; tile[2] <= MATRIX_TILE_M;
		tile[2] = next_extent(tile[2], p->out[2]))
		for (tile[1] = 1; tile[1] * tile[2] <= MATRIX_TILE_M;
			tile[1] = next_extent(tile[1], p->out[1]))
			for (tile[0] = 1; tile[0] * tile[1] * tile[2]
				<= MATRIX_TILE_M;
				tile[0] = next_extent(tile[0], p->out[0])) {
				double price = try_tile(a, shape, aligned, tile, p);
				if (price >= least)
					continue;
				least = price;
				memcpy(best, tile, sizeof best);
			}
	if (!best[0])
		return false;
	try_tile(a, shape, aligned, best, p);
	p->mtiles = p->batch * p->tiles[0] * p->tiles[1] * p->tiles[2];
	return true;
}

/* ---- attention ---- */

enum { FEW_KEYS = 2 * ATTEND_FEW };     /* and up: a block for each tile */

#define ALL(d, queries) \
	{d, ATTEND_KEYS, queries, 1, "attend_f16_" #d, "attend_bf16_" #d}
#define FEW(d) {d, ATTEND_FEW, 16, 4, "few_f16_" #d, "few_bf16_" #d}
static const AttendShape attend_shapes[] = {
	FEW(40), FEW(64), FEW(80), FEW(160),
	ALL(40, 128), ALL(64, 128), ALL(80, 64), ALL(128, 64), ALL(160, 64),
};

const AttendShape *
attend_shape(int64_t channels, int64_t keys)
{
	for (size_t i = 0; i < COUNT_OF(attend_shapes); i++) {
		const AttendShape *s = &attend_shapes[i];
		if (s->channels == channels
			&& (s->keys != ATTEND_FEW || keys <= FEW_KEYS))
			return s;
	}
	return NULL;
}

int
attend_shared(const AttendShape *s, int stages)
{
	return s->tiles * 2 * s->channels * (s->queries + 2 * stages * s->keys);
}

/* Few keys are one or two tiles: nothing to overlap, but room for more blocks. */
int
attend_stages(const CudaArch *a, const AttendShape *s)
{
	int stages = s->keys == ATTEND_FEW ? 1 : 2;
	while (stages > 0 && attend_shared(s, stages) > a->shared_block)
		stages--;
	return stages;
}

int64_t
cuda_work_bytes(Op op, const Operand *args, const Attr *attr)
{
	(void)op;
	(void)args;
	(void)attr;
	return 0;
}
