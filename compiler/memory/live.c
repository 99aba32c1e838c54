/* live.c - what needs bytes, how many, and from where in the code to where.
 *
 * What a loop reads from outside must live to its end; what it writes for
 * readers outside must live from its beginning; what begins and ends inside
 * needs only the slice of one iteration.
 */
#include "compiler/memory/live.h"

#include <string.h>

/* The item of what is there before the program starts. */
#define AT_START (UINT32_MAX - 1)

/* ---- the code ---- */

static void
index_code(Live *l)
{
	Program *p = l->p;
	size_t n = p->code.n;
	l->item_of = arena_array(p->arena, l->g->nodes.n, sizeof *l->item_of);
	memset(l->item_of, 0xff, l->g->nodes.n * sizeof *l->item_of);
	l->loop_begin = arena_array(p->arena, n, sizeof *l->loop_begin);
	l->loop_end = arena_array(p->arena, n, sizeof *l->loop_end);
	l->loop_around = arena_array(p->arena, n, sizeof *l->loop_around);
	for (CodeWalk w = {0}; w.at < n; code_past(p, &w)) {
		const CodeItem *s = &p->code.at[w.at];
		uint32_t around = w.depth ? w.loop[w.depth - 1] : UINT32_MAX;
		l->loop_begin[w.at] = s->kind == CODE_LOOP ? w.at : around;
		if (s->kind == CODE_LOOP)
			l->loop_around[w.at] = around;
		if (s->kind == CODE_NODE)
			l->item_of[s->id] = w.at;
		if (s->kind == CODE_NEXT)
			l->loop_end[around] = w.at;
	}
	for (uint32_t i = 0; i < n; i++)
		if (p->code.at[i].kind != CODE_LOOP)
			l->loop_end[i] = l->loop_begin[i] == UINT32_MAX ? UINT32_MAX
				: l->loop_end[l->loop_begin[i]];
}

/* Makes [*first, *last] hold item `at`, over the whole of every loop that has
 * `at` but not the value's making, or the other way round. */
static void
extend(const Live *l, uint32_t *first, uint32_t *last, uint32_t def, uint32_t at)
{
	for (uint32_t b = l->loop_begin[at]; b != UINT32_MAX; b = l->loop_around[b])
		if (def < b || def > l->loop_end[b]) {
			*first = *first < b ? *first : b;
			*last = *last > l->loop_end[b] ? *last : l->loop_end[b];
		}
	uint32_t around = def == AT_START ? UINT32_MAX : l->loop_begin[def];
	for (uint32_t b = around; b != UINT32_MAX; b = l->loop_around[b])
		if (at < b || at > l->loop_end[b]) {
			*first = *first < b ? *first : b;
			*last = *last > l->loop_end[b] ? *last : l->loop_end[b];
		}
	*first = *first < at ? *first : at;
	*last = *last > at ? *last : at;
}

/* A value that is read after the program has ended: it lives from the start of
 * every loop around its making. */
static void
extend_to_end(const Live *l, uint32_t *first, uint32_t *last, uint32_t def)
{
	for (uint32_t b = l->loop_begin[def]; b != UINT32_MAX; b = l->loop_around[b])
		*first = *first < b ? *first : b;
	*last = (uint32_t)(l->p->code.n - 1);
}

/* ---- storages ---- */

/* A dense buffer with the extents of a type. */
static Storage
storage_for(const Type *t, BufferRole role, uint32_t id, const char *name)
{
	Storage s = {.role = role, .id = id, .name = name, .dtype = t->dtype,
		.axes = t->axes, .same_as = UINT32_MAX, .first = UINT32_MAX};
	memcpy(s.n, t->n, sizeof s.n);
	return s;
}

static uint32_t
add_storage(Program *p, Storage s)
{
	int64_t n = dtype_bytes(s.dtype);
	for (int a = 0; a < AXIS_MAX; a++)
		if (s.axes >> a & 1)
			n = mul_sz(n, s.n[a]);
	s.bytes = n;
	*vec_push(&p->storages) = s;
	return (uint32_t)(p->storages.n - 1);
}

/* Carries share the place of what enters and what leaves; a concat whose first
 * operand is a concat of the same axis and read by nothing else takes it in. */
static void
find_classes(Live *l)
{
	const Graph *g = l->g;
	l->class = arena_array(l->p->arena, g->nodes.n, sizeof *l->class);
	uint32_t *readers = arena_array(l->p->arena, g->nodes.n, sizeof *readers);
	for (uint32_t i = 1; i < g->nodes.n; i++) {
		l->class[i] = i;
		for (int k = 0; k < g->nodes.at[i].nin; k++)
			readers[g->nodes.at[i].in[k]]++;
	}
	for (uint32_t i = 1; i < g->nodes.n; i++)
		if (g->nodes.at[i].op == OP_carry) {
			l->class[g->nodes.at[i].in[0]] = i;
			l->class[g->nodes.at[i].in[1]] = i;
		}
	for (uint32_t i = (uint32_t)g->nodes.n; i-- > 1;) {
		const Node *n = &g->nodes.at[i];
		const Node *x = &g->nodes.at[n->in[0]];
		if (n->op == OP_concat && x->op == OP_concat
			&& x->attr.axis == n->attr.axis && x->stage == n->stage
			&& readers[n->in[0]] == 1 && l->class[n->in[0]] == n->in[0])
			l->class[n->in[0]] = l->class[i];
	}
}

static bool
is_output(const Graph *g, uint32_t node, uint32_t *which)
{
	for (size_t i = 0; i < g->outputs.n; i++)
		if (g->outputs.at[i].node == node) {
			*which = (uint32_t)i;
			return true;
		}
	return false;
}

/* Whether the value needs a row for each denoising step: made by the loop in
 * front of the main one and read there, or an output of each step. */
static bool
needs_rows(const Live *l, uint32_t node, const Users *users)
{
	uint32_t which;
	const Node *n = &l->g->nodes.at[node];
	if (is_output(l->g, node, &which) && l->g->outputs.at[which].per_step)
		return true;
	if (n->stage != ST_STEPS)
		return false;
	for (uint32_t u = users->first[node]; u < users->first[node + 1]; u++) {
		const Node *user = &l->g->nodes.at[users->user[u]];
		if (user->stage != ST_STEPS)
			return true;
		if (!is_root(l->g, users->user[u])
			&& needs_rows(l, users->user[u], users))
			return true;
	}
	return false;
}

/* Whether all that reads the value runs inside loop `loop`. */
static bool
local_to(const Live *l, uint32_t node, int loop, const Users *users)
{
	const Loop *group = &l->p->loops.at[loop];
	uint32_t which;
	if (is_output(l->g, node, &which) || l->class[node] != node)
		return false;
	for (uint32_t u = users->first[node]; u < users->first[node + 1]; u++) {
		uint32_t user = users->user[u];
		uint32_t at = l->p->plan[user].position;
		if (l->g->nodes.at[user].op == OP_carry)
			return false;
		if (!is_root(l->g, user) ? !local_to(l, user, loop, users)
			: at == UINT32_MAX || at < group->first || at > group->last)
			return false;
	}
	return true;
}

static void
slice_extents(const Live *l, uint32_t node, const Users *users, Storage *s)
{
	const NodePlan *np = &l->p->plan[node];
	for (int i = np->loop; i != LOOP_NONE; i = l->p->loops.at[i].parent) {
		int a = l->p->loops.at[i].axis;
		const Slice *range = &np->slice[a];
		if (!range->step || !local_to(l, node, i, users))
			continue;
		if (range->hi - range->lo < s->n[a]) {
			s->n[a] = range->hi - range->lo;
			s->origin[a] = *range;
		}
	}
}

static void
value_storage(Live *l, uint32_t node, const Users *users)
{
	Program *p = l->p;
	const Node *n = &l->g->nodes.at[node];
	uint32_t which = 0;
	bool out = is_output(l->g, node, &which);
	const char *scope = l->g->sites.at[n->site].scope;
	Storage s = storage_for(&n->type, out ? BUF_OUTPUT : BUF_VALUE,
		node, out ? l->g->outputs.at[which].name
		: n->op == OP_carry ? "carry"
		: *scope ? scope : op_info[n->op].name);
	slice_extents(l, node, users, &s);
	if (needs_rows(l, node, users)) {
		s.axes |= AXIS_BIT(AXIS_STEP);
		s.n[AXIS_STEP] = l->g->steps;
	}
	p->storage_of[node] = add_storage(p, s);
}

static void
leaf_storage(Live *l, uint32_t node)
{
	Program *p = l->p;
	const Node *n = &l->g->nodes.at[node];
	Storage s;
	if (n->op == OP_input) {
		s = storage_for(&n->type, BUF_INPUT, n->ref,
			l->g->inputs.at[n->ref].name);
		s.first = 0;
	} else if (n->op == OP_weight) {
		s = storage_for(&n->type, BUF_WEIGHT, node,
			l->g->weights.at[n->ref].name);
	} else {                        /* table: shared by all nodes of it */
		const Table *t = &l->g->tables.at[n->ref];
		if (p->table_storage[n->ref] != UINT32_MAX) {
			p->storage_of[node] = p->table_storage[n->ref];
			return;
		}
		s = storage_for(&n->type, BUF_TABLE, n->ref, t->name);
		s.axes |= AXIS_BIT(AXIS_STEP);
		s.n[AXIS_STEP] = t->rows;
		s.first = 0;
	}
	p->storage_of[node] = add_storage(p, s);
	if (n->op == OP_table)
		p->table_storage[n->ref] = p->storage_of[node];
}

static void
make_storages(Live *l)
{
	Program *p = l->p;
	const Graph *g = l->g;
	Users users = ir_users(g, p->arena);
	p->storages.n = 0;
	p->storage_of = arena_array(p->arena, g->nodes.n, sizeof(uint32_t));
	p->work_of = arena_array(p->arena, g->nodes.n, sizeof(uint32_t));
	p->table_storage = arena_array(p->arena, g->tables.n + 1,
		sizeof(uint32_t));
	memset(p->storage_of, 0xff, g->nodes.n * sizeof(uint32_t));
	memset(p->work_of, 0xff, g->nodes.n * sizeof(uint32_t));
	memset(p->table_storage, 0xff, (g->tables.n + 1) * sizeof(uint32_t));
	for (uint32_t i = 1; i < g->nodes.n; i++) {
		const Node *n = &g->nodes.at[i];
		if (!is_root(g, i) || l->class[i] != i)
			continue;
		if (n->op == OP_input || n->op == OP_weight || n->op == OP_table)
			leaf_storage(l, i);
		else
			value_storage(l, i, &users);
	}
	for (uint32_t i = 1; i < g->nodes.n; i++) {
		uint32_t c = i;
		while (l->class[c] != c)
			c = l->class[c];
		p->storage_of[i] = p->storage_of[c];
	}
}

/* ---- lifetimes ---- */

static void
touch(Live *l, uint32_t storage, uint32_t def, uint32_t at)
{
	Storage *s = &l->p->storages.at[storage];
	if (def == UINT32_MAX)
		def = at;
	extend(l, &s->first, &s->last, def, at);
}

/* The item that first makes what node's storage holds. */
static uint32_t
definition(const Live *l, uint32_t root)
{
	const Node *n = &l->g->nodes.at[root];
	if (n->op == OP_carry)
		return l->item_of[n->in[0]];
	if (n->op == OP_input || n->op == OP_table)
		return AT_START;
	return l->item_of[root];
}

static void
lifetimes(Live *l)
{
	Program *p = l->p;
	const Graph *g = l->g;
	uint32_t *load = arena_array(p->arena, g->nodes.n, sizeof *load);
	l->use_first = arena_array(p->arena, p->storages.n + 1,
		sizeof *l->use_first);
	memset(l->use_first, 0xff, (p->storages.n + 1) * sizeof *l->use_first);
	for (uint32_t at = 0; at < p->code.n; at++) {
		const CodeItem *s = &p->code.at[at];
		if (s->kind == CODE_LOAD) {
			load[s->id] = at;
			touch(l, p->storage_of[s->id], at, at);
		}
		if (s->kind == CODE_WAIT)
			touch(l, p->storage_of[s->id], load[s->id], at);
		if (s->kind != CODE_NODE)
			continue;
		const Node *n = &g->nodes.at[s->id];
		uint32_t class = l->class[s->id];
		touch(l, p->storage_of[s->id], class == s->id ? at
			: definition(l, class), at);
		for (int k = 0; k < n->nin; k++) {
			Ref part[2];
			int parts = n->in[k] ? ref_resolve(g, n->in[k], part) : 0;
			for (int j = 0; j < parts; j++) {
				uint32_t r = part[j].root;
				uint32_t *head = &l->use_first[p->storage_of[r]];
				*vec_push(&l->use) = (LiveUse){s->id, *head, k,
					part[j]};
				*head = (uint32_t)l->use.n - 1;
				touch(l, p->storage_of[r],
					g->nodes.at[r].op == OP_weight ? load[r]
					: definition(l, l->class[r]), at);
			}
		}
	}
	for (size_t i = 0; i < g->outputs.n; i++) {
		uint32_t node = g->outputs.at[i].node;
		Storage *s = &p->storages.at[p->storage_of[node]];
		extend_to_end(l, &s->first, &s->last, l->item_of[node]);
	}
}

/* ---- workspaces ---- */

/* An operand without bytes, for Target.work_bytes. */
static Operand
shape_operand(const Graph *g, uint32_t id)
{
	Operand o = {0};
	Ref part[2];
	int parts = id ? ref_resolve(g, id, part) : 0;
	o.parts = parts;
	for (int j = 0; j < parts; j++) {
		View *v = &o.part[j];
		const Type *t = &g->nodes.at[id].type;
		v->dtype = g->nodes.at[part[j].root].type.dtype;
		v->axes = t->axes;
		for (int a = 0; a < AXIS_MAX; a++)
			v->n[a] = v->full[a] = (t->axes >> a & 1) ? t->n[a] : 1;
		v->n[AXIS_C] = v->full[AXIS_C] = parts == 2 ? part[j].c
			: v->n[AXIS_C];
		v->stride[AXIS_C] = 1;
	}
	return o;
}

int64_t
node_work_bytes(const Program *p, uint32_t node)
{
	const Node *n = &p->graph->nodes.at[node];
	Operand args[OPERANDS_MAX + 1] = {0};
	if (!(op_info[n->op].flags & OPF_WORK))
		return 0;
	args[0] = shape_operand(p->graph, node);
	for (int k = 0; k < n->nin; k++)
		args[1 + k] = shape_operand(p->graph, n->in[k]);
	return p->target->work_bytes(n->op, args, &n->attr, p->threads);
}

static void
add_work(Live *l, uint32_t node)
{
	Program *p = l->p;
	int64_t bytes = node_work_bytes(p, node);
	if (!bytes)
		return;
	Storage s = {.role = BUF_WORK, .id = node, .name = "workspace",
		.dtype = DT_F32, .axes = AXIS_BIT(AXIS_C), .same_as = UINT32_MAX,
		.first = l->item_of[node], .last = l->item_of[node]};
	s.n[AXIS_C] = (bytes + 3) / 4;
	p->work_of[node] = add_storage(p, s);
}

/* needs: code.
 * makes: storages with sizes and lifetimes. */
void
pass_live(Program *p)
{
	Live l = {.p = p, .g = p->graph};
	index_code(&l);
	find_classes(&l);
	make_storages(&l);
	lifetimes(&l);
	l.taken = arena_array(p->arena, p->storages.n + 1, sizeof *l.taken);
	for (uint32_t i = 0; i < p->order.n; i++)
		live_take_place(&l, p->order.at[i]);
	for (uint32_t i = 0; i < p->order.n; i++)
		add_work(&l, p->order.at[i]);
	vec_free(&l.use);
}
