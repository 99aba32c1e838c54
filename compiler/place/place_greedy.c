/* place_greedy.c - the greedy rungs of the placement ladder.
 *
 * Items are placed one by one in some order, each into a gap between the items
 * that are placed already and live at the same time: the lowest gap that holds
 * it (first fit) or the smallest (best fit).  Which order is best differs from
 * graph to graph and an order costs milliseconds, so all are tried, as long as
 * that does not take too much time.
 */
#include "compiler/place/place_part.h"

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

/* ---- the placed items ----
 * Lanes list placed items in the order of their offsets.  Two rows of windows,
 * of which one is moved by half a window, cover the sections: an item of at
 * most half a window lies inside a window of one of the rows, and needs to look
 * only at what was placed there and at the few items that span many windows. */

enum { WINDOWS = 64, SPAN = 3 };
/* No further order after so many looks at a placed item. */
static const int64_t MOST_LOOKS = 100000000;

typedef Vec(uint32_t) Lane;

typedef struct Lanes {
	const PlacePart *p;
	int64_t *at;            /* of the placed items */
	int32_t width;          /* sections of a window */
	int64_t looks;
	Lane all, wide, row[2][WINDOWS + 2];
} Lanes;

static void
lanes_clear(Lanes *l)
{
	l->all.n = l->wide.n = 0;
	for (int k = 0; k < WINDOWS + 2; k++)
		l->row[0][k].n = l->row[1][k].n = 0;
}

static void
lanes_free(Lanes *l)
{
	vec_free(&l->all);
	vec_free(&l->wide);
	for (int k = 0; k < WINDOWS + 2; k++) {
		vec_free(&l->row[0][k]);
		vec_free(&l->row[1][k]);
	}
}

/* The window of a row that has section s. */
static int32_t
window_of(const Lanes *l, int row, int32_t s)
{
	return (s + row * (l->width / 2)) / l->width;
}

/* Inserts item i behind those that are not above it. */
static void
lane_insert(const Lanes *l, Lane *v, uint32_t i)
{
	size_t a = 0, b = v->n;
	while (a < b) {
		size_t m = (a + b) / 2;
		if (l->at[v->at[m]] <= l->at[i])
			a = m + 1;
		else
			b = m;
	}
	(void)vec_push(v);
	memmove(v->at + a + 1, v->at + a, (v->n - 1 - a) * sizeof *v->at);
	v->at[a] = i;
}

static void
lanes_insert(Lanes *l, uint32_t i)
{
	int32_t lo = l->p->lo[i], hi = l->p->hi[i];
	lane_insert(l, &l->all, i);
	if (hi - lo > SPAN * l->width) {
		lane_insert(l, &l->wide, i);
		return;
	}
	for (int r = 0; r < 2; r++)
		for (int32_t w = window_of(l, r, lo);
			w <= window_of(l, r, hi - 1); w++)
			lane_insert(l, &l->row[r][w], i);
}

/* ---- fitting ---- */

/* The gaps that open for an item while the placed ones pass upwards. */
typedef struct Gaps {
	int64_t top;            /* of those that passed */
	int64_t best, least;    /* offset (-1: none) and size of the best gap */
} Gaps;

/* Item j passes; true when its gap will do. */
static bool
gaps_pass(const Lanes *l, Gaps *g, uint32_t i, uint32_t j, bool best_fit)
{
	const PlacePart *p = l->p;
	if (p->lo[j] >= p->hi[i] || p->hi[j] <= p->lo[i])
		return false;
	int64_t align = p->align[i];
	int64_t at = align == 1 ? g->top : round_up(g->top, align);
	int64_t gap = l->at[j] - at;
	g->top = max64(g->top, l->at[j] + p->size[j]);
	if (gap < p->size[i] || gap >= g->least)
		return false;
	g->best = at, g->least = gap;
	return !best_fit;
}

/* Where item i goes among the placed ones. */
static int64_t
find_gap(Lanes *l, uint32_t i, bool best_fit)
{
	static const Lane none;
	const PlacePart *p = l->p;
	const Lane *a = &l->all, *b = &none;
	for (int r = 0; r < 2; r++) {
		int32_t w = window_of(l, r, p->lo[i]);
		if (w == window_of(l, r, p->hi[i] - 1))
			a = &l->row[r][w], b = &l->wide;
	}
	Gaps g = {0, -1, INT64_MAX};
	size_t m = 0, n = 0;
	while (m < a->n || n < b->n) {
		bool first = n == b->n || (m < a->n
			&& l->at[a->at[m]] <= l->at[b->at[n]]);
		uint32_t j = first ? a->at[m++] : b->at[n++];
		if (gaps_pass(l, &g, i, j, best_fit))
			break;
	}
	l->looks += (int64_t)(m + n);
	return g.best >= 0 ? g.best : round_up(g.top, p->align[i]);
}

/* Offsets for the items in the given order; false when they reach `limit`. */
static bool
fit_all(Lanes *l, const Ranked *order, bool best_fit, int64_t limit,
	int64_t *height)
{
	*height = 0;
	lanes_clear(l);
	for (size_t k = 0; k < l->p->n; k++) {
		uint32_t i = order[k].i;
		l->at[i] = find_gap(l, i, best_fit);
		int64_t top = l->at[i] + l->p->size[i];
		if (top >= limit)
			return false;
		lanes_insert(l, i);
		*height = max64(*height, top);
	}
	return true;
}

void
place_greedy(PlacePart *p, int64_t target)
{
	Arena arena = {0};
	Ranked *order = arena_array(&arena, p->n, sizeof *order);
	int64_t height;
	Lanes l = {.p = p, .width = p->sections / WINDOWS + 1,
		.at = arena_array(&arena, p->n, sizeof *l.at)};
	p->height = INT64_MAX;
	for (int o = 0; o < 2 * ORDERS && p->height > target
		&& l.looks < MOST_LOOKS; o++) {
		for (uint32_t i = 0; i < p->n; i++)
			order[i] = rank_item(p, o % ORDERS, i);
		qsort(order, p->n, sizeof *order, compare_ranked);
		if (fit_all(&l, order, o / ORDERS, p->height, &height)) {
			p->height = height;
			memcpy(p->at, l.at, p->n * sizeof *l.at);
		}
	}
	lanes_free(&l);
	arena_free(&arena);
}
