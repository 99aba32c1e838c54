/* elab_view.c - ops that choose, join, rename or make axes. */
#include "lang/elab.h"

#include <string.h>

static bool
has(const Elab *e, uint32_t x, int axis)
{
	return node_type(e, x)->axes >> axis & 1;
}

static Value
no_axis(OpCall *c, uint32_t x, int axis)
{
	char buf[256];
	return elab_error(c->e, c->loc, arena_printf(c->e->arena, "it is %s",
		type_print(c->e->g, node_type(c->e, x), buf)),
		"the input has no axis %s", c->e->g->axis_name[axis]);
}

/* Some axis=value argument is needed. */
static bool
needs_axis(OpCall *c)
{
	if (c->extra.n)
		return true;
	elab_error(c->e, c->call->at, NULL, "%s needs argument 'axis'",
		c->def->name);
	return false;
}

/* ---- at ---- */

static uint32_t
at_node(Elab *e, uint32_t x, int axis, int64_t begin, int64_t end, Loc loc)
{
	Node n = {.op = OP_at, .nin = 1, .in = {x}};
	n.attr.axis = (uint8_t)axis;
	n.attr.begin = begin;
	n.attr.end = end;
	return node_add(e, &n, loc);
}

Value
op_at(OpCall *c)
{
	Elab *e = c->e;
	uint32_t x;
	if (!arg_tensor(c, 0, &x) || !needs_axis(c))
		return value_error();
	for (int i = 0; i < c->extra.n && x; i++) {
		const Value *v = &c->extra.value[i];
		int axis = c->extra.axis[i];
		const char *name = e->g->axis_name[axis];
		long long extent = node_type(e, x)->n[axis];
		if (v->kind != V_INT && v->kind != V_RANGE)
			return elab_error(e, c->extra.at[i]->loc, NULL,
				"at: %s is an int or a range, this is %s", name,
				value_describe(e, v));
		if (!has(e, x, axis))
			return no_axis(c, x, axis);
		if (v->kind == V_RANGE && v->n < 0)
			return elab_error(e, c->extra.at[i]->loc, NULL,
				"at: %s=%lld..%lld is outside 0..%lld", name,
				(long long)v->i, (long long)v->n, extent);
		x = at_node(e, x, axis, v->i, v->kind == V_INT ? -1 : v->n,
			c->loc);
	}
	return node_value(x);
}

/* ---- concat ---- */

static uint32_t
fill_node(Elab *e, const Type *t, double value, Loc loc)
{
	Node n = {.op = OP_fill, .type = *t};
	n.attr.scalar = value;
	return node_add(e, &n, loc);
}

/* x repeated along the new axes n, whose extents are given.  Views do not
 * repeat channels: they are made, by a product with ones. */
static uint32_t
expand_node(Elab *e, uint32_t x, const int64_t n[AXIS_MAX], Loc loc)
{
	Node view = {.op = OP_expand, .nin = 1, .in = {x}};
	Type ones = {.dtype = node_type(e, x)->dtype};
	memcpy(view.type.n, n, sizeof view.type.n);
	if (n[AXIS_C] > 1) {
		ones.n[AXIS_C] = n[AXIS_C];
		view.type.n[AXIS_C] = 0;
	}
	bool more = false;
	for (int a = 0; a < AXIS_MAX; a++)
		more |= view.type.n[a] != 0;
	if (more)
		x = node_add(e, &view, loc);
	if (!x || !ones.n[AXIS_C])
		return x;
	return node_binary(e, OP_mul, x, fill_node(e, &ones, 1, loc), loc);
}

static uint32_t
expand_to(Elab *e, uint32_t x, const Type *want, Loc loc)
{
	int64_t n[AXIS_MAX] = {0};
	AxisSet missing = want->axes & (AxisSet)~node_type(e, x)->axes;
	for (int a = 0; a < AXIS_MAX; a++)
		if (missing >> a & 1)
			n[a] = want->n[a];
	return missing ? expand_node(e, x, n, loc) : x;
}

/* Along c: a join, whose parts have one element type. */
static uint32_t
join_pair(Elab *e, uint32_t x, uint32_t y, Loc loc)
{
	DType p = node_type(e, x)->dtype, q = node_type(e, y)->dtype;
	if (p != q && p != DT_I32 && q != DT_I32) {
		if (p != e->g->dtype)
			x = node_copy(e, x, e->g->dtype, loc);
		if (q != e->g->dtype)
			y = node_copy(e, y, e->g->dtype, loc);
	}
	return node_binary(e, OP_join, x, y, loc);
}

static uint32_t
concat_pair(Elab *e, uint32_t x, uint32_t y, int axis, Loc loc)
{
	if (axis == AXIS_C)
		return join_pair(e, x, y, loc);
	Node n = {.op = OP_concat, .nin = 2, .in = {x, y}};
	n.attr.axis = (uint8_t)axis;
	return y ? node_add(e, &n, loc) : 0;
}

/* The axes that all operands have together, the joined one with extent 1.
 * Extents of shared axes must agree; false: reported. */
static bool
common_type(Elab *e, const Value *v, int64_t n, int axis, Loc loc, Type *t)
{
	bool f32 = true;
	const Type *first[AXIS_MAX] = {0};
	char left[256], right[256];
	for (int64_t i = 0; i < n; i++) {
		if (v[i].kind != V_TENSOR)
			continue;
		const Type *x = node_type(e, (uint32_t)v[i].i);
		f32 &= x->dtype == DT_F32;
		for (int a = 0; a < AXIS_MAX; a++) {
			if (!(x->axes >> a & 1) || a == axis)
				continue;
			if (first[a] && first[a]->n[a] != x->n[a]) {
				elab_error(e, loc, arena_printf(e->arena,
					"left is %s, right is %s",
					type_print(e->g, first[a], left),
					type_print(e->g, x, right)),
					"axis %s is %lld on the left and %lld "
					"on the right", e->g->axis_name[a],
					(long long)first[a]->n[a],
					(long long)x->n[a]);
				return false;
			}
			first[a] = x;
			t->axes |= AXIS_BIT(a);
			t->n[a] = x->n[a];
		}
	}
	t->axes |= AXIS_BIT(axis);
	t->n[axis] = 1;
	t->dtype = f32 ? DT_F32 : e->g->dtype;
	return true;
}

/* A tensor with all axes it needs, from operand v. */
static uint32_t
concat_operand(Elab *e, const Value *v, int axis, const Type *common, Loc loc)
{
	if (v->kind != V_TENSOR) {
		Type t = *common;
		if (axis == AXIS_C) {           /* a join broadcasts */
			t = (Type){.dtype = common->dtype};
			t.n[AXIS_C] = 1;
		}
		return fill_node(e, &t, value_number(v), loc);
	}
	uint32_t x = (uint32_t)v->i;
	Type want = *common;
	if (axis == AXIS_C) {
		want = (Type){.axes = AXIS_BIT(AXIS_C)};
		want.n[AXIS_C] = 1;
	}
	return expand_to(e, x, &want, loc);
}

static Value
concat_values(Elab *e, const Value *v, int64_t n, int axis, Loc loc)
{
	Type common = {0};
	uint32_t all = 0;
	bool tensors = false;
	for (int64_t i = 0; i < n; i++) {
		if (v[i].kind == V_ERROR)
			return value_error();
		if (v[i].kind != V_TENSOR && !value_is_number(&v[i]))
			return elab_error(e, loc, NULL, "concat joins tensors "
				"and numbers, this is %s",
				value_describe(e, &v[i]));
		tensors |= v[i].kind == V_TENSOR;
	}
	if (!tensors)
		return elab_error(e, loc, NULL, n ? "concat needs a tensor "
			"among its operands" : "concat needs argument 'x'");
	if (!common_type(e, v, n, axis, loc, &common))
		return value_error();
	for (int64_t i = 0; i < n; i++) {
		uint32_t x = concat_operand(e, &v[i], axis, &common, loc);
		all = i ? all ? concat_pair(e, all, x, axis, loc) : 0 : x;
	}
	return node_value(all);
}

/* concat(x, y, ..., over=c), concat(list, over=c): any number of operands, so
 * it collects its arguments itself. */
Value
op_concat(Elab *e, const Ast *call)
{
	size_t base = e->stack.n, operands;
	Loc loc = {call->at.file, call->at.begin, call->loc.end};
	int axis = AXIS_C;
	Value list = value_error();
	for (const Ast *arg = call->list; arg; arg = arg->next) {
		bool named = arg->kind == A_ARG;
		Value v = eval(e, named ? arg->a : arg);
		if (named && strcmp(arg->name, "over"))
			v = elab_error(e, arg->at, NULL,
				"concat has no argument '%s'", arg->name);
		else if (named && v.kind == V_AXIS)
			axis = (int)v.i;
		else if (named && v.kind != V_ERROR)
			v = elab_error(e, arg->loc, NULL, "argument 'over' of "
				"concat is an axis, this is %s",
				value_describe(e, &v));
		if (named && v.kind != V_ERROR)
			continue;
		*vec_push(&e->stack) = v;
	}
	operands = e->stack.n - base;
	if (operands == 1)
		list = e->stack.at[base];
	if (list.kind == V_LIST)
		list = concat_values(e, list.list->at, list.n, axis, loc);
	else if (operands) {
		/* the stack may move while nodes are made: take a copy */
		Value *copy = arena_array(e->arena, operands, sizeof *copy);
		memcpy(copy, e->stack.at + base, operands * sizeof *copy);
		list = concat_values(e, copy, (int64_t)operands, axis, loc);
	} else
		list = concat_values(e, NULL, 0, axis, loc);
	e->stack.n = base;
	return list;
}

/* ---- merge ---- */

/* Whether walking the axes of x upwards meets the merged ones in the order given
 * and without another between: then merging moves no bytes. */
static bool
mergeable(const Type *x, const int *axis, int n)
{
	for (int i = 1; i < n; i++) {
		if (axis[i] < axis[i - 1])
			return false;
		for (int a = axis[i - 1] + 1; a < axis[i]; a++)
			if (x->axes >> a & 1)
				return false;
	}
	return true;
}

/* A view whose strides may have holes, or repeat elements. */
static bool
strided(const Elab *e, uint32_t x)
{
	Op op = e->g->nodes.at[x].op;
	if (op == OP_rehash)
		return strided(e, e->g->nodes.at[x].in[0]);
	return op == OP_at || op == OP_expand || op == OP_join;
}

/* Merges n axes, the first slowest.  What is no view is made of slices along
 * the first axis, joined. */
static uint32_t
merge_axes(OpCall *c, uint32_t x, const int *axis, int n, int target)
{
	Elab *e = c->e;
	if (mergeable(node_type(e, x), axis, n)) {
		Node m = {.op = OP_merge, .nin = 1};
		if (n > 1 && strided(e, x))
			x = node_copy(e, x, node_type(e, x)->dtype, c->loc);
		m.in[0] = x;
		m.attr.axis = (uint8_t)target;
		for (int i = 0; i < n; i++)
			m.attr.over |= AXIS_BIT(axis[i]);
		return node_add(e, &m, c->loc);
	}
	uint32_t all = 0;
	for (int64_t i = 0; i < node_type(e, x)->n[axis[0]]; i++) {
		uint32_t part = at_node(e, x, axis[0], i, -1, c->loc);
		if (part)
			part = merge_axes(c, part, axis + 1, n - 1, target);
		all = i ? concat_pair(e, all, part, target, c->loc) : part;
		if (!all)
			break;
	}
	return all;
}

Value
op_merge(OpCall *c)
{
	Elab *e = c->e;
	uint32_t x;
	AxisSet over;
	int axis[AXIS_MAX], n = 0;
	if (!arg_tensor(c, 0, &x) || !arg_over(c, 1, &over))
		return value_error();
	if (c->arg[2].kind != V_AXIS)
		return elab_error(e, arg_loc(c, 2), NULL, "argument 'axis' of "
			"merge is an axis, this is %s",
			value_describe(e, &c->arg[2]));
	int target = (int)c->arg[2].i;
	if (c->arg[1].kind == V_AXIS)
		axis[n++] = (int)c->arg[1].i;
	else
		for (; n < c->arg[1].n; n++)
			axis[n] = (int)c->arg[1].list->at[n].i;
	if (!n)
		return elab_error(e, arg_loc(c, 1), NULL,
			"merge needs an axis to merge");
	for (int i = 0; i < n; i++)
		if (!has(e, x, axis[i]))
			return no_axis(c, x, axis[i]);
	if (has(e, x, target) && !(over >> target & 1))
		return elab_error(e, c->loc, NULL,
			"merge: the input has an axis %s already",
			e->g->axis_name[target]);
	return node_value(merge_axes(c, x, axis, n, target));
}

/* ---- expand, resize ---- */

Value
op_expand(OpCall *c)
{
	uint32_t x = 0;
	int64_t n[AXIS_MAX] = {0};
	if (!arg_tensor(c, 0, &x) || !needs_axis(c))
		return value_error();
	for (int i = 0; i < c->extra.n; i++) {
		int axis = c->extra.axis[i];
		if (has(c->e, x, axis))
			return elab_error(c->e, c->loc, NULL, "expand: the input "
				"has an axis %s already",
				c->e->g->axis_name[axis]);
		if (!extra_extent(c, i, &n[axis]))
			return value_error();
	}
	return node_value(expand_node(c->e, x, n, c->loc));
}

Value
op_resize(OpCall *c)
{
	Elab *e = c->e;
	Node n = {.op = OP_resize, .nin = 1};
	if (!arg_tensor(c, 0, &n.in[0]) || !needs_axis(c))
		return value_error();
	for (int i = 0; i < c->extra.n; i++) {
		int axis = c->extra.axis[i];
		int64_t extent;
		if (!has(e, n.in[0], axis))
			return no_axis(c, n.in[0], axis);
		if (axis == AXIS_C)
			return elab_error(e, c->extra.at[i]->loc, NULL,
				"resize works over axes other than c");
		if (!extra_extent(c, i, &extent))
			return value_error();
		if (extent == node_type(e, n.in[0])->n[axis])
			continue;
		n.attr.over |= AXIS_BIT(axis);
		n.type.n[axis] = extent;
	}
	return n.attr.over ? node_value(node_add(e, &n, c->loc))
			   : value_tensor(n.in[0]);
}

/* ---- making ---- */

Value
op_index(OpCall *c)
{
	Node n = {.op = OP_index};
	if (c->extra.n > 1)
		return elab_error(c->e, c->call->at, NULL,
			"index takes 1 argument, %d given", c->extra.n);
	if (!needs_axis(c))
		return value_error();
	n.attr.axis = (uint8_t)c->extra.axis[0];
	if (!extra_extent(c, 0, &n.type.n[n.attr.axis]))
		return value_error();
	return node_value(node_add(c->e, &n, c->loc));
}

Value
op_sinusoid(OpCall *c)
{
	Node n = {.op = OP_sinusoid, .nin = 1};
	bool sin_first = false, interleave = false;
	if (!arg_tensor(c, 0, &n.in[0])
		|| !arg_int(c, 1, 1, INT32_MAX, &n.type.n[AXIS_C])
		|| !arg_bool(c, 2, &sin_first) || !arg_bool(c, 3, &interleave))
		return value_error();
	n.attr.sin_first = sin_first;
	n.attr.interleave = interleave;
	return node_value(node_add(c->e, &n, c->loc));
}

/* ---- rehash ---- */

Value
op_rehash(OpCall *c)
{
	Elab *e = c->e;
	Node n = {.op = OP_rehash, .nin = 1};
	if (!arg_tensor(c, 0, &n.in[0]))
		return value_error();
	if (c->arg[1].kind != V_STRING)
		return elab_error(e, arg_loc(c, 1), NULL, "argument 'name' of "
			"rehash is a string, this is %s",
			value_describe(e, &c->arg[1]));
	const char *name = c->arg[1].s;
	const char *component = e->frame->instance->component;
	if (!elab_work(e, c->loc, (int64_t)e->rehash_names.n / 8))
		return value_error();
	for (size_t i = 0; i < e->rehash_names.n; i += 2)
		if (!strcmp(e->rehash_names.at[i], component)
			&& !strcmp(e->rehash_names.at[i + 1], name))
			return elab_error(e, c->loc, NULL,
				"two rehash points are called '%s'", name);
	*vec_push(&e->rehash_names) = component;
	*vec_push(&e->rehash_names) = name;
	n.ref = (uint32_t)e->g->strings.n;
	*vec_push(&e->g->strings) = name;
	return node_value(node_add(e, &n, c->loc));
}
