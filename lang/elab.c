/* elab.c - lang_compile: from a path to a graph.  Reads the files, picks the
 * model or pipeline, declares its inputs, runs its body, names its outputs.
 */
#include "lang/elab.h"

#include <string.h>

/* ---- errors and limits ---- */

/* "in resnet at svd.slu:28, down_blocks.2.resnets.0", of the innermost block. */
static const char *
instantiation(Elab *e)
{
	const Frame *f = e->frame;
	if (!f || !f->def || !f->call.file)
		return NULL;
	return arena_printf(e->arena, "in %s at %s:%d%s%s", f->def->name,
		f->call.file->path, source_line(f->call.file, f->call.begin),
		*f->scope ? ", " : "", f->scope);
}

Value
elab_error(Elab *e, Loc loc, const char *note, const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	if (e->diags.count > DIAG_MAX) {
		e->stop = true;
		return value_error();
	}
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	diag(&e->diags, loc, instantiation(e), note, "%s", text);
	return value_error();
}

bool
elab_work(Elab *e, Loc loc, int64_t units)
{
	e->work += units;
	if (e->stop)
		return false;
	if (e->work > WORK_MAX) {
		e->stop = true;
		elab_error(e, loc, NULL, "evaluating this file takes more than "
			"%d steps", WORK_MAX);
	} else if (e->arena->bytes > MEMORY_MAX) {
		e->stop = true;
		elab_error(e, loc, NULL, "evaluating this file takes more than "
			"%d MiB", MEMORY_MAX >> 20);
	}
	return !e->stop;
}

const char *
elab_nearest(Elab *e, const char *name, const char *const *names, size_t n)
{
	const char *near = nearest_name(name, names, n);
	return near ? arena_printf(e->arena, "did you mean '%s'?", near) : NULL;
}

/* ---- inputs ---- */

static bool
extent_of(Elab *e, const Ast *x, int64_t *extent)
{
	Value v = eval(e, x->a);
	if (v.kind == V_INT && v.i > 0 && v.i <= INT32_MAX) {
		*extent = v.i;
		return true;
	}
	if (v.kind != V_ERROR)
		elab_error(e, x->loc, NULL, "the extent of %s must be a positive "
			"int, this is %s", x->name, v.kind == V_INT
			? arena_printf(e->arena, "%lld", (long long)v.i)
			: value_describe(e, &v));
	return false;
}

bool
input_type(Elab *e, const Ast *input, Type *t)
{
	int last = -1;
	*t = (Type){.dtype = e->g->dtype};
	if (input->b) {
		t->dtype = dtype_find(input->b->name);
		if (t->dtype == DT_COUNT) {
			elab_error(e, input->b->loc, "f32, f16, bf16, i32; without "
				"one it is --dtype's", "'%s' is not an element "
				"type", input->b->name);
			return false;
		}
	}
	for (const Ast *x = input->list; x; x = x->next) {
		int axis = names_need_axis(e, x->name, x->at);
		if (axis < 0)
			return false;
		if (axis <= last) {
			char order[256] = "";
			for (int a = AXIS_B; a < AXIS_MAX; a++)
				if (e->g->axis_name[a]) {
					size_t n = strlen(order);
					snprintf(order + n, sizeof order - n,
						"%s%.30s", n ? " " : "",
						e->g->axis_name[a]);
				}
			elab_error(e, x->at, NULL,
				"axes are written in the order %s", order);
			return false;
		}
		last = axis;
		if (!extent_of(e, x, &t->n[axis]))
			return false;
		t->axes |= AXIS_BIT(axis);
	}
	return true;
}

/* Declares the program's inputs and binds their names; the extents are
 * evaluated before any name is bound, so an input may be called as the
 * parameter that gives its extent. */
static bool
declare_inputs(Elab *e, const Ast *def)
{
	Vec(Type) types = {0};
	bool good = true;
	size_t i = 0;
	for (const Ast *input = def->list; input; input = input->next) {
		Type t;
		good &= input_type(e, input, &t);
		*vec_push(&types) = t;
	}
	for (const Ast *input = def->list; input && good; input = input->next) {
		uint32_t node = node_input(e, input->name, &types.at[i++],
			input->at);
		Value v = node_value(node);
		push_var(e, input->name, &v);
	}
	vec_free(&types);
	return good;
}

/* ---- outputs ---- */

/* An output is a place of its own: what is a view, a leaf, or an output already
 * is copied there. */
static void
add_output(Elab *e, const Ast *name, const Value *v)
{
	if (v->kind == V_ERROR)
		return;
	if (v->kind != V_TENSOR) {
		elab_error(e, name->at, NULL, "output '%s' is %s, not a tensor",
			name->name, value_describe(e, v));
		return;
	}
	uint32_t node = (uint32_t)v->i;
	unsigned flags = op_info[e->g->nodes.at[node].op].flags;
	bool copy = flags & (OPF_LEAF | OPF_VIEW);
	for (size_t i = 0; i < e->g->outputs.n; i++) {
		copy |= e->g->outputs.at[i].node == node;
		if (!strcmp(e->g->outputs.at[i].name, name->name))
			elab_error(e, name->at, NULL,
				"'%s' is defined twice here", name->name);
	}
	if (copy)
		node = node_copy(e, node, node_type(e, node)->dtype, name->at);
	*vec_push(&e->g->outputs) = (Output){name->name, node, false};
}

static void
declare_outputs(Elab *e, const Ast *def, const Frame *f)
{
	int64_t i = 0;
	if (!f->returned) {
		if (!e->diags.count)
			elab_error(e, def->at, NULL, "%s '%s' returns nothing",
				def->kind == A_MODEL ? "model" : "pipeline",
				def->name);
		return;
	}
	if (f->nresult != def->b->n) {
		if (f->result.kind != V_ERROR)
			elab_error(e, def->at, NULL, "%s '%s' names %zu outputs "
				"and returns %zu", def->kind == A_MODEL
				? "model" : "pipeline", def->name, def->b->n,
				f->nresult);
		return;
	}
	for (const Ast *name = def->b->list; name; name = name->next) {
		Value v = f->nresult == 1 ? f->result
			: f->result.kind == V_LIST && i < f->result.n
			? f->result.list->at[i] : value_error();
		add_output(e, name, &v);
		i++;
	}
	if (e->o->keep_latents && e->latents)
		*vec_push(&e->g->outputs) = (Output){"latents", e->latents, true};
}

/* ---- the program ---- */

/* The file's own model or pipeline, or the one that --model names. */
static const Ast *
choose(Elab *e, Source *file)
{
	const Ast *found = NULL;
	size_t n = 0;
	bool two;
	if (e->o->model) {
		const char *name = name_intern(e->arena, &e->names, e->o->model,
			strlen(e->o->model));
		Loc start = {file, 0, 0};
		found = names_callable(e, file, name, start, &two);
		if (found && found->kind != A_BLOCK)
			return found;
		if (!two)
			diag_plain(&e->diags, NULL, "%s has no model or pipeline "
				"called '%s'", file->path, e->o->model);
		return NULL;
	}
	for (size_t i = 0; i < file->callables.n; i++)
		if (file->callables.at[i]->kind != A_BLOCK) {
			found = file->callables.at[i];
			n++;
		}
	if (n == 1)
		return found;
	diag_plain(&e->diags, n ? "choose one with --model NAME" : NULL,
		"%s defines %zu models", file->path, n);
	return NULL;
}

static void
run_program(Elab *e)
{
	Instance in = {.component = "", .model = e->program};
	Frame f;
	params_claim(e, &in);
	if (e->program->kind == A_MODEL)
		params_unused(e);
	FileEnv *env = params_env(e, &in, e->program->file);
	enter_frame(e, &f, e->program, &in, env);
	if (declare_inputs(e, e->program)) {
		exec_body(e, e->program->a);
		if (!e->stop)
			declare_outputs(e, e->program, &f);
	}
	leave_frame(e, &f);
	if (e->program->kind == A_PIPELINE && !e->diags.count)
		params_unused(e);
	if (!e->diags.count)
		settings_check(e);
	vec_free(&in.envs);
}

static void
elaborate(Elab *e, Source *main)
{
	e->g = ir_new(e->arena, e->o->dtype, "");
	e->scope = "";
	params_define(e);
	names_define(e);
	if (e->diags.count)
		return;
	e->program = choose(e, main);
	if (!e->program)
		return;
	e->g->name = e->program->name;
	if (settings_belong(e))
		run_program(e);
}

static void
release(Elab *e)
{
	for (size_t i = 0; i < e->files.n; i++) {
		vec_free(&e->files.at[i]->includes);
		vec_free(&e->files.at[i]->params);
		vec_free(&e->files.at[i]->callables);
	}
	vec_free(&e->files);
	vec_free(&e->defines);
	vec_free(&e->read_keys);
	vec_free(&e->vars);
	vec_free(&e->stack);
	vec_free(&e->weight_node);
	vec_free(&e->rehash_names);
}

Graph *
lang_compile(Arena *a, const LangOptions *o, int *code)
{
	Elab e = {.arena = a, .o = o,
		.diags = {.out = o->errors ? o->errors : stderr}};
	*code = EXIT_SOURCE;
	Source *main = load_files(&e, code);
	if (main && o->dump_ast)
		for (size_t i = 0; i < e.files.n; i++) {
			fprintf(o->dump_ast, "> %s\n", e.files.at[i]->path);
			ast_print(e.files.at[i]->items, o->dump_ast);
		}
	if (main && !e.diags.count)
		elaborate(&e, main);
	release(&e);
	if (e.missing)
		*code = EXIT_IO;
	if (!main || e.diags.count)
		return NULL;
	*code = EXIT_OK;
	return e.g;
}
