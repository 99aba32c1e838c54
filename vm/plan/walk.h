/* walk.h - walking a plan's code with its loops: where one is, in which
 * iteration, and how often what stands there runs.
 *
 * All that follows the code uses this, but gate 3 (vm/gates/check.c), which has
 * a walk of its own so that an error here does not excuse itself.  Two ways:
 *
 *   for (PlanWalk w = {0}; !walk_over(p, &w); walk_on(p, &w))      as it runs
 *   for (PlanWalk w = {0}; w.pc < p->n_code; walk_past(p, &w))     as it stands
 *
 * The plan's loops must nest (gate 1), those behind pc excepted.
 */
#ifndef SLUICE_WALK_H
#define SLUICE_WALK_H

#include "vm/plan/plan.h"

typedef struct PlanWalk {
	uint32_t pc;            /* the instruction one stands at */
	int depth;              /* loops around it; a `next` is inside its loop,
	                           a `loop` outside */
	uint32_t loop[PLAN_NESTING];    /* their `loop`s, outermost first */
	int64_t r[PLAN_REGS];   /* the registers; as the code stands all 0 */
} PlanWalk;

/* Goes past the instruction at pc as the program does: a `next` whose loop is
 * not over goes back to the loop's first instruction. */
void walk_on(const Plan *p, PlanWalk *w);
/* Whether the program has ended. */
bool walk_over(const Plan *p, const PlanWalk *w);
/* Whether the `next` at pc is about to leave its loop. */
bool walk_leaves(const Plan *p, const PlanWalk *w);
/* Makes the current iteration of the innermost loop its last one. */
void walk_last(const Plan *p, PlanWalk *w);

/* Goes to the following instruction of the listing. */
void walk_past(const Plan *p, PlanWalk *w);
/* Iterations of the open loop over register `reg`, 0 when none is open. */
int64_t walk_count(const Plan *p, const PlanWalk *w, int reg);
/* How often the instruction at pc is executed in a run: the one place that says
 * so.  Stops at the largest number. */
int64_t walk_runs(const Plan *p, const PlanWalk *w);
/* Loops around the instruction as it is printed: `next` below its `loop`. */
int walk_indent(const Plan *p, const PlanWalk *w);

/* walk_runs of every instruction, in the arena. */
int64_t *plan_runs(Arena *a, const Plan *p);
/* The `next` of every `loop`, 0 for other instructions, in the arena. */
uint32_t *plan_loop_ends(Arena *a, const Plan *p);

#endif
