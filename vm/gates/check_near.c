/* check_near.c - which buffers lie on a buffer's bytes.
 *
 * All buffers in the order of their offsets are a binary tree: the root of a part
 * of the list is its middle one, and has the highest end of the part.  So those
 * that meet a buffer are found without looking at the others.
 */
#include "vm/gates/check.h"

#include <stdlib.h>

static int
compare_near(const void *a, const void *b)
{
	const Near *x = a, *y = b;
	return x->first < y->first ? -1 : x->first > y->first;
}

static int
compare_ends(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;
	return *x < *y ? -1 : *x > *y;
}

/* Fills in the highest ends below the middle of [lo, hi). */
static int64_t
find_reach(Near *at, size_t lo, size_t hi)
{
	if (lo >= hi)
		return INT64_MIN;
	size_t mid = lo + (hi - lo) / 2;
	int64_t below = max64(find_reach(at, lo, mid),
		find_reach(at, mid + 1, hi));
	return at[mid].reach = max64(at[mid].end, below);
}

/* How many of the n begin before x. */
static uint32_t
begin_before(const Near *at, uint32_t n, int64_t x)
{
	uint32_t lo = 0, hi = n;
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		if (at[mid].first < x)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* How many of the n ends lie at x or before it. */
static uint32_t
end_before(const int64_t *end, uint32_t n, int64_t x)
{
	uint32_t lo = 0, hi = n;
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		if (end[mid] <= x)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

bool
near_find(Check *c, Arena *a)
{
	uint32_t n = c->p->n_buffers;
	int64_t each = (int64_t)(sizeof *c->near + sizeof(int64_t));
	if (!spend_bytes(&c->cost, n * each)
		|| !spend(&c->cost, n * (int64_t)NEAR_STEPS))
		return check_cost(c) && false;
	c->near = arena_array(a, n, sizeof *c->near);
	int64_t *ends = arena_array(a, n, sizeof *ends);
	for (uint32_t i = 0; i < n; i++) {
		const PlanBuffer *b = &c->p->buffers[i];
		ends[i] = b->offset + b->bytes;
		c->near[i] = (Near){b->offset, ends[i], 0, i};
	}
	if (n) {
		qsort(c->near, n, sizeof *c->near, compare_near);
		qsort(ends, n, sizeof *ends, compare_ends);
	}
	find_reach(c->near, 0, n);
	for (uint32_t i = 0; i < n; i++) {
		const PlanBuffer *b = &c->p->buffers[i];
		c->owner[i].neighbours = begin_before(c->near, n,
			b->offset + b->bytes) - end_before(ends, n, b->offset);
	}
	return true;
}

static void
each_in(Check *c, size_t lo, size_t hi, uint32_t buffer, NearDo *act, size_t since)
{
	const PlanBuffer *b = &c->p->buffers[buffer];
	while (lo < hi && spend(&c->cost, 1)) {
		size_t mid = lo + (hi - lo) / 2;
		const Near *x = &c->near[mid];
		if (x->reach <= b->offset)
			return;
		each_in(c, lo, mid, buffer, act, since);
		if (x->first >= b->offset + b->bytes)
			return;
		if (x->end > b->offset && x->buffer != buffer)
			act(c, buffer, x->buffer, since);
		lo = mid + 1;
	}
}

void
near_each(Check *c, uint32_t buffer, NearDo *act, size_t since)
{
	each_in(c, 0, c->p->n_buffers, buffer, act, since);
}
