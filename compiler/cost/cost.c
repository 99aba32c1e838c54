/* cost.c - counts the work of a node.
 *
 * The counts follow what kernels walk over, not how fast they are: a product
 * goes tile by tile over its rows and reads all weights once for each panel of
 * rows, an attention turns its keys for each tile of queries, a norm reads its
 * input.  How the slices lie is not known here, only how many there are: they
 * are taken to cut rows and queries evenly.
 */
#include "compiler/cost/cost.h"

#include <math.h>
#include <string.h>

enum {
	TILE = 64,              /* rows of a tile, edge of a block of weights */
	RUN_ENOUGH = 24,        /* rows side by side that make a good tile */
	PANEL = 256,            /* rows that share one walk over the weights */
	LANES = 8,              /* keys are padded to a multiple of it */
	VECTOR = 32,            /* output channels are, too */
};

const CostTermInfo cost_term[COST_COUNT] = {
#define TERM(name, least, most, doc) {#name, least, most, doc},
#include "compiler/cost/cost.def"
};

static const Type *
operand(const Graph *g, const Node *n, int k)
{
	return k < n->nin && n->in[k] ? &g->nodes.at[n->in[k]].type : NULL;
}

static double
elements(const Type *t)
{
	return t ? (double)type_elements(t) : 0;
}

/* Indices of a value, all axes of the set together. */
static double
extents(const Type *t, AxisSet axes)
{
	double n = 1;
	for (int a = 0; a < AXIS_MAX; a++)
		if (t->axes >> a & axes >> a & 1)
			n *= (double)t->n[a];
	return n;
}

/* Elements read and written, each once, in bytes. */
static double
all_bytes(const Graph *g, const Node *n)
{
	double bytes = (double)type_bytes(&n->type);
	for (int k = 0; k < n->nin; k++) {
		const Type *t = operand(g, n, k);
		/* an operand is a value that the result repeats at most */
		if (t)
			bytes += fmin((double)type_bytes(t),
				elements(&n->type)
				* (double)dtype_bytes(t->dtype));
	}
	return bytes;
}

static void
count_act(Act act, double count, double *u)
{
	if (act == ACT_SILU || act == ACT_SIGMOID)
		u[COST_act_exp] += count;
	else if (act == ACT_GELU || act == ACT_GELU_TANH)
		u[COST_act_gelu] += count;
}

/* ---- linear and conv ---- */

/* Rows that lie side by side with the same taps: all of a linear op; of a
 * convolution the inner ones of its last axis or, when they are few, those of
 * the longest axis. */
static double
run_of_rows(const Node *n, double rows)
{
	double run = 0;
	if (n->op == OP_linear)
		return rows;
	for (int a = AXIS_C; a-- > 0;) {
		int64_t extent = n->type.n[a];
		if (!(n->type.axes >> a & 1))
			continue;
		if (n->attr.over >> a & 1) {
			int i = over_index(n->attr.over, a);
			extent -= n->attr.before[i] + n->attr.after[i];
		}
		double most = run ? RUN_ENOUGH : (double)extent;
		run = fmax(run, fmin((double)extent, most));
		if (run >= RUN_ENOUGH)
			break;
	}
	return fmax(run, 1);
}

static void
count_matrix(const Graph *g, const Node *n, double slices, double *u)
{
	double channels = (double)operand(g, n, 0)->n[AXIS_C], taps = 1;
	double out = elements(&n->type) * (n->attr.geglu ? 2 : 1);
	double rows = elements(&n->type) / (double)n->type.n[AXIS_C];
	double outs = out / rows;
	for (int i = 0; i < __builtin_popcount(n->attr.over); i++)
		taps *= n->op == OP_conv ? n->attr.kernel[i] : 1;
	double width = fmin(run_of_rows(n, rows), rows / slices);
	double tiles = rows / fmin(fmax(width, 1), TILE);
	double blocks = taps * ceil(channels / TILE) * ceil(outs / TILE);
	u[COST_matrix_mac] = rows * ceil(outs / VECTOR) * VECTOR * channels
		* taps;
	u[COST_matrix_tile] = tiles * blocks;
	u[COST_matrix_weight] = outs * channels * taps
		* fmax(slices, rows / PANEL);
	u[COST_matrix_out] = out;
	if (n->attr.geglu)
		u[COST_act_gelu] = out / 2;
	count_act((Act)n->attr.act, out, u);
}

/* ---- attention ---- */

/* The part of all scores that a causal mask leaves to be computed: a tile of
 * queries reads keys up to its last query's. */
static double
visible(const Node *n, double keys)
{
	double tiles = ceil(keys / TILE), seen = 0;
	if (!n->attr.causal)
		return 1;
	seen = TILE * tiles * (tiles - 1) / 2 + keys;
	return seen / (tiles * keys);
}

/* For every index of the batch axes (those of k but the ones attended over) and
 * every head there is a problem of its own.  Slices beyond the batch cut
 * queries. */
static void
count_attend(const Graph *g, const Node *n, double slices, double *u)
{
	const Type *q = operand(g, n, 0), *k = operand(g, n, 1);
	const Type *v = operand(g, n, 2);
	AxisSet rows = (AxisSet)~AXIS_BIT(AXIS_C), over = n->attr.over;
	AxisSet batch_axes = k->axes & (AxisSet)~over & rows;
	double heads = n->attr.heads > 0 ? n->attr.heads : 1;
	double keys = extents(k, over);
	double batch = extents(&n->type, batch_axes);
	double queries = extents(&n->type, rows & (AxisSet)~batch_axes);
	double d = (double)q->n[AXIS_C] / heads;
	double dv = (double)v->n[AXIS_C] / heads;
	double tiles = fmax(fmax(queries / TILE, slices / batch), 1);
	double tasks = batch * heads * tiles, seen = visible(n, keys);
	double scores = batch * heads * queries * seen
		* ceil(keys / LANES) * LANES;
	u[COST_attend_mac] = scores * (d + dv);
	u[COST_attend_score] = scores;
	u[COST_attend_key] = tasks * seen * keys * (d + dv);
	u[COST_attend_out] = batch * queries * heads * (d + dv);
	u[COST_attend_task] = tasks;
}

/* ---- the others ---- */

static void
count_moved(const Graph *g, const Node *n, double *u)
{
	u[COST_move_byte] = all_bytes(g, n);
}

static void
count_each(const Graph *g, const Node *n, Act act, double *u)
{
	u[COST_each_byte] = all_bytes(g, n);
	count_act(act, elements(&n->type), u);
}

/* The element type that says how fast a node goes: of its data, for results are
 * f32 in places where only their data is not. */
static DType
storage(const Graph *g, const Node *n)
{
	const Type *x = operand(g, n, 0);
	DType t = x && x->dtype <= DT_BF16 ? x->dtype : n->type.dtype;
	return t <= DT_BF16 ? t : DT_F32;
}

/* No default: an op without a count does not compile without a warning. */
static void
count(const Graph *g, const Node *n, double slices, double *u)
{
	double in = elements(operand(g, n, 0)), out = elements(&n->type);
	switch (n->op) {
	case OP_linear: case OP_conv:
		count_matrix(g, n, slices, u);
		break;
	case OP_attend:
		count_attend(g, n, slices, u);
		break;
	case OP_norm_stats:
		u[COST_norm_stats] = in;
		break;
	case OP_norm_combine:
		u[COST_norm_combine] = in;
		break;
	case OP_norm_apply:
		u[COST_norm_apply] = out;
		count_act((Act)n->attr.act, out, u);
		break;
	case OP_layer_norm:
		u[COST_layer_norm] = out;
		break;
	case OP_add: case OP_sub: case OP_mul: case OP_div: case OP_clamp:
	case OP_blend: case OP_sample:
		count_each(g, n, ACT_NONE, u);
		break;
	case OP_sinusoid:
		u[COST_sinusoid] = out;
		break;
	case OP_silu: case OP_sigmoid:
		count_each(g, n, ACT_SILU, u);
		break;
	case OP_gelu: case OP_gelu_tanh: case OP_geglu:
		count_each(g, n, ACT_GELU, u);
		break;
	case OP_embed: case OP_copy: case OP_fill: case OP_resize:
	case OP_index: case OP_concat:
		count_moved(g, n, u);
		break;
	case OP_input: case OP_weight: case OP_table: case OP_carry:
	case OP_at: case OP_merge: case OP_expand: case OP_join: case OP_rehash:
	case OP_NONE: case OP_COUNT:
		break;
	}
}

DType
cost_units(const Graph *g, const Node *n, int64_t slices,
	double units[COST_COUNT])
{
	memset(units, 0, COST_COUNT * sizeof *units);
	if (op_info[n->op].flags & (OPF_LEAF | OPF_VIEW))
		return DT_F32;
	units[COST_launch] = (double)slices;
	count(g, n, (double)slices, units);
	return storage(g, n);
}

double
cost_node(const Profile *c, const Graph *g, const Node *n, int64_t slices)
{
	double units[COST_COUNT], sum = 0;
	const double *seconds = c->seconds[cost_units(g, n, slices, units)];
	for (int i = 0; i < COST_COUNT; i++)
		sum += units[i] * seconds[i];
	return sum;
}

double
cost_load(const Profile *c, DType dtype, int64_t bytes)
{
	const double *s = c->seconds[dtype <= DT_BF16 ? dtype : DT_F32];
	return s[COST_load_call] + (double)bytes * s[COST_load_byte];
}
