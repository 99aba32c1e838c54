/* pndm.c - pseudo linear multistep (Liu et al. 2022, eqs. 9 and 12) as Stable
 * Diffusion uses it: its first step runs twice, the second time to correct
 * itself, and later ones extrapolate from up to four outputs. */
#include "lang/sampler/family.h"

#include <math.h>

/* From time t to prev: x' = a x + b e. */
typedef struct Transfer {
	double a, b;
} Transfer;

static Transfer
transfer(const Settings *s, int64_t t, int64_t prev, bool to_one)
{
	double at = (double)s->abar[t];
	double ap = prev >= 0 ? (double)s->abar[prev]
		: to_one ? 1 : (double)s->abar[0];
	double c = -(ap - at) / (at * sqrt(1 - ap) + sqrt(at * (1 - at) * ap));
	Transfer r = {sqrt(ap / at), c};
	if (s->prediction == V_PREDICTION) {    /* noise = ra e + rb x */
		r.a += c * sqrt(1 - at);
		r.b = c * sqrt(at);
	}
	return r;
}

/* The second run of the first step, from the latent that the first run left:
 * x0 = (x - b0 e0) / a0, x' = a x0 + b (e + e0) / 2.  It keeps e0. */
static void
again(Transfer first, Transfer r, SamplerRow *row)
{
	row->next[COL_X] = r.a / first.a;
	row->next[COL_E] = r.b / 2;
	row->next[COL_H] = r.b / 2 - r.a * first.b / first.a;
	row->keep[COL_H] = 1;
}

/* Adams-Bashforth over the outputs so far: this one, h1, h2, h3. */
static void
multistep(Transfer r, int known, SamplerRow *row)
{
	static const double weights[4][4] = {
		{1},
		{3.0 / 2, -1.0 / 2},
		{23.0 / 12, -16.0 / 12, 5.0 / 12},
		{55.0 / 24, -59.0 / 24, 37.0 / 24, -9.0 / 24},
	};
	const double *w = weights[known - 1];
	row->next[COL_X] = r.a;
	row->next[COL_E] = r.b * w[0];
	for (int k = 1; k < known; k++)
		row->next[COL_H + k - 1] = r.b * w[k];
	row->keep[COL_E] = 1;
}

/* Times with the last but one twice: the first step ends there, and starts
 * again. */
static int64_t
pndm_times(const Settings *s, double *t)
{
	int64_t n = s->steps;
	make_times(s, t);
	for (int64_t i = 0; i < n; i++)
		t[i] = rint(t[i]);
	if (n < 2)
		return n;
	for (int64_t i = n; i > 1; i--)
		t[i] = t[i - 1];
	return n + 1;
}

void
make_pndm(Settings *s, Arena *a, Sampler *m)
{
	const Defaults d = {LEADING, "linear", 0.0001, 0.02};
	common_settings(s, a, &d);
	bool to_one = boolean(s, "set_alpha_to_one", false);
	if (!boolean(s, "skip_prk_steps", false))
		refuse(s, "PNDMScheduler with Runge-Kutta steps is not supported: "
			"set 'skip_prk_steps' to true, as Stable Diffusion does");
	if (s->prediction == SAMPLE)
		refuse(s, "scheduler setting 'prediction_type': 'sample' is not "
			"supported by PNDMScheduler");
	if (*s->err)
		return;
	double *t = arena_array(a, (size_t)s->steps + 1, sizeof *t);
	int64_t n = pndm_times(s, t), stride = s->train / s->steps;
	double from = n > 1 ? t[1] + (double)stride : 0;
	if (!times_in_range(s, t, n) || !times_in_range(s, &from, 1))
		return;
	rows_new(m, a, n);
	m->history = n <= 1 ? 0 : n <= 3 ? 1 : n == 4 ? 2 : 3;
	Transfer first = transfer(s, (int64_t)t[0], (int64_t)t[0] - stride,
		to_one);
	for (int64_t i = 0; i < n; i++) {
		int64_t at = (int64_t)t[i];
		m->row[i].t = t[i];
		if (i == 1)
			again(first, transfer(s, at + stride, at, to_one),
				&m->row[i]);
		else
			multistep(i ? transfer(s, at, at - stride, to_one) : first,
				i == 0 ? 1 : i < 4 ? (int)i : 4, &m->row[i]);
	}
}
