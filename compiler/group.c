/* group.c - chooses the loops over slices and the weights that are streamed.
 *
 * For a limit T on the bytes that live at once, the fastest program is a
 * shortest path through each stage (group_path.c) in which every edge whose
 * peak is over T is missing.  The goal then picks T.
 */
#include "group.h"

#include <string.h>

/* The default takes what costs at most this much more time. */
#define DEFAULT_SLOWDOWN 1.05

static void
choose(Program *p)
{
	const CompileOptions *o = p->options;
	Grouper g;
	grouper_begin(&g, p);
	if (o->goal == SLICE_DEFAULT)
		grouper_apply(&g, grouper_least_limit(&g, g.floor - 1, g.high,
			p->unsliced_seconds * DEFAULT_SLOWDOWN), 0);
	else if (o->goal == SLICE_BUDGET)
		grouper_meet(&g, o->budget);
	grouper_end(&g);
	if (o->goal == SLICE_LEAST
		|| (o->goal == SLICE_BUDGET && p->height > o->budget)) {
		stream_begin(&g, p);
		stream_within(&g, o->goal == SLICE_LEAST ? 0 : o->budget);
		grouper_end(&g);
	}
	/* gaps in a tiny program can cost more than slices save */
	if (p->height > p->unsliced_height) {
		memset(p->streamed, 0, p->graph->nodes.n * sizeof *p->streamed);
		groups_none(p);
	}
}

/* Predicted time without loops. */
static double
plain_seconds(const Program *p)
{
	double sum = 0;
	for (uint32_t i = 0; i < p->order.n; i++) {
		const Node *n = &p->graph->nodes.at[p->order.at[i]];
		bool over_steps = n->stage == ST_LOOP || n->stage == ST_STEPS;
		sum += (over_steps ? (double)p->graph->steps : 1)
			* cost_node(cost_profile(p->options), p->graph, n, 1);
	}
	return sum;
}

void
groups_none(Program *p)
{
	groups_clear(p);
	program_measure(p, 0);
	p->unsliced_height = p->height;
	p->unsliced_seconds = plain_seconds(p);
}

/* needs: order.
 * makes: loops, slices, streamed; unsliced_height and unsliced_seconds.
 * keeps: values bit for bit. */
void
pass_group(Program *p)
{
	groups_none(p);
	if (p->options->goal != SLICE_NONE)
		choose(p);
}
