/* verify_ops.c - gate 2, op by op: channels, extents, attributes, weights and
 * workspaces.
 *
 * What ops.def's rules say (same, window, whole) has been checked in verify.c;
 * here stands what they do not say.  An axis that an operand lacks counts as
 * one index.
 */
#include "vm/gates/verify.h"
#include "kernels/kernels.h"

#include <string.h>


static const Part *
result(const Verify *v)
{
	return &v->arg[0].part[0];
}

static int64_t
result_channels(const Verify *v)
{
	return part_extent(result(v), AXIS_C);
}

/* All channels of the result at once. */
static bool
result_whole(const Verify *v)
{
	if (!part_whole(v, result(v), AXIS_C))
		return refuse(v, "the result has not the whole of its channels");
	return true;
}

/* A dense row of n numbers: axis c, and perhaps the row of a step. */
static bool
is_vector(const Verify *v, int operand, int64_t n, bool step)
{
	const Part *x = &v->arg[operand].part[0];
	AxisSet other = (AxisSet)(x->axes & ~AXIS_BIT(AXIS_C));
	if (step)
		other &= (AxisSet)~AXIS_BIT(AXIS_STEP);
	if (other || part_extent(x, AXIS_C) != n)
		return refuse(v, "operand %d must be %lld numbers along c",
			operand, (long long)n);
	return true;
}

static bool
is_f32(const Verify *v, int operand)
{
	DType t = v->arg[operand].part[0].dtype;
	return t == DT_F32 || refuse(v, "operand %d is %s, not f32", operand,
		dtype_name(t));
}

static bool
divides(const Verify *v, int64_t n, int64_t into, const char *what)
{
	if (into < 1 || n % into)
		return refuse(v, "%lld channels do not divide into %lld %s",
			(long long)n, (long long)into, what);
	return true;
}

/* ---- matrix work ---- */

/* An operand as far as shapes go. */
static Operand
shape_of(const Verify *v, const Arg *x)
{
	Operand o = {.parts = x->parts};
	for (int k = 0; k < x->parts; k++) {
		View *to = &o.part[k];
		to->dtype = x->part[k].dtype;
		to->axes = x->part[k].axes;
		for (int a = 0; a < AXIS_MAX; a++) {
			const PlanDim *d = x->part[k].dim[a];
			to->n[a] = part_most(v, &x->part[k], a);
			to->full[a] = part_extent(&x->part[k], a);
			to->stride[a] = d ? d->stride : 0;
		}
	}
	return o;
}

/* One dense run of bytes, at the start of a buffer of its own, long enough. */
static bool
check_work(const Verify *v)
{
	int nin = op_nin(v->op);
	Operand args[OPERANDS_MAX + 1];
	for (int i = 0; i <= nin; i++)
		args[i] = shape_of(v, &v->arg[i]);
	int64_t need = v->target->work_bytes(v->op, args, v->attr,
		(int)v->p->head.threads), have = 0;
	const Arg *w = &v->arg[nin + 1];
	if (w->parts) {
		const Part *x = &w->part[0];
		if (x->role != BUF_WORK || x->view->base
			|| x->axes != AXIS_BIT(AXIS_C)
			|| x->dim[AXIS_C]->stride != 1
			|| affine_least(v, &x->dim[AXIS_C]->origin)
			|| affine_most(v, &x->dim[AXIS_C]->origin)
			|| !part_whole(v, x, AXIS_C))
			return refuse(v, "its workspace is no plain buffer");
		have = part_extent(x, AXIS_C) * dtype_bytes(x->dtype);
	}
	if (have < need)
		return refuse(v, "its workspace has %lld bytes, %lld are needed",
			(long long)have, (long long)need);
	return true;
}

static int64_t
layout_elements(const MatrixLayout *m)
{
	int64_t rows = m->rows[0] + m->rows[1], cols = m->cols[0] + m->cols[1];
	int64_t n;
	if (!mul_ok(rows, cols, &n) || !mul_ok(n, m->taps, &n))
		return 0;
	return n;
}

/* The matrix is a weight that was packed the way the kernel reads it. */
static bool
check_matrix(const Verify *v, const MatrixLayout *m)
{
	const Part *x = &v->arg[2].part[0];
	uint32_t w = v->weight_of[x->view->buffer];
	if (w == PLAN_NONE || x->view->base)
		return refuse(v, "its matrix is no weight");
	const PlanWeight *have = &v->p->weights[w];
	if (have->layout == LAYOUT_PLAIN || have->taps != m->taps
		|| have->rows[0] != m->rows[0] || have->rows[1] != m->rows[1]
		|| have->cols[0] != m->cols[0] || have->cols[1] != m->cols[1])
		return refuse(v, "weight '%.120s' is packed for another shape",
			v->p->strings + have->name);
	return is_vector(v, 2, layout_elements(m), false);
}

/* linear and conv: x w bias row add workspace */
static bool
check_product(const Verify *v, int64_t taps)
{
	int64_t rows = result_channels(v);
	int parts = v->arg[1].parts;
	MatrixLayout m = {.rows = {rows, v->attr->geglu ? rows : 0},
		.cols = {part_extent(&v->arg[1].part[0], AXIS_C),
			parts == 2 ? part_extent(&v->arg[1].part[1], AXIS_C) : 0},
		.taps = taps};
	for (int k = 0; k < parts; k++)
		if (!part_whole(v, &v->arg[1].part[k], AXIS_C))
			return refuse(v, "operand 1 has not the whole of its "
				"channels");
	if (v->attr->geglu && (v->attr->act || v->arg[4].parts))
		return refuse(v, "geglu goes with no activation and no row");
	if (!result_whole(v) || !check_matrix(v, &m))
		return false;
	if (v->arg[3].parts && !is_vector(v, 3, m.rows[0] + m.rows[1], false))
		return false;
	return check_work(v);
}

static bool
check_linear(const Verify *v)
{
	return check_product(v, 1);
}

/* Kernel and padding along one axis of `over` against the extents. */
static bool
check_conv_axis(const Verify *v, int axis, int64_t *taps)
{
	const Attr *a = v->attr;
	int i = over_index(a->over, axis);
	const Part *y = result(v);
	int64_t x = 0;
	for (int k = 0; k < v->arg[1].parts; k++) {
		if (!v->arg[1].part[k].dim[axis])
			return refuse(v, "operand 1 lacks axis %d", axis);
		x = part_extent(&v->arg[1].part[k], axis);
	}
	int64_t padded = x + a->before[i] + a->after[i];
	if (!y->dim[axis] || a->kernel[i] < 1 || a->stride[i] < 1
		|| a->kernel[i] > padded
		|| y->dim[axis]->extent
			!= (padded - a->kernel[i]) / a->stride[i] + 1)
		return refuse(v, "kernel, stride and padding do not give the "
			"result's extent of axis %d", axis);
	*taps *= a->kernel[i];
	if (*taps > EXTENT_MAX)
		return refuse(v, "its kernel is too large");
	return true;
}

static bool
check_conv(const Verify *v)
{
	AxisSet over = v->attr->over;
	int64_t taps = 1;
	if (v->attr->geglu)
		return refuse(v, "conv has no geglu");
	for (int a = 0; a < AXIS_C; a++)
		if (over >> a & 1 && !check_conv_axis(v, a, &taps))
			return false;
	return check_product(v, taps);
}

/* Axes of `over` are keys, whole in k and v; the result has them only as
 * queries of q. */
static bool
check_keys(const Verify *v)
{
	const Part *q = &v->arg[1].part[0], *k = &v->arg[2].part[0];
	const Part *x = &v->arg[3].part[0], *y = result(v);
	for (int a = 0; a < AXIS_C; a++) {
		if (!(v->attr->over >> a & 1))
			continue;
		if (!k->dim[a] && !x->dim[a])
			return refuse(v, "k lacks axis %d", a);
		if (part_extent(k, a) != part_extent(x, a))
			return refuse(v, "k and v differ along axis %d", a);
		if (y->dim[a] && !q->dim[a])
			return refuse(v, "q lacks axis %d", a);
		if (v->attr->causal && part_extent(q, a) != part_extent(k, a))
			return refuse(v, "a causal mask needs as many queries "
				"as keys");
	}
	return true;
}

static bool
check_attend(const Verify *v)
{
	int64_t c = part_extent(&v->arg[1].part[0], AXIS_C);
	if (!check_keys(v) || !result_whole(v))
		return false;
	if (part_extent(&v->arg[2].part[0], AXIS_C) != c)
		return refuse(v, "q and k differ in their channels");
	if (part_extent(&v->arg[3].part[0], AXIS_C) != result_channels(v))
		return refuse(v, "v and the result differ in their channels");
	return divides(v, c, v->attr->heads, "heads")
		&& divides(v, result_channels(v), v->attr->heads, "heads")
		&& check_work(v);
}

static bool
check_embed(const Verify *v)
{
	int64_t n;
	if (part_extent(&v->arg[1].part[0], AXIS_C) != 1)
		return refuse(v, "its numbers have channels");
	if (v->attr->rows < 1
		|| !mul_ok(v->attr->rows, result_channels(v), &n))
		return refuse(v, "its table has %lld rows",
			(long long)v->attr->rows);
	uint32_t w = v->weight_of[v->arg[2].part[0].view->buffer];
	if (w != PLAN_NONE && v->p->weights[w].layout)
		return refuse(v, "its table is a packed matrix");
	return is_vector(v, 2, n, false) && result_whole(v);
}

/* ---- norms ---- */

/* The result has none of the axes that are summed. */
static bool
lacks(const Verify *v, AxisSet summed)
{
	if (result(v)->axes & summed)
		return refuse(v, "the result has an axis that is summed");
	return true;
}

static bool
check_norm_stats(const Verify *v)
{
	AxisSet kept = AXIS_BIT(AXIS_F) | AXIS_BIT(AXIS_H);
	const Arg *x = &v->arg[1];
	for (int a = 0; a < AXIS_MAX; a++)
		if (v->attr->over >> a & 1 && !x->part[0].dim[a]
			&& !x->part[x->parts - 1].dim[a])
			return refuse(v, "its operand lacks axis %d", a);
	for (int k = 0; k < x->parts; k++)
		if (!part_whole(v, &x->part[k], AXIS_C))
			return refuse(v, "operand 1 has not the whole of its "
				"channels");
	if (result_channels(v) != 2 * (int64_t)v->attr->groups)
		return refuse(v, "the result has not two numbers for each group");
	return divides(v, arg_channels(x), v->attr->groups, "groups")
		&& lacks(v, (AxisSet)(v->attr->over & ~kept))
		&& result_whole(v);
}

static bool
check_norm_combine(const Verify *v)
{
	int64_t c = part_extent(&v->arg[1].part[0], AXIS_C);
	if (v->attr->groups < 1 || c != 2 * (int64_t)v->attr->groups
		|| result_channels(v) != c)
		return refuse(v, "these are not the statistics of %d groups",
			v->attr->groups);
	if (v->attr->rows < 1)
		return refuse(v, "its units have no elements");
	return is_f32(v, 1) && lacks(v, v->attr->over) && result_whole(v);
}

static bool
check_norm_apply(const Verify *v)
{
	int64_t c = result_channels(v);
	const Arg *x = &v->arg[1];
	for (int k = 0; k < x->parts; k++)
		if (!part_whole(v, &x->part[k], AXIS_C))
			return refuse(v, "operand 1 has not the whole of its "
				"channels");
	if (arg_channels(x) != c)
		return refuse(v, "x and the result differ in their channels");
	if (part_extent(&v->arg[2].part[0], AXIS_C)
		!= 2 * (int64_t)v->attr->groups)
		return refuse(v, "these are not the statistics of %d groups",
			v->attr->groups);
	return divides(v, c, v->attr->groups, "groups") && is_f32(v, 2)
		&& is_vector(v, 3, c, false) && is_vector(v, 4, c, false)
		&& result_whole(v);
}

static bool
check_layer_norm(const Verify *v)
{
	int64_t c = result_channels(v);
	if (part_extent(&v->arg[1].part[0], AXIS_C) != c)
		return refuse(v, "x and the result differ in their channels");
	return is_vector(v, 2, c, false) && is_vector(v, 3, c, false)
		&& result_whole(v);
}

/* ---- elementwise, making and moving ---- */

static bool
check_geglu(const Verify *v)
{
	if (part_extent(&v->arg[1].part[0], AXIS_C) != 2 * result_channels(v))
		return refuse(v, "x has not twice the result's channels");
	return result_whole(v);
}

static bool
check_clamp(const Verify *v)
{
	return v->attr->lo <= v->attr->hi || refuse(v, "%g is above %g",
		v->attr->lo, v->attr->hi);
}

static bool
check_copy(const Verify *v)
{
	const Arg *x = &v->arg[1];
	if (x->parts < 2)
		return true;
	for (int k = 0; k < 2; k++)
		if (!part_whole(v, &x->part[k], AXIS_C))
			return refuse(v, "operand 1 has not the whole of its "
				"channels");
	if (arg_channels(x) != result_channels(v))
		return refuse(v, "x and the result differ in their channels");
	return result_whole(v);
}

static bool
check_resize(const Verify *v)
{
	const Part *x = &v->arg[1].part[0];
	if (v->attr->over & ~x->axes)
		return refuse(v, "its operand lacks an axis that is resized");
	return true;
}

static bool
check_index(const Verify *v)
{
	if (!(result(v)->axes >> v->attr->axis & 1))
		return refuse(v, "the result lacks axis %d", v->attr->axis);
	return true;
}

static bool
check_sinusoid(const Verify *v)
{
	if (part_extent(&v->arg[1].part[0], AXIS_C) != 1)
		return refuse(v, "its positions have channels");
	return result_whole(v);
}

static bool
check_sample(const Verify *v)
{
	return is_f32(v, 3) && is_vector(v, 3, SAMPLE_COLS, true);
}

bool
verify_attr(const Verify *v)
{
	AxisSet over = v->attr->over;
	int n = __builtin_popcount(over), least = 0, most = AXIS_MAX;
	if (!strstr(op_info[v->op].attrs, "over"))
		return true;
	if (v->op == OP_conv || v->op == OP_attend)
		least = 1;
	if (v->op == OP_conv)
		most = 3;
	if (v->op == OP_attend && v->attr->causal)
		most = 1;
	if (n < least || n > most)
		return refuse(v, "it is over %d axes", n);
	if (over & (AXIS_BIT(AXIS_C) | AXIS_BIT(AXIS_STEP)))
		return refuse(v, "it is over channels or steps");
	return true;
}

bool
verify_op(Verify *v)
{
	switch (v->op) {
	case OP_linear:         return check_linear(v);
	case OP_conv:           return check_conv(v);
	case OP_attend:         return check_attend(v);
	case OP_embed:          return check_embed(v);
	case OP_norm_stats:     return check_norm_stats(v);
	case OP_norm_combine:   return check_norm_combine(v);
	case OP_norm_apply:     return check_norm_apply(v);
	case OP_layer_norm:     return check_layer_norm(v);
	case OP_geglu:          return check_geglu(v);
	case OP_clamp:          return check_clamp(v);
	case OP_copy:           return check_copy(v);
	case OP_resize:         return check_resize(v);
	case OP_index:          return check_index(v);
	case OP_sinusoid:       return check_sinusoid(v);
	case OP_sample:         return check_sample(v);
	default:                return true;    /* nothing more to say */
	}
}
