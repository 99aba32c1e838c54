/* matrix.cu - linear and conv of f16 and bf16 by matrix instructions: an
 * implicit GEMM with f32 sums.
 *
 * A block makes TILE_M pixels, a box of tile[0] x tile[1] x tile[2] of the three
 * axes, times BN output channels.  CHUNK input channels of the box's input, halo
 * included, lie in shared memory once and serve all taps: ldmatrix takes its
 * rows from anywhere, so a tap is an offset.  Weights [cout][tap][cin] come tap
 * by tap through a ring of tiles.  Rows of 64 bytes are swizzled, so that
 * ldmatrix and the copies meet no bank twice.
 *
 * Sums run over chunks of channels, then taps, in the same order for every
 * element, whatever the tile: what a slice computes does not depend on where it
 * was cut.  With a GEGLU 8 value rows of the matrix and their 8 gate rows take
 * turns in a tile, so a thread that finishes a value has its gate.
 */
#include "kernels/cuda/rows.h"

enum {
	CHUNK = MATRIX_CHUNK, TILE_M = MATRIX_TILE_M,
	ROW_BYTES = CHUNK * 2,
	OUTSIDE = -0x7fffffff - 1,      /* a pixel of the box in the padding */
	L2_TILES = 8,           /* tiles of pixels that share weights in the L2 */
};

/* Address of 16-byte chunk `chunk` of row `row`, from the tile's start. */
DEV uint32_t
chunk_at(int row, int chunk)
{
	return (uint32_t)(row * ROW_BYTES + ((chunk ^ (row >> 1 & 3)) << 4));
}

/* v[8] += n numbers of an operand of the epilogue. */
template <bool VEC>
DEV void
add_row(float v[LANES], const void *p, int type, int64_t at, int n)
{
	float u[LANES];
	load_lanes(p, type, at, n, VEC, u);
#pragma unroll
	for (int j = 0; j < LANES; j++)
		v[j] += u[j];
}

/* v[8] += bias + row for rows n .. n + 7 of the matrix; `c` of them count. */
template <bool VEC>
DEV void
add_terms(const MatrixArgs &p, float v[LANES], int64_t n, int64_t row, int c)
{
	if (p.bias)
		add_row<VEC>(v, p.bias, p.bias_type, n, c);
	if (!p.data[MV_ROW])
		return;
	if (p.row_c) {
		add_row<VEC>(v, p.data[MV_ROW], p.dtype[MV_ROW], row + n, c);
		return;
	}
	float one = load(p.data[MV_ROW], p.dtype[MV_ROW], row);
#pragma unroll
	for (int j = 0; j < 8; j++)
		v[j] += one;
}

/* Eight sums of a row of the stage. */
DEV void
staged(uint32_t at, float v[LANES])
{
	V4 lo = lds16(at), hi = lds16(at + 16);
	v[0] = as_float(lo.x);
	v[1] = as_float(lo.y);
	v[2] = as_float(lo.z);
	v[3] = as_float(lo.w);
	v[4] = as_float(hi.x);
	v[5] = as_float(hi.y);
	v[6] = as_float(hi.z);
	v[7] = as_float(hi.w);
}

/* Waits for the copies of the oldest of stages - 1 groups. */
DEV void
wait_stage(int stages)
{
	if (stages == 4)
		cp_wait<2>();
	else if (stages == 3)
		cp_wait<1>();
	else
		cp_wait<0>();
}

/* A block's work.  Members that do not change come first. */
template <int T, int BN, int WARPS_M, int WARPS_N, bool VEC>
struct MatrixTile {
	static constexpr int THREADS_ = WARPS_M * WARPS_N * 32;
	static constexpr int WM = TILE_M / WARPS_M, WN = BN / WARPS_N;
	static constexpr int MI = WM / 16, NI = WN / 8;
	static constexpr int B_BYTES = BN * ROW_BYTES;
	static constexpr int OFFSET = VEC ? 8 : 1;      /* unit of the offsets */
	/* a thread copies one chunk of every B_STEP-th row of the weights */
	static constexpr int B_STEP = THREADS_ / 4;

	const MatrixArgs &p;
	int tid, lane, wm, wn;
	int halves;             /* rows of the matrix for a result */
	int n0, o[3];           /* first channel and pixel */
	int64_t batch;
	int box1, box2, box, taps;
	uint32_t sA, sB, sOff;  /* shared memory: input, weights, offsets */
	uint32_t a_bytes, off_bytes;
	int64_t origin[2];      /* of the box in the parts of the input */
	int chunks0, chunks, its;
	/* this thread's first row of weights, its result, steps of both */
	const uint16_t *w_first;
	int64_t w_step;
	int b_n, b_step, b_c;
	uint32_t b_to;
	/* the group of copies to be issued next */
	int next, next_kc, next_tap, next_stage;
	int pix[MI];            /* rows that this lane gives to ldmatrix */
	float acc[MI][NI][4];

	DEV_METHOD MatrixTile(const MatrixArgs &args) : p(args) {}

	/* Which tile: a group of L2_TILES tiles of pixels goes through all
	 * channels together. */
	DEV_METHOD void
	find()
	{
		const int64_t span = (int64_t)L2_TILES * p.ntiles;
		const int64_t first = block_x() / span * L2_TILES;
		const int in_group = (int)(block_x() % span);
		const int rows = p.mtiles - first < L2_TILES
			? (int)(p.mtiles - first) : L2_TILES;
		int64_t mt = first + in_group % rows;
		const int warp = thread_x() >> 5;
		tid = thread_x();
		lane = tid & 31;
		wm = warp % WARPS_M * WM;
		wn = warp / WARPS_M * WN;
		halves = p.geglu ? 2 : 1;
		n0 = in_group / rows * (BN / halves);
#pragma unroll
		for (int a = 2; a >= 0; a--) {
			o[a] = (int)(mt % p.tiles[a]) * p.tile[a];
			mt /= p.tiles[a];
		}
		batch = mt;
	}

	DEV_METHOD void
	measure()
	{
		const int cin0 = (int)p.cin[0], cin1 = (int)p.cin[1];
		box2 = (p.tile[2] - 1) * p.stride[2] + p.kernel[2];
		box1 = (p.tile[1] - 1) * p.stride[1] + p.kernel[1];
		box = ((p.tile[0] - 1) * p.stride[0] + p.kernel[0]) * box1 * box2;
		taps = p.kernel[0] * p.kernel[1] * p.kernel[2];
		a_bytes = (uint32_t)(box * ROW_BYTES);
		off_bytes = ((uint32_t)box * 4 + 15) / 16 * 16;
		sB = shared_base();
		sA = sB + (uint32_t)(p.stages * B_BYTES);
		sOff = sA + (uint32_t)p.a_stages * a_bytes;
		chunks0 = (cin0 + CHUNK - 1) / CHUNK;
		chunks = chunks0 + (cin1 + CHUNK - 1) / CHUNK;
		its = chunks * taps;
		next = next_kc = next_tap = next_stage = 0;
	}

	/* Where the weights of this thread are. */
	DEV_METHOD void
	aim()
	{
		const int row = tid >> 2;
		const int64_t w_row = (int64_t)taps * (p.cin[0] + p.cin[1]);
		b_c = (tid & 3) * 8;
		b_n = n0 + (p.geglu ? (row >> 4) * 8 + (row & 7) : row);
		b_step = B_STEP / halves;
		b_to = sB + chunk_at(row, tid & 3);
		w_step = b_step * w_row;
		w_first = (const uint16_t *)p.w + b_n * w_row + b_c
			+ (p.geglu && (row & 8) ? p.cout * w_row : 0);
	}

	/* Pixels of the halo box: offsets behind the box's origin. */
	DEV_METHOD void
	offsets()
	{
		int64_t i[3];
#pragma unroll
		for (int a = 0; a < 3; a++)
			i[a] = (int64_t)o[a] * p.stride[a] - p.shift[a];
#pragma unroll
		for (int k = 0; k < 2; k++)
			origin[k] = batch_at(p, MV_X + k, batch)
				+ i[0] * p.step[MV_X + k][0]
				+ i[1] * p.step[MV_X + k][1]
				+ i[2] * p.step[MV_X + k][2];
		for (int q = tid; q < box; q += THREADS_) {
			int c = q % box2, r = q / box2 % box1, f = q / box2 / box1;
			bool in = (uint64_t)(f + i[0]) < (uint64_t)p.in[0]
				&& (uint64_t)(r + i[1]) < (uint64_t)p.in[1]
				&& (uint64_t)(c + i[2]) < (uint64_t)p.in[2];
#pragma unroll
			for (int k = 0; k < 2; k++) {
				int64_t at = f * p.step[MV_X + k][0]
					+ r * p.step[MV_X + k][1]
					+ c * p.step[MV_X + k][2];
				sts4(sOff + k * off_bytes + (uint32_t)q * 4, in
					? (uint32_t)(int)(at / OFFSET)
					: (uint32_t)OUTSIDE);
			}
		}
	}

	DEV_METHOD void
	load_a(int kc)
	{
		const bool second = kc >= chunks0;
		const int c0 = (second ? kc - chunks0 : kc) * CHUNK;
		const int nc = (int)(second ? p.cin[1] : p.cin[0]);
		const uint16_t *x = (const uint16_t *)(second ? p.data[MV_X2]
			: p.data[MV_X]) + (second ? origin[1] : origin[0]) + c0;
		const uint32_t to = sA + (uint32_t)(kc % p.a_stages) * a_bytes;
		const uint32_t off = sOff + (second ? off_bytes : 0);
		for (int i = tid; i < box * 4; i += THREADS_) {
			int q = i >> 2, c = (i & 3) * 8;
			int at = (int)lds4(off + (uint32_t)q * 4);
			bool on = at != OUTSIDE && c0 + c < nc;
			const uint16_t *from = x + (on ? (int64_t)at * OFFSET + c
				: 0);
			if (VEC)
				cp16(to + chunk_at(q, i & 3),
					on ? (const void *)from : p.w, on);
			else
				sts16(to + chunk_at(q, i & 3), load_some(from,
					on ? nc - c0 - c : 0));
		}
	}

	DEV_METHOD void
	load_b()
	{
		const bool second = next_kc >= chunks0;
		const int c0 = (second ? next_kc - chunks0 : next_kc) * CHUNK;
		const int nc = (int)(second ? p.cin[1] : p.cin[0]);
		const int cin = (int)(p.cin[0] + p.cin[1]), cout = (int)p.cout;
		const uint16_t *w = w_first + next_tap * cin + c0
			+ (second ? (int)p.cin[0] : 0);
		const uint32_t to = b_to + (uint32_t)(next_stage * B_BYTES);
		int n = b_n;
#pragma unroll
		for (int i = 0; i < BN; i += B_STEP, w += w_step, n += b_step) {
			if (BN % B_STEP && i + (tid >> 2) >= BN)
				break;
			bool on = c0 + b_c < nc && n < cout;
			if (VEC)
				cp16(to + (uint32_t)(i * ROW_BYTES),
					on ? (const void *)w : p.w, on);
			else
				sts16(to + (uint32_t)(i * ROW_BYTES),
					load_some(w, on ? nc - c0 - b_c : 0));
		}
	}

	/* Group g holds B(g), and A(kc) if g is kc taps - 1 or, at first, 0. */
	DEV_METHOD void
	issue()
	{
		if (next < its) {
			load_b();
			next++;
			if (++next_stage == p.stages)
				next_stage = 0;
			if (++next_tap == taps) {
				next_tap = 0;
				if (++next_kc < chunks)
					load_a(next_kc);
			}
		}
		cp_commit();
	}

	DEV_METHOD void
	clear()
	{
#pragma unroll
		for (int mi = 0; mi < MI; mi++) {
			int m = wm + mi * 16 + (lane & 15);
			int m2 = m % p.tile[2], m1 = m / p.tile[2] % p.tile[1];
			int m0 = m / p.tile[2] / p.tile[1];
			pix[mi] = m0 < p.tile[0] ? (m0 * p.stride[0] * box1
				+ m1 * p.stride[1]) * box2 + m2 * p.stride[2] : 0;
#pragma unroll
			for (int ni = 0; ni < NI; ni++)
#pragma unroll
				for (int k = 0; k < 4; k++)
					acc[mi][ni][k] = 0;
		}
	}

	/* One tap of one chunk: `a`, `b` are its tiles, `tap` its offset in the
	 * box. */
	DEV_METHOD void
	multiply(uint32_t a, uint32_t b, int tap)
	{
		const int b_first = wn + (lane & 7) + (lane >> 4 << 3);
		uint32_t at[MI];
#pragma unroll
		for (int mi = 0; mi < MI; mi++)
			at[mi] = a + chunk_at(pix[mi] + tap, lane >> 4);
#pragma unroll
		for (int ks = 0; ks < CHUNK / 16; ks++) {
			const int chunk = ks * 2 + (lane >> 3 & 1);
			uint32_t fa[MI][4], fb[NI][2];
#pragma unroll
			for (int mi = 0; mi < MI; mi++)
				ldmatrix4(fa[mi], at[mi] ^ (uint32_t)(ks * 32));
#pragma unroll
			for (int ni = 0; ni < NI; ni += 2) {
				uint32_t r[4];
				ldmatrix4(r, b + chunk_at(b_first + ni * 8, chunk));
				fb[ni][0] = r[0];
				fb[ni][1] = r[1];
				fb[ni + 1][0] = r[2];
				fb[ni + 1][1] = r[3];
			}
#pragma unroll
			for (int mi = 0; mi < MI; mi++)
#pragma unroll
				for (int ni = 0; ni < NI; ni++)
					mma<T>(acc[mi][ni], fa[mi], fb[ni]);
		}
	}

	DEV_METHOD void
	sum()
	{
		const int skip2 = box2 - p.kernel[2];
		const int skip1 = (box1 - p.kernel[1]) * box2;
		int t1 = 0, t2 = 0, slot = 0, stage = 0, tap = 0, done = 0;
		for (int it = 0; it < its; it++) {
			wait_stage(p.stages);
			sync_threads();
			issue();
			multiply(sA + (uint32_t)slot * a_bytes,
				sB + (uint32_t)(stage * B_BYTES), tap);
			if (++stage == p.stages)
				stage = 0;
			done++;
			tap++;
			if (++t2 == p.kernel[2]) {
				t2 = 0;
				tap += skip2;
				if (++t1 == p.kernel[1]) {
					t1 = 0;
					tap += skip1;
				}
			}
			if (done == taps) {
				done = tap = t1 = t2 = 0;
				if (++slot == p.a_stages)
					slot = 0;
			}
		}
	}

	/* Eight channels from n on of the pixel q; `from` is where their sums
	 * are. */
	DEV_METHOD void
	finish(const int q[3], const int64_t base[3], int n, uint32_t from)
	{
		const int cout = (int)p.cout, some = cout - n;
		int64_t at[3];          /* in y, row, add */
		float v[LANES], gate[LANES];
#pragma unroll
		for (int k = 0; k < 3; k++)
			at[k] = base[k] + q[0] * p.step[MV_Y + k][0]
				+ q[1] * p.step[MV_Y + k][1]
				+ q[2] * p.step[MV_Y + k][2];
		staged(from, v);
		add_terms<VEC>(p, v, n, at[1], some);
		if (p.geglu) {
			staged(from + WN / 2 * 4, gate);
			add_terms<VEC>(p, gate, n + cout, at[1], some);
#pragma unroll
			for (int j = 0; j < 8; j++)
				v[j] *= mathf_gelu(gate[j]);
		} else if (p.act) {
#pragma unroll
			for (int j = 0; j < 8; j++)
				v[j] = activate(p.act, v[j]);
		}
		if (p.data[MV_ADD])
			add_row<VEC>(v, p.data[MV_ADD], p.dtype[MV_ADD],
				at[2] + n, some);
		store_lanes(p.data[MV_Y], p.dtype[MV_Y], at[0] + n, some, VEC, v);
	}

	/* The warp's sums of its 16 rows number `mi` into its stage.  Selecting
	 * them is less code than a copy of the epilogue for each mi, where there
	 * are registers for it. */
	static constexpr int UNROLL = BN == 160 ? MI : 1;
	template <int PITCH>
	DEV_METHOD void
	turn(uint32_t stage, int mi)
	{
		sync_warp();
#pragma unroll
		for (int ni = 0; ni < NI; ni++) {
			/* gates behind all values */
			const int c = p.geglu ? ni % 2 * (WN / 2) + ni / 2 * 8
				: ni * 8;
			uint32_t to = stage + (uint32_t)((lane >> 2) * PITCH
				+ c + (lane & 3) * 2) * 4;
			float v[4];
#pragma unroll
			for (int k = 0; k < 4; k++) {
				v[k] = acc[0][ni][k];
#pragma unroll
				for (int m = 1; m < MI; m++)
					v[k] = mi == m ? acc[m][ni][k] : v[k];
			}
			sts8(to, as_bits(v[0]), as_bits(v[1]));
			sts8(to + 8 * PITCH * 4, as_bits(v[2]), as_bits(v[3]));
		}
		sync_warp();
	}

	/* Each warp turns 16 rows at a time in its own part of shared memory, so
	 * that a lane has 8 channels side by side. */
	DEV_METHOD void
	write()
	{
		constexpr int PITCH = WN + 4;
		const uint32_t stage = sB + (uint32_t)((tid >> 5) * 16 * PITCH * 4);
		const int64_t base[3] = {batch_at(p, MV_Y, batch),
			batch_at(p, MV_ROW, batch), batch_at(p, MV_ADD, batch)};
		const int columns = NI / halves;        /* of 8 results */
#pragma unroll UNROLL
		for (int mi = 0; mi < MI; mi++) {
			turn<PITCH>(stage, mi);
#pragma unroll 1
			for (int i = lane; i < 16 * columns; i += 32) {
				int r = i / columns, c = i % columns * 8;
				int m = wm + mi * 16 + r;
				int n = n0 + wn / halves + c;
				int q[3] = {m / p.tile[2] / p.tile[1],
					m / p.tile[2] % p.tile[1] + o[1],
					m % p.tile[2] + o[2]};
				bool in = q[0] < p.tile[0] && n < p.cout;
				q[0] += o[0];
				if (in && q[0] < p.out[0] && q[1] < p.out[1]
					&& q[2] < p.out[2])
					finish(q, base, n, stage
						+ (uint32_t)(r * PITCH + c) * 4);
			}
		}
	}

	DEV_METHOD void
	run()
	{
		find();
		measure();
		aim();
		offsets();
		sync_threads();
		load_a(0);
		for (int i = 0; i < p.stages - 1; i++)
			issue();
		clear();
		sum();
		cp_wait<0>();
		sync_threads();
		write();
	}
};

/* One row of the table in shapes.c: channels of a tile, warps along pixels and
 * channels, blocks that are to fit at once. */
#define MATRIX(name, T, BN, WARPS_M, WARPS_N, VEC, BLOCKS) \
	KERNEL(name, WARPS_M * WARPS_N * 32, BLOCKS, MatrixArgs) \
	{ \
		MatrixTile<T, BN, WARPS_M, WARPS_N, VEC>(p).run(); \
	}
MATRIX(matrix_f16_128, DT_F16, 128, 2, 2, true, TWO_BLOCKS)
MATRIX(matrix_f16_160, DT_F16, 160, 4, 2, true, TWO_WIDE_BLOCKS)
MATRIX(matrix_f16_64, DT_F16, 64, 4, 2, true, TWO_BLOCKS)
MATRIX(matrix_f16_any, DT_F16, 64, 4, 2, false, 1)
MATRIX(matrix_bf16_128, DT_BF16, 128, 2, 2, true, TWO_BLOCKS)
MATRIX(matrix_bf16_160, DT_BF16, 160, 4, 2, true, TWO_WIDE_BLOCKS)
MATRIX(matrix_bf16_64, DT_BF16, 64, 4, 2, true, TWO_BLOCKS)
MATRIX(matrix_bf16_any, DT_BF16, 64, 4, 2, false, 1)
