/* params.c - parameters: the value of -D, else the first key of the component's
 * config that is there and not null, else the default.
 *
 * A file's parameters and constants are evaluated once for each instance of a
 * model, since each instance has its component, and extents that it takes from
 * its arguments.
 */
#include "lang/elab.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- -D ---- */

/* One literal of a -D value from *s on, up to one of `stops`; false: bad. */
static bool
read_scalar(Elab *e, const char **s, const char *stops, Value *v)
{
	while (isspace((unsigned char)**s))
		++*s;
	const char *from = *s;
	size_t n;
	if (*from == '"') {
		const char *close = strchr(from + 1, '"');
		if (!close)
			return false;
		*v = value_string(arena_strndup(e->arena, from + 1,
			(size_t)(close - from - 1)));
		*s = close + 1;
		while (isspace((unsigned char)**s))
			++*s;
		return !**s || strchr(stops, **s);
	}
	n = strcspn(from, stops);
	*s = from + n;
	while (n && isspace((unsigned char)from[n - 1]))
		n--;
	const char *word = arena_strndup(e->arena, from, n);
	char *end;
	if (!n)
		return false;
	if (!strcmp(word, "true") || !strcmp(word, "false")) {
		*v = value_bool(*word == 't');
		return true;
	}
	if (!strcmp(word, "none")) {
		*v = (Value){.kind = V_NONE};
		return true;
	}
	errno = 0;
	*v = value_int(strtoll(word, &end, 10));
	if (!*end)
		return !errno;
	/* only what is written in decimal: strtod knows other numbers */
	if (!word[strspn(word, "0123456789.eE+-")]) {
		*v = value_float(strtod(word, &end));
		if (!*end)
			return isfinite(v->f) != 0;
	}
	*v = value_string(word);
	return true;
}

static bool
read_define(Elab *e, const char *s, Value *v)
{
	while (isspace((unsigned char)*s))
		s++;
	if (*s != '[') {
		if (!*s) {
			*v = value_string("");
			return true;
		}
		return read_scalar(e, &s, "", v) && !*s;
	}
	*v = value_list(e, 8);
	for (s++; isspace((unsigned char)*s); s++)
		;
	while (*s != ']') {
		Value item;
		if (v->n >= LIST_MAX || !read_scalar(e, &s, ",]", &item)
			|| !*s)
			return false;
		if (v->n == v->list->cap) {
			Value more = value_list(e, 2 * v->n);
			memcpy(more.list->at, v->list->at,
				(size_t)v->n * sizeof item);
			more.n = v->n;
			*v = more;
		}
		v->list->at[v->n++] = item;
		v->list->used = v->n;
		if (*s == ',')
			s++;
	}
	for (s++; isspace((unsigned char)*s); s++)
		;
	return !*s;
}

void
params_define(Elab *e)
{
	for (size_t i = 0; i < e->o->ndefine; i++) {
		const char *text = e->o->define[i], *equals = strchr(text, '=');
		Define d = {0};
		if (!equals || equals == text) {
			diag_plain(&e->diags, NULL, "-D %s: write NAME=VALUE",
				text);
			continue;
		}
		d.text = d.name = arena_strndup(e->arena, text,
			(size_t)(equals - text));
		const char *dot = strrchr(d.text, '.');
		if (dot) {
			d.component = arena_strndup(e->arena, d.text,
				(size_t)(dot - d.text));
			d.name = dot + 1;
		}
		if (read_define(e, equals + 1, &d.value))
			*vec_push(&e->defines) = d;
		else
			diag_plain(&e->diags, NULL, "-D %s: '%s' is neither a "
				"literal nor a list of them", d.text,
				equals + 1);
	}
}

/* Whether the -D speaks of parameters of this file in this instance. */
static bool
define_reaches(const Define *d, const Instance *in, const Source *file)
{
	if (d->component)
		return *in->component && !strcmp(d->component, in->component);
	if (*in->component)
		return false;
	return in->model->kind == A_MODEL || file == in->model->file;
}

static const Define *
find_define(const Elab *e, const Instance *in, const Ast *param)
{
	const Define *found = NULL;
	for (size_t i = 0; i < e->defines.n; i++) {
		const Define *d = &e->defines.at[i];
		if (!strcmp(d->name, param->name)
			&& define_reaches(d, in, param->loc.file))
			found = d;
	}
	return found;
}

static void
claim_file(Elab *e, Source *file, void *user)
{
	const Instance *in = user;
	for (size_t i = 0; i < e->defines.n; i++) {
		Define *d = &e->defines.at[i];
		for (size_t k = 0; !d->used && k < file->params.n; k++)
			d->used = file->params.at[k]->kind == A_PARAM
				&& !strcmp(d->name, file->params.at[k]->name)
				&& define_reaches(d, in, file);
	}
}

typedef struct ParamNames {
	const char **at;
	size_t n;
} ParamNames;

static void
count_params(Elab *e, Source *file, void *user)
{
	(void)e;
	((ParamNames *)user)->n += file->params.n;
}

static void
list_params(Elab *e, Source *file, void *user)
{
	ParamNames *names = user;
	(void)e;
	for (size_t i = 0; i < file->params.n; i++)
		if (file->params.at[i]->kind == A_PARAM)
			names->at[names->n++] = file->params.at[i]->name;
}

static void
unknown_define(Elab *e, const Define *d)
{
	ParamNames names = {0};
	Source *file = e->files.at[0];
	names_walk(e, file, count_params, &names);
	names.at = arena_array(e->arena, names.n + 1, sizeof *names.at);
	names.n = 0;
	names_walk(e, file, list_params, &names);
	const char *note = elab_nearest(e, d->name, names.at, names.n);
	for (size_t i = 0; i < names.n; i++)
		if (!strcmp(names.at[i], d->name))
			note = d->component ? arena_printf(e->arena,
				"'%s' is a parameter, but not of a component "
				"'%s'", d->name, d->component)
				: "a component's parameter is set by "
				"-D COMPONENT.NAME=VALUE";
	diag_plain(&e->diags, note, "-D %s: no parameter has this name",
		d->text);
}

void
params_claim(Elab *e, Instance *in)
{
	names_walk(e, in->model->loc.file, claim_file, in);
}

void
params_unused(Elab *e)
{
	for (size_t i = 0; i < e->defines.n; i++)
		if (!e->defines.at[i].used)
			unknown_define(e, &e->defines.at[i]);
}

/* ---- config ---- */

/* Component and name of a parameter's key; a pipeline's own parameters name
 * others' ("vae.scaling_factor"). */
static const char *
split_key(Elab *e, const Instance *in, const Ast *from, const char **component)
{
	bool own = e->program->kind == A_PIPELINE && !*in->component;
	const char *dot = own ? strchr(from->name, '.') : NULL;
	*component = dot ? arena_strndup(e->arena, from->name,
		(size_t)(dot - from->name)) : in->component;
	return dot ? dot + 1 : from->name;
}

/* The first of the keys that is there and not null; later files win. */
static const Json *
config_value(Elab *e, const Instance *in, const Ast *param, const char **key)
{
	for (const Ast *from = param->list; from; from = from->next) {
		const char *component;
		const char *name = split_key(e, in, from, &component);
		*key = from->name;
		for (size_t i = e->o->nconfig; i-- > 0;) {
			const LangConfig *c = &e->o->config[i];
			const Json *j = strcmp(c->component, component) ? NULL
				: json_get(c->json, name);
			if (j && j->kind != JSON_NULL)
				return j;
		}
	}
	return NULL;
}

const Json *
params_config(Elab *e, const char *component, const Json *usual)
{
	const Json *all = NULL;
	bool whole = false;
	settings_read(e, component, NULL);
	for (size_t i = 0; i < e->o->nconfig; i++)
		whole |= !strcmp(e->o->config[i].component, component)
			&& !e->o->config[i].partial;
	if (!whole)
		all = usual;
	for (size_t i = 0; i < e->o->nconfig; i++) {
		const LangConfig *c = &e->o->config[i];
		if (!strcmp(c->component, component) && c->json
			&& c->json->kind == JSON_MAP)
			all = all ? json_merge(e->arena, all, c->json) : c->json;
	}
	return all;
}

/* ---- kinds ---- */

/* Makes *v the kind of the default, if it may be. */
static bool
fits_default(const Value *usual, Value *v, Elab *e)
{
	if (usual->kind == V_NONE || usual->kind == V_ERROR)
		return true;
	if (usual->kind == V_FLOAT && v->kind == V_INT)
		*v = value_float((double)v->i);
	if (usual->kind != v->kind)
		return false;
	if (v->kind != V_LIST || !usual->n)
		return true;
	Value list = value_list(e, v->n);
	for (int64_t i = 0; i < v->n; i++) {
		list.list->at[i] = v->list->at[i];
		if (!fits_default(&usual->list->at[0], &list.list->at[i], e))
			return false;
	}
	list.n = list.list->used = v->n;
	*v = list;
	return true;
}

static Value
repeated(Elab *e, const Value *one, int64_t n)
{
	Value list = value_list(e, n);
	for (int64_t i = 0; i < n; i++)
		list.list->at[i] = *one;
	list.n = list.list->used = n;
	return list;
}

/* `param name[n]`: a single value is repeated, a list must have n elements. */
static Value
fit_count(Elab *e, const Ast *param, const Value *v, int64_t n,
	const char *source)
{
	if (v->kind == V_ERROR)
		return *v;
	if (v->kind != V_LIST)
		return repeated(e, v, n);
	if (v->n != n)
		return elab_error(e, param->at, NULL, "parameter '%s': %s has "
			"%lld elements, %lld are needed", param->name,
			source, (long long)v->n, (long long)n);
	return *v;
}

/* ---- evaluation ---- */

static bool
eval_count(Elab *e, const Ast *param, int64_t *n)
{
	Value v = eval(e, param->a);
	if (v.kind == V_INT && v.i >= 0 && v.i <= LIST_MAX) {
		*n = v.i;
		return true;
	}
	if (v.kind != V_ERROR)
		elab_error(e, param->a->loc, NULL, "the number of elements is "
			"an int up to %d, this is %s", LIST_MAX,
			v.kind == V_INT ? arena_printf(e->arena, "%lld",
				(long long)v.i) : value_describe(e, &v));
	return false;
}

/* The default with which a given value's kind is compared: for a list
 * parameter, one element's when the given value is one. */
static Value
usual_kind(const Value *usual, const Value *given, bool list)
{
	if (!list)
		return *usual;
	if (usual->kind == V_LIST && given->kind != V_LIST)
		return usual->n ? usual->list->at[0] : (Value){.kind = V_NONE};
	return *usual;
}

/* A list given for a parameter whose default is one value for all. */
static bool
list_fits(Elab *e, const Value *usual, Value *given)
{
	Value one = {.kind = V_LIST, .n = 1, .list = &(List){
		.at = &(Value){0}, .used = 1, .cap = 1}};
	one.list->at[0] = *usual;
	return fits_default(&one, given, e);
}

/* In a list whose kind is right, the element whose kind is not. */
static const Value *
odd_element(const Value *usual, const Value *given)
{
	ValueKind kind = usual->kind;
	if (given->kind != V_LIST || (kind == V_LIST && !usual->n))
		return NULL;
	if (kind == V_LIST)
		kind = usual->list->at[0].kind;
	for (int64_t i = 0; i < given->n; i++) {
		const Value *v = &given->list->at[i];
		if (v->kind != kind && (kind != V_FLOAT || v->kind != V_INT))
			return v;
	}
	return NULL;
}

static Value
given_value(Elab *e, const Ast *param, const Value *usual, Value v,
	const char *source)
{
	bool list = param->a, fits;
	if (list && v.kind == V_LIST && usual->kind != V_LIST)
		fits = list_fits(e, usual, &v);
	else {
		Value kind = usual_kind(usual, &v, list);
		fits = fits_default(&kind, &v, e);
	}
	if (fits)
		return v;
	const Value *odd = odd_element(usual, &v);
	if (odd)
		return elab_error(e, param->at, NULL, "parameter '%s': %s holds "
			"%s, the default %s", param->name, source,
			value_describe(e, odd), value_describe(e,
			usual->kind == V_LIST ? &usual->list->at[0] : usual));
	return elab_error(e, param->at, NULL, "parameter '%s': %s is %s, the "
		"default is %s", param->name, source, value_describe(e, &v),
		value_describe(e, usual));
}

static const Forced *
find_forced(const Instance *in, const Ast *param)
{
	if (param->loc.file != in->model->file)
		return NULL;
	for (size_t i = 0; i < in->forced.n; i++)
		if (in->forced.at[i].name == param->name)
			return &in->forced.at[i];
	return NULL;
}

static Value
param_value(Elab *e, Instance *in, const Ast *param)
{
	const char *key, *source = "the default";
	const Define *d = find_define(e, in, param);
	const Forced *forced = d ? NULL : find_forced(in, param);
	int64_t n = 0;
	for (const Ast *from = param->list; from; from = from->next) {
		const char *component, *name = split_key(e, in, from, &component);
		settings_read(e, component, name);
	}
	bool count_known = !param->a || eval_count(e, param, &n);
	Value v = eval(e, param->b);
	if (forced)
		return value_int(forced->extent);
	const Json *j = d ? NULL : config_value(e, in, param, &key);
	if (d)
		source = arena_printf(e->arena, "-D %s", d->text);
	else if (j)
		source = arena_printf(e->arena, "config key \"%s\"", key);
	if (d || j)
		v = given_value(e, param, &v,
			d ? d->value : value_from_json(e, j), source);
	if (!count_known)
		return value_error();
	return param->a ? fit_count(e, param, &v, n, source) : v;
}

static void
eval_file(Elab *e, Instance *in, FileEnv *env)
{
	Frame f;
	const char *scope = e->scope;
	enter_frame(e, &f, NULL, in, env);
	for (size_t i = 0; i < env->file->params.n; i++) {
		const Ast *p = env->file->params.at[i];
		size_t nodes = e->g->nodes.n;
		Value v = p->kind == A_PARAM ? param_value(e, in, p)
					     : eval(e, p->b);
		if (v.kind != V_ERROR && (e->g->nodes.n > nodes
			|| v.kind == V_SAMPLER))
			v = elab_error(e, p->at, NULL, "'%s' is a compile-time "
				"value: tensors and samplers belong in models "
				"and pipelines", p->name);
		env->value[i] = v;
		env->done = i + 1;
	}
	leave_frame(e, &f);
	e->scope = scope;
}

FileEnv *
params_env(Elab *e, Instance *in, const Source *file)
{
	for (size_t i = 0; i < in->envs.n; i++)
		if (in->envs.at[i]->file == file)
			return in->envs.at[i];
	FileEnv *env = arena_alloc(e->arena, sizeof *env);
	env->file = file;
	env->value = arena_array(e->arena, file->params.n + 1,
		sizeof *env->value);
	*vec_push(&in->envs) = env;
	eval_file(e, in, env);
	return env;
}
