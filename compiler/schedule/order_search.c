/* order_search.c - the order engine (order.h).
 *
 * A node that is before or behind every other is a cut: what lives there does
 * not depend on the order, so the parts between cuts are searched on their own.
 * In a part, the states are the sets of finished nodes (downsets); the one with
 * the lowest peak so far is extended first, so the first way to reach the full
 * set is the best.  The models' parts are a handful of nodes wide.
 */
#include "compiler/schedule/order.h"

#include <stdlib.h>
#include <string.h>

enum {
	NODES_SEARCHED = 16384, /* beyond, sets of relatives get too large */
	NODES_BOUNDED = 4096,   /* the same for the bound of a wide part */
	PART_MAX = 64,          /* bits of a state */
};

/* ---- relatives ---- */

typedef struct Relatives {
	size_t words;
	uint64_t *before;       /* (n, words): bit j of row i: j must precede i */
	uint32_t *nbefore, *nbehind;
} Relatives;

static uint64_t *
row(const Relatives *r, uint32_t i)
{
	return r->before + (size_t)i * r->words;
}

static bool
precedes(const Relatives *r, uint32_t a, uint32_t b)
{
	return row(r, b)[a / 64] >> (a % 64) & 1;
}

static void
add_before(Relatives *r, uint32_t i, uint32_t j)
{
	for (size_t w = 0; w < r->words; w++)
		row(r, i)[w] |= row(r, j)[w];
	row(r, i)[j / 64] |= (uint64_t)1 << (j % 64);
}

static void
find_relatives(Arena *a, const OrderGraph *g, const uint32_t *order,
	Relatives *r)
{
	r->words = (g->n + 63) / 64;
	r->before = arena_array(a, g->n * r->words, sizeof *r->before);
	r->nbefore = arena_array(a, g->n, sizeof *r->nbefore);
	r->nbehind = arena_array(a, g->n, sizeof *r->nbehind);
	for (uint32_t k = 0; k < g->n; k++) {
		uint32_t i = order[k];
		const OrderNode *x = &g->node[i];
		for (uint32_t e = 0; e < x->nin; e++)
			add_before(r, i, g->in[x->first_in + e]);
		for (uint32_t e = 0; e < x->nafter; e++)
			add_before(r, i, g->after[x->first_after + e]);
		for (size_t w = 0; w < r->words; w++)
			for (uint64_t bits = row(r, i)[w]; bits; bits &= bits - 1) {
				r->nbefore[i]++;
				r->nbehind[64 * w
					+ (uint32_t)__builtin_ctzll(bits)]++;
			}
	}
}

/* ---- walking any order ---- */

typedef struct Walk {
	const OrderGraph *g;
	uint32_t *readers;      /* by node: that have not run */
	int64_t live;
} Walk;

static void
walk_start(Arena *a, const OrderGraph *g, Walk *w)
{
	*w = (Walk){.g = g};
	w->readers = arena_array(a, g->n, sizeof *w->readers);
	for (uint32_t i = 0; i < g->n; i++)
		for (uint32_t e = 0; e < g->node[i].nin; e++)
			w->readers[g->in[g->node[i].first_in + e]]++;
}

/* Readings of value j by node i. */
static uint32_t
readings(const OrderGraph *g, uint32_t i, uint32_t j)
{
	uint32_t n = 0;
	for (uint32_t e = 0; e < g->node[i].nin; e++)
		n += g->in[g->node[i].first_in + e] == j;
	return n;
}

/* Whether i's result stands in the place of a value that dies with it. */
static bool
takes_place(const Walk *w, uint32_t i)
{
	uint32_t j = w->g->node[i].inplace;
	return j != ORDER_NONE && !w->g->node[j].stays
		&& w->g->node[j].bytes == w->g->node[i].bytes
		&& w->readers[j] == readings(w->g, i, j);
}

/* Bytes while node i runs. */
static int64_t
walk_peak(const Walk *w, uint32_t i)
{
	const OrderNode *x = &w->g->node[i];
	return w->live + x->work + (takes_place(w, i) ? 0 : x->bytes);
}

static void
walk_run(Walk *w, uint32_t i)
{
	const OrderNode *x = &w->g->node[i];
	w->live += x->bytes;
	for (uint32_t e = 0; e < x->nin; e++) {
		uint32_t j = w->g->in[x->first_in + e];
		if (!--w->readers[j] && !w->g->node[j].stays)
			w->live -= w->g->node[j].bytes;
	}
	if (!w->readers[i] && !x->stays)
		w->live -= x->bytes;
}

int64_t
order_peak(const OrderGraph *g, const uint32_t *order)
{
	Arena a = {0};
	Walk w;
	int64_t peak = 0;
	walk_start(&a, g, &w);
	for (uint32_t k = 0; k < g->n; k++) {
		peak = max64(peak, walk_peak(&w, order[k]));
		walk_run(&w, order[k]);
	}
	arena_free(&a);
	return peak;
}

/* ---- a part ---- */

/* A value that is read or made in the part. */
typedef struct PartValue {
	int64_t bytes;
	uint64_t readers;       /* in the part */
	bool stays;             /* read behind the part */
} PartValue;

typedef struct Part {
	const OrderGraph *g;
	const Relatives *r;
	uint32_t n;
	uint32_t node[PART_MAX];
	uint64_t before[PART_MAX];
	PartValue made[PART_MAX];
	Vec(PartValue) outer;
	int place[PART_MAX];    /* value whose place the result may take: < n made
	                           here, else outer, -1 */
	int64_t base;           /* what lives all through */
	Walk *walk;             /* at the part's beginning */
} Part;

static int64_t
value_left(const PartValue *v, uint64_t done)
{
	return v->stays || (v->readers & ~done) ? v->bytes : 0;
}

/* Bytes that live when `made` have run, and `done` of them and of others read no
 * more. */
static int64_t
part_live(const Part *p, uint64_t made, uint64_t done)
{
	int64_t live = p->base;
	for (size_t i = 0; i < p->outer.n; i++)
		live += value_left(&p->outer.at[i], done);
	for (uint32_t i = 0; i < p->n; i++)
		if (made >> i & 1)
			live += value_left(&p->made[i], done);
	return live;
}

/* Bytes while node i runs. */
static int64_t
part_peak(const Part *p, uint64_t made, uint64_t done, uint32_t i)
{
	const OrderNode *x = &p->g->node[p->node[i]];
	int64_t peak = part_live(p, made, done) + x->work;
	if (p->place[i] < 0)
		return peak + x->bytes;
	const PartValue *v = p->place[i] < (int)p->n ? &p->made[p->place[i]]
		: &p->outer.at[p->place[i] - (int)p->n];
	bool dies = !v->stays && !(v->readers & ~done & ~((uint64_t)1 << i));
	return peak + (dies ? 0 : x->bytes);
}

/* A node's value: index as in `place`; outer ones are added. */
static int
part_value(Part *p, uint32_t *index, uint32_t node)
{
	if (index[node] != ORDER_NONE)
		return (int)index[node];
	index[node] = p->n + (uint32_t)p->outer.n;
	*vec_push(&p->outer) = (PartValue){p->g->node[node].bytes, 0, false};
	return (int)index[node];
}

static PartValue *
value_at(Part *p, int i)
{
	return i < (int)p->n ? &p->made[i] : &p->outer.at[i - (int)p->n];
}

/* `index`: by node, all ORDER_NONE; is left so. */
static void
part_fill(Part *p, const uint32_t *order, uint32_t n, uint32_t *index)
{
	const OrderGraph *g = p->g;
	p->n = n;
	p->outer.n = 0;
	for (uint32_t i = 0; i < n; i++) {
		p->node[i] = order[i];
		p->made[i] = (PartValue){g->node[order[i]].bytes, 0, false};
		index[order[i]] = i;
	}
	for (uint32_t i = 0; i < n; i++) {
		const OrderNode *x = &g->node[order[i]];
		p->before[i] = 0;
		for (uint32_t j = 0; j < n; j++)
			if (precedes(p->r, order[j], order[i]))
				p->before[i] |= (uint64_t)1 << j;
		for (uint32_t e = 0; e < x->nin; e++)
			value_at(p, part_value(p, index, g->in[x->first_in + e]))
				->readers |= (uint64_t)1 << i;
	}
	p->base = p->walk->live;
	for (uint32_t i = 0; i < n; i++) {
		const OrderNode *x = &g->node[order[i]];
		p->place[i] = x->inplace != ORDER_NONE
			&& readings(g, order[i], x->inplace)
			&& g->node[x->inplace].bytes == x->bytes
			? (int)index[x->inplace] : -1;
		for (uint32_t e = 0; e <= x->nin; e++) {
			uint32_t j = e < x->nin ? g->in[x->first_in + e] : order[i];
			if (index[j] == ORDER_NONE)
				continue;
			PartValue *v = value_at(p, (int)index[j]);
			uint32_t inside = 0;
			for (uint32_t k = 0; k < n; k++)
				if (v->readers >> k & 1)
					inside += readings(g, order[k], j);
			v->stays = g->node[j].stays || p->walk->readers[j] > inside;
		}
	}
	for (size_t i = 0; i < p->outer.n; i++)
		p->base -= p->outer.at[i].bytes;
	for (uint32_t i = 0; i < n; i++) {
		const OrderNode *x = &g->node[order[i]];
		for (uint32_t e = 0; e < x->nin; e++)
			index[g->in[x->first_in + e]] = ORDER_NONE;
	}
	for (uint32_t i = 0; i < n; i++)
		index[order[i]] = ORDER_NONE;
}

/* What must live while some node runs, whatever the order: what its ancestors
 * made and its descendants read.  And something runs last, when all that stays
 * is there. */
static int64_t
part_bound(const Part *p)
{
	uint64_t all = p->n == 64 ? UINT64_MAX : ((uint64_t)1 << p->n) - 1;
	int64_t bound = 0, last = INT64_MAX;
	for (uint32_t i = 0; i < p->n; i++) {
		uint64_t me = (uint64_t)1 << i, needed = me;
		for (uint32_t k = 0; k < p->n; k++)
			if (p->before[k] & me)
				needed |= (uint64_t)1 << k;
		bound = max64(bound, part_peak(p, p->before[i], all & ~needed,
			i));
		if (needed == me)
			last = min64(last, part_peak(p, all & ~me, all & ~me, i));
	}
	return max64(bound, last);
}

/* ---- greedy ---- */

/* The node that needs the fewest bytes next, then the one that leaves the
 * fewest. */
static int64_t
part_greedy(const Part *p, uint32_t *order)
{
	int64_t peak = 0;
	uint64_t done = 0;
	for (uint32_t k = 0; k < p->n; k++) {
		int64_t best = INT64_MAX, left = INT64_MAX;
		uint32_t take = 0;
		for (uint32_t i = 0; i < p->n; i++) {
			if ((done >> i & 1) || (p->before[i] & ~done))
				continue;
			int64_t now = max64(part_peak(p, done, done, i), peak);
			int64_t after = part_live(p, done | (uint64_t)1 << i,
				done | (uint64_t)1 << i);
			if (now < best || (now == best && after < left)) {
				best = now;
				left = after;
				take = i;
			}
		}
		peak = best;
		order[k] = take;
		done |= (uint64_t)1 << take;
	}
	return peak;
}

static int64_t
part_given(const Part *p)
{
	int64_t peak = 0;
	for (uint32_t i = 0; i < p->n; i++)
		peak = max64(peak, part_peak(p, ((uint64_t)1 << i) - 1,
			((uint64_t)1 << i) - 1, i));
	return peak;
}

/* ---- search ---- */

typedef struct State {
	uint64_t done;
	int64_t peak;           /* on the best way here */
	uint32_t from, by;      /* state it was reached from, node that ran */
	bool closed;
} State;

typedef struct Search {
	const Part *p;
	Vec(State) state;
	uint32_t *table;        /* open addressing: index + 1 */
	size_t mask;
	Vec(uint32_t) heap;     /* by peak, then more nodes done */
} Search;

static bool
sooner(const Search *s, uint32_t a, uint32_t b)
{
	const State *x = &s->state.at[a], *y = &s->state.at[b];
	if (x->peak != y->peak)
		return x->peak < y->peak;
	return __builtin_popcountll(x->done) > __builtin_popcountll(y->done);
}

static void
heap_push(Search *s, uint32_t x)
{
	size_t i = s->heap.n;
	*vec_push(&s->heap) = x;
	while (i && sooner(s, x, s->heap.at[(i - 1) / 2])) {
		s->heap.at[i] = s->heap.at[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	s->heap.at[i] = x;
}

static uint32_t
heap_pop(Search *s)
{
	uint32_t top = s->heap.at[0], x = s->heap.at[--s->heap.n];
	size_t i = 0, k;
	while ((k = 2 * i + 1) < s->heap.n) {
		if (k + 1 < s->heap.n
			&& sooner(s, s->heap.at[k + 1], s->heap.at[k]))
			k++;
		if (!sooner(s, s->heap.at[k], x))
			break;
		s->heap.at[i] = s->heap.at[k];
		i = k;
	}
	if (s->heap.n)
		s->heap.at[i] = x;
	return top;
}

/* The slot of a state, or the empty one where it belongs. */
static size_t
find_slot(const Search *s, uint64_t done)
{
	size_t at = (size_t)((done ^ done >> 29) * 0x9e3779b97f4a7c15u >> 20)
		& s->mask;
	while (s->table[at] && s->state.at[s->table[at] - 1].done != done)
		at = (at + 1) & s->mask;
	return at;
}

static void
reach(Search *s, uint64_t done, int64_t peak, uint32_t from, uint32_t by)
{
	size_t slot = find_slot(s, done);
	uint32_t at = s->table[slot];
	if (!at) {
		*vec_push(&s->state) = (State){done, peak, from, by, false};
		s->table[slot] = at = (uint32_t)s->state.n;
	} else if (s->state.at[at - 1].peak <= peak) {
		return;
	} else {
		s->state.at[at - 1] = (State){done, peak, from, by, false};
	}
	heap_push(s, at - 1);
}

/* Fills `order` when there is a way below `below`; *ended is false when the
 * budget of states ran out first.  Returns its peak, or `below`. */
static int64_t
part_search(const Part *p, int64_t below, int64_t budget, uint32_t *order,
	bool *ended, int64_t *states)
{
	Search s = {.p = p};
	uint64_t all = p->n == 64 ? UINT64_MAX : ((uint64_t)1 << p->n) - 1;
	s.mask = 1;
	while ((int64_t)s.mask < 4 * (budget + PART_MAX))
		s.mask *= 2;
	s.table = calloc(s.mask--, sizeof *s.table);
	if (!s.table)
		fatal(EXIT_MEMORY, "out of memory");
	int64_t peak = below;
	*ended = true;
	reach(&s, 0, 0, 0, 0);
	while (s.heap.n) {
		uint32_t at = heap_pop(&s);
		State x = s.state.at[at];
		if (x.closed)
			continue;
		s.state.at[at].closed = true;
		if (x.done == all) {
			peak = x.peak;
			for (uint32_t k = p->n; k--; at = s.state.at[at].from)
				order[k] = s.state.at[at].by;
			break;
		}
		if ((int64_t)s.state.n > budget) {
			*ended = false;
			break;
		}
		for (uint32_t i = 0; i < p->n; i++) {
			if ((x.done >> i & 1) || (p->before[i] & ~x.done))
				continue;
			int64_t now = max64(x.peak, part_peak(p, x.done, x.done,
				i));
			if (now < below)
				reach(&s, x.done | (uint64_t)1 << i, now, at, i);
		}
	}
	*states += (int64_t)s.state.n;
	vec_free(&s.state);
	vec_free(&s.heap);
	free(s.table);
	return peak;
}

/* ---- parts together ---- */

typedef struct Finder {
	const OrderGraph *g;
	Part part;
	Walk walk;
	uint32_t *index;        /* for part_fill */
	uint32_t *first_reader, *reader;        /* of each node's value */
	int64_t states;
	int64_t bound;          /* no order of all has a lower peak */
	OrderResult *result;
} Finder;

/* Improves order[0 .. n - 1], a part. */
static void
improve_part(Finder *f, uint32_t *order, uint32_t n)
{
	Part *p = &f->part;
	uint32_t best[PART_MAX], other[PART_MAX];
	part_fill(p, order, n, f->index);
	int64_t peak = part_given(p), bound = part_bound(p);
	for (uint32_t i = 0; i < n; i++)
		best[i] = i;
	if (peak > bound) {
		int64_t greedy = part_greedy(p, other);
		if (greedy < peak) {
			peak = greedy;
			memcpy(best, other, sizeof best);
		}
	}
	if (peak > bound) {
		bool ended;
		int64_t found = part_search(p, peak, f->states, other, &ended,
			&f->result->states);
		if (found < peak) {
			peak = found;
			memcpy(best, other, sizeof best);
		}
		if (ended)
			bound = peak;
	}
	for (uint32_t i = 0; i < n; i++)
		order[i] = p->node[best[i]];
	f->bound = max64(f->bound, bound);
}

/* Whether the value of j, made before node i, must live while i runs: something
 * that is i or behind it reads it.  *here: only i does. */
static bool
must_live(const Finder *f, uint32_t j, uint32_t i, bool *here)
{
	bool live = f->g->node[j].stays;
	*here = !live;
	for (uint32_t e = f->first_reader[j]; e < f->first_reader[j + 1]; e++) {
		bool behind = precedes(f->part.r, i, f->reader[e]);
		live |= behind || f->reader[e] == i;
		*here &= !behind;
	}
	return live;
}

/* For a part too wide to search: what must live while node i runs. */
static int64_t
node_bound(const Finder *f, uint32_t i)
{
	const OrderNode *x = &f->g->node[i];
	int64_t bound = x->bytes + x->work;
	for (uint32_t j = 0; j < f->g->n; j++) {
		bool here;
		if (!precedes(f->part.r, j, i) || !must_live(f, j, i, &here))
			continue;
		if (!(x->inplace == j && here && f->g->node[j].bytes == x->bytes))
			bound += f->g->node[j].bytes;
	}
	return bound;
}

/* Goes over order[0 .. n - 1], a part as it is now. */
static void
pass_part(Finder *f, const uint32_t *order, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		int64_t peak = walk_peak(&f->walk, order[i]);
		f->result->peak = max64(f->result->peak, peak);
		if (n == 1)
			f->bound = max64(f->bound, peak);
		else if (n > PART_MAX && f->g->n <= NODES_BOUNDED)
			f->bound = max64(f->bound, node_bound(f, order[i]));
		walk_run(&f->walk, order[i]);
	}
}

static void
list_readers(Arena *a, Finder *f)
{
	const OrderGraph *g = f->g;
	uint32_t n = 0;
	f->first_reader = arena_array(a, g->n + 2, sizeof(uint32_t));
	for (uint32_t i = 0; i < g->n; n += g->node[i++].nin)
		for (uint32_t e = 0; e < g->node[i].nin; e++)
			f->first_reader[g->in[g->node[i].first_in + e] + 2]++;
	f->reader = arena_array(a, n + 1, sizeof(uint32_t));
	for (uint32_t i = 2; i < g->n + 2; i++)
		f->first_reader[i] += f->first_reader[i - 1];
	for (uint32_t i = 0; i < g->n; i++)
		for (uint32_t e = 0; e < g->node[i].nin; e++)
			f->reader[f->first_reader[g->in[g->node[i].first_in + e]
				+ 1]++] = i;
}

void
order_find(const OrderGraph *g, uint32_t *order, int64_t states,
	OrderResult *result)
{
	Arena a = {0};
	Relatives r;
	Finder f = {.g = g, .states = states, .result = result};
	*result = (OrderResult){.given_peak = order_peak(g, order)};
	walk_start(&a, g, &f.walk);
	if (g->n > NODES_SEARCHED) {
		pass_part(&f, order, g->n);
		arena_free(&a);
		return;
	}
	find_relatives(&a, g, order, &r);
	list_readers(&a, &f);
	f.part.g = g;
	f.part.r = &r;
	f.part.walk = &f.walk;
	f.index = arena_array(&a, g->n, sizeof *f.index);
	memset(f.index, 0xff, g->n * sizeof *f.index);
	for (uint32_t i = 0; i < g->n;) {
		uint32_t end = i;
		while (end < g->n && r.nbefore[order[end]]
			+ r.nbehind[order[end]] + 1 != g->n)
			end++;
		uint32_t n = end > i ? end - i : 1;     /* a cut stands alone */
		if (n > 1 && n <= PART_MAX)
			improve_part(&f, order + i, n);
		pass_part(&f, order + i, n);
		i += n;
	}
	result->proven = result->peak == f.bound;
	vec_free(&f.part.outer);
	arena_free(&a);
}
