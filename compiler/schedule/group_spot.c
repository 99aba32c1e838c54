/* group_spot.c - a stage of the order as an array of spots: what each makes,
 * reads and how long that is needed.
 */
#include "compiler/schedule/group.h"

#include <string.h>

/* Axes whose index i is the root's index i, in a value that is a view of it. */
static AxisSet
straight_axes(const Ref *r)
{
	AxisSet set = 0;
	for (int a = 0; a < AXIS_MAX; a++)
		if (r->axis[a] == a && !r->shift[a])
			set |= AXIS_BIT(a);
	return set;
}

static int32_t
spot_of(const Stretch *s, uint32_t node)
{
	uint32_t at = s->p->plan[node].position;
	return at == UINT32_MAX || at < s->start
		|| at >= s->start + (uint32_t)s->n ? -1 : (int32_t)(at - s->start);
}

static void
add_uses(Stretch *s, int32_t i)
{
	Spot *spot = &s->spots[i];
	const Node *n = &s->g->nodes.at[spot->node];
	spot->first_use = (uint32_t)s->uses.n;
	for (int k = 0; k < n->nin; k++) {
		Ref part[2];
		int parts = n->in[k] ? ref_resolve(s->g, n->in[k], part) : 0;
		for (int j = 0; j < parts; j++) {
			int32_t def = spot_of(s, part[j].root);
			*vec_push(&s->uses) = (SpotUse){def, (uint8_t)k,
				s->g->nodes.at[n->in[k]].type.axes,
				straight_axes(&part[j])};
			if (def >= 0 && s->spots[def].last != BEYOND)
				s->spots[def].last = i;
		}
	}
	spot->nuses = (uint32_t)s->uses.n - spot->first_use;
}

/* Values that have no place of their own or that live beyond the stage. */
static void
mark_beyond(Stretch *s)
{
	const Graph *g = s->g;
	for (uint32_t i = 1; i < g->nodes.n; i++) {
		const Node *n = &g->nodes.at[i];
		bool here = spot_of(s, i) >= 0;
		if (here && !n->nin)
			continue;
		for (int k = 0; k < n->nin && !here && is_root(g, i); k++) {
			Ref part[2];
			int parts = n->in[k] ? ref_resolve(g, n->in[k], part) : 0;
			for (int j = 0; j < parts; j++) {
				int32_t def = spot_of(s, part[j].root);
				if (def >= 0)
					s->spots[def].last = BEYOND;
			}
		}
	}
	for (size_t i = 0; i < g->outputs.n; i++) {
		int32_t def = spot_of(s, g->outputs.at[i].node);
		if (def >= 0)
			s->spots[def].last = BEYOND;
	}
}

/* Marks results that stand in a carried value's place, or are made of copies, or
 * have a row for each step. */
static bool *
mark_sharing(const Stretch *s)
{
	const Graph *g = s->g;
	bool *shares = arena_array(s->p->arena, g->nodes.n, sizeof *shares);
	for (uint32_t i = 1; i < g->nodes.n; i++) {
		const Node *n = &g->nodes.at[i];
		shares[i] |= n->op == OP_concat;
		for (int k = 0; n->op == OP_carry && k < n->nin; k++)
			shares[n->in[k]] = true;
	}
	for (size_t i = 0; i < g->outputs.n; i++)
		if (g->outputs.at[i].per_step)
			shares[g->outputs.at[i].node] = true;
	return shares;
}

static AxisSet
sliceable_axes(const Stretch *s, const Spot *spot)
{
	const Node *n = &s->g->nodes.at[spot->node];
	AxisSet set = n->type.axes & (AxisSet)~AXIS_BIT(AXIS_C);
	if (!spot->bytes && n->op == OP_concat)
		return 0;
	for (int a = 0; a < AXIS_MAX; a++)
		if ((set >> a & 1) && n->type.n[a] < 2)
			set &= (AxisSet)~AXIS_BIT(a);
	for (int k = 0; k < n->nin; k++) {
		if (!n->in[k])
			continue;
		AxisSet has = s->g->nodes.at[n->in[k]].type.axes;
		for (int a = 0; a < AXIS_MAX; a++)
			if (ops_axis(n->op, &n->attr, k, has, a) == AX_WHOLE)
				set &= (AxisSet)~AXIS_BIT(a);
	}
	return set;
}

/* The operand whose place the result may take, if it dies here: a value of the
 * same axes, extents and element size, read by this operand alone. */
static int32_t
inplace_spot(const Stretch *s, int32_t i)
{
	const Spot *spot = &s->spots[i];
	const Node *n = &s->g->nodes.at[spot->node];
	for (uint32_t u = spot->first_use; u < spot->first_use + spot->nuses; u++) {
		const SpotUse *use = &s->uses.at[u];
		if (use->def < 0 || !op_info[n->op].in[use->k].inplace)
			continue;
		const Spot *def = &s->spots[use->def];
		const Type *x = &s->g->nodes.at[def->node].type;
		if (def->last != i || !def->bytes || x->axes != n->type.axes
			|| memcmp(x->n, n->type.n, sizeof x->n)
			|| dtype_bytes(x->dtype) != dtype_bytes(n->type.dtype)
			|| use->straight != x->axes)
			continue;
		bool alone = true;
		for (uint32_t v = spot->first_use;
			v < spot->first_use + spot->nuses; v++)
			alone &= v == u || s->uses.at[v].def != use->def;
		if (alone)
			return use->def;
	}
	return -1;
}

/* First and last spot that read each value made outside the stage. */
static void
outside_readers(const Stretch *s, int32_t *first, int32_t *last)
{
	const Graph *g = s->g;
	for (int32_t i = 0; i < s->n; i++) {
		const Node *n = &g->nodes.at[s->spots[i].node];
		for (int k = 0; k < n->nin; k++) {
			Ref part[2];
			int parts = n->in[k] ? ref_resolve(g, n->in[k], part) : 0;
			for (int j = 0; j < parts; j++) {
				uint32_t r = part[j].root;
				if (spot_of(s, r) >= 0)
					continue;
				first[r] = first[r] < 0 ? i : first[r];
				last[r] = i;
			}
		}
	}
}

/* Bytes from outside the stage.  In the denoising loop they stay from its
 * beginning to its end; elsewhere, and streamed, a weight comes with its first
 * reader and goes with its last. */
static void
outside_bytes(Stretch *s, Arena *a)
{
	const Graph *g = s->g;
	size_t nodes = g->nodes.n;
	int32_t *first = arena_array(a, nodes, sizeof *first);
	int32_t *last = arena_array(a, nodes, sizeof *last);
	bool loop = s->n && g->nodes.at[s->spots[0].node].stage == ST_LOOP;
	memset(first, 0xff, nodes * sizeof *first);
	outside_readers(s, first, last);
	for (size_t r = 1; r < nodes; r++) {
		if (first[r] < 0)
			continue;
		int64_t bytes = round_up(type_bytes(&g->nodes.at[r].type),
			PLAN_ALIGN);
		bool streamed = s->p->streamed[r];
		bool weight = g->nodes.at[r].op == OP_weight;
		int32_t from = streamed || (weight && !loop) ? first[r] : 0;
		int32_t to = streamed || !loop ? last[r] : s->n - 1;
		(streamed ? s->streaming : s->arriving)[from] += bytes;
		/* differences, summed up below */
		(streamed ? s->streamed : s->outside)[from] += bytes;
		(streamed ? s->streamed : s->outside)[to + 1] -= bytes;
		if (streamed)
			s->load_seconds[from] += cost_load(s->profile,
				g->nodes.at[r].type.dtype, bytes);
	}
	for (int32_t i = 1; i <= s->n; i++) {
		s->outside[i] += s->outside[i - 1];
		s->streamed[i] += s->streamed[i - 1];
	}
}

Stretch *
stretch_new(Program *p, uint32_t first, int32_t n)
{
	Stretch *s = arena_alloc(p->arena, sizeof *s);
	size_t count = (size_t)n + 1;
	s->p = p;
	s->g = p->graph;
	const bool *shares = mark_sharing(s);
	s->profile = cost_profile(p->options);
	s->start = first;
	s->n = n;
	s->spots = arena_array(p->arena, count, sizeof *s->spots);
	s->outside = arena_array(p->arena, count, sizeof *s->outside);
	s->arriving = arena_array(p->arena, count, sizeof *s->arriving);
	s->streamed = arena_array(p->arena, count, sizeof *s->streamed);
	s->streaming = arena_array(p->arena, count, sizeof *s->streaming);
	s->load_seconds = arena_array(p->arena, count, sizeof(double));
	for (int32_t i = 0; i < n; i++) {
		Spot *spot = &s->spots[i];
		spot->node = p->order.at[first + (uint32_t)i];
		const Node *node = &s->g->nodes.at[spot->node];
		spot->repeatable = !shares[spot->node];
		spot->last = spot->repeatable ? i : BEYOND;
		spot->bytes = round_up(type_bytes(&node->type), PLAN_ALIGN);
		spot->work = node_work_bytes(p, spot->node);
		spot->seconds = cost_node(s->profile, s->g, node, 1);
		spot->sliceable = 0;
		spot->inplace = -1;
	}
	for (int32_t i = 0; i < n; i++)
		add_uses(s, i);
	mark_beyond(s);
	for (int32_t i = 0; i < n; i++) {
		Spot *spot = &s->spots[i];
		if (spot->repeatable) {
			spot->sliceable = sliceable_axes(s, spot);
			spot->inplace = inplace_spot(s, i);
		}
	}
	outside_bytes(s, p->arena);
	return s;
}

/* ---- legality ---- */

bool
spot_has(const Stretch *s, int32_t i, int axis)
{
	return s->g->nodes.at[s->spots[i].node].type.axes >> axis & 1;
}

/* Whether spot i may join a run along `axis` that began at `first`. */
static bool
may_join(const Stretch *s, int32_t first, int32_t i, int axis)
{
	const Spot *spot = &s->spots[i];
	const Node *n = &s->g->nodes.at[spot->node];
	const Node *head = &s->g->nodes.at[s->spots[first].node];
	if (!(spot->sliceable >> axis & 1)
		|| n->type.n[axis] != head->type.n[axis])
		return false;
	for (uint32_t u = spot->first_use; u < spot->first_use + spot->nuses; u++) {
		const SpotUse *use = &s->uses.at[u];
		if (use->def < first)
			continue;
		AxisClass class = ops_axis(n->op, &n->attr, use->k, use->has, axis);
		if ((class != AX_SAME && class != AX_WINDOW)
			|| !(use->straight >> axis & 1))
			return false;
		/* a window on a value of the run moves one index at a time */
		if (class == AX_WINDOW && (n->op != OP_conv
			|| n->attr.stride[over_index(n->attr.over, axis)] != 1))
			return false;
	}
	return true;
}

int32_t
run_goes_on(const Stretch *s, int32_t first, int32_t last, int32_t limit,
	int axis)
{
	while (last + 1 < limit && may_join(s, first, last + 1, axis))
		last++;
	return last;
}

int32_t
run_end(const Stretch *s, int32_t first, int32_t limit, int axis)
{
	return run_goes_on(s, first, first - 1, limit, axis);
}

bool
run_legal(const Stretch *s, int32_t first, int32_t last, int axis)
{
	return run_end(s, first, last + 1, axis) == last;
}
