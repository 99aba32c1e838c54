/* check_steps.c - which part of a denoising loop stands for the rest.
 *
 * Such a loop runs a long body for each step, and almost nothing in the body
 * depends on the step: rows of tables, perhaps rows of an output.  Steps 0 and 1
 * are walked in full; of the later ones, where this file allows it, only the views
 * that depend on r0 (*moving* ones) are, the others are *still*.  Why that finds
 * every fault:
 *
 * Let U be the places of all buffers that a moving view of the body names, W those
 * of them that a moving view writes (as a result or a workspace), each with all
 * its bytes.  Demanded is, of one iteration of the body,
 *
 *   (a) no still write (result, workspace, load) touches U;
 *   (b) no still read touches W (a look at an input that is filled anew before
 *       each step is one);
 *   (c) an instruction with a moving result runs in every iteration of the loops
 *       around it, or in the same ones in each step: no axis of its result that
 *       depends on r0 is ever empty.
 *
 * A still view lies at the same place in every step, and by (c) its instruction
 * runs in the same iterations (a result that is empty skips its instruction; the
 * emptiness of a still result does not depend on r0).  So the still accesses of
 * one step are those of every step, in one order, and (a) and (b), seen to hold in
 * step 1, hold in all.
 *
 * Outside U only still writes happen.  After step 0 the owner of each byte there
 * is the one that the body writes it last, or the one from before the loop where
 * the body does not; the body writes the same bytes again in each step, so every
 * step from 1 on begins with these owners.  The same is true of which weights are
 * under way: the body's last `load` or `wait` of a weight decides, or what was
 * before.  So as far as bytes outside U go, all steps from 1 on are one and the
 * same, and step 1 was walked.
 *
 * A still read of bytes of U lies outside W by (b), and by (a) nothing in the loop
 * writes there: their owners are those from before the loop, in step 1 as in all.
 *
 * A moving read or write touches only U, where by (a) only moving writes happen;
 * those are walked in each step and in their order.  A load under way that it
 * might meet was started before the loop, by (a), and if the body waits for it
 * then step 0 did.  Overlaps within one instruction with a moving view are looked
 * at in each step, for all its views.
 *
 * Behind the loop the owners are right, too: outside U by the second paragraph,
 * inside by the fourth.
 *
 * tests/check_random.c compares this with the full walk and with a map of bytes.
 */
#include "vm/gates/check.h"

#include <stdlib.h>

/* Numbers for SLUICE_DROP_CHECK. */
enum {
	STILL_WRITES = 101,     /* (a) */
	STILL_READS = 102,      /* (b) */
	EMPTY_STEPS = 103,      /* (c) */
	MOVING_WORK = 104,      /* W with workspaces */
};

static bool
demanded(int what)
{
	return what != SLUICE_DROP_CHECK;
}

/* ---- what moves ---- */

static bool
dim_moves(const PlanDim *d)
{
	return d->lo.step[0] || d->hi.step[0] || d->origin.step[0];
}

static bool
insn_moves(const Check *c, const PlanInsn *insn)
{
	const PlanOperand *o = &c->p->operands[insn->first_operand];
	for (uint32_t k = 0; insn->op < CTL_BASE && k < 2u * insn->noperands; k++) {
		uint32_t v = o[k / 2].view[k % 2];
		if (v != PLAN_NONE && c->by_step[v])
			return true;
	}
	return false;
}

bool
steps_find(Check *c, Arena *a)
{
	const Plan *p = c->p;
	uint32_t open[PLAN_NESTING];
	int depth = 0;
	if (!spend_bytes(&c->cost, p->n_views + (2
		+ (int64_t)sizeof *c->loop_end) * p->n_code))
		return check_cost(c) && false;
	c->main_loop = p->head.denoise;         /* gate 1 has looked at it */
	c->by_step = arena_alloc(a, p->n_views);
	c->insn_by_step = arena_alloc(a, p->n_code);
	c->loop_by_step = arena_alloc(a, p->n_code);
	c->loop_end = arena_array(a, p->n_code, sizeof *c->loop_end);
	for (uint32_t i = 0; i < p->n_views; i++) {
		const PlanView *v = &p->views[i];
		spend(&c->cost, v->ndim);
		for (uint32_t k = 0; k < v->ndim; k++)
			c->by_step[i] |= dim_moves(&p->dims[v->first_dim + k]);
	}
	for (uint32_t i = 0; i < p->n_code; i++) {
		const PlanInsn *insn = &p->code[i];
		spend(&c->cost, 2 * insn->noperands);
		if (insn->op == CTL_loop)
			open[depth++] = i;
		if (insn->op == CTL_next)
			c->loop_end[open[--depth]] = i;
		c->insn_by_step[i] = insn_moves(c, insn);
		for (int k = 0; k < depth; k++)
			c->loop_by_step[open[k]] |= c->insn_by_step[i];
	}
	return !overspent(&c->cost) || (check_cost(c) && false);
}

/* ---- spans ---- */

static int
compare_spans(const void *a, const void *b)
{
	const Span *x = a, *y = b;
	return x->first < y->first ? -1 : x->first > y->first;
}

static void
add_span(Check *c, SpanList *to, uint32_t view)
{
	const PlanBuffer *b = &c->p->buffers[c->p->views[view].buffer];
	spend(&c->cost, 32);            /* it is sorted, too */
	if (to->n == to->cap && !spend_bytes(&c->cost,
		(int64_t)sizeof(Span) * max64((int64_t)to->cap, 8)))
		return;
	*vec_push(to) = (Span){b->offset, b->offset + b->bytes};
}

/* Sorts the spans and joins those that meet. */
static void
join_spans(SpanList *list)
{
	size_t n = 0;
	if (list->n)
		qsort(list->at, list->n, sizeof *list->at, compare_spans);
	for (size_t i = 0; i < list->n; i++) {
		Span s = list->at[i];
		if (n && s.first <= list->at[n - 1].end)
			list->at[n - 1].end = max64(list->at[n - 1].end, s.end);
		else
			list->at[n++] = s;
	}
	list->n = n;
}

static bool
spans_meet(const SpanList *list, int64_t first, int64_t end)
{
	size_t lo = 0, hi = list->n;    /* the first span that ends behind `first` */
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (list->at[mid].end > first)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo < list->n && list->at[lo].first < end;
}

/* ---- one loop ---- */

/* The least (sign 1) or the negated most (sign -1) of a - b over all iterations
 * of the open loops. */
static int64_t
least(const Affine *a, const Affine *b, int64_t sign, const int64_t *count)
{
	int64_t x = sign * (a->base - b->base);
	for (int i = 0; i < PLAN_REGS; i++)
		x += min64(0, sign * (a->step[i] - b->step[i])
			* max64(count[i] - 1, 0));
	return x;
}

/* Whether the result has indices along each of its axes that depend on r0, in
 * every iteration. */
static bool
never_empty(const Check *c, uint32_t view, const int64_t *count)
{
	static const Affine zero;
	const PlanView *v = &c->p->views[view];
	for (uint32_t i = 0; i < v->ndim; i++) {
		const PlanDim *d = &c->p->dims[v->first_dim + i];
		Affine extent = {.base = d->extent};
		if (dim_moves(d) && (least(&d->hi, &d->lo, 1, count) < 1
			|| least(&d->hi, &zero, 1, count) < 1
			|| least(&d->lo, &extent, -1, count) < 1))
			return false;
	}
	return true;
}

/* The moving views of an instruction; false: its result may be empty (c). */
static bool
add_insn(Check *c, const PlanInsn *insn, const int64_t *count)
{
	const PlanOperand *o = &c->p->operands[insn->first_operand];
	int work = op_info[insn->op].flags & OPF_WORK ? 1 + op_nin((Op)insn->op)
		: -1;
	for (int k = 0; k < 2 * insn->noperands; k++) {
		uint32_t v = o[k / 2].view[k % 2];
		if (v == PLAN_NONE || !c->by_step[v])
			continue;
		add_span(c, &c->steps.used, v);
		if (!(k / 2) || (k / 2 == work && demanded(MOVING_WORK)))
			add_span(c, &c->steps.written, v);
	}
	uint32_t result = o[0].view[0];
	return !c->by_step[result] || never_empty(c, result, count)
		|| !demanded(EMPTY_STEPS);
}

void
steps_begin(Check *c)
{
	const Plan *p = c->p;
	const PlanInsn *loop = &p->code[c->pc];
	StepLoop *s = &c->steps;
	int64_t count[PLAN_REGS] = {0};
	s->used.n = s->written.n = 0;
	s->watched = s->apart = false;
	if (loop->a || loop->b != p->head.steps || loop->b < 3)
		return;
	s->apart = true;
	for (uint32_t i = c->pc; i < c->loop_end[c->pc] && s->apart; i++) {
		const PlanInsn *insn = &p->code[i];
		s->apart = spend(&c->cost, 1);
		if (insn->op == CTL_loop)
			count[insn->a] = insn->b;
		else if (insn->op == CTL_next)
			count[insn->a] = 0;
		else if (c->insn_by_step[i])
			s->apart = add_insn(c, insn, count);
	}
	join_spans(&s->used);
	join_spans(&s->written);
}

void
steps_next(Check *c, uint32_t begin)
{
	StepLoop *s = &c->steps;
	s->watched = s->apart && c->r[0] == 1;
	c->sparse = s->apart && c->r[0] > 1 && c->r[0] < c->p->code[begin].b;
}

void
steps_saw(Check *c, int64_t first, int64_t end, bool write)
{
	StepLoop *s = &c->steps;
	if (!s->watched || !s->apart || !spend(&c->cost, 4)
		|| !demanded(write ? STILL_WRITES : STILL_READS))
		return;
	s->apart = !spans_meet(write ? &s->used : &s->written, first, end);
}
