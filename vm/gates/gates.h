/* gates.h - what is proved of a plan before it runs, and what that may cost. */
#ifndef SLUICE_GATES_H
#define SLUICE_GATES_H

#include "vm/plan/plan.h"

/* ---- the budget of gates 2 and 3 together (budget.h) ---- */
#define PLAN_STEPS_MAX ((int64_t)400000000)
#define PLAN_BYTES_MAX ((int64_t)128 << 20)
typedef struct PlanCost {
	int64_t steps;          /* elementary ones, some nanoseconds each */
	int64_t bytes;          /* of the gates' own tables */
} PlanCost;

/* What the gates found and spent.  Zeroed before gate 2 and given to both, they
 * share the budget; NULL: one of its own. */
typedef struct CheckStats {
	PlanCost cost;
	int64_t instructions;   /* simulated, loops unrolled */
	int64_t peak_bytes;     /* highest byte touched */
	double seconds;         /* of gate 3 */
} CheckStats;

/* ---- plan_load.c: all of them ---- */
/* Reads a plan and passes it through gates 1 and 2 and, unless `unchecked`,
 * gate 3.  The plan lives in the arena.  NULL with the reason in `e`;
 * *code is EXIT_PLAN or EXIT_IO. */
Plan *plan_load(Arena *a, const char *path, bool unchecked, PlanError *e,
	int *code);

/* ---- verify.c: gate 2 ---- */
/* Each instruction's views satisfy its op's row and shape rule. */
bool plan_verify(const Plan *p, PlanError *e, CheckStats *stats);

/* ---- check.c: gate 3 ---- */
/* Proves the memory map by running the program over boxes of bytes (see
 * check.c).  Shares no code with the planner. */
bool plan_check(const Plan *p, PlanError *e, CheckStats *stats);

#endif
