/* sampler.c - finds the family that a config's class belongs to, and checks what
 * it made. */
#include "lang/sampler/family.h"

#include <math.h>
#include <string.h>

typedef struct Maker {
	const char *class_name;
	void (*make)(Settings *s, Arena *a, Sampler *m);
} Maker;

static const Maker makers[] = {
	{"DDIMScheduler", make_ddim},
	{"DDPMScheduler", make_ddpm},
	{"DPMSolverMultistepScheduler", make_dpm},
	{"EulerAncestralDiscreteScheduler", make_euler_ancestral},
	{"EulerDiscreteScheduler", make_euler},
	{"LCMScheduler", make_lcm},
	{"PNDMScheduler", make_pndm},
	{"UniPCMultistepScheduler", make_unipc},
};

/* Classes of the same library that are not made here.  Named, so that none of
 * them is taken for a slip of the pen. */
static const char *const others[] = {
	"CMStochasticIterativeScheduler", "CogVideoXDDIMScheduler",
	"CogVideoXDPMScheduler", "DDIMInverseScheduler", "DDIMParallelScheduler",
	"DDPMParallelScheduler", "DDPMWuerstchenScheduler",
	"DEISMultistepScheduler", "DPMSolverMultistepInverseScheduler",
	"DPMSolverSDEScheduler", "DPMSolverSinglestepScheduler",
	"EDMDPMSolverMultistepScheduler", "EDMEulerScheduler",
	"FlowMatchEulerDiscreteScheduler", "FlowMatchHeunDiscreteScheduler",
	"FlowMatchLCMScheduler", "HeunDiscreteScheduler", "IPNDMScheduler",
	"KDPM2AncestralDiscreteScheduler", "KDPM2DiscreteScheduler",
	"LMSDiscreteScheduler", "RePaintScheduler", "SASolverScheduler",
	"SCMScheduler", "ScoreSdeVeScheduler", "TCDScheduler", "UnCLIPScheduler",
	"VQDiffusionScheduler",
};

static void
unknown_class(Settings *s, const char *name)
{
	const char *names[COUNT_OF(makers)], *near = NULL;
	char list[160] = "";
	size_t at = 0;
	for (size_t i = 0; i < COUNT_OF(makers); i++) {
		names[i] = makers[i].class_name;
		at += (size_t)snprintf(list + at, sizeof list - at, "%s%.*s",
			i == 0 ? "" : i + 1 == COUNT_OF(makers) ? " and " : ", ",
			(int)(strlen(names[i]) - strlen("Scheduler")), names[i]);
	}
	for (size_t i = 0; i < COUNT_OF(others); i++)
		if (!strcmp(name, others[i])) {
			refuse(s, "scheduler class '%s' is not supported: there "
				"are %s", name, list);
			return;
		}
	near = nearest_name(name, names, COUNT_OF(makers));
	if (near)
		refuse(s, "the scheduler's class '%.60s' is not known; did you "
			"mean '%s'?", name, near);
	else
		refuse(s, "the scheduler's class '%.60s' is not known; there are "
			"%s", name, list);
}

static const Maker *
find_maker(Settings *s)
{
	const Json *class = setting(s, "_class_name");
	if (!class || class->kind != JSON_STRING) {
		refuse(s, "the scheduler's config has no '_class_name'");
		return NULL;
	}
	for (size_t i = 0; i < COUNT_OF(makers); i++)
		if (!strcmp(makers[i].class_name, class->text))
			return &makers[i];
	unknown_class(s, class->text);
	return NULL;
}

void
rows_new(Sampler *m, Arena *a, int64_t rows)
{
	m->rows = rows;
	m->row = arena_array(a, (size_t)rows, sizeof *m->row);
	for (int64_t i = 0; i < rows; i++) {
		m->row[i].scale = 1;
		m->row[i].clip = INFINITY;
	}
}

int
sampler_operands(const Sampler *m, bool keep, int *column)
{
	int n = 0;
	for (int c = COL_H; c < SAMPLER_COLS; c++) {
		bool there = c == COL_NOISE ? m->noise
			: c < COL_H + m->history;
		bool used = false;
		for (int64_t i = 0; there && i < m->rows && !used; i++)
			used = (keep ? m->row[i].keep : m->row[i].next)[c] != 0;
		if (used)
			column[n++] = c;
	}
	return n;
}

/* Everything the table holds is finite, but for a clip that is switched off:
 * a level of exactly 0 or 1 can make it otherwise. */
static void
check_finite(Settings *s, const Sampler *m)
{
	for (int64_t i = 0; i < m->rows; i++) {
		const SamplerRow *r = &m->row[i];
		bool ok = isfinite(r->t) && isfinite(r->scale) && r->clip > 0
			&& isfinite(r->p0) && isfinite(r->p1);
		for (int k = 0; k < SAMPLER_COLS; k++)
			ok &= isfinite(r->next[k]) && isfinite(r->keep[k]);
		if (!ok) {
			refuse(s, "step %lld at time %g cannot be computed: the "
				"scheduler's noise level is degenerate there",
				(long long)i, r->t);
			return;
		}
	}
}

const Sampler *
sampler_make(Arena *a, const Json *config, int64_t steps, char *err)
{
	static const char *const predictions[] = {
		"epsilon", "v_prediction", "sample"
	};
	Settings s = {.json = config, .err = err, .steps = steps};
	*err = 0;
	if (!config || config->kind != JSON_MAP) {
		refuse(&s, "the scheduler's config is no JSON object");
		return NULL;
	}
	const Maker *maker = find_maker(&s);
	if (!maker)
		return NULL;
	known_settings(&s);
	if (steps < 1 || steps > TRAIN_MAX)
		refuse(&s, "%lld steps: a scheduler takes 1 .. %d",
			(long long)steps, TRAIN_MAX);
	if (*err)
		return NULL;
	Sampler *m = arena_alloc(a, sizeof *m);
	m->class_name = maker->class_name;
	m->steps = steps;
	m->start = 1;
	maker->make(&s, a, m);
	m->prediction = predictions[s.prediction];
	for (int64_t i = 0; i < m->rows && !m->history; i++)
		memset(m->row[i].keep, 0, sizeof m->row[i].keep);
	if (!*err)
		check_finite(&s, m);
	if (!*err)
		model_times(&s, &m->low, &m->high);
	return *err ? NULL : m;
}
