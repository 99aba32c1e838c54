/* gemm.c - small products over lists of blocks: libxsmm's generated code where
 * there is some, else plain C.  No BLAS: OpenBLAS 0.3.21 on Haswell and Zen gives
 * a column other bits when it stands elsewhere among the columns of a call.
 *
 * libxsmm 1.17 sums each element as a chain of fused multiply-adds in the order
 * of k, whatever n is, with one exception: where m fits into one AVX-512 vector
 * and it works on 2 to 11 columns at a time, it keeps several partial sums.
 * Those m (16 and less) are done in plain C here, which has the chain's bits.
 * It also moves the addresses in the list of B, hence the copy.
 */
#include "gemm.h"

#include "../../ir/base.h"

#include <libxsmm.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#ifdef __FMA__
#include <immintrin.h>
#endif

enum {
	ONE_VECTOR = 16,        /* m that libxsmm is not asked for */
	LD_MAX = 1 << 22,       /* strides beyond might overflow its offsets */
};

static enum { PLAIN, XSMM } backend;

/* ---- plain C: tiles of W channels by N columns, the sums in registers ---- */

typedef float v8 __attribute__((vector_size(32), aligned(4), may_alias));
typedef float v4 __attribute__((vector_size(16), aligned(4), may_alias));
typedef float v1;

static inline v8
fma_v8(v8 a, float b, v8 c)
{
#ifdef __FMA__
	return (v8)_mm256_fmadd_ps((__m256)a, _mm256_set1_ps(b), (__m256)c);
#else
	for (int i = 0; i < 8; i++)
		c[i] = fmaf(a[i], b, c[i]);
	return c;
#endif
}

static inline v4
fma_v4(v4 a, float b, v4 c)
{
#ifdef __FMA__
	return (v4)_mm_fmadd_ps((__m128)a, _mm_set1_ps(b), (__m128)c);
#else
	for (int i = 0; i < 4; i++)
		c[i] = fmaf(a[i], b, c[i]);
	return c;
#endif
}

static inline v1
fma_v1(v1 a, float b, v1 c)
{
	return fmaf(a, b, c);
}

/* V vectors of type T by N columns, from channel i and column j. */
#define TILE(T, LANES, V, N) \
static void \
tile_##T##_##V##_##N(const Gemm *g, int count, const float *const *a, \
	const float *const *b, int i, int j, float *c) \
{ \
	T s[N][V]; \
	c += j * g->ldc + i; \
	for (int x = 0; x < N; x++) \
		for (int v = 0; v < V; v++) \
			s[x][v] = g->add ? *(const T *)(const void *) \
				(c + x * g->ldc + v * LANES) : (T){0}; \
	for (int t = 0; t < count; t++) { \
		const float *p = a[t] + i, *q = b[t] + j * g->ldb; \
		for (int k = 0; k < g->k; k++, p += g->lda, q++) { \
			T w[V]; \
			for (int v = 0; v < V; v++) \
				w[v] = *(const T *)(const void *) \
					(p + v * LANES); \
			for (int x = 0; x < N; x++) \
				for (int v = 0; v < V; v++) \
					s[x][v] = fma_##T(w[v], \
						q[x * g->ldb], s[x][v]); \
		} \
	} \
	for (int x = 0; x < N; x++) \
		for (int v = 0; v < V; v++) \
			*(T *)(void *)(c + x * g->ldc + v * LANES) = s[x][v]; \
}
#define TILES(T, LANES, V) \
	TILE(T, LANES, V, 6) TILE(T, LANES, V, 3) TILE(T, LANES, V, 1) \
static void \
columns_##T##_##V(const Gemm *g, int count, const float *const *a, \
	const float *const *b, int i, float *c) \
{ \
	int j = 0; \
	for (; j + 6 <= g->n; j += 6) \
		tile_##T##_##V##_6(g, count, a, b, i, j, c); \
	for (; j + 3 <= g->n; j += 3) \
		tile_##T##_##V##_3(g, count, a, b, i, j, c); \
	for (; j < g->n; j++) \
		tile_##T##_##V##_1(g, count, a, b, i, j, c); \
}
TILES(v8, 8, 2) TILES(v8, 8, 1) TILES(v4, 4, 1) TILES(v1, 1, 1)

static void
run_plain(const Gemm *g, int count, const float *const *a,
	const float *const *b, float *c)
{
	int i = 0;
	for (; i + 16 <= g->m; i += 16)
		columns_v8_2(g, count, a, b, i, c);
	for (; i + 8 <= g->m; i += 8)
		columns_v8_1(g, count, a, b, i, c);
	for (; i + 4 <= g->m; i += 4)
		columns_v4_1(g, count, a, b, i, c);
	for (; i < g->m; i++)
		columns_v1_1(g, count, a, b, i, c);
}

/* ---- libxsmm ---- */

static void
get_xsmm(Gemm *g)
{
	if (g->m <= ONE_VECTOR || g->lda > LD_MAX || g->ldc > LD_MAX)
		return;
	/* columns that overlap or lie far apart go one by one */
	if (g->ldb < g->k || g->ldb > LD_MAX)
		g->each = 1;
	libxsmm_blasint lda = (int)g->lda, ldc = (int)g->ldc;
	libxsmm_blasint ldb = g->each == 1 ? g->k : (int)g->ldb;
	float one = 1, beta = g->add;
	g->fn = (void (*)(void))libxsmm_smmdispatch_reducebatch_addr(g->m,
		g->each, g->k, &lda, &ldb, &ldc, &one, &beta, NULL, NULL);
}

static void
run_xsmm(const Gemm *g, int count, const float *const *a,
	const float *const *b, float *c)
{
	libxsmm_smmfunction_reducebatch_addr fn
		= (libxsmm_smmfunction_reducebatch_addr)g->fn;
	for (int j = 0; j < g->n; j += g->each) {
		const float *pa[GEMM_BATCH], *pb[GEMM_BATCH];
		for (int t = 0; t < count; t++) {
			pa[t] = a[t];
			pb[t] = b[t] + j * g->ldb;
		}
		unsigned long long blocks = (unsigned)count;
		fn(pa, pb, c + j * g->ldc, &blocks);
	}
}

/* ---- the layer ---- */

Gemm
gemm_get(int64_t m, int64_t n, int64_t k, int64_t lda, int64_t ldb,
	int64_t ldc, bool add)
{
	Gemm g = {(int)m, (int)n, (int)k, lda, ldb, ldc, add, NULL, (int)n};
	if (backend == XSMM)
		get_xsmm(&g);
	return g;
}

void
gemm_run(const Gemm *g, int count, const float *const *a,
	const float *const *b, float *c)
{
	if (g->fn)
		run_xsmm(g, count, a, b, c);
	else
		run_plain(g, count, a, b, c);
}

/* Whether libxsmm generates code here that has the bits of plain C: a chain of
 * fused multiply-adds needs AVX2 or better. */
static bool
xsmm_usable(void)
{
#ifdef __x86_64__
	libxsmm_init();
	return libxsmm_get_target_archid() >= LIBXSMM_X86_AVX2
		&& libxsmm_get_target_archid() <= LIBXSMM_X86_ALLFEAT;
#else
	return false;
#endif
}

/* SLUICE_GEMM=plain asks for plain C where libxsmm is to be had. */
void
cpu_init(void)
{
	const char *want = getenv("SLUICE_GEMM");
	backend = xsmm_usable() ? XSMM : PLAIN;
	if (want && !strcmp(want, "plain"))
		backend = PLAIN;
	else if (want && *want && strcmp(want, "libxsmm"))
		warn("SLUICE_GEMM=%s is not known: libxsmm, plain", want);
}

const char *
cpu_backend(void)
{
	return backend == XSMM ? "libxsmm" : "plain";
}
