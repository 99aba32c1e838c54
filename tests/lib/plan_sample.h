/* plan_sample.h - one small plan with something of everything: weights, an
 * input of ids, a sampler's table, a group norm, a convolution of two parts in
 * slices with a halo, attention, a loop over steps with a carried value.
 *
 *   x [h=4, w=4, c=8]
 *   e = embed(ids)                           [token=3, c=8]
 *   n = silu(group_norm(x, 2, over=[h, w]))
 *   for slices of two rows: t = conv(n ++ x, 3x3); u = attend(t, e, e)
 *   z = copy(x); for steps: z = sample(z, u)
 */
#ifndef SLUICE_PLAN_SAMPLE_H
#define SLUICE_PLAN_SAMPLE_H

#include "tests/lib/plan_build.h"

enum { SAMPLE_C = 8, SAMPLE_GROUPS = 2, SAMPLE_TOKENS = 3, SAMPLE_ROWS = 5 };

/* Buffers, views and instructions that tests look at. */
typedef struct Sample {
	Build b;
	Plan *p;
	uint32_t x, ids, table, w, bias, gamma, rows, e, s, m, n, t, u, z, work;
	uint32_t work2;
	uint32_t embed, stats, combine, apply, loop, conv, attend, next, copy;
	uint32_t steps, sample;         /* instructions, from embed on */
	uint32_t vx_conv, vn_conv, vt, vt_in, vu, ve, vz, vtable;       /* views */
} Sample;

static inline void
sample_weights(Sample *s)
{
	const MatrixLayout m = {.rows = {SAMPLE_C, 0},
		.cols = {SAMPLE_C, SAMPLE_C}, .taps = 9};
	const int64_t matrix[] = {SAMPLE_C, 2 * SAMPLE_C, 3, 3};
	const int64_t vector[] = {SAMPLE_C};
	const int64_t table[] = {SAMPLE_ROWS, SAMPLE_C};
	s->w = build_weight(&s->b, "conv.weight", DT_F32, 4, matrix, &m);
	s->bias = build_weight(&s->b, "conv.bias", DT_F32, 1, vector, NULL);
	s->gamma = build_weight(&s->b, "norm.weight", DT_F32, 1, vector, NULL);
	s->rows = build_weight(&s->b, "token.weight", DT_F32, 2, table, NULL);
}

static inline void
sample_buffers(Sample *s)
{
	static const float coefficients[2 * SAMPLE_COLS] = {
		1, -0.5f, 4, 0.9f, 0.1f, 0, 0, 0, 0,
		1, -0.25f, 4, 1, 0, 0, 0, 0, 0};
	Build *b = &s->b;
	s->x = build_input(b, "x", DT_F32, DIMS({AXIS_H, 4}, {AXIS_W, 4},
		{AXIS_C, SAMPLE_C}));
	s->ids = build_input(b, "ids", DT_I32,
		DIMS({AXIS_TOKEN, SAMPLE_TOKENS}));
	s->table = build_table(b, "update", coefficients,
		DIMS({AXIS_STEP, 2}, {AXIS_C, SAMPLE_COLS}));
	sample_weights(s);
	s->e = build_buffer(b, BUF_VALUE, "e", DT_F32,
		DIMS({AXIS_TOKEN, SAMPLE_TOKENS}, {AXIS_C, SAMPLE_C}));
	s->s = build_buffer(b, BUF_VALUE, "stats", DT_F32,
		DIMS({AXIS_H, 4}, {AXIS_C, 2 * SAMPLE_GROUPS}));
	s->m = build_buffer(b, BUF_VALUE, "mean", DT_F32,
		DIMS({AXIS_C, 2 * SAMPLE_GROUPS}));
	s->n = build_buffer(b, BUF_VALUE, "n", DT_F32, DIMS({AXIS_H, 4},
		{AXIS_W, 4}, {AXIS_C, SAMPLE_C}));
	s->t = build_buffer(b, BUF_VALUE, "t", DT_F32, DIMS({AXIS_H, 2},
		{AXIS_W, 4}, {AXIS_C, SAMPLE_C}));
	s->u = build_buffer(b, BUF_VALUE, "u", DT_F32, DIMS({AXIS_H, 4},
		{AXIS_W, 4}, {AXIS_C, SAMPLE_C}));
	s->z = build_output(b, "z", DT_F32, DIMS({AXIS_H, 4}, {AXIS_W, 4},
		{AXIS_C, SAMPLE_C}));
}

static inline View
sample_shape(int64_t h, int64_t w, int64_t token, int64_t c)
{
	View v = {.dtype = DT_F32};
	for (int a = 0; a < AXIS_MAX; a++)
		v.n[a] = 1;
	v.n[AXIS_H] = h;
	v.n[AXIS_W] = w;
	v.n[AXIS_TOKEN] = token;
	v.n[AXIS_C] = c;
	for (int a = 0; a < AXIS_MAX; a++) {
		v.full[a] = v.n[a];
		if (v.n[a] > 1)
			v.axes |= AXIS_BIT(a);
	}
	v.stride[AXIS_C] = 1;
	v.stride[AXIS_TOKEN] = v.stride[AXIS_W] = c;
	v.stride[AXIS_H] = c * w;
	return v;
}

/* Workspaces, as large as the kernels want them. */
static inline uint32_t
sample_work(Sample *s, Op op, const Attr *attr)
{
	Operand args[OPERANDS_MAX + 1] = {0};
	View pixels = sample_shape(2, 4, 1, SAMPLE_C);
	args[0] = (Operand){1, {pixels}};
	args[1] = op == OP_conv ? (Operand){2, {pixels, pixels}}
		: (Operand){1, {pixels}};
	args[2] = (Operand){1, {op == OP_conv
		? sample_shape(1, 1, 1, 9 * 2 * SAMPLE_C * SAMPLE_C)
		: sample_shape(1, 1, SAMPLE_TOKENS, SAMPLE_C)}};
	args[3] = op == OP_conv ? (Operand){1, {sample_shape(1, 1, 1, SAMPLE_C)}}
		: args[2];
	int64_t bytes = cpu_work_bytes(op, args, attr,
		(int)s->b.p.head.threads);
	return build_buffer(&s->b, BUF_WORK, "work", DT_F32,
		DIMS({AXIS_C, max64((bytes + 3) / 4, 1)}));
}

static inline void
sample_norm(Sample *s)
{
	Build *b = &s->b;
	Attr over = {.over = AXIS_BIT(AXIS_H) | AXIS_BIT(AXIS_W),
		.groups = SAMPLE_GROUPS};
	s->stats = build_op(b, OP_norm_stats, &over, ONE(build_whole(b, s->s)),
		ONE(build_whole(b, s->x)));
	over.rows = 4 * SAMPLE_C / SAMPLE_GROUPS;
	over.eps = 1e-5;
	s->combine = build_op(b, OP_norm_combine, &over,
		ONE(build_whole(b, s->m)), ONE(build_whole(b, s->s)));
	Attr apply = {.groups = SAMPLE_GROUPS, .act = ACT_SILU};
	uint32_t gamma = build_whole(b, s->gamma);
	s->apply = build_op(b, OP_norm_apply, &apply, ONE(build_whole(b, s->n)),
		ONE(build_whole(b, s->x)), ONE(build_whole(b, s->m)),
		ONE(gamma), ONE(gamma));
}

static inline void
sample_group(Sample *s)
{
	Build *b = &s->b;
	Attr conv = {.over = AXIS_BIT(AXIS_H) | AXIS_BIT(AXIS_W),
		.kernel = {3, 3}, .stride = {1, 1}, .before = {1, 1},
		.after = {1, 1}};
	Attr attend = {.over = AXIS_BIT(AXIS_TOKEN), .heads = 2, .scale = 0.5};
	s->work = sample_work(s, OP_conv, &conv);
	s->work2 = sample_work(s, OP_attend, &attend);
	s->loop = build_control(b, CTL_loop, 1, 2);
	s->vt = build_whole(b, s->t);
	build_slice(b, s->vt, AXIS_H, 4, 1, 2, 0, 2);
	s->vn_conv = build_whole(b, s->n);
	build_cut(b, s->vn_conv, AXIS_H, 1, 2, -1, 3);
	s->vx_conv = build_whole(b, s->x);
	build_cut(b, s->vx_conv, AXIS_H, 1, 2, -1, 3);
	s->conv = build_op(b, OP_conv, &conv, ONE(s->vt),
		TWO(s->vn_conv, s->vx_conv), ONE(build_whole(b, s->w)),
		ONE(build_whole(b, s->bias)), NONE, NONE,
		ONE(build_whole(b, s->work)));
	s->vu = build_whole(b, s->u);
	build_cut(b, s->vu, AXIS_H, 1, 2, 0, 2);
	s->vt_in = build_whole(b, s->t);
	build_slice(b, s->vt_in, AXIS_H, 4, 1, 2, 0, 2);
	s->ve = build_whole(b, s->e);
	s->attend = build_op(b, OP_attend, &attend, ONE(s->vu), ONE(s->vt_in),
		ONE(s->ve), ONE(s->ve), ONE(build_whole(b, s->work2)));
	s->next = build_control(b, CTL_next, 1, 0);
	BUILD_PUSH(b, groups, (PlanGroup){.name = build_string(b, "group"),
		.first = s->loop, .last = s->next, .axis = AXIS_H, .reg = 1,
		.slice = 2, .count = 2});
}

/* Makes the plan; sample_free frees it. */
static inline Plan *
sample_make(Sample *s)
{
	Build *b = &s->b;
	Attr none = {0}, embed = {.rows = SAMPLE_ROWS};
	build_begin(b);
	b->p.head.steps = 2;
	sample_buffers(s);
	for (uint32_t i = 0; i < b->p.n_weights; i++)
		build_load(b, i);
	s->embed = build_op(b, OP_embed, &embed, ONE(build_whole(b, s->e)),
		ONE(build_whole(b, s->ids)), ONE(build_whole(b, s->rows)));
	sample_norm(s);
	sample_group(s);
	s->copy = build_op(b, OP_copy, &none, ONE(build_whole(b, s->z)),
		ONE(build_whole(b, s->x)));
	s->steps = build_control(b, CTL_loop, 0, 2);
	s->vz = build_whole(b, s->z);
	s->vtable = build_whole(b, s->table);
	build_cut(b, s->vtable, AXIS_STEP, 0, 1, 0, 1);
	s->sample = build_op(b, OP_sample, &none, ONE(s->vz),
		ONE(build_whole(b, s->z)), ONE(build_whole(b, s->u)),
		ONE(s->vtable), {{PLAN_NONE, PLAN_NONE}},
		{{PLAN_NONE, PLAN_NONE}}, {{PLAN_NONE, PLAN_NONE}});
	build_control(b, CTL_next, 0, 0);
	uint32_t x = BUILD_PUSH(b, nodes, (PlanNode){
		.name = build_string(b, "input"), .insn = PLAN_NONE});
	BUILD_PUSH(b, nodes, (PlanNode){.name = build_string(b, "copy"),
		.type = build_string(b, "f32[h=4, w=4, c=8]"), .nedges = 1,
		.insn = s->copy});
	BUILD_PUSH(b, edges, x);
	return s->p = build_end(b);
}

static inline void
sample_free(Sample *s)
{
	build_free(&s->b);
}

#endif
