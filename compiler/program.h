/* program.h - what the passes share while a graph becomes a plan: the graph,
 * the order of its nodes with the loops around them, lifetimes and places.
 *
 *   passes/     canonical form, epilogues, work that leaves the denoising loop
 *   schedule/   the order of nodes, loops over slices, streamed weights and
 *               when their loads begin
 *   memory/     order and loops to a code list (instructions to be), storages
 *               with their lifetimes over it, their offsets
 *   emit/       code and places to a Plan; any of this as text
 */
#ifndef SLUICE_PROGRAM_H
#define SLUICE_PROGRAM_H

#include "compiler/compiler.h"
#include "compiler/place/place.h"
#include "ir/view.h"
#include "kernels/kernels.h"

enum { LOOP_NONE = -1, LOOPS_DEEP = PLAN_REGS };

/* Indices that iteration r of a loop computes of a value along the loop's axis:
 * [step r + lo, step r + hi), clamped to the extent. */
typedef struct Slice {
	int64_t step, lo, hi;
} Slice;

/* A group: nodes order[first] .. order[last] run for each slice of an axis.
 * Loops nest or are disjoint. */
typedef struct Loop {
	uint32_t first, last;   /* positions in the order */
	int axis, reg;
	int64_t slice, count;
	int parent;             /* index into loops, LOOP_NONE */
	bool outer;             /* around much of a stage: streamed weights
	                           come and go inside it */
} Loop;

/* What is decided about a node. */
typedef struct NodePlan {
	uint32_t position;      /* in the order; UINT32_MAX: no instruction */
	int loop;               /* innermost loop, LOOP_NONE */
	Slice slice[AXIS_MAX];  /* step 0: the axis is not sliced */
} NodePlan;

/* Where a weight begins to be loaded: in front of what stands at `position` of
 * the order, directly inside `loop`. */
typedef struct Issue {
	uint32_t position;      /* UINT32_MAX: right before it is waited for */
	int loop;               /* index into loops, LOOP_NONE */
} Issue;

/* One item of the code list.  (A step is always one of denoising.) */
typedef enum CodeKind {
	CODE_NODE, CODE_LOOP, CODE_NEXT, CODE_LOAD, CODE_WAIT
} CodeKind;

typedef struct CodeItem {
	CodeKind kind;
	uint32_t id;            /* node, loop (index into loops; UINT32_MAX: the
	                           loop over denoising steps) or weight */
	int64_t count;          /* CODE_LOOP: iterations */
	bool denoises;          /* the loop over steps that denoises, not one in
	                           front of it that fills tables for all steps;
	                           and its end */
} CodeItem;

/* Bytes in the arena: a value that has a place of its own, a workspace, a
 * weight, an input, a table. */
typedef struct Storage {
	BufferRole role;
	uint32_t id;            /* node (value, work), weight, input, table */
	const char *name;
	DType dtype;
	AxisSet axes;           /* of the buffer, dense in their order */
	int64_t n[AXIS_MAX];    /* extents of the buffer */
	Slice origin[AXIS_MAX]; /* lo, step: index at the buffer's start */
	int64_t bytes, offset;
	uint32_t first, last;   /* items during which it lives, both included */
	uint32_t same_as;       /* in place of that storage; UINT32_MAX: none */
} Storage;

typedef struct Program {
	Arena *arena;
	const CompileOptions *options;
	Graph *graph;
	const Target *target;
	int threads;
	Vec(uint32_t) order;    /* nodes that have an instruction */
	bool order_proven;      /* no order needs less without loops */
	Vec(Loop) loops;
	NodePlan *plan;         /* by node */
	bool *streamed;         /* by node: a weight that is loaded anew for
	                           each use in a loop, not once before it */
	Issue *issue;           /* by node: of a weight */
	Vec(CodeItem) code;     /* what pass_code makes */
	Vec(Storage) storages;
	uint32_t *storage_of;   /* by node: its value's storage, UINT32_MAX */
	uint32_t *work_of;      /* by node: its workspace's storage */
	uint32_t *table_storage;        /* by table */
	int64_t *live;          /* by item of code: bytes of all that lives then */
	int64_t height;         /* after placement */
	int64_t floor;          /* lower bound of the height of any slicing */
	int64_t unsliced_height;        /* of the same order without loops */
	double unsliced_seconds;
	PlaceResult placed;
	double compile_start;
	Plan *out;
} Program;

/* Where one is in the code list: in a loop
 *   for (CodeWalk w = {0}; w.at < p->code.n; code_past(p, &w))
 * `at` is the item, `loop` the CODE_LOOPs around it, outermost first; a CODE_NEXT
 * is inside its loop, a CODE_LOOP outside. (memory/code_walk.c) */
typedef struct CodeWalk {
	uint32_t at;
	int depth;
	uint32_t loop[LOOPS_DEEP];
} CodeWalk;
void code_past(const Program *p, CodeWalk *w);
/* How often the item is executed: in a run, and, the loop over denoising steps
 * aside, in a step. */
int64_t code_runs(const Program *p, const CodeWalk *w);
int64_t code_runs_in_step(const Program *p, const CodeWalk *w);
/* A loop over denoising steps, or its end. */
bool code_over_steps(const CodeItem *item);

/* Bytes of workspace that a node's instruction needs. (memory/live.c) */
int64_t node_work_bytes(const Program *p, uint32_t node);
/* Predicted seconds of a node in one denoising step, all its slices together:
 * once for each slice of its result with its halo, and again for each iteration
 * of loops over axes that it lacks (*repeats, NULL: not asked). (cost/predict.c) */
double node_seconds(const Program *p, uint32_t node, double *repeats);

/* Code, storages and a placement of what is decided so far: height and live.
 * A quick one, unless its height is over `within` (0: no limit is asked for) and
 * the load is not: then a short search tries to get there. (memory/layout.c) */
void program_measure(Program *p, int64_t within);

/* Reads a source and runs the passes up to its order; NULL with an exit code when
 * it has errors.  program_free frees what is not in the arena. (pipeline.c) */
Program *program_order(Arena *a, const CompileOptions *o, int *code);
void program_free(Program *p);

/* Prints what the pass of that letter and name has decided: the body of
 * --dump. (emit/dump.c) */
void dump_pass(const Program *p, char letter, const char *name);

/* A pass. needs/makes are stated at each definition. */
void pass_canonicalize(Program *p);
void pass_hoist(Program *p);
void pass_fuse(Program *p);
void pass_order(Program *p);
void pass_group(Program *p);
void pass_prefetch(Program *p);
void pass_code(Program *p);
void pass_live(Program *p);
void pass_place(Program *p);
void pass_emit(Program *p);

#endif
