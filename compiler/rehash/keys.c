/* keys.c - the steps that call the model: the smallest sum of costs, by dynamic
 * programming.  A state is the last key and how far behind it the one before is:
 * a segment's cost needs both.
 */
#include "compiler/rehash/fit.h"

#include <math.h>

enum { GAP = 5, WIDE_GAP = 8, WIDE_BELOW = 10 };

/* The best way to a state. */
typedef struct Way {
	double cost;            /* infinite: there is none */
	int64_t back;           /* `back` of the state before */
} Way;

typedef struct Search {
	const Runs *runs;
	int64_t gap, keys;
	/* [steps, gap + 1, gap + 1]: cost of a segment to q + ahead from key q,
	   the key before it `back` steps behind (0: there is none) */
	double *cost;
	Way *way;               /* [keys, steps, gap + 1] */
} Search;

int64_t
keys_gap(int64_t runs)
{
	return runs < WIDE_BELOW ? WIDE_GAP : GAP;
}

static double *
cost_at(const Search *s, int64_t q, int64_t back, int64_t ahead)
{
	return &s->cost[(q * (s->gap + 1) + back) * (s->gap + 1) + ahead];
}

static Way *
way_at(const Search *s, int64_t i, int64_t q, int64_t back)
{
	return &s->way[(i * s->runs->steps + q) * (s->gap + 1) + back];
}

static bool
fill_costs(Search *s)
{
	for (int64_t q = 0; q < s->runs->steps; q++) {
		int64_t least = q > 0, most = min64(q, s->gap);
		for (int64_t back = least; back <= most; back++)
			for (int64_t ahead = 1; ahead <= s->gap
				&& q + ahead <= s->runs->steps; ahead++) {
				Segment g;
				if (!segment_fit(s->runs, back ? q - back : -1, q,
					q + ahead, &g))
					return false;
				*cost_at(s, q, back, ahead) = g.cost;
			}
	}
	return true;
}

/* Ways from key i at q to the next one. */
static void
extend(Search *s, int64_t i, int64_t q, int64_t back)
{
	double cost = way_at(s, i, q, back)->cost;
	if (isinf(cost))
		return;
	for (int64_t ahead = 1; ahead <= s->gap && q + ahead < s->runs->steps;
		ahead++) {
		double sum = cost + *cost_at(s, q, back, ahead);
		Way *w = way_at(s, i + 1, q + ahead, ahead);
		if (sum < w->cost)
			*w = (Way){sum, back};
	}
}

/* The last key, with the segment to the end, and back from it. */
static void
trace_back(const Search *s, int64_t *key)
{
	double best = INFINITY;
	int64_t q = 0, back = 0, last = s->keys - 1, steps = s->runs->steps;
	for (int64_t i = max64(0, steps - s->gap); i < steps; i++)
		for (int64_t b = 0; b <= s->gap; b++) {
			double sum = way_at(s, last, i, b)->cost
				+ *cost_at(s, i, b, steps - i);
			if (sum < best) {
				best = sum;
				q = i;
				back = b;
			}
		}
	for (int64_t i = last; i >= 0; i--) {
		int64_t before = way_at(s, i, q, back)->back;
		key[i] = q;
		q -= back;
		back = before;
	}
}

bool
keys_choose(Arena *a, const Runs *r, int64_t runs, int64_t *key)
{
	Search s = {.runs = r, .gap = keys_gap(runs), .keys = runs};
	size_t side = (size_t)s.gap + 1, steps = (size_t)r->steps;
	size_t ways = (size_t)runs * steps * side;
	s.cost = arena_array(a, steps * side * side, sizeof *s.cost);
	s.way = arena_array(a, ways, sizeof *s.way);
	for (size_t i = 0; i < ways; i++)
		s.way[i].cost = INFINITY;
	if (!fill_costs(&s))
		return false;
	way_at(&s, 0, 0, 0)->cost = 0;
	for (int64_t i = 0; i + 1 < runs; i++)
		for (int64_t q = 0; q < r->steps; q++)
			for (int64_t back = 0; back <= s.gap; back++)
				extend(&s, i, q, back);
	trace_back(&s, key);
	return true;
}
