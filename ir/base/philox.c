/* philox.c - random numbers that depend on (seed, stream, index) alone.
 *
 * Philox 4x32 with 10 rounds (Salmon, Moraes, Dror and Shaw, "Parallel random
 * numbers: as easy as 1, 2, 3", SC 2011): counter = {block number, stream},
 * key = seed.  Four words make four normal deviates by Box-Muller.  Logarithm,
 * sine and cosine are computed here, by + - * / and sqrt only, because those
 * of the C library differ between machines.
 */
#include "ir/base/philox.h"
#include "ir/base/base.h"

#include <math.h>
#include <string.h>

void
philox_block(const uint32_t counter[4], const uint32_t key[2],
	uint32_t out[4])
{
	uint32_t c0 = counter[0], c1 = counter[1];
	uint32_t c2 = counter[2], c3 = counter[3];
	uint32_t k0 = key[0], k1 = key[1];
	for (int round = 0; round < 10; round++) {
		uint64_t p = (uint64_t)0xd2511f53 * c0;
		uint64_t q = (uint64_t)0xcd9e8d57 * c2;
		c0 = (uint32_t)(q >> 32) ^ c1 ^ k0;
		c1 = (uint32_t)q;
		c2 = (uint32_t)(p >> 32) ^ c3 ^ k1;
		c3 = (uint32_t)p;
		k0 += 0x9e3779b9;
		k1 += 0xbb67ae85;
	}
	out[0] = c0;
	out[1] = c1;
	out[2] = c2;
	out[3] = c3;
}

/* Natural logarithm of a normal x in (0, 1]: x = m 2^e with m in [3/4, 3/2),
 * log m = 2 atanh((m - 1) / (m + 1)) as a series, |s| <= 1/5. */
static double
log_series(double x)
{
	uint64_t bits;
	memcpy(&bits, &x, sizeof bits);
	int e = (int)(bits >> 52) - 1023;
	bits = (bits & 0xfffffffffffff) | (uint64_t)1023 << 52;
	double m;
	memcpy(&m, &bits, sizeof m);
	if (m >= 1.5) {
		m *= 0.5;
		e++;
	}
	double s = (m - 1) / (m + 1), z = s * s, sum = 0;
	for (int k = 23; k >= 1; k -= 2)
		sum = sum * z + 1.0 / k;
	return 2 * s * sum + e * 0.69314718055994530942;
}

/* Sine and cosine of 2 pi t, 0 <= t < 1: by Taylor's series around the nearest
 * quarter turn, |angle| <= pi/4. */
static void
sincos_turns(double t, double *sine, double *cosine)
{
	int quarter = (int)(4 * t + 0.5);
	double x = (4 * t - quarter) * 1.57079632679489661923, z = x * x;
	double s = 1, c = 1;
	for (int k = 18; k >= 2; k -= 2) {
		s = 1 - z / (k * (k + 1)) * s;
		c = 1 - z / (k * (k - 1)) * c;
	}
	s *= x;
	switch (quarter & 3) {
	case 0: *sine = s; *cosine = c; break;
	case 1: *sine = c; *cosine = -s; break;
	case 2: *sine = -s; *cosine = -c; break;
	default: *sine = -c; *cosine = s; break;
	}
}

/* Two words to two normal deviates.  u is never 0, so the radius is finite. */
static void
box_muller(uint32_t word0, uint32_t word1, float out[2])
{
	double u = ((double)word0 + 0.5) * 0x1p-32, t = (double)word1 * 0x1p-32;
	double sine, cosine, radius = sqrt(-2 * log_series(u));
	sincos_turns(t, &sine, &cosine);
	out[0] = (float)(radius * cosine);
	out[1] = (float)(radius * sine);
}

void
philox_normal(uint64_t seed, uint64_t stream, float *x, int64_t n)
{
	philox_normal_from(seed, stream, 0, x, n);
}

void
philox_normal_from(uint64_t seed, uint64_t stream, int64_t first, float *x,
	int64_t n)
{
	uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
	for (int64_t i = 0; i < n; i += 4) {
		uint64_t block = (uint64_t)(first + i) / 4;
		uint32_t counter[4] = {
			(uint32_t)block, (uint32_t)(block >> 32),
			(uint32_t)stream, (uint32_t)(stream >> 32),
		};
		uint32_t word[4];
		float normal[4];
		philox_block(counter, key, word);
		box_muller(word[0], word[1], normal);
		box_muller(word[2], word[3], normal + 2);
		memcpy(x + i, normal, (size_t)min64(4, n - i) * sizeof *x);
	}
}

/* FNV-1a, 64 bits. */
uint64_t
philox_stream(const char *name)
{
	uint64_t hash = 0xcbf29ce484222325;
	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 0x100000001b3;
	return hash;
}
