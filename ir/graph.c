/* graph.c - building and walking a graph. */
#include "ir/ir.h"

#include <string.h>

Graph *
ir_new(Arena *a, DType dtype, const char *name)
{
	Graph *g = arena_alloc(a, sizeof *g);
	g->arena = a;
	g->dtype = dtype;
	g->name = name;
	g->axis_name[AXIS_STEP] = "step";
	g->axis_name[AXIS_B] = "b";
	g->axis_name[AXIS_F] = "f";
	g->axis_name[AXIS_H] = "h";
	g->axis_name[AXIS_W] = "w";
	g->axis_name[AXIS_TOKEN] = "token";
	g->axis_name[AXIS_C] = "c";
	*vec_push(&g->nodes) = (Node){0};
	*vec_push(&g->sites) = (Site){"", 0, "", ""};
	*vec_push(&g->strings) = "";
	return g;
}

uint32_t
ir_add(Graph *g, const Node *n)
{
	Node copy = *n;         /* n may stand in the array that grows */
	if (g->nodes.n >= NODES_MAX)
		fatal(EXIT_SOURCE, "the program has more than %d values", NODES_MAX);
	*vec_push(&g->nodes) = copy;
	return (uint32_t)(g->nodes.n - 1);
}

/* Whether two shapes agree after leaving out extents of one. */
static bool
shape_fits(const Weight *a, const Weight *b)
{
	int i = 0, j = 0;
	for (;;) {
		while (i < a->rank && a->dim[i] == 1)
			i++;
		while (j < b->rank && b->dim[j] == 1)
			j++;
		if (i == a->rank || j == b->rank)
			return i == a->rank && j == b->rank;
		if (a->dim[i++] != b->dim[j++])
			return false;
	}
}

uint32_t
ir_weight(Graph *g, const Weight *w)
{
	for (size_t i = 0; i < g->weights.n; i++) {
		const Weight *have = &g->weights.at[i];
		if (strcmp(have->name, w->name)
			|| strcmp(have->component, w->component))
			continue;
		if (!shape_fits(have, w))
			return UINT32_MAX;
		if (have->matrix == w->matrix)
			return (uint32_t)i;
	}
	*vec_push(&g->weights) = *w;
	return (uint32_t)(g->weights.n - 1);
}

int64_t
type_elements(const Type *t)
{
	int64_t n = 1;
	for (int a = 0; a < AXIS_MAX; a++)
		if (t->axes >> a & 1)
			n = mul_sz(n, t->n[a]);
	return n;
}

int64_t
type_bytes(const Type *t)
{
	return mul_sz(type_elements(t), dtype_bytes(t->dtype));
}

bool
type_equal(const Type *a, const Type *b)
{
	if (a->dtype != b->dtype || a->axes != b->axes)
		return false;
	for (int i = 0; i < AXIS_MAX; i++)
		if ((a->axes >> i & 1) && a->n[i] != b->n[i])
			return false;
	return true;
}

Users
ir_users(const Graph *g, Arena *a)
{
	Users u = {arena_array(a, g->nodes.n + 2, sizeof *u.first), NULL};
	for (size_t i = 1; i < g->nodes.n; i++)
		for (int k = 0; k < g->nodes.at[i].nin; k++)
			u.first[g->nodes.at[i].in[k] + 1]++;
	u.first[1] = 0;         /* node 0: operands left out */
	for (size_t i = 1; i <= g->nodes.n; i++)
		u.first[i] += u.first[i - 1];
	u.user = arena_array(a, u.first[g->nodes.n] + 1, sizeof *u.user);
	uint32_t *fill = arena_array(a, g->nodes.n + 1, sizeof *fill);
	for (size_t i = 1; i < g->nodes.n; i++)
		for (int k = 0; k < g->nodes.at[i].nin; k++) {
			uint32_t in = g->nodes.at[i].in[k];
			if (in)
				u.user[u.first[in] + fill[in]++] = (uint32_t)i;
		}
	return u;
}

/* Marks what outputs need.  Operands come before their users but for a carry's
 * next, so a second round reaches what only a next needs. */
static void
mark_needed(const Graph *g, bool *needed)
{
	for (size_t i = 0; i < g->outputs.n; i++)
		needed[g->outputs.at[i].node] = true;
	bool again = true;
	while (again) {
		again = false;
		for (size_t i = g->nodes.n; i-- > 1;) {
			const Node *n = &g->nodes.at[i];
			for (int k = 0; needed[i] && k < n->nin; k++)
				if (n->in[k] && !needed[n->in[k]]) {
					needed[n->in[k]] = true;
					again |= n->in[k] > i;
				}
		}
	}
}

void
ir_sweep(Graph *g, uint32_t *map)
{
	Arena scratch = {0};
	bool *needed = arena_array(&scratch, g->nodes.n, sizeof *needed);
	uint32_t *to = map ? map : arena_array(&scratch, g->nodes.n, sizeof *to);
	mark_needed(g, needed);
	uint32_t n = 1;
	to[0] = 0;
	for (size_t i = 1; i < g->nodes.n; i++)
		to[i] = needed[i] ? n++ : 0;
	for (size_t i = 1; i < g->nodes.n; i++) {
		if (!needed[i])
			continue;
		Node node = g->nodes.at[i];
		for (int k = 0; k < node.nin; k++)
			node.in[k] = to[node.in[k]];
		g->nodes.at[to[i]] = node;
	}
	g->nodes.n = n;
	for (size_t i = 0; i < g->outputs.n; i++)
		g->outputs.at[i].node = to[g->outputs.at[i].node];
	arena_free(&scratch);
}

double
node_flops(const Graph *g, const Node *n)
{
	double out = (double)type_elements(&n->type);
	const Type *x = &g->nodes.at[n->in[0]].type;
	double c = (double)x->n[AXIS_C];
	switch (n->op) {
	case OP_linear:
		return 2 * out * c * (n->attr.geglu ? 2 : 1);
	case OP_conv:
		for (int i = 0; i < __builtin_popcount(n->attr.over); i++)
			c *= n->attr.kernel[i];
		return 2 * out * c;
	case OP_attend: {
		const Type *k = &g->nodes.at[n->in[1]].type;
		double keys = 1;
		for (int a = 0; a < AXIS_MAX; a++)
			if (n->attr.over >> a & 1)
				keys *= (double)k->n[a];
		return 2 * keys * (out + out / (double)n->type.n[AXIS_C] * c);
	}
	case OP_norm_stats:
		return 4 * (double)type_elements(x);
	default:
		return op_info[n->op].flags & (OPF_LEAF | OPF_VIEW) ? 0 : 4 * out;
	}
}
