/* predict.c - predicted time of nodes in the loops that were chosen. */
#include "compiler/cost/cost.h"

double
node_seconds(const Program *p, uint32_t node, double *repeats)
{
	const Node *n = &p->graph->nodes.at[node];
	int64_t slices = 1;
	double times = 1, halo = 1;
	for (int i = p->plan[node].loop; i != LOOP_NONE; i = p->loops.at[i].parent)
		if (n->type.axes >> p->loops.at[i].axis & 1)
			slices *= p->loops.at[i].count;
		else
			times *= (double)p->loops.at[i].count;
	if (repeats)
		*repeats = times;
	for (int a = 0; a < AXIS_MAX; a++) {
		const Slice *s = &p->plan[node].slice[a];
		if (s->step > 0)
			halo *= (double)min64(s->hi - s->lo, n->type.n[a])
				/ (double)s->step;
	}
	return times * halo * cost_node(cost_profile(p->options),
		p->graph, n, slices);
}
