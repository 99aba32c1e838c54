/* place_cuts.h - instances of placement whose lowest height is known: a
 * rectangle of time and addresses is cut into pieces without waste, so that
 * the pieces fit into it again, and their load is its height everywhere.
 *
 * Guillotine cuts halve a piece from edge to edge; pinwheels part it into four
 * arms around a middle, which no sequence of guillotine cuts does.
 */
#ifndef SLUICE_PLACE_CUTS_H
#define SLUICE_PLACE_CUTS_H

#include "ir/base/base.h"
#include "compiler/compiler.h"
#include "compiler/place/place.h"

typedef struct CutOptions {
	size_t count;           /* pieces; fewer when they get too small */
	uint64_t seed;
	int64_t side;           /* of the square, in steps of the grid */
	int64_t step;           /* of the grid */
	int pinwheels;          /* percent of the cuts */
	int holes;              /* percent of the pieces that are left out */
	bool even;              /* cut large pieces near their middle, instead
	                           of any piece anywhere */
} CutOptions;

/* splitmix64: the same numbers on every machine. */
static inline uint64_t
cut_random(uint64_t *state)
{
	uint64_t x = *state += 0x9E3779B97F4A7C15u;
	x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
	x = (x ^ x >> 27) * 0x94D049BB133111EBu;
	return x ^ x >> 31;
}

/* An integer in lo .. hi. */
static inline int64_t
cut_between(uint64_t *state, int64_t lo, int64_t hi)
{
	return lo + (int64_t)(cut_random(state) % (uint64_t)(hi - lo + 1));
}

/* Where to cut an edge of `n` steps into `parts` (2 or 3) pieces. */
static inline void
cut_edge(uint64_t *state, const CutOptions *o, int64_t n, int parts,
	int64_t *at)
{
	int64_t slack = o->even ? max64(1, n / (3 * parts)) : n;
	int64_t begin = 0;
	for (int k = 0; k + 1 < parts; k++) {
		int64_t middle = n * (k + 1) / parts;
		int64_t lo = max64(begin + 1, middle - slack);
		int64_t hi = min64(n - (parts - 1 - k), middle + slack);
		begin = at[k] = cut_between(state, lo < hi ? lo : hi, hi);
	}
}

typedef struct CutPieces { PlaceItem *at; size_t n; } CutPieces;

/* A piece of x0 .. x1 and y0 .. y1, relative to piece `a`. */
static inline PlaceItem
cut_part(const PlaceItem *a, int64_t x0, int64_t x1, int64_t y0, int64_t y1)
{
	return (PlaceItem){a->first + x0, a->first + x1, y1 - y0, 1,
		a->offset + y0};
}

/* Cuts piece k, if it is large enough; false if not. */
static inline bool
cut_piece(CutPieces *p, size_t k, uint64_t *state, const CutOptions *o)
{
	PlaceItem a = p->at[k];
	int64_t w = a.last - a.first, h = a.bytes, x[2], y[2];
	if (cut_between(state, 0, 99) < o->pinwheels && w >= 3 && h >= 3
		&& p->n + 4 <= o->count) {
		cut_edge(state, o, w, 3, x);
		cut_edge(state, o, h, 3, y);
		p->at[k] = cut_part(&a, x[0], x[1], y[0], y[1]);
		p->at[p->n++] = cut_part(&a, 0, x[1], 0, y[0]);
		p->at[p->n++] = cut_part(&a, x[1], w, 0, y[1]);
		p->at[p->n++] = cut_part(&a, x[0], w, y[1], h);
		p->at[p->n++] = cut_part(&a, 0, x[0], y[0], h);
		return true;
	}
	bool upright = o->even ? w > h : cut_between(state, 0, 1);
	if ((upright ? w : h) < 2)
		upright = !upright;
	if ((upright ? w : h) < 2)
		return false;
	cut_edge(state, o, upright ? w : h, 2, x);
	p->at[k] = upright ? cut_part(&a, 0, x[0], 0, h)
		: cut_part(&a, 0, w, 0, x[0]);
	p->at[p->n++] = upright ? cut_part(&a, x[0], w, 0, h)
		: cut_part(&a, 0, w, x[0], h);
	return true;
}

/* The piece to cut next: the largest of a few drawn ones when `even`, so that
 * the count of steps stays linear. */
static inline size_t
cut_choose(const CutPieces *p, uint64_t *state, const CutOptions *o)
{
	size_t best = (size_t)cut_between(state, 0, (int64_t)p->n - 1);
	int64_t most = 0;
	for (int k = 0; k < (o->even ? 32 : 3); k++) {
		size_t i = (size_t)cut_between(state, 0, (int64_t)p->n - 1);
		const PlaceItem *a = &p->at[i];
		int64_t area = (a->last - a->first) * a->bytes;
		if (area > most)
			most = area, best = i;
	}
	return best;
}

/* Fills `items` (room for o->count) in a random order, with offsets at which
 * they fit into the height side * step; returns their number. */
static inline size_t
cut_instance(PlaceItem *items, const CutOptions *o)
{
	uint64_t state = o->seed;
	CutPieces p = {items, 1};
	items[0] = (PlaceItem){0, o->side, o->side, 1, 0};
	for (size_t tries = 0; p.n < o->count && tries < 8 * o->count; tries++)
		cut_piece(&p, cut_choose(&p, &state, o), &state, o);
	for (size_t k = p.n; k-- > 1;) {
		size_t j = (size_t)cut_between(&state, 0, (int64_t)k);
		PlaceItem t = items[k];
		items[k] = items[j], items[j] = t;
	}
	size_t n = p.n - p.n * (size_t)o->holes / 100;
	for (size_t k = 0; k < n; k++) {
		items[k].first *= o->step, items[k].last *= o->step;
		items[k].bytes *= o->step, items[k].offset *= o->step;
	}
	return n;
}

#endif
