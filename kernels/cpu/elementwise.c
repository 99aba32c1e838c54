/* elementwise.c - arithmetic and activations, element by element, and the
 * update of a sampler.  Operands of any types are broadcast by name; arithmetic
 * is f32.  A block is read as a whole before it is written, so the result may
 * take an operand's place.
 */
#include "kernels/cpu/loops.h"
#include "kernels/cpu/mathf.h"

/* ---- two operands, or one and a number ---- */

typedef struct Binary {
	Op op;
	bool reversed;          /* number first */
	float scalar;
} Binary;

/* Lets the compiler vectorise although the result may be an operand: element i
 * depends on nothing but elements i. */
#define EACH(n, expr) \
	_Pragma("GCC ivdep") \
	for (int64_t i = 0; i < (n); i++) \
		y[i] = (expr)

static void
binary_row(Op op, float *y, const float *a, const float *b, int64_t n)
{
	switch (op) {
	case OP_add: EACH(n, a[i] + b[i]); break;
	case OP_sub: EACH(n, a[i] - b[i]); break;
	case OP_mul: EACH(n, a[i] * b[i]); break;
	default:     EACH(n, a[i] / b[i]); break;
	}
}

static void
scalar_row(Op op, float *y, const float *a, float s, int64_t n)
{
	switch (op) {
	case OP_add: EACH(n, a[i] + s); break;
	case OP_sub: EACH(n, a[i] - s); break;
	case OP_mul: EACH(n, a[i] * s); break;
	default:     EACH(n, a[i] / s); break;
	}
}

static void
reversed_row(Op op, float *y, const float *a, float s, int64_t n)
{
	switch (op) {
	case OP_sub: EACH(n, s - a[i]); break;
	case OP_div: EACH(n, s / a[i]); break;
	default:     scalar_row(op, y, a, s, n); break;
	}
}

/* views: result, x, y */
static void
binary_block(const Walk *w, const Block *b, const void *arg)
{
	const Binary *f = arg;
	float xbuf[ROW_MAX], ybuf[ROW_MAX], out[ROW_MAX];
	int64_t n = b->n;
	float *to = row_out(out, w->dtype[0], b->p[0], w->step[0]);
	const float *x = row_load(xbuf, w->dtype[1], b->p[1], w->step[1], n);
	if (w->views < 3) {
		(f->reversed ? reversed_row : scalar_row)
			(f->op, to, x, f->scalar, n);
	} else if (w->step[2] == 0) {
		const float *y = row_load(ybuf, w->dtype[2], b->p[2], 1, 1);
		scalar_row(f->op, to, x, *y, n);
	} else {
		const float *y = row_load(ybuf, w->dtype[2], b->p[2],
			w->step[2], n);
		binary_row(f->op, to, x, y, n);
	}
	row_store(w->dtype[0], b->p[0], w->step[0], to, n);
}

static KStatus
binary(const Ctx *ctx, const Operand *args, const Attr *attr, Op op)
{
	const View *v[3] = {&args[0].part[0], &args[1].part[0],
		&args[2].part[0]};
	Binary f = {op, attr->reversed, (float)attr->scalar};
	Walk w;
	if (ctx->prepare)
		return K_OK;
	walk_init(&w, v[0]->n, args[2].parts ? 3 : 2, v, false);
	walk_run(ctx, &w, binary_block, &f);
	return K_OK;
}

#define BINARY(name) \
	KStatus \
	cpu_##name(const Ctx *ctx, const Operand *args, const Attr *attr) \
	{ \
		return binary(ctx, args, attr, OP_##name); \
	}
BINARY(add)
BINARY(sub)
BINARY(mul)
BINARY(div)

/* ---- one operand ---- */

typedef struct Unary {
	Op op;
	float lo, hi;
} Unary;

static void
unary_block(const Walk *w, const Block *b, const void *arg)
{
	const Unary *f = arg;
	float xbuf[ROW_MAX], out[ROW_MAX];
	int64_t n = b->n;
	float *y = row_out(out, w->dtype[0], b->p[0], w->step[0]);
	const float *x = row_load(xbuf, w->dtype[1], b->p[1], w->step[1], n);
	switch (f->op) {
	case OP_silu:      EACH(n, mathf_silu(x[i])); break;
	case OP_gelu:      EACH(n, mathf_gelu(x[i])); break;
	case OP_gelu_tanh: EACH(n, mathf_gelu_tanh(x[i])); break;
	case OP_sigmoid:   EACH(n, mathf_sigmoid(x[i])); break;
	default:                /* clamp; a NaN stays one */
		EACH(n, x[i] < f->lo ? f->lo : x[i] > f->hi ? f->hi : x[i]);
		break;
	}
	row_store(w->dtype[0], b->p[0], w->step[0], y, n);
}

static KStatus
unary(const Ctx *ctx, const Operand *args, const Attr *attr, Op op)
{
	const View *v[2] = {&args[0].part[0], &args[1].part[0]};
	Unary f = {op, (float)attr->lo, (float)attr->hi};
	Walk w;
	if (ctx->prepare)
		return K_OK;
	walk_init(&w, v[0]->n, 2, v, false);
	walk_run(ctx, &w, unary_block, &f);
	return K_OK;
}

#define UNARY(name) \
	KStatus \
	cpu_##name(const Ctx *ctx, const Operand *args, const Attr *attr) \
	{ \
		return unary(ctx, args, attr, OP_##name); \
	}
UNARY(silu)
UNARY(gelu)
UNARY(gelu_tanh)
UNARY(sigmoid)
UNARY(clamp)

/* ---- blend ---- */

/* views: result, x, y, a */
static void
blend_block(const Walk *w, const Block *b, const void *arg)
{
	float xbuf[ROW_MAX], ybuf[ROW_MAX], abuf[ROW_MAX], out[ROW_MAX];
	int64_t n = b->n;
	(void)arg;
	float *y = row_out(out, w->dtype[0], b->p[0], w->step[0]);
	const float *p = row_load(xbuf, w->dtype[1], b->p[1], w->step[1], n);
	const float *q = row_load(ybuf, w->dtype[2], b->p[2], w->step[2], n);
	if (w->step[3] == 0) {
		float a = *row_load(abuf, w->dtype[3], b->p[3], 1, 1);
		EACH(n, a * p[i] + (1 - a) * q[i]);
	} else {
		const float *a = row_load(abuf, w->dtype[3], b->p[3],
			w->step[3], n);
		EACH(n, a[i] * p[i] + (1 - a[i]) * q[i]);
	}
	row_store(w->dtype[0], b->p[0], w->step[0], y, n);
}

KStatus
cpu_blend(const Ctx *ctx, const Operand *args, const Attr *attr)
{
	const View *v[4] = {&args[0].part[0], &args[1].part[0],
		&args[2].part[0], &args[3].part[0]};
	Walk w;
	(void)attr;
	if (ctx->prepare)
		return K_OK;
	walk_init(&w, v[0]->n, 4, v, false);
	walk_run(ctx, &w, blend_block, NULL);
	return K_OK;
}

/* ---- geglu ---- */

/* views: result, first half, second half */
static void
geglu_block(const Walk *w, const Block *b, const void *arg)
{
	float xbuf[ROW_MAX], gbuf[ROW_MAX], out[ROW_MAX];
	int64_t n = b->n;
	(void)arg;
	float *y = row_out(out, w->dtype[0], b->p[0], w->step[0]);
	const float *x = row_load(xbuf, w->dtype[1], b->p[1], w->step[1], n);
	const float *g = row_load(gbuf, w->dtype[2], b->p[2], w->step[2], n);
	EACH(n, x[i] * mathf_gelu(g[i]));
	row_store(w->dtype[0], b->p[0], w->step[0], y, n);
}

/* x [.., 2 c] -> [.., c] */
KStatus
cpu_geglu(const Ctx *ctx, const Operand *args, const Attr *attr)
{
	const View *y = &args[0].part[0];
	int64_t c = y->n[AXIS_C];
	View x = view_part(&args[1].part[0], AXIS_C, 0, c);
	View gate = view_part(&args[1].part[0], AXIS_C, c, c);
	const View *v[3] = {y, &x, &gate};
	Walk w;
	(void)attr;
	if (ctx->prepare)
		return K_OK;
	walk_init(&w, y->n, 3, v, false);
	walk_run(ctx, &w, geglu_block, NULL);
	return K_OK;
}

/* ---- sample ---- */

enum { SAMPLE_MORE = 3 };       /* operands that may be left out */

/* What is left out has no term: adding 0 * 0 would turn -0 into 0. */
static inline __attribute__((always_inline)) void
sample_row(float *y, int64_t n, const float *t, const float *x, const float *e,
	const float *const *more, int count)
{
	float p0 = t[0], p1 = t[1], clip = t[2];
	float q0 = t[3], q1 = t[4], q2 = t[5], q3 = t[6], q4 = t[7], q5 = t[8];
	const float *a = more[0], *b = more[1], *c = more[2];
	_Pragma("GCC ivdep")
	for (int64_t i = 0; i < n; i++) {
		float z = p0 * x[i] + p1 * e[i];
		z = z < -clip ? -clip : z > clip ? clip : z;
		float sum = q0 * z + q1 * x[i] + q2 * e[i];
		if (count > 0)
			sum += q3 * a[i];
		if (count > 1)
			sum += q4 * b[i];
		if (count > 2)
			sum += q5 * c[i];
		y[i] = sum;
	}
}

/* views: result, x, e, and those of a, b, c that are there; arg: the table's
 * row, its numbers for what is there moved together */
static void
sample_block(const Walk *w, const Block *b, const void *arg)
{
	float xbuf[ROW_MAX], ebuf[ROW_MAX], out[ROW_MAX];
	float buf[SAMPLE_MORE][ROW_MAX];
	const float *more[SAMPLE_MORE] = {NULL};
	int64_t n = b->n;
	float *y = row_out(out, w->dtype[0], b->p[0], w->step[0]);
	const float *x = row_load(xbuf, w->dtype[1], b->p[1], w->step[1], n);
	const float *e = row_load(ebuf, w->dtype[2], b->p[2], w->step[2], n);
	for (int i = 3; i < w->views; i++)
		more[i - 3] = row_load(buf[i - 3], w->dtype[i], b->p[i],
			w->step[i], n);
	switch (w->views - 3) {
	case 0: sample_row(y, n, arg, x, e, more, 0); break;
	case 1: sample_row(y, n, arg, x, e, more, 1); break;
	case 2: sample_row(y, n, arg, x, e, more, 2); break;
	default: sample_row(y, n, arg, x, e, more, 3); break;
	}
	row_store(w->dtype[0], b->p[0], w->step[0], y, n);
}

/* The table's row is p0 p1 clip q0 .. q5; an infinite clip leaves z alone. */
KStatus
cpu_sample(const Ctx *ctx, const Operand *args, const Attr *attr)
{
	const View *v[3 + SAMPLE_MORE] = {&args[0].part[0], &args[1].part[0],
		&args[2].part[0]};
	const View *table = &args[3].part[0];
	float buf[SAMPLE_COLS], t[SAMPLE_COLS];
	int views = 3;
	Walk w;
	(void)attr;
	if (ctx->prepare)
		return K_OK;
	const float *row = row_load(buf, table->dtype, table->data, 1,
		SAMPLE_COLS);
	memcpy(t, row, sizeof t);
	for (int i = 0; i < SAMPLE_MORE; i++)
		if (args[4 + i].parts) {
			t[3 + views] = row[6 + i];
			v[views++] = &args[4 + i].part[0];
		}
	walk_init(&w, v[0]->n, views, v, false);
	walk_run(ctx, &w, sample_block, t);
	return K_OK;
}
