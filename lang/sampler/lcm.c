/* lcm.c - multistep sampling of consistency models (Luo et al. 2023,
 * algorithm 3): to the clean latent in one jump, and noise again. */
#include "lang/sampler/family.h"

#include <math.h>

/* The training steps of the distillation, every `original`-th part of all, and
 * of these as many as are asked for. */
static bool
lcm_times(Settings *s, double *t)
{
	int64_t n = s->steps;
	int64_t original = integer(s, "original_inference_steps", 50, 1, s->train);
	if (*s->err)
		return false;
	if (n > original) {
		refuse(s, "%lld steps: this scheduler takes 1 .. "
			"'original_inference_steps' %lld", (long long)n,
			(long long)original);
		return false;
	}
	double step = (double)original / (double)n;
	for (int64_t i = 0; i < n; i++) {
		int64_t k = original - (int64_t)floor((double)i * step);
		t[i] = (double)(k * (s->train / original) - 1);
	}
	return times_in_range(s, t, n);
}

void
make_lcm(Settings *s, Arena *a, Sampler *m)
{
	const Defaults d = {LEADING, "scaled_linear", 0.00085, 0.012};
	const double data = 0.5;        /* deviation of clean data */
	common_settings(s, a, &d);
	double clip = clip_setting(s, false);
	double scaling = number(s, "timestep_scaling", 10);
	if (*s->err)
		return;
	int64_t n = s->steps;
	double *t = arena_array(a, (size_t)n, sizeof *t);
	if (!lcm_times(s, t))
		return;
	rows_new(m, a, n);
	m->noise = n > 1;
	for (int64_t i = 0; i < n; i++) {
		SamplerRow *row = &m->row[i];
		double level = (double)s->abar[(int64_t)t[i]];
		double u = t[i] * scaling, v = u * u + data * data;
		double ap = i + 1 < n ? (double)s->abar[(int64_t)t[i + 1]] : 1;
		row->t = t[i];
		row->clip = clip;
		predict_x0(s->prediction, sqrt(level), sqrt(1 - level), row);
		row->next[COL_Z] = sqrt(ap) * u / sqrt(v);
		row->next[COL_X] = sqrt(ap) * data * data / v;
		row->next[COL_NOISE] = sqrt(1 - ap);
	}
}
