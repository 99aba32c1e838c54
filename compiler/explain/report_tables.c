/* report_tables.c - the page's tables: phases with what lives at their peaks,
 * loops over slices, operations.
 */
#include "compiler/explain/report.h"
#include "vm/plan/walk.h"

#include <stdlib.h>

enum { LIVE_ROWS = 16 };

static void
cell_bytes(const Report *r, int64_t bytes)
{
	fputs("<td class=\"n\">", r->out);
	html_bytes(r->out, bytes);
	fputs("</td>", r->out);
}

static void
cell_seconds(const Report *r, double seconds)
{
	fputs("<td class=\"n\">", r->out);
	html_seconds(r->out, seconds);
	fputs("</td>", r->out);
}

static void
cell_text(const Report *r, const char *op, const char *name)
{
	fputs("<td>", r->out);
	html_text(r->out, op);
	fputs(*op && *name ? " " : "", r->out);
	html_text(r->out, name);
	fputs("</td>", r->out);
}

/* ---- phases ---- */

/* A bar of the shares by kind; its whole width is the plan's peak. */
static void
cell_shares(const Report *r, uint32_t insn)
{
	Shares s = shares_at(r->arena, r->plan, &r->time.use, insn);
	double full = (double)max64(r->plan->head.arena_bytes, 1);
	fputs("<td><div class=\"bar\">", r->out);
	for (int i = 0; i < BUF_ROLE_COUNT; i++)
		if (s.role[i])
			fprintf(r->out, "<i style=\"width:%.3f%%;background:%s\" "
				"title=\"%s: %lld bytes\"></i>",
				100 * (double)s.role[i] / full,
				role_styles[i].colour, role_styles[i].name,
				(long long)s.role[i]);
	fputs("</div></td>", r->out);
}

static void
live_row(const Report *r, uint32_t insn, uint32_t buffer)
{
	const Plan *p = r->plan;
	const PlanBuffer *b = &p->buffers[buffer];
	bool touched = insn_touches(p, insn, buffer);
	fprintf(r->out, "<tr%s>", touched ? " class=\"used\"" : "");
	cell_bytes(r, b->bytes);
	fprintf(r->out, "<td><b style=\"background:%s\"></b>%s</td>",
		role_styles[b->role].colour, role_styles[b->role].name);
	cell_text(r, "", buffer_label(p, buffer));
	fprintf(r->out, "<td class=\"n\">%u</td><td class=\"n\">%u</td>"
		"<td>%s</td></tr>\n", b->first, b->last,
		touched ? "yes" : "waits");
}

/* The largest buffers at a phase's peak, and the rest in one line. */
static void
live_table(const Report *r, const PlanPhase *f, bool open)
{
	const Plan *p = r->plan;
	uint32_t *id, n = live_at(r->arena, p, f->peak_insn, &id);
	fprintf(r->out, "<details%s><summary>", open ? " open" : "");
	html_printf(r->out, "%s: what lives at its peak, instruction %u (%s %s)",
		p->strings + f->name, f->peak_insn,
		plan_op_name(p->code[f->peak_insn].op),
		insn_scope(p, f->peak_insn));
	fputs("</summary>\n<div class=\"wide\"><table>", r->out);
	html_head(r->out, "bytes|kind|name|from|to|used there");
	for (uint32_t i = 0; i < n && i < LIVE_ROWS; i++)
		live_row(r, f->peak_insn, id[i]);
	int64_t rest = 0;
	for (uint32_t i = LIVE_ROWS; i < n; i++)
		rest = add_bytes(rest, p->buffers[id[i]].bytes);
	if (n > LIVE_ROWS) {
		fputs("<tr>", r->out);
		cell_bytes(r, rest);
		fprintf(r->out, "<td></td><td>%u smaller ones</td><td></td>"
			"<td></td><td></td></tr>\n", n - LIVE_ROWS);
	}
	fputs("</table></div></details>\n", r->out);
}

void
report_phases(const Report *r)
{
	const Plan *p = r->plan;
	uint32_t first, second;
	highest_phases(p, &first, &second);
	fputs("<h2>Phases</h2>\n<div class=\"wide\"><table>", r->out);
	html_head(r->out, "phase|kernels|peak|predicted|made of|at");
	for (uint32_t i = 0; i < p->n_phases; i++) {
		const PlanPhase *f = &p->phases[i];
		fputs("<tr>", r->out);
		cell_text(r, "", p->strings + f->name);
		fprintf(r->out, "<td class=\"n\">%u</td>",
			kernel_count(p, f->first, f->last));
		cell_bytes(r, f->peak_bytes);
		cell_seconds(r, f->predicted_seconds);
		cell_shares(r, f->peak_insn);
		cell_text(r, plan_op_name(p->code[f->peak_insn].op),
			insn_scope(p, f->peak_insn));
		fputs("</tr>\n", r->out);
	}
	fputs("</table></div>\n", r->out);
	for (uint32_t i = 0; i < p->n_phases; i++)
		live_table(r, &p->phases[i], i == first);
}

/* ---- groups ---- */

static void
group_row(const Report *r, uint32_t i)
{
	const Plan *p = r->plan;
	const PlanGroup *g = &p->groups[i];
	fprintf(r->out, "<tr data-from=\"%u\" data-to=\"%u\">"
		"<td style=\"padding-left:%dem\">", g->first, g->last,
		1 + group_depth(p, i));
	html_text(r->out, p->strings + p->head.axis_name[g->axis]);
	fprintf(r->out, "</td><td class=\"n\">%lld</td><td class=\"n\">%lld</td>"
		"<td class=\"n\">%u</td>", (long long)g->count,
		(long long)g->slice, kernel_count(p, g->first, g->last));
	cell_bytes(r, group_inside(p, g));
	cell_bytes(r, g->peak_bytes);
	cell_seconds(r, g->predicted_seconds);
	cell_text(r, "", p->strings + g->name);
	fputs("</tr>\n", r->out);
}

void
report_groups(const Report *r)
{
	const Plan *p = r->plan;
	fputs("<h2>Loops over slices</h2>\n", r->out);
	if (!p->n_groups) {
		fputs("<p>This plan has none: every operation makes its whole "
			"result at once.</p>\n", r->out);
		return;
	}
	fputs("<p>What is made and dropped within one iteration (inside) is as "
		"small as a slice; what enters or leaves is whole. Inner loops "
		"stand further to the right. Click a line to see it on the "
		"map.</p>\n<div class=\"scroll\"><table class=\"groups\">",
		r->out);
	html_head(r->out, "axis|slices|of|kernels|inside|in use|predicted|"
		"first scope");
	for (uint32_t i = 0; i < p->n_groups; i++)
		group_row(r, i);
	fputs("</table></div>\n", r->out);
}

/* ---- operations ---- */

typedef struct OpCount {
	uint16_t op;
	uint32_t kernels;       /* instructions */
	int64_t runs;           /* in all iterations of all loops */
} OpCount;

static int
by_runs(const void *a, const void *b)
{
	const OpCount *x = a, *y = b;
	if (x->runs != y->runs)
		return x->runs > y->runs ? -1 : 1;
	return x->op < y->op ? -1 : x->op > y->op;
}

void
report_ops(const Report *r)
{
	const Plan *p = r->plan;
	OpCount count[OP_COUNT] = {{0}};
	const int64_t *runs = plan_runs(r->arena, p);
	int64_t total = 0;
	for (uint16_t i = 0; i < OP_COUNT; i++)
		count[i].op = i;
	for (uint32_t i = 0; i < p->n_code; i++) {
		if (p->code[i].op >= CTL_BASE)
			continue;
		count[p->code[i].op].kernels++;
		count[p->code[i].op].runs += runs[i];
		total += runs[i];
	}
	qsort(count, OP_COUNT, sizeof *count, by_runs);
	fprintf(r->out, "<h2>Operations</h2>\n<p>%lld kernels are started in a "
		"run. <code>sluice bench</code> measures the time of each "
		"kind.</p>\n<div class=\"scroll\"><table>", (long long)total);
	html_head(r->out, "op|in the plan|in a run");
	for (uint32_t i = 0; i < OP_COUNT && count[i].kernels; i++)
		fprintf(r->out, "<tr><td>%s</td><td class=\"n\">%u</td>"
			"<td class=\"n\">%lld</td></tr>\n",
			plan_op_name(count[i].op), count[i].kernels,
			(long long)count[i].runs);
	fputs("</table></div>\n", r->out);
}
