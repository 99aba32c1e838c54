/* fold.c - the nodes of a graph to boxes and edges between them.
 *
 * Each component is folded at the deepest scope that gives no more boxes than
 * fit on a page, and boxes that hold something.  A box never holds values on
 * both sides of another box: where the program comes back to a scope that it
 * has left, a second box begins, so that the folded graph has no cycles but
 * those of the loop over steps.  Views (concatenations that are never made,
 * parts) are not drawn; edges pass through them.
 *
 * A UNet is drawn as a U.  Its bottom is where the most long edges are open;
 * what comes behind rises.
 */
#include "compiler/explain/fold.h"

#include <stdlib.h>
#include <string.h>

enum {
	BOXES_MAX = 90,         /* of a component */
	BOXES_FEW = 40,         /* so many may be single ops */
	BOX_OPS = 4,            /* else they hold so many on average */
	LOOSE_MAX = 60,         /* ops outside any scope drawn one by one */
	SOURCES_MAX = 16,       /* through views; a view of more is a box */
	HUB_READERS = 4,
	LONG_EDGE = 4,          /* in boxes of the component */
	SKIPS_MIN = 3,          /* open at once, for a U */
};

typedef struct Sources { uint32_t n, node[SOURCES_MAX]; } Sources;

typedef struct Folder {
	Arena *arena;
	const Plan *p;
	bool *drawn;            /* by node */
	Sources *sources;       /* by node: drawn ones it reads */
	uint32_t *box_of;       /* by node, PLAN_NONE: none */
	bool *constant;         /* by node: made of no input */
	Folded f;
} Folder;

/* ---- scopes ---- */

/* Length of the level at the start of a scope: a name and the number behind
 * it. */
static size_t
level_length(const char *s)
{
	size_t n = strcspn(s, ".");
	if (s[n] && s[n + 1]) {
		size_t digits = strspn(s + n + 1, "0123456789");
		char end = s[n + 1 + digits];
		if (digits && (!end || end == '.'))
			n += 1 + digits;
	}
	return n;
}

size_t
fold_prefix(const char *scope, int levels)
{
	size_t n = 0;
	for (int i = 0; i < levels && scope[n]; i++) {
		if (n)
			n++;
		n += level_length(scope + n);
	}
	return n;
}

/* ---- what is drawn ---- */

static bool
is_input(const Plan *p, const PlanNode *n)
{
	if (n->insn != PLAN_NONE || n->nedges || n->scope)
		return false;
	for (uint32_t i = 0; i < p->n_inputs; i++)
		if (!strcmp(p->strings + p->inputs[i].name,
			p->strings + n->name))
			return true;
	return false;
}

/* Whether a node has operands that all stand before it. */
static bool
only_reads_back(const Plan *p, uint32_t i)
{
	const PlanNode *n = &p->nodes[i];
	for (uint32_t k = 0; k < n->nedges; k++)
		if (p->edges[n->first_edge + k] >= i)
			return false;
	return n->nedges > 0;
}

static bool
source_add(Sources *s, uint32_t node)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (s->node[i] == node)
			return true;
	if (s->n == SOURCES_MAX)
		return false;
	s->node[s->n++] = node;
	return true;
}

static void
find_sources(Folder *o)
{
	const Plan *p = o->p;
	for (uint32_t i = 1; i < p->n_nodes; i++) {
		const PlanNode *n = &p->nodes[i];
		Sources *s = &o->sources[i];
		bool fits = true;
		for (uint32_t k = 0; k < n->nedges; k++) {
			uint32_t from = p->edges[n->first_edge + k];
			if (from >= i || o->drawn[from]) {
				fits &= source_add(s, from);
				continue;
			}
			for (uint32_t j = 0; j < o->sources[from].n; j++)
				fits &= source_add(s, o->sources[from].node[j]);
		}
		o->drawn[i] = n->insn != PLAN_NONE || is_input(p, n)
			|| (n->nedges && (!fits || !only_reads_back(p, i)));
		o->constant[i] = !is_input(p, n);
		for (uint32_t k = 0; k < s->n; k++)
			o->constant[i] &= s->node[k] < i
				&& o->constant[s->node[k]];
	}
}

/* ---- boxes ---- */

typedef struct Key {
	const char *component, *scope;
	size_t length;
} Key;

static bool
same_key(const Box *b, const Key *k)
{
	return b->length == k->length && !b->input
		&& !strcmp(b->component, k->component)
		&& !strncmp(b->scope, k->scope, k->length);
}

/* Marks the boxes that read box b, directly or not, by nodes before `end`. */
static void
mark_readers(const Folder *o, uint32_t b, uint32_t end, bool *reads)
{
	memset(reads, 0, o->f.n * sizeof *reads);
	reads[b] = true;
	for (bool more = true; more;) {
		more = false;
		for (uint32_t i = o->f.boxes[b].first; i < end; i++) {
			uint32_t to = o->box_of[i];
			if (to == PLAN_NONE || reads[to])
				continue;
			for (uint32_t k = 0; k < o->sources[i].n; k++) {
				uint32_t node = o->sources[i].node[k];
				if (node < i && o->box_of[node] != PLAN_NONE
					&& reads[o->box_of[node]])
					more = reads[to] = true;
			}
		}
	}
}

/* Whether node i can join box b: none of its operands comes from there on a
 * way through another box. */
static bool
can_join(const Folder *o, uint32_t i, uint32_t b, bool *reads)
{
	mark_readers(o, b, i, reads);
	for (uint32_t k = 0; k < o->sources[i].n; k++) {
		uint32_t node = o->sources[i].node[k];
		uint32_t from = node < i ? o->box_of[node] : PLAN_NONE;
		if (from != PLAN_NONE && from != b && reads[from])
			return false;
	}
	return true;
}

/* 1 + the number of the plan's output that a node's instruction writes. */
static uint32_t
output_of(const Plan *p, uint32_t i)
{
	uint32_t insn = p->nodes[i].insn;
	if (insn == PLAN_NONE || p->code[insn].op >= CTL_BASE)
		return 0;
	uint32_t v = p->operands[p->code[insn].first_operand].view[0];
	for (uint32_t k = 0; k < p->n_outputs && v != PLAN_NONE; k++)
		if (p->outputs[k].buffer == p->views[v].buffer)
			return k + 1;
	return 0;
}

static void
box_put(Folder *o, uint32_t b, uint32_t i)
{
	Box *x = &o->f.boxes[b];
	const char *op = o->p->strings + o->p->nodes[i].name;
	o->box_of[i] = b;
	x->last = i;
	x->count++;
	if (output_of(o->p, i))
		x->output = output_of(o->p, i);
	x->attends |= !strcmp(op, "attend");
	x->convolves |= !strcmp(op, "conv");
}

static Key
key_of(const Folder *o, uint32_t i, int depth)
{
	const PlanNode *n = &o->p->nodes[i];
	Key k = {o->p->strings + n->component, o->p->strings + n->scope, 0};
	k.length = fold_prefix(k.scope, depth);
	return k;
}

static void
fold_node(Folder *o, uint32_t i, int depth, bool alone, bool *reads)
{
	Key k = key_of(o, i, depth);
	bool input = is_input(o->p, &o->p->nodes[i]);
	/* the newest box of that scope, if any; a scope is left for good */
	uint32_t oldest = o->f.n > 64 ? o->f.n - 64 : 0;
	for (uint32_t b = o->f.n; !input && !alone && b-- > oldest;)
		if (same_key(&o->f.boxes[b], &k)) {
			if (!can_join(o, i, b, reads))
				break;
			box_put(o, b, i);
			return;
		}
	o->f.boxes[o->f.n] = (Box){.component = k.component,
		.scope = k.scope, .length = k.length, .first = i,
		.input = input};
	box_put(o, o->f.n++, i);
}

/* Number of different scopes of a component at a depth, at most BOXES_MAX + 1;
 * and of the values in it. */
static uint32_t
count_scopes(const Folder *o, const char *component, int depth, uint32_t *ops)
{
	Key seen[BOXES_MAX + 1];
	uint32_t n = 0;
	*ops = 0;
	for (uint32_t i = 1; i < o->p->n_nodes && n < COUNT_OF(seen); i++) {
		Key k = key_of(o, i, depth);
		if (!o->drawn[i] || strcmp(k.component, component))
			continue;
		uint32_t at = 0;
		while (at < n && (seen[at].length != k.length
			|| strncmp(seen[at].scope, k.scope, k.length)))
			at++;
		if (at == n)
			seen[n++] = k;
		++*ops;
	}
	return n;
}

static int
component_depth(const Folder *o, const char *component)
{
	int depth = 1;
	for (int d = 2; d <= LEVELS_MAX; d++) {
		uint32_t ops, n = count_scopes(o, component, d, &ops);
		if (n > BOXES_MAX || (n > BOXES_FEW && ops < BOX_OPS * n))
			break;
		depth = d;
	}
	return depth;
}

static void
fold_nodes(Folder *o)
{
	const Plan *p = o->p;
	bool *reads = arena_array(o->arena, p->n_nodes + 1u, sizeof *reads);
	const char *component = NULL;
	uint32_t loose = 0;
	int depth = 1;
	for (uint32_t i = 1; i < p->n_nodes; i++)
		loose += o->drawn[i] && !p->nodes[i].scope
			&& !p->nodes[i].component;
	for (uint32_t i = 1; i < p->n_nodes; i++) {
		const PlanNode *n = &p->nodes[i];
		if (!o->drawn[i])
			continue;
		if (!component || strcmp(component, p->strings + n->component)) {
			component = p->strings + n->component;
			depth = component_depth(o, component);
		}
		fold_node(o, i, depth, !n->scope && !n->component
			&& loose <= LOOSE_MAX, reads);
	}
}

/* ---- edges ---- */

static int
by_ends(const void *a, const void *b)
{
	const BoxEdge *x = a, *y = b;
	if (x->from != y->from)
		return x->from < y->from ? -1 : 1;
	if (x->to != y->to)
		return x->to < y->to ? -1 : 1;
	return x->hub < y->hub ? -1 : x->hub > y->hub;
}

/* How many boxes read each node; all, as one box's values stand together. */
static uint32_t *
count_readers(const Folder *o)
{
	uint32_t *readers = arena_array(o->arena, o->p->n_nodes + 1u,
		sizeof *readers);
	uint32_t *latest = arena_array(o->arena, o->p->n_nodes + 1u,
		sizeof *latest);
	for (uint32_t i = 1; i < o->p->n_nodes; i++)
		for (uint32_t k = 0; o->drawn[i] && k < o->sources[i].n; k++) {
			uint32_t node = o->sources[i].node[k];
			if (latest[node] == o->box_of[i] + 1)
				continue;
			latest[node] = o->box_of[i] + 1;
			readers[node]++;
		}
	return readers;
}

/* A value carried from step to step is never one: its edges are the loop. */
static bool
is_hub(const Folder *o, const uint32_t *readers, uint32_t node)
{
	return readers[node] >= HUB_READERS && (!o->p->nodes[node].nedges
		|| only_reads_back(o->p, node));
}

static void
fold_edges(Folder *o)
{
	Folded *f = &o->f;
	Vec(BoxEdge) all = {0};
	const uint32_t *readers = count_readers(o);
	for (uint32_t i = 1; i < o->p->n_nodes; i++)
		for (uint32_t k = 0; o->drawn[i] && k < o->sources[i].n; k++) {
			uint32_t node = o->sources[i].node[k];
			uint32_t from = o->box_of[node];
			if (from == PLAN_NONE || from == o->box_of[i])
				continue;
			*vec_push(&all) = (BoxEdge){from, o->box_of[i],
				is_hub(o, readers, node) ? node : 0,
				o->constant[node], false};
		}
	if (all.n)
		qsort(all.at, all.n, sizeof *all.at, by_ends);
	f->edges = arena_array(o->arena, all.n + 1, sizeof *f->edges);
	for (size_t i = 0; i < all.n; i++)
		if (!i || by_ends(&all.at[i], &all.at[i - 1]))
			f->edges[f->n_edges++] = all.at[i];
		else
			f->edges[f->n_edges - 1].constant &= all.at[i].constant;
	vec_free(&all);
	for (uint32_t i = 0; i < f->n; i++)
		f->boxes[i].hub = is_hub(o, readers, f->boxes[i].last);
}

/* ---- the U ---- */

static bool
is_long(const Folded *f, const BoxEdge *e)
{
	return e->to >= e->from + LONG_EDGE && !e->hub && !e->constant
		&& f->boxes[e->from].length && f->boxes[e->to].length
		&& !strcmp(f->boxes[e->from].component,
			f->boxes[e->to].component);
}

/* The box of a component where the most long edges are open, PLAN_NONE when
 * these are too few for a U. */
static uint32_t
bottom_of(Folder *o, const char *component)
{
	const Folded *f = &o->f;
	int *change = arena_array(o->arena, f->n + 1u, sizeof *change);
	for (uint32_t i = 0; i < f->n_edges; i++) {
		const BoxEdge *e = &f->edges[i];
		if (!is_long(f, e) || strcmp(f->boxes[e->from].component,
			component))
			continue;
		change[e->from + 1]++;
		change[e->to]--;
	}
	int open = 0, most = 0;
	uint32_t bottom = PLAN_NONE;
	for (uint32_t i = 0; i < f->n; i++) {
		open += change[i];
		if (open >= most && open >= SKIPS_MIN) {
			most = open;
			bottom = i;
		}
	}
	return bottom;
}

static void
find_us(Folder *o)
{
	Folded *f = &o->f;
	for (uint32_t i = 0; i < f->n; i++) {
		const char *component = f->boxes[i].component;
		uint32_t before = 0;
		while (strcmp(f->boxes[before].component, component))
			before++;
		if (before < i)
			continue;       /* seen already */
		uint32_t bottom = bottom_of(o, component);
		for (uint32_t k = 0; bottom != PLAN_NONE && k < f->n; k++)
			f->boxes[k].rises = f->boxes[k].rises || (k > bottom
				&& !strcmp(f->boxes[k].component, component));
	}
	for (uint32_t i = 0; i < f->n_edges; i++) {
		BoxEdge *e = &f->edges[i];
		e->skip = is_long(f, e) && f->boxes[e->to].rises
			&& !f->boxes[e->from].rises;
	}
}

Folded
fold_graph(Arena *a, const Plan *p)
{
	size_t n = p->n_nodes + 1u;
	Folder o = {a, p, arena_array(a, n, sizeof(bool)),
		arena_array(a, n, sizeof(Sources)),
		arena_array(a, n, sizeof(uint32_t)),
		arena_array(a, n, sizeof(bool)), {0}};
	o.f.boxes = arena_array(a, n, sizeof *o.f.boxes);
	memset(o.box_of, 0xff, n * sizeof *o.box_of);
	find_sources(&o);
	fold_nodes(&o);
	fold_edges(&o);
	find_us(&o);
	return o.f;
}
