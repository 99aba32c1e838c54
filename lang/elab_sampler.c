/* elab_sampler.c - samplers in a program: the schedule, and what its step adds to
 * the loop.
 *
 * The schedule owns what it carries: h1, h2, ... enter the loop as zeros of the
 * latent's shape, and each update leaves new ones behind.  So a loop is
 * written once for all samplers, those with history and noise too.
 */
#include "lang/elab.h"

#include <math.h>
#include <string.h>

/* ---- the schedule ---- */

/* Without a config: what Stable Video Diffusion, or AnimateDiff, is run with.
 * A pipeline that starts from a picture is the former. */
static const Json *
usual_scheduler(Elab *e)
{
	static const char euler[] =
		"{\"_class_name\": \"EulerDiscreteScheduler\","
		"\"beta_start\": 0.00085, \"beta_end\": 0.012,"
		"\"beta_schedule\": \"scaled_linear\","
		"\"prediction_type\": \"v_prediction\","
		"\"sigma_min\": 0.002, \"sigma_max\": 700.0,"
		"\"timestep_spacing\": \"leading\", \"steps_offset\": 1,"
		"\"use_karras_sigmas\": true,"
		"\"timestep_type\": \"continuous\"}";
	static const char ddim[] =
		"{\"_class_name\": \"DDIMScheduler\","
		"\"beta_start\": 0.00085, \"beta_end\": 0.012,"
		"\"beta_schedule\": \"linear\", \"clip_sample\": false,"
		"\"timestep_spacing\": \"linspace\", \"steps_offset\": 1}";
	bool picture = false;
	for (const Ast *i = e->program->list; i; i = i->next)
		picture |= !strcmp(i->name, "image");
	JsonError err;
	const char *text = picture ? euler : ddim;
	return json_parse(e->arena, text, strlen(text), 4, &err);
}

Value
elab_sampler(Elab *e, const char *component, int64_t steps, Loc loc)
{
	char err[SAMPLER_ERR] = "";
	const Json *config = params_config(e, component, usual_scheduler(e));
	Schedule *s = arena_alloc(e->arena, sizeof *s);
	s->sampler = e->o->table ? e->o->table
		: sampler_make(e->arena, config, steps, err);
	if (!s->sampler || (e->o->table && !sampler_table_fits(e->arena,
			e->o->table, config, err)))
		return elab_error(e, loc, NULL, "%s", err);
	return (Value){.kind = V_SAMPLER, .schedule = s};
}

/* ---- the loop ---- */

/* A zero h of the latent's type for each that the sampler carries. */
static void
add_history(Elab *e, Schedule *s, uint32_t latent, Loc loc)
{
	for (int k = 0; k < s->sampler->history; k++) {
		Node zero = {.op = OP_fill, .type = *node_type(e, latent)};
		s->init[k] = node_add(e, &zero, loc);
	}
}

Value
sampler_start(Elab *e, Schedule *s, uint32_t noise, Loc loc)
{
	if (node_type(e, noise)->dtype != DT_F32)
		noise = node_copy(e, noise, DT_F32, loc);
	if (noise && s->sampler->start != 1)
		noise = node_scalar(e, OP_mul, noise, s->sampler->start, false,
			loc);
	if (noise && e->stage == ST_BEFORE && !s->init[0])
		add_history(e, s, noise, loc);
	return node_value(noise);
}

bool
sampler_enter(Elab *e, Schedule *s, Loc loc)
{
	for (int k = 0; k < s->sampler->history; k++) {
		if (!s->init[k]) {
			elab_error(e, loc, "make the latent with start(noise)",
				"%s carries values from step to step, whose "
				"shape is not known", s->sampler->class_name);
			return false;
		}
		Node n = {.op = OP_carry, .nin = 1, .in = {s->init[k]}};
		s->carry[k] = node_add(e, &n, loc);
	}
	return true;
}

bool
sampler_leave(Elab *e, const Schedule *s, Loc loc)
{
	if (s->sampler->history && !s->updated) {
		elab_error(e, loc, NULL, "the step does not call update, which "
			"%s needs", s->sampler->class_name);
		return false;
	}
	return true;
}

/* ---- a step ---- */

/* One column of a step's numbers as a table. */
static uint32_t
column_table(Elab *e, const Sampler *m, const char *name, bool scale, Loc loc)
{
	double *data = arena_array(e->arena, (size_t)m->rows, sizeof *data);
	for (int64_t i = 0; i < m->rows; i++)
		data[i] = scale ? m->row[i].scale : m->row[i].t;
	return node_table(e, name, m->rows, 1, data, loc);
}

Value
sampler_time(Elab *e, Schedule *s, Loc loc)
{
	if (!s->t)
		s->t = column_table(e, s->sampler, "t", false, loc);
	return node_value(s->t);
}

Value
sampler_scale(Elab *e, Schedule *s, uint32_t x, Loc loc)
{
	bool one = true;
	for (int64_t i = 0; i < s->sampler->rows; i++)
		one &= s->sampler->row[i].scale == 1;
	if (one)
		return value_tensor(x);
	if (!s->scale)
		s->scale = column_table(e, s->sampler, "scale", true, loc);
	return node_value(node_binary(e, OP_mul, x, s->scale, loc));
}

/* Fresh noise of the latent's shape for each step: an input, whose rows the
 * machine writes one before each step. */
static uint32_t
step_noise(Elab *e, Schedule *s, uint32_t x, Loc loc)
{
	static const char name[] = "step_noise";
	if (s->noise)
		return s->noise;
	for (size_t i = 0; i < e->g->inputs.n; i++)
		if (!strcmp(e->g->inputs.at[i].name, name)) {
			elab_error(e, loc, NULL, "%s makes an input '%s', and "
				"there is one of that name",
				s->sampler->class_name, name);
			return 0;
		}
	Type t = *node_type(e, x);
	t.dtype = DT_F32;
	s->noise = node_input(e, name, &t, loc);
	if (s->noise)
		e->g->inputs.at[e->g->inputs.n - 1].per_step = true;
	return s->noise;
}

enum { TAKES = OPERANDS_MAX - 3 };      /* operands a, b, c of `sample` */

/* Rows of `sample` for part `part` of a result: the first has z, x and e, the
 * others add to what is there; each takes up to three of the columns. */
static uint32_t
row_table(Elab *e, const Sampler *m, bool keep, int part, const int *column,
	int n, Loc loc)
{
	static const char *const names[2][2] = {
		{"update", "update_more"}, {"keep", "keep_more"}
	};
	size_t count = (size_t)mul_sz(m->rows, SAMPLE_COLS);
	double *data = arena_array(e->arena, count, sizeof *data);
	for (int64_t i = 0; i < m->rows; i++) {
		const SamplerRow *r = &m->row[i];
		const double *q = keep ? r->keep : r->next;
		double *d = data + i * SAMPLE_COLS;
		const double first[] = {r->p0, r->p1, r->clip, q[COL_Z],
			q[COL_X], q[COL_E]};
		const double more[] = {0, 0, INFINITY, 0, 1, 0};
		memcpy(d, part ? more : first, sizeof first);
		for (int k = 0; k < n; k++)
			d[COUNT_OF(first) + (size_t)k] = q[column[k]];
	}
	return node_table(e, names[keep][part], m->rows, SAMPLE_COLS, data, loc);
}

/* x' or h1': one `sample`, or two where there is more than one can take. */
static uint32_t
apply_row(Elab *e, Schedule *s, bool keep, uint32_t x, uint32_t result, Loc loc)
{
	int column[SAMPLER_HISTORY + 1];
	int n = sampler_operands(s->sampler, keep, column), at = 0, part = 0;
	uint32_t y = x;
	do {
		int take = n - at < TAKES ? n - at : TAKES;
		uint32_t *table = &s->rows[keep][part];
		if (!*table)
			*table = row_table(e, s->sampler, keep, part, column + at,
				take, loc);
		Node row = {.op = OP_sample, .nin = (uint8_t)(3 + take),
			.in = {y, result, *table}};
		for (int k = 0; k < take; k++) {
			int c = column[at + k];
			uint32_t in = c == COL_NOISE ? step_noise(e, s, x, loc)
				: s->carry[c - COL_H];
			if (!in)
				return 0;
			row.in[3 + k] = in;
		}
		y = node_add(e, &row, loc);
		at += take;
		part++;
	} while (y && at < n);
	return y;
}

/* What h k is next, of the carry's own type. */
static bool
set_next(Elab *e, const Schedule *s, int k, uint32_t next, Loc loc)
{
	Node *carry = &e->g->nodes.at[s->carry[k]];
	if (!next)
		return false;
	if (!type_equal(node_type(e, next), &carry->type)) {
		Value was = node_value(s->carry[k]), is = node_value(next);
		elab_error(e, loc, NULL, "the sampler's history enters the loop "
			"as %s and leaves a step as %s", value_describe(e, &was),
			value_describe(e, &is));
		return false;
	}
	carry->in[1] = next;
	carry->nin = 2;
	return true;
}

/* x' last but for the moves: then it may take x's place, and each h that of the
 * one behind it. */
Value
sampler_update(Elab *e, Schedule *s, uint32_t x, uint32_t result, Loc loc)
{
	const Sampler *m = s->sampler;
	if (s->updated && (m->history || m->noise))
		return elab_error(e, loc, NULL, "%s updates one latent in a step",
			m->class_name);
	s->updated = true;
	uint32_t first = m->history ? apply_row(e, s, true, x, result, loc) : 0;
	uint32_t y = apply_row(e, s, false, x, result, loc);
	for (int k = m->history - 1; k > 0; k--)
		if (!set_next(e, s, k, node_copy(e, s->carry[k - 1], DT_F32, loc),
				loc))
			return value_error();
	if (m->history && !set_next(e, s, 0, first, loc))
		return value_error();
	return node_value(y);
}
