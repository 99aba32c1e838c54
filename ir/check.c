/* check.c - what must hold of a graph between any two passes.  A failure is our
 * bug, never the user's: it aborts with the name of the pass that broke it.
 */
#include "ir/ir.h"

#include <string.h>

#define HOLDS(cond, ...) \
	do { \
		if (!(cond)) { \
			fprintf(stderr, "node %zu (%s): ", i, \
				op_info[g->nodes.at[i].op].name); \
			die(pass, __VA_ARGS__); \
		} \
	} while (0)

static void
check_operands(const Graph *g, size_t i, const char *pass)
{
	const Node *n = &g->nodes.at[i];
	int row = op_nin(n->op);
	HOLDS(n->nin <= row, "%d operands, the row has %d", n->nin, row);
	for (int k = 0; k < row; k++) {
		const OperandInfo *o = &op_info[n->op].in[k];
		uint32_t in = k < n->nin ? n->in[k] : 0;
		HOLDS(in || o->optional || (n->op >= OP_add && n->op <= OP_div),
			"operand '%s' is missing", o->name);
		if (!in)
			continue;
		HOLDS(in < g->nodes.n, "operand %u does not exist", in);
		HOLDS(in < i || (n->op == OP_carry && k == 1),
			"operand %u comes later", in);
		HOLDS(g->nodes.at[in].stage <= n->stage
				|| (n->op == OP_carry && k == 1),
			"operand %u belongs to a later stage", in);
	}
}

static void
check_type(const Graph *g, size_t i, const char *pass)
{
	const Type *t = &g->nodes.at[i].type;
	HOLDS(t->dtype < DT_COUNT, "element type %d", t->dtype);
	for (int a = 0; a < AXIS_MAX; a++) {
		bool has = t->axes >> a & 1;
		HOLDS(has ? t->n[a] > 0 : t->n[a] == 0, "axis %d has extent %lld",
			a, (long long)t->n[a]);
	}
	HOLDS(type_bytes(t) > 0, "has no bytes");
}

/* Shape inference on what is there must give the type that is there. */
static void
check_inference(const Graph *g, size_t i, const char *pass)
{
	Node again = g->nodes.at[i];
	ShapeError e;
	char have[256], want[256];
	if (again.op == OP_carry)
		return;
	HOLDS(ir_infer(g, &again, &e), "%s", e.text);
	HOLDS(again.type.axes == g->nodes.at[i].type.axes
			&& !memcmp(again.type.n, g->nodes.at[i].type.n,
				sizeof again.type.n),
		"type is %s, inferred %s",
		type_print(g, &g->nodes.at[i].type, have),
		type_print(g, &again.type, want));
}

void
ir_check(const Graph *g, const char *pass)
{
	for (size_t i = 1; i < g->nodes.n; i++) {
		const Node *n = &g->nodes.at[i];
		HOLDS(n->op > OP_NONE && n->op < OP_COUNT, "op %d", n->op);
		HOLDS(n->stage < ST_COUNT, "stage %d", n->stage);
		HOLDS(n->site < g->sites.n, "site %u", n->site);
		check_operands(g, i, pass);
		check_type(g, i, pass);
		check_inference(g, i, pass);
	}
	for (size_t k = 0; k < g->outputs.n; k++) {
		size_t i = 0;
		HOLDS(g->outputs.at[k].node && g->outputs.at[k].node < g->nodes.n,
			"output '%s' is no node", g->outputs.at[k].name);
	}
}
