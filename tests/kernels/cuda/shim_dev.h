/* shim_dev.h - the functions of kernels/cuda/dev.h for the CPU, see there.  The
 * line of a call (a default argument) tells requests of a warp apart.
 */
#ifndef SLUICE_SHIM_DEV_H
#define SLUICE_SHIM_DEV_H

#include "tests/kernels/cuda/shim.h"

#include <math.h>
#include <string.h>

#define DEV static inline
#define DEV_METHOD inline
#define TWO_BLOCKS 2
#define TWO_WIDE_BLOCKS 2
/* A kernel enters itself into the shim's list. */
#define KERNEL(name, threads, blocks, Args) \
	static void name(const Args &p); \
	static void run_##name(const void *a) { name(*(const Args *)a); } \
	static ShimKernel shim_kernel_##name(#name, run_##name, threads, \
		sizeof(Args)); \
	static void name(const Args &p)

struct ShimKernel {
	const char *name;
	void (*run)(const void *args);
	int threads;
	size_t args_bytes;
	ShimKernel *next;
	ShimKernel(const char *name, void (*run)(const void *), int threads,
		size_t args_bytes);
};

struct V4 { uint32_t x, y, z, w; };
#define LINE int line = __builtin_LINE()

int thread_x();
int64_t block_x();
uint32_t shared_base();
void sync_threads();
void sync_warp(LINE);
void cp16(uint32_t to, const void *from, bool on, LINE);
void cp_commit();
void cp_wait_n(int n);
template <int N> static inline void cp_wait() { cp_wait_n(N); }
void ldmatrix_n(uint32_t *r, uint32_t at, int n, bool turned, int line);
static inline void
ldmatrix4(uint32_t r[4], uint32_t at, LINE)
{
	ldmatrix_n(r, at, 4, false, line);
}
static inline void
ldmatrix2(uint32_t r[2], uint32_t at, LINE)
{
	ldmatrix_n(r, at, 2, false, line);
}
static inline void
ldmatrix4t(uint32_t r[4], uint32_t at, LINE)
{
	ldmatrix_n(r, at, 4, true, line);
}
static inline void
ldmatrix2t(uint32_t r[2], uint32_t at, LINE)
{
	ldmatrix_n(r, at, 2, true, line);
}
void mma_16816(float c[4], const uint32_t a[4], const uint32_t b[2], bool bf16,
	int line);
/* the first half: k 0 .. 7 */
void mma_1688(float c[4], const uint32_t a[2], const uint32_t b[1], bool bf16,
	int line);
template <int T>
static inline void
mma(float c[4], const uint32_t a[4], const uint32_t b[2], LINE)
{
	mma_16816(c, a, b, T != DT_F16, line);
}
template <int T>
static inline void
mma_first(float c[4], const uint32_t a[4], const uint32_t b[2], LINE)
{
	c[0] = c[1] = c[2] = c[3] = 0;
	mma_16816(c, a, b, T != DT_F16, line);
}
template <int T>
static inline void
mma_half(float c[4], const uint32_t a[2], const uint32_t b[1], LINE)
{
	mma_1688(c, a, b, T != DT_F16, line);
}
float shfl_xor(float v, int lanes, LINE);

V4 lds16(uint32_t at, LINE);
uint32_t lds4(uint32_t at, LINE);
double lds_double(uint32_t at, LINE);
void sts_double(uint32_t at, double v, LINE);
void sts16(uint32_t at, V4 v, LINE);
void sts8(uint32_t at, uint32_t a, uint32_t b, LINE);
void sts4(uint32_t at, uint32_t v, LINE);

/* Global memory: most accesses lie in the range that the line's last one lay
 * in, and nothing is counted. */
struct ShimRange {
	uintptr_t lo, hi;
	bool write;
};
enum { SHIM_RANGES = 64, SHIM_LINES = 1024 };
extern ShimRange shim_range[SHIM_RANGES];
extern uint8_t shim_hint[SHIM_LINES];   /* a line's range */
void shim_load(void *v, const void *p, int bytes, int line);
void shim_store(void *p, const void *v, int bytes, int line);

static inline bool
shim_quick(const void *p, uintptr_t bytes, bool write, int line)
{
	const ShimRange *r = &shim_range[shim_hint[line % SHIM_LINES]];
	uintptr_t a = (uintptr_t)p;
	return !shim_options.count && a >= r->lo && a + bytes <= r->hi
		&& a % bytes == 0 && (r->write || !write);
}
template <class T>
static inline T
shim_ldg(const void *p, int line)
{
	T v;
	if (shim_quick(p, sizeof v, false, line))
		memcpy(&v, p, sizeof v);
	else
		shim_load(&v, p, sizeof v, line);
	return v;
}
template <class T>
static inline void
shim_stg(void *p, T v, int line)
{
	if (shim_quick(p, sizeof v, true, line))
		memcpy(p, &v, sizeof v);
	else
		shim_store(p, &v, sizeof v, line);
}
DEV V4 ldg16(const void *p, LINE) { return shim_ldg<V4>(p, line); }
DEV uint32_t ldg4(const void *p, LINE) { return shim_ldg<uint32_t>(p, line); }
DEV uint16_t ldg2(const void *p, LINE) { return shim_ldg<uint16_t>(p, line); }
DEV void stg16(void *p, V4 v, LINE) { shim_stg(p, v, line); }
DEV void stg4(void *p, uint32_t v, LINE) { shim_stg(p, v, line); }
DEV void stg2(void *p, uint16_t v, LINE) { shim_stg(p, v, line); }
void atomic_min(uint64_t *p, uint64_t v, LINE);

DEV float as_float(uint32_t v) { float f; memcpy(&f, &v, 4); return f; }
DEV uint32_t as_bits(float f) { uint32_t v; memcpy(&v, &f, 4); return v; }
DEV double as_double(uint64_t v) { double f; memcpy(&f, &v, 8); return f; }
DEV float fma_of(float a, float b, float c) { return fmaf(a, b, c); }
DEV double fma_of(double a, double b, double c) { return fma(a, b, c); }
DEV double round_even(double x) { return rint(x); }
DEV double root(double x) { return sqrt(x); }
DEV float max_of(float a, float b) { return a > b ? a : b; }
DEV float exp2_fast(float x) { return exp2f(x); }
DEV float div_fast(float a, float b) { return a / b; }
DEV float
f16_to(uint16_t v)
{
	_Float16 h;
	memcpy(&h, &v, 2);
	return (float)h;
}
DEV uint16_t
f16_of(float f)
{
	_Float16 h = (_Float16)f;
	uint16_t v;
	memcpy(&v, &h, 2);
	return v;
}
DEV uint32_t
f16_pair(float lo, float hi)
{
	return (uint32_t)f16_of(lo) | (uint32_t)f16_of(hi) << 16;
}
#undef LINE

#endif
