/* ddim.c - DDIM without noise (Song, Meng and Ermon 2021, eq. 12 with eta 0). */
#include "lang/sampler/family.h"

#include <math.h>

void
predict_x0(Prediction prediction, double alpha, double sigma, SamplerRow *row)
{
	row->p0 = row->p1 = 0;
	switch (prediction) {
	case EPSILON:           /* x = alpha x0 + sigma e */
		row->p0 = 1 / alpha;
		row->p1 = -sigma / alpha;
		break;
	case V_PREDICTION:
		row->p0 = alpha;
		row->p1 = -sigma;
		break;
	case SAMPLE:
		row->p1 = 1;
		break;
	}
}

/* From level a to level ap (signal left, 0 .. 1). */
static void
ddim_row(Prediction prediction, double a, double ap, double clip,
	SamplerRow *row)
{
	double ra = sqrt(a), rb = sqrt(1 - a);
	double rap = sqrt(ap), rbp = sqrt(1 - ap);

	predict_x0(prediction, ra, rb, row);
	row->clip = clip;
	row->next[COL_Z] = rap;
	switch (prediction) {
	case EPSILON:           /* e is the noise */
		row->next[COL_E] = rbp;
		break;
	case V_PREDICTION:      /* noise = ra e + rb x */
		row->next[COL_X] = rbp * rb;
		row->next[COL_E] = rbp * ra;
		break;
	case SAMPLE:            /* e is x0; noise = (x - ra e) / rb */
		row->next[COL_X] = rbp / rb;
		row->next[COL_E] = -rbp * ra / rb;
		break;
	}
}

void
make_ddim(Settings *s, Arena *a, Sampler *m)
{
	const Defaults d = {LEADING, "linear", 0.0001, 0.02};
	common_settings(s, a, &d);
	double clip = clip_setting(s, true);
	bool to_one = boolean(s, "set_alpha_to_one", true);
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
	for (int64_t i = 0; i < n; i++) {
		int64_t prev = (int64_t)t[i] - s->train / n;
		float ap = prev >= 0 ? s->abar[prev] : to_one ? 1 : s->abar[0];
		m->row[i].t = t[i];
		ddim_row(s->prediction, (double)s->abar[(int64_t)t[i]],
			(double)ap, clip, &m->row[i]);
	}
}
