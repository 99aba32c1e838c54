/* dev.h - what kernels may use.  One source, two builds: nvcc makes device code
 * of it, and g++ with the shim of the tests runs each thread of a grid as a
 * fiber on the CPU.
 *
 * Rules that keep kernels testable, at no cost: shared memory is addressed by
 * 32-bit addresses through the functions below (the shim checks bounds, races
 * and banks), global memory through ld/st functions (it checks bounds and
 * counts sectors), and each warp-wide instruction is a function here.  What
 * depends on a View is worked out on the host, into one struct of args.h.
 *
 * Products and sums are fused only where fma_of says so (nvcc -fmad=false):
 * then every form of a kernel has the same bits for the same element.
 */
#ifndef SLUICE_CUDA_DEV_H
#define SLUICE_CUDA_DEV_H

#include "kernels/cuda/args.h"

#include <stdint.h>

#ifdef __CUDACC__
#include <cuda_fp16.h>

/* A kernel: at most `threads` in a block, so few registers that `blocks` of
 * them fit; its arguments are called p. */
#define KERNEL(name, threads, blocks, Args) \
	extern "C" __global__ void __launch_bounds__(threads, blocks) \
	name(const __grid_constant__ Args p)
#define DEV __device__ __forceinline__
#define DEV_METHOD __device__ __forceinline__
/* Blocks of matrix kernels that are to fit at once; on sm_75 two would spill. */
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
#define TWO_BLOCKS 1
#else
#define TWO_BLOCKS 2
#endif
/* The same for tiles of 160 channels: sm_86 and 89 would spill, too. */
#if defined(__CUDA_ARCH__) && (__CUDA_ARCH__ < 800 \
	|| (__CUDA_ARCH__ > 800 && __CUDA_ARCH__ < 900))
#define TWO_WIDE_BLOCKS 1
#else
#define TWO_WIDE_BLOCKS 2
#endif
typedef uint4 V4;

DEV int thread_x() { return (int)threadIdx.x; }
DEV int64_t block_x() { return (int64_t)blockIdx.x; }
DEV uint32_t
shared_base()
{
	extern __shared__ __align__(128) char dyn[];
	return (uint32_t)__cvta_generic_to_shared(dyn);
}
DEV void sync_threads() { __syncthreads(); }
DEV void sync_warp() { __syncwarp(); }

/* 16 bytes from global to shared memory, zeros if not `on`.  The caller sees
 * them behind cp_wait, others behind a barrier after it. */
DEV void
cp16(uint32_t to, const void *from, bool on)
{
#if __CUDA_ARCH__ >= 800
	int n = on ? 16 : 0;
	asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;"
		:: "r"(to), "l"(from), "r"(n) : "memory");
#else
	uint4 v = make_uint4(0, 0, 0, 0);
	if (on)
		v = *(const uint4 *)from;
	asm volatile("st.shared.v4.u32 [%0], {%1,%2,%3,%4};"
		:: "r"(to), "r"(v.x), "r"(v.y), "r"(v.z), "r"(v.w)
		: "memory");
#endif
}
/* Ends a group of copies; waits until at most N groups are under way. */
DEV void
cp_commit()
{
#if __CUDA_ARCH__ >= 800
	asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}
template <int N>
DEV void
cp_wait()
{
#if __CUDA_ARCH__ >= 800
	asm volatile("cp.async.wait_group %0;" :: "n"(N) : "memory");
#endif
}

/* 8x8 matrices of 16-bit numbers from the rows that lanes 8 i .. 8 i + 7 name;
 * the t form turns them. */
DEV void
ldmatrix4(uint32_t r[4], uint32_t at)
{
	asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 "
		"{%0,%1,%2,%3}, [%4];" : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]),
		"=r"(r[3]) : "r"(at) : "memory");
}
DEV void
ldmatrix2(uint32_t r[2], uint32_t at)
{
	asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0,%1}, [%2];"
		: "=r"(r[0]), "=r"(r[1]) : "r"(at) : "memory");
}
DEV void
ldmatrix4t(uint32_t r[4], uint32_t at)
{
	asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 "
		"{%0,%1,%2,%3}, [%4];" : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]),
		"=r"(r[3]) : "r"(at) : "memory");
}

DEV void
ldmatrix2t(uint32_t r[2], uint32_t at)
{
	asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 "
		"{%0,%1}, [%2];" : "=r"(r[0]), "=r"(r[1]) : "r"(at) : "memory");
}

/* c[16x8] += a[16x16] b[16x8], f16 or bf16 in, f32 sums.  sm_75 has no bf16:
 * there the caller has refused it. */
template <int T>
DEV void
mma(float c[4], const uint32_t a[4], const uint32_t b[2])
{
#if __CUDA_ARCH__ >= 800
	if (T == DT_F16)
		asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
			"{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
			: "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
			: "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]),
			"r"(b[0]), "r"(b[1]));
	else
		asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
			"{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
			: "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
			: "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]),
			"r"(b[0]), "r"(b[1]));
#else
	if (T != DT_F16)
		asm volatile("trap;");
	asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 "
		"{%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};"
		: "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
		: "r"(a[0]), "r"(a[1]), "r"(b[0]));
	asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 "
		"{%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};"
		: "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
		: "r"(a[2]), "r"(a[3]), "r"(b[1]));
#endif
}
/* The same, of which c is the sum alone: no need to clear it. */
template <int T>
DEV void
mma_first(float c[4], const uint32_t a[4], const uint32_t b[2])
{
#if __CUDA_ARCH__ >= 800
	if (T == DT_F16)
		asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
			"{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%10,%10,%10,%10};"
			: "=f"(c[0]), "=f"(c[1]), "=f"(c[2]), "=f"(c[3])
			: "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]),
			"r"(b[0]), "r"(b[1]), "f"(0.f));
	else
		asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
			"{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%10,%10,%10,%10};"
			: "=f"(c[0]), "=f"(c[1]), "=f"(c[2]), "=f"(c[3])
			: "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]),
			"r"(b[0]), "r"(b[1]), "f"(0.f));
#else
	c[0] = c[1] = c[2] = c[3] = 0;
	mma<T>(c, a, b);
#endif
}
/* The same with k of 8: a[16x8] b[8x8]. */
template <int T>
DEV void
mma_half(float c[4], const uint32_t a[2], const uint32_t b[1])
{
#if __CUDA_ARCH__ >= 800
	if (T != DT_F16) {
		asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32 "
			"{%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};"
			: "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
			: "r"(a[0]), "r"(a[1]), "r"(b[0]));
		return;
	}
#else
	if (T != DT_F16)
		asm volatile("trap;");
#endif
	asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 "
		"{%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};"
		: "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
		: "r"(a[0]), "r"(a[1]), "r"(b[0]));
}
DEV float
shfl_xor(float v, int lanes)
{
	return __shfl_xor_sync(0xffffffffu, v, lanes);
}

/* ---- shared memory ---- */
DEV V4
lds16(uint32_t at)
{
	V4 v;
	asm volatile("ld.shared.v4.u32 {%0,%1,%2,%3}, [%4];" : "=r"(v.x),
		"=r"(v.y), "=r"(v.z), "=r"(v.w) : "r"(at) : "memory");
	return v;
}
DEV uint32_t
lds4(uint32_t at)
{
	uint32_t v;
	asm volatile("ld.shared.u32 %0, [%1];" : "=r"(v) : "r"(at) : "memory");
	return v;
}
DEV double
lds_double(uint32_t at)
{
	double v;
	asm volatile("ld.shared.f64 %0, [%1];" : "=d"(v) : "r"(at) : "memory");
	return v;
}
DEV void
sts_double(uint32_t at, double v)
{
	asm volatile("st.shared.f64 [%0], %1;" :: "r"(at), "d"(v) : "memory");
}
DEV void
sts16(uint32_t at, V4 v)
{
	asm volatile("st.shared.v4.u32 [%0], {%1,%2,%3,%4};" :: "r"(at),
		"r"(v.x), "r"(v.y), "r"(v.z), "r"(v.w) : "memory");
}
DEV void
sts8(uint32_t at, uint32_t a, uint32_t b)
{
	asm volatile("st.shared.v2.u32 [%0], {%1,%2};" :: "r"(at), "r"(a),
		"r"(b) : "memory");
}
DEV void
sts4(uint32_t at, uint32_t v)
{
	asm volatile("st.shared.u32 [%0], %1;" :: "r"(at), "r"(v) : "memory");
}

/* ---- global memory ---- */
/* In assembler: two branches that store the same bytes by 16 and by 2 would be
 * made one, of the smaller pieces. */
DEV V4
ldg16(const void *p)
{
	V4 v;
	asm volatile("ld.global.v4.u32 {%0,%1,%2,%3}, [%4];" : "=r"(v.x),
		"=r"(v.y), "=r"(v.z), "=r"(v.w) : "l"(p) : "memory");
	return v;
}
DEV void
stg16(void *p, V4 v)
{
	asm volatile("st.global.v4.u32 [%0], {%1,%2,%3,%4};" :: "l"(p),
		"r"(v.x), "r"(v.y), "r"(v.z), "r"(v.w) : "memory");
}
DEV uint32_t ldg4(const void *p) { return *(const uint32_t *)p; }
DEV uint16_t ldg2(const void *p) { return *(const uint16_t *)p; }
DEV void stg4(void *p, uint32_t v) { *(uint32_t *)p = v; }
DEV void stg2(void *p, uint16_t v) { *(uint16_t *)p = v; }
DEV void
atomic_min(uint64_t *p, uint64_t v)
{
	atomicMin((unsigned long long *)p, (unsigned long long)v);
}

/* ---- numbers ---- */
DEV float as_float(uint32_t v) { return __uint_as_float(v); }
DEV uint32_t as_bits(float v) { return __float_as_uint(v); }
DEV double as_double(uint64_t v) { return __longlong_as_double((long long)v); }
DEV float fma_of(float a, float b, float c) { return fmaf(a, b, c); }
DEV double fma_of(double a, double b, double c) { return fma(a, b, c); }
DEV double round_even(double x) { return rint(x); }
DEV double root(double x) { return sqrt(x); }
DEV float max_of(float a, float b) { return fmaxf(a, b); }
/* 2^x and a / b within a few units in the last place */
DEV float
exp2_fast(float x)
{
	float y;
	asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
	return y;
}
DEV float div_fast(float a, float b) { return __fdividef(a, b); }
DEV float
f16_to(uint16_t v)
{
	return __half2float(__ushort_as_half(v));
}
DEV uint16_t
f16_of(float v)
{
	return __half_as_ushort(__float2half_rn(v));
}
DEV uint32_t
f16_pair(float lo, float hi)
{
	__half2 h = __floats2half2_rn(lo, hi);
	return *(uint32_t *)&h;
}
#else
#include <shim_dev.h>
#endif
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ < 800
#define BF16_BY_HAND            /* no instruction for it */
#endif

/* ---- types known at run time ---- */
DEV float bf16_to(uint16_t v) { return as_float((uint32_t)v << 16); }
/* to nearest, ties to even; a NaN stays one */
DEV uint16_t
bf16_of(float v)
{
	uint32_t u = as_bits(v);
	if ((u & 0x7fffffffu) > 0x7f800000u)
		return (uint16_t)(u >> 16 | 0x40);
	return (uint16_t)((u + 0x7fffu + (u >> 16 & 1)) >> 16);
}
DEV uint32_t
bf16_pair(float lo, float hi)
{
#ifdef BF16_BY_HAND
	return (uint32_t)bf16_of(lo) | (uint32_t)bf16_of(hi) << 16;
#else
	uint32_t v;
	asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(v) : "f"(hi), "f"(lo));
	return v;
#endif
}
DEV float
half_to(int dtype, uint32_t v)
{
	return dtype == DT_F16 ? f16_to((uint16_t)v) : bf16_to((uint16_t)v);
}
DEV uint32_t
half_pair(int dtype, float lo, float hi)
{
	return dtype == DT_F16 ? f16_pair(lo, hi) : bf16_pair(lo, hi);
}
/* Element `at` of an array of type `dtype`. */
DEV float
load(const void *p, int dtype, int64_t at)
{
	if (dtype == DT_F32)
		return as_float(ldg4((const uint32_t *)p + at));
	if (dtype == DT_I32)
		return (float)(int32_t)ldg4((const uint32_t *)p + at);
	return half_to(dtype, ldg2((const uint16_t *)p + at));
}
DEV void
store(void *p, int dtype, int64_t at, float v)
{
	if (dtype == DT_F32)
		stg4((uint32_t *)p + at, as_bits(v));
	else if (dtype == DT_I32)
		stg4((uint32_t *)p + at, (uint32_t)(int32_t)v);
	else
		stg2((uint16_t *)p + at, dtype == DT_F16 ? f16_of(v)
			: bf16_of(v));
}

#endif
