/* timeline.c - see timeline.h. */
#include "compiler/explain/timeline.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const RoleStyle role_styles[BUF_ROLE_COUNT] = {
	[BUF_VALUE] = {"activation", "#6fa8d6"},
	[BUF_WEIGHT] = {"weight", "#f0b866"},
	[BUF_WORK] = {"workspace", "#b99ad6"},
	[BUF_INPUT] = {"input", "#8fce8f"},
	[BUF_OUTPUT] = {"output", "#3f9c5f"},
	[BUF_TABLE] = {"table", "#9a9a9a"},
};

char *
format_seconds(char *buf, double seconds)
{
	double minutes = seconds / 60;
	if (!(seconds > 0))
		snprintf(buf, 32, "0 s");
	else if (minutes >= 119.5)
		snprintf(buf, 32, "%.0f h %02.0f min", floor((minutes + 0.5) / 60),
			floor(fmod(minutes + 0.5, 60)));
	else if (minutes >= 1.5)
		snprintf(buf, 32, "%.*f min", minutes < 9.95 ? 1 : 0, minutes);
	else if (seconds >= 1)
		snprintf(buf, 32, "%.3g s", seconds);
	else if (seconds >= 1e-3)
		snprintf(buf, 32, "%.3g ms", seconds * 1e3);
	else
		snprintf(buf, 32, "%.3g \302\265s", seconds * 1e6);
	return buf;
}

/* ---- bytes in use ---- */

typedef struct Placed { int64_t offset; uint32_t id; } Placed;

static int
by_offset(const void *a, const void *b)
{
	const Placed *x = a, *y = b;
	if (x->offset != y->offset)
		return x->offset < y->offset ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

/* What lives now: ranks (in the order of offsets) of buffers, in order. */
typedef struct LiveSet {
	uint32_t *rank, n;
} LiveSet;

static uint32_t
live_position(const LiveSet *l, uint32_t rank)
{
	uint32_t lo = 0, hi = l->n;
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		if (l->rank[mid] < rank)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void
live_add(LiveSet *l, uint32_t rank)
{
	uint32_t at = live_position(l, rank);
	memmove(l->rank + at + 1, l->rank + at,
		(l->n - at) * sizeof *l->rank);
	l->rank[at] = rank;
	l->n++;
}

static void
live_drop(LiveSet *l, uint32_t rank)
{
	uint32_t at = live_position(l, rank);
	l->n--;
	memmove(l->rank + at, l->rank + at + 1,
		(l->n - at) * sizeof *l->rank);
}

static void
live_measure(const LiveSet *l, const Placed *order, const PlanBuffer *buffers,
	int64_t *used, int64_t *height)
{
	int64_t sum = 0, top = 0;
	for (uint32_t i = 0; i < l->n; i++) {
		const PlanBuffer *b = &buffers[order[l->rank[i]].id];
		int64_t end = b->offset + b->bytes;
		if (end <= top)
			continue;
		sum += end - max64(b->offset, top);
		top = end;
	}
	*used = sum;
	*height = top;
}

/* Lists of the buffers that begin or end at each instruction: heads by
 * instruction, links by buffer, both PLAN_NONE at the end. */
typedef struct Events { uint32_t *begin, *end, *next_begin, *next_end; } Events;

static uint32_t *
none_list(Arena *a, size_t n)
{
	uint32_t *list = arena_array(a, n + 1, sizeof *list);
	memset(list, 0xff, (n + 1) * sizeof *list);
	return list;
}

static Events
events_of(Arena *a, const PlanBuffer *buffers, const Placed *order, uint32_t n,
	uint32_t n_code)
{
	Events e = {none_list(a, n_code), none_list(a, n_code),
		none_list(a, n), none_list(a, n)};
	for (uint32_t r = 0; r < n; r++) {
		const PlanBuffer *b = &buffers[order[r].id];
		e.next_begin[r] = e.begin[b->first];
		e.begin[b->first] = r;
		e.next_end[r] = e.end[b->last];
		e.end[b->last] = r;
	}
	return e;
}

MemoryUse
memory_use(Arena *a, const PlanBuffer *buffers, uint32_t n, uint32_t n_code)
{
	MemoryUse m = {arena_array(a, n_code + 1u, sizeof *m.used),
		arena_array(a, n_code + 1u, sizeof *m.height)};
	Placed *order = arena_array(a, n + 1u, sizeof *order);
	for (uint32_t i = 0; i < n; i++)
		order[i] = (Placed){buffers[i].offset, i};
	qsort(order, n, sizeof *order, by_offset);
	Events e = events_of(a, buffers, order, n, n_code);
	LiveSet live = {arena_array(a, n + 1u, sizeof(uint32_t)), 0};
	bool changed = true;
	for (uint32_t i = 0; i < n_code; i++) {
		for (uint32_t r = e.begin[i]; r != PLAN_NONE;
			r = e.next_begin[r], changed = true)
			live_add(&live, r);
		if (changed)
			live_measure(&live, order, buffers, &m.used[i],
				&m.height[i]);
		else {
			m.used[i] = m.used[i - 1];
			m.height[i] = m.height[i - 1];
		}
		changed = e.end[i] != PLAN_NONE;
		for (uint32_t r = e.end[i]; r != PLAN_NONE; r = e.next_end[r])
			live_drop(&live, r);
	}
	return m;
}

static int
by_address(const void *a, const void *b)
{
	const PlanBuffer *x = *(const PlanBuffer *const *)a;
	const PlanBuffer *y = *(const PlanBuffer *const *)b;
	if (x->offset != y->offset)
		return x->offset < y->offset ? -1 : 1;
	return x < y ? -1 : x > y;
}

void
sort_by_address(const PlanBuffer **list, uint32_t n)
{
	if (n > 1)
		qsort(list, n, sizeof *list, by_address);
}

int64_t
covered_bytes(const PlanBuffer **list, uint32_t n)
{
	int64_t sum = 0, top = 0;
	sort_by_address(list, n);
	for (uint32_t i = 0; i < n; i++) {
		int64_t end = list[i]->offset + list[i]->bytes;
		if (end <= top)
			continue;
		sum += end - max64(list[i]->offset, top);
		top = end;
	}
	return sum;
}

/* ---- time ---- */

static double
insn_width(const PlanInsn *insn)
{
	switch (insn->op) {
	case CTL_load:
		return 0.25;
	case CTL_wait:
	case CTL_loop:
	case CTL_next:
	case CTL_halt:
		return 0.05;
	default:
		return 1;
	}
}

Timeline
timeline_of(Arena *a, const Plan *p)
{
	Timeline t = {.use = memory_use(a, p->buffers, p->n_buffers, p->n_code),
		.x = arena_array(a, p->n_code + 1u, sizeof *t.x)};
	for (uint32_t i = 0; i < p->n_code; i++) {
		t.x[i + 1] = t.x[i] + insn_width(&p->code[i]);
		if (t.use.used[i] > t.use.used[t.peak])
			t.peak = i;
	}
	return t;
}

/* ---- what lives ---- */

typedef struct Sized { int64_t bytes; uint32_t id; } Sized;

static int
by_size(const void *a, const void *b)
{
	const Sized *x = a, *y = b;
	if (x->bytes != y->bytes)
		return x->bytes > y->bytes ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

uint32_t
live_at(Arena *a, const Plan *p, uint32_t insn, uint32_t **ids)
{
	Sized *s = arena_array(a, p->n_buffers + 1u, sizeof *s);
	uint32_t n = 0;
	for (uint32_t i = 0; i < p->n_buffers; i++)
		if (p->buffers[i].first <= insn && p->buffers[i].last >= insn)
			s[n++] = (Sized){p->buffers[i].bytes, i};
	qsort(s, n, sizeof *s, by_size);
	*ids = arena_array(a, n + 1u, sizeof **ids);
	for (uint32_t i = 0; i < n; i++)
		(*ids)[i] = s[i].id;
	return n;
}

bool
insn_touches(const Plan *p, uint32_t insn, uint32_t buffer)
{
	const PlanInsn *in = &p->code[insn];
	if (in->op == CTL_load || in->op == CTL_wait)
		return p->weights[in->a].buffer == buffer;
	for (uint32_t k = 0; k < in->noperands; k++)
		for (int part = 0; part < 2; part++) {
			uint32_t v = p->operands[in->first_operand + k].view[part];
			if (v != PLAN_NONE && p->views[v].buffer == buffer)
				return true;
		}
	return false;
}

uint32_t
kernel_count(const Plan *p, uint32_t first, uint32_t last)
{
	uint32_t n = 0;
	for (uint32_t i = first; i <= last && i < p->n_code; i++)
		n += p->code[i].op < CTL_BASE;
	return n;
}

int
group_depth(const Plan *p, uint32_t group)
{
	const PlanGroup *g = &p->groups[group];
	int depth = 0;
	for (uint32_t i = 0; i < p->n_groups; i++)
		depth += p->groups[i].first < g->first
			&& p->groups[i].last > g->last;
	return depth;
}

int64_t
group_inside(const Plan *p, const PlanGroup *g)
{
	Arena a = {0};
	PlanBuffer *own = arena_array(&a, p->n_buffers + 1u, sizeof *own);
	uint32_t n = 0;
	for (uint32_t i = 0; i < p->n_buffers; i++) {
		const PlanBuffer *b = &p->buffers[i];
		if (b->first < g->first || b->last > g->last
			|| b->role == BUF_WEIGHT)
			continue;
		own[n] = *b;
		own[n].first -= g->first;
		own[n++].last -= g->first;
	}
	uint32_t n_code = g->last - g->first + 1;
	MemoryUse m = memory_use(&a, own, n, n_code);
	int64_t most = 0;
	for (uint32_t i = 0; i < n_code; i++)
		most = max64(most, m.used[i]);
	arena_free(&a);
	return most;
}

const char *
insn_scope(const Plan *p, uint32_t insn)
{
	return insn < p->n_code
		? p->strings + p->debugs[p->code[insn].debug].scope : "";
}

const char *
buffer_label(const Plan *p, uint32_t buffer)
{
	const PlanBuffer *b = &p->buffers[buffer];
	const char *name = p->strings + b->name;
	return b->role == BUF_WORK || !*name ? insn_scope(p, b->first) : name;
}
