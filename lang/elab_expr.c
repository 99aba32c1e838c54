/* elab_expr.c - expressions: compile-time arithmetic, lists, texts.  Operations
 * on tensors go on to elab_node.c, calls to elab_call.c.
 */
#include "lang/elab.h"

#include <math.h>
#include <string.h>

static Value
needs_numbers(Elab *e, const Ast *a, const Value *v)
{
	return elab_error(e, a->loc, NULL, "'%s' needs numbers, this is %s",
		a->name, value_describe(e, v));
}

static Value
too_large(Elab *e, const Ast *a)
{
	return elab_error(e, a->loc, NULL,
		"this number does not fit in 64 bits");
}

/* ---- arithmetic ---- */

static Value
int_arithmetic(Elab *e, const Ast *a, int64_t x, int64_t y)
{
	int64_t r;
	switch (*a->name) {
	case '+':
		return add_ok(x, y, &r) ? value_int(r) : too_large(e, a);
	case '-':
		return __builtin_sub_overflow(x, y, &r) ? too_large(e, a)
			: value_int(r);
	case '*':
		return mul_ok(x, y, &r) ? value_int(r) : too_large(e, a);
	}
	if (!y)
		return elab_error(e, a->loc, NULL, "division by zero");
	if (y == -1)            /* INT64_MIN / -1 traps */
		return *a->name == '%' ? value_int(0)
			: __builtin_sub_overflow((int64_t)0, x, &r)
			? too_large(e, a) : value_int(r);
	r = x % y;
	if (*a->name == '%')
		return value_int(r && (r < 0) != (y < 0) ? r + y : r);
	if (r)
		return elab_error(e, a->loc, NULL,
			"%lld / %lld is not a whole number", (long long)x,
			(long long)y);
	return value_int(x / y);
}

static Value
float_arithmetic(Elab *e, const Ast *a, double x, double y)
{
	double r = 0;
	switch (*a->name) {
	case '+': r = x + y; break;
	case '-': r = x - y; break;
	case '*': r = x * y; break;
	default:
		if (y == 0)
			return elab_error(e, a->loc, NULL, "division by zero");
		if (*a->name == '/')
			r = x / y;
		else {
			r = fmod(x, y);
			if (r != 0 && (r < 0) != (y < 0))
				r += y;
		}
	}
	return isfinite(r) ? value_float(r) : too_large(e, a);
}

Value
eval_arithmetic(Elab *e, const Ast *a, const Value *x, const Value *y)
{
	bool tensors = x->kind == V_TENSOR || y->kind == V_TENSOR;
	const Value *bad = NULL;
	if (!value_is_number(x) && (x->kind != V_TENSOR || *a->name == '%'))
		bad = x;
	else if (!value_is_number(y)
		&& (y->kind != V_TENSOR || *a->name == '%'))
		bad = y;
	if (bad)
		return needs_numbers(e, a, bad);
	if (tensors)
		return node_arithmetic(e, a, x, y);
	if (x->kind == V_INT && y->kind == V_INT)
		return int_arithmetic(e, a, x->i, y->i);
	return float_arithmetic(e, a, value_number(x), value_number(y));
}

static Value
negate(Elab *e, const Ast *a)
{
	Value x = eval(e, a->a);
	int64_t r;
	switch (x.kind) {
	case V_ERROR:
		return x;
	case V_INT:
		return __builtin_sub_overflow((int64_t)0, x.i, &r)
			? too_large(e, a) : value_int(r);
	case V_FLOAT:
		return value_float(-x.f);
	case V_TENSOR:
		return node_value(node_scalar(e, OP_mul, (uint32_t)x.i, -1,
			false, a->loc));
	default:
		return needs_numbers(e, a, &x);
	}
}

/* ---- comparisons ---- */

static Value
ordered(Elab *e, const Ast *a, const Value *x, const Value *y)
{
	if (x->kind == V_TENSOR || y->kind == V_TENSOR)
		return elab_error(e, a->loc, NULL, "run-time values cannot be "
			"compared at compile time");
	if (!value_is_number(x))
		return needs_numbers(e, a, x);
	if (!value_is_number(y))
		return needs_numbers(e, a, y);
	int order;
	if (x->kind == V_INT && y->kind == V_INT)
		order = (x->i > y->i) - (x->i < y->i);
	else {
		double p = value_number(x), q = value_number(y);
		order = (p > q) - (p < q);
	}
	bool equal = a->name[1] == '=';
	return value_bool(*a->name == '<' ? order < 0 || (equal && !order)
					  : order > 0 || (equal && !order));
}

/* Part of a string, element of a list or range. */
static Value
contained(Elab *e, const Ast *a, const Value *x, const Value *y)
{
	if (y->kind == V_STRING) {
		if (x->kind != V_STRING)
			return elab_error(e, a->loc, NULL, "'in' a string looks "
				"for a string, this is %s",
				value_describe(e, x));
		return value_bool(strstr(y->s, x->s) != NULL);
	}
	if (y->kind == V_RANGE)
		return value_bool(x->kind == V_INT && x->i >= y->i
			&& x->i < y->n);
	if (y->kind != V_LIST)
		return elab_error(e, a->loc, NULL, "'in' needs a string, a list "
			"or a range, this is %s", value_describe(e, y));
	for (int64_t i = 0; i < y->n; i++) {
		int same = value_equal(e, a->loc, x, &y->list->at[i]);
		if (same)
			return same < 0 ? value_error() : value_bool(true);
	}
	return value_bool(false);
}

static Value
binary(Elab *e, const Ast *a)
{
	Value x = eval(e, a->a);
	Value y = eval(e, a->b);
	if (x.kind == V_ERROR || y.kind == V_ERROR)
		return value_error();
	if (!strcmp(a->name, "==") || !strcmp(a->name, "!=")) {
		int same = value_equal(e, a->loc, &x, &y);
		return same < 0 ? value_error()
			: value_bool(same == (*a->name == '='));
	}
	if (*a->name == '<' || *a->name == '>')
		return ordered(e, a, &x, &y);
	if (!strcmp(a->name, "in"))
		return contained(e, a, &x, &y);
	return eval_arithmetic(e, a, &x, &y);
}

/* ---- conditions ---- */

int
eval_condition(Elab *e, const Ast *a)
{
	Value v = eval(e, a);
	if (v.kind == V_BOOL)
		return v.i != 0;
	if (v.kind == V_TENSOR)
		elab_error(e, a->loc, NULL, "run-time values cannot be compared "
			"at compile time");
	else if (v.kind != V_ERROR)
		elab_error(e, a->loc, NULL,
			"a condition is true or false, this is %s",
			value_describe(e, &v));
	return -1;
}

static Value
logical(Elab *e, const Ast *a)
{
	int x = eval_condition(e, a->a);
	if (x < 0)
		return value_error();
	if (a->kind == A_NOT)
		return value_bool(!x);
	if (x == (a->kind == A_OR))
		return value_bool(x);
	x = eval_condition(e, a->b);
	return x < 0 ? value_error() : value_bool(x);
}

static Value
conditional(Elab *e, const Ast *a)
{
	int x = eval_condition(e, a->a);
	return x < 0 ? value_error() : eval(e, x ? a->b : a->c);
}

/* ---- lists ---- */

static Value
list_of(Elab *e, const Ast *a)
{
	Value list = value_list(e, (int64_t)a->n);
	bool bad = false;
	for (const Ast *i = a->list; i; i = i->next) {
		Value v = eval(e, i);
		bad |= v.kind == V_ERROR;
		if (!value_append(e, i->loc, &list, &v))
			return value_error();
	}
	return bad ? value_error() : list;
}

static Value
map_of(Elab *e, const Ast *a)
{
	Value map = value_list(e, (int64_t)a->n);
	bool bad = false;
	map.kind = V_MAP;
	map.list->key = arena_array(e->arena, a->n + 1, sizeof *map.list->key);
	for (const Ast *i = a->list; i; i = i->next) {
		Value v = eval(e, i->a);
		bad |= v.kind == V_ERROR;
		for (int64_t k = 0; k < map.n; k++) {
			if (!elab_work(e, i->at, 1))
				return value_error();
			if (map.list->key[k] == i->name)
				return elab_error(e, i->at, NULL,
					"'%s' stands twice in this map",
					i->name);
		}
		map.list->key[map.n] = i->name;
		map.list->at[map.n++] = v;
		map.list->used = map.n;
	}
	return bad ? value_error() : map;
}

static Value
range_of(Elab *e, const Ast *a)
{
	Value x = eval(e, a->a), y = eval(e, a->b);
	if (x.kind == V_ERROR || y.kind == V_ERROR)
		return value_error();
	if (x.kind != V_INT || y.kind != V_INT)
		return elab_error(e, a->loc, NULL, "'..' needs ints, this is %s",
			value_describe(e, x.kind == V_INT ? &y : &x));
	if (__builtin_sub_overflow(y.i, x.i, &(int64_t){0}))
		return too_large(e, a);
	return (Value){.kind = V_RANGE, .i = x.i, .n = y.i};
}

/* l[a..b]: a part.  Shares the list's storage when it starts at the front. */
static Value
cut(Elab *e, const Ast *a, const Value *list, const Value *range)
{
	int64_t n = value_length(list), lo = range->i, hi = range->n;
	if (lo < 0 || hi < lo || hi > n)
		return elab_error(e, a->loc, NULL,
			"%lld..%lld is outside a list of %lld", (long long)lo,
			(long long)hi, (long long)n);
	if (list->kind == V_RANGE)
		return (Value){.kind = V_RANGE, .i = list->i + lo,
			.n = list->i + hi};
	if (!elab_work(e, a->loc, hi - lo))
		return value_error();
	Value part = value_list(e, hi - lo);
	for (int64_t i = lo; i < hi; i++)
		part.list->at[i - lo] = list->list->at[i];
	part.n = part.list->used = hi - lo;
	return part;
}

static Value
indexed(Elab *e, const Ast *a)
{
	Value list = eval(e, a->a), index = eval(e, a->b);
	if (list.kind == V_ERROR || index.kind == V_ERROR)
		return value_error();
	if (list.kind == V_TENSOR)
		return elab_error(e, a->loc, "at(x, axis=i) gives one index, "
			"at(x, axis=a..b) a part",
			"a tensor is not indexed with [ ]");
	if (list.kind != V_LIST && list.kind != V_RANGE)
		return elab_error(e, a->loc, NULL,
			"'[ ]' needs a list or a range, this is %s",
			value_describe(e, &list));
	if (index.kind == V_RANGE)
		return cut(e, a, &list, &index);
	if (index.kind != V_INT)
		return elab_error(e, a->b->loc, NULL,
			"an index is an int or a range, this is %s",
			value_describe(e, &index));
	int64_t n = value_length(&list);
	int64_t k = index.i < 0 ? index.i + n : index.i;
	if (k < 0 || k >= n)
		return elab_error(e, a->loc, NULL,
			"index %lld is outside a list of %lld",
			(long long)index.i, (long long)n);
	return value_element(&list, k);
}

/* ---- texts ---- */

/* Appends the text of a value to `out`; false: reported. */
static bool
print_value(Elab *e, const Ast *a, const Value *v, char *buf, size_t size,
	const char **out)
{
	*out = buf;
	switch (v->kind) {
	case V_STRING: *out = v->s; return true;
	case V_INT:
		snprintf(buf, size, "%lld", (long long)v->i);
		return true;
	case V_FLOAT:
		snprintf(buf, size, "%g", v->f);
		return true;
	case V_BOOL:
		snprintf(buf, size, "%s", v->i ? "true" : "false");
		return true;
	case V_AXIS:
		*out = e->g->axis_name[v->i];
		return true;
	case V_ERROR:
		return false;
	default:
		elab_error(e, a->loc, NULL, "cannot put %s into a string",
			v->kind == V_TENSOR ? "a tensor"
			: value_describe(e, v));
		return false;
	}
}

const char *
eval_text(Elab *e, const Ast *a)
{
	if (a->kind == A_STRING)
		return a->name;
	const char *text = "";
	size_t n = 0;
	for (const Ast *i = a->list; i; i = i->next) {
		char buf[64];
		const char *part = i->name;
		if (i->kind != A_STRING) {
			Value v = eval(e, i);
			if (!print_value(e, i, &v, buf, sizeof buf, &part))
				return NULL;
		}
		size_t more = strlen(part);
		if (!more)
			continue;
		if (n + more > LIST_MAX) {
			elab_error(e, a->loc, NULL, "a string has at most %d "
				"bytes", LIST_MAX);
			return NULL;
		}
		if (!elab_work(e, a->loc, (int64_t)(n + more) / 32))
			return NULL;
		text = arena_printf(e->arena, "%s%s", text, part);
		n += more;
	}
	return text;
}

const char *
eval_scope(Elab *e, const Ast *label)
{
	if (!label)
		return e->scope;
	const char *text = eval_text(e, label);
	if (!text)
		return NULL;
	if (!*text || !*e->scope)
		text = *text ? text : e->scope;
	else
		text = arena_printf(e->arena, "%s.%s", e->scope, text);
	if (strlen(text) > SCOPE_MAX) {
		elab_error(e, label->loc, NULL, "a weight's name has at most %d "
			"bytes", SCOPE_MAX);
		return NULL;
	}
	return text;
}

/* ---- names ---- */

static Value
unknown_name(Elab *e, const Ast *a)
{
	const Source *file = e->frame->env->file;
	size_t n = 0, most = e->vars.n - e->frame->base + file->params.n;
	const char **names = arena_array(e->arena, most + 1, sizeof *names);
	for (size_t i = e->frame->base; i < e->vars.n; i++)
		names[n++] = e->vars.at[i].name;
	for (size_t i = 0; i < e->frame->env->done; i++)
		names[n++] = file->params.at[i]->name;
	return elab_error(e, a->at, elab_nearest(e, a->name, names, n),
		"'%s' has no value here", a->name);
}

static Value
named(Elab *e, const Ast *a)
{
	const FileEnv *env = e->frame->env;
	const Var *v = find_var(e, a->name);
	if (v)
		return v->value;
	for (size_t i = 0; i < env->done; i++)
		if (env->file->params.at[i]->name == a->name)
			return env->value[i];
	int axis = names_axis(e, a->name);
	if (axis >= 0)
		return (Value){.kind = V_AXIS, .i = axis};
	return unknown_name(e, a);
}

static Value
map_field(Elab *e, const Ast *a, const Value *map)
{
	for (int64_t i = 0; i < map->n; i++)
		if (map->list->key[i] == a->name)
			return map->list->at[i];
	return elab_error(e, a->at, NULL, "this map has no '%s'", a->name);
}

static Value
step_field(Elab *e, const Ast *a, Schedule *s)
{
	if (strcmp(a->name, "t"))
		return elab_error(e, a->at, "a step has t, scale(x), "
			"update(x, e)", "a step has no '%s'", a->name);
	return sampler_time(e, s, a->loc);
}

static Value
field(Elab *e, const Ast *a)
{
	Value x = eval(e, a->a);
	if (x.kind == V_ERROR)
		return x;
	if (x.kind == V_MAP)
		return map_field(e, a, &x);
	if (x.kind == V_STEP)
		return step_field(e, a, x.schedule);
	if (x.kind != V_TENSOR)
		return elab_error(e, a->at, NULL, "%s has no '%s'",
			value_describe(e, &x), a->name);
	const Type *t = node_type(e, (uint32_t)x.i);
	int axis = names_axis(e, a->name);
	if (axis < 0 || !(t->axes >> axis & 1))
		return elab_error(e, a->at, NULL,
			"this tensor has no axis '%s': it is %s", a->name,
			value_describe(e, &x));
	return value_int(t->n[axis]);
}

/* ---- all of them ---- */

static Value
eval_kind(Elab *e, const Ast *a)
{
	switch (a->kind) {
	case A_INT:    return value_int(a->integer);
	case A_FLOAT:  return value_float(a->number);
	case A_BOOL:   return value_bool(a->integer != 0);
	case A_NONE:   return (Value){.kind = V_NONE};
	case A_STRING: return value_string(a->name);
	case A_TEXT: {
		const char *s = eval_text(e, a);
		return s ? value_string(s) : value_error();
	}
	case A_NAME:   return named(e, a);
	case A_CALL:   return eval_call(e, a);
	case A_METHOD: return eval_method(e, a);
	case A_FIELD:  return field(e, a);
	case A_INDEX:  return indexed(e, a);
	case A_LISTOF: return list_of(e, a);
	case A_MAP:    return map_of(e, a);
	case A_NEGATE: return negate(e, a);
	case A_NOT:
	case A_AND:
	case A_OR:     return logical(e, a);
	case A_COND:   return conditional(e, a);
	case A_RANGE:  return range_of(e, a);
	case A_BINARY: return binary(e, a);
	default:
		die("eval", "no expression: %d", a->kind);
	}
}

Value
eval(Elab *e, const Ast *a)
{
	if (!elab_work(e, a->loc, 1))
		return value_error();
	if (e->depth >= EVAL_DEPTH_MAX) {
		e->stop = true;
		return elab_error(e, a->loc, NULL,
			"calls and expressions are nested too deeply");
	}
	e->depth++;
	Value v = eval_kind(e, a);
	e->depth--;
	return v;
}
