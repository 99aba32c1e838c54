/* emit_times.c - what the header, phases and groups say of peaks and predicted
 * time.
 */
#include "compiler/cost/cost.h"
#include "compiler/emit/emit.h"

/* Seconds of one execution of an item to its instructions (a concat has several
 * copies), and of all to its groups. */
static void
book(Emitter *e, uint32_t item, double seconds, double runs)
{
	const CodeItem *s = &e->p->code.at[item];
	uint32_t first = e->item_insn[item], n = e->item_insn[item + 1] - first;
	int loop = s->kind == CODE_NODE ? e->p->plan[s->id].loop : LOOP_NONE;
	for (uint32_t i = first; i < first + n; i++)
		e->code.at[i].seconds = (float)(seconds / n);
	for (; loop != LOOP_NONE; loop = e->p->loops.at[loop].parent)
		e->groups.at[e->group_of_loop[loop]].predicted_seconds
			+= runs * seconds;
}

/* Predicted seconds of instructions, groups, phases (the denoising loop's taken
 * as often as there are steps) and all; and flops of all. */
static void
predict(Emitter *e)
{
	const Program *p = e->p;
	size_t phase = 0;
	for (CodeWalk at = {0}; at.at < p->code.n; code_past(p, &at)) {
		uint32_t i = at.at;
		const CodeItem *s = &p->code.at[i];
		while (phase + 1 < e->phases.n
			&& e->item_insn[i] >= e->phases.at[phase + 1].first)
			phase++;
		double slices = (double)code_runs_in_step(p, &at);
		double seconds = 0, runs = (double)code_runs(p, &at);
		if (s->kind == CODE_LOAD) {
			const Storage *w = &p->storages.at[p->storage_of[s->id]];
			seconds = cost_load(cost_profile(p->options), w->dtype,
				w->bytes);
			book(e, i, seconds, runs);
		} else if (s->kind == CODE_NODE) {
			double repeats;
			seconds = node_seconds(p, s->id, &repeats) / slices;
			book(e, i, seconds, runs);
			e->plan.head.flops += runs / slices * repeats
				* node_flops(e->g, &e->g->nodes.at[s->id]);
		}
		e->phases.at[phase].predicted_seconds += runs * seconds;
		e->plan.head.predicted_seconds += runs * seconds;
	}
}

/* Largest sum of live bytes of the weights. */
static int64_t
weights_peak(const Emitter *e)
{
	int64_t *change = arena_array(e->p->arena, e->code.n + 2, sizeof *change);
	for (size_t i = 0; i < e->buffers.n; i++) {
		const PlanBuffer *b = &e->buffers.at[i];
		if (b->role != BUF_WEIGHT)
			continue;
		change[b->first] += b->bytes;
		change[b->last + 1] -= b->bytes;
	}
	int64_t live = 0, peak = 0;
	for (size_t i = 0; i <= e->code.n; i++) {
		live += change[i];
		peak = max64(peak, live);
	}
	return peak;
}

/* Largest sum of live bytes over instructions [first, last], and one where it
 * is. */
static int64_t
range_peak(const Emitter *e, uint32_t first, uint32_t last, uint32_t *insn)
{
	int64_t peak = 0;
	*insn = first;
	for (uint32_t i = 0; i < e->p->code.n; i++) {
		if (e->item_insn[i] < first || e->item_insn[i] > last
			|| e->p->live[i] <= peak)
			continue;
		peak = e->p->live[i];
		*insn = e->item_insn[i];
	}
	/* sizes were rounded up, the arena's end is not */
	return min64(peak, e->plan.head.arena_bytes);
}

void
emit_summary(Emitter *e)
{
	predict(e);
	PlanHeader *h = &e->plan.head;
	for (size_t i = 0; i < e->phases.n; i++) {
		PlanPhase *p = &e->phases.at[i];
		p->peak_bytes = range_peak(e, p->first, p->last, &p->peak_insn);
	}
	for (size_t i = 0; i < e->groups.n; i++) {
		PlanGroup *g = &e->groups.at[i];
		uint32_t insn;
		g->peak_bytes = range_peak(e, g->first, g->last, &insn);
	}
	h->weights_peak = weights_peak(e);
	h->profile = emit_string(e, cost_profile(e->p->options)->name);
}

