/* ddpm.c - ancestral sampling of the training process itself (Ho, Jain and
 * Abbeel 2020, eqs. 6 and 7), over the steps that are left. */
#include "lang/sampler/family.h"

#include <math.h>

typedef enum Variance {
	FIXED_SMALL, FIXED_SMALL_LOG, FIXED_LARGE, VARIANCE_COUNT
} Variance;

/* From level a to level ap; `noisy`: not the last. */
static void
ddpm_row(const Settings *s, double a, double ap, Variance variance, bool noisy,
	SamplerRow *row)
{
	double alpha = a / ap, beta = 1 - alpha;
	predict_x0(s->prediction, sqrt(a), sqrt(1 - a), row);
	row->next[COL_Z] = sqrt(ap) * beta / (1 - a);
	row->next[COL_X] = sqrt(alpha) * (1 - ap) / (1 - a);
	double small = fmax((1 - ap) / (1 - a) * beta, 1e-20);
	if (noisy)
		row->next[COL_NOISE] = sqrt(variance == FIXED_LARGE ? beta
			: small);
}

void
make_ddpm(Settings *s, Arena *a, Sampler *m)
{
	static const char *const variances[] = {
		"fixed_small", "fixed_small_log", "fixed_large", NULL
	};
	const Defaults d = {LEADING, "linear", 0.0001, 0.02};
	common_settings(s, a, &d);
	double clip = clip_setting(s, true);
	Variance variance = (Variance)choice(s, "variance_type", FIXED_SMALL,
		variances);
	if (*s->err)
		return;
	int64_t n = s->steps;
	double *t = arena_array(a, (size_t)n, sizeof *t);
	make_times(s, t);
	for (int64_t i = 0; i < n; i++)
		t[i] = rint(t[i]);
	if (!times_in_range(s, t, n))
		return;
	rows_new(m, a, n);
	m->noise = true;
	for (int64_t i = 0; i < n; i++) {
		double ap = i + 1 < n ? (double)s->abar[(int64_t)t[i + 1]] : 1;
		m->row[i].t = t[i];
		m->row[i].clip = clip;
		ddpm_row(s, (double)s->abar[(int64_t)t[i]], ap, variance,
			t[i] > 0, &m->row[i]);
	}
}
