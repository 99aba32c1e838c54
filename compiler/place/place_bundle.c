/* place_bundle.c - items of one lifetime as a single item.
 *
 * The weights that a loop keeps all live equally long: a pipeline of thousands
 * of items has half as many lifetimes.  Stacked into one item they cost the
 * search a single decision.  A placement of the bundles is one of the items;
 * the reverse does not hold, so that only the items themselves can prove that
 * there is none.
 */
#include "compiler/place/place_part.h"

#include <stdlib.h>

/* Fewer than one in so many saved are not worth a search of their own. */
enum { LEAST_SHARE = 8 };

typedef struct Lifetime {
	int32_t lo, hi;
	int64_t life;
	uint32_t i;
} Lifetime;

static int
compare_lifetimes(const void *pa, const void *pb)
{
	const Lifetime *a = pa, *b = pb;
	if (a->lo != b->lo)
		return a->lo < b->lo ? -1 : 1;
	if (a->hi != b->hi)
		return a->hi < b->hi ? -1 : 1;
	if (a->life != b->life)
		return a->life > b->life ? -1 : 1;
	return a->i < b->i ? -1 : a->i > b->i;
}

/* The items by lifetime, in the arena; NULL when few have the same or when
 * gaps for alignment would open between them. */
static Lifetime *
list_lifetimes(Arena *a, const PlacePart *p)
{
	Lifetime *t = arena_array(a, p->n, sizeof *t);
	for (uint32_t i = 0; i < p->n; i++) {
		if (p->align[i] > 1)
			return NULL;
		t[i] = (Lifetime){p->lo[i], p->hi[i], p->life[i], i};
	}
	qsort(t, p->n, sizeof *t, compare_lifetimes);
	size_t same = 0;
	for (size_t k = 1; k < p->n; k++)
		same += t[k].lo == t[k - 1].lo && t[k].hi == t[k - 1].hi;
	return same >= p->n / LEAST_SHARE + 1 ? t : NULL;
}

bool
place_bundle(Arena *a, const PlacePart *p, PlaceBundles *b)
{
	const Lifetime *t = list_lifetimes(a, p);
	if (!t)
		return false;
	PlacePart *q = &b->part;
	place_part_alloc(a, q, p->n, p->sections);
	b->of = arena_array(a, p->n, sizeof *b->of);
	b->above = arena_array(a, p->n, sizeof *b->above);
	uint32_t n = 0;
	for (size_t k = 0; k < p->n; k++) {
		uint32_t i = t[k].i;
		if (!k || t[k].lo != t[k - 1].lo || t[k].hi != t[k - 1].hi) {
			q->lo[n] = t[k].lo, q->hi[n] = t[k].hi;
			q->align[n++] = 1;
		}
		b->of[i] = n - 1;
		q->life[n - 1] = max64(q->life[n - 1], p->life[i]);
		b->above[i] = q->size[n - 1];
		q->size[n - 1] += p->size[i];
	}
	q->n = n, q->first = p->first;
	place_part_measure(q);
	return true;
}

void
place_unbundle(PlacePart *p, const PlaceBundles *b)
{
	p->height = b->part.height;
	for (size_t i = 0; i < p->n; i++)
		p->at[i] = b->part.at[b->of[i]] + b->above[i];
}
