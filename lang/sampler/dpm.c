/* dpm.c - DPM-Solver and DPM-Solver++, one to three outputs (Lu et al. 2022a,
 * 2022b), and their stochastic forms.  Multistep: m, m1, m2 are what this and
 * the last two calls of the model say about the clean latent (++) or the noise.
 *     x' = A x + B0 m + B1 D1 + B2 D2 + N noise
 * with D1, D2 the first and second differences of the m in lambda =
 * log(alpha / sigma). */
#include "lang/sampler/family.h"

#include <math.h>
#include <string.h>

typedef enum Algorithm { DPM_PP, SDE_DPM_PP, DPM, SDE_DPM } Algorithm;

/* The signal and noise of a latent, alpha^2 + sigma^2 = 1. */
typedef struct Level {
	double alpha, sigma, lambda;
} Level;

typedef struct Dpm {
	Algorithm algorithm;
	bool heun;              /* else the midpoint rule */
	bool lower_final, euler_final, zero_final;
	int order;
} Dpm;

static Level
level_of(double sigma)
{
	double alpha = 1 / sqrt(sigma * sigma + 1);
	return (Level){alpha, sigma * alpha, -log(sigma)};
}

/* Weights of D1 by the midpoint rule or with the exact integral, and of D2. */
typedef struct Weights {
	double a, b0, b1, b2, noise;
} Weights;

static Weights
weights_of(const Dpm *d, const Level *s, const Level *t, double h)
{
	Weights w = {0};
	double u;
	switch (d->algorithm) {
	case DPM_PP:
		u = expm1(-h);
		w.a = t->sigma / s->sigma;
		w.b0 = -t->alpha * u;
		w.b1 = t->alpha * (u / h + 1);
		w.b2 = -t->alpha * ((u + h) / (h * h) - 0.5);
		break;
	case SDE_DPM_PP:
		u = expm1(-2 * h);
		w.a = t->sigma / s->sigma * exp(-h);
		w.b0 = -t->alpha * u;
		w.b1 = t->alpha * (u / (2 * h) + 1);
		w.b2 = t->alpha * ((-u - 2 * h) / (4 * h * h) - 0.5);
		w.noise = t->sigma * sqrt(-u);
		break;
	case DPM:
	case SDE_DPM:
		u = expm1(h);
		w.a = t->alpha / s->alpha;
		w.b0 = -t->sigma * u;
		w.b1 = -t->sigma * (u / h - 1);
		w.b2 = -t->sigma * ((u - h) / (h * h) - 0.5);
		if (d->algorithm == DPM)
			break;
		w.b0 *= 2;
		w.b1 *= 2;
		w.noise = t->sigma * sqrt(expm1(2 * h));
		break;
	}
	return w;
}

/* z = m: the clean latent, or the noise. */
static void
convert_output(const Dpm *d, Prediction prediction, const Level *at,
	SamplerRow *row)
{
	if (d->algorithm == DPM_PP || d->algorithm == SDE_DPM_PP) {
		predict_x0(prediction, at->alpha, at->sigma, row);
		return;
	}
	switch (prediction) {
	case EPSILON:
		row->p1 = 1;
		break;
	case V_PREDICTION:
		row->p0 = at->sigma;
		row->p1 = at->alpha;
		break;
	case SAMPLE:
		row->p0 = 1 / at->sigma;
		row->p1 = -at->alpha / at->sigma;
		break;
	}
}

/* Adds w times a difference {m, m1, m2} to the row. */
static void
add_difference(SamplerRow *row, double w, const double *difference)
{
	row->next[COL_Z] += w * difference[0];
	row->next[COL_H] += w * difference[1];
	row->next[COL_H + 1] += w * difference[2];
}

/* From sigma[0] to sigma[1] with `order` outputs, those of sigma[0], [-1],
 * [-2]. */
static void
dpm_row(const Dpm *d, const double *sigma, int order, SamplerRow *row)
{
	Level s = level_of(sigma[0]), t = level_of(sigma[1]);
	double h = t.lambda - s.lambda;
	Weights w = weights_of(d, &s, &t, h);
	row->next[COL_X] = w.a;
	row->next[COL_Z] = w.b0;
	if (w.noise > 0)
		row->next[COL_NOISE] = w.noise;
	if (order < 2)
		return;
	double r0 = (s.lambda - level_of(sigma[-1]).lambda) / h;
	double d10[3] = {1 / r0, -1 / r0, 0};
	if (order == 2) {
		add_difference(row, d->heun ? w.b1 : w.b0 / 2, d10);
		return;
	}
	double r1 = (level_of(sigma[-1]).lambda - level_of(sigma[-2]).lambda) / h;
	double d11[3] = {0, 1 / r1, -1 / r1}, d1[3], d2[3];
	for (int k = 0; k < 3; k++) {
		d2[k] = (d10[k] - d11[k]) / (r0 + r1);
		d1[k] = d10[k] + r0 * d2[k];
	}
	add_difference(row, w.b1, d1);
	add_difference(row, w.b2, d2);
}

/* How many outputs step i of n uses: fewer at the start, and at the end, where
 * short schedules are coarse. */
static int
order_at(const Dpm *d, int64_t i, int64_t n)
{
	bool coarse = d->lower_final && n < 15;
	int most = d->order < i + 1 ? d->order : (int)i + 1;
	if (i == n - 1 && (d->euler_final || coarse || d->zero_final))
		return 1;
	if (i == n - 2 && coarse && most > 2)
		return 2;
	return most;
}

static void
dpm_settings(Settings *s, Dpm *d)
{
	static const char *const algorithms[] = {
		"dpmsolver++", "sde-dpmsolver++", "dpmsolver", "sde-dpmsolver",
		"deis", NULL            /* that class's files: as dpmsolver++ */
	};
	static const char *const types[] = {
		"midpoint", "heun", "logrho", "bh1", "bh2", NULL
	};
	static const char *const finals[] = {"zero", "sigma_min", NULL};
	int algorithm = choice(s, "algorithm_type", 0, algorithms);
	d->algorithm = algorithm == 4 ? DPM_PP : (Algorithm)algorithm;
	d->heun = choice(s, "solver_type", 0, types) == 1;
	d->order = (int)integer(s, "solver_order", 2, 1, 3);
	d->lower_final = boolean(s, "lower_order_final", true);
	d->euler_final = boolean(s, "euler_at_final", false);
	d->zero_final = choice(s, "final_sigmas_type", 0, finals) == 0;
	must_be_off(s, "thresholding");
	must_be_off(s, "use_flow_sigmas");
	must_be_off(s, "use_dynamic_shifting");
	const Json *variance = setting(s, "variance_type");
	if (variance && variance->kind == JSON_STRING
		&& !strncmp(variance->text, "learned", 7))
		refuse(s, "scheduler setting 'variance_type': models that predict "
			"their variance are not supported");
	if (d->algorithm >= DPM && d->zero_final)
		refuse(s, "'algorithm_type' '%s' needs 'final_sigmas_type' "
			"'sigma_min'", algorithms[d->algorithm]);
	if (d->algorithm == SDE_DPM && d->order == 3)
		refuse(s, "'algorithm_type' 'sde-dpmsolver' has no 'solver_order' "
			"3");
}

/* Training steps in use: those whose lambda is not below the setting. */
static int64_t
steps_in_use(Settings *s)
{
	const Json *j = setting(s, "lambda_min_clipped");
	int64_t last = s->train;
	if (!j || (j->kind == JSON_STRING && !strcmp(j->text, "-inf")))
		return last;
	double least = number(s, "lambda_min_clipped", 0);
	while (last > 1 && -log(table_sigma(s, last - 1)) < least)
		last--;
	return last;
}

/* Times and sigmas; the number of steps. */
static int64_t
dpm_times(Settings *s, Ramp kind, bool lu, double *t, double *sigma)
{
	int64_t n = s->steps, last = steps_in_use(s);
	if (kind == RAMP_NONE && !lu) {
		make_solver_times(s, last, t);
		if (s->spacing == TRAILING && last < s->train)
			n = (int64_t)ceil((double)last
				/ ((double)s->train / (double)n));
		for (int64_t i = 0; i < n; i++)
			sigma[i] = sigma_at(s, t[i]);
		return n;
	}
	if (lu)                 /* uniform in log(sigma) of the whole table */
		kind = RAMP_EXPONENTIAL;
	ramp_sigmas(s, kind, table_sigma(s, s->train - 1), table_sigma(s, 0),
		sigma);
	bool nearest = (kind == RAMP_KARRAS || lu) && !s->cosine;
	for (int64_t i = 0; i < n; i++)
		t[i] = whole_time_of_sigma(s, sigma[i], nearest);
	return n;
}

void
make_dpm(Settings *s, Arena *a, Sampler *m)
{
	Dpm d = {0};
	common_settings(s, a, &usual_defaults);
	dpm_settings(s, &d);
	Ramp kind = ramp_setting(s);
	bool lu = boolean(s, "use_lu_lambdas", false);
	if (*s->err)
		return;
	bound_last_sigma(s);
	size_t most = (size_t)s->steps;
	double *t = arena_array(a, most, sizeof *t);
	double *sigma = m->sigmas = arena_array(a, most + 1, sizeof *sigma);
	int64_t n = dpm_times(s, kind, lu && kind != RAMP_KARRAS, t, sigma);
	if (*s->err || !times_in_range(s, t, n))
		return;
	sigma[n] = d.zero_final ? 0 : table_sigma(s, 0);
	rows_new(m, a, n);
	m->history = d.order - 1 < n - 1 ? d.order - 1 : (int)n - 1;
	m->noise = d.algorithm == SDE_DPM_PP || d.algorithm == SDE_DPM;
	for (int64_t i = 0; i < n; i++) {
		SamplerRow *row = &m->row[i];
		Level at = level_of(sigma[i]);
		row->t = t[i];
		convert_output(&d, s->prediction, &at, row);
		dpm_row(&d, &sigma[i], order_at(&d, i, n), row);
		row->keep[COL_Z] = 1;
	}
}
