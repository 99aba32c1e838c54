/* gates.h - what is proved of a plan before it runs. */
#ifndef SLUICE_GATES_H
#define SLUICE_GATES_H

#include "vm/plan/plan.h"

/* ---- plan_load.c: all of them ---- */
/* Reads a plan and passes it through gates 1 and 2 and, unless `unchecked`,
 * gate 3.  The plan lives in the arena.  NULL with the reason in `e`;
 * *code is EXIT_PLAN or EXIT_IO. */
Plan *plan_load(Arena *a, const char *path, bool unchecked, PlanError *e,
	int *code);

/* ---- verify.c: gate 2 ---- */
/* Each instruction's views satisfy its op's row and shape rule. */
bool plan_verify(const Plan *p, PlanError *e);

/* ---- check.c: gate 3 ---- */
/* Proves the memory map by running the program over boxes of bytes (see
 * check.c).  Shares no code with the planner.  `stats` may be NULL. */
typedef struct CheckStats {
	int64_t instructions;   /* simulated, loops unrolled */
	int64_t peak_bytes;     /* highest byte touched */
	double seconds;
} CheckStats;
bool plan_check(const Plan *p, PlanError *e, CheckStats *stats);

#endif
