/* tensors.h - tensors in wider buffers, packed matrices, and calls of kernels on
 * them, for the tests of matrix kernels (matrix.c, attend.c, numbers.c).
 */
#ifndef SLUICE_TENSORS_H
#define SLUICE_TENSORS_H

#include "tests/lib/team.h"
#include "tests/lib/test.h"

#include "ir/base/base.h"
#include "kernels/kernels.h"

#include <math.h>
#include <stdlib.h>

#define HW (AXIS_BIT(AXIS_H) | AXIS_BIT(AXIS_W))
#define F AXIS_BIT(AXIS_F)

/* Element types that a case is run with. */
static const struct { DType x, w, y, b; } types[] = {
	{DT_F32, DT_F32, DT_F32, DT_F32}, {DT_F16, DT_F16, DT_F16, DT_F16},
	{DT_BF16, DT_BF16, DT_BF16, DT_BF16}, {DT_F32, DT_F16, DT_F32, DT_F16},
	{DT_F16, DT_F32, DT_F32, DT_F32}, {DT_F32, DT_BF16, DT_F16, DT_F32},
};

static uint32_t seed = 1;

static inline double
uniform(void)
{
	seed = seed * 1664525u + 1013904223u;
	return (double)(seed >> 8) / 16777216 - 0.5;
}

/* ---- tensors: a view of a wider buffer, filled with random numbers ---- */

typedef struct Tensor {
	View v;
	void *buffer;
} Tensor;

enum { GUARD = 16 };

static inline double
get(const View *v, int64_t at)
{
	float x;
	convert(DT_F32, &x, v->dtype, v->data + at * dtype_bytes(v->dtype), 1);
	return x;
}

/* Axes as text, "h5 w3 c7"; `wide` > 0 leaves gaps between pixels and rows. */
static inline Tensor
tensor(DType t, const char *axes, int wide)
{
	static const char letters[] = "sbfhw";
	Tensor x = {.v = {.dtype = t}};
	View *v = &x.v;
	for (int a = 0; a < AXIS_MAX; a++)
		v->n[a] = v->full[a] = 1;
	for (const char *p = axes; *p; ) {
		const char *l = strchr(letters, *p);
		int a = *p == 'c' ? AXIS_C : *p == 't' ? AXIS_TOKEN
			: l ? (int)(l - letters) : AXIS_DECLARED;
		char *end;
		v->n[a] = v->full[a] = strtol(p + 1, &end, 10);
		v->axes |= AXIS_BIT(a);
		for (p = end; *p == ' '; )
			p++;
	}
	int64_t step = 1;
	for (int a = AXIS_C; a >= 0; a--)
		if (v->axes >> a & 1) {
			v->stride[a] = step;
			step = step * v->n[a] + wide;
		}
	size_t elements = (size_t)step + 2 * GUARD;
	x.buffer = calloc(elements, 4);
	float *numbers = malloc(elements * 4);
	for (size_t i = 0; i < elements; i++)
		numbers[i] = (float)uniform();
	convert(t, x.buffer, DT_F32, numbers, (int64_t)elements);
	free(numbers);
	v->data = (char *)x.buffer + GUARD * dtype_bytes(t);
	return x;
}

static inline void
drop(Tensor *x)
{
	free(x->buffer);
}

static inline Operand
operand(const Tensor *x)
{
	return x ? (Operand){1, {x->v}} : (Operand){0};
}

/* Place of the index `i` of all axes. */
static inline int64_t
place(const View *v, const int64_t *i)
{
	int64_t at = 0;
	for (int a = 0; a < AXIS_MAX; a++)
		if (v->axes >> a & 1)
			at += i[a] * v->stride[a];
	return at;
}

/* Steps `i` through the box of `n`, c fastest; false behind its end. */
static inline bool
step_index(const int64_t *n, int64_t *i)
{
	for (int a = AXIS_C; a >= 0; a--) {
		if (++i[a] < n[a])
			return true;
		i[a] = 0;
	}
	return false;
}

/* ---- a packed matrix ---- */

typedef struct Weights {
	float *plain;           /* [out][in][tap], rounded to the type */
	Tensor packed;
} Weights;

static inline Weights
weights(DType t, const MatrixLayout *m)
{
	int64_t rows = m->rows[0] + m->rows[1];
	int64_t width = (m->cols[0] + m->cols[1]) * m->taps, n = rows * width;
	Weights w = {malloc((size_t)n * 4 + 4), {.v = {.dtype = t}}};
	uint16_t *half = malloc((size_t)n * 2 + 2);
	for (int64_t i = 0; i < n; i++)
		w.plain[i] = (float)uniform();
	if (t != DT_F32) {
		convert(t, half, DT_F32, w.plain, n);
		convert(DT_F32, w.plain, t, half, n);
	}
	/* exactly as many bytes as it has elements, so that a sanitizer sees
	 * what reads behind them */
	w.packed.buffer = malloc((size_t)(n * dtype_bytes(t)));
	w.packed.v.data = w.packed.buffer;
	w.packed.v.axes = AXIS_BIT(AXIS_C);
	for (int a = 0; a < AXIS_MAX; a++)
		w.packed.v.n[a] = w.packed.v.full[a] = 1;
	w.packed.v.n[AXIS_C] = w.packed.v.full[AXIS_C] = n;
	w.packed.v.stride[AXIS_C] = 1;
	for (int64_t row = 0, some; row < rows; row += some) {
		some = min64(rows - row, 1 + row % 23);
		pack_rows(m, t, w.packed.buffer, DT_F32, w.plain + row * width,
			row, some);
	}
	free(half);
	return w;
}

static inline void
drop_weights(Weights *w)
{
	free(w->plain);
	drop(&w->packed);
}

/* ---- running a kernel ---- */

static inline void
run_op(Op op, Operand *args, const Attr *attr, int threads)
{
	int64_t bytes = cpu_work_bytes(op, args, attr, threads);
	Operand *work = &args[1 + op_nin(op)];
	*work = (Operand){0};
	void *buffer = NULL;
	if (bytes) {
		buffer = malloc((size_t)bytes);
		memset(buffer, 0xff, (size_t)bytes);    /* NaN */
		work->parts = 1;
		work->part[0].data = buffer;
	}
	Ctx ctx = {.team = test_team(threads), .prepare = true};
	CHECK(cpu_kernel(op)(&ctx, args, attr) == K_OK);
	ctx.prepare = false;
	CHECK(cpu_kernel(op)(&ctx, args, attr) == K_OK);
	free(buffer);
}

/* Whether all bytes of two tensors of one kind agree, gaps included. */
static inline bool
same_bytes(const Tensor *x, const Tensor *y)
{
	size_t n = GUARD;
	for (int a = 0; a < AXIS_MAX; a++)
		if (x->v.axes >> a & 1)
			n += (size_t)((x->v.n[a] - 1) * x->v.stride[a]);
	return !memcmp(x->buffer, y->buffer,
		(n + 1) * (size_t)dtype_bytes(x->v.dtype));
}

static inline Tensor
clone(const Tensor *x)
{
	Tensor y = *x;
	size_t bytes = GUARD;
	for (int a = 0; a < AXIS_MAX; a++)
		if (x->v.axes >> a & 1)
			bytes += (size_t)((x->v.n[a] - 1) * x->v.stride[a]);
	bytes = (bytes + GUARD) * 4;
	y.buffer = malloc(bytes);
	memcpy(y.buffer, x->buffer, bytes / 4
		* (size_t)dtype_bytes(x->v.dtype));
	y.v.data = (char *)y.buffer + GUARD * dtype_bytes(x->v.dtype);
	return y;
}

static inline double
naive_act(Act act, double x)
{
	switch (act) {
	case ACT_SILU: return x / (1 + exp(-x));
	case ACT_SIGMOID: return 1 / (1 + exp(-x));
	case ACT_GELU: return x * (1 + erf(x / sqrt(2))) / 2;
	case ACT_GELU_TANH:
		return x / (1 + exp(-2 * sqrt(2 / acos(-1))
			* (x + 0.044715 * x * x * x)));
	default: return x;
	}
}
static inline double
tolerance(DType t)
{
	return t == DT_F32 ? 4e-6 : t == DT_F16 ? 1e-3 : 8e-3;
}

/* Narrows v to [lo, lo + n) along axis. */
static inline void
narrow(View *v, int axis, int64_t lo, int64_t n)
{
	if (!(v->axes >> axis & 1))
		return;
	v->data += lo * v->stride[axis] * dtype_bytes(v->dtype);
	v->lo[axis] += lo;
	v->n[axis] = n;
}

/* Runs the tests again with every level of the kernels that there is here. */
static inline void
each_level(void (*run)(void))
{
	static const char *const levels[] = {"base", "avx2", "avx512"};
	for (size_t i = 0; i < COUNT_OF(levels); i++) {
		setenv("SLUICE_KERNELS", levels[i], 1);
		cpu_init();
		seed = 1;
		if (!strcmp(cpu_level(), levels[i]))
			run();
	}
}

#endif
