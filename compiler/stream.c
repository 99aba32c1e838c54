/* stream.c - which weights stay and which are loaded anew at each use. */
#include "group.h"

#include <stdlib.h>
#include <string.h>

/* Whether a weight is used inside the denoising loop. */
static bool
streamable(const Program *p, uint32_t weight, const Users *users)
{
	for (uint32_t u = users->first[weight]; u < users->first[weight + 1]; u++)
		if (p->graph->nodes.at[users->user[u]].stage != ST_LOOP)
			return false;
	return users->first[weight] < users->first[weight + 1];
}

static void
stream_all(Program *p)
{
	Users users = ir_users(p->graph, p->arena);
	for (uint32_t i = 1; i < p->graph->nodes.n; i++)
		p->streamed[i] = p->graph->nodes.at[i].op == OP_weight
			&& streamable(p, i, &users);
}

typedef struct Resident { uint32_t node; int64_t bytes; } Resident;

static int
by_bytes(const void *a, const void *b)
{
	const Resident *x = a, *y = b;
	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? 1 : -1;
	return x->node < y->node ? -1 : x->node > y->node;
}

/* First and last step of the loop over denoising steps. */
static void
main_loop(const Program *p, uint32_t *begin, uint32_t *end)
{
	*begin = *end = 0;
	for (uint32_t i = 0; i < p->steps.n; i++)
		if (p->steps.at[i].id == UINT32_MAX) {
			if (p->steps.at[i].kind == STEP_LOOP)
				*begin = i;
			else
				*end = i;
		}
}

/* Streamed weights that fit beside everything else all through the loop stay:
 * the largest first, as long as `limit` holds at every step.  Bytes are what a
 * load costs, so this is the knapsack's greedy answer. */
static void
keep_residents(Program *p, int64_t limit)
{
	uint32_t begin, end;
	size_t n = 0, nsteps = p->steps.n;
	main_loop(p, &begin, &end);
	int64_t *live = arena_array(p->arena, nsteps + 1, sizeof *live);
	Resident *r = arena_array(p->arena, p->graph->nodes.n, sizeof *r);
	for (size_t i = 0; i < p->storages.n; i++) {
		const Storage *s = &p->storages.at[i];
		for (uint32_t t = s->first; t <= s->last
			&& s->same_as == UINT32_MAX; t++)
			live[t] += round_up(s->bytes, PLAN_ALIGN);
		if (s->role == BUF_WEIGHT && p->streamed[s->id])
			r[n++] = (Resident){s->id, round_up(s->bytes, PLAN_ALIGN)};
	}
	qsort(r, n, sizeof *r, by_bytes);
	for (size_t k = 0; k < n; k++) {
		const Storage *s = &p->storages.at[p->storage_of[r[k].node]];
		bool fits = true;
		for (uint32_t t = begin; fits && t <= end; t++)
			fits = (t >= s->first && t <= s->last)
				|| live[t] + r[k].bytes <= limit;
		for (uint32_t t = begin; fits && t <= end; t++)
			if (t < s->first || t > s->last)
				live[t] += r[k].bytes;
		if (fits)
			p->streamed[r[k].node] = false;
	}
}

void
stream_weights(Program *p, int64_t budget)
{
	Grouper g;
	stream_all(p);
	grouper_begin(&g, p);
	if (budget)
		grouper_meet(&g, budget);
	else
		grouper_apply(&g, g.floor);
	grouper_end(&g);
	int64_t limit = max64(budget, p->height), allowed = limit;
	bool *all = arena_array(p->arena, p->graph->nodes.n, sizeof *all);
	memcpy(all, p->streamed, p->graph->nodes.n * sizeof *all);
	for (int i = 0; i < 6; i++) {
		keep_residents(p, allowed);
		program_measure(p);
		if (p->height <= limit)
			return;
		allowed -= p->height - limit;
		memcpy(p->streamed, all, p->graph->nodes.n * sizeof *all);
		program_measure(p);
	}
}
