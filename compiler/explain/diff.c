/* diff.c - see diff.h. */
#include "compiler/explain/diff.h"

#include <stdlib.h>
#include <string.h>

/* ---- matching ---- */

/* What a thing is known by: its name and a number (a kind, a depth). */
typedef struct Known {
	const char *name;
	int number;
	uint32_t id;
} Known;

static int
by_name(const Known *x, const Known *y)
{
	int c = strcmp(x->name, y->name);
	return c ? c : x->number < y->number ? -1 : x->number > y->number;
}

static int
by_name_and_id(const void *a, const void *b)
{
	const Known *x = a, *y = b;
	int c = by_name(x, y);
	return c ? c : x->id < y->id ? -1 : x->id > y->id;
}

static int
by_place(const void *a, const void *b)
{
	const Pair *x = a, *y = b;
	if (x->a != y->a)
		return x->a < y->a ? -1 : 1;    /* PLAN_NONE is the last */
	return x->b < y->b ? -1 : x->b > y->b;
}

static Pairs
match(Arena *arena, Known *a, size_t na, Known *b, size_t nb)
{
	Pairs p = {arena_array(arena, na + nb + 1, sizeof *p.at), 0};
	size_t i = 0, k = 0;
	qsort(a, na, sizeof *a, by_name_and_id);
	qsort(b, nb, sizeof *b, by_name_and_id);
	while (i < na || k < nb) {
		int c = i == na ? 1 : k == nb ? -1 : by_name(&a[i], &b[k]);
		p.at[p.n++] = (Pair){c <= 0 ? a[i].id : PLAN_NONE,
			c >= 0 ? b[k].id : PLAN_NONE};
		i += c <= 0;
		k += c >= 0;
	}
	qsort(p.at, p.n, sizeof *p.at, by_place);
	return p;
}

static Known *
known_phases(Arena *arena, const Plan *p)
{
	Known *k = arena_array(arena, p->n_phases + 1u, sizeof *k);
	for (uint32_t i = 0; i < p->n_phases; i++)
		k[i] = (Known){p->strings + p->phases[i].name, 0, i};
	return k;
}

static Known *
known_groups(Arena *arena, const Plan *p)
{
	Known *k = arena_array(arena, p->n_groups + 1u, sizeof *k);
	for (uint32_t i = 0; i < p->n_groups; i++)
		k[i] = (Known){p->strings + p->groups[i].name,
			group_depth(p, i), i};
	return k;
}

static Known *
known_buffers(Arena *arena, const Plan *p)
{
	Known *k = arena_array(arena, p->n_buffers + 1u, sizeof *k);
	for (uint32_t i = 0; i < p->n_buffers; i++)
		k[i] = (Known){buffer_label(p, i), p->buffers[i].role, i};
	return k;
}

/* ---- comparing ---- */

static bool
same_plan(const Plan *a, const Plan *b)
{
	if (memcmp(&a->head, &b->head, sizeof a->head))
		return false;
#define X(type, name) \
	if (a->n_##name != b->n_##name || (a->n_##name \
		&& memcmp(a->name, b->name, a->n_##name * sizeof(type)))) \
		return false;
	PLAN_SECTIONS(X)
#undef X
	return true;
}

PlanDiff
plan_diff(Arena *arena, const Plan *a, const Plan *b)
{
	PlanDiff d = {.a = a, .b = b, .same = same_plan(a, b)};
	d.phases = match(arena, known_phases(arena, a), a->n_phases,
		known_phases(arena, b), b->n_phases);
	d.groups = match(arena, known_groups(arena, a), a->n_groups,
		known_groups(arena, b), b->n_groups);
	d.buffers = match(arena, known_buffers(arena, a), a->n_buffers,
		known_buffers(arena, b), b->n_buffers);
	return d;
}

void
diff_numbers(const PlanDiff *d, DiffNumber out[DIFF_NUMBERS])
{
	const PlanHeader *a = &d->a->head, *b = &d->b->head;
	const DiffNumber rows[DIFF_NUMBERS] = {
#define BYTES(key, name, field) \
	{key, name, DIFF_BYTES, (double)a->field, (double)b->field}
		BYTES("peak_bytes", "peak", arena_bytes),
		BYTES("load_bound_bytes", "load bound", load_bound),
		BYTES("floor_bound_bytes", "floor bound", floor_bound),
		BYTES("unsliced_bytes", "without slices", unsliced_bytes),
		BYTES("weights_bytes", "weights", weights_bytes),
		BYTES("weights_peak_bytes", "weights at once", weights_peak),
		BYTES("host_peak_bytes", "host staging", host_bytes),
#undef BYTES
		{"predicted_seconds", "predicted", DIFF_SECONDS,
			a->predicted_seconds, b->predicted_seconds},
		{"flops", "work", DIFF_FLOPS, a->flops, b->flops},
		{"steps", "steps", DIFF_COUNT, a->steps, b->steps},
		{"instructions", "instructions", DIFF_COUNT, d->a->n_code,
			d->b->n_code},
		{"ops", "kernels", DIFF_COUNT,
			kernel_count(d->a, 0, d->a->n_code),
			kernel_count(d->b, 0, d->b->n_code)},
		{"groups", "loops over slices", DIFF_COUNT, d->a->n_groups,
			d->b->n_groups},
		{"buffers", "buffers", DIFF_COUNT, d->a->n_buffers,
			d->b->n_buffers},
	};
	memcpy(out, rows, sizeof rows);
}

bool
diff_group(const PlanDiff *d, Pair p)
{
	if (p.a == PLAN_NONE || p.b == PLAN_NONE)
		return true;
	const PlanGroup *a = &d->a->groups[p.a], *b = &d->b->groups[p.b];
	return a->axis != b->axis || a->slice != b->slice
		|| a->count != b->count;
}

BufferCounts
diff_buffers(const PlanDiff *d)
{
	BufferCounts c = {0};
	for (size_t i = 0; i < d->buffers.n; i++) {
		Pair p = d->buffers.at[i];
		const PlanBuffer *a = p.a == PLAN_NONE ? NULL
			: &d->a->buffers[p.a];
		const PlanBuffer *b = p.b == PLAN_NONE ? NULL
			: &d->b->buffers[p.b];
		c.only_a += !b;
		c.only_b += !a;
		c.bytes_a = add_bytes(c.bytes_a, b ? 0 : a->bytes);
		c.bytes_b = add_bytes(c.bytes_b, a ? 0 : b->bytes);
		c.resized += a && b && a->bytes != b->bytes;
		c.moved += a && b && a->offset != b->offset;
	}
	return c;
}

static int64_t
live_bytes(const Plan *p, uint32_t buffer, uint32_t phase)
{
	if (buffer == PLAN_NONE)
		return 0;
	const PlanBuffer *b = &p->buffers[buffer];
	uint32_t insn = p->phases[phase].peak_insn;
	return b->first <= insn && b->last >= insn ? b->bytes : 0;
}

static int64_t
difference(const DiffLive *l)
{
	return l->a < l->b ? l->b - l->a : l->a - l->b;
}

static int
by_difference(const void *a, const void *b)
{
	const DiffLive *x = a, *y = b;
	if (difference(x) != difference(y))
		return difference(x) > difference(y) ? -1 : 1;
	return by_place(&x->buffer, &y->buffer);
}

size_t
diff_live(Arena *arena, const PlanDiff *d, Pair phase, DiffLive **list)
{
	size_t n = 0;
	*list = arena_array(arena, d->buffers.n + 1, sizeof **list);
	for (size_t i = 0; i < d->buffers.n; i++) {
		Pair p = d->buffers.at[i];
		DiffLive l = {p, live_bytes(d->a, p.a, phase.a),
			live_bytes(d->b, p.b, phase.b)};
		if (l.a != l.b)
			(*list)[n++] = l;
	}
	qsort(*list, n, sizeof **list, by_difference);
	return n;
}
