/* elab_op.c - the table of ops that the language knows, their arguments, and
 * those ops that are a node each or need no node at all.
 */
#include "lang/elab.h"

#include <math.h>
#include <string.h>

/* ---- arguments ---- */

bool
arg_given(const OpCall *c, int i)
{
	return c->arg[i].kind != V_UNSET;
}

Loc
arg_loc(const OpCall *c, int i)
{
	size_t n = 0;
	while (n < FORMALS_MAX && c->def->formal[n])
		n++;
	const Ast *a = (size_t)i < n
		? bound_arg(c->call, c->def->formal, (size_t)i) : NULL;
	return a ? a->loc : c->loc;
}

/* "argument 'n' of conv is WANTED, this is float" */
static bool
wrong_kind(OpCall *c, int i, const char *wanted)
{
	const Value *v = &c->arg[i];
	char buf[40];
	const char *got = value_describe(c->e, v);
	if (v->kind == V_INT) {
		snprintf(buf, sizeof buf, "%lld", (long long)v->i);
		got = buf;
	}
	if (v->kind != V_ERROR)
		elab_error(c->e, arg_loc(c, i), NULL,
			"argument '%s' of %s is %s, this is %s",
			c->def->formal[i], c->def->name, wanted, got);
	return false;
}

bool
arg_tensor(OpCall *c, int i, uint32_t *node)
{
	if (c->arg[i].kind != V_TENSOR)
		return wrong_kind(c, i, "a tensor");
	*node = (uint32_t)c->arg[i].i;
	return true;
}

bool
arg_int(OpCall *c, int i, int64_t lo, int64_t hi, int64_t *out)
{
	if (!arg_given(c, i))
		return true;
	const Value *v = &c->arg[i];
	if (v->kind != V_INT || v->i < lo || v->i > hi)
		return wrong_kind(c, i, lo > 0 ? "a positive int" : "an int");
	*out = v->i;
	return true;
}

bool
arg_number(OpCall *c, int i, double *out)
{
	if (!arg_given(c, i))
		return true;
	if (!value_is_number(&c->arg[i]))
		return wrong_kind(c, i, "a number");
	*out = value_number(&c->arg[i]);
	return true;
}

bool
arg_bool(OpCall *c, int i, bool *out)
{
	if (!arg_given(c, i))
		return true;
	if (c->arg[i].kind != V_BOOL)
		return wrong_kind(c, i, "true or false");
	*out = c->arg[i].i;
	return true;
}

/* A list of axes, or one axis. */
bool
arg_over(OpCall *c, int i, AxisSet *out)
{
	const Value *v = &c->arg[i];
	*out = 0;
	if (v->kind == V_AXIS) {
		*out = AXIS_BIT(v->i);
		return true;
	}
	if (v->kind != V_LIST)
		return wrong_kind(c, i, "a list of axes");
	for (int64_t k = 0; k < v->n; k++) {
		const Value *axis = &v->list->at[k];
		if (axis->kind != V_AXIS) {
			elab_error(c->e, arg_loc(c, i), NULL,
				"'%s' lists axes, this is %s", c->def->formal[i],
				value_describe(c->e, axis));
			return false;
		}
		if (*out >> axis->i & 1) {
			elab_error(c->e, arg_loc(c, i), NULL,
				"axis %s stands twice in '%s'",
				c->e->g->axis_name[axis->i], c->def->formal[i]);
			return false;
		}
		*out |= AXIS_BIT(axis->i);
	}
	return true;
}

bool
extra_extent(OpCall *c, int i, int64_t *out)
{
	const Value *v = &c->extra.value[i];
	if (v->kind == V_INT && v->i > 0 && v->i <= INT32_MAX) {
		*out = v->i;
		return true;
	}
	if (v->kind == V_INT)
		elab_error(c->e, c->extra.at[i]->loc, NULL,
			"axis %s would have extent %lld",
			c->extra.at[i]->name, (long long)v->i);
	else if (v->kind != V_ERROR)
		elab_error(c->e, c->extra.at[i]->loc, NULL,
			"the extent of %s must be a positive int, this is %s",
			c->extra.at[i]->name, value_describe(c->e, v));
	return false;
}

/* ---- elementwise ---- */

static Value
op_unary(OpCall *c)
{
	uint32_t x = 0;
	if (!arg_tensor(c, 0, &x))
		return value_error();
	return node_value(node_unary(c->e, op_find(c->def->name), x, c->loc));
}

static Value
op_clamp(OpCall *c)
{
	Node n = {.op = OP_clamp, .nin = 1};
	if (!arg_tensor(c, 0, &n.in[0]) || !arg_number(c, 1, &n.attr.lo)
		|| !arg_number(c, 2, &n.attr.hi))
		return value_error();
	return node_value(node_add(c->e, &n, c->loc));
}

/* blend(a, x, y); the op's row has x first, the operand of the result's size. */
static Value
op_blend(OpCall *c)
{
	Node n = {.op = OP_blend, .nin = 3};
	if (!arg_tensor(c, 0, &n.in[2]) || !arg_tensor(c, 1, &n.in[0])
		|| !arg_tensor(c, 2, &n.in[1]))
		return value_error();
	return node_value(node_add(c->e, &n, c->loc));
}

/* ---- compile time ---- */

static bool
arg_sequence(OpCall *c, int i)
{
	const Value *v = &c->arg[i];
	return v->kind == V_LIST || v->kind == V_RANGE
		|| wrong_kind(c, i, "a list or a range");
}

static Value
op_len(OpCall *c)
{
	if (!arg_sequence(c, 0))
		return value_error();
	return value_int(value_length(&c->arg[0]));
}

static Value
op_reversed(OpCall *c)
{
	if (!arg_sequence(c, 0))
		return value_error();
	int64_t n = value_length(&c->arg[0]);
	if (n > LIST_MAX)
		return elab_error(c->e, c->loc, NULL,
			"a list has at most %d elements", LIST_MAX);
	if (!elab_work(c->e, c->loc, n))
		return value_error();
	Value list = value_list(c->e, n);
	for (int64_t i = 0; i < n; i++)
		list.list->at[i] = value_element(&c->arg[0], n - 1 - i);
	list.n = list.list->used = n;
	return list;
}

static Value
op_minmax(OpCall *c)
{
	double x = 0, y = 0;
	if (!arg_number(c, 0, &x) || !arg_number(c, 1, &y))
		return value_error();
	const Value *p = &c->arg[0], *q = &c->arg[1];
	bool less = p->kind == V_INT && q->kind == V_INT ? p->i < q->i : x < y;
	return less == (c->def->name[1] == 'i') ? *p : *q;
}

/* pop(l): l is a name, and becomes the shorter list. */
static Value
op_pop(Elab *e, const Ast *call)
{
	const Ast *arg = call->list;
	if (!arg || call->n > 1)
		return elab_error(e, call->at, NULL, arg
			? "pop takes 1 argument, %zu given"
			: "pop needs argument 'l'", call->n);
	if (arg->kind == A_ARG)
		arg = arg->a;
	Var *v = arg->kind == A_NAME ? find_var(e, arg->name) : NULL;
	if (!v) {
		Value x = eval(e, arg);
		return x.kind == V_ERROR ? x : elab_error(e, arg->loc, NULL,
			"pop takes the name of a list, which it makes shorter");
	}
	if (v->value.kind == V_ERROR)
		return v->value;
	if (v->value.kind != V_LIST)
		return elab_error(e, arg->loc, NULL,
			"argument 'l' of pop is a list, this is %s",
			value_describe(e, &v->value));
	if (!v->value.n)
		return elab_error(e, arg->loc, NULL, "'%s' is empty", arg->name);
	return v->value.list->at[--v->value.n];
}

/* ---- samplers ---- */

static Value
op_sampler(OpCall *c)
{
	Elab *e = c->e;
	int64_t steps = 0;
	if (e->frame->instance->model->kind != A_PIPELINE)
		return elab_error(e, c->loc, NULL,
			"a sampler belongs in a pipeline");
	if (!arg_int(c, 0, 1, INT32_MAX, &steps))
		return value_error();
	const char *component = c->call->a ? eval_text(e, c->call->a)
		: "scheduler";
	if (!component)
		return value_error();
	return elab_sampler(e, component, steps, c->loc);
}

/* ---- the table ---- */

static const OpDef ops[] = {
	{"linear",     {"x", "n", "bias"}, 2, false, op_linear},
	{"conv",       {"x", "n", "kernel", "over", "stride", "pad", "bias"}, 4,
		false, op_conv},
	{"group_norm", {"x", "groups", "over", "eps"}, 3, false, op_group_norm},
	{"layer_norm", {"x", "eps"}, 1, false, op_layer_norm},
	{"embed",      {"x", "rows", "n"}, 3, false, op_embed},
	{"weight",     {"otherwise"}, 0, true, op_weight},
	{"attend",     {"q", "k", "v", "over", "heads", "causal", "scale"}, 4,
		false, op_attend},
	{"silu",       {"x"}, 1, false, op_unary},
	{"gelu",       {"x"}, 1, false, op_unary},
	{"gelu_tanh",  {"x"}, 1, false, op_unary},
	{"sigmoid",    {"x"}, 1, false, op_unary},
	{"clamp",      {"x", "lo", "hi"}, 3, false, op_clamp},
	{"blend",      {"a", "x", "y"}, 3, false, op_blend},
	{"geglu",      {"x"}, 1, false, op_unary},
	{"concat",     {"x", "over"}, 1, false, NULL},
	{"at",         {"x"}, 1, true, op_at},
	{"merge",      {"x", "axes", "axis"}, 3, false, op_merge},
	{"expand",     {"x"}, 1, true, op_expand},
	{"resize",     {"x"}, 1, true, op_resize},
	{"index",      {0}, 0, true, op_index},
	{"sinusoid",   {"x", "n", "sin_first", "interleave"}, 2, false,
		op_sinusoid},
	{"rehash",     {"x", "name"}, 2, false, op_rehash},
	{"sampler",    {"steps"}, 1, false, op_sampler},
	{"len",        {"l"}, 1, false, op_len},
	{"pop",        {"l"}, 1, false, NULL},
	{"reversed",   {"l"}, 1, false, op_reversed},
	{"min",        {"a", "b"}, 2, false, op_minmax},
	{"max",        {"a", "b"}, 2, false, op_minmax},
};

const OpDef *
op_lookup(const char *name)
{
	for (size_t i = 0; i < COUNT_OF(ops); i++)
		if (!strcmp(ops[i].name, name))
			return &ops[i];
	return NULL;
}

const char *const *
op_names(size_t *n)
{
	static const char *names[COUNT_OF(ops)];
	for (size_t i = 0; i < COUNT_OF(ops); i++)
		names[i] = ops[i].name;
	*n = COUNT_OF(ops);
	return names;
}

/* Fills the call's arguments; false: reported, or one of them is an error. */
static bool
collect(OpCall *c)
{
	Elab *e = c->e;
	size_t n = 0;
	bool bad = false;
	while (n < FORMALS_MAX && c->def->formal[n])
		n++;
	size_t slots = bind_args(e, c->call, c->def->formal, n,
		c->def->axes ? &c->extra : NULL);
	if (slots == SIZE_MAX)
		return false;
	for (size_t i = 0; i < n; i++) {
		c->arg[i] = e->stack.at[slots + i];
		bad |= c->arg[i].kind == V_ERROR;
		if (c->arg[i].kind == V_UNSET && (int)i < c->def->required) {
			elab_error(e, c->call->at, NULL,
				"%s needs argument '%s'", c->def->name,
				c->def->formal[i]);
			return false;
		}
	}
	for (int i = 0; i < c->extra.n; i++)
		bad |= c->extra.value[i].kind == V_ERROR;
	return !bad;
}

Value
eval_op(Elab *e, const Ast *call, const OpDef *op)
{
	OpCall c = {.e = e, .call = call, .def = op};
	const char *outer = e->scope;
	size_t stack = e->stack.n;
	Value v = value_error();
	c.loc = (Loc){call->at.file, call->at.begin, call->loc.end};
	if (!strcmp(op->name, "pop"))
		return op_pop(e, call);
	if (!strcmp(op->name, "concat"))
		return op_concat(e, call);
	if (collect(&c)) {
		bool component = op->eval == op_sampler;
		const char *scope = component ? outer : eval_scope(e, call->a);
		if (scope) {
			e->scope = scope;
			v = op->eval(&c);
		}
	}
	e->scope = outer;
	e->stack.n = stack;
	return v;
}
