/* value.c - compile-time values: making, comparing and describing them. */
#include "lang/elab.h"

#include <string.h>

Value
value_error(void)
{
	return (Value){.kind = V_ERROR};
}

Value
value_int(int64_t i)
{
	return (Value){.kind = V_INT, .i = i};
}

Value
value_float(double f)
{
	return (Value){.kind = V_FLOAT, .f = f};
}

Value
value_bool(bool b)
{
	return (Value){.kind = V_BOOL, .i = b};
}

Value
value_string(const char *s)
{
	return (Value){.kind = V_STRING, .s = s};
}

Value
value_tensor(uint32_t node)
{
	return (Value){.kind = V_TENSOR, .i = node};
}

/* ---- lists ---- */

Value
value_list(Elab *e, int64_t cap)
{
	List *list = arena_alloc(e->arena, sizeof *list);
	list->cap = cap < 4 ? 4 : cap;
	list->at = arena_array(e->arena, (size_t)list->cap, sizeof *list->at);
	return (Value){.kind = V_LIST, .list = list};
}

/* The value is the whole of its storage and the storage has room: nobody else
 * sees the new element.  Otherwise the list is copied. */
bool
value_append(Elab *e, Loc loc, Value *v, const Value *item)
{
	if (v->n >= LIST_MAX) {
		elab_error(e, loc, NULL, "a list has at most %d elements",
			LIST_MAX);
		return false;
	}
	if (v->list->used != v->n || v->n == v->list->cap) {
		if (!elab_work(e, loc, v->n))
			return false;
		Value copy = value_list(e, 2 * v->n);
		if (v->n)
			memcpy(copy.list->at, v->list->at,
				(size_t)v->n * sizeof *copy.list->at);
		copy.n = copy.list->used = v->n;
		*v = copy;
	}
	v->list->at[v->n++] = *item;
	v->list->used = v->n;
	return true;
}

int64_t
value_length(const Value *v)
{
	if (v->kind == V_RANGE)
		return v->n > v->i ? v->n - v->i : 0;
	return v->n;
}

Value
value_element(const Value *v, int64_t k)
{
	return v->kind == V_RANGE ? value_int(v->i + k) : v->list->at[k];
}

bool
value_is_number(const Value *v)
{
	return v->kind == V_INT || v->kind == V_FLOAT;
}

double
value_number(const Value *v)
{
	return v->kind == V_INT ? (double)v->i : v->f;
}

/* ---- comparing ---- */

static bool
is_sequence(const Value *v)
{
	return v->kind == V_LIST || v->kind == V_RANGE;
}

static bool
is_runtime(const Value *v)
{
	return v->kind == V_TENSOR || v->kind == V_SAMPLER || v->kind == V_STEP;
}

static int
sequences_equal(Elab *e, Loc loc, const Value *a, const Value *b)
{
	int64_t n = value_length(a);
	if (a->kind == V_RANGE && b->kind == V_RANGE)
		return n == value_length(b) && (!n || a->i == b->i);
	if (n != value_length(b))
		return 0;
	for (int64_t i = 0; i < n; i++) {
		Value x = value_element(a, i), y = value_element(b, i);
		int same = value_equal(e, loc, &x, &y);
		if (same != 1)
			return same;
	}
	return 1;
}

static int
maps_equal(Elab *e, Loc loc, const Value *a, const Value *b)
{
	if (a->n != b->n)
		return 0;
	for (int64_t i = 0; i < a->n; i++) {
		int same = 0;
		for (int64_t k = 0; k < b->n && !same; k++)
			if (a->list->key[i] == b->list->key[k])
				same = value_equal(e, loc, &a->list->at[i],
					&b->list->at[k]);
		if (same != 1)
			return same;
	}
	return 1;
}

static int
equal(Elab *e, Loc loc, const Value *a, const Value *b)
{
	if (is_runtime(a) || is_runtime(b)) {
		if (a->kind == V_NONE || b->kind == V_NONE)
			return 0;
		elab_error(e, loc, NULL, "run-time values cannot be compared at "
			"compile time");
		return -1;
	}
	if (value_is_number(a) && value_is_number(b))
		return a->kind == V_INT && b->kind == V_INT ? a->i == b->i
			: value_number(a) == value_number(b);
	if (is_sequence(a) && is_sequence(b))
		return sequences_equal(e, loc, a, b);
	if (a->kind != b->kind)
		return 0;
	switch (a->kind) {
	case V_NONE:   return 1;
	case V_BOOL:
	case V_AXIS:   return a->i == b->i;
	case V_STRING: return !strcmp(a->s, b->s);
	case V_MAP:    return maps_equal(e, loc, a, b);
	default:       return 0;
	}
}

int
value_equal(Elab *e, Loc loc, const Value *a, const Value *b)
{
	if (!elab_work(e, loc, 1))
		return -1;
	if (e->depth >= EVAL_DEPTH_MAX) {
		e->stop = true;
		elab_error(e, loc, NULL,
			"these values are nested too deeply to be compared");
		return -1;
	}
	e->depth++;
	int same = equal(e, loc, a, b);
	e->depth--;
	return same;
}

/* ---- describing ---- */

const char *
value_describe(Elab *e, const Value *v)
{
	char buf[256];
	switch (v->kind) {
	case V_UNSET:
	case V_ERROR:   return "an error";
	case V_NONE:    return "none";
	case V_BOOL:    return "bool";
	case V_INT:     return "int";
	case V_FLOAT:   return "float";
	case V_STRING:  return "string";
	case V_RANGE:   return "a range";
	case V_MAP:     return "a map";
	case V_AXIS:    return "an axis";
	case V_SAMPLER: return "a sampler";
	case V_STEP:    return "a sampler's step";
	case V_LIST:
		return arena_printf(e->arena, "a list of %lld",
			(long long)v->n);
	case V_TENSOR:
		return arena_strdup(e->arena, type_print(e->g,
			node_type(e, (uint32_t)v->i), buf));
	}
	return "?";
}

/* ---- from JSON ---- */

Value
value_from_json(Elab *e, const Json *j)
{
	switch (j->kind) {
	case JSON_BOOL:   return value_bool(j->boolean);
	case JSON_INT:    return value_int(j->integer);
	case JSON_FLOAT:  return value_float(j->number);
	case JSON_STRING: return value_string(j->text);
	case JSON_LIST:
	case JSON_MAP: {
		size_t n = j->n < LIST_MAX ? j->n : LIST_MAX;
		Value v = value_list(e, (int64_t)n);
		for (size_t i = 0; i < n; i++)
			v.list->at[i] = value_from_json(e, &j->item[i]);
		v.n = v.list->used = (int64_t)n;
		if (j->kind == JSON_MAP) {
			v.kind = V_MAP;
			v.list->key = arena_array(e->arena, n + 1,
				sizeof *v.list->key);
			for (size_t i = 0; i < n; i++)
				v.list->key[i] = name_intern(e->arena,
					&e->names, j->key[i],
					strlen(j->key[i]));
		}
		return v;
	}
	default:
		return (Value){.kind = V_NONE};
	}
}
