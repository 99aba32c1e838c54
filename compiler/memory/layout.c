/* layout.c - gives the storages their offsets: those that share a place become
 * one item of the placement engine.
 */
#include "compiler/program.h"

#include <math.h>
#include <string.h>

/* For each storage the one whose place it shares in the end; chains of results in
 * place are as long as the program. */
static uint32_t *
place_roots(const Program *p)
{
	uint32_t n = (uint32_t)p->storages.n;
	uint32_t *root = arena_array(p->arena, n + 1, sizeof *root);
	memset(root, 0xff, n * sizeof *root);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t r = i;
		while (root[r] == UINT32_MAX
			&& p->storages.at[r].same_as != UINT32_MAX)
			r = p->storages.at[r].same_as;
		r = root[r] == UINT32_MAX ? r : root[r];
		for (uint32_t s = i; s != r && root[s] == UINT32_MAX;
			s = p->storages.at[s].same_as)
			root[s] = r;
		root[r] = r;
	}
	return root;
}

/* Bytes that live at each item. */
static void
sum_live(Program *p, const PlaceItem *items, size_t n)
{
	p->live = arena_array(p->arena, p->code.n + 1, sizeof *p->live);
	for (size_t i = 0; i < n; i++) {        /* differences, then sums */
		p->live[items[i].first] += items[i].bytes;
		p->live[items[i].last] -= items[i].bytes;
	}
	for (size_t t = 1; t <= p->code.n; t++)
		p->live[t] += p->live[t - 1];
}

/* What ends a search is its count of nodes, never the time: equal inputs give
 * equal plans on a busy machine, too. */
enum { PLACE_NODES = 40000, MEASURE_NODES = 10000 };

static void
lay_out(Program *p, const PlaceOptions *o)
{
	size_t n = p->storages.n;
	PlaceItem *items = arena_array(p->arena, n + 1, sizeof *items);
	uint32_t *item_of = arena_array(p->arena, n + 1, sizeof *item_of);
	const uint32_t *root = place_roots(p);
	size_t count = 0;
	for (uint32_t i = 0; i < n; i++) {
		Storage *s = &p->storages.at[i];
		if (s->first == UINT32_MAX)     /* an input that nothing reads */
			s->first = s->last = 0;
		if (root[i] == i) {
			item_of[i] = (uint32_t)count;
			items[count++] = (PlaceItem){s->first, (int64_t)s->last + 1,
				round_up(s->bytes, PLAN_ALIGN), PLAN_ALIGN, 0};
		}
	}
	for (uint32_t i = 0; i < n; i++) {
		PlaceItem *it = &items[item_of[root[i]]];
		const Storage *s = &p->storages.at[i];
		it->first = min64(it->first, s->first);
		it->last = max64(it->last, (int64_t)s->last + 1);
	}
	sum_live(p, items, count);
	place(items, count, o, &p->placed);
	p->height = p->placed.height;
	for (uint32_t i = 0; i < n; i++)
		p->storages.at[i].offset = items[item_of[root[i]]].offset;
}

/* needs: storages.
 * makes: their offsets, the height, live.
 * keeps: a height that program_measure found for the same storages. */
void
pass_place(Program *p)
{
	int64_t known = p->height;
	lay_out(p, &(PlaceOptions){.deadline = INFINITY,
		.nodes = PLACE_NODES});
	if (p->height > known)
		lay_out(p, &(PlaceOptions){.capacity = known,
			.deadline = INFINITY, .nodes = MEASURE_NODES});
}

void
program_measure(Program *p, int64_t within)
{
	pass_code(p);
	pass_live(p);
	lay_out(p, &(PlaceOptions){0});
	if (p->height > within && p->placed.load_bound <= within)
		lay_out(p, &(PlaceOptions){.capacity = within,
			.deadline = INFINITY, .nodes = MEASURE_NODES});
}
