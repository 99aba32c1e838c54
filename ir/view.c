/* view.c - follows views down to the value that has a place of its own.
 *
 * Each step from a view to its operand rewrites the map from the value's axes
 * to the axes of the node reached.  What no map can say (an axis merged of
 * values that are not dense side by side, a join inside a join) is refused, and
 * canon.c puts a copy there.
 */
#include "ir/view.h"

#include <string.h>

bool
is_root(const Graph *g, uint32_t node)
{
	return !(op_info[g->nodes.at[node].op].flags & OPF_VIEW);
}

static void
ref_identity(const Graph *g, uint32_t node, Ref *r)
{
	const Type *t = &g->nodes.at[node].type;
	memset(r, 0, sizeof *r);
	for (int a = 0; a < AXIS_MAX; a++) {
		r->axis[a] = (int8_t)((t->axes >> a & 1) ? a : -1);
		r->fix[a] = -1;
	}
	r->c = t->n[AXIS_C];
}

static void
through_at(Ref *r, const Attr *t)
{
	if (t->end < 0) {
		r->fix[t->axis] = t->begin;
		return;
	}
	for (int a = 0; a < AXIS_MAX; a++)
		if (r->axis[a] == t->axis)
			r->shift[a] += t->begin;
	if (r->fix[t->axis] >= 0)
		r->fix[t->axis] += t->begin;
}

static void
through_expand(Ref *r, AxisSet operand)
{
	for (int a = 0; a < AXIS_MAX; a++) {
		if (r->axis[a] >= 0 && !(operand >> r->axis[a] & 1)) {
			r->axis[a] = -1;
			r->shift[a] = 0;
		}
		if (!(operand >> a & 1))
			r->fix[a] = -1;
	}
}

/* The merged axis walks the fastest of those it is made of: in a dense root the
 * others follow by themselves.  One index of it is one index of each. */
static bool
through_merge(Ref *r, const Attr *t, const Type *operand, bool dense)
{
	int last = 15 - __builtin_clz((unsigned)t->over << 16);
	int64_t index = r->fix[t->axis];
	if (index >= 0) {
		r->fix[t->axis] = -1;
		for (int a = AXIS_MAX; a-- > 0;)
			if (t->over >> a & 1) {
				r->fix[a] = index % operand->n[a];
				index /= operand->n[a];
			}
		return true;
	}
	if (!dense)
		return false;
	for (int a = 0; a < AXIS_MAX; a++)
		if (r->axis[a] == t->axis)
			r->axis[a] = (int8_t)last;
	return true;
}

/* One part; `node` is no join at its top. */
static bool
resolve_part(const Graph *g, uint32_t node, Ref *r)
{
	for (; !is_root(g, node); node = g->nodes.at[node].in[0]) {
		const Node *n = &g->nodes.at[node];
		const Node *x = &g->nodes.at[n->in[0]];
		if (n->op == OP_at)
			through_at(r, &n->attr);
		else if (n->op == OP_expand)
			through_expand(r, x->type.axes);
		else if (n->op == OP_merge) {
			if (!through_merge(r, &n->attr, &x->type,
				is_root(g, n->in[0])))
				return false;
		} else if (n->op == OP_join)
			return false;
	}
	r->root = node;
	/* channels lie side by side, and are never repeated */
	const Node *root = &g->nodes.at[node];
	return r->axis[AXIS_C] >= 0 ? r->axis[AXIS_C] == AXIS_C
		: r->c <= 1 || !(root->type.axes >> AXIS_C & 1) ? r->c <= 1
		: false;
}

int
ref_resolve(const Graph *g, uint32_t node, Ref part[2])
{
	while (g->nodes.at[node].op == OP_rehash)
		node = g->nodes.at[node].in[0];
	const Node *n = &g->nodes.at[node];
	if (n->op != OP_join) {
		ref_identity(g, node, &part[0]);
		return resolve_part(g, node, &part[0]);
	}
	for (int i = 0; i < 2; i++) {
		ref_identity(g, n->in[i], &part[i]);
		/* a part that lacks an axis of the other is repeated */
		if (!resolve_part(g, n->in[i], &part[i]))
			return 0;
	}
	return 2;
}
