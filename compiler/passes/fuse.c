/* fuse.c - epilogues: what follows a matrix product or a norm elementwise is
 * done while its result is at hand, so that it never stands in memory by
 * itself.
 *
 * A fused op takes the place of the later of the two nodes.
 */
#include "compiler/program.h"

#include <string.h>

typedef struct Fuse {
	Graph *g;
	uint32_t *users;        /* number of readers of each node */
} Fuse;

static void
count_users(Fuse *f)
{
	Graph *g = f->g;
	memset(f->users, 0, g->nodes.n * sizeof *f->users);
	for (size_t i = 1; i < g->nodes.n; i++)
		for (int k = 0; k < g->nodes.at[i].nin; k++)
			f->users[g->nodes.at[i].in[k]]++;
	for (size_t i = 0; i < g->outputs.n; i++)
		f->users[g->outputs.at[i].node]++;
}

static Act
act_of(Op op)
{
	switch (op) {
	case OP_silu: return ACT_SILU;
	case OP_gelu: return ACT_GELU;
	case OP_gelu_tanh: return ACT_GELU_TANH;
	case OP_sigmoid: return ACT_SIGMOID;
	default: return ACT_NONE;
	}
}

static bool
is_matrix(const Node *n)
{
	return n->op == OP_linear || n->op == OP_conv;
}

/* Puts `n` with operands and attributes of `x` into the place of `at`. */
static void
replace(Fuse *f, uint32_t at, const Node *x)
{
	Node *n = &f->g->nodes.at[at];
	uint32_t site = x->site;
	Type type = n->type;
	Stage stage = (Stage)n->stage;
	*n = *x;
	n->type = type;
	n->stage = (uint8_t)stage;
	n->site = site;
}

/* act(matrix or norm_apply), before anything is added. */
static void
fuse_act(Fuse *f, uint32_t id)
{
	Node *n = &f->g->nodes.at[id];
	Act act = act_of(n->op);
	Node x = f->g->nodes.at[n->in[0]];
	if (!act || f->users[n->in[0]] != 1 || x.attr.act || x.stage != n->stage
		|| x.type.dtype != n->type.dtype)
		return;
	if (x.op != OP_norm_apply && !(is_matrix(&x) && !x.attr.geglu
		&& (x.nin < 5 || !x.in[4])))
		return;
	x.attr.act = (uint8_t)act;
	replace(f, id, &x);
}

static void
fuse_geglu(Fuse *f, uint32_t id)
{
	Node *n = &f->g->nodes.at[id];
	Node x = f->g->nodes.at[n->in[0]];
	if (n->op != OP_geglu || f->users[n->in[0]] != 1 || x.op != OP_linear
		|| x.attr.act || x.stage != n->stage || (x.nin > 3 && x.in[3]))
		return;
	x.attr.geglu = 1;
	replace(f, id, &x);
}

/* Room for `row` and `add` behind x, w, bias. */
static void
pad_operands(Node *x)
{
	while (x->nin < 5)
		x->in[x->nin++] = 0;
}

/* x + y where x is a matrix product: y becomes `add` when it has the result's
 * axes, or else `row` when it lacks some. */
static bool
fuse_add_into(Fuse *f, uint32_t id, int k)
{
	Node *n = &f->g->nodes.at[id];
	Node x = f->g->nodes.at[n->in[k]];
	uint32_t other = n->in[1 - k];
	const Type *t = &f->g->nodes.at[other].type;
	Ref part[2];
	if (!is_matrix(&x) || f->users[n->in[k]] != 1 || x.stage != n->stage
		|| x.type.axes != n->type.axes
		|| x.type.dtype != n->type.dtype || other == n->in[k]
		|| ref_resolve(f->g, other, part) != 1)
		return false;
	pad_operands(&x);
	bool whole = t->axes == n->type.axes;
	if (whole && !x.in[4])
		x.in[4] = other;
	else if (!whole && !x.in[3] && !x.attr.act && !x.in[4]
		&& !x.attr.geglu && (t->axes >> AXIS_C & 1))
		x.in[3] = other;
	else
		return false;
	replace(f, id, &x);
	return true;
}

static void
fuse_add(Fuse *f, uint32_t id)
{
	Node *n = &f->g->nodes.at[id];
	if (n->op != OP_add || n->nin < 2 || !n->in[1])
		return;
	/* the later operand first: nothing has to wait for the sum */
	int later = n->in[1] > n->in[0];
	if (!fuse_add_into(f, id, later))
		fuse_add_into(f, id, 1 - later);
}

/* needs: a canonical graph.
 * makes: act, geglu, row and add on linear and conv, act on norm_apply.
 * keeps: f32 values bit for bit; 16-bit ones lose a rounding between ops. */
void
pass_fuse(Program *p)
{
	Fuse f = {.g = p->graph};
	f.users = arena_array(p->arena, p->graph->nodes.n, sizeof *f.users);
	count_users(&f);
	for (uint32_t i = 1; i < p->graph->nodes.n; i++) {
		fuse_act(&f, i);
		fuse_geglu(&f, i);
		fuse_add(&f, i);
	}
	ir_sweep(p->graph, NULL);
}
