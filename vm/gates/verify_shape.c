/* verify_shape.c - gate 2: the result's extents are those that the op's shape
 * rule gives for the operands.
 *
 * The rule is the compiler's own (ir_infer), called on one node whose operands
 * have the extents that the instruction's views have.  What views say otherwise
 * than a graph is turned back before: an axis along which an operand is repeated
 * is left out of its view, and one index of an axis that the result lacks is in
 * it.
 */
#include "vm/gates/verify.h"
#include "ir/ir.h"

/* The extents of an operand's view; channels of two parts add up. */
static Type
view_type(const Arg *x)
{
	Type t = {.dtype = DT_F32};
	for (int k = 0; k < x->parts; k++)
		for (int a = 0; a < AXIS_MAX; a++)
			if (x->part[k].dim[a]) {
				t.axes |= AXIS_BIT(a);
				t.n[a] = part_extent(&x->part[k], a);
			}
	if (t.axes >> AXIS_C & 1)
		t.n[AXIS_C] = arg_channels(x);
	return t;
}

/* Axes that are indexed alike in operand and result: along one that x lacks it
 * is repeated (other operands may lack any), of one that the result lacks there
 * is a single index (verify.c has looked).  A weight may be one step's row. */
static void
match_result(const Verify *v, int operand, Type *t)
{
	const Part *y = &v->arg[0].part[0];
	bool makes_c = v->op == OP_embed || v->op == OP_sinusoid;
	for (int a = 0; a < AXIS_MAX; a++) {
		AxisClass class = ops_axis(v->op, v->attr, operand - 1,
			AXIS_BIT(a), a);
		bool alike = class == AX_SAME
			|| (class == AX_FREE && a == AXIS_STEP);
		if (alike && !y->dim[a]) {
			t->axes &= (AxisSet)~AXIS_BIT(a);
			t->n[a] = 0;
		} else if (class == AX_SAME && operand == 1 && y->dim[a]
			&& !t->n[a] && !(makes_c && a == AXIS_C)) {
			t->axes |= AXIS_BIT(a);
			t->n[a] = part_extent(y, a);
		}
	}
}

/* Keys that are repeated are left out of one of k and v, not of both. */
static void
match_keys(const Verify *v, Type *k, Type *x)
{
	for (int a = 0; a < AXIS_C; a++) {
		if (!(v->attr->over >> a & 1) || !k->n[a] == !x->n[a])
			continue;
		Type *lacks = k->n[a] ? x : k;
		lacks->axes |= AXIS_BIT(a);
		lacks->n[a] = k->n[a] + x->n[a];
	}
}

/* The result that the rule gives, against the one there is. */
static bool
same_extents(const Verify *v, const Type *t)
{
	const Part *y = &v->arg[0].part[0];
	for (int a = 0; a < AXIS_MAX; a++) {
		int64_t n = t->axes >> a & 1 ? t->n[a] : 1;
		if (part_extent(y, a) != n)
			return refuse(v, "the result has %lld indices of axis "
				"%s, its operands give %lld",
				(long long)part_extent(y, a), v->p->strings
				+ v->p->head.axis_name[a], (long long)n);
	}
	return true;
}

bool
verify_shape(const Verify *v)
{
	Node nodes[OPERANDS_MAX + 1] = {0};
	Node n = {.op = v->op, .nin = (uint8_t)op_nin(v->op), .attr = *v->attr};
	Graph g = {.dtype = DT_F32, .nodes = {nodes, OPERANDS_MAX + 1, 0}};
	ShapeError e;
	for (int a = 0; a < AXIS_MAX; a++)
		g.axis_name[a] = v->p->strings + v->p->head.axis_name[a];
	for (int i = 1; i <= n.nin; i++) {
		if (!v->arg[i].parts)
			continue;
		n.in[i - 1] = (uint32_t)i;
		nodes[i].type = view_type(&v->arg[i]);
		match_result(v, i, &nodes[i].type);
	}
	if (v->op == OP_attend)
		match_keys(v, &nodes[2].type, &nodes[3].type);
	n.type = view_type(&v->arg[0]);
	if (!ir_infer(&g, &n, &e))
		return refuse(v, "%s", e.text);
	return same_extents(v, &n.type);
}
