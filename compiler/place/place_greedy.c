/* place_greedy.c - the greedy rungs of the placement ladder.
 *
 * Items are placed one by one in some order, each into a gap between the items
 * that are placed already and live at the same time: the lowest gap that holds
 * it (first fit) or the smallest (best fit).  Which order is best differs from
 * graph to graph and an order costs milliseconds, so all are tried, as long as
 * that does not take too much time.
 */
#include "compiler/place/place_lanes.h"

#include <stdlib.h>
#include <string.h>

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

/* The largest load while each item lives: a tree of maxima over the sections,
 * leaves at m .. 2m-1. */
static int64_t *
find_contention(Arena *a, const PlacePart *p)
{
	size_t m = (size_t)p->sections;
	int64_t *tree = arena_array(a, 2 * m, sizeof *tree);
	int64_t *most = arena_array(a, p->n, sizeof *most);
	memcpy(tree + m, p->load, m * sizeof *tree);
	for (size_t k = m; k-- > 1;)
		tree[k] = max64(tree[2 * k], tree[2 * k + 1]);
	for (size_t i = 0; i < p->n; i++) {
		size_t lo = m + (size_t)p->lo[i], hi = m + (size_t)p->hi[i];
		for (; lo < hi; lo /= 2, hi /= 2) {
			if (lo % 2)
				most[i] = max64(most[i], tree[lo++]);
			if (hi % 2)
				most[i] = max64(most[i], tree[--hi]);
		}
	}
	return most;
}

static Ranked
rank_item(const PlacePart *p, int order, const int64_t *contention, uint32_t i)
{
	int64_t size = p->size[i], width = p->life[i];
	switch (order) {
	case BY_AREA:
		return (Ranked){size > INT64_MAX / width ? INT64_MAX
			: size * width, width, i};
	case BY_LIFETIME:
		return (Ranked){width, size, i};
	case BY_START:
		return (Ranked){-p->lo[i], size, i};
	case BY_CONTENTION:
		return (Ranked){contention[i], size, i};
	default:
		return (Ranked){size, width, i};
	}
}

/* ---- fitting ---- */

/* From MANY items on a pass may take too long: there is a placement before it.
 * STRIDE items take about as long as a node of a search. */
enum { MANY = 4096, STRIDE = 16 };
/* No further order at first after so many looks at a placed item. */
static const int64_t MOST_LOOKS = 100000000;

typedef struct Fit {
	PlacePart *part;
	const PlacePart *core;  /* or NULL */
	bool *fixed;            /* items of the core */
	Lanes lanes;
	int64_t *at;            /* of this pass */
	Ranked *order;
	int64_t *contention;
	int64_t target;
	int64_t looks;          /* that end a pass */
	bool counted;           /* passes take nodes of the limit */
	PlaceLimit *limit;
} Fit;

static void
fit_open(Fit *f, Arena *a)
{
	const PlacePart *p = f->part;
	f->order = arena_array(a, p->n, sizeof *f->order);
	f->at = arena_array(a, p->n, sizeof *f->at);
	f->fixed = arena_array(a, p->n, sizeof *f->fixed);
	for (size_t k = 0; f->core && k < f->core->n; k++)
		f->fixed[f->core->item[k]] = true;
	f->contention = find_contention(a, p);
	lanes_open(&f->lanes, p);
}

/* Whether a pass is to be given up. */
static bool
fit_ends(Fit *f, size_t k)
{
	if (f->part->height == INT64_MAX)
		return false;
	if (f->lanes.looks > f->looks)
		return true;
	if (k % STRIDE)
		return false;
	if (f->counted && !place_spend(f->limit, 1))
		return true;
	return f->limit->timed && now_seconds() > f->limit->end;
}

/* Puts the items of the core where they lie in it; returns its height. */
static int64_t
fit_core(Fit *f)
{
	const PlacePart *core = f->core;
	lanes_clear(&f->lanes);
	for (size_t k = 0; core && k < core->n; k++) {
		f->at[core->item[k]] = core->at[k];
		lanes_put(&f->lanes, core->item[k], core->at[k]);
	}
	return core ? core->height : 0;
}

/* Offsets for the first n items of f->order; the part takes them when they are
 * lower than what it has. */
static void
fit_all(Fit *f, size_t n, bool best_fit)
{
	PlacePart *p = f->part;
	int64_t height = fit_core(f);
	for (size_t k = 0; k < n; k++) {
		uint32_t i = f->order[k].i;
		if (fit_ends(f, k))
			return;
		f->at[i] = lanes_gap(&f->lanes, i, best_fit);
		height = max64(height, f->at[i] + p->size[i]);
		if (height >= p->height)
			return;
		lanes_put(&f->lanes, i, f->at[i]);
	}
	p->height = height;
	memcpy(p->at, f->at, p->n * sizeof *f->at);
}

/* The passes that come after the first `done` ones; returns how many are done
 * then. */
static int
fit_orders(Fit *f, int done)
{
	Arena arena = {0};
	const PlacePart *p = f->part;
	fit_open(f, &arena);
	for (; done < 2 * ORDERS && p->height > f->target; done++) {
		int order = (p->first + done) % (2 * ORDERS);
		size_t n = 0;
		if (fit_ends(f, 0))
			break;
		for (uint32_t i = 0; i < p->n; i++)
			if (!f->fixed[i])
				f->order[n++] = rank_item(p, order % ORDERS,
					f->contention, i);
		qsort(f->order, n, sizeof *f->order, compare_ranked);
		fit_all(f, n, order / ORDERS);
	}
	lanes_close(&f->lanes);
	arena_free(&arena);
	return done;
}

void
place_greedy(PlacePart *p, int64_t target, const PlaceLimit *limit)
{
	PlaceLimit own = *limit;
	p->height = INT64_MAX;
	if (p->n >= MANY)
		place_sweep(p);
	p->orders = fit_orders(&(Fit){.part = p, .target = target,
		.looks = MOST_LOOKS, .limit = &own}, 0);
}

void
place_greedy_rest(PlacePart *p, int64_t target, PlaceLimit *limit)
{
	p->orders = fit_orders(&(Fit){.part = p, .target = target,
		.looks = INT64_MAX, .counted = true, .limit = limit},
		p->orders);
}

void
place_around(PlacePart *p, const PlacePart *core, int64_t target,
	PlaceLimit *limit)
{
	fit_orders(&(Fit){.part = p, .core = core, .target = target,
		.looks = INT64_MAX, .counted = true, .limit = limit}, 0);
}
