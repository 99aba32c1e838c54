/* summary.c - what a plan says of itself, for people and as JSON: peaks by phase
 * with the values that make them up, bounds, predicted time.
 */
#include "compiler/explain/summary.h"
#include "compiler/explain/timeline.h"

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
	if (h->steps)
		fprintf(out, ", %u denoising steps", h->steps);
	fprintf(out, ", workspaces for %u thread%s\n", h->threads,
		h->threads == 1 ? "" : "s");
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
	if (h->pinned_bytes)
		print_bytes(out, "page-locked", h->pinned_bytes);
	fprintf(out, "  %-18s %12.3f TFLOP, %.4g s predicted (%s)\n", "work",
		h->flops / 1e12, h->predicted_seconds, p->strings + h->profile);
	fprintf(out, "  %-18s %12.3f s\n", "compiled in", p->compile_seconds);
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
		{"pinned_bytes", h->pinned_bytes},
		{"load_bound_bytes", h->load_bound},
		{"floor_bound_bytes", h->floor_bound},
		{"weights_bytes", h->weights_bytes},
		{"weights_peak_bytes", h->weights_peak},
		{"threads", h->threads}, {"steps", h->steps},
		{"ops", kernel_count(p, 0, p->n_code)},
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
		h->placement_proven ? "true" : "false", p->compile_seconds);
	for (uint32_t i = 0; i < p->n_phases; i++) {
		fputs(i ? ", " : "", out);
		print_phase_json(p, &p->phases[i], out);
	}
	fputs("]}\n", out);
}
