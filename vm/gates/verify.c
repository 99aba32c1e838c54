/* verify.c - gate 2: each instruction's operands satisfy its op's row in
 * ops.def and its shape rule, in every iteration of the loops around it.
 *
 * Most can be said of affine ranges without walking iterations: two ranges
 * given by the same expressions are the same after clamping, and a linear
 * function is largest at a corner of the box of iterations.  Only windows
 * (convolution, resize) are compared iteration by iteration.
 *
 * A kernel whose operands passed here reads and writes nothing outside the
 * boxes of its views; that the boxes lie in their buffers is gate 3.
 */
#include "vm/gates/verify.h"
#include "vm/plan/walk.h"

#include <string.h>

/* What is spent on a part of an operand, an axis of it, an iteration that a window
 * is compared in.  An operand's share of the shape rule is among a part's. */
enum { PART_STEPS = 16, AXIS_STEPS = 8, WINDOW_STEPS = 16 };

/* ---- ranges over all iterations ---- */

int64_t
affine_most(const Verify *v, const Affine *a)
{
	int64_t x = a->base;
	for (int i = 0; i < PLAN_REGS; i++)
		if (a->step[i] > 0 && v->count[i])
			x += a->step[i] * (v->count[i] - 1);
	return x;
}

int64_t
affine_least(const Verify *v, const Affine *a)
{
	int64_t x = a->base;
	for (int i = 0; i < PLAN_REGS; i++)
		if (a->step[i] < 0 && v->count[i])
			x += a->step[i] * (v->count[i] - 1);
	return x;
}

static Affine
affine_minus(const Affine *a, const Affine *b)
{
	Affine d = {.base = a->base - b->base};
	for (int i = 0; i < PLAN_REGS; i++)
		d.step[i] = a->step[i] - b->step[i];
	return d;
}

static bool
affine_equal(const Affine *a, const Affine *b)
{
	return !memcmp(a, b, sizeof *a);
}

/* Whether two ends are the same after clamping to 0 .. extent. */
static bool
end_equal(const Verify *v, const Affine *a, const Affine *b, int64_t extent)
{
	if (affine_equal(a, b))
		return true;
	if (affine_most(v, a) <= 0 && affine_most(v, b) <= 0)
		return true;
	return affine_least(v, a) >= extent && affine_least(v, b) >= extent;
}

static bool
range_equal(const Verify *v, const PlanDim *a, const PlanDim *b)
{
	return a->extent == b->extent
		&& end_equal(v, &a->lo, &b->lo, a->extent)
		&& end_equal(v, &a->hi, &b->hi, a->extent);
}

static bool
range_whole(const Verify *v, const PlanDim *d)
{
	return affine_most(v, &d->lo) <= 0
		&& affine_least(v, &d->hi) >= d->extent;
}

/* Exactly one index, inside the extent. */
static bool
range_single(const Verify *v, const PlanDim *d)
{
	Affine n = affine_minus(&d->hi, &d->lo), one = {.base = 1};
	if (d->extent == 1 && range_whole(v, d))
		return true;
	return affine_equal(&n, &one) && affine_least(v, &d->lo) >= 0
		&& affine_most(v, &d->lo) < d->extent;
}

int64_t
part_extent(const Part *x, int axis)
{
	return x->dim[axis] ? x->dim[axis]->extent : 1;
}

bool
part_whole(const Verify *v, const Part *x, int axis)
{
	return !x->dim[axis] || range_whole(v, x->dim[axis]);
}

int64_t
part_most(const Verify *v, const Part *x, int axis)
{
	const PlanDim *d = x->dim[axis];
	if (!d)
		return 1;
	Affine n = affine_minus(&d->hi, &d->lo);
	return clamp64(affine_most(v, &n), 0, d->extent);
}

int64_t
arg_channels(const Arg *x)
{
	int64_t n = 0;
	for (int i = 0; i < x->parts; i++)
		n += part_extent(&x->part[i], AXIS_C);
	return n;
}

static bool
refuse_cost(const Verify *v)
{
	return refuse(v, "to check the program takes more than %lld steps",
		(long long)PLAN_STEPS_MAX);
}

/* ---- windows, iteration by iteration ---- */

/* Advances r to the next iteration of the registers in `used`. */
static bool
next_iteration(const Verify *v, const bool *used, int64_t *r)
{
	for (int i = 0; i < PLAN_REGS; i++) {
		if (!used[i])
			continue;
		if (++r[i] < v->count[i])
			return true;
		r[i] = 0;
	}
	return false;
}

/* Whether x has what the window of y's range needs of it when the registers
 * are r.  What lies outside x's extent is padding. */
static bool
window_covered(const Verify *v, const PlanDim *x, const PlanDim *y,
	const int64_t *r)
{
	int64_t lo = clamp64(affine_at(&y->lo, r), 0, y->extent);
	int64_t hi = clamp64(affine_at(&y->hi, r), 0, y->extent);
	int64_t have_lo = clamp64(affine_at(&x->lo, r), 0, x->extent);
	int64_t have_hi = clamp64(affine_at(&x->hi, r), 0, x->extent);
	if (lo >= hi)
		return true;
	ops_window(v->op, v->attr, y->axis, x->extent, y->extent, &lo, &hi);
	return have_lo < have_hi && have_lo <= clamp64(lo, 0, x->extent)
		&& have_hi >= clamp64(hi, 0, x->extent);
}

static bool
check_window(Verify *v, int operand, const PlanDim *x, const PlanDim *y)
{
	const Affine *ends[] = {&x->lo, &x->hi, &y->lo, &y->hi};
	int64_t r[PLAN_REGS] = {0};
	bool used[PLAN_REGS] = {false};
	for (size_t k = 0; k < COUNT_OF(ends); k++)
		for (int i = 0; i < PLAN_REGS; i++)
			used[i] |= ends[k]->step[i] && v->count[i];
	do {
		if (!spend(&v->cost, WINDOW_STEPS))
			return refuse_cost(v);
		if (!window_covered(v, x, y, r))
			return refuse(v, "operand %d lacks indices of axis %d "
				"that the result's window needs (r0=%lld r1=%lld "
				"r2=%lld r3=%lld)", operand, y->axis,
				(long long)r[0], (long long)r[1],
				(long long)r[2], (long long)r[3]);
	} while (next_iteration(v, used, r));
	return true;
}

/* ---- what holds for every operand ---- */

/* Registers of loops that are not open are no part of an address. */
static bool
check_registers(const Verify *v, int operand, const PlanDim *d)
{
	const Affine *ends[] = {&d->lo, &d->hi, &d->origin};
	for (size_t k = 0; k < COUNT_OF(ends); k++)
		for (int i = 0; i < PLAN_REGS; i++)
			if (ends[k]->step[i] && !v->count[i])
				return refuse(v, "operand %d depends on r%d, "
					"whose loop is not open", operand, i);
	return true;
}

/* No sum of an address overflows: any index lies at most BYTES_MAX elements
 * from the view's base along each axis. */
static bool
check_span(const Verify *v, int operand, const PlanDim *d)
{
	int64_t away = max64(d->extent - affine_least(v, &d->origin),
		affine_most(v, &d->origin)), span;
	if (!mul_ok(max64(away, 0), d->stride, &span) || span > BYTES_MAX)
		return refuse(v, "operand %d: the stride of axis %d is absurd",
			operand, d->axis);
	return true;
}

/* Kernels read channels side by side; an elementwise op may repeat one. */
static bool
check_channels(const Verify *v, int operand, const Part *x)
{
	const PlanDim *c = x->dim[AXIS_C];
	bool each = operand > 0
		&& (v->op == OP_copy || op_info[v->op].flags & OPF_EACH);
	if (!c || c->extent == 1 || c->stride == 1 || (each && !c->stride))
		return true;
	return refuse(v, "operand %d: channels are %lld elements apart",
		operand, (long long)c->stride);
}

static bool
take_part(Verify *v, int operand, uint32_t view, Part *x)
{
	const PlanView *pv = &v->p->views[view];
	const PlanBuffer *b = &v->p->buffers[pv->buffer];
	*x = (Part){.view = pv, .dtype = (DType)b->dtype,
		.role = (BufferRole)b->role};
	/* each axis is looked at some times, and with each other axis */
	if (!spend(&v->cost, PART_STEPS + pv->ndim * (AXIS_STEPS + pv->ndim)))
		return refuse_cost(v);
	for (uint32_t i = 0; i < pv->ndim; i++) {
		const PlanDim *d = &v->p->dims[pv->first_dim + i];
		x->dim[d->axis] = d;
		x->axes |= AXIS_BIT(d->axis);
		if (!check_registers(v, operand, d)
			|| !check_span(v, operand, d))
			return false;
	}
	return check_channels(v, operand, x);
}

/* The operand list against the op's row. */
static bool
take_operands(Verify *v)
{
	const OpInfo *info = &op_info[v->op];
	int nin = op_nin(v->op), n = 1 + nin + !!(info->flags & OPF_WORK);
	if (v->in->noperands != n)
		return refuse(v, "it has %u operands, its op %d",
			v->in->noperands, n);
	for (int i = 0; i < n; i++) {
		const PlanOperand *o = &v->p->operands[v->in->first_operand
			+ (uint32_t)i];
		Arg *x = &v->arg[i];
		x->parts = 0;
		while (x->parts < 2 && o->view[x->parts] != PLAN_NONE) {
			if (!take_part(v, i, o->view[x->parts],
				&x->part[x->parts]))
				return false;
			x->parts++;
		}
		bool input = i > 0 && i <= nin;
		if (!x->parts && (!i || (input && !info->in[i - 1].optional)))
			return refuse(v, "operand %d is missing", i);
		if (x->parts == 2 && !(input && info->in[i - 1].parts))
			return refuse(v, "operand %d is in two parts", i);
	}
	return true;
}

/* i32 is moved and embedded, never computed with. */
static bool
check_types(const Verify *v)
{
	const Part *y = &v->arg[0].part[0];
	int nin = op_nin(v->op);
	if (op_info[v->op].flags & OPF_F32 && y->dtype != DT_F32)
		return refuse(v, "the result is %s, not f32",
			dtype_name(y->dtype));
	if (y->dtype == DT_I32 && v->op != OP_copy)
		return refuse(v, "the result is i32");
	for (int i = 1; i <= nin; i++)
		for (int k = 0; k < v->arg[i].parts; k++) {
			DType t = v->arg[i].part[k].dtype;
			bool ids = v->op == OP_embed && i == 1;
			bool moved = v->op == OP_copy;
			if (ids ? t != DT_I32 && t != DT_F32
				: moved ? (t == DT_I32) != (y->dtype == DT_I32)
				: t == DT_I32)
				return refuse(v, "operand %d is %s", i,
					dtype_name(t));
		}
	return true;
}

/* Results go to values and outputs; workspaces are no operands. */
static bool
check_roles(const Verify *v)
{
	BufferRole y = v->arg[0].part[0].role;
	if (y != BUF_VALUE && y != BUF_OUTPUT)
		return refuse(v, "the result is written to an input, a weight, "
			"a table or a workspace");
	for (int i = 1; i <= op_nin(v->op); i++)
		for (int k = 0; k < v->arg[i].parts; k++)
			if (v->arg[i].part[k].role == BUF_WORK)
				return refuse(v, "operand %d is a workspace", i);
	return true;
}

/* An operand may be repeated along an axis that it shares with the result. */
static bool
repeats(const Verify *v, int operand, const Part *x, int axis)
{
	return operand > 0 && !x->dim[axis]->stride && ops_axis(v->op, v->attr,
		operand - 1, x->axes, axis) == AX_SAME;
}

/* Each element has a place of its own: from the smallest stride up, each stride
 * is longer than all that is walked by the smaller ones.  So no more elements
 * are read than there are bytes, and no two results are one place. */
static bool
check_disjoint(const Verify *v, int operand, const Part *x)
{
	AxisSet rest = x->axes;
	int64_t span = 0;
	while (rest) {
		int next = -1;
		for (int a = 0; a < AXIS_MAX; a++)
			if (rest >> a & 1 && (next < 0 || x->dim[a]->stride
				< x->dim[next]->stride))
				next = a;
		int64_t n = part_most(v, x, next);
		rest &= (AxisSet)~AXIS_BIT(next);
		if (n <= 1 || repeats(v, operand, x, next))
			continue;
		if (x->dim[next]->stride <= span)
			return refuse(v, "elements of operand %d share a place "
				"(axis %d)", operand, next);
		span += (n - 1) * x->dim[next]->stride;
	}
	return true;
}

/* ---- operands against the result, axis by axis ---- */

static bool
check_axis(Verify *v, int operand, const Part *x, int axis)
{
	const PlanDim *d = x->dim[axis];
	const PlanDim *y = v->arg[0].part[0].dim[axis];
	AxisClass class = ops_axis(v->op, v->attr, operand - 1, x->axes, axis);
	switch (class) {
	case AX_SAME:
		if (y ? range_equal(v, d, y) : range_single(v, d))
			return true;
		return refuse(v, y ? "operand %d and the result have different "
			"indices of axis %d" : "operand %d has more than one "
			"index of axis %d, the result none", operand, axis);
	case AX_WINDOW:
		if (!y)
			return refuse(v, "the result lacks axis %d", axis);
		return check_window(v, operand, d, y);
	case AX_FREE:                   /* one step's row of a table */
		if (axis == AXIS_STEP && range_single(v, d))
			return true;
		break;
	case AX_WHOLE:
		break;
	}
	if (!range_whole(v, d))
		return refuse(v, "operand %d has not the whole of axis %d",
			operand, axis);
	return true;
}

/* Both parts of a joined operand have the same indices, but along c; one may
 * lack an axis and is repeated along it. */
static bool
check_joined(const Verify *v, int operand, const Arg *x)
{
	for (int a = 0; a < AXIS_C; a++) {
		const PlanDim *d0 = x->part[0].dim[a], *d1 = x->part[1].dim[a];
		if (d0 && d1 && !range_equal(v, d0, d1))
			return refuse(v, "the parts of operand %d have different "
				"indices of axis %d", operand, a);
	}
	return true;
}

static bool
check_operand(Verify *v, int operand)
{
	const Arg *x = &v->arg[operand];
	for (int k = 0; k < x->parts; k++) {
		if (!check_disjoint(v, operand, &x->part[k]))
			return false;
		for (int a = 0; a < AXIS_MAX; a++) {
			/* a copy's parts are compared with its channels as a
			 * whole (verify_ops.c) */
			if (!x->part[k].dim[a]
				|| (x->parts == 2 && a == AXIS_C))
				continue;
			if (!check_axis(v, operand, &x->part[k], a))
				return false;
		}
	}
	return x->parts < 2 || check_joined(v, operand, x);
}

static bool
verify_insn(Verify *v)
{
	if (!verify_attr(v) || !take_operands(v) || !check_types(v)
		|| !check_roles(v) || !check_disjoint(v, 0, &v->arg[0].part[0]))
		return false;
	for (int i = 1; i <= op_nin(v->op); i++)
		if (!check_operand(v, i))
			return false;
	return verify_op(v);
}

static const uint32_t *
find_weights(const Plan *p, Arena *a)
{
	uint32_t *of = arena_array(a, p->n_buffers, sizeof *of);
	for (uint32_t i = 0; i < p->n_buffers; i++)
		of[i] = PLAN_NONE;
	for (uint32_t i = 0; i < p->n_weights; i++)
		of[p->weights[i].buffer] = i;
	return of;
}

static bool
verify_code(Verify *v)
{
	const Plan *p = v->p;
	for (PlanWalk w = {0}; w.pc < p->n_code; walk_past(p, &w)) {
		const PlanInsn *in = &p->code[w.pc];
		v->insn = w.pc;
		v->in = in;
		if (!spend(&v->cost, 1))
			return refuse_cost(v);
		if (in->op >= CTL_BASE)
			continue;
		for (int i = 0; i < PLAN_REGS; i++)
			v->count[i] = walk_count(p, &w, i);
		v->op = (Op)in->op;
		v->attr = &p->attrs[in->attr];
		if (!verify_insn(v))
			return false;
	}
	return true;
}

/* The target is known, and the kernels are those that the plan was made for. */
static bool
verify_target(const Plan *p, const Target *t, PlanError *e)
{
	const PlanHeader *h = &p->head;
	if (!t)
		return plan_fail(e, "compiled for '%.60s', this build runs "
			"plans for: %s", p->strings + h->target, target_names());
	if (h->abi != t->abi)
		return plan_fail(e, "compiled for version %u of the %s kernels, "
			"this build has version %u: compile the model again",
			h->abi, t->name, t->abi);
	if (h->pinned_bytes && !t->pins)
		return plan_fail(e, "header: %s has no page-locked space",
			t->name);
	for (uint32_t i = 0; i < p->n_weights; i++)
		if (p->weights[i].layout > t->layouts)
			return plan_fail(e, "weight %u: %s has no layout %u", i,
				t->name, p->weights[i].layout);
	for (uint32_t i = 0; i < p->n_code; i++)
		if (p->code[i].provider >= t->providers)
			return plan_fail_at(p, e, i, "%s has no provider %u",
				t->name, p->code[i].provider);
	return true;
}

bool
plan_verify(const Plan *p, PlanError *e, CheckStats *stats)
{
	const Target *target = target_find(p->strings + p->head.target);
	if (!verify_target(p, target, e))
		return false;
	Arena a = {0};
	Verify v = {.p = p, .target = target, .e = e,
		.weight_of = find_weights(p, &a)};
	if (stats)
		v.cost = stats->cost;
	spend_bytes(&v.cost, (int64_t)sizeof *v.weight_of * p->n_buffers);
	bool ok = verify_code(&v);
	if (stats)
		stats->cost = v.cost;
	arena_free(&a);
	return ok;
}
