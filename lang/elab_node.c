/* elab_node.c - graph nodes: where they come from, the checks of shape.c as
 * errors of the language, weights and their names.
 */
#include "lang/elab.h"

#include <string.h>

#define WEIGHT_MAX ((int64_t)1 << 44)   /* elements, as of any value */

const Type *
node_type(const Elab *e, uint32_t node)
{
	return &e->g->nodes.at[node].type;
}

Value
node_value(uint32_t node)
{
	return node ? value_tensor(node) : value_error();
}

/* Index of the site for `loc` in the current scope; the last one is reused. */
static uint32_t
site(Elab *e, Loc loc)
{
	Instance *in = e->frame ? e->frame->instance : NULL;
	Site s = {loc.file->path, source_line(loc.file, loc.begin), e->scope,
		in ? in->component : ""};
	const Site *last = &e->g->sites.at[e->last_site];
	if (!e->last_site || last->file != s.file || last->line != s.line
		|| strcmp(last->scope, s.scope)
		|| strcmp(last->component, s.component)) {
		e->last_site = (uint32_t)e->g->sites.n;
		*vec_push(&e->g->sites) = s;
	}
	return e->last_site;
}

uint32_t
node_add(Elab *e, Node *n, Loc loc)
{
	ShapeError err;
	for (int i = 0; i < n->nin; i++)
		if (!n->in[i] && !op_info[n->op].in[i].optional)
			return 0;
	if (e->g->nodes.n >= NODES_MAX) {
		e->stop = true;
		elab_error(e, loc, NULL, "the program has more than %d values",
			NODES_MAX);
		return 0;
	}
	if (!elab_work(e, loc, 4))
		return 0;
	if (!ir_infer(e->g, n, &err)) {
		elab_error(e, loc, err.note, "%s", err.text);
		return 0;
	}
	n->stage = (uint8_t)e->stage;
	n->site = site(e, loc);
	return ir_add(e->g, n);
}

uint32_t
node_unary(Elab *e, Op op, uint32_t x, Loc loc)
{
	Node n = {.op = op, .nin = 1, .in = {x}};
	return node_add(e, &n, loc);
}

uint32_t
node_binary(Elab *e, Op op, uint32_t x, uint32_t y, Loc loc)
{
	Node n = {.op = op, .nin = 2, .in = {x, y}};
	return y ? node_add(e, &n, loc) : 0;
}

uint32_t
node_scalar(Elab *e, Op op, uint32_t x, double scalar, bool reversed, Loc loc)
{
	Node n = {.op = op, .nin = 1, .in = {x}};
	n.attr.scalar = scalar;
	n.attr.reversed = reversed;
	return node_add(e, &n, loc);
}

uint32_t
node_copy(Elab *e, uint32_t x, DType to, Loc loc)
{
	Node n = {.op = OP_copy, .nin = 1, .in = {x}};
	n.type.dtype = to;
	return node_add(e, &n, loc);
}

Value
node_arithmetic(Elab *e, const Ast *a, const Value *x, const Value *y)
{
	Op op = *a->name == '+' ? OP_add : *a->name == '-' ? OP_sub
		: *a->name == '*' ? OP_mul : OP_div;
	if (x->kind == V_TENSOR && y->kind == V_TENSOR)
		return node_value(node_binary(e, op, (uint32_t)x->i,
			(uint32_t)y->i, a->loc));
	bool left = x->kind == V_TENSOR;
	double scalar = value_number(left ? y : x);
	if (op == OP_div && left && scalar == 0)
		return elab_error(e, a->loc, NULL, "division by zero");
	bool reversed = !left && (op == OP_sub || op == OP_div);
	return node_value(node_scalar(e, op, (uint32_t)(left ? x->i : y->i),
		scalar, reversed, a->loc));
}

/* ---- leaves ---- */

uint32_t
node_input(Elab *e, const char *name, const Type *t, Loc loc)
{
	Node n = {.op = OP_input, .type = *t};
	n.ref = (uint32_t)e->g->inputs.n;
	uint32_t node = node_add(e, &n, loc);
	if (node)
		*vec_push(&e->g->inputs) = (Input){name, n.type, false};
	return node;
}

uint32_t
node_table(Elab *e, const char *name, int64_t rows, int64_t cols,
	const double *data, Loc loc)
{
	Node n = {.op = OP_table};
	size_t count = (size_t)mul_sz(rows, cols);
	float *f = arena_array(e->arena, count, sizeof *f);
	for (size_t i = 0; i < count; i++)
		f[i] = (float)data[i];
	n.ref = (uint32_t)e->g->tables.n;
	if (cols > 1)
		n.type.n[AXIS_C] = cols;
	*vec_push(&e->g->tables) = (Table){name, rows, cols, f};
	return node_add(e, &n, loc);
}

/* The scope's name, with the suffix; NULL: reported. */
static const char *
weight_name(Elab *e, const OpCall *c, const char *suffix)
{
	if (!*e->scope) {
		elab_error(e, c->loc, "add @name, the tensor's name in the "
			"weight file", "this op owns weights but has no name");
		return NULL;
	}
	return suffix ? arena_printf(e->arena, "%s.%s", e->scope, suffix)
		      : e->scope;
}

uint32_t
node_weight(Elab *e, const OpCall *c, const char *suffix, int rank,
	const int64_t *dim, const Type *type)
{
	Weight w = {.component = e->frame->instance->component,
		.name = weight_name(e, c, suffix), .rank = rank,
		.matrix = !type};
	Node n = {.op = OP_weight};
	int64_t all = 1;
	if (!w.name)
		return 0;
	for (int i = 0; i < rank; i++) {
		w.dim[i] = dim[i];
		if (!mul_ok(all, dim[i], &all) || all > WEIGHT_MAX) {
			elab_error(e, c->loc, NULL, "this weight would have "
				"more than 2^44 elements");
			return 0;
		}
	}
	if (type)
		n.type = *type;
	else
		n.type.n[AXIS_C] = all;
	n.type.dtype = e->g->dtype;
	if (!elab_work(e, c->loc, (int64_t)e->g->weights.n / 8))
		return 0;
	n.ref = ir_weight(e->g, &w);
	if (n.ref == UINT32_MAX) {
		elab_error(e, c->loc, NULL, "weight '%s' is used with two shapes",
			w.name);
		return 0;
	}
	while (e->weight_node.n <= n.ref)
		*vec_push(&e->weight_node) = 0;
	uint32_t have = e->weight_node.at[n.ref];
	Type t = n.type;
	for (int a = 0; a < AXIS_MAX; a++)
		if (t.n[a])
			t.axes |= AXIS_BIT(a);
	if (have && type_equal(&t, node_type(e, have)))
		return have;
	uint32_t node = node_add(e, &n, c->loc);
	e->weight_node.at[n.ref] = node;
	return node;
}
