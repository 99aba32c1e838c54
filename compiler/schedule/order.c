/* order.c - the order of instructions: program order, improved where another
 * needs fewer bytes at once (order_search.c).
 */
#include "compiler/schedule/order.h"
#include "compiler/program.h"

#include <string.h>

/* Sets of finished nodes that may be looked at in each part of a stage. */
enum { ORDER_STATES = 20000 };

static bool
has_instruction(const Node *n)
{
	return !(op_info[n->op].flags & (OPF_LEAF | OPF_VIEW));
}

/* Stage by stage in program order. */
static void
program_positions(Program *p)
{
	Graph *g = p->graph;
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

/* ---- a stage as a graph for the search ---- */

typedef struct Orderer {
	Program *p;
	Users users;
	uint32_t first, n;      /* the stage: order[first .. first + n - 1] */
	OrderGraph g;
	Vec(uint32_t) in, after;
} Orderer;

/* A node's index in the stage, ORDER_NONE. */
static uint32_t
index_of(const Orderer *o, uint32_t node)
{
	uint32_t at = o->p->plan[node].position;
	return at != UINT32_MAX && at >= o->first && at < o->first + o->n
		? at - o->first : ORDER_NONE;
}

/* Whether anything reads the value behind the stage, or in the next step. */
static bool
stays(const Orderer *o, uint32_t node)
{
	const Graph *g = o->p->graph;
	for (size_t i = 0; i < g->outputs.n; i++)
		if (g->outputs.at[i].node == node)
			return true;
	for (uint32_t u = o->users.first[node]; u < o->users.first[node + 1]; u++) {
		uint32_t user = o->users.user[u];
		if (g->nodes.at[user].op == OP_carry
			|| (is_root(g, user) ? index_of(o, user) == ORDER_NONE
				: stays(o, user)))
			return true;
	}
	return false;
}

/* Weights that are there only for the node, its workspace. */
static int64_t
passing_bytes(const Orderer *o, uint32_t node)
{
	const Graph *g = o->p->graph;
	const Node *n = &g->nodes.at[node];
	int64_t bytes = node_work_bytes(o->p, node);
	bool loop = n->stage == ST_LOOP || n->stage == ST_STEPS;
	for (int k = 0; k < n->nin && !loop; k++)
		if (n->in[k] && g->nodes.at[n->in[k]].op == OP_weight)
			bytes = add_sz(bytes, round_up(type_bytes(&g->nodes
				.at[n->in[k]].type), PLAN_ALIGN));
	return bytes;
}

static void
add_node(Orderer *o, uint32_t i)
{
	const Graph *g = o->p->graph;
	uint32_t node = o->p->order.at[o->first + i];
	const Node *n = &g->nodes.at[node];
	OrderNode *x = &o->g.node[i];
	*x = (OrderNode){.bytes = round_up(type_bytes(&n->type), PLAN_ALIGN),
		.work = passing_bytes(o, node), .stays = stays(o, node),
		.first_in = (uint32_t)o->in.n, .inplace = ORDER_NONE,
		.first_after = (uint32_t)o->after.n};
	for (int k = 0; k < n->nin; k++) {
		Ref part[2];
		int parts = n->in[k] ? ref_resolve(g, n->in[k], part) : 0;
		for (int j = 0; j < parts; j++) {
			uint32_t from = index_of(o, part[j].root);
			if (from == ORDER_NONE)
				continue;
			*vec_push(&o->in) = from;
			if (parts == 1 && op_info[n->op].in[k].inplace)
				x->inplace = from;
		}
	}
	x->nin = (uint32_t)o->in.n - x->first_in;
}

/* What reads a carried value must run before the next one is written over it. */
static void
add_carries(Orderer *o, uint32_t i)
{
	const Graph *g = o->p->graph;
	uint32_t next = o->p->order.at[o->first + i];
	OrderNode *x = &o->g.node[i];
	x->first_after = (uint32_t)o->after.n;
	for (uint32_t u = o->users.first[next]; u < o->users.first[next + 1]; u++) {
		uint32_t carry = o->users.user[u];
		if (g->nodes.at[carry].op != OP_carry)
			continue;
		for (uint32_t k = 0; k < o->n; k++) {
			const Node *m = &g->nodes.at[o->p->order.at[o->first + k]];
			for (int e = 0; e < m->nin && k != i; e++) {
				Ref part[2];
				int parts = m->in[e]
					? ref_resolve(g, m->in[e], part) : 0;
				for (int j = 0; j < parts; j++)
					if (part[j].root == carry)
						*vec_push(&o->after) = k;
			}
		}
	}
	x->nafter = (uint32_t)o->after.n - x->first_after;
}

static OrderResult
order_stage(Orderer *o)
{
	Program *p = o->p;
	OrderResult r;
	uint32_t *order = arena_array(p->arena, o->n, sizeof *order);
	uint32_t *nodes = arena_array(p->arena, o->n, sizeof *nodes);
	o->g.n = o->n;
	o->g.node = arena_array(p->arena, o->n, sizeof *o->g.node);
	o->in.n = o->after.n = 0;
	for (uint32_t i = 0; i < o->n; i++) {
		order[i] = i;
		nodes[i] = p->order.at[o->first + i];
		add_node(o, i);
	}
	for (uint32_t i = 0; i < o->n; i++)
		add_carries(o, i);
	o->g.in = o->in.at;
	o->g.after = o->after.at;
	order_find(&o->g, order, ORDER_STATES, &r);
	for (uint32_t i = 0; i < o->n; i++) {
		p->order.at[o->first + i] = nodes[order[i]];
		p->plan[nodes[order[i]]].position = o->first + i;
	}
	return r;
}

/* needs: a canonical graph.
 * makes: order: the nodes with an instruction, stage by stage; plan: positions,
 * no loops; order_proven: no order of a stage has a lower peak without loops. */
void
pass_order(Program *p)
{
	Graph *g = p->graph;
	p->plan = arena_array(p->arena, g->nodes.n, sizeof *p->plan);
	p->streamed = arena_array(p->arena, g->nodes.n, sizeof *p->streamed);
	p->issue = arena_array(p->arena, g->nodes.n, sizeof *p->issue);
	memset(p->issue, 0xff, g->nodes.n * sizeof *p->issue);
	program_positions(p);
	p->order_proven = true;
	Orderer o = {.p = p, .users = ir_users(g, p->arena)};
	for (uint32_t i = 0; i < p->order.n; i += o.n) {
		o.first = i;
		o.n = 1;
		while (i + o.n < p->order.n
			&& g->nodes.at[p->order.at[i + o.n]].stage
				== g->nodes.at[p->order.at[i]].stage)
			o.n++;
		OrderResult r = order_stage(&o);
		p->order_proven &= r.proven;
	}
	vec_free(&o.in);
	vec_free(&o.after);
}
