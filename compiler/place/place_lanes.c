/* place_lanes.c - finds gaps between the items that are placed already. */
#include "compiler/place/place_lanes.h"

#include <string.h>

/* Windows that an item may span before it is one of the wide ones. */
enum { SPAN = 3 };

void
lanes_open(Lanes *l, const PlacePart *part)
{
	*l = (Lanes){.part = part, .width = part->sections / PLACE_WINDOWS + 1};
}

void
lanes_clear(Lanes *l)
{
	l->all.n = l->wide.n = 0;
	for (int k = 0; k < PLACE_WINDOWS + 2; k++)
		l->row[0][k].n = l->row[1][k].n = 0;
}

void
lanes_close(Lanes *l)
{
	vec_free(&l->all);
	vec_free(&l->wide);
	for (int k = 0; k < PLACE_WINDOWS + 2; k++) {
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

/* Inserts an item behind those that are not above it. */
static void
lane_insert(Lane *v, const Placed *e)
{
	size_t a = 0, b = v->n;
	while (a < b) {
		size_t m = (a + b) / 2;
		if (v->at[m].at <= e->at)
			a = m + 1;
		else
			b = m;
	}
	(void)vec_push(v);
	memmove(v->at + a + 1, v->at + a, (v->n - 1 - a) * sizeof *v->at);
	v->at[a] = *e;
}

void
lanes_put(Lanes *l, uint32_t i, int64_t at)
{
	int32_t lo = l->part->lo[i], hi = l->part->hi[i];
	Placed e = {at, at + l->part->size[i], lo, hi, i};
	lane_insert(&l->all, &e);
	if (hi - lo > SPAN * l->width) {
		lane_insert(&l->wide, &e);
		return;
	}
	for (int r = 0; r < 2; r++)
		for (int32_t w = window_of(l, r, lo);
			w <= window_of(l, r, hi - 1); w++)
			lane_insert(&l->row[r][w], &e);
}

/* The gaps that open for an item while the placed ones pass upwards. */
typedef struct Gaps {
	int32_t lo, hi;         /* the item's life */
	int64_t size, align;
	bool best_fit;
	int64_t top;            /* of those that passed */
	int64_t best, least;    /* offset (-1: none) and size of the best gap */
} Gaps;

/* A placed item passes; true when its gap will do. */
static inline bool
gaps_pass(Gaps *g, const Placed *e)
{
	if (e->lo >= g->hi || e->hi <= g->lo)
		return false;
	int64_t top = g->top;
	g->top = max64(top, e->top);
	if (e->at - top < g->size)
		return false;
	int64_t at = g->align == 1 ? top : round_up(top, g->align);
	int64_t gap = e->at - at;
	if (gap < g->size || gap >= g->least)
		return false;
	g->best = at, g->least = gap;
	return !g->best_fit;
}

int64_t
lanes_gap(Lanes *l, uint32_t i, bool best_fit)
{
	static const Lane none;
	const PlacePart *p = l->part;
	const Lane *a = &l->all, *b = &none;
	for (int r = 0; r < 2; r++) {
		int32_t w = window_of(l, r, p->lo[i]);
		if (w == window_of(l, r, p->hi[i] - 1))
			a = &l->row[r][w], b = &l->wide;
	}
	Gaps g = {p->lo[i], p->hi[i], p->size[i], p->align[i], best_fit, 0,
		-1, INT64_MAX};
	size_t m = 0, n = 0;
	while (m < a->n || n < b->n) {
		bool first = n == b->n || (m < a->n
			&& a->at[m].at <= b->at[n].at);
		if (gaps_pass(&g, first ? &a->at[m++] : &b->at[n++]))
			break;
	}
	l->looks += (int64_t)(m + n);
	return g.best >= 0 ? g.best : round_up(g.top, p->align[i]);
}
