/* layer_norm.c - normalises over c.  Mean, then squared deviations, both in
 * double, in sixteen partial sums whose places depend on c alone.
 */
#include "kernels/cpu/loops.h"
#include "kernels/cpu/vector.h"

#include "ir/base/base.h"

#include <math.h>

enum { LANES = 16 };

static double
lanes_total(const double *lane)
{
	double s[4] = {0};
	for (int i = 0; i < LANES; i++)
		s[i % 4] += lane[i];
	return (s[0] + s[1]) + (s[2] + s[3]);
}

/* Adds the sum of (x - mean)^2, or of x when `first`, by lanes. */
static void
lanes_add(double *lane, const float *x, int64_t n, bool first, double mean)
{
	int64_t i = 0;
	if (first) {
		for (; i + LANES <= n; i += LANES)
			for (int j = 0; j < LANES; j++)
				lane[j] += (double)x[i + j];
		for (int j = 0; i + j < n; j++)
			lane[j] += (double)x[i + j];
		return;
	}
	for (; i + LANES <= n; i += LANES)
		for (int j = 0; j < LANES; j++) {
			double d = (double)x[i + j] - mean;
			lane[j] += d * d;
		}
	for (int j = 0; i + j < n; j++) {
		double d = (double)x[i + j] - mean;
		lane[j] += d * d;
	}
}

/* gamma and beta as f32, at most ROW_MAX channels of them. */
typedef struct Affine {
	const View *gamma, *beta;
	float gbuf[ROW_MAX], bbuf[ROW_MAX];
	const float *g, *b;
} Affine;

static void
affine_load(Affine *f, int64_t c, int64_t n)
{
	DType tg = f->gamma->dtype, tb = f->beta->dtype;
	f->g = row_load(f->gbuf, tg, f->gamma->data + c * dtype_bytes(tg), 1,
		n);
	f->b = row_load(f->bbuf, tb, f->beta->data + c * dtype_bytes(tb), 1, n);
}

/* One row; it passes through the buffers in pieces of ROW_MAX channels (a
 * multiple of LANES).  A row of one piece is loaded once, and its affine is
 * loaded already.  views: result, x */
static void
norm_row(const Walk *w, const Block *b, double eps, Affine *f)
{
	float xbuf[ROW_MAX], ybuf[ROW_MAX];
	DType tx = w->dtype[1], ty = w->dtype[0];
	int64_t n = w->row, sx = w->step[1] * dtype_bytes(tx);
	const float *x = NULL;
	double stat[2] = {0};           /* mean, mean square */
	for (int pass = 0; pass < 2; pass++) {
		double lane[LANES] = {0};
		for (int64_t c = 0; c < n; c += ROW_MAX) {
			int64_t m = min64(ROW_MAX, n - c);
			if (!x || n > ROW_MAX)
				x = row_load(xbuf, tx, b->p[1] + c * sx,
					w->step[1], m);
			lanes_add(lane, x, m, pass == 0, stat[0]);
		}
		stat[pass] = lanes_total(lane) / (double)n;
	}
	float mean = (float)stat[0], rstd = (float)(1 / sqrt(stat[1] + eps));
	for (int64_t c = 0; c < n; c += ROW_MAX) {
		int64_t m = min64(ROW_MAX, n - c);
		char *py = b->p[0] + c * w->step[0] * dtype_bytes(ty);
		float *y = row_out(ybuf, ty, py, w->step[0]);
		if (n > ROW_MAX) {
			x = row_load(xbuf, tx, b->p[1] + c * sx, w->step[1], m);
			affine_load(f, c, m);
		}
		const float *g = f->g, *t = f->b;
		/* y may be x, never only overlap it */
		#pragma GCC ivdep
		for (int64_t i = 0; i < m; i++)
			y[i] = kernel_fma((x[i] - mean) * rstd, g[i], t[i]);
		row_store(ty, py, w->step[0], y, m);
	}
}

typedef struct Rows {
	const Walk *w;
	const View *gamma, *beta;
	double eps;
} Rows;

static void
norm_rows(const void *arg, Share *s)
{
	const Rows *rows = arg;
	const Walk *w = rows->w;
	Affine f = {.gamma = rows->gamma, .beta = rows->beta};
	Block b;
	affine_load(&f, 0, min64(ROW_MAX, w->row));
	while (share_next(s)) {
		walk_seek(w, &b, s->first);
		for (int64_t r = s->first; r < s->end; r++, walk_next(w, &b))
			norm_row(w, &b, rows->eps, &f);
	}
}

/* x [.., c] -> the same */
KStatus
cpu_layer_norm(const Ctx *ctx, const Operand *args, const Attr *attr)
{
	const View *v[2] = {&args[0].part[0], &args[1].part[0]};
	Walk w;
	if (ctx->prepare)
		return K_OK;
	walk_init(&w, v[0]->n, 2, v, true);
	threads_run(ctx->team, walk_threads(ctx, w.rows * w.row), w.rows,
		walk_grain(w.row), norm_rows, &(Rows){&w, &args[2].part[0], &args[3].part[0], attr->eps});
	return K_OK;
}
