/* stream.c - which weights stay and which are loaded anew at each use. */
#include "compiler/schedule/group.h"

#include <stdlib.h>
#include <string.h>

/* Whether all that reads a weight runs in one stage: then it may be loaded
 * where it is read. */
static bool
streamable(const Program *p, uint32_t weight, const Users *users)
{
	const Node *nodes = p->graph->nodes.at;
	uint32_t first = users->first[weight], end = users->first[weight + 1];
	for (uint32_t u = first; u < end; u++)
		if (nodes[users->user[u]].stage
			!= nodes[users->user[first]].stage)
			return false;
	return first < end;
}

void
stream_all(Program *p)
{
	Users users = ir_users(p->graph, p->arena);
	for (uint32_t i = 1; i < p->graph->nodes.n; i++)
		p->streamed[i] = p->graph->nodes.at[i].op == OP_weight
			&& streamable(p, i, &users);
}

/* A streamed weight that a loop loads again and again, and what keeping it would
 * take: its bytes during items [begin, end], the whole of its outermost loop. */
typedef struct Resident {
	uint32_t node, begin, end;
	int64_t bytes;
	double loads;
} Resident;

/* Most loads saved for a byte first. */
static int
by_loads(const void *a, const void *b)
{
	const Resident *x = a, *y = b;
	if (x->loads != y->loads)
		return x->loads < y->loads ? 1 : -1;
	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? 1 : -1;
	return x->node < y->node ? -1 : x->node > y->node;
}

/* Lists the weights that are loaded in loops. */
static size_t
find_reloaded(const Program *p, Resident *r)
{
	size_t n = 0, open = 0;
	for (CodeWalk w = {0}; w.at < p->code.n; code_past(p, &w)) {
		const CodeItem *s = &p->code.at[w.at];
		if (s->kind == CODE_LOAD && w.depth)
			r[n++] = (Resident){s->id, w.loop[0], 0, round_up(
				p->storages.at[p->storage_of[s->id]].bytes,
				PLAN_ALIGN), (double)code_runs(p, &w)};
		while (s->kind == CODE_NEXT && w.depth == 1 && open < n)
			r[open++].end = w.at;
	}
	return n;
}

/* Weights that fit beside everything else all through their loop stay, as long
 * as `limit` holds at every item: the knapsack's greedy answer. */
static void
keep_residents(Program *p, int64_t limit)
{
	Resident *r = arena_array(p->arena, p->graph->nodes.n, sizeof *r);
	int64_t *live = arena_array(p->arena, p->code.n + 1, sizeof *live);
	size_t n = find_reloaded(p, r);
	memcpy(live, p->live, p->code.n * sizeof *live);
	qsort(r, n, sizeof *r, by_loads);
	for (size_t k = 0; k < n; k++) {
		const Storage *s = &p->storages.at[p->storage_of[r[k].node]];
		bool fits = true;
		for (uint32_t t = r[k].begin; fits && t <= r[k].end; t++)
			fits = (t >= s->first && t <= s->last)
				|| live[t] + r[k].bytes <= limit;
		if (!fits)
			continue;
		for (uint32_t t = r[k].begin; t <= r[k].end; t++)
			if (t < s->first || t > s->last)
				live[t] += r[k].bytes;
		p->streamed[r[k].node] = false;
	}
}

enum { RESIDENT_TRIES = 4 };

void
stream_keep(Program *p, int64_t limit)
{
	int64_t allowed = limit;
	size_t bytes = p->graph->nodes.n * sizeof *p->streamed;
	bool *before = arena_alloc(p->arena, bytes);
	memcpy(before, p->streamed, bytes);
	for (int i = 0; i < RESIDENT_TRIES; i++) {
		keep_residents(p, allowed);
		program_measure(p, limit);
		if (p->height <= limit)
			return;
		allowed -= max64(p->height - limit, limit / 64);
		memcpy(p->streamed, before, bytes);
		program_measure(p, limit);
	}
}
