/* each.cu - elementwise ops, copies and fills, and the update of a sampler: a
 * thread for each element, or for eight neighbours where all places and strides
 * allow it.  Both forms compute each element alike.
 */
#include "kernels/cuda/rows.h"

DEV float
clamped(float x, float lo, float hi)    /* a NaN stays one */
{
	return x < lo ? lo : x > hi ? hi : x;
}

/* y: the second operand, or the number in its place; a: the third */
DEV float
each_value(const EachArgs &p, float x, float y, float a)
{
	switch (p.op) {
	case OP_add:       return x + y;
	case OP_sub:       return p.reversed ? y - x : x - y;
	case OP_mul:       return x * y;
	case OP_div:       return p.reversed ? y / x : x / y;
	case OP_silu:      return mathf_silu(x);
	case OP_gelu:      return mathf_gelu(x);
	case OP_gelu_tanh: return mathf_gelu_tanh(x);
	case OP_sigmoid:   return mathf_sigmoid(x);
	case OP_clamp:     return clamped(x, p.lo, p.hi);
	case OP_blend:     return a * x + (1 - a) * y;
	case OP_geglu:     return x * mathf_gelu(y);
	case OP_fill:      return p.scalar;
	}
	return x;               /* copy; index: x is the position */
}

KERNEL(plain_each, THREADS, 1, EachArgs)
{
	const BoxArgs &b = p.box;
	int64_t i = grid_x();
	if (i >= b.count)
		return;
	int64_t x = box_at(b, 1, i);
	void *to = b.data[0];
	/* integers of 32 bits do not fit into f32 */
	if (p.op == OP_copy && b.dtype[0] == DT_I32 && b.dtype[1] == DT_I32) {
		stg4((uint32_t *)to + box_at(b, 0, i),
			ldg4((const uint32_t *)b.data[1] + x));
		return;
	}
	float a = p.views < 2 ? (float)x : load(b.data[1], b.dtype[1], x);
	float c = p.views < 3 ? p.scalar
		: load(b.data[2], b.dtype[2], box_at(b, 2, i));
	float d = p.views < 4 ? 0
		: load(b.data[3], b.dtype[3], box_at(b, 3, i));
	store(to, b.dtype[0], box_at(b, 0, i), each_value(p, a, c, d));
}

/* What is left out has no term: adding 0 * 0 would turn -0 into 0. */
KERNEL(plain_sample, THREADS, 1, SampleArgs)
{
	const BoxArgs &b = p.box;
	int64_t i = grid_x();
	if (i >= b.count)
		return;
	float t[SAMPLE_COLS];
#pragma unroll
	for (int k = 0; k < SAMPLE_COLS; k++)
		t[k] = load(p.table, DT_F32, k);
	float x = load(b.data[1], b.dtype[1], box_at(b, 1, i));
	float e = load(b.data[2], b.dtype[2], box_at(b, 2, i));
	float z = clamped(t[0] * x + t[1] * e, -t[2], t[2]);
	float sum = t[3] * z + t[4] * x + t[5] * e;
#pragma unroll
	for (int k = 0; k < 3; k++)
		if (b.data[3 + k])
			sum += t[6 + k] * load(b.data[3 + k], b.dtype[3 + k],
				box_at(b, 3 + k, i));
	store(b.data[0], b.dtype[0], box_at(b, 0, i), sum);
}

/* An operand of eight elements, or one number for all of them. */
DEV void
load_second(const BoxArgs &b, int view, int64_t i, float *x)
{
	int64_t at = box_at(b, view, i);
	if (b.step[view][0]) {
		load_lanes(b.data[view], b.dtype[view], at, LANES, true, x);
		return;
	}
	x[0] = load(b.data[view], b.dtype[view], at);
#pragma unroll
	for (int j = 1; j < LANES; j++)
		x[j] = x[0];
}

/* Eight elements. */
KERNEL(each, THREADS, 1, EachArgs)
{
	const BoxArgs &b = p.box;
	int64_t i = grid_x() * LANES;
	if (i >= b.count)
		return;
	float x[LANES], y[LANES], a[LANES];
#pragma unroll
	for (int j = 0; j < LANES; j++) {
		x[j] = a[j] = 0;
		y[j] = p.scalar;
	}
	if (p.views > 1)
		load_lanes(b.data[1], b.dtype[1], box_at(b, 1, i), LANES, true, x);
	if (p.views > 2)
		load_second(b, 2, i, y);
	if (p.views > 3)
		load_second(b, 3, i, a);
#pragma unroll
	for (int j = 0; j < LANES; j++)
		x[j] = each_value(p, x[j], y[j], a[j]);
	store_lanes(b.data[0], b.dtype[0], box_at(b, 0, i), LANES, true, x);
}
