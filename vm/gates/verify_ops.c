/* verify_ops.c - gate 2, op by op: what is whole, attributes, weights and
 * workspaces.
 *
 * What ops.def's rules say (same, window, whole) has been checked in verify.c,
 * extents follow in verify_shape.c; here stands what neither says.  An axis that
 * an operand lacks counts as one index.
 */
#include "vm/gates/verify.h"
#include "kernels/kernels.h"

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
	return !v->arg[3].parts
		|| is_vector(v, 3, m.rows[0] + m.rows[1], false);
}

static bool
check_linear(const Verify *v)
{
	return check_product(v, 1);
}

static bool
check_conv(const Verify *v)
{
	int64_t taps = 1;
	if (v->attr->geglu)
		return refuse(v, "conv has no geglu");
	for (int i = 0; i < __builtin_popcount(v->attr->over); i++) {
		taps *= v->attr->kernel[i];
		if (taps > EXTENT_MAX)
			return refuse(v, "its kernel is too large");
	}
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
	return check_keys(v) && result_whole(v);
}

static bool
check_embed(const Verify *v)
{
	int64_t n;
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
	for (int k = 0; k < x->parts; k++)
		if (!part_whole(v, &x->part[k], AXIS_C))
			return refuse(v, "operand 1 has not the whole of its "
				"channels");
	return lacks(v, (AxisSet)(v->attr->over & ~kept)) && result_whole(v);
}

static bool
check_norm_combine(const Verify *v)
{
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
	return is_f32(v, 2)
		&& is_vector(v, 3, c, false) && is_vector(v, 4, c, false)
		&& result_whole(v);
}

static bool
check_layer_norm(const Verify *v)
{
	int64_t c = result_channels(v);
	return is_vector(v, 2, c, false) && is_vector(v, 3, c, false)
		&& result_whole(v);
}

/* ---- elementwise, making and moving ---- */

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
	return result_whole(v);
}

static bool
check_index(const Verify *v)
{
	if (!(result(v)->axes >> v->attr->axis & 1))
		return refuse(v, "the result lacks axis %d", v->attr->axis);
	return true;
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
	for (int i = 0; v->op == OP_conv && i < n; i++)
		if (v->attr->kernel[i] < 1 || v->attr->stride[i] < 1)
			return refuse(v, "its kernel or stride %d is 0", i);
	return true;
}

/* ---- the table: an op with a kernel that is not named here does not compile ---- */

/* Ops of which verify.c and the shape rule say all. */
static bool
check_nothing(const Verify *v)
{
	(void)v;
	return true;
}

#define check_add       check_nothing
#define check_sub       check_nothing
#define check_mul       check_nothing
#define check_div       check_nothing
#define check_silu      check_nothing
#define check_gelu      check_nothing
#define check_gelu_tanh check_nothing
#define check_sigmoid   check_nothing
#define check_blend     check_nothing
#define check_fill      check_nothing
#define check_resize    check_nothing
#define check_geglu     result_whole
#define check_sinusoid  result_whole

typedef bool OpCheck(const Verify *v);

/* Rows without a kernel are no instructions (gate 1). */
static OpCheck *const checks[OP_COUNT] = {
#define NO_KERNEL(name_, attr_, flags_, operands_, doc_)
#define OP(name_, attr_, flags_, operands_, doc_) [OP_##name_] = check_##name_,
#include "ir/ops.def"
};

bool
verify_op(const Verify *v)
{
	return checks[v->op](v) && verify_shape(v)
		&& (!(op_info[v->op].flags & OPF_WORK) || check_work(v));
}
