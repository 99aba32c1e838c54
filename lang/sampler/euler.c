/* euler.c - Euler's method in sigma (Karras et al. 2022, algorithm 2 without
 * churn), and its ancestral form, which goes further down and adds noise. */
#include "lang/sampler/family.h"

#include <math.h>

/* From sigma to next: x' = x + (x - x0) / sigma (next - sigma), for a latent
 * x = x0 + sigma noise whose model sees x / sqrt(sigma^2 + 1). */
static void
euler_row(Prediction prediction, double sigma, double next, SamplerRow *row)
{
	double r = next / sigma, v = sigma * sigma + 1;

	row->scale = 1 / sqrt(v);
	row->p0 = 1;
	row->p1 = -sigma;
	row->next[COL_Z] = 1 - r;
	row->next[COL_X] = r;
	switch (prediction) {
	case EPSILON:           /* (x - x0) / sigma is e itself */
		row->next[COL_Z] = 0;
		row->next[COL_X] = 1;
		row->next[COL_E] = next - sigma;
		break;
	case V_PREDICTION:
		row->p0 = 1 / v;
		row->p1 = -sigma / sqrt(v);
		break;
	case SAMPLE:
		row->p0 = 0;
		row->p1 = 1;
		break;
	}
}

/* Rows, times and sigmas of the plain spacings. */
static void
begin(Settings *s, Arena *a, Sampler *m, double *t)
{
	int64_t n = s->steps;
	rows_new(m, a, n);
	m->sigmas = arena_array(a, (size_t)n + 1, sizeof *m->sigmas);
	bound_last_sigma(s);
	make_times(s, t);
	for (int64_t i = 0; i < n; i++)
		m->sigmas[i] = sigma_at(s, t[i]);
}

static void
set_start(const Settings *s, Sampler *m)
{
	double top = m->sigmas[0];
	m->start = s->spacing == LEADING ? sqrt(top * top + 1) : top;
}

void
make_euler(Settings *s, Arena *a, Sampler *m)
{
	static const char *const types[] = {"discrete", "continuous", NULL};
	static const char *const finals[] = {"zero", "sigma_min", NULL};
	static const char *const linear[] = {"linear", NULL};
	common_settings(s, a, &usual_defaults);
	choice(s, "interpolation_type", 0, linear);
	Ramp kind = ramp_setting(s);
	bool continuous = choice(s, "timestep_type", 0, types) == 1;
	int final = choice(s, "final_sigmas_type", 0, finals);
	if (*s->err)
		return;
	int64_t n = s->steps;
	double *t = arena_array(a, (size_t)n, sizeof *t);
	begin(s, a, m, t);
	double *sigma = m->sigmas;
	if (kind != RAMP_NONE) {
		ramp_sigmas(s, kind, sigma[0], sigma[n - 1], sigma);
		for (int64_t i = 0; i < n; i++)
			t[i] = time_of_sigma(s, sigma[i]);
	}
	sigma[n] = final ? table_sigma(s, 0) : 0;
	set_start(s, m);
	for (int64_t i = 0; i < n; i++) {
		bool log_time = continuous && s->prediction == V_PREDICTION;
		m->row[i].t = log_time ? 0.25 * log(sigma[i]) : t[i];
		euler_row(s->prediction, sigma[i], sigma[i + 1], &m->row[i]);
	}
}

void
make_euler_ancestral(Settings *s, Arena *a, Sampler *m)
{
	common_settings(s, a, &usual_defaults);
	if (s->prediction == SAMPLE)
		refuse(s, "scheduler setting 'prediction_type': 'sample' is not "
			"supported by EulerAncestralDiscreteScheduler");
	if (*s->err)
		return;
	int64_t n = s->steps;
	double *t = arena_array(a, (size_t)n, sizeof *t);
	begin(s, a, m, t);
	set_start(s, m);
	m->noise = true;
	for (int64_t i = 0; i < n; i++) {
		double from = m->sigmas[i], to = m->sigmas[i + 1];
		double up = to * sqrt(from * from - to * to) / from;
		m->row[i].t = t[i];
		euler_row(s->prediction, from, to * to / from, &m->row[i]);
		m->row[i].next[COL_NOISE] = up;
	}
}
