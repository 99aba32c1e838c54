/* convert.c - numbers between f32, f16 and bf16.
 *
 * 16 bit to f32 is exact; f32 to 16 bit rounds to nearest even, what is too
 * large becomes infinity, NaN stays NaN.  Where the processor has F16C eight
 * numbers are converted at once and the last n % 8 one by one with the same
 * result (tests/kernels/matrix.c), so an element does not notice its neighbours.
 */
#include "kernels/kernels.h"

#include <string.h>
#ifdef __F16C__
#include <immintrin.h>
#endif

static inline uint32_t
bits_of(float x)
{
	uint32_t u;
	memcpy(&u, &x, sizeof u);
	return u;
}

static inline float
float_of(uint32_t u)
{
	float x;
	memcpy(&x, &u, sizeof x);
	return x;
}

static float
half_to_float(uint16_t h)
{
	uint32_t sign = (uint32_t)(h & 0x8000) << 16;
	uint32_t exponent = h >> 10 & 31, mantissa = h & 0x3ffu;
	if (exponent == 31)     /* infinity, or NaN made quiet */
		return float_of(sign | 0x7f800000u | mantissa << 13
			| (mantissa ? 0x400000u : 0));
	if (exponent == 0) {    /* zero, subnormal: mantissa 2^-24 */
		float x = (float)mantissa * 0x1p-24f;
		return float_of(sign | bits_of(x));
	}
	return float_of(sign | (exponent + 112) << 23 | mantissa << 13);
}

static uint16_t
float_to_half(float f)
{
	uint32_t u = bits_of(f), sign = u >> 16 & 0x8000;
	u &= 0x7fffffffu;
	if (u > 0x7f800000u)    /* NaN, made quiet */
		return (uint16_t)(sign | 0x7e00 | (u >> 13 & 0x3ff));
	if (u >= 0x477ff000u)   /* 65520 and more round to infinity */
		return (uint16_t)(sign | 0x7c00);
	if (u < 0x38800000u) {  /* subnormal: the sum's last place is 2^-24 */
		float x = float_of(u) + 0.5f;
		return (uint16_t)(sign | (bits_of(x) - bits_of(0.5f)));
	}
	uint32_t odd = u >> 13 & 1;
	return (uint16_t)(sign | (u - 0x38000000u + 0xfff + odd) >> 13);
}

static inline uint16_t
float_to_bf16(float f)
{
	uint32_t u = bits_of(f);
	uint32_t rounded = (u + 0x7fff + (u >> 16 & 1)) >> 16;
	uint32_t quiet = u >> 16 | 0x40;
	return (uint16_t)((u & 0x7fffffffu) > 0x7f800000u ? quiet : rounded);
}

static void
f16_to_f32(float *y, const uint16_t *x, int64_t n)
{
	int64_t i = 0;
#ifdef __F16C__
	for (; i + 8 <= n; i += 8) {
		__m128i h = _mm_loadu_si128((const __m128i *)(const void *)
			(x + i));
		_mm256_storeu_ps(y + i, _mm256_cvtph_ps(h));
	}
#endif
	for (; i < n; i++)
		y[i] = half_to_float(x[i]);
}

static void
f32_to_f16(uint16_t *y, const float *x, int64_t n)
{
	int64_t i = 0;
#ifdef __F16C__
	for (; i + 8 <= n; i += 8) {
		__m256 f = _mm256_loadu_ps(x + i);
		_mm_storeu_si128((__m128i *)(void *)(y + i),
			_mm256_cvtps_ph(f, _MM_FROUND_TO_NEAREST_INT));
	}
#endif
	for (; i < n; i++)
		y[i] = float_to_half(x[i]);
}

static void
bf16_to_f32(float *y, const uint16_t *x, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		y[i] = float_of((uint32_t)x[i] << 16);
}

static void
f32_to_bf16(uint16_t *y, const float *x, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		y[i] = float_to_bf16(x[i]);
}

static void
to_f32(float *y, DType from, const void *x, int64_t n)
{
	if (from == DT_F16)
		f16_to_f32(y, x, n);
	else
		bf16_to_f32(y, x, n);
}

static void
from_f32(DType to, void *y, const float *x, int64_t n)
{
	if (to == DT_F16)
		f32_to_f16(y, x, n);
	else
		f32_to_bf16(y, x, n);
}

void
convert(DType to, void *dst, DType from, const void *src, int64_t n)
{
	if (to == from) {
		if (dst != src)
			memcpy(dst, src, (size_t)(n * dtype_bytes(to)));
	} else if (to == DT_F32) {
		to_f32(dst, from, src, n);
	} else if (from == DT_F32) {
		from_f32(to, dst, src, n);
	} else {                /* f16 and bf16 */
		uint16_t *y = dst;
		const uint16_t *x = src;
		for (int64_t i = 0; i < n; i += 256) {
			float buf[256];
			int64_t part = n - i < 256 ? n - i : 256;
			to_f32(buf, from, x + i, part);
			from_f32(to, y + i, buf, part);
		}
	}
}
