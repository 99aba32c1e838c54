/* philox.h - random numbers that are the same on every machine. */
#ifndef SLUICE_PHILOX_H
#define SLUICE_PHILOX_H

#include <stdint.h>

/* n normal deviates of stream `stream` of `seed`: Philox 4x32-10 counters and
 * Box-Muller, the same on every machine. */
void philox_normal(uint64_t seed, uint64_t stream, float *x, int64_t n);
/* n of them from number `first`, a multiple of 4, on. */
void philox_normal_from(uint64_t seed, uint64_t stream, int64_t first, float *x,
	int64_t n);
/* Stream number for a name: its hash. */
uint64_t philox_stream(const char *name);
/* The generator itself: 10 rounds over one counter. */
void philox_block(const uint32_t counter[4], const uint32_t key[2],
	uint32_t out[4]);

#endif
