/* rows.h - eight neighbours along c at a time, in any type: by 16 bytes where the
 * host found all places fit for it, else one by one.  Device code.
 */
#ifndef SLUICE_CUDA_ROWS_H
#define SLUICE_CUDA_ROWS_H

#include "kernels/cuda/box.h"

enum { LANES = 8 };

/* v = the n (8, if `vec`) numbers from element `at` on; 0 behind them. */
DEV void
load_lanes(const void *p, int type, int64_t at, int n, bool vec, float v[LANES])
{
	if (vec && type == DT_F32) {
#pragma unroll
		for (int h = 0; h < 2; h++) {
			V4 u = ldg16((const float *)p + at + 4 * h);
			v[4 * h] = as_float(u.x);
			v[4 * h + 1] = as_float(u.y);
			v[4 * h + 2] = as_float(u.z);
			v[4 * h + 3] = as_float(u.w);
		}
	} else if (vec) {
		V4 u = ldg16((const uint16_t *)p + at);
		const uint32_t w[4] = {u.x, u.y, u.z, u.w};
#pragma unroll
		for (int j = 0; j < 4; j++) {
			v[2 * j] = half_to(type, w[j] & 0xffff);
			v[2 * j + 1] = half_to(type, w[j] >> 16);
		}
	} else {
#pragma unroll
		for (int j = 0; j < LANES; j++)
			v[j] = j < n ? load(p, type, at + j) : 0;
	}
}

DEV void
store_lanes(void *p, int type, int64_t at, int n, bool vec, const float v[LANES])
{
	if (vec && type == DT_F32) {
#pragma unroll
		for (int h = 0; h < 2; h++) {
			V4 u;
			u.x = as_bits(v[4 * h]);
			u.y = as_bits(v[4 * h + 1]);
			u.z = as_bits(v[4 * h + 2]);
			u.w = as_bits(v[4 * h + 3]);
			stg16((float *)p + at + 4 * h, u);
		}
	} else if (vec) {
		V4 u;
		u.x = half_pair(type, v[0], v[1]);
		u.y = half_pair(type, v[2], v[3]);
		u.z = half_pair(type, v[4], v[5]);
		u.w = half_pair(type, v[6], v[7]);
		stg16((uint16_t *)p + at, u);
	} else {
#pragma unroll
		for (int j = 0; j < LANES; j++)
			if (j < n)
				store(p, type, at + j, v[j]);
	}
}

#endif
