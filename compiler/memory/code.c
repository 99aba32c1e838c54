/* code.c - the order and its loops as a code list, with the loop over
 * denoising steps and the loads of weights.
 *
 * A weight is loaded right before its first use, or, when that is inside a
 * loop, right before the outermost loop around it; a streamed weight before the
 * innermost one, or inside an outer one, so that it shares its place with others
 * that come and go.  Prefetch moves the beginning of a load further ahead.
 */
#include "compiler/program.h"

typedef struct Coder {
	Program *p;
	bool *loaded;           /* by weight */
	uint32_t *issued, *next_issued; /* by position, by weight: those whose
	                           loads begin there, 0 ends */
	int *loop, *next_loop;  /* by position, by loop: those that begin there,
	                           LOOP_NONE ends */
} Coder;

static void
add(Program *p, CodeKind kind, uint32_t id, int64_t count)
{
	*vec_push(&p->code) = (CodeItem){kind, id, count, false};
}

/* The loop over denoising steps around the nodes of a stage, or its end. */
static void
add_over_steps(Program *p, CodeKind kind, Stage stage)
{
	int64_t count = kind == CODE_LOOP ? p->graph->steps : 0;
	*vec_push(&p->code) = (CodeItem){kind, UINT32_MAX, count,
		stage == ST_LOOP};
}

static void
load_weights(Coder *c, uint32_t first, uint32_t last, bool streamed)
{
	const Graph *g = c->p->graph;
	for (uint32_t i = first; i <= last; i++) {
		const Node *n = &g->nodes.at[c->p->order.at[i]];
		for (int k = 0; k < n->nin; k++) {
			Ref part[2];
			if (!n->in[k] || !ref_resolve(g, n->in[k], part))
				continue;
			const Node *w = &g->nodes.at[part[0].root];
			if (w->op != OP_weight || c->loaded[part[0].root]
				|| c->p->streamed[part[0].root] != streamed)
				continue;
			c->loaded[part[0].root] = true;
			if (c->p->issue[part[0].root].position == UINT32_MAX)
				add(c->p, CODE_LOAD, part[0].root, 0);
			add(c->p, CODE_WAIT, part[0].root, 0);
		}
	}
}

/* Begins the loads that were moved here. */
static void
issue_weights(Coder *c, uint32_t position, int loop)
{
	for (uint32_t w = c->issued[position]; w; w = c->next_issued[w])
		if (c->p->issue[w].loop == loop)
			add(c->p, CODE_LOAD, w, 0);
}

/* Lists the weights by the position of their loads. */
static void
index_issues(Coder *c)
{
	Program *p = c->p;
	uint32_t nodes = (uint32_t)p->graph->nodes.n;
	c->issued = arena_array(p->arena, p->order.n + 1, sizeof *c->issued);
	c->next_issued = arena_array(p->arena, nodes, sizeof *c->next_issued);
	for (uint32_t w = nodes; w-- > 1;) {
		uint32_t at = p->issue[w].position;
		if (at == UINT32_MAX)
			continue;
		c->next_issued[w] = c->issued[at];
		c->issued[at] = w;
	}
}

/* Lists the loops by where they begin. */
static void
index_loops(Coder *c)
{
	Program *p = c->p;
	c->loop = arena_array(p->arena, p->order.n + 1, sizeof *c->loop);
	c->next_loop = arena_array(p->arena, p->loops.n + 1,
		sizeof *c->next_loop);
	for (size_t i = 0; i <= p->order.n; i++)
		c->loop[i] = LOOP_NONE;
	for (int i = (int)p->loops.n; i-- > 0;) {
		uint32_t at = p->loops.at[i].first;
		c->next_loop[i] = c->loop[at];
		c->loop[at] = i;
	}
}

/* Outermost loop that begins at position `at` inside `parent`. */
static int
loop_at(const Coder *c, uint32_t at, int parent)
{
	int i = c->loop[at];
	while (i != LOOP_NONE && c->p->loops.at[i].parent != parent)
		i = c->next_loop[i];
	return i;
}

/* Nodes order[first .. last] inside loop `parent`; `resident`: weights that are
 * not streamed are loaded here, in front of each node or loop. */
static void
code_range(Coder *c, uint32_t first, uint32_t last, int parent, bool resident)
{
	Program *p = c->p;
	bool leaf = parent != LOOP_NONE && !p->loops.at[parent].outer;
	for (uint32_t i = first; i <= last; i++) {
		int loop = loop_at(c, i, parent);
		uint32_t end = loop == LOOP_NONE ? i : p->loops.at[loop].last;
		issue_weights(c, i, parent);
		if (resident)
			load_weights(c, i, end, false);
		if (!leaf && (loop == LOOP_NONE || !p->loops.at[loop].outer))
			load_weights(c, i, end, true);
		if (loop == LOOP_NONE) {
			add(p, CODE_NODE, p->order.at[i], 0);
			continue;
		}
		add(p, CODE_LOOP, (uint32_t)loop, p->loops.at[loop].count);
		code_range(c, i, end, loop, false);
		add(p, CODE_NEXT, (uint32_t)loop, 0);
		i = end;
	}
}

/* needs: order and loops.
 * makes: code. */
void
pass_code(Program *p)
{
	const Graph *g = p->graph;
	Coder c = {.p = p};
	c.loaded = arena_array(p->arena, g->nodes.n, sizeof *c.loaded);
	index_issues(&c);
	index_loops(&c);
	p->code.n = 0;
	for (uint32_t i = 0; i < p->order.n;) {
		uint32_t end = i;
		Stage s = (Stage)g->nodes.at[p->order.at[i]].stage;
		while (end + 1 < p->order.n
			&& g->nodes.at[p->order.at[end + 1]].stage == s)
			end++;
		bool over_steps = s == ST_STEPS || s == ST_LOOP;
		if (over_steps) {
			load_weights(&c, i, end, false);
			add_over_steps(p, CODE_LOOP, s);
		}
		code_range(&c, i, end, LOOP_NONE, !over_steps);
		if (over_steps)
			add_over_steps(p, CODE_NEXT, s);
		i = end + 1;
	}
}
