/* elab_stmt.c - statements, and the denoising loop with what it carries. */
#include "lang/elab.h"

#include <string.h>

static void exec(Elab *e, const Ast *s);

/* ---- variables ---- */

Var *
find_var(Elab *e, const char *name)
{
	size_t i = e->vars.n;
	while (i-- > e->frame->base)
		if (e->vars.at[i].name == name) {
			e->work += (int64_t)(e->vars.n - i) / 16;
			return &e->vars.at[i];
		}
	e->work += (int64_t)(e->vars.n - e->frame->base) / 16;
	return NULL;
}

void
push_var(Elab *e, const char *name, const Value *v)
{
	*vec_push(&e->vars) = (Var){name, *v};
}

static void
assign(Elab *e, const char *name, const Value *v)
{
	Var *have = find_var(e, name);
	if (have)
		have->value = *v;
	else
		push_var(e, name, v);
}

/* ---- bodies ---- */

/* Runs the statements; names first bound in them end with it. */
static void
exec_statements(Elab *e, const Ast *body, bool ends)
{
	size_t mark = e->vars.n;
	for (const Ast *s = body->list; s; s = s->next) {
		if (e->frame->returned || e->stop)
			break;
		exec(e, s);
	}
	if (ends)
		e->vars.n = mark;
}

void
exec_body(Elab *e, const Ast *body)
{
	exec_statements(e, body, true);
}

/* ---- statements ---- */

static void
exec_assign(Elab *e, const Ast *s)
{
	Value v = eval(e, s->a);
	if (s->n == 1) {
		assign(e, s->list->name, &v);
		return;
	}
	bool fits = (v.kind == V_LIST || v.kind == V_RANGE)
		&& value_length(&v) == (int64_t)s->n;
	if (!fits && v.kind != V_ERROR)
		elab_error(e, s->loc, NULL, "%zu names, but the value is %s",
			s->n, value_describe(e, &v));
	int64_t i = 0;
	for (const Ast *name = s->list; name; name = name->next) {
		Value part = fits ? value_element(&v, i++) : value_error();
		assign(e, name->name, &part);
	}
}

/* Appends to a list, where it is a list; else name = name + value. */
static void
exec_append(Elab *e, const Ast *s)
{
	Ast name = {.kind = A_NAME, .name = s->name, .loc = s->at, .at = s->at};
	Value old = eval(e, &name), v = eval(e, s->a);
	Var *var = find_var(e, s->name);
	if (!var || old.kind == V_ERROR || v.kind == V_ERROR) {
		v = value_error();
	} else if (old.kind == V_LIST) {
		bool joined = v.kind == V_LIST || v.kind == V_RANGE;
		int64_t n = joined ? value_length(&v) : 1;
		if (!elab_work(e, s->loc, min64(n, LIST_MAX)))
			return;
		for (int64_t i = 0; i < n; i++) {
			Value item = joined ? value_element(&v, i) : v;
			if (!value_append(e, s->loc, &old, &item))
				break;
		}
		v = old;
	} else {
		Ast sum = {.kind = A_BINARY, .name = "+", .loc = s->loc,
			.at = s->at};
		v = eval_arithmetic(e, &sum, &old, &v);
	}
	assign(e, s->name, &v);
}

static void
exec_if(Elab *e, const Ast *s)
{
	int yes = eval_condition(e, s->a);
	if (yes < 0)
		return;
	const Ast *body = yes ? s->b : s->c;
	if (body && body->kind == A_IF)
		exec(e, body);
	else if (body)
		exec_statements(e, body, true);
}

static void
exec_for(Elab *e, const Ast *s)
{
	Value list = eval(e, s->a);
	if (list.kind == V_ERROR)
		return;
	if (list.kind != V_LIST && list.kind != V_RANGE) {
		elab_error(e, s->a->loc, NULL, "'for' needs a list or a range, "
			"this is %s", value_describe(e, &list));
		return;
	}
	size_t mark = e->vars.n;
	int64_t n = value_length(&list);
	for (int64_t i = 0; i < n; i++) {
		if (e->frame->returned || !elab_work(e, s->loc, 1))
			break;
		Value item = value_element(&list, i);
		push_var(e, s->name, &item);
		exec_statements(e, s->b, true);
		e->vars.n = mark;
	}
}

static void
exec_scope(Elab *e, const Ast *s)
{
	const char *outer = e->scope, *scope = eval_scope(e, s->a);
	if (!scope)
		return;
	e->scope = scope;
	exec_statements(e, s->b, false);
	e->scope = outer;
}

static void
exec_return(Elab *e, const Ast *s)
{
	Frame *f = e->frame;
	if (f->loops) {
		elab_error(e, s->loc, NULL, "'return' inside a 'denoise' loop");
		return;
	}
	Value v = s->n == 1 ? eval(e, s->list) : value_list(e, (int64_t)s->n);
	if (s->n > 1)
		for (const Ast *i = s->list; i; i = i->next) {
			Value item = eval(e, i);
			if (!value_append(e, i->loc, &v, &item))
				break;
		}
	f->result = v;
	f->nresult = s->n;
	f->returned = true;
}

static void
exec_check(Elab *e, const Ast *s)
{
	if (eval_condition(e, s->a))
		return;
	const char *text = eval_text(e, s->b);
	if (text)
		elab_error(e, s->loc, NULL, "%s", text);
}

/* ---- the denoising loop ---- */

/* A name bound before the loop that its body may rebind. */
typedef struct Carried {
	size_t var;
	Value before;
	uint32_t node;          /* its carry; 0: no tensor */
} Carried;

typedef struct CarryList {
	Carried *at;
	size_t n, cap;
} CarryList;

static void
add_carried(Elab *e, CarryList *list, const char *name)
{
	Var *v = find_var(e, name);
	if (!v)
		return;
	size_t var = (size_t)(v - e->vars.at);
	for (size_t i = 0; i < list->n; i++)
		if (list->at[i].var == var)
			return;
	if (list->n == list->cap) {
		Carried *old = list->at;
		list->cap = list->cap ? list->cap * 2 : 8;
		list->at = arena_array(e->arena, list->cap, sizeof *list->at);
		if (old)
			memcpy(list->at, old, list->n * sizeof *old);
	}
	list->at[list->n++] = (Carried){var, v->value, 0};
}

/* Collects what statements may rebind, pop(name) included. */
static void
find_carried(Elab *e, CarryList *list, const Ast *a)
{
	if (!a || !elab_work(e, a->loc, 1))
		return;
	if (a->kind == A_APPEND)
		add_carried(e, list, a->name);
	if (a->kind == A_ASSIGN)
		for (const Ast *n = a->list; n; n = n->next)
			add_carried(e, list, n->name);
	if (a->kind == A_CALL && !strcmp(a->name, "pop") && a->list
		&& a->list->kind == A_NAME)
		add_carried(e, list, a->list->name);
	for (const Ast *i = a->list; i; i = i->next)
		find_carried(e, list, i);
	find_carried(e, list, a->a);
	find_carried(e, list, a->b);
	find_carried(e, list, a->c);
}

static void
begin_carry(Elab *e, Carried *c, Loc loc)
{
	if (c->before.kind != V_TENSOR)
		return;
	Node n = {.op = OP_carry, .nin = 1, .in = {(uint32_t)c->before.i}};
	c->node = node_add(e, &n, loc);
	e->vars.at[c->var].value = node_value(c->node);
}

static bool
same_value(const Value *a, const Value *b)
{
	return a->kind == b->kind && a->i == b->i && a->n == b->n
		&& !(a->f < b->f) && !(a->f > b->f) && a->s == b->s
		&& a->list == b->list && a->schedule == b->schedule;
}

/* The name kept its value: readers of the carry read what entered. */
static void
drop_carry(Elab *e, const Carried *c)
{
	for (size_t i = c->node + 1; i < e->g->nodes.n; i++) {
		Node *n = &e->g->nodes.at[i];
		for (int k = 0; k < n->nin; k++)
			if (n->in[k] == c->node)
				n->in[k] = (uint32_t)c->before.i;
	}
	for (size_t i = 0; i < e->vars.n; i++) {
		Value *v = &e->vars.at[i].value;
		if (v->kind == V_TENSOR && v->i == c->node)
			v->i = c->before.i;
	}
}

/* A value that the loop computes and that no other name carries on. */
static bool
is_fresh(const Elab *e, const CarryList *list, uint32_t node, uint32_t first)
{
	unsigned flags = op_info[e->g->nodes.at[node].op].flags;
	if (node < first || flags & (OPF_LEAF | OPF_VIEW))
		return false;
	for (size_t i = 0; i < list->n; i++)
		if (list->at[i].node
			&& e->g->nodes.at[list->at[i].node].in[1] == node)
			return false;
	return true;
}

static void
end_carry(Elab *e, const CarryList *list, Carried *c, uint32_t first,
	const Ast *s)
{
	Var *var = &e->vars.at[c->var];
	Value v = var->value, entered = c->before;
	if (c->node)
		entered.i = c->node;
	if (v.kind == V_ERROR || entered.kind == V_ERROR)
		return;
	if (same_value(&v, &entered)) {
		if (c->node)
			drop_carry(e, c);
		return;
	}
	bool fits = v.kind == V_TENSOR && c->node
		&& type_equal(node_type(e, (uint32_t)v.i),
			node_type(e, c->node));
	if (!fits) {
		elab_error(e, s->at, c->node ? NULL
			: "only tensors are carried from step to step",
			"'%s' enters the loop as %s and leaves a step as %s",
			var->name, value_describe(e, &entered),
			value_describe(e, &v));
		return;
	}
	uint32_t next = (uint32_t)v.i;
	if (!is_fresh(e, list, next, first))
		next = node_copy(e, next, node_type(e, next)->dtype, s->at);
	Node *carry = &e->g->nodes.at[c->node];
	carry->in[1] = next;
	carry->nin = 2;
	if (!e->latents)
		e->latents = next;
	var->value = value_tensor(c->node);
}

static void
exec_denoise(Elab *e, const Ast *s)
{
	Value sampler = eval(e, s->a);
	CarryList list = {0};
	if (sampler.kind == V_ERROR)
		return;
	if (sampler.kind != V_SAMPLER) {
		elab_error(e, s->a->loc, NULL, "'denoise' needs a sampler, this "
			"is %s", value_describe(e, &sampler));
		return;
	}
	if (e->stage != ST_BEFORE) {
		elab_error(e, s->at, NULL, "a pipeline has one 'denoise' loop");
		return;
	}
	find_carried(e, &list, s->b);
	e->stage = ST_LOOP;
	e->loop = sampler.schedule;
	e->g->steps = sampler.schedule->sampler->rows;
	if (!sampler_enter(e, sampler.schedule, s->a->loc)) {
		e->stage = ST_AFTER;
		return;
	}
	for (size_t i = 0; i < list.n; i++)
		begin_carry(e, &list.at[i], s->at);
	uint32_t first = (uint32_t)e->g->nodes.n;
	size_t mark = e->vars.n;
	Value step = {.kind = V_STEP, .schedule = sampler.schedule};
	push_var(e, s->name, &step);
	e->frame->loops++;
	exec_statements(e, s->b, true);
	e->frame->loops--;
	e->vars.n = mark;
	for (size_t i = 0; i < list.n && !e->stop; i++)
		end_carry(e, &list, &list.at[i], first, s);
	if (!e->stop)
		sampler_leave(e, sampler.schedule, s->at);
	e->loop = NULL;
	e->stage = ST_AFTER;
}

static void
exec(Elab *e, const Ast *s)
{
	if (!elab_work(e, s->loc, 1))
		return;
	if (e->depth >= EVAL_DEPTH_MAX) {
		e->stop = true;
		elab_error(e, s->loc, NULL,
			"calls and expressions are nested too deeply");
		return;
	}
	e->depth++;
	switch (s->kind) {
	case A_ASSIGN:  exec_assign(e, s); break;
	case A_APPEND:  exec_append(e, s); break;
	case A_IF:      exec_if(e, s); break;
	case A_FOR:     exec_for(e, s); break;
	case A_DENOISE: exec_denoise(e, s); break;
	case A_SCOPE:   exec_scope(e, s); break;
	case A_RETURN:  exec_return(e, s); break;
	case A_CHECK:   exec_check(e, s); break;
	default:        die("exec", "no statement: %d", s->kind);
	}
	e->depth--;
}
