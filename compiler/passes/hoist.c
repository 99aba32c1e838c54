/* hoist.c - work leaves the denoising loop that does not need to be in it.
 *
 * What depends on no step (keys and values of the text, frame positions) is
 * computed once before the loop; what depends only on the step (time embeddings
 * and their projections) for all steps in a loop of its own in front.  Weights
 * used only there are gone before the main loop begins.
 */
#include "compiler/program.h"

/* The earliest stage in which a node of the loop can run. */
static Stage
earliest_stage(const Graph *g, const Node *n)
{
	Stage s = ST_BEFORE;
	if (n->op == OP_carry
		|| (n->op == OP_input && g->inputs.at[n->ref].per_step))
		return ST_LOOP;
	if (n->op == OP_table)
		return ST_STEPS;
	for (int k = 0; k < n->nin; k++)
		if (n->in[k] && g->nodes.at[n->in[k]].stage > s)
			s = (Stage)g->nodes.at[n->in[k]].stage;
	return s;
}

/* Marks values that must be made in the loop: those that it carries on, and those
 * that are put out at each step. */
static void
mark_next(const Graph *g, bool *next)
{
	for (size_t i = 1; i < g->nodes.n; i++)
		if (g->nodes.at[i].op == OP_carry)
			next[g->nodes.at[i].in[1]] = true;
	for (size_t i = 0; i < g->outputs.n; i++)
		if (g->outputs.at[i].per_step)
			next[g->outputs.at[i].node] = true;
}

/* needs: a canonical graph.
 * makes: stages ST_BEFORE and ST_STEPS for what can run there.
 * keeps: values bit for bit. */
void
pass_hoist(Program *p)
{
	Graph *g = p->graph;
	bool *next = arena_array(p->arena, g->nodes.n, sizeof *next);
	mark_next(g, next);
	for (uint32_t i = 1; i < g->nodes.n; i++) {
		Node *n = &g->nodes.at[i];
		if (n->stage != ST_LOOP || next[i])
			continue;
		n->stage = (uint8_t)earliest_stage(g, n);
	}
}
