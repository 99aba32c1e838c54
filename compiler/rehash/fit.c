/* fit.c - weights of a segment between two keys, and its error. */
#include "compiler/rehash/fit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define RIDGE 1e-4      /* of the trace */
#define TAIL 0.3        /* weight of the 80th percentile in the cost */

double
latent_scale(const Sampler *m, int64_t i)
{
	return i < m->rows ? m->row[i].scale : 1;
}

/* X[k+1] = a X[k] + b V[k], latents scaled. */
static void
make_steps(const Sampler *m, double *a, double *b)
{
	for (int64_t i = 0; i < m->rows; i++) {
		const SamplerRow *r = &m->row[i];
		double next = latent_scale(m, i + 1);
		a[i] = (r->next[COL_Z] * r->p0 + r->next[COL_X]) * next
			/ latent_scale(m, i);
		b[i] = (r->next[COL_Z] * r->p1 + r->next[COL_E]) * next;
	}
}

void
runs_make(Arena *arena, const Calibration *c, int64_t first, int64_t stride,
	Runs *out)
{
	int64_t steps = c->sampler->rows, side = 2 * steps + 1;
	size_t all = (size_t)(side * side);
	double *a = arena_array(arena, (size_t)steps, sizeof *a);
	double *b = arena_array(arena, (size_t)steps, sizeof *b);
	*out = (Runs){.steps = steps, .side = side, .a = a, .b = b};
	make_steps(c->reference, a, b);
	out->n = (c->n - first + stride - 1) / stride;
	out->gram = arena_array(arena, (size_t)out->n * all, sizeof(double));
	out->sum = arena_array(arena, all, sizeof(double));
	out->scratch = arena_array(arena, (size_t)out->n, sizeof(double));
	double *scale = arena_array(arena, (size_t)side, sizeof *scale);
	for (int64_t i = 0; i < side; i++)
		scale[i] = i <= steps ? latent_scale(c->sampler, i) : 1;
	for (int64_t i = 0; i < out->n; i++) {
		const double *from = c->gram + (first + i * stride) * side * side;
		double *to = out->gram + i * side * side;
		for (int64_t j = 0; j < side * side; j++) {
			to[j] = from[j] * scale[j / side] * scale[j % side];
			out->sum[j] += to[j];
		}
	}
}

/* The sampler's steps q .. k-1 with the output frozen, or on a line. */
static void
prior(const Runs *r, int64_t p, int64_t q, int64_t k, double *w)
{
	w[0] = 1;
	w[1] = w[2] = 0;
	for (int64_t j = q; j < k; j++) {
		double ahead = p < 0 ? 0 : (double)(j - q) / (double)(q - p);
		w[0] *= r->a[j];
		w[1] = w[1] * r->a[j] + r->b[j] * (1 + ahead);
		w[2] = w[2] * r->a[j] - r->b[j] * ahead;
	}
}

/* Solves the n equations m x = x, m symmetric and positive, by elimination; false
 * when it is not positive. */
static bool
solve(int n, double m[3][3], double *x)
{
	for (int i = 0; i < n; i++) {
		if (!(m[i][i] > 0))
			return false;
		for (int j = i + 1; j < n; j++) {
			double f = m[j][i] / m[i][i];
			for (int c = i; c < n; c++)
				m[j][c] -= f * m[i][c];
			x[j] -= f * x[i];
		}
	}
	for (int i = n; i--;) {
		for (int c = i + 1; c < n; c++)
			x[i] -= m[i][c] * x[c];
		x[i] /= m[i][i];
	}
	return true;
}

/* Where X[q], V[q], V[p] stand; returns how many there are. */
static int
anchors(const Runs *r, int64_t p, int64_t q, int64_t *at)
{
	at[0] = q;
	at[1] = r->steps + 1 + q;
	at[2] = r->steps + 1 + p;
	return p < 0 ? 2 : 3;
}

bool
segment_fit(const Runs *r, int64_t p, int64_t q, int64_t k, Segment *s)
{
	int64_t at[3];
	int n = anchors(r, p, q, at);
	double m[3][3], x[3], trace = 0;
	prior(r, p, q, k, s->w);
	for (int i = 0; i < n; i++) {
		x[i] = r->sum[at[i] * r->side + k];
		for (int j = 0; j < n; j++) {
			m[i][j] = r->sum[at[i] * r->side + at[j]];
			x[i] -= m[i][j] * s->w[j];
		}
		trace += m[i][i];
	}
	for (int i = 0; i < n; i++)
		m[i][i] += RIDGE * trace;
	if (!solve(n, m, x))
		return false;
	for (int i = 0; i < n; i++)
		s->w[i] += x[i];
	segment_judge(r, p, q, k, s);
	return isfinite(s->cost);
}

static int
compare(const void *x, const void *y)
{
	double a = *(const double *)x, b = *(const double *)y;
	return (a > b) - (a < b);
}

/* Of n sorted numbers, interpolated between neighbours. */
static double
quantile(const double *x, int64_t n, double at)
{
	double place = at * (double)(n - 1);
	int64_t i = min64((int64_t)place, n - 1), next = min64(i + 1, n - 1);
	return x[i] + (place - (double)i) * (x[next] - x[i]);
}

void
segment_judge(const Runs *r, int64_t p, int64_t q, int64_t k, Segment *s)
{
	int64_t at[4];
	int n = anchors(r, p, q, at);
	double u[4] = {s->w[0], s->w[1], s->w[2]};
	at[n] = k;
	u[n++] = -1;
	for (int64_t g = 0; g < r->n; g++) {
		const double *m = r->gram + g * r->side * r->side;
		double sum = 0;
		for (int i = 0; i < n; i++)
			for (int j = 0; j < n; j++)
				sum += u[i] * u[j] * m[at[i] * r->side + at[j]];
		r->scratch[g] = sum / m[k * r->side + k];
	}
	qsort(r->scratch, (size_t)r->n, sizeof *r->scratch, compare);
	s->median = quantile(r->scratch, r->n, 0.5);
	s->cost = s->median + TAIL * quantile(r->scratch, r->n, 0.8);
}
