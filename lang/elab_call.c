/* elab_call.c - calls: arguments to names, blocks inlined, models bound to
 * their component, methods of samplers and steps.
 */
#include "lang/elab.h"

#include <string.h>

/* ---- frames ---- */

void
enter_frame(Elab *e, Frame *f, const Ast *def, Instance *in, FileEnv *env)
{
	*f = (Frame){.up = e->frame, .def = def, .instance = in, .env = env,
		.base = e->vars.n, .scope = e->scope};
	e->frame = f;
}

void
leave_frame(Elab *e, Frame *f)
{
	e->vars.n = f->base;
	e->frame = f->up;
}

/* ---- arguments ---- */

static size_t
slot_of(const char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(names[i], name))
			return i;
	return n;
}

static bool
takes_axis(Elab *e, const Ast *arg, const Value *v, Extra *extra)
{
	int axis = extra ? names_axis(e, arg->name) : -1;
	if (axis < 0 || extra->n >= AXIS_MAX)
		return false;
	for (int i = 0; i < extra->n; i++)
		if (extra->axis[i] == axis)
			return false;
	extra->at[extra->n] = arg;
	extra->axis[extra->n] = axis;
	extra->value[extra->n++] = *v;
	return true;
}

static bool
unknown_argument(Elab *e, const Ast *call, const Ast *arg,
	const char *const *names, size_t n, const Extra *extra)
{
	if (extra && names_axis(e, arg->name) >= 0)
		elab_error(e, arg->at, NULL, "argument '%s' of %s is given twice",
			arg->name, call->name);
	else if (extra && slot_of(names, n, arg->name) == n)
		names_need_axis(e, arg->name, arg->at);
	else
		elab_error(e, arg->at, elab_nearest(e, arg->name, names, n),
			"%s has no argument '%s'", call->name, arg->name);
	return false;
}

/* Moves the k-th value to its slot. */
static bool
place_arg(Elab *e, const Ast *call, const Ast *arg, size_t k, size_t values,
	size_t slots, const char *const *names, size_t n, Extra *extra)
{
	Value v = e->stack.at[values + k];
	size_t i = arg->kind == A_ARG ? slot_of(names, n, arg->name) : k;
	if (!elab_work(e, arg->loc, (int64_t)i / 8))
		return false;
	if (i == n)
		return takes_axis(e, arg, &v, extra)
			|| unknown_argument(e, call, arg, names, n, extra);
	if (e->stack.at[slots + i].kind != V_UNSET) {
		elab_error(e, arg->at, NULL, "argument '%s' of %s is given twice",
			names[i], call->name);
		return false;
	}
	e->stack.at[slots + i] = v;
	return true;
}

size_t
bind_args(Elab *e, const Ast *call, const char *const *names, size_t n,
	Extra *extra)
{
	size_t values = e->stack.n, positional = 0, k = 0;
	for (const Ast *arg = call->list; arg; arg = arg->next) {
		Value v = eval(e, arg->kind == A_ARG ? arg->a : arg);
		*vec_push(&e->stack) = v;
		positional += arg->kind != A_ARG;
	}
	size_t slots = e->stack.n;
	if (positional > n) {
		elab_error(e, call->at, NULL, "%s takes %zu argument%s, %zu given",
			call->name, n, n == 1 ? "" : "s", positional);
		return SIZE_MAX;
	}
	for (size_t i = 0; i < n; i++)
		*vec_push(&e->stack) = (Value){0};
	for (const Ast *arg = call->list; arg; arg = arg->next)
		if (!place_arg(e, call, arg, k++, values, slots, names, n,
			extra))
			return SIZE_MAX;
	return slots;
}

const Ast *
bound_arg(const Ast *call, const char *const *names, size_t i)
{
	size_t k = 0;
	for (const Ast *arg = call->list; arg; arg = arg->next, k++) {
		if (arg->kind == A_ARG && !strcmp(arg->name, names[i]))
			return arg->a;
		if (arg->kind != A_ARG && k == i)
			return arg;
	}
	return NULL;
}

static const char *const *
formal_names(Elab *e, const Ast *def)
{
	const char **names = arena_array(e->arena, def->n + 1, sizeof *names);
	size_t i = 0;
	for (const Ast *f = def->list; f; f = f->next)
		names[i++] = f->name;
	return names;
}

/* ---- blocks ---- */

static bool
recursive(Elab *e, const Ast *call, const Ast *def)
{
	for (const Frame *f = e->frame; f; f = f->up)
		if (f->def == def) {
			elab_error(e, call->at, NULL, "block '%s' calls itself",
				def->name);
			return true;
		}
	return false;
}

/* Binds a block's formals in its new frame; defaults see earlier ones. */
static bool
bind_formals(Elab *e, const Ast *call, const Ast *def, size_t slots)
{
	size_t i = 0;
	for (const Ast *f = def->list; f; f = f->next, i++) {
		Value v = e->stack.at[slots + i];
		if (v.kind == V_UNSET && !f->a) {
			Frame *inner = e->frame;
			e->frame = inner->up;
			elab_error(e, call->at, NULL, "%s needs argument '%s'",
				call->name, f->name);
			e->frame = inner;
			return false;
		}
		if (v.kind == V_UNSET)
			v = eval(e, f->a);
		push_var(e, f->name, &v);
	}
	return true;
}

/* Evaluates the body and gives what it returns. */
static Value
run_body(Elab *e, Frame *f, const Ast *call)
{
	exec_body(e, f->def->a);
	if (f->returned)
		return f->result;
	e->frame = f->up;       /* the error is the call's */
	return e->stop || e->diags.count ? value_error()
		: elab_error(e, call->at, NULL, "%s '%s' returns nothing",
			f->def->kind == A_BLOCK ? "block" : "model",
			f->def->name);
}

static Value
call_block(Elab *e, const Ast *call, const Ast *def)
{
	Frame f;
	Value v = value_error();
	const char *outer = e->scope;
	size_t stack = e->stack.n;
	if (recursive(e, call, def))
		return v;
	size_t slots = bind_args(e, call, formal_names(e, def), def->n, NULL);
	const char *scope = slots == SIZE_MAX ? NULL : eval_scope(e, call->a);
	if (scope) {
		Instance *in = e->frame->instance;
		FileEnv *env = params_env(e, in, def->file);
		e->scope = scope;
		enter_frame(e, &f, def, in, env);
		f.call = call->at;
		if (bind_formals(e, call, def, slots))
			v = run_body(e, &f, call);
		leave_frame(e, &f);
	}
	e->scope = outer;
	e->stack.n = stack;
	return v;
}

/* ---- models in a pipeline ---- */

/* Parameters without keys that are the whole extent of an input's axis take the
 * argument's extent. */
static void
force_extents(Elab *e, Instance *in, const Ast *input, const Value *arg)
{
	const Type *t = node_type(e, (uint32_t)arg->i);
	for (const Ast *x = input->list; x; x = x->next) {
		int axis = names_axis(e, x->name);
		int64_t k = x->a->kind != A_NAME ? -1
			: names_param(in->model->file, x->a->name);
		if (axis < 0 || !(t->axes >> axis & 1) || k < 0)
			continue;
		const Ast *param = in->model->file->params.at[k];
		bool known = param->kind != A_PARAM || param->n || param->a;
		for (size_t i = 0; i < in->forced.n; i++)
			known |= in->forced.at[i].name == param->name;
		if (!known)
			*vec_push(&in->forced) = (Forced){param->name,
				t->n[axis]};
	}
}

/* The argument against the input's declared type; declared axes may lack. */
static bool
check_axes(Elab *e, const Ast *call, const Ast *input, Loc loc, const Type *want,
	const Type *have)
{
	char buf[256];
	for (int a = 0; a < AXIS_MAX; a++) {
		if (!(have->axes >> a & 1))
			continue;
		if (!(want->axes >> a & 1)) {
			elab_error(e, loc, arena_printf(e->arena, "it is %s",
				type_print(e->g, want, buf)),
				"input '%s' of %s has no axis %s", input->name,
				call->name, e->g->axis_name[a]);
			return false;
		}
		if (want->n[a] != have->n[a]) {
			elab_error(e, loc, NULL, "input '%s': axis %s is %lld by "
				"the component's config, the argument has %lld",
				input->name, e->g->axis_name[a],
				(long long)want->n[a], (long long)have->n[a]);
			return false;
		}
	}
	if ((want->dtype == DT_I32) != (have->dtype == DT_I32)) {
		elab_error(e, loc, NULL, "input '%s' of %s is %s, the argument "
			"is %s", input->name, call->name, dtype_name(want->dtype),
			dtype_name(have->dtype));
		return false;
	}
	return true;
}

/* Binds a model's inputs: types are evaluated in the model's own frame, errors
 * belong to the call. */
static bool
bind_inputs(Elab *e, const Ast *call, const Ast *def, size_t slots,
	const char *const *names)
{
	Frame *inner = e->frame;
	bool good = true;
	size_t i = 0, base = e->vars.n;
	Vec(Var) bound = {0};
	for (const Ast *input = def->list; input; input = input->next, i++) {
		Type want;
		Value v = e->stack.at[slots + i];
		if (!input_type(e, input, &want)) {
			good = false;
			break;
		}
		e->frame = inner->up;
		const Ast *arg = bound_arg(call, names, i);
		good = check_axes(e, call, input, arg->loc, &want,
			node_type(e, (uint32_t)v.i));
		if (good && node_type(e, (uint32_t)v.i)->dtype != want.dtype)
			v = node_value(node_copy(e, (uint32_t)v.i, want.dtype,
				arg->loc));
		e->frame = inner;
		if (!good)
			break;
		*vec_push(&bound) = (Var){input->name, v};
	}
	e->vars.n = base;
	for (size_t k = 0; k < bound.n && good; k++)
		push_var(e, bound.at[k].name, &bound.at[k].value);
	vec_free(&bound);
	return good;
}

/* Every input has a tensor. */
static bool
check_inputs(Elab *e, const Ast *call, const Ast *def, size_t slots,
	const char *const *names)
{
	size_t i = 0;
	for (const Ast *input = def->list; input; input = input->next, i++) {
		const Value *v = &e->stack.at[slots + i];
		if (v->kind == V_TENSOR)
			continue;
		if (v->kind == V_UNSET)
			elab_error(e, call->at, NULL, "%s needs argument '%s'",
				call->name, input->name);
		else if (v->kind != V_ERROR)
			elab_error(e, bound_arg(call, names, i)->loc, NULL,
				"input '%s' of %s is a tensor, this is %s",
				input->name, call->name, value_describe(e, v));
		return false;
	}
	return true;
}

static Value
run_model(Elab *e, const Ast *call, const Ast *def, size_t slots,
	const char *const *names, const char *component)
{
	Instance *in = arena_alloc(e->arena, sizeof *in);
	Frame f;
	Value v = value_error();
	const char *outer = e->scope;
	size_t i = 0;
	in->component = component;
	in->model = def;
	for (const Ast *input = def->list; input; input = input->next, i++)
		force_extents(e, in, input, &e->stack.at[slots + i]);
	params_claim(e, in);
	FileEnv *env = params_env(e, in, def->file);
	e->scope = "";
	enter_frame(e, &f, def, in, env);
	f.call = call->at;
	f.scope = "";
	if (bind_inputs(e, call, def, slots, names))
		v = run_body(e, &f, call);
	leave_frame(e, &f);
	if (v.kind != V_ERROR && f.nresult != def->b->n)
		v = elab_error(e, call->at, NULL, "model '%s' names %zu outputs "
			"and returns %zu", def->name, def->b->n, f.nresult);
	e->scope = outer;
	vec_free(&in->envs);
	vec_free(&in->forced);
	return v;
}

static Value
call_model(Elab *e, const Ast *call, const Ast *def)
{
	Value v = value_error();
	size_t stack = e->stack.n;
	if (e->frame->instance->model->kind != A_PIPELINE
		|| def->kind == A_PIPELINE)
		return elab_error(e, call->at, NULL,
			"models are called from pipelines");
	if (!call->a)
		return elab_error(e, call->at, "add @name: a folder of the "
			"checkpoint", "which component is '%s'?", call->name);
	const char *const *names = formal_names(e, def);
	size_t slots = bind_args(e, call, names, def->n, NULL);
	const char *component = slots == SIZE_MAX ? NULL
		: eval_text(e, call->a);
	if (component && check_inputs(e, call, def, slots, names))
		v = run_model(e, call, def, slots, names, component);
	e->stack.n = stack;
	return v;
}

/* ---- calls ---- */

static Value
unknown_callable(Elab *e, const Ast *call, Source *file)
{
	size_t n;
	const char *const *names = names_visible(e, file, &n);
	return elab_error(e, call->at, elab_nearest(e, call->name, names, n),
		"no block, model or op is called '%s'", call->name);
}

Value
eval_call(Elab *e, const Ast *a)
{
	const OpDef *op = op_lookup(a->name);
	bool two = false;
	if (op)
		return eval_op(e, a, op);
	if (!elab_work(e, a->loc, 16))
		return value_error();
	/* what a name means in a file never changes: looked up once */
	Ast *call = (Ast *)(uintptr_t)a;
	if (!call->target) {
		call->target = names_callable(e, a->loc.file, a->name, a->at,
			&two);
		if (two)
			return value_error();
	}
	if (!call->target)
		return unknown_callable(e, a, a->loc.file);
	return a->target->kind == A_BLOCK ? call_block(e, a, a->target)
					  : call_model(e, a, a->target);
}

/* ---- methods ---- */

static bool
tensor_slot(Elab *e, const Ast *a, size_t slot, const char *const *names,
	size_t i, uint32_t *node)
{
	const Value *v = &e->stack.at[slot + i];
	if (v->kind == V_TENSOR) {
		*node = (uint32_t)v->i;
		return true;
	}
	if (v->kind == V_UNSET)
		elab_error(e, a->at, NULL, "%s needs argument '%s'", a->name,
			names[i]);
	else if (v->kind != V_ERROR)
		elab_error(e, bound_arg(a, names, i)->loc, NULL,
			"argument '%s' of %s is a tensor, this is %s", names[i],
			a->name, value_describe(e, v));
	return false;
}

static Value
call_method(Elab *e, const Ast *a, const Value *object)
{
	static const char *const one[] = {"x"}, *const two[] = {"x", "e"};
	bool step = object->kind == V_STEP;
	bool update = step && !strcmp(a->name, "update");
	const char *const *names = update ? two : one;
	uint32_t x, result;
	if (!update && strcmp(a->name, step ? "scale" : "start"))
		return elab_error(e, a->at, step
			? "a step has t, scale(x), update(x, e)"
			: "a sampler has start(noise)", "%s has no '%s'",
			value_describe(e, object), a->name);
	size_t slots = bind_args(e, a, names, update ? 2 : 1, NULL);
	if (slots == SIZE_MAX || !tensor_slot(e, a, slots, names, 0, &x)
		|| (update && !tensor_slot(e, a, slots, names, 1, &result)))
		return value_error();
	if (update)
		return sampler_update(e, object->schedule, x, result, a->loc);
	if (step)
		return sampler_scale(e, object->schedule, x, a->loc);
	return sampler_start(e, object->schedule, x, a->loc);
}

Value
eval_method(Elab *e, const Ast *a)
{
	Value object = eval(e, a->a);
	size_t stack = e->stack.n;
	if (object.kind == V_ERROR)
		return object;
	if (object.kind != V_SAMPLER && object.kind != V_STEP)
		return elab_error(e, a->at, NULL, "%s has no '%s'",
			value_describe(e, &object), a->name);
	Value v = call_method(e, a, &object);
	e->stack.n = stack;
	return v;
}
