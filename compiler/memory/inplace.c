/* inplace.c - results that stand where another value died.
 *
 * An op's row says which operand its result may be written over.  And a loop
 * that reads a value slice by slice for the last time may write its result, slice
 * by slice, over what it has read, whatever ops lie between.  plan_check does
 * not know of any of this: it finds out who owns which byte by itself.
 */
#include "compiler/memory/live.h"

#include <string.h>

/* Whether two storages have the same bytes for the same indices. */
static bool
same_shape(const Storage *x, const Storage *y)
{
	return x->axes == y->axes && dtype_bytes(x->dtype) == dtype_bytes(y->dtype)
		&& !memcmp(x->n, y->n, sizeof x->n)
		&& !memcmp(x->origin, y->origin, sizeof x->origin);
}

/* Whether operand k of node is, element for element, a value of the node's own
 * extents with a storage of its own. */
static bool
same_box(const Live *l, uint32_t node, int k, Ref *r)
{
	const Program *p = l->p;
	const Node *n = &l->g->nodes.at[node];
	Ref part[2];
	if (!n->in[k] || ref_resolve(l->g, n->in[k], part) != 1)
		return false;
	*r = part[0];
	if (!same_shape(&p->storages.at[p->storage_of[r->root]],
			&p->storages.at[p->storage_of[node]]))
		return false;
	for (int a = 0; a < AXIS_MAX; a++)
		if ((n->type.axes >> a & 1) && (r->axis[a] != a || r->shift[a]))
			return false;
	return n->type.axes == l->g->nodes.at[r->root].type.axes;
}

static bool
in_loop(const Program *p, const Loop *loop, uint32_t node)
{
	uint32_t at = p->plan[node].position;
	return at >= loop->first && at <= loop->last;
}

/* Whether reader `m` of a value may stand beside `node`, whose result is
 * written over the value: it must come first, and inside loops that run with
 * both, it must read exactly the slice that is written, and slices must not
 * overlap.  A loop that makes the value anew in each iteration asks for
 * nothing. */
static bool
reads_before(const Live *l, uint32_t m, int k, const Ref *r, uint32_t node)
{
	const Program *p = l->p;
	const Node *n = &l->g->nodes.at[m];
	if (l->item_of[m] > l->item_of[node])
		return false;
	for (int i = p->plan[node].loop; i != LOOP_NONE; i = p->loops.at[i].parent) {
		const Loop *loop = &p->loops.at[i];
		int a = loop->axis;
		if (!in_loop(p, loop, m) || in_loop(p, loop, r->root))
			continue;
		const Slice *s = &p->plan[node].slice[a];
		if (ops_axis(n->op, &n->attr, k, l->g->nodes.at[n->in[k]].type.axes,
				a) != AX_SAME || r->axis[a] != a || r->shift[a]
			|| s->lo != 0 || s->hi != s->step
			|| memcmp(&p->plan[m].slice[a], s, sizeof *s))
			return false;
	}
	return true;
}

/* Whether every other reading of the storage allows the node's result to be
 * written over it. */
static bool
readers_allow(const Live *l, uint32_t node, int operand, uint32_t storage)
{
	for (uint32_t u = l->use_first[storage]; u != UINT32_MAX;
		u = l->use.at[u].next) {
		const LiveUse *use = &l->use.at[u];
		if (use->node == node && use->k == operand)
			continue;
		if (use->node == node
			|| !reads_before(l, use->node, use->k, &use->ref, node))
			return false;
	}
	return true;
}

/* Whether the storage of `root` dies in items [first, end] and may be written
 * over by then: `first` is where the new one begins to live. */
static bool
dies_within(const Live *l, uint32_t root, uint32_t first, uint32_t end)
{
	uint32_t storage = l->p->storage_of[root];
	const Storage *x = &l->p->storages.at[storage];
	return x->role == BUF_VALUE && !l->taken[storage] && x->last <= end
		&& x->first <= first && l->class[root] == root
		&& l->g->nodes.at[root].op != OP_carry;
}

static void
take(Live *l, Storage *y, uint32_t storage)
{
	y->same_as = storage;
	l->taken[storage] = true;
}

/* The place of an operand that the op may write over. */
static bool
take_operand(Live *l, uint32_t node, Storage *y, uint32_t end)
{
	const Node *n = &l->g->nodes.at[node];
	for (int k = 0; k < n->nin; k++) {
		Ref r;
		if (!op_info[n->op].in[k].inplace || !same_box(l, node, k, &r)
			|| !dies_within(l, r.root, y->first, end)
			|| !readers_allow(l, node, k, l->p->storage_of[r.root]))
			continue;
		take(l, y, l->p->storage_of[r.root]);
		return true;
	}
	return false;
}

/* The place of any value that the nodes of the loop in front of `node` read for
 * the last time, slice by slice. */
static void
take_dying(Live *l, uint32_t node, Storage *y, uint32_t end)
{
	const Program *p = l->p;
	const CodeItem *loop = &p->code.at[y->first];
	if (loop->kind != CODE_LOOP || code_over_steps(loop))
		return;
	for (uint32_t i = p->loops.at[loop->id].first; p->order.at[i] != node; i++) {
		const Node *m = &l->g->nodes.at[p->order.at[i]];
		for (int k = 0; k < m->nin; k++) {
			Ref part[2];
			int parts = m->in[k] ? ref_resolve(l->g, m->in[k], part)
				: 0;
			for (int j = 0; j < parts; j++) {
				uint32_t x = p->storage_of[part[j].root];
				if (!dies_within(l, part[j].root, y->first, end)
					|| !same_shape(&p->storages.at[x], y)
					|| !readers_allow(l, node, -1, x))
					continue;
				take(l, y, x);
				return;
			}
		}
	}
}

void
live_take_place(Live *l, uint32_t node)
{
	const Program *p = l->p;
	uint32_t at = l->item_of[node];
	Storage *y = &l->p->storages.at[p->storage_of[node]];
	if (l->class[node] != node || (y->role != BUF_VALUE
		&& y->role != BUF_OUTPUT))
		return;
	bool whole = y->first != at;    /* around the loop that makes it */
	uint32_t end = whole ? l->loop_end[y->first] : at;
	if (!take_operand(l, node, y, end) && whole)
		take_dying(l, node, y, end);
}
