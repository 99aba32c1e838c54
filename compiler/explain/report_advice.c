/* report_advice.c - what the peak is made of, how far it is from what bounds
 * it, and what would lower it.  Everything is computed from the plan; where
 * only another compilation can tell, the page names the command.
 */
#include "compiler/explain/report.h"

/* What the plan would need if something were different. */
typedef struct Bounds {
	int64_t streamed;       /* no weight but those that an instruction reads */
	uint32_t streamed_at;
	int64_t largest;        /* the operands of one instruction */
	uint32_t largest_at;
	uint32_t near;          /* instructions within 5 % of the peak */
	uint32_t near_groups;   /* loops that they are in */
} Bounds;

/* ---- shares ---- */

Shares
shares_at(Arena *a, const Plan *p, const MemoryUse *use, uint32_t insn)
{
	Shares s = {.used = use->used[insn], .height = use->height[insn]};
	uint32_t *id, n = live_at(a, p, insn, &id);
	const PlanBuffer **live = arena_array(a, n + 1u, sizeof *live);
	int64_t top = 0;
	for (uint32_t i = 0; i < n; i++)
		live[i] = &p->buffers[id[i]];
	sort_by_address(live, n);
	for (uint32_t i = 0; i < n; i++) {
		int64_t end = live[i]->offset + live[i]->bytes;
		if (end <= top)
			continue;
		s.role[live[i]->role] += end - max64(live[i]->offset, top);
		top = end;
	}
	return s;
}

void
highest_phases(const Plan *p, uint32_t *first, uint32_t *second)
{
	*first = *second = 0;
	for (uint32_t i = 1; i < p->n_phases; i++)
		if (p->phases[i].peak_bytes > p->phases[*first].peak_bytes)
			*first = i;
	*second = *first == 0 && p->n_phases > 1 ? 1 : 0;
	for (uint32_t i = 0; i < p->n_phases; i++)
		if (i != *first && p->phases[i].peak_bytes
			> p->phases[*second].peak_bytes)
			*second = i;
}

/* ---- bounds ---- */

/* Bytes of the buffers that an instruction touches, of weights only if asked;
 * what it writes over what it reads counts once. */
static int64_t
touched_bytes(const Plan *p, uint32_t insn, bool weights)
{
	const PlanInsn *in = &p->code[insn];
	Vec(const PlanBuffer *) touched = {0};
	if (in->op == CTL_load || in->op == CTL_wait)
		return p->buffers[p->weights[in->a].buffer].bytes;
	for (uint32_t k = 0; k < in->noperands; k++)
		for (int part = 0; part < 2; part++) {
			uint32_t v = p->operands[in->first_operand + k].view[part];
			const PlanBuffer *b = v == PLAN_NONE ? NULL
				: &p->buffers[p->views[v].buffer];
			if (b && (!weights || b->role == BUF_WEIGHT))
				*vec_push(&touched) = b;
		}
	int64_t bytes = covered_bytes(touched.at, (uint32_t)touched.n);
	vec_free(&touched);
	return bytes;
}

static int64_t *
used_without_weights(Arena *a, const Plan *p)
{
	PlanBuffer *kept = arena_array(a, p->n_buffers + 1u, sizeof *kept);
	uint32_t n = 0;
	for (uint32_t i = 0; i < p->n_buffers; i++)
		if (p->buffers[i].role != BUF_WEIGHT)
			kept[n++] = p->buffers[i];
	return memory_use(a, kept, n, p->n_code).used;
}

static Bounds
find_bounds(const Report *r)
{
	const Plan *p = r->plan;
	Bounds b = {0};
	bool *group_near = arena_array(r->arena, p->n_groups + 1u, 1);
	const int64_t *rest = used_without_weights(r->arena, p);
	int64_t peak = r->time.use.used[r->time.peak];
	for (uint32_t i = 0; i < p->n_code; i++) {
		int64_t all = touched_bytes(p, i, false);
		int64_t streamed = min64(add_bytes(rest[i],
			touched_bytes(p, i, true)), r->time.use.used[i]);
		if (all > b.largest)
			b.largest = all, b.largest_at = i;
		if (streamed > b.streamed)
			b.streamed = streamed, b.streamed_at = i;
		if (r->time.use.used[i] < peak - peak / 20)
			continue;
		uint32_t g = p->debugs[p->code[i].debug].group;
		b.near++;
		if (g != PLAN_NONE && !group_near[g]) {
			group_near[g] = true;
			b.near_groups++;
		}
	}
	return b;
}

static void
bound_row(const Report *r, const char *name, int64_t bytes, int64_t full,
	const char *what)
{
	if (!bytes)
		return;
	fprintf(r->out, "<tr><td>%s</td><td class=\"n\">", name);
	html_bytes(r->out, bytes);
	fprintf(r->out, "</td><td><div class=\"bar\"><i style=\"width:%.3f%%;"
		"background:#7d8ca3\"></i></div></td><td>%s</td></tr>\n",
		100 * (double)bytes / (double)full, what);
}

void
report_bounds(const Report *r)
{
	const PlanHeader *h = &r->plan->head;
	Bounds b = find_bounds(r);
	int64_t full = max64(max64(h->arena_bytes, h->unsliced_bytes), 1);
	fputs("<h2>Bounds</h2>\n<div class=\"wide\"><table>", r->out);
	html_head(r->out, "|bytes||meaning");
	bound_row(r, "without slices", h->unsliced_bytes, full,
		"the same program with every operation whole");
	bound_row(r, "this plan", h->arena_bytes, full,
		h->placement_proven ? "its places are proven the lowest of "
		"this schedule" : "everything it holds at once, to the byte");
	bound_row(r, "load bound", h->load_bound, full,
		"the largest sum of live bytes: no placement of this schedule "
		"is lower");
	bound_row(r, "weights streamed", b.streamed, full,
		"the most this schedule would hold if every weight were there "
		"only while it is read");
	bound_row(r, "floor bound", h->floor_bound, full,
		"the same as the load bound with every sliced value at its "
		"smallest: no slicing of this order is lower");
	bound_row(r, "largest kernel", b.largest, full,
		"the buffers that one instruction reads and writes");
	fputs("</table></div>\n", r->out);
}

/* ---- advice ---- */

static double
percent(int64_t part, int64_t whole)
{
	return whole ? 100 * (double)part / (double)whole : 0;
}

static void
print_insn(const Report *r, uint32_t i)
{
	fprintf(r->out, "instruction %u (", i);
	html_printf(r->out, "%s %s)", plan_op_name(r->plan->code[i].op),
		insn_scope(r->plan, i));
}

static void
advise_composition(const Report *r, const Shares *s)
{
	bool first = true;
	int64_t small = 0;
	fputs("<p>The most is in use at ", r->out);
	print_insn(r, r->time.peak);
	fputs(": ", r->out);
	html_bytes(r->out, s->used);
	for (int i = 0; i < BUF_ROLE_COUNT; i++) {
		if (percent(s->role[i], s->used) < 0.5) {
			small += s->role[i];
			continue;
		}
		fputs(first ? " = " : " + ", r->out);
		html_bytes(r->out, s->role[i]);
		fprintf(r->out, " %s (%.0f %%)", role_styles[i].name,
			percent(s->role[i], s->used));
		first = false;
	}
	if (small) {
		fputs(" + ", r->out);
		html_bytes(r->out, small);
		fputs(" of other kinds", r->out);
	}
	fputs(".</p>\n", r->out);
}

static void
advise_placement(const Report *r)
{
	const PlanHeader *h = &r->plan->head;
	int64_t gap = h->arena_bytes - h->load_bound;
	fputs("<li><b>Placement.</b> ", r->out);
	if (!gap) {
		fputs("The plan is as high as the largest sum of live bytes: "
			"only shorter lives or smaller values can lower it.",
			r->out);
	} else {
		fputs("The plan is ", r->out);
		html_bytes(r->out, gap);
		fprintf(r->out, " (%.1f %%) above the largest sum of live "
			"bytes%s; other places alone cannot save more.",
			percent(gap, h->load_bound), h->placement_proven
			? ", which is proven the lowest there is" : "");
	}
	fputs("</li>\n", r->out);
}

static void
advise_phase(const Report *r, const Bounds *b)
{
	const Plan *p = r->plan;
	uint32_t first, second;
	highest_phases(p, &first, &second);
	fputs("<li><b>Phase.</b> ", r->out);
	html_text(r->out, p->strings + p->phases[first].name);
	fputs(" has the peak", r->out);
	if (first != second) {
		fputs("; the next is ", r->out);
		html_text(r->out, p->strings + p->phases[second].name);
		fputs(" with ", r->out);
		html_bytes(r->out, p->phases[second].peak_bytes);
		fputs(", so that lowering the first alone saves at most ",
			r->out);
		html_bytes(r->out, p->phases[first].peak_bytes
			- p->phases[second].peak_bytes);
	}
	fprintf(r->out, ". %u instruction%s in %u loop%s over slices %s within "
		"5 %% of the peak.</li>\n", b->near, b->near == 1 ? "" : "s",
		b->near_groups, b->near_groups == 1 ? "" : "s",
		b->near == 1 ? "is" : "are");
}

static void
advise_weights(const Report *r, const Shares *s, const Bounds *b)
{
	const Plan *p = r->plan;
	int64_t weights = s->role[BUF_WEIGHT];
	/* nothing to say where all that is there is read: they are streamed */
	if (percent(weights, s->used) < 10
		|| b->streamed >= r->time.use.used[r->time.peak])
		return;
	fputs("<li><b>Weights.</b> ", r->out);
	html_bytes(r->out, weights);
	fputs(" of weights are there, of which this instruction reads ", r->out);
	html_bytes(r->out, touched_bytes(p, r->time.peak, true));
	fputs(". A budget (<code>sluice compile --memory SIZE</code>) loads "
		"the others when they are needed: down to about ", r->out);
	html_bytes(r->out, b->streamed);
	fputs(" with this schedule (then ", r->out);
	print_insn(r, b->streamed_at);
	fputs(" is the highest), less with finer slices; the price is loading "
		"them again in each step.</li>\n", r->out);
}

/* The largest activation at the peak that the instruction there does not
 * read. */
static uint32_t
largest_waiting(const Report *r, int64_t *waits)
{
	const Plan *p = r->plan;
	uint32_t *id, n = live_at(r->arena, p, r->time.peak, &id);
	const PlanBuffer **waiting = arena_array(r->arena, n + 1u,
		sizeof *waiting);
	uint32_t largest = PLAN_NONE, count = 0;
	for (uint32_t i = 0; i < n; i++) {
		if (p->buffers[id[i]].role != BUF_VALUE
			|| insn_touches(p, r->time.peak, id[i]))
			continue;
		waiting[count++] = &p->buffers[id[i]];
		largest = largest == PLAN_NONE ? id[i] : largest;
	}
	*waits = covered_bytes(waiting, count);
	return largest;
}

/* Whether a phase beside the loop over steps has operations over frames. */
static bool
couples_frames(const Plan *p, const PlanPhase *f)
{
	bool couples = false;
	if (f->first <= p->head.denoise && p->head.denoise <= f->last)
		return false;
	for (uint32_t i = f->first; p->head.steps && i <= f->last; i++)
		couples |= p->code[i].op < CTL_BASE && p->attrs[p->code[i]
			.attr].over & AXIS_BIT(AXIS_F);
	return couples;
}

static void
advise_activations(const Report *r, const Shares *s)
{
	const Plan *p = r->plan;
	int64_t waits;
	uint32_t largest = largest_waiting(r, &waits);
	if (percent(s->role[BUF_VALUE], s->used) < 5)
		return;
	fputs("<li><b>Activations.</b> ", r->out);
	html_bytes(r->out, waits);
	fputs(" of them wait while this instruction runs", r->out);
	if (largest != PLAN_NONE) {
		fputs(", the largest ", r->out);
		html_bytes(r->out, p->buffers[largest].bytes);
		html_printf(r->out, " of %s from instruction %u to %u",
			buffer_label(p, largest), p->buffers[largest].first,
			p->buffers[largest].last);
	}
	uint32_t g = p->debugs[p->code[r->time.peak].debug].group;
	fputs(". ", r->out);
	if (g == PLAN_NONE)
		fputs("The instruction runs whole. ", r->out);
	else
		html_printf(r->out, "The instruction runs in %lld slices of "
			"%lld along %s. ", (long long)p->groups[g].count,
			(long long)p->groups[g].slice, p->strings
			+ p->head.axis_name[p->groups[g].axis]);
	if (p->head.arena_bytes > p->head.floor_bound)
		fputs("<code>sluice compile --min-memory</code> slices as "
			"finely as pays in memory, whatever the time.", r->out);
	if (couples_frames(p, &p->phases[p->debugs[p->code[r->time.peak].debug]
		.phase]))
		fputs(" Operations of this phase look at several frames; a "
			"program that gives it fewer at a time (as "
			"<code>image_to_video</code> with <code>-D chunk=N"
			"</code>) needs less, but is another computation.",
			r->out);
	fputs("</li>\n", r->out);
}

static void
advise_rest(const Report *r, const Shares *s)
{
	const PlanHeader *h = &r->plan->head;
	int64_t io = s->role[BUF_INPUT] + s->role[BUF_OUTPUT]
		+ s->role[BUF_TABLE];
	if (percent(io, s->used) >= 5) {
		fputs("<li><b>Inputs and outputs.</b> ", r->out);
		html_bytes(r->out, io);
		fputs(" are what goes in and comes out; an input lives from "
			"the start to its last use, an output from its first "
			"write to the end.</li>\n", r->out);
	}
	if (percent(s->role[BUF_WORK], s->used) >= 5) {
		fputs("<li><b>Workspaces.</b> ", r->out);
		html_bytes(r->out, s->role[BUF_WORK]);
		fprintf(r->out, " are scratch memory of the instruction, made "
			"for %u thread%s.", h->threads,
			h->threads == 1 ? "" : "s");
		if (h->threads > 1)
			fputs(" <code>--threads N</code> with a smaller N "
				"makes less of it; a run then uses no more "
				"threads.", r->out);
		fputs("</li>\n", r->out);
	}
	if (h->dtype == DT_F32)
		fputs("<li><b>Type.</b> The plan stores f32; <code>--dtype "
			"f16</code> halves weights and activations.</li>\n",
			r->out);
}

/* The lowest plan of the frontier, and the lowest that is as fast as this
 * one. */
static void
advise_budget(const Report *r)
{
	const Frontier *f = r->frontier;
	const PlanHeader *h = &r->plan->head;
	size_t better = 0;
	fputs("<li><b>Smallest budget.</b> ", r->out);
	if (!f) {
		fputs("<code>sluice frontier M.slu</code> compiles for budgets "
			"down to the smallest one that fits; <code>--frontier "
			"FILE</code> shows here what it found.</li>\n", r->out);
		return;
	}
	fputs("The lowest plan that was found for this program needs ", r->out);
	html_bytes(r->out, f->point[0].bytes);
	fputs(" and is predicted to take ", r->out);
	html_seconds(r->out, f->point[0].seconds);
	while (better < f->n && f->point[better].seconds > h->predicted_seconds)
		better++;
	if (better < f->n && f->point[better].bytes < h->arena_bytes) {
		fputs("; one of ", r->out);
		html_bytes(r->out, f->point[better].bytes);
		fprintf(r->out, " (<code>--memory %lld</code>) is lower than "
			"this one and predicted to be no slower, ",
			(long long)f->point[better].bytes);
		html_seconds(r->out, f->point[better].seconds);
	}
	fputs(".</li>\n", r->out);
}

void
report_advice(const Report *r)
{
	Shares s = shares_at(r->arena, r->plan, &r->time.use, r->time.peak);
	Bounds b = find_bounds(r);
	fputs("<h2>What would lower the peak</h2>\n", r->out);
	advise_composition(r, &s);
	fputs("<ul>\n", r->out);
	advise_placement(r);
	advise_phase(r, &b);
	advise_weights(r, &s, &b);
	advise_activations(r, &s);
	advise_rest(r, &s);
	advise_budget(r);
	fputs("</ul>\n", r->out);
}
