/* order.c - the order of instructions. */
#include "program.h"

#include <string.h>

static bool
has_instruction(const Node *n)
{
	return !(op_info[n->op].flags & (OPF_LEAF | OPF_VIEW));
}

/* needs: a canonical graph.
 * makes: order: the nodes with an instruction, stage by stage, in program
 * order; plan: positions, no loops. */
void
pass_order(Program *p)
{
	Graph *g = p->graph;
	p->plan = arena_array(p->arena, g->nodes.n, sizeof *p->plan);
	p->streamed = arena_array(p->arena, g->nodes.n, sizeof *p->streamed);
	p->issue = arena_array(p->arena, g->nodes.n, sizeof *p->issue);
	memset(p->issue, 0xff, g->nodes.n * sizeof *p->issue);
	p->order.n = 0;
	for (int stage = 0; stage < ST_COUNT; stage++)
		for (uint32_t i = 1; i < g->nodes.n; i++) {
			const Node *n = &g->nodes.at[i];
			NodePlan *np = &p->plan[i];
			np->loop = LOOP_NONE;
			if (n->stage != stage)
				continue;
			np->position = UINT32_MAX;
			if (!has_instruction(n))
				continue;
			np->position = (uint32_t)p->order.n;
			*vec_push(&p->order) = i;
		}
}
