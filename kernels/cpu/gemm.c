/* gemm.c - small products over lists of blocks.
 *
 * A tile of sums, a few vectors of channels by a few pixels, stays in registers
 * while all blocks go by: of A it reads vectors, of B single numbers that it
 * spreads over a vector.  Every sum is one chain of multiply-adds in the order of
 * blocks and of k, in whatever tile it stands, so the shape of a call is chosen
 * for speed alone.  This replaces a library: OpenBLAS 0.3.21 gives a column other
 * bits when it stands elsewhere in a call, libxsmm 1.17 does where m fits into
 * one vector; this is as fast as either (docs/performance.md).
 */
#include "kernels/cpu/gemm.h"

#include "kernels/cpu/vector.h"

/* The widest vectors there are; so many in a tile that with EDGE pixels the sums
 * and what is being multiplied just fit into the registers. */
#if defined __AVX512F__
typedef v16 wide;
enum { LANES = 16, VECTORS = 4 };
#define fma_wide fma_v16
typedef __mmask16 Lanes;
#elif defined __AVX2__
typedef v8 wide;
enum { LANES = 8, VECTORS = 2 };
#define fma_wide fma_v8
typedef __m256i Lanes;
#else
typedef v4 wide;
enum { LANES = 4, VECTORS = 2 };
#define fma_wide fma_v4
typedef int Lanes;
#endif
enum { EDGE = 6 };

/* ---- the first n lanes of a vector ---- */

static inline Lanes
first_lanes(int n)
{
#if defined __AVX512F__
	return (Lanes)((1u << n) - 1);
#elif defined __AVX2__
	__m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
	return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), lane);
#else
	return n;
#endif
}

static inline wide
load_lanes(const float *p, Lanes l)
{
#if defined __AVX512F__
	return (wide)_mm512_maskz_loadu_ps(l, p);
#elif defined __AVX2__
	return (wide)_mm256_maskload_ps(p, l);
#else
	wide v = {0};
	for (int i = 0; i < l; i++)
		v[i] = p[i];
	return v;
#endif
}

static inline void
store_lanes(float *p, Lanes l, wide v)
{
#if defined __AVX512F__
	_mm512_mask_storeu_ps(p, l, (__m512)v);
#elif defined __AVX2__
	_mm256_maskstore_ps(p, l, (__m256)v);
#else
	for (int i = 0; i < l; i++)
		p[i] = v[i];
#endif
}

/* ---- tiles ---- */

/* A call from one channel and one pixel on. */
typedef struct Part {
	const Gemm *g;
	int count;
	const float *const *a, *const *b;
	int64_t a_at, b_at;
	float *c;
	Lanes last;             /* of the last vector, if that is not whole */
} Part;

/* Vector v of V at p; SOME: the last is not whole. */
#define LOAD(p_, v, V, SOME) \
	(SOME && v == V - 1 ? load_lanes((p_) + v * LANES, p->last) \
		: *(const wide *)(const void *)((p_) + v * LANES))

/* Without being told to unroll it gcc 12 writes the sums to memory every time. */
#define EACH(i, n) _Pragma("GCC unroll 8") for (int i = 0; i < n; i++)

/* V vectors of channels by N pixels.  The numbers of the pixels that come next
 * are asked for in time: they may be far away. */
#define TILE(V, SOME, N) \
static void \
tile_##V##_##SOME##_##N(const Part *p) \
{ \
	const Gemm *g = p->g; \
	wide s[N][V]; \
	EACH(x, N) \
		EACH(v, V) \
			s[x][v] = g->add ? LOAD(p->c + x * g->c_j, v, V, SOME) \
				: (wide){0}; \
	for (int t = 0; t < p->count; t++) { \
		const float *a = p->a[t] + p->a_at, *b = p->b[t] + p->b_at; \
		for (int k = 0; k < g->k; k++, a += g->a_k, b += g->b_k) { \
			wide w[V]; \
			if (k % 16 == 0) \
				EACH(x, N) \
					__builtin_prefetch(b + (x + N) * g->b_j); \
			EACH(v, V) \
				w[v] = LOAD(a, v, V, SOME); \
			EACH(x, N) \
				EACH(v, V) \
					s[x][v] = fma_wide(w[v], \
						b[x * g->b_j], s[x][v]); \
		} \
	} \
	EACH(x, N) \
		EACH(v, V) { \
			float *c = p->c + x * g->c_j + v * LANES; \
			if (SOME && v == V - 1) \
				store_lanes(c, p->last, s[x][v]); \
			else \
				*(wide *)(void *)c = s[x][v]; \
		} \
}

/* All pixels, in tiles as even as can be: with one pixel alone the multipliers
 * wait for each other. */
#define PIXELS(V, SOME) \
TILE(V, SOME, 1) TILE(V, SOME, 2) TILE(V, SOME, 3) \
TILE(V, SOME, 4) TILE(V, SOME, 5) TILE(V, SOME, 6) \
static void \
pixels_##V##_##SOME(Part *p) \
{ \
	float *c = p->c; \
	int n = p->g->n, tiles = (n + EDGE - 1) / EDGE; \
	for (int i = 0, j = 0, next; i < tiles; i++, j = next) { \
		next = (int)((int64_t)n * (i + 1) / tiles); \
		p->b_at = j * p->g->b_j; \
		p->c = c + j * p->g->c_j; \
		switch (next - j) { \
		case 1: tile_##V##_##SOME##_1(p); break; \
		case 2: tile_##V##_##SOME##_2(p); break; \
		case 3: tile_##V##_##SOME##_3(p); break; \
		case 4: tile_##V##_##SOME##_4(p); break; \
		case 5: tile_##V##_##SOME##_5(p); break; \
		default: tile_##V##_##SOME##_6(p); break; \
		} \
	} \
}

PIXELS(1, 0) PIXELS(1, 1) PIXELS(2, 0) PIXELS(2, 1)
#ifdef __AVX512F__
PIXELS(3, 0) PIXELS(3, 1) PIXELS(4, 0) PIXELS(4, 1)
#endif

/* [vectors - 1][whether the last is not whole] */
static void (*const pixels[VECTORS][2])(Part *p) = {
	{pixels_1_0, pixels_1_1}, {pixels_2_0, pixels_2_1},
#ifdef __AVX512F__
	{pixels_3_0, pixels_3_1}, {pixels_4_0, pixels_4_1},
#endif
};

void
gemm_run(const Gemm *g, int count, const float *const *a,
	const float *const *b, float *c)
{
	Part p = {.g = g, .count = count, .a = a, .b = b};
	for (int i = 0; i < g->m; i += VECTORS * LANES) {
		int m = g->m - i < VECTORS * LANES ? g->m - i : VECTORS * LANES;
		int vectors = (m + LANES - 1) / LANES, rest = m % LANES;
		p.a_at = i;
		p.c = c + i;
		p.last = first_lanes(rest);
		pixels[vectors - 1][rest > 0](&p);
	}
}
