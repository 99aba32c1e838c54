/* move.c - ops that make or move elements: copy, fill, resize, index, sinusoid,
 * embed.  What depends on a position depends on the absolute one (lo), so a
 * slice has the elements of the whole.
 */
#include "loops.h"

#include <math.h>
#include <string.h>

/* ---- copy ---- */

/* Elements of one type: their bytes move as they are.  views: result, x */
static void
copy_same(const Walk *w, const Block *b)
{
	int64_t sy = w->step[0], sx = w->step[1];
	if (sy == 1 && sx == 1) {
		memcpy(b->p[0], b->p[1],
			(size_t)(b->n * dtype_bytes(w->dtype[0])));
	} else if (dtype_bytes(w->dtype[0]) == 4) {
		uint32_t *y = (uint32_t *)(void *)b->p[0];
		const uint32_t *x = (const uint32_t *)(void *)b->p[1];
		for (int64_t i = 0; i < b->n; i++)
			y[i * sy] = x[i * sx];
	} else {
		uint16_t *y = (uint16_t *)(void *)b->p[0];
		const uint16_t *x = (const uint16_t *)(void *)b->p[1];
		for (int64_t i = 0; i < b->n; i++)
			y[i * sy] = x[i * sx];
	}
}

static void
copy_block(const Walk *w, const Block *b, const void *arg)
{
	float buf[ROW_MAX];
	(void)arg;
	if (w->dtype[0] == w->dtype[1]) {
		copy_same(w, b);
		return;
	}
	const float *x = row_load(buf, w->dtype[1], b->p[1], w->step[1], b->n);
	row_store(w->dtype[0], b->p[0], w->step[0], x, b->n);
}

KStatus
cpu_copy(const Ctx *ctx, const Operand *args, const Attr *attr)
{
	int64_t first = 0;      /* channel of the result */
	(void)attr;
	if (ctx->prepare)
		return K_OK;
	for (int p = 0; p < args[1].parts; p++) {
		const View *x = &args[1].part[p];
		int64_t n = args[1].parts > 1 ? x->n[AXIS_C]
			: args[0].part[0].n[AXIS_C];
		View y = view_part(&args[0].part[0], AXIS_C, first, n);
		const View *v[2] = {&y, x};
		Walk w;
		walk_init(&w, y.n, 2, v, false);
		walk_run(ctx, &w, copy_block, NULL);
		first += n;
	}
	return K_OK;
}

/* ---- fill ---- */

static void
fill_block(const Walk *w, const Block *b, const void *arg)
{
	float buf[ROW_MAX];
	for (int64_t i = 0; i < b->n; i++)
		buf[i] = *(const float *)arg;
	row_store(w->dtype[0], b->p[0], w->step[0], buf, b->n);
}

KStatus
cpu_fill(const Ctx *ctx, const Operand *args, const Attr *attr)
{
	const View *y = &args[0].part[0];
	float value = (float)attr->scalar;
	Walk w;
	if (ctx->prepare)
		return K_OK;
	walk_init(&w, y->n, 1, &y, false);
	walk_run(ctx, &w, fill_block, &value);
	return K_OK;
}

/* ---- index ---- */

/* Every element is its absolute position along attr->axis: a fill for each. */
KStatus
cpu_index(const Ctx *ctx, const Operand *args, const Attr *attr)
{
	const View *y = &args[0].part[0];
	if (ctx->prepare)
		return K_OK;
	for (int64_t i = 0; i < y->n[attr->axis]; i++) {
		View at = view_part(y, attr->axis, i, 1);
		const View *v[1] = {&at};
		float value = (float)at.lo[attr->axis];
		Walk w;
		walk_init(&w, at.n, 1, v, false);
		walk_run(ctx, &w, fill_block, &value);
	}
	return K_OK;
}

/* ---- resize ---- */

/* Index within the view `x` that the result's index i of `axis` reads. */
static int64_t
nearest(const View *y, const View *x, int axis, int64_t i)
{
	int64_t at = (y->lo[axis] + i) * x->full[axis] / y->full[axis];
	return at - x->lo[axis];
}

/* Copies the box of y whose first index along every axis of `over` is fixed
 * already; goes down one axis of `over` at a time. */
static void
resize_axes(const Ctx *ctx, const View *y, const View *x, AxisSet over)
{
	if (!over) {
		const View *v[2] = {y, x};
		Walk w;
		walk_init(&w, y->n, 2, v, false);
		walk_run(ctx, &w, copy_block, NULL);
		return;
	}
	int axis = __builtin_ctz(over);
	for (int64_t i = 0; i < y->n[axis]; i++) {
		View yi = view_part(y, axis, i, 1);
		View xi = view_part(x, axis, nearest(y, x, axis, i), 1);
		resize_axes(ctx, &yi, &xi, (AxisSet)(over & (over - 1)));
	}
}

KStatus
cpu_resize(const Ctx *ctx, const Operand *args, const Attr *attr)
{
	if (!ctx->prepare)
		resize_axes(ctx, &args[0].part[0], &args[1].part[0],
			attr->over);
	return K_OK;
}

/* ---- sinusoid ---- */

/* Element i of n for the position x.  PyTorch rounds the frequency to f32 and
 * multiplies in f32; at a step of 999 that is seen. */
static float
sinusoid_at(const Attr *attr, float x, int64_t i, int64_t n)
{
	int64_t half = n / 2, k = i;
	if (i >= 2 * half)
		return 0;
	bool second = i >= half;
	if (attr->interleave) {
		k = i / 2;
		second = i % 2;
	} else if (second) {
		k = i - half;
	}
	float f = (float)exp(-log(10000.0) * (double)k / (double)half);
	double angle = (double)(x * f);
	return (float)(second == (attr->sin_first != 0) ? cos(angle)
		: sin(angle));
}

typedef struct Sinusoid {
	const Attr *attr;
	const View *y;
} Sinusoid;

/* A row is the axis c of the result.  views: result, x */
static void
sinusoid_block(const Walk *w, const Block *b, const void *arg)
{
	const Sinusoid *s = arg;
	float row[ROW_MAX], buf[1];
	float x = *row_load(buf, w->dtype[1], b->p[1], 1, 1);
	for (int64_t i = 0; i < b->n; i++)
		row[i] = sinusoid_at(s->attr, x, s->y->lo[AXIS_C] + b->first + i,
			s->y->full[AXIS_C]);
	row_store(w->dtype[0], b->p[0], w->step[0], row, b->n);
}

/* x [..] -> [.., c] */
KStatus
cpu_sinusoid(const Ctx *ctx, const Operand *args, const Attr *attr)
{
	Sinusoid s = {attr, &args[0].part[0]};
	const View *v[2] = {s.y, &args[1].part[0]};
	Walk w;
	if (ctx->prepare)
		return K_OK;
	walk_init(&w, s.y->n, 2, v, true);
	walk_run(ctx, &w, sinusoid_block, &s);
	return K_OK;
}
