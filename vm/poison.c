/* poison.c - debugging: bytes that no value has any more become NaN. */
#include "vm/vm_private.h"

/* Liveness for poisoning.  A buffer that is used in a loop but written before
 * it lives to the loop's end, one that is used behind a loop but written in it
 * lives from the loop's start: other iterations' bytes are in it. */
static void
find_life(const Plan *p, const PlanBuffer *b, Life *life)
{
	*life = (Life){b->first, b->last};
	/* first > last: written late in a loop, read early in its next
	 * iteration */
	if (b->role == BUF_OUTPUT || b->first > b->last || b->last >= p->n_code)
		life->last = PLAN_NONE;
	if (b->role == BUF_INPUT || b->role == BUF_TABLE || b->first > b->last)
		life->first = 0;
	for (PlanWalk w = {0}; w.pc < p->n_code; walk_past(p, &w)) {
		if (p->code[w.pc].op != CTL_next)
			continue;
		uint32_t begin = w.loop[w.depth - 1];
		bool first = begin <= life->first && life->first <= w.pc;
		bool last = begin <= life->last && life->last <= w.pc;
		if (first && !last)
			life->first = begin;
		if (last && !first)
			life->last = w.pc;
	}
}

void
poison_prepare(Vm *vm)
{
	const Plan *p = vm->plan;
	vm->life = arena_array(&vm->host, p->n_buffers, sizeof *vm->life);
	for (uint32_t i = 0; i < p->n_buffers; i++)
		find_life(p, &p->buffers[i], &vm->life[i]);
}

/* Fills the bytes of `dead` that no buffer alive after instruction `at` has. */
static void
poison_buffer(Vm *vm, uint32_t dead, uint32_t at)
{
	const Plan *p = vm->plan;
	int64_t from = p->buffers[dead].offset;
	int64_t end = from + p->buffers[dead].bytes;
	while (from < end) {
		int64_t until = end, skip = from;
		for (uint32_t i = 0; i < p->n_buffers; i++) {
			const PlanBuffer *b = &p->buffers[i];
			if (vm->life[i].first > at || vm->life[i].last <= at)
				continue;
			if (b->offset <= from && from < b->offset + b->bytes)
				skip = max64(skip, b->offset + b->bytes);
			else if (b->offset > from)
				until = min64(until, b->offset);
		}
		if (skip == from)
			vm->on->fill(vm->device, from, until - from, 0xff);
		from = skip > from ? skip : until;
	}
}

void
poison_after(Vm *vm, uint32_t at)
{
	for (uint32_t i = 0; i < vm->plan->n_buffers; i++)
		if (vm->life[i].last == at)
			poison_buffer(vm, i, at);
}
