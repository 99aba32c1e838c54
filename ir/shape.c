/* shape.c - the shape rule of every op: the result's axes, extents and element
 * type from its operands, or what is wrong with them in the language's words.
 *
 * A rule is idempotent: run again on a node that has its type, it gives the
 * same type.  So the language, the passes and ir_check share one definition.
 */
#include "ir/ir.h"

#include <stdarg.h>
#include <string.h>

/* Limits of a value, so that no size computed from it can overflow. */
#define EXTENT_MAX ((int64_t)INT32_MAX)
#define ELEMENTS_MAX ((int64_t)1 << 44)

typedef bool ShapeRule(const Graph *g, Node *n, ShapeError *e);

static bool __attribute__((format(printf, 2, 3)))
fail(ShapeError *e, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof e->text, fmt, ap);
	va_end(ap);
	return false;
}

char *
type_print(const Graph *g, const Type *t, char *buf)
{
	size_t size = 256, at;
	const char *comma = "";
	at = (size_t)snprintf(buf, size, "%s[", dtype_name(t->dtype));
	for (int a = 0; a < AXIS_MAX && at < size - 2; a++) {
		if (!(t->axes >> a & 1))
			continue;
		at += (size_t)snprintf(buf + at, size - at, "%s%.40s=%lld",
			comma, g->axis_name[a] ? g->axis_name[a] : "?",
			(long long)t->n[a]);
		comma = ", ";
	}
	if (at > size - 2)
		at = size - 2;
	memcpy(buf + at, "]", 2);
	return buf;
}

/* ---- helpers ---- */

static bool
has(const Type *t, int axis)
{
	return t->axes >> axis & 1;
}

static const Type *
operand(const Graph *g, const Node *n, int i)
{
	return &g->nodes.at[n->in[i]].type;
}

static bool
given(const Node *n, int i)
{
	return i < n->nin && n->in[i];
}

static void
set_axis(Type *t, int axis, int64_t extent)
{
	t->axes |= AXIS_BIT(axis);
	t->n[axis] = extent;
}

static void
drop_axis(Type *t, int axis)
{
	t->axes &= (AxisSet)~AXIS_BIT(axis);
	t->n[axis] = 0;
}

static bool
no_axis(const Graph *g, ShapeError *e, const Type *t, int axis)
{
	char buf[256];
	snprintf(e->note, sizeof e->note, "it is %.240s", type_print(g, t, buf));
	return fail(e, "the input has no axis %s", g->axis_name[axis]);
}

/* All axes of `set` must be in t. */
static bool
has_all(const Graph *g, ShapeError *e, const Type *t, AxisSet set)
{
	for (int a = 0; a < AXIS_MAX; a++)
		if (set >> a & 1 && !has(t, a))
			return no_axis(g, e, t, a);
	return true;
}

static bool
differ(const Graph *g, ShapeError *e, const Type *x, const Type *y, int a)
{
	char left[256], right[256];
	snprintf(e->note, sizeof e->note, "left is %.110s, right is %.110s",
		type_print(g, x, left), type_print(g, y, right));
	return fail(e, "axis %s is %lld on the left and %lld on the right",
		g->axis_name[a], (long long)x->n[a], (long long)y->n[a]);
}

/* Adds y's axes to `out`, which has those of x, except `skip`. */
static bool
join_axes(const Graph *g, ShapeError *e, Type *out, const Type *x,
	const Type *y, AxisSet skip)
{
	for (int a = 0; a < AXIS_MAX; a++) {
		if (!has(y, a) || skip >> a & 1)
			continue;
		if (has(out, a) && out->n[a] != y->n[a])
			return differ(g, e, has(x, a) ? x : out, y, a);
		set_axis(out, a, y->n[a]);
	}
	return true;
}

/* y's axes must be among x's, with their extents, except c. */
static bool
fits_in(const Graph *g, ShapeError *e, const Type *x, const Type *y, bool c)
{
	for (int a = 0; a < AXIS_MAX; a++) {
		if (!has(y, a) || (a == AXIS_C && !c))
			continue;
		if (!has(x, a))
			return no_axis(g, e, x, a);
		if (x->n[a] != y->n[a])
			return differ(g, e, x, y, a);
	}
	return true;
}

/* A weight along c with `n` elements and nothing else. */
static bool
vector_fits(const Graph *g, ShapeError *e, const Type *t, int64_t n)
{
	Type want = {0};
	set_axis(&want, AXIS_C, n);
	want.dtype = t->dtype;
	return fits_in(g, e, &want, t, true);
}

static bool
extents_fit(const Graph *g, ShapeError *e, const Type *t)
{
	int64_t all = 1;
	for (int a = 0; a < AXIS_MAX; a++) {
		if (!has(t, a))
			continue;
		if (t->n[a] < 1 || t->n[a] > EXTENT_MAX)
			return fail(e, "axis %s would have extent %lld",
				g->axis_name[a], (long long)t->n[a]);
		if (!mul_ok(all, t->n[a], &all) || all > ELEMENTS_MAX)
			return fail(e, "this tensor would have more than 2^44 "
				"elements");
	}
	return true;
}

/* Element type of the result: f32 always, f32 when all operands are, or the
 * compilation's; a piece of i32 is i32. */
static void
set_dtype(const Graph *g, Node *n)
{
	unsigned flags = op_info[n->op].flags;
	bool f32 = flags & OPF_F32;
	if (flags & (OPF_EACH | OPF_VIEW)) {
		f32 = true;
		for (int i = 0; i < n->nin; i++)
			if (n->in[i] && operand(g, n, i)->dtype != DT_F32)
				f32 = false;
	}
	n->type.dtype = f32 ? DT_F32 : g->dtype;
	if (n->op == OP_at && operand(g, n, 0)->dtype == DT_I32)
		n->type.dtype = DT_I32;
}

/* ---- leaves: the caller says ---- */

static bool
shape_leaf(const Graph *g, Node *n, ShapeError *e)
{
	(void)g, (void)e;
	n->type.axes = 0;
	for (int a = 0; a < AXIS_MAX; a++)
		if (n->type.n[a])
			n->type.axes |= AXIS_BIT(a);
	return true;
}

/* What enters the loop and what leaves a step have one type. */
static bool
shape_carry(const Graph *g, Node *n, ShapeError *e)
{
	n->type = *operand(g, n, 0);
	if (given(n, 1) && !type_equal(&n->type, operand(g, n, 1)))
		return fail(e, "the carried value changes its type");
	return true;
}

/* ---- views ---- */

static bool
shape_same(const Graph *g, Node *n, ShapeError *e)
{
	(void)e;
	n->type = *operand(g, n, 0);
	return true;
}

static bool
shape_at(const Graph *g, Node *n, ShapeError *e)
{
	const Type *x = operand(g, n, 0);
	int a = n->attr.axis;
	int64_t lo = n->attr.begin, hi = n->attr.end;
	if (!has(x, a))
		return no_axis(g, e, x, a);
	n->type = *x;
	if (hi < 0) {
		if (lo < 0 || lo >= x->n[a])
			return fail(e, "at: %s=%lld is outside 0..%lld",
				g->axis_name[a], (long long)lo,
				(long long)x->n[a]);
		drop_axis(&n->type, a);
		return true;
	}
	if (lo < 0 || lo > hi || hi > x->n[a])
		return fail(e, "at: %s=%lld..%lld is outside 0..%lld",
			g->axis_name[a], (long long)lo, (long long)hi,
			(long long)x->n[a]);
	n->type.n[a] = hi - lo;
	return true;
}

static bool
shape_merge(const Graph *g, Node *n, ShapeError *e)
{
	const Type *x = operand(g, n, 0);
	AxisSet over = n->attr.over;
	int64_t all = 1;
	if (!has_all(g, e, x, over))
		return false;
	n->type = *x;
	for (int a = 0; a < AXIS_MAX; a++) {
		if (!(over >> a & 1))
			continue;
		if (!mul_ok(all, x->n[a], &all))
			return fail(e, "this tensor would have more than 2^44 "
				"elements");
		drop_axis(&n->type, a);
	}
	if (has(&n->type, n->attr.axis))
		return fail(e, "merge: the input has an axis %s already",
			g->axis_name[n->attr.axis]);
	set_axis(&n->type, n->attr.axis, all);
	return true;
}

static bool
shape_expand(const Graph *g, Node *n, ShapeError *e)
{
	Type t = *operand(g, n, 0);
	for (int a = 0; a < AXIS_MAX; a++) {
		if (!n->type.n[a])
			continue;
		if (has(&t, a) && t.n[a] != n->type.n[a])
			return fail(e, "expand: the input has an axis %s "
				"already", g->axis_name[a]);
		set_axis(&t, a, n->type.n[a]);
	}
	n->type = t;
	return true;
}

/* Parts may lack each other's axes; c adds up. */
static bool
shape_join(const Graph *g, Node *n, ShapeError *e)
{
	const Type *x = operand(g, n, 0), *y = operand(g, n, 1);
	int64_t c;
	if (!has(x, AXIS_C) || !has(y, AXIS_C))
		return no_axis(g, e, has(x, AXIS_C) ? y : x, AXIS_C);
	if (!add_ok(x->n[AXIS_C], y->n[AXIS_C], &c))
		return fail(e, "axis c would have extent 2^63");
	n->type = *x;
	if (!join_axes(g, e, &n->type, x, y, AXIS_BIT(AXIS_C)))
		return false;
	n->type.n[AXIS_C] = c;
	return true;
}

/* ---- matrix work ---- */

/* The epilogue's operands: bias, row, add. */
static bool
epilogue_fits(const Graph *g, const Node *n, ShapeError *e, int64_t elements)
{
	int64_t out = n->type.n[AXIS_C] * (n->attr.geglu ? 2 : 1), all;
	if (!mul_ok(out, elements, &all))
		return fail(e, "this weight would have more than 2^44 elements");
	if (!vector_fits(g, e, operand(g, n, 1), all))
		return false;
	if (given(n, 2) && !vector_fits(g, e, operand(g, n, 2), out))
		return false;
	for (int i = 3; i < 5; i++)
		if (given(n, i)
			&& !fits_in(g, e, &n->type, operand(g, n, i), true))
			return false;
	return true;
}

static bool
shape_linear(const Graph *g, Node *n, ShapeError *e)
{
	const Type *x = operand(g, n, 0);
	int64_t c = n->type.n[AXIS_C];
	if (!has(x, AXIS_C))
		return no_axis(g, e, x, AXIS_C);
	n->type = *x;
	n->type.n[AXIS_C] = c;
	return extents_fit(g, e, &n->type)
		&& epilogue_fits(g, n, e, x->n[AXIS_C]);
}

static bool
shape_conv(const Graph *g, Node *n, ShapeError *e)
{
	const Type *x = operand(g, n, 0);
	AxisSet over = n->attr.over;
	int64_t c = n->type.n[AXIS_C], per_out = x->n[AXIS_C];
	int i = 0;
	if (!has_all(g, e, x, over | AXIS_BIT(AXIS_C)))
		return false;
	n->type = *x;
	n->type.n[AXIS_C] = c;
	for (int a = 0; a < AXIS_MAX; a++) {
		if (!(over >> a & 1))
			continue;
		int64_t k = n->attr.kernel[i], padded = x->n[a]
			+ n->attr.before[i] + n->attr.after[i];
		if (padded < k)
			return fail(e, "axis %s is %lld long, the kernel %lld",
				g->axis_name[a], (long long)padded,
				(long long)k);
		n->type.n[a] = (padded - k) / n->attr.stride[i] + 1;
		if (!mul_ok(per_out, k, &per_out))
			return fail(e, "this weight would have more than 2^44 "
				"elements");
		i++;
	}
	return extents_fit(g, e, &n->type) && epilogue_fits(g, n, e, per_out);
}

static bool
heads_fit(ShapeError *e, int64_t c, int64_t heads)
{
	if (heads < 1 || c % heads)
		return fail(e, "%lld channels do not divide into %lld heads",
			(long long)c, (long long)heads);
	return true;
}

static bool
causal_fits(const Graph *g, const Node *n, ShapeError *e)
{
	const Type *q = operand(g, n, 0), *k = operand(g, n, 1);
	AxisSet over = n->attr.over;
	if (!over || over & (over - 1))
		return fail(e, "a causal mask needs one axis");
	int a = __builtin_ctz(over);
	if (!has(q, a))
		return no_axis(g, e, q, a);
	return q->n[a] == k->n[a] || differ(g, e, q, k, a);
}

static bool
shape_attend(const Graph *g, Node *n, ShapeError *e)
{
	const Type *q = operand(g, n, 0), *k = operand(g, n, 1);
	const Type *v = operand(g, n, 2);
	AxisSet over = n->attr.over, c = AXIS_BIT(AXIS_C);
	char left[256], right[256];
	if (!has_all(g, e, q, c) || !has_all(g, e, k, over | c)
		|| !has_all(g, e, v, c))
		return false;
	for (int a = 0; a < AXIS_C; a++)
		if (has(k, a) != has(v, a) || k->n[a] != v->n[a]) {
			snprintf(e->note, sizeof e->note,
				"k is %.110s, v is %.110s",
				type_print(g, k, left),
				type_print(g, v, right));
			return fail(e, "k and v differ in their axes");
		}
	if (q->n[AXIS_C] != k->n[AXIS_C])
		return fail(e, "q has %lld channels, k has %lld",
			(long long)q->n[AXIS_C], (long long)k->n[AXIS_C]);
	if (!heads_fit(e, q->n[AXIS_C], n->attr.heads)
		|| !heads_fit(e, v->n[AXIS_C], n->attr.heads)
		|| (n->attr.causal && !causal_fits(g, n, e)))
		return false;
	n->type = *q;
	if (!join_axes(g, e, &n->type, q, k, over | c))
		return false;
	n->type.n[AXIS_C] = v->n[AXIS_C];
	return true;
}

static bool
shape_embed(const Graph *g, Node *n, ShapeError *e)
{
	Type t = *operand(g, n, 0);
	int64_t c = n->type.n[AXIS_C], all;
	if (has(&t, AXIS_C))
		return fail(e, "embed: the input has an axis c already");
	set_axis(&t, AXIS_C, c);
	n->type = t;
	if (!extents_fit(g, e, &n->type))
		return false;
	if (!mul_ok(c, n->attr.rows, &all))
		return fail(e, "this weight would have more than 2^44 elements");
	return vector_fits(g, e, operand(g, n, 1), all);
}

/* ---- norms ---- */

static bool
groups_fit(ShapeError *e, const Type *x, int64_t groups)
{
	if (groups < 1 || x->n[AXIS_C] % groups)
		return fail(e, "%lld channels do not divide into %lld groups",
			(long long)x->n[AXIS_C], (long long)groups);
	return true;
}

/* A unit is what is summed at one go: all of `over` but f and h, which stay. */
static bool
shape_norm_stats(const Graph *g, Node *n, ShapeError *e)
{
	const Type *x = operand(g, n, 0);
	AxisSet over = n->attr.over;
	if (!has_all(g, e, x, over | AXIS_BIT(AXIS_C))
		|| !groups_fit(e, x, n->attr.groups))
		return false;
	n->type = *x;
	for (int a = 0; a < AXIS_C; a++)
		if (over >> a & 1 && a != AXIS_F && a != AXIS_H)
			drop_axis(&n->type, a);
	n->type.n[AXIS_C] = 2 * (int64_t)n->attr.groups;
	return true;
}

static bool
shape_norm_combine(const Graph *g, Node *n, ShapeError *e)
{
	const Type *x = operand(g, n, 0);
	if (!has(x, AXIS_C) || x->n[AXIS_C] != 2 * (int64_t)n->attr.groups)
		return fail(e, "these are not the statistics of %d groups",
			n->attr.groups);
	n->type = *x;
	for (int a = 0; a < AXIS_C; a++)
		if (n->attr.over >> a & 1)
			drop_axis(&n->type, a);
	return true;
}

static bool
shape_norm_apply(const Graph *g, Node *n, ShapeError *e)
{
	const Type *x = operand(g, n, 0), *stats = operand(g, n, 1);
	if (!has_all(g, e, x, AXIS_BIT(AXIS_C))
		|| !groups_fit(e, x, n->attr.groups))
		return false;
	if (!has(stats, AXIS_C)
		|| stats->n[AXIS_C] != 2 * (int64_t)n->attr.groups)
		return fail(e, "these are not the statistics of %d groups",
			n->attr.groups);
	n->type = *x;
	return fits_in(g, e, x, stats, false)
		&& vector_fits(g, e, operand(g, n, 2), x->n[AXIS_C])
		&& vector_fits(g, e, operand(g, n, 3), x->n[AXIS_C]);
}

static bool
shape_layer_norm(const Graph *g, Node *n, ShapeError *e)
{
	const Type *x = operand(g, n, 0);
	n->type = *x;
	return has_all(g, e, x, AXIS_BIT(AXIS_C))
		&& vector_fits(g, e, operand(g, n, 1), x->n[AXIS_C])
		&& vector_fits(g, e, operand(g, n, 2), x->n[AXIS_C]);
}

/* ---- elementwise ---- */

static bool
shape_each(const Graph *g, Node *n, ShapeError *e)
{
	const Type *x = operand(g, n, 0);
	n->type = *x;
	for (int i = 1; i < n->nin; i++)
		if (given(n, i) && !join_axes(g, e, &n->type, x,
				operand(g, n, i), 0))
			return false;
	return true;
}

static bool
shape_geglu(const Graph *g, Node *n, ShapeError *e)
{
	const Type *x = operand(g, n, 0);
	if (!has(x, AXIS_C))
		return no_axis(g, e, x, AXIS_C);
	if (x->n[AXIS_C] % 2)
		return fail(e, "geglu halves the channels: %lld is odd",
			(long long)x->n[AXIS_C]);
	n->type = *x;
	n->type.n[AXIS_C] /= 2;
	return true;
}

/* ---- making and moving ---- */

static bool
shape_copy(const Graph *g, Node *n, ShapeError *e)
{
	DType to = n->type.dtype;
	(void)e;
	n->type = *operand(g, n, 0);
	n->type.dtype = to;
	return true;
}

static bool
shape_resize(const Graph *g, Node *n, ShapeError *e)
{
	Type t = *operand(g, n, 0);
	if (!has_all(g, e, &t, n->attr.over))
		return false;
	for (int a = 0; a < AXIS_MAX; a++)
		if (n->attr.over >> a & 1)
			t.n[a] = n->type.n[a];
	n->type = t;
	return true;
}

static bool
shape_index(const Graph *g, Node *n, ShapeError *e)
{
	int64_t extent = n->type.n[n->attr.axis];
	(void)g, (void)e;
	n->type = (Type){0};
	set_axis(&n->type, n->attr.axis, extent);
	return true;
}

static bool
shape_sinusoid(const Graph *g, Node *n, ShapeError *e)
{
	Type t = *operand(g, n, 0);
	if (has(&t, AXIS_C))
		return fail(e, "sinusoid: the input has an axis c already");
	set_axis(&t, AXIS_C, n->type.n[AXIS_C]);
	n->type = t;
	return true;
}

static bool
shape_concat(const Graph *g, Node *n, ShapeError *e)
{
	const Type *x = operand(g, n, 0), *y = operand(g, n, 1);
	int axis = n->attr.axis;
	int64_t extent;
	if (!has_all(g, e, x, y->axes | AXIS_BIT(axis))
		|| !has_all(g, e, y, x->axes))
		return false;
	n->type = *x;
	if (!join_axes(g, e, &n->type, x, y, AXIS_BIT(axis)))
		return false;
	if (!add_ok(x->n[axis], y->n[axis], &extent))
		return fail(e, "axis %s would have extent 2^63",
			g->axis_name[axis]);
	n->type.n[axis] = extent;
	return true;
}

static bool
shape_sample(const Graph *g, Node *n, ShapeError *e)
{
	const Type *x = operand(g, n, 0);
	n->type = *x;
	for (int i = 1; i < n->nin; i++)
		if (i != 2 && given(n, i) && !join_axes(g, e, &n->type, x,
				operand(g, n, i), 0))
			return false;
	Type row = {.axes = AXIS_BIT(AXIS_C), .n[AXIS_C] = SAMPLE_COLS};
	return fits_in(g, e, &row, operand(g, n, 2), true);
}

/* ---- the table: a row of ops.def without a rule does not compile ---- */

#define shape_input     shape_leaf
#define shape_weight    shape_leaf
#define shape_table     shape_leaf
#define shape_fill      shape_leaf
#define shape_rehash    shape_same
#define shape_add       shape_each
#define shape_sub       shape_each
#define shape_mul       shape_each
#define shape_div       shape_each
#define shape_silu      shape_each
#define shape_gelu      shape_each
#define shape_gelu_tanh shape_each
#define shape_sigmoid   shape_each
#define shape_clamp     shape_each
#define shape_blend     shape_each

static ShapeRule *const rules[OP_COUNT] = {
#define OP(name_, attr_, flags_, operands_, doc_) [OP_##name_] = shape_##name_,
#include "ir/ops.def"
};

/* Ops whose caller has chosen the element type. */
static bool
typed_by_caller(Op op)
{
	return op_info[op].flags & OPF_LEAF || op == OP_copy || op == OP_fill;
}

bool
ir_infer(const Graph *g, Node *n, ShapeError *e)
{
	e->text[0] = e->note[0] = 0;
	for (int i = 0; i < n->nin; i++)
		if (n->in[i] && n->op != OP_embed && n->op != OP_at
			&& operand(g, n, i)->dtype == DT_I32)
			return fail(e, "i32 tensors can only be cut and embedded");
	if (!rules[n->op] || !rules[n->op](g, n, e))
		return false;
	if (!typed_by_caller(n->op))
		set_dtype(g, n);
	return extents_fit(g, e, &n->type);
}
