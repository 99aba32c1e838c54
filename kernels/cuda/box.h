/* box.h - walking over the boxes of args.h, and arithmetic that every family
 * of kernels needs.  Device code.
 */
#ifndef SLUICE_CUDA_BOX_H
#define SLUICE_CUDA_BOX_H

#include "kernels/cuda/dev.h"

#define MATHF_FN DEV
#define MATHF_FMA(a, b, c) fma_of(a, b, c)
#include "kernels/mathf.h"

enum { THREADS = 256 };         /* in a block of an elementwise kernel */

/* Number of the running thread in the grid. */
DEV int64_t
grid_x()
{
	return block_x() * THREADS + thread_x();
}

/* Offset of index number i of axes of extents n[]; the last needs no division. */
DEV int64_t
axes_at(int dims, const int64_t *n, const int64_t *step, int64_t i)
{
	int64_t at = 0;
	for (int d = 0; d + 1 < dims; d++) {
		at += i % n[d] * step[d];
		i /= n[d];
	}
	return dims ? at + i * step[dims - 1] : at;
}

/* Offset of element number i of a box in view v. */
DEV int64_t
box_at(const BoxArgs &b, int v, int64_t i)
{
	return b.first[v] + axes_at(b.dims, b.n, b.step[v], i);
}

/* Offset of number i of the batch in view v. */
DEV int64_t
batch_at(const MatrixArgs &p, int v, int64_t i)
{
	return axes_at(p.dims, p.n, p.batch_step[v], i);
}

/* Offset of index number i of some axes. */
DEV int64_t
dims_at(const DimsArgs &d, const int64_t *step, int64_t i)
{
	return axes_at(d.dims, d.n, step, i);
}

/* 8 numbers of 16 bits, of which those from `n` on are zero. */
DEV V4
load_some(const uint16_t *p, int n)
{
	uint32_t u[4];
#pragma unroll
	for (int j = 0; j < 4; j++) {
		uint32_t lo = 2 * j < n ? ldg2(p + 2 * j) : 0;
		uint32_t hi = 2 * j + 1 < n ? ldg2(p + 2 * j + 1) : 0;
		u[j] = lo | hi << 16;
	}
	V4 v;
	v.x = u[0];
	v.y = u[1];
	v.z = u[2];
	v.w = u[3];
	return v;
}

DEV void
store_some(uint16_t *p, V4 v)
{
	const uint32_t u[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
	for (int j = 0; j < 4; j++) {
		stg2(p + 2 * j, (uint16_t)u[j]);
		stg2(p + 2 * j + 1, (uint16_t)(u[j] >> 16));
	}
}

/* 2^x for x <= 0, near f32's rounding */
DEV float
mathf_exp2(float x)
{
	return mathf_exp(x * 0.69314718f);
}

DEV float
activate(int act, float x)
{
	switch (act) {
	case ACT_SILU:      return mathf_silu(x);
	case ACT_GELU:      return mathf_gelu(x);
	case ACT_GELU_TANH: return mathf_gelu_tanh(x);
	case ACT_SIGMOID:   return mathf_sigmoid(x);
	}
	return x;
}

#endif
