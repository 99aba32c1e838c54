/* attend.cu - softmax(scale q k) v of f16 and bf16 by matrix instructions, online
 * over tiles of keys.
 *
 * A block has 4 warps of 16 MI queries each.  Queries stay in registers, keys
 * and values come through shared memory, in rows whose 16-byte chunks are
 * swizzled so that neither ldmatrix nor the copies meet a bank twice.  Scores
 * never leave registers: the accumulator of q k is the left operand of p v.
 * Tiles begin at key 0, whatever the queries, so what a slice of the queries
 * computes does not depend on where it was cut.
 */
#include "kernels/cuda/box.h"

enum { WARPS = 4 };             /* of a block */

/* Least number that stands for a score not seen; its weight is 0. */
#define HIDDEN -1e30f

/* KEYS of a tile.  SOLO: each warp has a problem and shared memory of its own, for
 * attention over a few keys (frames) of many pixels; else a block has one. */
template <int T, int D, int MI, int KEYS, bool SOLO>
struct AttendTile {
	/* chunks of 8 channels in a row, steps of 16 and 8 channels, bytes */
	static constexpr int CHUNKS = D / 8, K16 = D / 16, K8 = D / 8 % 2;
	static constexpr int ROW = D * 2, TILE = KEYS * ROW;
	static constexpr int NI = KEYS / 8;
	static constexpr int QUERIES = (SOLO ? 1 : WARPS) * 16 * MI;
	static constexpr int TEAM = SOLO ? 32 : WARPS * 32;     /* threads */

	const AttendArgs &p;
	int tid, lane, warp;    /* in the problem's team */
	int64_t first;          /* query of the tile */
	const uint16_t *q, *k, *v;
	uint16_t *y;
	uint32_t sQ, sK, sV;
	uint32_t fq[MI][K16 + K8][4];
	float o[MI][CHUNKS][4], most[MI][2];
	float sum[MI][4];       /* of weights: a column of ones beside the values */
	float s[MI][NI][4];     /* scores, then weights */

	DEV_METHOD AttendTile(const AttendArgs &args) : p(args) {}

	/* Address of a chunk, from the start of the rows: eight rows of a column
	 * lie in different banks. */
	static DEV_METHOD uint32_t
	at(int row, int chunk)
	{
		int turn = CHUNKS % 8 == 0 ? row & 7 : CHUNKS % 8 == 4
			? row >> 1 & 3 : CHUNKS % 2 == 0 ? row >> 2 & 1 : 0;
		return (uint32_t)(row * ROW + ((chunk ^ turn) << 4));
	}

	/* Threads of the problem meet. */
	static DEV_METHOD void
	meet()
	{
		if (SOLO)
			sync_warp();
		else
			sync_threads();
	}

	/* Which problem; false: none is left. */
	DEV_METHOD bool
	find()
	{
		const int own = thread_x() >> 5;
		int64_t b = SOLO ? block_x() * WARPS + own : block_x(), head;
		lane = thread_x() & 31;
		warp = SOLO ? 0 : own;
		tid = SOLO ? lane : thread_x();
		if (SOLO && b >= p.tiles * p.heads * p.batch.count)
			return false;
		first = b % p.tiles * QUERIES;
		b /= p.tiles;
		head = b % p.heads;
		b /= p.heads;
		q = (const uint16_t *)p.data[AV_Q] + head * D
			+ dims_at(p.batch, p.batch_step[AV_Q], b);
		k = (const uint16_t *)p.data[AV_K] + head * D
			+ dims_at(p.batch, p.batch_step[AV_K], b);
		v = (const uint16_t *)p.data[AV_V] + head * D
			+ dims_at(p.batch, p.batch_step[AV_V], b);
		y = (uint16_t *)p.data[AV_Y] + head * D
			+ dims_at(p.batch, p.batch_step[AV_Y], b);
		sQ = shared_base() + (SOLO ? (uint32_t)own * (QUERIES * ROW
			+ 2 * (uint32_t)p.stages * TILE) : 0);
		sK = sQ + QUERIES * ROW;
		sV = sK + (uint32_t)p.stages * TILE;
		return true;
	}

	DEV_METHOD void
	copy(uint32_t to, const uint16_t *from, bool on)
	{
		if (p.aligned)
			cp16(to, on ? (const void *)from : p.data[AV_Q], on);
		else
			sts16(to, load_some(from, on ? 8 : 0));
	}

	DEV_METHOD void
	load_queries()
	{
		for (int i = tid; i < QUERIES * CHUNKS; i += TEAM) {
			int r = i / CHUNKS, c = i % CHUNKS;
			bool on = first + r < p.query.count;
			copy(sQ + at(r, c), on ? q + c * 8 + dims_at(p.query,
				p.query_step[0], first + r) : q, on);
		}
	}

	/* Row number n of keys (side 0) or values. */
	DEV_METHOD int64_t
	key_row(int side, int64_t n)
	{
		return p.key.dims > 1 ? dims_at(p.key, p.key_step[side], n)
			: n * p.key_step[side][0];
	}

	/* Keys in one line, all of them there, by 16 bytes: the usual tile. */
	DEV_METHOD void
	load_whole(int64_t from, int stage)
	{
		const uint16_t *k0 = k + from * p.key_step[0][0];
		const uint16_t *v0 = v + from * p.key_step[1][0];
		const int k_step = (int)p.key_step[0][0];
		const int v_step = (int)p.key_step[1][0];
		const uint32_t to = sK + (uint32_t)(stage * TILE);
#pragma unroll
		for (int i = 0; i < KEYS * CHUNKS; i += TEAM) {
			int r = (i + tid) / CHUNKS, c = (i + tid) % CHUNKS;
			if ((KEYS * CHUNKS) % TEAM && r >= KEYS)
				break;
			cp16(to + at(r, c), k0 + r * k_step + c * 8, true);
			cp16(to + sV - sK + at(r, c), v0 + r * v_step + c * 8, true);
		}
		cp_commit();
	}

	DEV_METHOD void
	load_keys(int64_t from, int stage)
	{
		if (p.simple && from + KEYS <= p.key.count) {
			load_whole(from, stage);
			return;
		}
		for (int i = tid; i < KEYS * CHUNKS; i += TEAM) {
			int r = i / CHUNKS, c = i % CHUNKS;
			bool on = from + r < p.key.count;
			uint32_t to = (uint32_t)(stage * TILE) + at(r, c);
			copy(sK + to, on ? k + key_row(0, from + r) + c * 8 : k, on);
			copy(sV + to, on ? v + key_row(1, from + r) + c * 8 : v, on);
		}
		cp_commit();
	}

	DEV_METHOD void
	begin()
	{
#pragma unroll
		for (int mi = 0; mi < MI; mi++) {
#pragma unroll
			for (int j = 0; j < CHUNKS; j++)
#pragma unroll
				for (int e = 0; e < 4; e++)
					o[mi][j][e] = 0;
			most[mi][0] = most[mi][1] = HIDDEN;
			sum[mi][0] = sum[mi][1] = sum[mi][2] = sum[mi][3] = 0;
		}
	}

	DEV_METHOD void
	take_queries()
	{
#pragma unroll
		for (int mi = 0; mi < MI; mi++) {
			const int r = (warp * MI + mi) * 16 + (lane & 15);
#pragma unroll
			for (int kk = 0; kk < K16; kk++)
				ldmatrix4(fq[mi][kk], sQ + at(r, kk * 2
					+ (lane >> 4)));
			if constexpr (K8 != 0)
				ldmatrix2(fq[mi][K16], sQ + at(r,
					CHUNKS - 1));
		}
	}

	/* Scores of the tile of keys at `rows`. */
	DEV_METHOD void
	score(uint32_t rows)
	{
		const int r = (lane & 7) + (lane >> 4 << 3), c = lane >> 3 & 1;
#pragma unroll
		for (int kk = 0; kk < K16; kk++)
#pragma unroll
			for (int j = 0; j < NI; j += 2) {
				uint32_t f[4];
				ldmatrix4(f, rows + j * 8 * ROW + at(r, kk * 2 + c));
#pragma unroll
				for (int mi = 0; mi < MI; mi++) {
					if (kk == 0) {
						mma_first<T>(s[mi][j], fq[mi][0], f);
						mma_first<T>(s[mi][j + 1], fq[mi][0],
							f + 2);
					} else {
						mma<T>(s[mi][j], fq[mi][kk], f);
						mma<T>(s[mi][j + 1], fq[mi][kk], f + 2);
					}
				}
			}
		if constexpr (K8 != 0)
			score_half(rows);
	}

	/* The last 8 channels, where 16 do not divide them. */
	DEV_METHOD void
	score_half(uint32_t rows)
	{
#pragma unroll
		for (int j = 0; j < NI; j += 2) {
			uint32_t f[2];
			ldmatrix2(f, rows + j * 8 * ROW + at(lane & 15,
				CHUNKS - 1));
#pragma unroll
			for (int mi = 0; mi < MI; mi++) {
				mma_half<T>(s[mi][j], fq[mi][K16], f);
				mma_half<T>(s[mi][j + 1], fq[mi][K16], f + 1);
			}
		}
	}

	/* Keys that the query of row (mi, h) of this lane sees. */
	DEV_METHOD int64_t
	seen(int mi, int h)
	{
		int64_t n = first + (warp * MI + mi) * 16 + h * 8 + (lane >> 2);
		return p.causal ? n / p.causal_inner % p.causal_n + p.causal_lo
			+ 1 : p.key.count;
	}

	DEV_METHOD void
	hide(int64_t from)
	{
#pragma unroll
		for (int mi = 0; mi < MI; mi++)
#pragma unroll
			for (int h = 0; h < 2; h++) {
				int64_t n = seen(mi, h);
				int end = (int)((n < p.key.count ? n : p.key.count)
					- from) - (lane & 3) * 2;
#pragma unroll
				for (int j = 0; j < NI; j++)
#pragma unroll
					for (int e = 0; e < 2; e++)
						if (j * 8 + e >= end)
							s[mi][j][2 * h + e] = HIDDEN;
			}
	}

	/* Scores of row (mi, h) become weights 2^(scale (s - most)). */
	DEV_METHOD void
	weigh(int mi, int h)
	{
		float top = most[mi][h];
#pragma unroll
		for (int j = 0; j < NI; j++)
#pragma unroll
			for (int e = 0; e < 2; e++)
				top = max_of(top, s[mi][j][2 * h + e]);
		top = max_of(top, shfl_xor(top, 1));
		top = max_of(top, shfl_xor(top, 2));
		const float down = exp2_fast((most[mi][h] - top) * p.scale);
		const float less = -top * p.scale;
		most[mi][h] = top;
#pragma unroll
		for (int j = 0; j < NI; j++)
#pragma unroll
			for (int e = 0; e < 2; e++)
				s[mi][j][2 * h + e] = exp2_fast(fma_of(
					s[mi][j][2 * h + e], p.scale, less));
		sum[mi][2 * h] *= down;
		sum[mi][2 * h + 1] *= down;
#pragma unroll
		for (int j = 0; j < CHUNKS; j++) {
			o[mi][j][2 * h] *= down;
			o[mi][j][2 * h + 1] *= down;
		}
	}

	/* o += weights times the tile of values at `rows`. */
	DEV_METHOD void
	add_values(uint32_t rows)
	{
		const int r = lane & 15, c = lane >> 4;
		const uint32_t one = T == DT_F16 ? 0x3c003c00u : 0x3f803f80u;
		const uint32_t ones[2] = {one, one};
#pragma unroll
		for (int kk = 0; kk < KEYS / 16; kk++) {
			uint32_t fp[MI][4];
#pragma unroll
			for (int mi = 0; mi < MI; mi++)
#pragma unroll
				for (int i = 0; i < 4; i++)
					fp[mi][i] = half_pair(T,
						s[mi][2 * kk + i / 2][i % 2 * 2],
						s[mi][2 * kk + i / 2][i % 2 * 2 + 1]);
#pragma unroll
			for (int mi = 0; mi < MI; mi++)
				mma<T>(sum[mi], fp[mi], ones);
#pragma unroll
			for (int j = 0; j + 1 < CHUNKS; j += 2) {
				uint32_t f[4];
				ldmatrix4t(f, rows + kk * 16 * ROW + at(r, j + c));
#pragma unroll
				for (int mi = 0; mi < MI; mi++) {
					mma<T>(o[mi][j], fp[mi], f);
					mma<T>(o[mi][j + 1], fp[mi], f + 2);
				}
			}
			if constexpr (K8 != 0) {
				uint32_t f[2];
				ldmatrix2t(f, rows + kk * 16 * ROW
					+ at(r, CHUNKS - 1));
#pragma unroll
				for (int mi = 0; mi < MI; mi++)
					mma<T>(o[mi][CHUNKS - 1], fp[mi], f);
			}
		}
	}

	DEV_METHOD void
	tile_done(int64_t from, int stage)
	{
		const uint32_t rows = (uint32_t)(stage * TILE);
		score(sK + rows);
		if (p.causal || from + KEYS > p.key.count)
			hide(from);
#pragma unroll
		for (int mi = 0; mi < MI; mi++) {
			weigh(mi, 0);
			weigh(mi, 1);
		}
		add_values(sV + rows);
	}

	/* Out through the warp's own rows of the queries' place. */
	DEV_METHOD void
	write()
	{
		const int row0 = warp * 16 * MI;
		sync_warp();
#pragma unroll
		for (int mi = 0; mi < MI; mi++)
#pragma unroll
			for (int h = 0; h < 2; h++) {
				const float f = div_fast(1.f, sum[mi][2 * h]);
				const int r = row0 + mi * 16 + h * 8 + (lane >> 2);
#pragma unroll
				for (int j = 0; j < CHUNKS; j++)
					sts4(sQ + at(r, j) + (lane & 3) * 4,
						half_pair(T, o[mi][j][2 * h] * f,
						o[mi][j][2 * h + 1] * f));
			}
		sync_warp();
		for (int i = lane; i < 16 * MI * CHUNKS; i += 32) {
			int r = row0 + i / CHUNKS, c = i % CHUNKS;
			if (first + r >= p.query.count)
				continue;
			uint16_t *to = y + c * 8 + dims_at(p.query,
				p.query_step[1], first + r);
			V4 u = lds16(sQ + at(r, c));
			if (p.aligned)
				stg16(to, u);
			else
				store_some(to, u);
		}
	}

	DEV_METHOD void
	run()
	{
		const int stages = p.stages;
		if (!find())
			return;
		load_queries();
		begin();
		if (stages == 2)
			load_keys(0, 0);
		int stage = 0;
		for (int64_t from = 0; from < p.key.count; from += KEYS) {
			if (stages == 1) {
				meet();
				load_keys(from, 0);
			}
			cp_wait<0>();
			meet();
			if (from == 0)
				take_queries();
			if (stages == 2 && from + KEYS < p.key.count)
				load_keys(from + KEYS, stage ^ 1);
			tile_done(from, stage);
			stage ^= stages - 1;
		}
		write();
	}
};

#define ATTEND(name, T, D, MI) \
	KERNEL(name, WARPS * 32, 1, AttendArgs) \
	{ \
		AttendTile<T, D, MI, ATTEND_KEYS, false>(p).run(); \
	}
ATTEND(attend_f16_40, DT_F16, 40, 2)
ATTEND(attend_f16_64, DT_F16, 64, 2)
ATTEND(attend_f16_80, DT_F16, 80, 1)
ATTEND(attend_f16_128, DT_F16, 128, 1)
ATTEND(attend_f16_160, DT_F16, 160, 1)
ATTEND(attend_bf16_40, DT_BF16, 40, 2)
ATTEND(attend_bf16_64, DT_BF16, 64, 2)
ATTEND(attend_bf16_80, DT_BF16, 80, 1)
ATTEND(attend_bf16_128, DT_BF16, 128, 1)
ATTEND(attend_bf16_160, DT_BF16, 160, 1)

/* Few keys: a warp for each 16 queries of a head. */
#define FEW(name, T, D) \
	KERNEL(name, WARPS * 32, 1, AttendArgs) \
	{ \
		AttendTile<T, D, 1, ATTEND_FEW, true>(p).run(); \
	}
FEW(few_f16_40, DT_F16, 40)
FEW(few_f16_64, DT_F16, 64)
FEW(few_f16_80, DT_F16, 80)
FEW(few_f16_160, DT_F16, 160)
FEW(few_bf16_40, DT_BF16, 40)
FEW(few_bf16_64, DT_BF16, 64)
FEW(few_bf16_80, DT_BF16, 80)
FEW(few_bf16_160, DT_BF16, 160)
