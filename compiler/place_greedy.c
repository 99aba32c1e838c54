/* place_greedy.c - the greedy rungs of the placement ladder.
 *
 * Items are placed one by one in some order, each into a gap between the items
 * that are placed already and live at the same time: the lowest gap that holds
 * it (first fit) or the smallest (best fit).  Which order is best differs from
 * graph to graph and an order costs milliseconds, so all are tried.
 */
#include "place.h"

#include <stdlib.h>
#include <string.h>

typedef struct Placed {
	int32_t lo, hi;
	int64_t at, top;
} Placed;

typedef struct Ranked {
	int64_t major, minor;   /* larger comes first */
	uint32_t i;
} Ranked;

enum { BY_SIZE, BY_AREA, BY_LIFETIME, BY_START, BY_CONTENTION, ORDERS };

static int
compare_ranked(const void *pa, const void *pb)
{
	const Ranked *a = pa, *b = pb;
	if (a->major != b->major)
		return a->major > b->major ? -1 : 1;
	if (a->minor != b->minor)
		return a->minor > b->minor ? -1 : 1;
	return a->i < b->i ? -1 : a->i > b->i;
}

static Ranked
rank_item(const PlacePart *p, int order, uint32_t i)
{
	int64_t size = p->size[i], width = p->hi[i] - p->lo[i], most = 0;
	Ranked r = {size, width, i};
	switch (order) {
	case BY_AREA:
		r.major = size > INT64_MAX / width ? INT64_MAX : size * width;
		break;
	case BY_LIFETIME:
		r = (Ranked){width, size, i};
		break;
	case BY_START:
		r = (Ranked){-p->lo[i], size, i};
		break;
	case BY_CONTENTION:
		for (int32_t s = p->lo[i]; s < p->hi[i]; s++)
			most = max64(most, p->load[s]);
		r = (Ranked){most, size, i};
		break;
	}
	return r;
}

/* Where item i goes among `n` placed items in the order of their offsets. */
static int64_t
find_gap(const PlacePart *p, const Placed *placed, size_t n, uint32_t i,
	bool best_fit)
{
	int32_t lo = p->lo[i], hi = p->hi[i];
	int64_t size = p->size[i], align = p->align[i];
	int64_t top = 0, best = -1, best_gap = INT64_MAX;
	for (size_t k = 0; k < n; k++) {
		const Placed *q = &placed[k];
		if (q->lo >= hi || q->hi <= lo)
			continue;
		int64_t at = align == 1 ? top : round_up(top, align);
		int64_t gap = q->at - at;
		if (gap >= size && gap < best_gap) {
			best = at, best_gap = gap;
			if (!best_fit)
				return at;
		}
		top = max64(top, q->top);
	}
	return best >= 0 ? best : round_up(top, align);
}

/* Index of the first placed item above `at`. */
static size_t
find_rank(const Placed *placed, size_t n, int64_t at)
{
	size_t a = 0, b = n;
	while (a < b) {
		size_t m = (a + b) / 2;
		if (placed[m].at <= at)
			a = m + 1;
		else
			b = m;
	}
	return a;
}

/* Offsets for the items in the given order; false when they reach `limit`. */
static bool
fit_all(const PlacePart *p, const Ranked *order, bool best_fit, int64_t limit,
	Placed *placed, int64_t *at, int64_t *height)
{
	*height = 0;
	for (size_t k = 0; k < p->n; k++) {
		uint32_t i = order[k].i;
		int64_t x = find_gap(p, placed, k, i, best_fit);
		int64_t top = x + p->size[i];
		if (top >= limit)
			return false;
		size_t r = find_rank(placed, k, x);
		memmove(placed + r + 1, placed + r, (k - r) * sizeof *placed);
		placed[r] = (Placed){p->lo[i], p->hi[i], x, top};
		at[i] = x;
		*height = max64(*height, top);
	}
	return true;
}

void
place_greedy(PlacePart *p, int64_t target)
{
	Arena arena = {0};
	Ranked *order = arena_array(&arena, p->n, sizeof *order);
	Placed *placed = arena_array(&arena, p->n, sizeof *placed);
	int64_t *at = arena_array(&arena, p->n, sizeof *at), height;
	p->height = INT64_MAX;
	for (int o = 0; o < 2 * ORDERS && p->height > target; o++) {
		for (uint32_t i = 0; i < p->n; i++)
			order[i] = rank_item(p, o / 2, i);
		qsort(order, p->n, sizeof *order, compare_ranked);
		if (fit_all(p, order, o % 2, p->height, placed, at, &height)) {
			p->height = height;
			memcpy(p->at, at, p->n * sizeof *at);
		}
	}
	arena_free(&arena);
}
