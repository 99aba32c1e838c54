/* summary.c - what a plan says of itself: peaks by phase with the values that
 * make them up, bounds, predicted time.
 */
#include "emit.h"
#include "cost.h"
#include "timeline.h"

/* ---- made while emitting ---- */

/* Seconds of one execution of a step to its instructions (a concat has several
 * copies), and of all to its groups. */
static void
book(Emitter *e, uint32_t step, double seconds, double runs)
{
	const Step *s = &e->p->steps.at[step];
	uint32_t first = e->step_insn[step], n = e->step_insn[step + 1] - first;
	int loop = s->kind == STEP_NODE ? e->p->plan[s->id].loop : LOOP_NONE;
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
	double times = 1;
	int64_t slices[LOOPS_DEEP + 1] = {1};
	int depth = 0;
	for (uint32_t i = 0; i < p->steps.n; i++) {
		const Step *s = &p->steps.at[i];
		while (phase + 1 < e->phases.n
			&& e->step_insn[i] >= e->phases.at[phase + 1].first)
			phase++;
		bool over_steps = s->id == UINT32_MAX;
		double seconds = 0, runs = times * (double)slices[depth];
		if (s->kind == STEP_LOOP && over_steps) {
			times = (double)s->count;
		} else if (s->kind == STEP_NEXT && over_steps) {
			times = 1;
		} else if (s->kind == STEP_LOOP) {
			slices[depth + 1] = slices[depth] * s->count;
			depth++;
		} else if (s->kind == STEP_NEXT) {
			depth--;
		} else if (s->kind == STEP_LOAD) {
			const Storage *w = &p->storages.at[p->storage_of[s->id]];
			seconds = cost_load(cost_profile(p->options), w->dtype,
				w->bytes);
			book(e, i, seconds, runs);
		} else if (s->kind == STEP_NODE) {
			double repeats;
			seconds = node_seconds(p, s->id, &repeats)
				/ (double)slices[depth];
			book(e, i, seconds, runs);
			e->plan.head.flops += times * repeats
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
	for (uint32_t i = 0; i < e->p->steps.n; i++) {
		if (e->step_insn[i] < first || e->step_insn[i] > last
			|| e->p->live[i] <= peak)
			continue;
		peak = e->p->live[i];
		*insn = e->step_insn[i];
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
	h->compile_seconds = now_seconds() - e->p->compile_start;
}

/* ---- printing ---- */

enum { LIVE_SHOWN = 8 };

/* Ids of the largest buffers that live at an instruction, largest first. */
static size_t
largest_live(Arena *a, const Plan *p, uint32_t insn, uint32_t **ids)
{
	size_t n = live_at(a, p, insn, ids);
	return n < LIVE_SHOWN ? n : LIVE_SHOWN;
}

void
summary_print_live(const Plan *p, uint32_t insn, FILE *out)
{
	Arena a = {0};
	uint32_t *live;
	char text[32];
	size_t n = largest_live(&a, p, insn, &live);
	for (size_t i = 0; i < n; i++) {
		fprintf(out, "  %12s  ",
			format_bytes(text, p->buffers[live[i]].bytes));
		print_clean_line(out, buffer_label(p, live[i]));
		fputc('\n', out);
	}
	arena_free(&a);
}

static void
print_bytes(FILE *out, const char *label, int64_t bytes)
{
	char text[32];
	fprintf(out, "  %-18s %12s  (%lld bytes)\n", label,
		format_bytes(text, bytes), (long long)bytes);
}

void
summary_print(const Plan *p, FILE *out)
{
	const PlanHeader *h = &p->head;
	fprintf(out, "%s: %s on %s, %u instructions (%u kernels, %u groups)",
		p->strings + h->name, dtype_name((DType)h->dtype),
		p->strings + h->target, p->n_code, kernel_count(p, 0, p->n_code),
		p->n_groups);
	fprintf(out, h->steps ? ", %u denoising steps\n" : "\n", h->steps);
	print_bytes(out, "peak", h->arena_bytes);
	for (uint32_t i = 0; i < p->n_phases; i++) {
		const PlanPhase *f = &p->phases[i];
		char label[40], text[32];
		snprintf(label, sizeof label, "  %.30s", p->strings + f->name);
		fprintf(out, "  %-18s %12s  at %s ", label,
			format_bytes(text, f->peak_bytes),
			plan_op_name(p->code[f->peak_insn].op));
		print_clean_line(out, insn_scope(p, f->peak_insn));
		fprintf(out, ", %.3g s predicted\n", f->predicted_seconds);
	}
	print_bytes(out, "weights", h->weights_bytes);
	print_bytes(out, "weights at once", h->weights_peak);
	print_bytes(out, "load bound", h->load_bound);
	print_bytes(out, "floor bound", h->floor_bound);
	print_bytes(out, "unsliced peak", h->unsliced_bytes);
	print_bytes(out, "host staging", h->host_bytes);
	fprintf(out, "  %-18s %12.3f TFLOP, %.4g s predicted (%s)\n", "work",
		h->flops / 1e12, h->predicted_seconds, p->strings + h->profile);
	fprintf(out, "  %-18s %12.3f s\n", "compiled in", h->compile_seconds);
}

static void
print_phase_json(const Plan *p, const PlanPhase *f, FILE *out)
{
	Arena a = {0};
	uint32_t *live;
	size_t n = largest_live(&a, p, f->peak_insn, &live);
	fputs("{\"name\": ", out);
	print_json_string(out, p->strings + f->name);
	fprintf(out, ", \"peak_bytes\": %lld, \"peak_op\": ",
		(long long)f->peak_bytes);
	print_json_string(out, plan_op_name(p->code[f->peak_insn].op));
	fputs(", \"peak_scope\": ", out);
	print_json_string(out, insn_scope(p, f->peak_insn));
	fprintf(out, ", \"predicted_seconds\": %.9g, \"live\": [",
		f->predicted_seconds);
	for (size_t i = 0; i < n; i++) {
		fprintf(out, "%s{\"name\": ", i ? ", " : "");
		print_json_string(out, buffer_label(p, live[i]));
		fprintf(out, ", \"bytes\": %lld}",
			(long long)p->buffers[live[i]].bytes);
	}
	fputs("]}", out);
	arena_free(&a);
}

void
summary_print_json(const Plan *p, FILE *out)
{
	const PlanHeader *h = &p->head;
	fputs("{\"name\": ", out);
	print_json_string(out, p->strings + h->name);
	fprintf(out, ", \"dtype\": \"%s\", \"target\": ",
		dtype_name((DType)h->dtype));
	print_json_string(out, p->strings + h->target);
	fputs(", \"profile\": ", out);
	print_json_string(out, p->strings + h->profile);
	const struct { const char *key; int64_t value; } numbers[] = {
		{"peak_bytes", h->arena_bytes}, {"host_peak_bytes", h->host_bytes},
		{"arena_bytes", h->arena_bytes},
		{"load_bound_bytes", h->load_bound},
		{"floor_bound_bytes", h->floor_bound},
		{"weights_bytes", h->weights_bytes},
		{"weights_peak_bytes", h->weights_peak},
		{"steps", h->steps}, {"ops", kernel_count(p, 0, p->n_code)},
		{"groups", p->n_groups}, {"instructions", p->n_code},
	};
	for (size_t i = 0; i < COUNT_OF(numbers); i++)
		fprintf(out, ", \"%s\": %lld", numbers[i].key,
			(long long)numbers[i].value);
	fprintf(out, ", \"flops\": %.17g, \"predicted_seconds\": %.9g",
		h->flops, h->predicted_seconds);
	fprintf(out, ", \"unsliced\": {\"peak_bytes\": %lld, "
		"\"predicted_seconds\": %.9g}", (long long)h->unsliced_bytes,
		h->unsliced_seconds);
	fprintf(out, ", \"order_proven\": %s, \"placement_proven\": %s, "
		"\"compile_seconds\": %.6f, \"phases\": [",
		h->order_proven ? "true" : "false",
		h->placement_proven ? "true" : "false", h->compile_seconds);
	for (uint32_t i = 0; i < p->n_phases; i++) {
		fputs(i ? ", " : "", out);
		print_phase_json(p, &p->phases[i], out);
	}
	fputs("]}\n", out);
}
