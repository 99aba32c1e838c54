/* generators.h - one gen_X for each kernel row of ops.def: sets shapes, types and
 * attributes of a random call.  Part of cases.h.
 */
#ifndef SLUICE_GENERATORS_H
#define SLUICE_GENERATORS_H

#include "tests/lib/values.h"

/* ---- generators ---- */

/* A value of the given axes; extents from n[]. */
static inline Value
value_of(DType t, AxisSet axes, const int64_t *n)
{
	Value v = {.on = true, .axes = axes, .dtype = t, .lo = -1, .hi = 1};
	for (int a = 0; a < AXIS_MAX; a++)
		v.n[a] = axes >> a & 1 ? n[a] : 1;
	return v;
}

static inline Value
value_vector(DType t, int64_t n)
{
	int64_t e[AXIS_MAX] = {0};
	e[AXIS_C] = n;
	Value v = value_of(t, AXIS_BIT(AXIS_C), e);
	v.vector = true;
	return v;
}

static inline int64_t
box_elements_of(AxisSet axes, const int64_t *n)
{
	int64_t e = n[AXIS_C];
	for (int a = 0; a < AXIS_C; a++)
		e *= axes >> a & 1 ? n[a] : 1;
	return e;
}

/* Random extents for all axes, and a random set of axes, at most `most` of them
 * beside c. */
static inline AxisSet
random_axes(const Case *c, int64_t *n, int most)
{
	static const int usual[] = {AXIS_STEP, AXIS_B, AXIS_F, AXIS_H, AXIS_W,
		AXIS_DECLARED, AXIS_TOKEN};
	AxisSet axes = 0;
	for (int a = 0; a < AXIS_MAX; a++)
		n[a] = c->tiny ? 1 : rng_int(1, c->big ? 9 : 7);
	n[AXIS_C] = c->tiny ? 1 : c->big ? rng_int(900, 2100)
		: rng_chance(20) ? rng_int(1, 3) : rng_int(4, 40);
	if (c->even)
		n[AXIS_C] = round_up(n[AXIS_C], 8);
	if (c->tiny)
		most = rng_chance(50) ? 0 : 1;
	while (most > 0 && rng_chance(85)) {
		axes |= AXIS_BIT(usual[rng_int(0, 6)]);
		most--;
	}
	/* big ones are for threads and long rows, not to take long */
	for (int a = 0; a < AXIS_C; a++)
		while (axes >> a & 1 && box_elements_of(axes, n) > 80000
			&& n[a] > 1)
			n[a] = (n[a] + 1) / 2;
	return axes;
}

static inline AxisSet
random_subset(AxisSet axes, int percent)
{
	AxisSet s = 0;
	for (int a = 0; a < AXIS_MAX; a++)
		if (axes >> a & 1 && rng_chance(percent))
			s |= AXIS_BIT(a);
	return s;
}

/* The compilation's type or f32. */
static inline DType
random_type(const Case *c)
{
	return rng_chance(70) ? c->type : DT_F32;
}

static inline void
random_seam(Value *v)
{
	int64_t unit = v->n[AXIS_C] % 8 == 0 && rng_chance(70) ? 8 : 1;
	if (v->n[AXIS_C] > unit && rng_chance(50))
		v->seam = unit * rng_int(1, v->n[AXIS_C] / unit - 1);
}

/* A number of channels. */
static inline int64_t
random_channels(const Case *c, int64_t lo, int64_t hi)
{
	int64_t n = rng_int(lo, hi);
	return c->even ? round_up(n, 8) : n;
}

static const AxisSet bit_c = AXIS_BIT(AXIS_C);

/* One or two elementwise operands that are broadcast to the result. */
static inline void
gen_each(Case *c, int operands)
{
	int64_t n[AXIS_MAX];
	AxisSet axes = random_axes(c, n, 4);
	if (rng_chance(c->tiny ? 30 : 90))
		axes |= bit_c;
	DType t = random_type(c);
	c->out = value_of(rng_chance(80) ? t : DT_F32, axes, n);
	for (int i = 0; i < operands; i++)
		c->in[i] = value_of(random_type(c),
			i == 1 ? random_subset(axes, 60) : axes, n);
}

static inline void
gen_binary(Case *c)
{
	bool number = rng_chance(30);
	gen_each(c, number ? 1 : 2);
	if (number) {
		c->attr.scalar = rng_real(-2, 2);
		c->attr.reversed = (c->op == OP_sub || c->op == OP_div)
			&& rng_chance(50);
	} else if (c->op != OP_div && rng_chance(30)) {
		Value x = c->in[0];
		c->in[0] = c->in[1];
		c->in[1] = x;
	}
	if (c->op == OP_div) {
		c->in[0].lo = c->in[1].lo = 0.5;
		c->in[0].hi = c->in[1].hi = 2;
	}
}

static inline void
gen_unary(Case *c)
{
	gen_each(c, 1);
	c->in[0].lo = -6;
	c->in[0].hi = 6;
	c->attr.lo = -0.5;
	c->attr.hi = 0.75;
	if (c->op != OP_clamp)
		c->attr.lo = c->attr.hi = 0;
}

static inline void gen_add(Case *c) { gen_binary(c); }
static inline void gen_sub(Case *c) { gen_binary(c); }
static inline void gen_mul(Case *c) { gen_binary(c); }
static inline void gen_div(Case *c) { gen_binary(c); }
static inline void gen_silu(Case *c) { gen_unary(c); }
static inline void gen_gelu(Case *c) { gen_unary(c); }
static inline void gen_gelu_tanh(Case *c) { gen_unary(c); }
static inline void gen_sigmoid(Case *c) { gen_unary(c); }
static inline void gen_clamp(Case *c) { gen_unary(c); }

static inline void
gen_blend(Case *c)
{
	gen_each(c, 3);
	if (rng_chance(50))             /* one number for all */
		c->in[2] = value_of(random_type(c), 0, (int64_t[AXIS_MAX]){0});
	c->in[2].lo = 0;
}

static inline void
gen_geglu(Case *c)
{
	int64_t n[AXIS_MAX];
	AxisSet axes = random_axes(c, n, 4) | bit_c;
	c->out = value_of(c->type, axes, n);
	n[AXIS_C] *= 2;
	c->in[0] = value_of(random_type(c), axes, n);
	c->in[0].lo = -4;
	c->in[0].hi = 4;
}

static inline void
gen_copy(Case *c)
{
	gen_each(c, 1);
	if (c->in[0].axes & bit_c)
		random_seam(&c->in[0]);
}

static inline void
gen_fill(Case *c)
{
	gen_each(c, 0);
	c->attr.scalar = rng_real(-2, 2);
}

/* An axis of the set other than c, or -1. */
static inline int
random_axis(AxisSet axes)
{
	axes &= (AxisSet)~bit_c;
	if (!axes)
		return -1;
	for (;;) {
		int a = (int)rng_int(0, AXIS_MAX - 1);
		if (axes >> a & 1)
			return a;
	}
}

static inline void
gen_index(Case *c)
{
	int64_t n[AXIS_MAX];
	AxisSet axes = random_axes(c, n, 3) | AXIS_BIT(AXIS_F);
	int a = random_axis(axes);
	n[a] = rng_int(1, 40);
	c->out = value_of(DT_F32, axes, n);
	c->attr.axis = (uint8_t)a;
}

static inline void
gen_resize(Case *c)
{
	int64_t n[AXIS_MAX];
	AxisSet axes = random_axes(c, n, c->big ? 2 : 4) | bit_c
		| AXIS_BIT(AXIS_H);
	DType t = random_type(c);
	c->in[0] = value_of(t, axes, n);
	c->attr.over = random_subset(axes & (AxisSet)~bit_c, 60);
	if (!c->attr.over)
		c->attr.over = AXIS_BIT(AXIS_H);
	for (int a = 0; a < AXIS_MAX; a++)
		if (c->attr.over >> a & 1)
			n[a] = rng_chance(40) ? 2 * n[a] - rng_int(0, 1)
				: rng_int(1, c->big ? 7 : 13);
	c->out = value_of(t, axes, n);
}

static inline void
gen_sinusoid(Case *c)
{
	int64_t n[AXIS_MAX];
	AxisSet axes = random_axes(c, n, 3);
	c->in[0] = value_of(random_type(c), axes, n);
	c->in[0].lo = -2;
	c->in[0].hi = rng_chance(50) ? 10 : 999;
	n[AXIS_C] = rng_int(2, 40);
	c->out = value_of(c->type, axes | bit_c, n);
	c->attr.sin_first = rng_chance(50);
	c->attr.interleave = rng_chance(50);
}

static inline void
gen_embed(Case *c)
{
	int64_t n[AXIS_MAX];
	AxisSet axes = random_axes(c, n, 3);
	c->in[0] = value_of(rng_chance(60) ? DT_I32 : DT_F32, axes, n);
	c->attr.rows = rng_int(1, 30);
	c->in[0].integers = true;
	c->in[0].lo = 0;
	c->in[0].hi = (double)(c->attr.rows - 1);
	c->in[1] = value_vector(c->type, c->attr.rows * n[AXIS_C]);
	c->out = value_of(c->type, axes | bit_c, n);
}

static inline void
gen_sample(Case *c)
{
	int64_t n[AXIS_MAX];
	AxisSet axes = random_axes(c, n, 4) | bit_c;
	c->in[0] = value_of(rng_chance(80) ? DT_F32 : c->type, axes, n);
	c->in[1] = value_of(random_type(c), axes, n);
	c->in[2] = value_vector(DT_F32, SAMPLE_COLS);
	c->in[2].lo = 0.1;
	for (int i = 3; i < OPERANDS_MAX && rng_chance(50); i++)
		c->in[i] = value_of(random_type(c), axes, n);
	c->out = value_of(DT_F32, axes, n);
}

/* ---- norms ---- */

/* Channels that are a multiple of a number of groups, which is set. */
static inline int64_t
random_groups(Case *c)
{
	c->attr.groups = (int32_t)rng_int(1, c->big ? 32 : 6);
	int64_t per = rng_chance(20) ? 1 : rng_int(1, 12);
	if (c->even)
		per = round_up(per, 8);
	if (c->big)
		per = rng_chance(30) ? rng_int(520, 700) / 4 : 60;
	if (c->big && rng_chance(30)) {
		c->attr.groups = 2;
		per = 1100;
	}
	return c->attr.groups * per;
}

static inline void
gen_norm_stats(Case *c)
{
	int64_t n[AXIS_MAX];
	AxisSet axes = random_axes(c, n, 4) | AXIS_BIT(AXIS_W) | bit_c;
	n[AXIS_C] = random_groups(c);
	c->in[0] = value_of(c->type, axes, n);
	random_seam(&c->in[0]);
	c->attr.over = random_subset(axes & (AxisSet)~bit_c, 60);
	if (!c->attr.over)
		c->attr.over = AXIS_BIT(AXIS_W);
	AxisSet gone = (AxisSet)(c->attr.over
		& ~(AXIS_BIT(AXIS_F) | AXIS_BIT(AXIS_H)));
	n[AXIS_C] = 2 * c->attr.groups;
	c->out = value_of(DT_F32, axes & (AxisSet)~gone, n);
}

static inline void
gen_norm_combine(Case *c)
{
	int64_t n[AXIS_MAX];
	AxisSet axes = random_axes(c, n, 3) | AXIS_BIT(AXIS_H) | bit_c;
	random_groups(c);
	c->attr.rows = rng_int(1, 50);
	c->attr.eps = 1e-5;
	c->attr.over = random_subset(axes & (AxisSet)~bit_c, 50);
	n[AXIS_C] = 2 * c->attr.groups;
	c->in[0] = value_of(DT_F32, axes, n);
	c->in[0].lo = 0.1;
	c->out = value_of(DT_F32, axes & (AxisSet)~c->attr.over, n);
}

static inline void
gen_norm_apply(Case *c)
{
	int64_t n[AXIS_MAX];
	AxisSet axes = random_axes(c, n, 4) | bit_c;
	n[AXIS_C] = random_groups(c);
	c->in[0] = value_of(random_type(c), axes, n);
	c->in[2] = value_vector(c->type, n[AXIS_C]);
	c->in[3] = c->in[2];
	random_seam(&c->in[0]);
	c->out = value_of(c->type, axes, n);
	n[AXIS_C] = 2 * c->attr.groups;
	c->in[1] = value_of(DT_F32, random_subset(axes, 50) | bit_c, n);
	c->attr.act = (uint8_t)rng_int(0, ACT_COUNT - 1);
}

static inline void
gen_layer_norm(Case *c)
{
	int64_t n[AXIS_MAX];
	AxisSet axes = random_axes(c, n, 4) | bit_c;
	c->in[0] = value_of(random_type(c), axes, n);
	c->in[1] = value_vector(c->type, n[AXIS_C]);
	c->in[2] = c->in[1];
	c->out = value_of(c->type, axes, n);
	c->attr.eps = 1e-5;
}

/* ---- matrix work ---- */

/* bias, row and add for a result of that shape */
static inline void
gen_epilogue(Case *c, int64_t bias)
{
	const Value *y = &c->out;
	if (rng_chance(60))
		c->in[2] = value_vector(c->type, bias);
	if (rng_chance(40) && !c->attr.geglu)
		c->in[3] = value_of(random_type(c),
			random_subset(y->axes, 40) | bit_c, y->n);
	if (rng_chance(40))
		c->in[4] = value_of(random_type(c), y->axes, y->n);
	c->attr.act = (uint8_t)(c->attr.geglu || rng_chance(60) ? ACT_NONE
		: rng_int(0, ACT_COUNT - 1));
}

static inline void
gen_linear(Case *c)
{
	int64_t n[AXIS_MAX];
	AxisSet axes = random_axes(c, n, 3) | bit_c;
	n[AXIS_C] = c->big ? random_channels(c, 60, 200)
		: random_channels(c, 1, 40);
	c->in[0] = value_of(random_type(c), axes, n);
	random_seam(&c->in[0]);
	c->attr.geglu = rng_chance(30);
	int64_t in = n[AXIS_C];
	n[AXIS_C] = random_channels(c, 1, c->big || c->even ? 160 : 50);
	int64_t rows = n[AXIS_C] * (c->attr.geglu ? 2 : 1);
	c->in[1] = value_vector(c->type, rows * in);
	c->in[1].matrix = true;
	c->out = value_of(c->type, axes, n);
	gen_epilogue(c, rows);
}

static inline void
gen_conv(Case *c)
{
	int64_t n[AXIS_MAX], taps = 1;
	AxisSet axes = random_axes(c, n, 4) | bit_c | AXIS_BIT(AXIS_W);
	n[AXIS_C] = c->big ? random_channels(c, 60, 140)
		: random_channels(c, 1, 20);
	c->in[0] = value_of(random_type(c), axes, n);
	random_seam(&c->in[0]);
	int64_t in = n[AXIS_C];
	AxisSet over = random_subset(axes & (AxisSet)~bit_c, 60);
	while (__builtin_popcount(over) > 3)
		over &= (AxisSet)(over - 1);
	if (!over)
		over = AXIS_BIT(AXIS_W);
	c->attr.over = over;
	for (int a = 0; a < AXIS_MAX; a++) {
		int i = over_index(over, a);
		if (!(over >> a & 1))
			continue;
		int64_t k = rng_int(1, 3), stride = rng_int(1, 2);
		int64_t before = rng_int(0, k - 1), after = rng_int(0, k - 1);
		if (n[a] + before + after < k)
			before = after = k - 1;
		c->attr.kernel[i] = (int32_t)k;
		c->attr.stride[i] = (int32_t)stride;
		c->attr.before[i] = (int32_t)before;
		c->attr.after[i] = (int32_t)after;
		n[a] = (n[a] + before + after - k) / stride + 1;
		taps *= k;
	}
	n[AXIS_C] = random_channels(c, 1, c->even ? 160 : c->big ? 100 : 40);
	c->in[1] = value_vector(c->type, n[AXIS_C] * in * taps);
	c->in[1].matrix = true;
	c->out = value_of(c->type, axes, n);
	gen_epilogue(c, n[AXIS_C]);
}

/* q has some of the axes, k and v others; those in `over` are summed. */
static inline void
gen_attend(Case *c)
{
	int64_t n[AXIS_MAX], nk[AXIS_MAX];
	AxisSet all = random_axes(c, n, 4) | AXIS_BIT(AXIS_H);
	AxisSet q = random_subset(all, 75), k = random_subset(all, 75);
	AxisSet over = random_subset(k, 60);
	if (!over) {
		over = AXIS_BIT(AXIS_H);
		k |= over;
	}
	c->attr.causal = rng_chance(25);
	if (c->attr.causal) {
		over &= (AxisSet)-over;
		q |= over;
	}
	memcpy(nk, n, sizeof nk);
	for (int a = 0; a < AXIS_MAX && !c->attr.causal; a++)
		if (over >> a & 1)
			nk[a] = rng_int(1, c->big ? 20 : 9);
	/* more keys than a device takes for few */
	if (c->even && !c->big && !c->attr.causal
		&& __builtin_popcount(over) == 1 && rng_chance(60))
		nk[__builtin_ctz(over)] = rng_int(33, 70);
	c->attr.over = over;
	c->attr.heads = (int32_t)rng_int(1, 3);
	static const int wide[] = {31, 40, 63, 64, 65, 128, 160, 255, 512};
	int64_t d = c->tiny ? 1 : rng_chance(30)
		? wide[rng_int(0, (int64_t)COUNT_OF(wide) - 1)]
		: rng_int(1, c->big ? 80 : 20);
	static const int usual[] = {40, 64, 80, 128, 160, 512};
	if (c->even)
		d = usual[rng_int(0, (int64_t)COUNT_OF(usual) - 1)];
	n[AXIS_C] = nk[AXIS_C] = c->attr.heads * d;
	c->attr.scale = 1 / sqrt((double)d);
	c->in[0] = value_of(c->type, q | bit_c, n);
	c->in[1] = value_of(c->type, k | bit_c, nk);
	if (rng_chance(20))     /* heads of v may be as wide as they like */
		nk[AXIS_C] = c->attr.heads * rng_int(1, 20);
	c->in[2] = value_of(c->type, k | bit_c, nk);
	n[AXIS_C] = nk[AXIS_C];
	c->out = value_of(c->type,
		q | (AxisSet)(k & ~over) | bit_c, n);
}

#endif
