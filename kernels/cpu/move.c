/* move.c - ops that make or move elements: copy, fill, resize, index, sinusoid,
 * embed.  What depends on a position depends on the absolute one (lo), so a
 * slice has the elements of the whole.
 */
#include "kernels/cpu/loops.h"
#include "kernels/sinusoid.h"

#include "ir/base/base.h"

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

typedef struct Resize {
	const View *y, *x;
	AxisSet over;
	int axes, axis[AXIS_MAX];       /* that the rows run over, fastest first */
	int64_t rows;
	Walk row;                       /* types and steps of one row */
} Resize;

/* Index within the view x that the result's index i of `axis` reads. */
static int64_t
nearest(const Resize *z, int axis, int64_t i)
{
	if (!(z->over >> axis & 1))
		return i;
	int64_t at = (z->y->lo[axis] + i) * z->x->full[axis]
		/ z->y->full[axis];
	return at - z->x->lo[axis];
}

static void
resize_row(const Resize *z, const int64_t *pos)
{
	int64_t to = 0, from = 0;
	Block b = {0};
	for (int d = 0; d < z->axes; d++) {
		int a = z->axis[d];
		to += z->y->stride[a] * pos[d];
		from += z->x->stride[a] * nearest(z, a, pos[d]);
	}
	b.p[0] = z->y->data + to * dtype_bytes(z->y->dtype);
	b.p[1] = z->x->data + from * dtype_bytes(z->x->dtype);
	for (int64_t c = 0; c < z->row.row; c += b.n) {
		b.n = min64(ROW_MAX, z->row.row - c);
		copy_block(&z->row, &b, NULL);
		for (int v = 0; v < 2; v++)
			b.p[v] += b.n * z->row.step[v]
				* dtype_bytes(z->row.dtype[v]);
	}
}

/* Rows [from, to) of the result. */
static void
resize_stretch(const Resize *z, int64_t from, int64_t to)
{
	int64_t pos[AXIS_MAX];
	for (int64_t d = 0, r = from; d < z->axes; d++) {
		pos[d] = r % z->y->n[z->axis[d]];
		r /= z->y->n[z->axis[d]];
	}
	for (int64_t r = from; r < to; r++) {
		resize_row(z, pos);
		for (int d = 0; d < z->axes; d++) {
			if (++pos[d] < z->y->n[z->axis[d]])
				break;
			pos[d] = 0;
		}
	}
}

static void
resize_rows(const void *arg, Share *s)
{
	while (share_next(s))
		resize_stretch(arg, s->first, s->end);
}

KStatus
cpu_resize(const Ctx *ctx, const Operand *args, const Attr *attr)
{
	const View *v[2] = {&args[0].part[0], &args[1].part[0]};
	Resize z = {.y = v[0], .x = v[1], .over = attr->over, .rows = 1};
	int64_t box[AXIS_MAX];
	if (ctx->prepare)
		return K_OK;
	for (int a = AXIS_MAX - 1; a >= 0; a--) {
		box[a] = 1;
		if (a == AXIS_C && !(z.over >> a & 1)) {
			box[a] = v[0]->n[a];
		} else if (v[0]->n[a] != 1 || z.over >> a & 1) {
			z.axis[z.axes++] = a;
			z.rows *= v[0]->n[a];
		}
	}
	walk_init(&z.row, box, 2, v, true);
	int threads = walk_threads(ctx, z.rows * z.row.row);
	threads_run(ctx->team, threads, z.rows, walk_grain(z.row.row),
		resize_rows, &z);
	return K_OK;
}

/* ---- sinusoid ---- */

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
		row[i] = sinusoid_at(s->attr->sin_first,
			s->attr->interleave, x, s->y->lo[AXIS_C] + b->first + i,
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
