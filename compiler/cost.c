/* cost.c - a roofline with two corrections: each instruction costs a launch, and
 * a matrix product with few rows runs below its rate because every slice walks
 * over all weights again.
 */
#include "cost.h"

const Profile *
cost_profile(void)
{
	/* two cores of a Zen 4 server at 2.6 GHz */
	static const Profile cpu = {
		.name = "cpu-2core", .matrix_flops = 190e9, .attend_flops = 90e9,
		.small_flops = 6e9, .bandwidth = 20e9, .launch = 6e-6,
		.rows_half = 24, .load_bandwidth = 1.2e9,
	};
	return &cpu;
}

/* Bytes that a node reads and writes once. */
static double
node_bytes(const Graph *g, const Node *n)
{
	double bytes = (double)type_bytes(&n->type);
	for (int k = 0; k < n->nin; k++)
		if (n->in[k])
			bytes += (double)type_bytes(&g->nodes.at[n->in[k]].type);
	return bytes;
}

double
cost_node(const Profile *c, const Graph *g, const Node *n, int64_t slices)
{
	double flops = node_flops(g, n), seconds;
	double memory = node_bytes(g, n) / c->bandwidth;
	if (op_info[n->op].flags & (OPF_LEAF | OPF_VIEW))
		return 0;
	if (n->op == OP_linear || n->op == OP_conv) {
		double channels = (double)max64(n->type.n[AXIS_C], 1);
		double rows = (double)type_elements(&n->type) / channels
			/ (double)slices;
		seconds = flops / c->matrix_flops * (1 + c->rows_half / rows);
	} else if (n->op == OP_attend) {
		seconds = flops / c->attend_flops;
	} else {
		seconds = flops / 4 / c->small_flops;
	}
	return (seconds > memory ? seconds : memory)
		+ (double)slices * c->launch;
}

double
cost_load(const Profile *c, int64_t bytes)
{
	return (double)bytes / c->load_bandwidth;
}
