/* names.c - what each file defines, which names mean axes, and what a name of
 * a block or model means in a file.
 *
 * Checked here for all files, used or not: names defined twice, and names of
 * axes and built-in ops that are used for something else.
 */
#include "lang/elab.h"

#include <string.h>

/* ---- axes ---- */

int
names_axis(const Elab *e, const char *name)
{
	for (int a = AXIS_B; a < AXIS_MAX; a++)
		if (e->g->axis_name[a] && !strcmp(e->g->axis_name[a], name))
			return a;
	return -1;
}

int
names_need_axis(Elab *e, const char *name, Loc loc)
{
	int axis = names_axis(e, name);
	if (axis < 0)
		elab_error(e, loc, arena_printf(e->arena,
			"an axis beyond b f h w token c is declared by "
			"'axis %s'", name), "'%s' is not an axis", name);
	return axis;
}

static void
declare_axis(Elab *e, const Ast *ident)
{
	if (names_axis(e, ident->name) >= 0)
		return;
	for (int a = AXIS_DECLARED; a < AXIS_TOKEN; a++)
		if (!e->g->axis_name[a]) {
			e->g->axis_name[a] = ident->name;
			return;
		}
	elab_error(e, ident->loc, NULL, "more than %d axes are declared",
		AXIS_DECLARED_MAX);
}

/* An axis's name cannot name a value. */
static void
check_value_name(Elab *e, const char *name, Loc loc)
{
	if (names_axis(e, name) >= 0)
		elab_error(e, loc, NULL, "'%s' is an axis; call the variable "
			"something else", name);
}

/* ---- definitions ---- */

int64_t
names_param(const Source *file, const char *name)
{
	for (size_t i = 0; i < file->params.n; i++)
		if (file->params.at[i]->name == name)
			return (int64_t)i;
	return -1;
}

static Ast *
own_callable(const Source *file, const char *name)
{
	for (size_t i = 0; i < file->callables.n; i++)
		if (file->callables.at[i]->name == name)
			return file->callables.at[i];
	return NULL;
}

static void
define(Elab *e, Source *file, Ast *item)
{
	bool value = item->kind == A_PARAM || item->kind == A_CONST;
	bool callable = item->kind == A_BLOCK || item->kind == A_MODEL
		|| item->kind == A_PIPELINE;
	if (value) {
		check_value_name(e, item->name, item->at);
		if (!elab_work(e, item->at, (int64_t)file->params.n / 16))
			return;
		if (names_param(file, item->name) >= 0)
			elab_error(e, item->at, NULL,
				"'%s' is defined twice in this file", item->name);
		else
			*vec_push(&file->params) = item;
	} else if (callable) {
		if (!elab_work(e, item->at, (int64_t)file->callables.n / 16))
			return;
		if (op_lookup(item->name))
			elab_error(e, item->at, NULL, "'%s' is a built-in op",
				item->name);
		else if (own_callable(file, item->name))
			elab_error(e, item->at, NULL,
				"'%s' is defined twice in this file", item->name);
		else
			*vec_push(&file->callables) = item;
	}
}

/* ---- names that statements bind ---- */

static bool
is_formal(const Ast *def, const char *name)
{
	for (const Ast *f = def->list; f; f = f->next)
		if (f->name == name)
			return true;
	return false;
}

static void
check_binding(Elab *e, const Ast *def, const char *name, Loc loc)
{
	check_value_name(e, name, loc);
	if (names_param(def->file, name) >= 0 && !is_formal(def, name))
		elab_error(e, loc, NULL, "'%s' is a parameter or constant of "
			"this file", name);
}

static void
check_statement(Elab *e, const Ast *def, const Ast *s)
{
	if (!s || !elab_work(e, s->loc, 1))
		return;
	if (s->kind == A_ASSIGN)
		for (const Ast *n = s->list; n; n = n->next)
			check_binding(e, def, n->name, n->at);
	if (s->kind == A_APPEND || s->kind == A_FOR || s->kind == A_DENOISE)
		check_binding(e, def, s->name, s->at);
	if (s->kind == A_BODY)
		for (const Ast *i = s->list; i; i = i->next)
			check_statement(e, def, i);
	if (s->kind == A_IF || s->kind == A_FOR || s->kind == A_DENOISE
		|| s->kind == A_SCOPE) {
		check_statement(e, def, s->b);
		check_statement(e, def, s->c);
	}
}

static void
check_definition(Elab *e, const Ast *def)
{
	for (const Ast *f = def->list; f; f = f->next) {
		check_value_name(e, f->name, f->at);
		for (const Ast *g = def->list; g != f; g = g->next) {
			if (!elab_work(e, f->at, 1))
				return;
			if (g->name == f->name)
				elab_error(e, f->at, NULL, "'%s' is defined "
					"twice here", f->name);
		}
	}
	check_statement(e, def, def->a);
}

void
names_define(Elab *e)
{
	for (size_t i = 0; i < e->files.n; i++)
		for (const Ast *a = e->files.at[i]->items->list; a; a = a->next)
			for (const Ast *n = a->list; a->kind == A_AXIS && n;
				n = n->next)
				declare_axis(e, n);
	for (size_t i = 0; i < e->files.n; i++) {
		Source *file = e->files.at[i];
		for (Ast *a = file->items->list; a; a = a->next)
			define(e, file, a);
		for (size_t k = 0; k < file->callables.n; k++)
			check_definition(e, file->callables.at[k]);
	}
}

/* ---- looking up ---- */

static void
walk(Elab *e, Source *file, void (*each)(Elab *, Source *, void *), void *user)
{
	if (file->mark == e->walk)
		return;
	file->mark = e->walk;
	each(e, file, user);
	for (size_t i = 0; i < file->includes.n; i++)
		walk(e, file->includes.at[i], each, user);
}

void
names_walk(Elab *e, Source *file, void (*each)(Elab *, Source *, void *),
	void *user)
{
	e->walk++;
	walk(e, file, each, user);
}

typedef struct Search {
	const char *name;
	Ast *found[2];
} Search;

static void
search_file(Elab *e, Source *file, void *user)
{
	Search *s = user;
	Ast *a = own_callable(file, s->name);
	(void)e;
	if (a && !s->found[0])
		s->found[0] = a;
	else if (a && !s->found[1])
		s->found[1] = a;
}

Ast *
names_callable(Elab *e, Source *file, const char *name, Loc loc, bool *two)
{
	Search s = {.name = name};
	Ast *own = own_callable(file, name);
	*two = false;
	if (own)
		return own;
	names_walk(e, file, search_file, &s);
	if (s.found[1]) {
		*two = true;
		elab_error(e, loc, NULL, "'%s' is defined in %s and in %s", name,
			s.found[0]->file->path, s.found[1]->file->path);
		return NULL;
	}
	return s.found[0];
}

typedef struct NameList {
	const char **at;
	size_t n, cap;
} NameList;

static void
list_file(Elab *e, Source *file, void *user)
{
	NameList *list = user;
	(void)e;
	for (size_t i = 0; i < file->callables.n && list->n < list->cap; i++)
		list->at[list->n++] = file->callables.at[i]->name;
}

const char *const *
names_visible(Elab *e, Source *file, size_t *n)
{
	size_t nops;
	const char *const *ops = op_names(&nops);
	NameList list = {.cap = 1024};
	list.at = arena_array(e->arena, list.cap, sizeof *list.at);
	while (list.n < nops) {
		list.at[list.n] = ops[list.n];
		list.n++;
	}
	names_walk(e, file, list_file, &list);
	*n = list.n;
	return list.at;
}
