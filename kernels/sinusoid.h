/* sinusoid.h - the formula of position and time embeddings: for the kernel and for
 * the tables that weight files may leave out.
 */
#ifndef SLUICE_SINUSOID_H
#define SLUICE_SINUSOID_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

/* Element i of n for the position x: cos of x exp(-ln(10000) k / (n/2)) in the
 * first half, sin in the second; `sin_first` swaps the two, `interleave` takes
 * them by turns; the last of an odd n is 0.  PyTorch rounds the frequency to f32
 * and multiplies in f32; at a step of 999 that is seen. */
static inline float
sinusoid_at(bool sin_first, bool interleave, float x, int64_t i, int64_t n)
{
	int64_t half = n / 2, k = i;
	if (i >= 2 * half)
		return 0;
	bool second = i >= half;
	if (interleave) {
		k = i / 2;
		second = i % 2;
	} else if (second) {
		k = i - half;
	}
	float f = (float)exp(-log(10000.0) * (double)k / (double)half);
	double angle = (double)(x * f);
	return (float)(second == sin_first ? cos(angle) : sin(angle));
}

#endif
