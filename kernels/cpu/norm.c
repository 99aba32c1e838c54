/* norm.c - the three steps of a group norm.  norm_stats makes mean and sum of
 * squared deviations of each unit (one f, one h; all of w and of a group's
 * channels), norm_combine makes mean and 1 / deviation of many units in one
 * fixed order, norm_apply uses them.  So a norm can be cut along f and h and
 * has the bits of the whole.  Sums run in double, the mean first: a group whose
 * mean is far larger than its deviation keeps its digits.
 */
#include "kernels/cpu/loops.h"
#include "kernels/cpu/mathf.h"

#include "ir/base/base.h"

#include <math.h>
#include <string.h>

enum {
	SPAN = 512,             /* channels that are worked on side by side */
	APPLY_ELEMENTS = 16384, /* of a task of norm_apply */
};

/* ---- norm_stats ---- */

typedef struct Stats {
	int parts;
	int64_t first[3];       /* first channel of each part; their number */
	Walk units;             /* a row for each unit: result, part 0, part 1 */
	Walk in[2];             /* within a unit: rows of channels of a part */
	int64_t groups, per;    /* number of groups, channels in one */
	int64_t span;           /* groups of a task */
} Stats;

enum { SIDE = 4 };              /* rows that are added at once */

/* Adds SIDE rows of n channels, or their squared distances from the mean, to
 * the channels' sums. */
static void
add_rows(const float *const *x, int64_t n, const double *mean, double *sum)
{
	const float *x0 = x[0], *x1 = x[1], *x2 = x[2], *x3 = x[3];
	if (!mean) {
		for (int64_t i = 0; i < n; i++)
			sum[i] += ((double)x0[i] + (double)x1[i])
				+ ((double)x2[i] + (double)x3[i]);
		return;
	}
	for (int64_t i = 0; i < n; i++) {
		double m = mean[i];
		double d0 = (double)x0[i] - m, d1 = (double)x1[i] - m;
		double d2 = (double)x2[i] - m, d3 = (double)x3[i] - m;
		sum[i] += (d0 * d0 + d1 * d1) + (d2 * d2 + d3 * d3);
	}
}

static void
add_row(const float *x, int64_t n, const double *mean, double *sum)
{
	if (!mean) {
		for (int64_t i = 0; i < n; i++)
			sum[i] += (double)x[i];
		return;
	}
	for (int64_t i = 0; i < n; i++) {
		double d = (double)x[i] - mean[i];
		sum[i] += d * d;
	}
}

/* Channels [c, c + n) of a part, counted in the part, in the unit that lies
 * `at` bytes behind the first one: adds x (no mean given) or (x - mean)^2 to
 * the channels' sums, rows upwards. */
static void
sum_rows(const Walk *in, ptrdiff_t at, int64_t c, int64_t n,
	const double *mean, double *sum)
{
	float buf[SIDE][SPAN];
	const float *x[SIDE];
	Block b;
	DType t = in->dtype[0];
	int64_t rows = in->rows, r = 0;
	at += c * in->step[0] * dtype_bytes(t);
	walk_seek(in, &b, 0);
	for (; r + SIDE <= rows; r += SIDE) {
		for (int k = 0; k < SIDE; k++, walk_next(in, &b))
			x[k] = row_load(buf[k], t, b.p[0] + at, in->step[0], n);
		add_rows(x, n, mean, sum);
	}
	for (; r < rows; r++, walk_next(in, &b))
		add_row(row_load(buf[0], t, b.p[0] + at, in->step[0], n), n,
			mean, sum);
}

/* The same for channels [c, c + n) of the joined parts. */
static void
sum_channels(const Stats *s, const Block *unit, int64_t c, int64_t n,
	const double *mean, double *sum)
{
	memset(sum, 0, (size_t)n * sizeof *sum);
	for (int p = 0; p < s->parts; p++) {
		int64_t lo = max64(c, s->first[p]);
		int64_t hi = min64(c + n, s->first[p + 1]);
		ptrdiff_t at = unit->p[1 + p] - s->units.data[1 + p];
		if (lo < hi)
			sum_rows(&s->in[p], at, lo - s->first[p], hi - lo,
				mean ? mean + (lo - c) : NULL, sum + (lo - c));
	}
}

/* Group g of a unit alone, when it has more channels than SPAN. */
static double
sum_wide(const Stats *s, const Block *unit, int64_t g, const double *mean)
{
	double sum[SPAN], each[SPAN], total = 0;
	int64_t end = (g + 1) * s->per;
	for (int64_t i = 0; mean && i < SPAN; i++)
		each[i] = *mean;
	for (int64_t c = g * s->per; c < end; c += SPAN) {
		int64_t n = min64(SPAN, end - c);
		sum_channels(s, unit, c, n, mean ? each : NULL, sum);
		for (int64_t i = 0; i < n; i++)
			total += sum[i];
	}
	return total;
}

/* Groups [g, g + n) of a unit, whose channels fit into SPAN: a total for each,
 * of x (no mean given) or of (x - mean)^2. */
static void
sum_groups(const Stats *s, const Block *unit, int64_t g, int64_t n,
	const double *mean, double *total)
{
	double sum[SPAN], each[SPAN];
	for (int64_t k = 0; mean && k < n; k++)
		for (int64_t i = 0; i < s->per; i++)
			each[k * s->per + i] = mean[k];
	sum_channels(s, unit, g * s->per, n * s->per, mean ? each : NULL, sum);
	for (int64_t k = 0; k < n; k++) {
		total[k] = 0;
		for (int64_t i = 0; i < s->per; i++)
			total[k] += sum[k * s->per + i];
	}
}

/* Mean, then squares, of groups [g, g + n) of a unit. */
static void
stats_groups(const Stats *s, const Block *unit, int64_t g, int64_t n)
{
	double mean[SPAN], m2[SPAN];
	double count = (double)(s->in[0].rows * s->per);
	DType t = s->units.dtype[0];
	bool wide = s->per > SPAN;      /* then n is 1 */
	if (wide)
		mean[0] = sum_wide(s, unit, g, NULL);
	else
		sum_groups(s, unit, g, n, NULL, mean);
	for (int64_t k = 0; k < n; k++)
		mean[k] /= count;
	if (wide)
		m2[0] = sum_wide(s, unit, g, mean);
	else
		sum_groups(s, unit, g, n, mean, m2);
	for (int64_t k = 0; k < n; k++) {
		float v[2] = {(float)mean[k], (float)m2[k]};
		char *y = unit->p[0] + (g + k) * dtype_bytes(t);
		row_store(t, y, 1, &v[0], 1);
		row_store(t, y + s->groups * dtype_bytes(t), 1, &v[1], 1);
	}
}

static int64_t
stats_spans(const Stats *s)
{
	return (s->groups + s->span - 1) / s->span;
}

static void
stats_task(const void *arg, int64_t i)
{
	const Stats *s = arg;
	int64_t spans = stats_spans(s), g = i % spans * s->span;
	Block b;
	walk_seek(&s->units, &b, i / spans);
	stats_groups(s, &b, g, min64(s->span, s->groups - g));
}

/* x [.., c] -> [.., c = 2 groups]: means, then sums of squared deviations. */
KStatus
cpu_norm_stats(const Ctx *ctx, const Operand *args, const Attr *attr)
{
	const View *y = &args[0].part[0], *x = args[1].part;
	const View *unit[3] = {y, x, &x[args[1].parts - 1]};
	AxisSet inner = (AxisSet)(attr->over
		& ~(AXIS_BIT(AXIS_F) | AXIS_BIT(AXIS_H)));
	int64_t box[AXIS_MAX], kept[AXIS_MAX];
	Stats s = {.parts = args[1].parts, .groups = attr->groups};
	if (ctx->prepare)
		return K_OK;
	for (int a = 0; a < AXIS_MAX; a++) {
		bool in = inner >> a & 1;
		box[a] = in ? max64(x[0].n[a], x[s.parts - 1].n[a]) : 1;
		kept[a] = a == AXIS_C || in ? 1 : y->n[a];
	}
	walk_init(&s.units, kept, 3, unit, true);
	for (int p = 0; p < s.parts; p++) {
		const View *v = &x[p];
		box[AXIS_C] = v->n[AXIS_C];
		walk_init(&s.in[p], box, 1, &v, true);
		s.first[p + 1] = s.first[p] + v->n[AXIS_C];
	}
	s.per = s.first[s.parts] / s.groups;
	s.span = max64(1, SPAN / s.per);
	int64_t tasks = s.units.rows * stats_spans(&s);
	int threads = walk_threads(ctx, s.units.rows * s.in[0].rows
		* s.first[s.parts]);
	tasks_run(ctx, threads, tasks, stats_task, &s);
	return K_OK;
}

/* ---- norm_combine ---- */

typedef struct Combine {
	Walk out;               /* a row for each result: result, first unit */
	Walk units;             /* rows of statistics, one for each unit */
	int64_t groups;
	double rows, eps;
} Combine;

enum { COMBINE_SPAN = 8 };      /* groups of a task */

/* One group of one result.  With units of equal size the mean is the mean of
 * means, and the squares are those within plus those of the means. */
static void
combine_groups(const Combine *k, const Block *out, int64_t g, int64_t n)
{
	double sum[COMBINE_SPAN] = {0}, m2[COMBINE_SPAN] = {0};
	float buf[COMBINE_SPAN], buf2[COMBINE_SPAN];
	DType t = k->units.dtype[0], to = k->out.dtype[0];
	int64_t units = k->units.rows, size = dtype_bytes(t);
	ptrdiff_t at = out->p[1] - k->out.data[1] + g * size;
	Block b;
	walk_seek(&k->units, &b, 0);
	for (int64_t r = 0; r < units; r++, walk_next(&k->units, &b)) {
		const float *x = row_load(buf, t, b.p[0] + at, 1, n);
		for (int64_t i = 0; i < n; i++)
			sum[i] += (double)x[i];
	}
	for (int64_t i = 0; i < n; i++)
		sum[i] /= (double)units;
	for (int64_t r = 0; r < units; r++, walk_next(&k->units, &b)) {
		const char *p = b.p[0] + at;
		const float *x = row_load(buf, t, p, 1, n);
		const float *q = row_load(buf2, t, p + k->groups * size, 1, n);
		for (int64_t i = 0; i < n; i++) {
			double d = (double)x[i] - sum[i];
			m2[i] += (double)q[i] + k->rows * (d * d);
		}
	}
	float mean[COMBINE_SPAN], rstd[COMBINE_SPAN];
	for (int64_t i = 0; i < n; i++) {
		double var = m2[i] / (k->rows * (double)units);
		mean[i] = (float)sum[i];
		rstd[i] = (float)(1 / sqrt(var + k->eps));
	}
	char *y = out->p[0] + g * dtype_bytes(to);
	row_store(to, y, 1, mean, n);
	row_store(to, y + k->groups * dtype_bytes(to), 1, rstd, n);
}

static int64_t
combine_spans(const Combine *k)
{
	return (k->groups + COMBINE_SPAN - 1) / COMBINE_SPAN;
}

static void
combine_task(const void *arg, int64_t i)
{
	const Combine *k = arg;
	int64_t spans = combine_spans(k), g = i % spans * COMBINE_SPAN;
	Block b;
	walk_seek(&k->out, &b, i / spans);
	combine_groups(k, &b, g, min64(COMBINE_SPAN, k->groups - g));
}

/* x [.., over, c = 2 groups] -> [.., c = 2 groups] */
KStatus
cpu_norm_combine(const Ctx *ctx, const Operand *args, const Attr *attr)
{
	const View *v[2] = {&args[0].part[0], &args[1].part[0]};
	Combine k = {.groups = attr->groups, .rows = (double)attr->rows,
		.eps = attr->eps};
	int64_t box[AXIS_MAX], kept[AXIS_MAX];
	if (ctx->prepare)
		return K_OK;
	for (int a = 0; a < AXIS_MAX; a++) {
		bool over = attr->over >> a & 1;
		box[a] = over ? v[1]->n[a] : 1;
		kept[a] = over || a == AXIS_C ? 1 : v[0]->n[a];
	}
	walk_init(&k.out, kept, 2, v, true);
	walk_init(&k.units, box, 1, v + 1, true);
	int64_t tasks = k.out.rows * combine_spans(&k);
	int threads = walk_threads(ctx, k.out.rows * k.units.rows * k.groups);
	tasks_run(ctx, threads, tasks, combine_task, &k);
	return K_OK;
}

/* ---- norm_apply ---- */

typedef struct Apply {
	Walk out;               /* a row for each row of statistics: result,
	                           part, statistics */
	Walk in;                /* rows of channels that share it: result, part */
	const View *gamma, *beta;
	int64_t first;          /* channel of the result where the part begins */
	int64_t per, groups;
	int64_t chunk;          /* rows of a task */
	Act act;
} Apply;

/* What the channels [c, c + n) of the part need. */
typedef struct Channels {
	float mean[SPAN], scale[SPAN], beta[SPAN];
} Channels;

static void
apply_channels(const Apply *f, const Block *out, int64_t c, int64_t n,
	Channels *ch)
{
	float gbuf[SPAN], bbuf[SPAN], one[2];
	DType t = f->out.dtype[2];
	int64_t size = dtype_bytes(t), first = f->first + c;
	const float *gamma = row_load(gbuf, f->gamma->dtype, f->gamma->data
		+ first * dtype_bytes(f->gamma->dtype), 1, n);
	const float *beta = row_load(bbuf, f->beta->dtype, f->beta->data
		+ first * dtype_bytes(f->beta->dtype), 1, n);
	memcpy(ch->beta, beta, (size_t)n * sizeof *beta);
	for (int64_t i = 0; i < n;) {
		/* the channels of one group */
		int64_t g = (first + i) / f->per;
		int64_t end = min64(n, (g + 1) * f->per - first);
		const char *p = out->p[2] + g * size;
		float mean = *row_load(one, t, p, 1, 1);
		float rstd = *row_load(one + 1, t, p + f->groups * size, 1, 1);
		for (; i < end; i++) {
			ch->mean[i] = mean;
			ch->scale[i] = gamma[i] * rstd;
		}
	}
}

/* Rows [r0, r1) of channels [c, c + n). */
static void
apply_rows(const Apply *f, const Block *out, int64_t c, int64_t n, int64_t r0,
	int64_t r1)
{
	const Walk *in = &f->in;
	float xbuf[SPAN], ybuf[SPAN];
	Channels ch;
	Block b;
	ptrdiff_t aty = out->p[0] - f->out.data[0]
		+ c * in->step[0] * dtype_bytes(in->dtype[0]);
	ptrdiff_t atx = out->p[1] - f->out.data[1]
		+ c * in->step[1] * dtype_bytes(in->dtype[1]);
	apply_channels(f, out, c, n, &ch);
	walk_seek(in, &b, r0);
	for (int64_t r = r0; r < r1; r++, walk_next(in, &b)) {
		float *y = row_out(ybuf, in->dtype[0], b.p[0] + aty,
			in->step[0]);
		const float *x = row_load(xbuf, in->dtype[1], b.p[1] + atx,
			in->step[1], n);
		/* y may be x, never only overlap it */
		#pragma GCC ivdep
		for (int64_t i = 0; i < n; i++)
			y[i] = kernel_fma(x[i] - ch.mean[i], ch.scale[i],
				ch.beta[i]);
		mathf_act(f->act, y, n);
		row_store(in->dtype[0], b.p[0] + aty, in->step[0], y, n);
	}
}

static int64_t
apply_spans(const Apply *f)
{
	return (f->in.row + SPAN - 1) / SPAN;
}

static int64_t
apply_chunks(const Apply *f)
{
	return (f->in.rows + f->chunk - 1) / f->chunk;
}

static void
apply_task(const void *arg, int64_t i)
{
	const Apply *f = arg;
	int64_t spans = apply_spans(f), chunks = apply_chunks(f);
	int64_t c = i % spans * SPAN, r = i / spans % chunks * f->chunk;
	Block b;
	walk_seek(&f->out, &b, i / spans / chunks);
	apply_rows(f, &b, c, min64(SPAN, f->in.row - c), r,
		min64(r + f->chunk, f->in.rows));
}

/* One part: tasks are (row of statistics, chunk of rows, span of channels). */
static void
apply_part(const Ctx *ctx, const Apply *f)
{
	int threads = walk_threads(ctx, f->out.rows * f->in.rows * f->in.row);
	tasks_run(ctx, threads, f->out.rows * apply_chunks(f) * apply_spans(f),
		apply_task, f);
}

/* x [.., c], stats [some of .., c = 2 groups] -> [.., c] */
KStatus
cpu_norm_apply(const Ctx *ctx, const Operand *args, const Attr *attr)
{
	const View *stats = &args[2].part[0];
	Apply f = {.gamma = &args[3].part[0], .beta = &args[4].part[0],
		.groups = attr->groups, .act = (Act)attr->act,
		.per = args[0].part[0].n[AXIS_C] / attr->groups};
	if (ctx->prepare)
		return K_OK;
	for (int p = 0; p < args[1].parts; p++) {
		const View *x = &args[1].part[p];
		View y = view_part(&args[0].part[0], AXIS_C, f.first,
			x->n[AXIS_C]);
		const View *v[3] = {&y, x, stats};
		int64_t box[AXIS_MAX], kept[AXIS_MAX];
		for (int a = 0; a < AXIS_MAX; a++) {
			bool has = stats->axes >> a & 1 && a != AXIS_C;
			box[a] = has ? 1 : y.n[a];
			kept[a] = has ? y.n[a] : 1;
		}
		walk_init(&f.out, kept, 3, v, true);
		walk_init(&f.in, box, 2, v, true);
		f.chunk = max64(1, APPLY_ELEMENTS / min64(SPAN, f.in.row));
		apply_part(ctx, &f);
		f.first += x->n[AXIS_C];
	}
	return K_OK;
}
