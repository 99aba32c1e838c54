/* place_search.c - complete search for a placement of a given height.
 *
 * The placement is built upwards.  floor[s] is the lowest offset that any
 * unplaced item of section s can still have; rest[s] is the sum of their sizes,
 * so floor[s] + rest[s] <= capacity must hold.  A valley is a run of sections
 * with equal floors between higher ones.  An item that covers section s of a
 * valley and sticks out of it lies higher than the valley's floor; so at that
 * offset s holds one of the items inside the valley that cover it, or nothing.
 * These are the branches, and the section with the fewest of them is taken: a
 * section without slack beside a wall mostly has one or two.  The branches
 * exclude each other and every item rests on something, so that no placement
 * is met twice.  Parts that no unplaced item joins are searched one by one.
 */
#include "place.h"

#include <string.h>

typedef struct Undo {
	int32_t section;
	int64_t floor, top;
} Undo;

typedef struct Search {
	const PlacePart *p;
	int64_t capacity;
	int flavour;
	int64_t nodes;          /* left of this call's budget */
	PlaceLimit *limit;
	bool stopped;
	int64_t *floor;         /* see above */
	int64_t *top;           /* of the placed items */
	int64_t *rest;          /* sizes of the unplaced items */
	int32_t *cross;         /* unplaced items in both s-1 and s */
	int64_t *low;           /* lowest offset of an unplaced item */
	int64_t *next;          /* the second lowest different one */
	int32_t *count;         /* unplaced items that can lie at floor[s] */
	uint32_t *open;         /* unplaced items; those of a part together */
	int64_t *bottom;        /* (items): lowest offset */
	int64_t *at;            /* (items): offset */
	Vec(Undo) undo;
	Vec(uint32_t) branches;
} Search;

static bool solve(Search *z, int32_t a, int32_t b, uint32_t *open, size_t n);

static void
set_floor(Search *z, int32_t s, int64_t floor, int64_t top)
{
	*vec_push(&z->undo) = (Undo){s, z->floor[s], z->top[s]};
	z->floor[s] = floor, z->top[s] = top;
}

static void
undo_to(Search *z, size_t mark)
{
	while (z->undo.n > mark) {
		Undo u = z->undo.at[--z->undo.n];
		z->floor[u.section] = u.floor, z->top[u.section] = u.top;
	}
}

static void
put(Search *z, uint32_t i, int64_t at)
{
	const PlacePart *p = z->p;
	z->at[i] = at;
	for (int32_t s = p->lo[i]; s < p->hi[i]; s++) {
		set_floor(z, s, at + p->size[i], at + p->size[i]);
		z->rest[s] -= p->size[i];
		z->cross[s] -= s > p->lo[i];
	}
}

static void
take(Search *z, uint32_t i)
{
	const PlacePart *p = z->p;
	for (int32_t s = p->lo[i]; s < p->hi[i]; s++) {
		z->rest[s] += p->size[i];
		z->cross[s] += s > p->lo[i];
	}
}

/* Raises the floors of sections a .. b-1 to what their items can reach; false
 * when one is then too full. */
static bool
infer(Search *z, int32_t a, int32_t b, const uint32_t *open, size_t n)
{
	const PlacePart *p = z->p;
	for (int32_t s = a; s < b; s++)
		z->low[s] = z->next[s] = INT64_MAX;
	for (size_t k = 0; k < n; k++) {
		uint32_t i = open[k];
		int64_t bottom = 0;
		for (int32_t s = p->lo[i]; s < p->hi[i]; s++)
			bottom = max64(bottom, z->floor[s]);
		bottom = round_up(bottom, p->align[i]);
		z->bottom[i] = bottom;
		for (int32_t s = p->lo[i]; s < p->hi[i]; s++)
			z->low[s] = min64(z->low[s], bottom);
	}
	for (int32_t s = a; s < b; s++) {
		if (!z->rest[s])
			continue;
		if (z->low[s] > z->floor[s])
			set_floor(z, s, z->low[s], z->top[s]);
		if (z->floor[s] + z->rest[s] > z->capacity)
			return false;
	}
	return true;
}

/* Whether item i, put at its bottom, rests on a placed item or on 0. */
static bool
rests(const Search *z, uint32_t i)
{
	const PlacePart *p = z->p;
	int64_t top = 0;
	for (int32_t s = p->lo[i]; s < p->hi[i]; s++)
		top = max64(top, z->top[s]);
	return z->bottom[i] - top < p->align[i];
}

/* The lowest offset above `floor` that an item of section s could have if
 * nothing lies there at `floor`. */
static int64_t
step_up(const Search *z, int32_t s, int64_t floor, const uint32_t *open,
	size_t n)
{
	const PlacePart *p = z->p;
	int64_t high = INT64_MAX;
	for (size_t k = 0; k < n; k++) {
		uint32_t i = open[k];
		if (s < p->lo[i] || s >= p->hi[i])
			continue;
		if (z->bottom[i] > floor) {
			high = min64(high, z->bottom[i]);
			continue;
		}
		for (size_t m = 0; m < n; m++) {
			uint32_t j = open[m];
			if (p->lo[j] < p->hi[i] && p->hi[j] > p->lo[i]
				&& (s < p->lo[j] || s >= p->hi[j]))
				high = min64(high, round_up(z->bottom[j]
					+ p->size[j], p->align[i]));
		}
	}
	return high;
}

/* The section of a valley in a .. b-1 with the fewest branches. */
static int32_t
choose(Search *z, int32_t a, int32_t b, const uint32_t *open, size_t n)
{
	const PlacePart *p = z->p;
	memset(z->count + a, 0, (size_t)(b - a) * sizeof *z->count);
	for (size_t k = 0; k < n; k++) {
		uint32_t i = open[k];
		for (int32_t s = p->lo[i]; s < p->hi[i]; s++)
			z->count[s] += z->bottom[i] == z->floor[s];
	}
	int32_t best = a;
	int64_t best_score = INT64_MAX;
	for (int32_t s = a; s < b;) {
		int32_t e = s + 1;
		int64_t h = z->floor[s];
		while (e < b && z->floor[e] == h)
			e++;
		if ((s == a || z->floor[s - 1] > h) && (e == b || z->floor[e] > h))
			for (int32_t t = s; t < e; t++) {
				int64_t slack = z->capacity - h - z->rest[t];
				int64_t score = z->count[t] * 2 + (slack > 0);
				if (score < best_score)
					best = t, best_score = score;
			}
		s = e;
	}
	return best;
}

static int64_t
rank(const Search *z, uint32_t i)
{
	const PlacePart *p = z->p;
	int64_t w = p->hi[i] - p->lo[i];
	switch (z->flavour) {
	case 0: return w * p->size[i];
	case 1: return w;
	case 2: return p->size[i];
	default: return -p->lo[i];
	}
}

/* Tries the branches of section s. */
static bool
branch(Search *z, int32_t a, int32_t b, uint32_t *open, size_t n, int32_t s)
{
	const PlacePart *p = z->p;
	size_t first = z->branches.n, mark = z->undo.n;
	int64_t floor = z->floor[s];
	for (size_t k = 0; k < n; k++) {
		uint32_t i = open[k];
		if (s < p->lo[i] || s >= p->hi[i] || z->bottom[i] != floor
			|| !rests(z, i))
			continue;
		*vec_push(&z->branches) = i;
		size_t m = z->branches.n - 1;
		for (; m > first && rank(z, z->branches.at[m - 1]) < rank(z, i);
			m--)
			z->branches.at[m] = z->branches.at[m - 1];
		z->branches.at[m] = i;
	}
	int64_t high = step_up(z, s, floor, open, n);
	size_t last = z->branches.n;
	bool found = false;
	for (size_t k = first; k < last && !found && !z->stopped; k++) {
		uint32_t i = z->branches.at[k];
		size_t m = 0;
		while (open[m] != i)
			m++;
		open[m] = open[n - 1];
		put(z, i, floor);
		found = solve(z, a, b, open, n - 1);
		open[n - 1] = i;        /* the others are in another order */
		if (found)
			break;
		take(z, i);
		undo_to(z, mark);
	}
	z->branches.n = first;
	if (found)
		return true;
	if (!z->stopped && high != INT64_MAX
		&& high + z->rest[s] <= z->capacity) {
		set_floor(z, s, high, z->top[s]);
		if (solve(z, a, b, open, n))
			return true;
		undo_to(z, mark);
	}
	return false;
}

static bool
spend(Search *z)
{
	PlaceLimit *l = z->limit;
	if (z->nodes-- <= 0 || l->nodes <= 0)
		z->stopped = true;
	l->nodes--, l->spent++;
	if (l->nodes <= 0 || (l->spent % 256 == 0 && now_seconds() > l->end))
		l->stopped = z->stopped = true;
	return !z->stopped;
}

/* Undoes the placements that succeeded for parts before one that failed. */
static void
take_all(Search *z, const uint32_t *open, size_t n)
{
	for (size_t k = 0; k < n; k++)
		take(z, open[k]);
}

/* Places the n items `open`, which live in sections a .. b-1. */
static bool
solve(Search *z, int32_t a, int32_t b, uint32_t *open, size_t n)
{
	const PlacePart *p = z->p;
	if (!n)
		return true;
	if (!spend(z))
		return false;
	size_t mark = z->undo.n;
	if (!infer(z, a, b, open, n)) {
		undo_to(z, mark);
		return false;
	}
	int32_t e = a + 1;
	while (e < b && z->cross[e])
		e++;
	if (e == b) {
		if (branch(z, a, b, open, n, choose(z, a, b, open, n)))
			return true;
		undo_to(z, mark);
		return false;
	}
	/* a .. e-1 is a part of its own */
	size_t left = 0;
	for (size_t k = 0; k < n; k++)
		if (p->lo[open[k]] < e) {
			uint32_t i = open[k];
			open[k] = open[left];
			open[left++] = i;
		}
	if (solve(z, a, e, open, left)) {
		if (solve(z, e, b, open + left, n - left))
			return true;
		take_all(z, open, left);
	}
	undo_to(z, mark);
	return false;
}

PlaceFound
place_search(PlacePart *p, int64_t capacity, int flavour, int64_t nodes,
	PlaceLimit *limit)
{
	Arena arena = {0};
	size_t m = (size_t)p->sections;
	Search z = {.p = p, .capacity = capacity, .flavour = flavour,
		.nodes = nodes, .limit = limit};
	z.floor = arena_array(&arena, m, sizeof *z.floor);
	z.top = arena_array(&arena, m, sizeof *z.top);
	z.rest = arena_array(&arena, m, sizeof *z.rest);
	z.cross = arena_array(&arena, m, sizeof *z.cross);
	z.low = arena_array(&arena, m, sizeof *z.low);
	z.next = arena_array(&arena, m, sizeof *z.next);
	z.count = arena_array(&arena, m, sizeof *z.count);
	z.open = arena_array(&arena, p->n, sizeof *z.open);
	z.bottom = arena_array(&arena, p->n, sizeof *z.bottom);
	z.at = arena_array(&arena, p->n, sizeof *z.at);
	for (uint32_t i = 0; i < p->n; i++) {
		z.open[i] = i;
		for (int32_t s = p->lo[i]; s < p->hi[i]; s++) {
			z.rest[s] += p->size[i];
			z.cross[s] += s > p->lo[i];
		}
	}
	bool found = solve(&z, 0, p->sections, z.open, p->n);
	if (found) {
		memcpy(p->at, z.at, p->n * sizeof *z.at);
		p->height = 0;
		for (size_t i = 0; i < p->n; i++)
			p->height = max64(p->height, p->at[i] + p->size[i]);
	}
	vec_free(&z.undo);
	vec_free(&z.branches);
	arena_free(&arena);
	return found ? PLACE_FOUND : z.stopped ? PLACE_STOPPED : PLACE_NONE;
}
