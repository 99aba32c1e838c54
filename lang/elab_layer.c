/* elab_layer.c - ops that own weights, and attention. */
#include "lang/elab.h"

#include <math.h>
#include <string.h>

/* A weight along c: bias, gamma, beta. */
static uint32_t
vector_weight(OpCall *c, const char *suffix, int64_t n)
{
	Type t = {0};
	t.n[AXIS_C] = n;
	return node_weight(c->e, c, suffix, 1, &n, &t);
}

/* Extent of c, or 0 (reported). */
static int64_t
channels(OpCall *c, uint32_t x)
{
	const Type *t = node_type(c->e, x);
	char buf[256];
	if (t->axes >> AXIS_C & 1)
		return t->n[AXIS_C];
	elab_error(c->e, c->loc, arena_printf(c->e->arena, "it is %s",
		type_print(c->e->g, t, buf)), "the input has no axis c");
	return 0;
}

/* A float weight or activation is needed: i32 says so before a weight exists. */
static bool
float_input(OpCall *c, uint32_t x)
{
	if (node_type(c->e, x)->dtype != DT_I32)
		return true;
	elab_error(c->e, c->loc, NULL, "i32 tensors can only be cut and embedded");
	return false;
}

Value
op_linear(OpCall *c)
{
	Node n = {.op = OP_linear, .nin = 3};
	int64_t dim[2] = {0};
	bool bias = true;
	if (!arg_tensor(c, 0, &n.in[0]) || !arg_int(c, 1, 1, INT32_MAX, &dim[0])
		|| !arg_bool(c, 2, &bias) || !float_input(c, n.in[0]))
		return value_error();
	dim[1] = channels(c, n.in[0]);
	if (!dim[1])
		return value_error();
	n.in[1] = node_weight(c->e, c, "weight", 2, dim, NULL);
	if (bias && n.in[1])
		n.in[2] = vector_weight(c, "bias", dim[0]);
	if (!n.in[1] || (bias && !n.in[2]))
		return value_error();
	n.type.n[AXIS_C] = dim[0];
	return node_value(node_add(c->e, &n, c->loc));
}

/* ---- conv ---- */

typedef struct PerAxis {
	int32_t *first, *second;        /* one value for each axis of over; second
	                                   for the [before, after] of a pad */
	int64_t least;
} PerAxis;

static bool
bad_setting(OpCall *c, int i, const char *what)
{
	elab_error(c->e, arg_loc(c, i), NULL, "conv: '%s' is %s for each axis of "
		"'over'", c->def->formal[i], what);
	return false;
}

/* One axis's kernel, stride or pad. */
static bool
set_axis(OpCall *c, int i, const Value *v, int k, const PerAxis *p)
{
	const char *what = p->second ? "an int or [before, after], not negative,"
				     : "a positive int";
	if (v->kind == V_INT && v->i >= p->least && v->i <= INT16_MAX) {
		p->first[k] = (int32_t)v->i;
		if (p->second)
			p->second[k] = (int32_t)v->i;
		return true;
	}
	if (!p->second || v->kind != V_LIST || v->n != 2)
		return bad_setting(c, i, what);
	for (int64_t s = 0; s < 2; s++) {
		const Value *pad = &v->list->at[s];
		if (pad->kind != V_INT || pad->i < 0 || pad->i > INT16_MAX)
			return bad_setting(c, i, what);
		*(s ? &p->second[k] : &p->first[k]) = (int32_t)pad->i;
	}
	return true;
}

/* One value for all of `over`, or a map with one for each. */
static bool
set_axes(OpCall *c, int i, AxisSet over, const PerAxis *p)
{
	const Value *v = &c->arg[i];
	int n = __builtin_popcount(over);
	if (v->kind != V_MAP) {
		for (int k = 0; k < n; k++)
			if (!set_axis(c, i, v, k, p))
				return false;
		return true;
	}
	int seen = 0;
	for (int64_t m = 0; m < v->n; m++) {
		int axis = names_need_axis(c->e, v->list->key[m], arg_loc(c, i));
		if (axis < 0)
			return false;
		if (!(over >> axis & 1))
			return bad_setting(c, i, "a map with a value");
		if (!set_axis(c, i, &v->list->at[m], over_index(over, axis), p))
			return false;
		seen++;
	}
	return seen == n || bad_setting(c, i, "a map with a value");
}

static bool
conv_settings(OpCall *c, Node *n)
{
	Attr *a = &n->attr;
	int axes = __builtin_popcount(a->over);
	if (axes < 1 || axes > 3 || a->over >> AXIS_C & 1) {
		elab_error(c->e, arg_loc(c, 3), NULL,
			"conv works over one to three axes other than c");
		return false;
	}
	if (!set_axes(c, 2, a->over, &(PerAxis){a->kernel, NULL, 1}))
		return false;
	for (int k = 0; k < axes; k++) {
		a->stride[k] = 1;
		a->before[k] = a->after[k] = a->kernel[k] / 2;
	}
	return (!arg_given(c, 4) || set_axes(c, 4, a->over,
			&(PerAxis){a->stride, NULL, 1}))
		&& (!arg_given(c, 5) || set_axes(c, 5, a->over,
			&(PerAxis){a->before, a->after, 0}));
}

/* What would go wrong with the shapes, before a weight is made. */
static bool
conv_fits(OpCall *c, const Node *n)
{
	const Type *t = node_type(c->e, n->in[0]);
	char buf[256];
	for (int a = 0; a < AXIS_MAX; a++)
		if (n->attr.over >> a & 1 && !(t->axes >> a & 1)) {
			elab_error(c->e, c->loc, arena_printf(c->e->arena,
				"it is %s", type_print(c->e->g, t, buf)),
				"the input has no axis %s",
				c->e->g->axis_name[a]);
			return false;
		}
	return float_input(c, n->in[0]);
}

Value
op_conv(OpCall *c)
{
	Node n = {.op = OP_conv, .nin = 3};
	int64_t dim[WEIGHT_RANK_MAX] = {0};
	bool bias = true;
	if (!arg_tensor(c, 0, &n.in[0]) || !arg_int(c, 1, 1, INT32_MAX, &dim[0])
		|| !arg_over(c, 3, &n.attr.over) || !arg_bool(c, 6, &bias)
		|| !conv_settings(c, &n) || !conv_fits(c, &n))
		return value_error();
	int axes = __builtin_popcount(n.attr.over);
	dim[1] = channels(c, n.in[0]);
	if (!dim[1])
		return value_error();
	for (int k = 0; k < axes; k++)
		dim[2 + k] = n.attr.kernel[k];
	n.in[1] = node_weight(c->e, c, "weight", 2 + axes, dim, NULL);
	if (bias && n.in[1])
		n.in[2] = vector_weight(c, "bias", dim[0]);
	if (!n.in[1] || (bias && !n.in[2]))
		return value_error();
	n.type.n[AXIS_C] = dim[0];
	return node_value(node_add(c->e, &n, c->loc));
}

/* ---- norms ---- */

/* Elements that share one mean in norm_combine's input: what norm_stats has
 * reduced, so `over` without f and h, and a group's channels. */
static int64_t
unit_rows(const Type *x, AxisSet over, int64_t groups)
{
	int64_t rows = x->n[AXIS_C] / groups;
	for (int a = 0; a < AXIS_C; a++)
		if (over >> a & 1 && a != AXIS_F && a != AXIS_H)
			rows *= x->n[a];
	return rows;
}

Value
op_group_norm(OpCall *c)
{
	Elab *e = c->e;
	Node stats = {.op = OP_norm_stats, .nin = 1}, combine, apply;
	int64_t groups = 0;
	double eps = 1e-5;
	if (!arg_tensor(c, 0, &stats.in[0])
		|| !arg_int(c, 1, 1, INT32_MAX / 2, &groups)
		|| !arg_over(c, 2, &stats.attr.over) || !arg_number(c, 3, &eps))
		return value_error();
	if (stats.attr.over >> AXIS_C & 1)
		return elab_error(e, arg_loc(c, 2), NULL, "group_norm divides c "
			"into groups: 'over' names the other axes");
	uint32_t x = stats.in[0];
	stats.attr.groups = (int32_t)groups;
	combine = (Node){.op = OP_norm_combine, .nin = 1, .attr = stats.attr};
	combine.in[0] = node_add(e, &stats, c->loc);
	if (!combine.in[0])
		return value_error();
	combine.attr.eps = eps;
	combine.attr.rows = unit_rows(node_type(e, x), stats.attr.over, groups);
	apply = (Node){.op = OP_norm_apply, .nin = 4, .in = {x}};
	apply.in[1] = node_add(e, &combine, c->loc);
	apply.attr.groups = (int32_t)groups;
	apply.in[2] = vector_weight(c, "weight", node_type(e, x)->n[AXIS_C]);
	if (!apply.in[2])
		return value_error();
	apply.in[3] = vector_weight(c, "bias", node_type(e, x)->n[AXIS_C]);
	return node_value(node_add(e, &apply, c->loc));
}

Value
op_layer_norm(OpCall *c)
{
	Node n = {.op = OP_layer_norm, .nin = 3};
	n.attr.eps = 1e-5;
	if (!arg_tensor(c, 0, &n.in[0]) || !arg_number(c, 1, &n.attr.eps)
		|| !float_input(c, n.in[0]))
		return value_error();
	int64_t ch = channels(c, n.in[0]);
	n.in[1] = ch ? vector_weight(c, "weight", ch) : 0;
	n.in[2] = n.in[1] ? vector_weight(c, "bias", ch) : 0;
	return node_value(node_add(c->e, &n, c->loc));
}

/* ---- tables ---- */

/* The index that x is, seen through views; 0: x is none. */
static uint32_t
index_of(const Elab *e, uint32_t x)
{
	const Node *n = &e->g->nodes.at[x];
	while (op_info[n->op].flags & OPF_VIEW && n->nin == 1) {
		x = n->in[0];
		n = &e->g->nodes.at[x];
	}
	return n->op == OP_index ? x : 0;
}

Value
op_embed(OpCall *c)
{
	Elab *e = c->e;
	Node n = {.op = OP_embed, .nin = 2};
	int64_t dim[2] = {0};
	if (!arg_tensor(c, 0, &n.in[0]) || !arg_int(c, 1, 1, INT32_MAX, &dim[0])
		|| !arg_int(c, 2, 1, INT32_MAX, &dim[1]))
		return value_error();
	uint32_t index = index_of(e, n.in[0]);
	if (node_type(e, n.in[0])->dtype != DT_I32 && !index)
		return elab_error(e, arg_loc(c, 0), NULL,
			"embed reads i32 or an index, this is %s",
			value_describe(e, &c->arg[0]));
	if (index) {
		int axis = e->g->nodes.at[index].attr.axis;
		int64_t most = node_type(e, index)->n[axis];
		if (most > dim[0])
			return elab_error(e, c->loc, NULL, "axis %s is %lld "
				"long, the table has %lld rows",
				e->g->axis_name[axis], (long long)most,
				(long long)dim[0]);
	}
	n.attr.rows = dim[0];
	n.type.n[AXIS_C] = dim[1];
	n.in[1] = node_weight(e, c, "weight", 2, dim, NULL);
	return node_value(node_add(e, &n, c->loc));
}

Value
op_weight(OpCall *c)
{
	Type t = {0};
	int64_t dim[WEIGHT_RANK_MAX];
	int rank = 0;
	Otherwise otherwise = OTHERWISE_MISSING;
	if (c->extra.n > WEIGHT_RANK_MAX)
		return elab_error(c->e, c->loc, NULL,
			"a weight has at most %d axes", WEIGHT_RANK_MAX);
	for (int i = 0; i < c->extra.n; i++)
		if (!extra_extent(c, i, &t.n[c->extra.axis[i]]))
			return value_error();
	for (int a = 0; a < AXIS_MAX; a++)
		if (t.n[a])
			dim[rank++] = t.n[a];
	if (arg_given(c, 0)) {
		if (c->arg[0].kind != V_STRING
			|| strcmp(c->arg[0].s, "sinusoid"))
			return elab_error(c->e, c->loc, NULL, "'otherwise' is "
				"\"sinusoid\", this is %s",
				value_describe(c->e, &c->arg[0]));
		if (rank != 2 || !t.n[AXIS_C])
			return elab_error(c->e, c->loc, NULL, "a table of "
				"sinusoids has an axis of positions and c");
		otherwise = OTHERWISE_SINUSOID;
	}
	uint32_t node = node_weight(c->e, c, NULL, rank, dim, &t);
	if (node)
		c->e->g->weights.at[c->e->g->nodes.at[node].ref].otherwise =
			otherwise;
	return node_value(node);
}

/* ---- attention ---- */

Value
op_attend(OpCall *c)
{
	Node n = {.op = OP_attend, .nin = 3};
	int64_t heads = 1;
	bool causal = false;
	for (int i = 0; i < 3; i++)
		if (!arg_tensor(c, i, &n.in[i]))
			return value_error();
	if (c->arg[6].kind == V_NONE)
		c->arg[6] = (Value){0};
	if (!arg_over(c, 3, &n.attr.over)
		|| !arg_int(c, 4, 1, INT32_MAX, &heads)
		|| !arg_bool(c, 5, &causal) || !arg_number(c, 6, &n.attr.scale))
		return value_error();
	if (!n.attr.over || n.attr.over >> AXIS_C & 1)
		return elab_error(c->e, arg_loc(c, 3), NULL, "attend works over "
			"one or more axes other than c");
	n.attr.heads = (int32_t)heads;
	n.attr.causal = causal;
	double d = (double)node_type(c->e, n.in[0])->n[AXIS_C] / (double)heads;
	if (!arg_given(c, 6) && d > 0)
		n.attr.scale = 1 / sqrt(d);
	return node_value(node_add(c->e, &n, c->loc));
}
