/* times.c - which training steps a run visits, and at which sigmas. */
#include "lang/sampler/family.h"

#include <math.h>

double
ramp(double from, double to, int64_t i, int64_t n)
{
	if (n == 1)
		return from;
	if (i == n - 1)
		return to;
	return from + (double)i * ((to - from) / (double)(n - 1));
}

/* A range from `last` down to 0 by train / steps, rounded; a range is filled
 * from its first two elements. */
static double
trailing_time(const Settings *s, int64_t last, int64_t i)
{
	double top = (double)last, step = (double)s->train / (double)s->steps;
	double delta = (top - step) - top;
	return rint(top + (double)i * delta) - 1;
}

void
make_times(const Settings *s, double *t)
{
	int64_t n = s->steps;
	for (int64_t i = 0; i < n; i++) {
		switch (s->spacing) {
		case LINSPACE:
			t[i] = ramp(0, (double)s->train - 1, n - 1 - i, n);
			break;
		case LEADING:
			t[i] = (double)((n - 1 - i) * (s->train / n) + s->offset);
			break;
		case TRAILING:
			t[i] = trailing_time(s, s->train, i);
			break;
		}
	}
}

void
make_solver_times(const Settings *s, int64_t last, double *t)
{
	int64_t n = s->steps;
	for (int64_t i = 0; i < n; i++) {
		switch (s->spacing) {
		case LINSPACE:
			t[i] = rint(ramp(0, (double)last - 1, n - i, n + 1));
			break;
		case LEADING:
			t[i] = (double)((n - i) * (last / (n + 1)) + s->offset);
			break;
		case TRAILING:
			t[i] = trailing_time(s, last, i);
			break;
		}
	}
}

bool
times_in_range(Settings *s, const double *t, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		if (!(t[i] >= 0 && t[i] < (double)s->train)) {
			refuse(s, "step %lld would be at time %g, beyond the last "
				"one, %lld: too many steps for 'steps_offset' %lld",
				(long long)i, t[i], (long long)s->train - 1,
				(long long)s->offset);
			return false;
		}
	return true;
}

double
sigma_at(const Settings *s, double t)
{
	if (t <= 0)
		return table_sigma(s, 0);
	if (t >= (double)(s->train - 1))
		return table_sigma(s, s->train - 1);
	int64_t i = (int64_t)t;
	double u = t - (double)i;
	return (1 - u) * table_sigma(s, i) + u * table_sigma(s, i + 1);
}

double
time_of_sigma(const Settings *s, double sigma)
{
	int64_t lo = 0, hi = s->train - 1;
	if (sigma <= table_sigma(s, lo))
		return (double)lo;
	if (sigma >= table_sigma(s, hi))
		return (double)hi;
	while (hi - lo > 1) {
		int64_t mid = lo + (hi - lo) / 2;
		if (table_sigma(s, mid) <= sigma)
			lo = mid;
		else
			hi = mid;
	}
	double a = log(table_sigma(s, lo)), b = log(table_sigma(s, hi));
	return (double)lo + (log(sigma) - a) / (b - a);
}

double
whole_time_of_sigma(const Settings *s, double sigma, bool nearest)
{
	int64_t i = 0, above = s->train - 1;
	double at = log(fmax(sigma, 1e-10));
	if (s->train == 1)
		return 0;
	while (above - i > 1) {
		int64_t mid = i + (above - i) / 2;
		if ((double)logf((float)table_sigma(s, mid)) <= at)
			i = mid;
		else
			above = mid;
	}
	float a = logf((float)table_sigma(s, i));
	float b = logf((float)table_sigma(s, i + 1));
	double w = fmin(fmax(((double)a - at) / (double)(a - b), 0), 1);
	double t = (1 - w) * (double)i + w * (double)(i + 1);
	return nearest ? rint(t) : trunc(t);
}

void
model_times(Settings *s, double *low, double *high)
{
	static const char *const types[] = {"discrete", "continuous", NULL};
	bool continuous = choice(s, "timestep_type", 0, types) == 1;
	*low = 0;
	*high = (double)(s->train - 1);
	if (!continuous || s->prediction != V_PREDICTION)
		return;
	*low = 0.25 * log(number(s, "sigma_min", table_sigma(s, 0)));
	*high = 0.25 * log(number(s, "sigma_max",
		table_sigma(s, s->train - 1)));
}

Ramp
ramp_setting(Settings *s)
{
	bool karras = boolean(s, "use_karras_sigmas", false);
	bool exponential = boolean(s, "use_exponential_sigmas", false);
	must_be_off(s, "use_beta_sigmas");
	if (karras && exponential)
		refuse(s, "scheduler settings 'use_karras_sigmas' and "
			"'use_exponential_sigmas' exclude each other");
	return karras ? RAMP_KARRAS : exponential ? RAMP_EXPONENTIAL : RAMP_NONE;
}

/* Karras et al. 2022, eq. 5 with rho = 7; or equal ratios. */
void
ramp_sigmas(Settings *s, Ramp kind, double top, double low, double *sigma)
{
	top = number(s, "sigma_max", top);
	low = number(s, "sigma_min", low);
	if (!(low > 0 && top >= low)) {
		refuse(s, "scheduler settings 'sigma_min' %g and 'sigma_max' %g "
			"must be above 0 and in order", low, top);
		return;
	}
	double rho = 7, a = pow(top, 1 / rho), b = pow(low, 1 / rho);
	int64_t n = s->steps;
	for (int64_t i = 0; i < n; i++) {
		double u = n == 1 ? 0 : (double)i / (double)(n - 1);
		sigma[i] = kind == RAMP_KARRAS ? pow(a + u * (b - a), rho)
			: exp(ramp(log(top), log(low), i, n));
	}
}
