/* compiler.h - from a graph to a plan.
 *
 * pipeline.c holds the pass table: start reading there.  A pass rewrites the
 * graph or fills in the schedule; emit.c turns both into a Plan.
 */
#ifndef SLUICE_COMPILER_H
#define SLUICE_COMPILER_H

#include "compiler/frontier.h"
#include "ir/ir.h"
#include "kernels/target.h"
#include "lang/lang.h"
#include "vm/plan/plan.h"

/* ---- pipeline.c ---- */
typedef enum SliceGoal {
	SLICE_DEFAULT,          /* lowest height within 5 % of the unsliced time */
	SLICE_NONE,             /* --unsliced */
	SLICE_LEAST,            /* --min-memory */
	SLICE_BUDGET,           /* --memory B: fastest that fits */
} SliceGoal;

typedef struct CompileOptions {
	LangOptions lang;
	const Target *target;   /* NULL: the CPU */
	int threads;            /* that workspaces are made for; 0: 8 */
	SliceGoal goal;
	int64_t budget;         /* bytes, with SLICE_BUDGET */
	bool bare;              /* each phase on its own with the fewest bytes,
	                           no weight there because there is room: to
	                           explain what a budget has to hold */
	const char *dump;       /* letters of the passes to print after, or NULL;
	                           letters are checked by the caller */
	const struct Profile *profile;  /* cost.h; NULL: the built-in one */
} CompileOptions;

/* Compiles a source to a verified plan (all three gates) in the arena.
 * Messages go to stderr; returns an exit code. */
int compile_source(Arena *a, const CompileOptions *o, Plan **plan);
/* The letters that `dump` may hold, in the order of the passes. */
const char *compile_dump_letters(Arena *a);
/* ---- frontier.c ---- */
/* Tries budgets from the smallest to that of the unsliced program; points live
 * in the arena.  Messages go to stderr; returns an exit code. */
int frontier_source(Arena *a, const CompileOptions *o, Frontier *f);
#endif
