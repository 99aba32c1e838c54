/* pack.c - weights as the kernels want them: the file's [out][in][tap] becomes
 * [out][tap][in], so that a step over channels reads neighbours.  Neither the
 * halves of a GEGLU nor the parts of an input change anything.
 */
#include "kernels/cuda/cuda.h"

#include "ir/base/base.h"

#include <string.h>

enum { STRIP = 256 };           /* elements that are converted at once */

void
cuda_pack_rows(const MatrixLayout *m, DType to, void *dst, DType from,
	const void *src, int64_t row, int64_t count)
{
	int64_t cols = m->cols[0] + m->cols[1], width = cols * m->taps;
	int64_t size = dtype_bytes(to), from_size = dtype_bytes(from);
	char *y = (char *)dst + row * width * size;
	if (m->taps == 1) {
		convert(to, y, from, src, count * width);
		return;
	}
	for (int64_t e = 0; e < count * width; e += STRIP) {
		char strip[STRIP * 4];
		int64_t n = min64(STRIP, count * width - e);
		convert(to, strip, from, (const char *)src + e * from_size, n);
		for (int64_t i = 0; i < n; i++) {
			int64_t r = (e + i) / width, k = (e + i) % width;
			int64_t at = r * width + k % m->taps * cols
				+ k / m->taps;
			memcpy(y + at * size, strip + i * size, (size_t)size);
		}
	}
}
