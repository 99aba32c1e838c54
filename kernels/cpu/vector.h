/* vector.h - multiply-add, of numbers and of vectors, for the instruction set
 * that a file is compiled for.  Include it only from files of kernels/cpu/: they
 * are compiled without contraction, so what is fused is written down here.
 */
#ifndef SLUICE_VECTOR_H
#define SLUICE_VECTOR_H

#include <stdint.h>
#ifdef __AVX2__
#include <immintrin.h>
#endif

/* a b + c, rounded once where the processor can.  Where it cannot, a call that
 * emulates it would take a hundred times longer: then it rounds twice. */
#ifdef __FP_FAST_FMAF
#define kernel_fma(a, b, c) __builtin_fmaf(a, b, c)
#else
#define kernel_fma(a, b, c) ((a) * (b) + (c))
#endif

typedef float v16 __attribute__((vector_size(64), aligned(4), may_alias));
typedef float v8 __attribute__((vector_size(32), aligned(4), may_alias));
typedef float v4 __attribute__((vector_size(16), aligned(4), may_alias));

static inline v4
fma_v4(v4 a, float b, v4 c)
{
#if defined __FMA__
	return (v4)_mm_fmadd_ps((__m128)a, _mm_set1_ps(b), (__m128)c);
#elif defined __FP_FAST_FMAF
	for (int i = 0; i < 4; i++)
		c[i] = __builtin_fmaf(a[i], b, c[i]);
	return c;
#else
	return a * b + c;
#endif
}

#ifdef __AVX2__
static inline v8
fma_v8(v8 a, float b, v8 c)
{
	return (v8)_mm256_fmadd_ps((__m256)a, _mm256_set1_ps(b), (__m256)c);
}
#endif

#ifdef __AVX512F__
static inline v16
fma_v16(v16 a, float b, v16 c)
{
	return (v16)_mm512_fmadd_ps((__m512)a, _mm512_set1_ps(b), (__m512)c);
}
#endif

#endif
