/* compiler.h - from a graph to a plan.
 *
 * pipeline.c holds the pass table: start reading there.  A pass rewrites the
 * graph or fills in the schedule; emit.c turns both into a Plan.
 */
#ifndef SLUICE_COMPILER_H
#define SLUICE_COMPILER_H

#include "../ir/ir.h"
#include "../lang/lang.h"
#include "../vm/plan.h"
#include "../vm/vm.h"
#include "../kernels/kernels.h"

/* ---- pipeline.c ---- */
typedef enum SliceGoal {
	SLICE_DEFAULT,          /* lowest height within 5 % of the unsliced time */
	SLICE_NONE,             /* --unsliced */
	SLICE_LEAST,            /* --min-memory */
	SLICE_BUDGET,           /* --memory B: fastest that fits */
} SliceGoal;

typedef struct CompileOptions {
	LangOptions lang;
	const char *device;     /* "cpu" */
	int threads;            /* that workspaces are made for; 0: 16 */
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
/* The plan's summary: for people, and as the JSON object that architecture.md
 * promises. */
void summary_print(const Plan *p, FILE *out);
void summary_print_json(const Plan *p, FILE *out);
/* The largest buffers that live at an instruction, one a line. */
void summary_print_live(const Plan *p, uint32_t insn, FILE *out);

/* ---- frontier.c ----
 * Memory against predicted time over all budgets. */
typedef struct FrontierPoint {
	int64_t bytes;          /* height of a quick placement; `compile --memory`
	                           searches for longer and needs no more */
	double seconds;         /* predicted, of the whole program */
	uint32_t groups;
	int64_t loaded_bytes;   /* of weights read in the whole run */
} FrontierPoint;

typedef struct Frontier {
	FrontierPoint unsliced; /* no loops, weights resident */
	FrontierPoint *point;   /* by rising bytes and falling seconds; each is
	                           better than all others in one of them */
	size_t n;
} Frontier;

/* Tries budgets from the smallest to that of the unsliced program; points live
 * in the arena.  Messages go to stderr; returns an exit code. */
int frontier_source(Arena *a, const CompileOptions *o, Frontier *f);
/* As a drawing: SVG, one file without references; `here` is marked, or NULL. */
void frontier_draw(const Frontier *f, const FrontierPoint *here,
	const char *title, FILE *out);

/* ---- place.c: the placement engine ----
 * Offsets for items that live over [first, last) of any integer time, such
 * that no two items that live at the same time share a byte.  (`sluice place`
 * is its own front end.) */
typedef struct PlaceItem {
	int64_t first, last;    /* half-open; first < last */
	int64_t bytes;          /* > 0 */
	int64_t align;          /* of the offset, >= 1 */
	int64_t offset;         /* result */
} PlaceItem;

typedef struct PlaceOptions {
	int64_t capacity;       /* stop at the first height <= this; 0: lowest */
	double deadline;        /* seconds of search; 0: greedy orders only.
	                           Infinite: until proven */
	int64_t nodes;          /* budget of search nodes, for results that do
	                           not depend on time; 0: none */
} PlaceOptions;

typedef struct PlaceResult {
	int64_t height;         /* largest offset + bytes */
	int64_t load_bound;     /* largest sum of live bytes */
	bool proven;            /* no placement is lower */
	double seconds;
	int64_t nodes;
} PlaceResult;

/* Always fills valid offsets and the result. */
void place(PlaceItem *items, size_t n, const PlaceOptions *o,
	PlaceResult *result);

/* ---- commands: each takes its own argv (argv[0] the command's name) and
 * returns the exit code ---- */
int cmd_compile(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_generate(int argc, char **argv);
int cmd_dot(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_diff(int argc, char **argv);
int cmd_dis(int argc, char **argv);
int cmd_frontier(int argc, char **argv);
int cmd_verify(int argc, char **argv);
int cmd_bench(int argc, char **argv);
int cmd_tokenize(int argc, char **argv);
int cmd_sampler(int argc, char **argv);
int cmd_place(int argc, char **argv);

#endif
