/* unipc.c - the unified predictor-corrector UniPC (Zhao et al. 2023, B(h)
 * forms).
 *
 * The corrector redoes the last step with the output that came of it.  It starts
 * from the latent before that step, which is not carried: with the last step's
 * own prediction taken off, what is left of it is a sum over outputs,
 *     x_c = x - w B (sum (c_k - p_k) D_k + c (m - m1)).
 * So a step is one row over x, m and the last `order` outputs. */
#include "lang/sampler/family.h"

#include <math.h>

enum { ORDER_MAX = 3 };

typedef struct Unipc {
	int order;
	bool bh1;               /* B(h) = h, else e^h - 1 */
	bool noise;             /* solves for the noise, not the clean latent */
	bool lower_final;
} Unipc;

/* A step of the predictor: x' = a x + g m + w sum_k D_k rho_k, with
 * D_k = (m_k - m) / r_k over outputs m_1, m_2 before m; and the weights that its
 * corrector has instead of rho. */
typedef struct Step {
	int order;
	double a, g, w;
	double r[ORDER_MAX], predict[ORDER_MAX], correct[ORDER_MAX];
} Step;

/* Solves R x = b for n <= ORDER_MAX by elimination with pivots. */
static void
solve(int n, double R[ORDER_MAX][ORDER_MAX], const double *b, double *x)
{
	double m[ORDER_MAX][ORDER_MAX + 1];
	for (int i = 0; i < n; i++) {
		for (int k = 0; k < n; k++)
			m[i][k] = R[i][k];
		m[i][n] = b[i];
	}
	for (int i = 0; i < n; i++) {
		int p = i;
		for (int k = i + 1; k < n; k++)
			if (fabs(m[k][i]) > fabs(m[p][i]))
				p = k;
		for (int k = 0; k <= n; k++) {
			double swap = m[i][k];
			m[i][k] = m[p][k];
			m[p][k] = swap;
		}
		for (int j = 0; j < n; j++) {
			double f = m[j][i] / m[i][i];
			for (int k = i; k <= n && j != i; k++)
				m[j][k] -= f * m[i][k];
		}
	}
	for (int i = 0; i < n; i++)
		x[i] = m[i][n] / m[i][i];
}

/* Weights of the differences: those that integrate polynomials in lambda. */
static void
solve_weights(Step *u, double hh, double bh)
{
	int p = u->order;
	double R[ORDER_MAX][ORDER_MAX], b[ORDER_MAX];
	double phi = expm1(hh) / hh - 1, factorial = 1;
	for (int i = 0; i < p; i++) {
		for (int k = 0; k < p; k++)
			R[i][k] = pow(u->r[k], i);
		b[i] = phi * factorial / bh;
		factorial *= i + 2;
		phi = phi / hh - 1 / factorial;
	}
	if (p == 1)
		u->correct[0] = 0.5;
	else
		solve(p, R, b, u->correct);
	if (p == 2)
		u->predict[0] = 0.5;
	else if (p > 2)
		solve(p - 1, R, b, u->predict);
}

/* From sigma[0] to sigma[1]. */
static Step
make_step(const Unipc *d, const double *sigma, int order)
{
	Step u = {.order = order};
	double h = log(sigma[0] / sigma[1]), hh = d->noise ? h : -h;
	double at = 1 / sqrt(sigma[1] * sigma[1] + 1);
	double as = 1 / sqrt(sigma[0] * sigma[0] + 1);
	double weight = d->noise ? sigma[1] * at : at;
	double bh = d->bh1 ? hh : expm1(hh);
	u.a = d->noise ? at / as : sigma[1] * at / (sigma[0] * as);
	u.g = -weight * expm1(hh);
	u.w = -weight * bh;
	for (int k = 0; k < order - 1; k++)
		u.r[k] = log(sigma[0] / sigma[-1 - k]) / h;
	u.r[order - 1] = 1;
	/* the last step of all has nothing to weigh, and an infinite h */
	if (isfinite(h) || order > 1)
		solve_weights(&u, hh, bh);
	return u;
}

/* m, h1, h2, h3: where output j before this one stands in a row. */
static int
column(int j)
{
	return j ? COL_H + j - 1 : COL_Z;
}

/* The corrected latent over (z, x, h1 ..): the step before was `u`. */
static void
correct(const Step *u, double *row)
{
	double last = u->w * u->correct[u->order - 1];
	row[COL_Z] += last;
	row[COL_H] -= last;
	for (int k = 0; k < u->order - 1; k++) {
		double w = u->w * (u->correct[k] - u->predict[k]) / u->r[k];
		row[column(k + 2)] += w;
		row[COL_H] -= w;
	}
}

static void
predict(const Step *u, double *row)
{
	for (int k = 0; k < SAMPLER_COLS; k++)
		row[k] *= u->a;
	row[COL_Z] += u->g;
	for (int k = 0; k < u->order - 1; k++) {
		double w = u->w * u->predict[k] / u->r[k];
		row[column(k + 1)] += w;
		row[COL_Z] -= w;
	}
}

static void
convert_output(const Unipc *d, Prediction prediction, double sigma,
	SamplerRow *row)
{
	double alpha = 1 / sqrt(sigma * sigma + 1), noise = sigma * alpha;
	if (!d->noise) {
		predict_x0(prediction, alpha, noise, row);
	} else if (prediction == EPSILON) {
		row->p1 = 1;
	} else if (prediction == V_PREDICTION) {
		row->p0 = noise;
		row->p1 = alpha;
	} else {
		row->p0 = 1 / noise;
		row->p1 = -alpha / noise;
	}
}

/* Whether step i leaves out the corrector of the step before it. */
static bool
not_corrected(Settings *s, int64_t i)
{
	const Json *list = setting(s, "disable_corrector");
	for (size_t k = 0; list && k < list->n; k++)
		if (list->item[k].kind == JSON_INT && list->item[k].integer == i - 1)
			return true;
	return false;
}

static void
unipc_settings(Settings *s, Unipc *d)
{
	static const char *const types[] = {
		"bh2", "bh1", "midpoint", "heun", "logrho", NULL
	};
	d->order = (int)integer(s, "solver_order", 2, 1, ORDER_MAX);
	d->bh1 = choice(s, "solver_type", 0, types) == 1;
	d->noise = !boolean(s, "predict_x0", true);
	d->lower_final = boolean(s, "lower_order_final", true);
	must_be_off(s, "thresholding");
	must_be_off(s, "use_flow_sigmas");
	must_be_off(s, "use_dynamic_shifting");
	const Json *list = setting(s, "disable_corrector");
	if (list && list->kind != JSON_LIST)
		refuse(s, "scheduler setting 'disable_corrector' must be a list of "
			"steps");
	if (setting(s, "solver_p"))
		refuse(s, "scheduler setting 'solver_p' is not supported");
}

static void
unipc_times(Settings *s, Ramp kind, bool zero_final, double *t, double *sigma)
{
	int64_t n = s->steps;
	make_solver_times(s, s->train, t);
	for (int64_t i = 0; i < n; i++)
		sigma[i] = sigma_at(s, t[i]);
	if (kind != RAMP_NONE)
		ramp_sigmas(s, kind, table_sigma(s, s->train - 1),
			table_sigma(s, 0), sigma);
	for (int64_t i = 0; i < n && kind != RAMP_NONE; i++)
		t[i] = whole_time_of_sigma(s, sigma[i], kind == RAMP_KARRAS);
	sigma[n] = zero_final ? 0 : kind == RAMP_NONE ? table_sigma(s, 0)
		: sigma[n - 1];
}

void
make_unipc(Settings *s, Arena *a, Sampler *m)
{
	static const char *const finals[] = {"zero", "sigma_min", NULL};
	Unipc d = {0};
	common_settings(s, a, &usual_defaults);
	unipc_settings(s, &d);
	Ramp kind = ramp_setting(s);
	bool zero_final = choice(s, "final_sigmas_type", 0, finals) == 0;
	if (*s->err)
		return;
	bound_last_sigma(s);
	int64_t n = s->steps;
	double *t = arena_array(a, (size_t)n, sizeof *t);
	double *sigma = m->sigmas = arena_array(a, (size_t)n + 1, sizeof *sigma);
	unipc_times(s, kind, zero_final, t, sigma);
	if (*s->err || !times_in_range(s, t, n))
		return;
	rows_new(m, a, n);
	m->history = d.order < n - 1 ? d.order : (int)n - 1;
	Step last = {0};
	for (int64_t i = 0; i < n; i++) {
		SamplerRow *row = &m->row[i];
		int64_t left = d.lower_final && n - i < d.order ? n - i : d.order;
		row->t = t[i];
		convert_output(&d, s->prediction, sigma[i], row);
		row->next[COL_X] = 1;
		if (i && !not_corrected(s, i))
			correct(&last, row->next);
		last = make_step(&d, &sigma[i], (int)(left < i + 1 ? left : i + 1));
		predict(&last, row->next);
		row->keep[COL_Z] = 1;
	}
}
