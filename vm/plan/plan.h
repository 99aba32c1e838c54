/* plan.h - the program that the compiler emits and the VM runs: straight-line
 * code with counted loops over one memory map.
 *
 * There are no pointers and no addresses that depend on data: every operand is
 * a view whose place is affine in the loop registers, so that everything can be
 * proved when the plan is loaded.  compiler/emit/ makes a plan; vm/plan/ writes
 * and reads it (gate 1: format), prints it and walks its code (walk.h);
 * vm/gates/ proves it (gate 2: types, gate 3: memory); vm/ runs it.
 *
 * All records are plain little-endian data, stored in the file as they stand.
 * Names are offsets into `strings`; 0 is the empty string.
 */
#ifndef SLUICE_PLAN_H
#define SLUICE_PLAN_H

#include "ir/base/base.h"
#include "ir/ops.h"

enum {
	PLAN_VERSION = 3,
	PLAN_REGS = 4,          /* r0 is the denoising step in a plan with steps */
	PLAN_NESTING = 4,       /* loops within loops; one register each */
	PLAN_ALIGN = 256,       /* of every buffer's offset */
};
#define PLAN_NONE UINT32_MAX

/* base + sum of step[i] * r[i] */
typedef struct Affine {
	int64_t base;
	int64_t step[PLAN_REGS];
} Affine;

typedef enum BufferRole {
	BUF_VALUE, BUF_WEIGHT, BUF_WORK, BUF_INPUT, BUF_OUTPUT, BUF_TABLE,
	BUF_ROLE_COUNT
} BufferRole;

/* One place in the arena.  Its bytes belong to it alone while it lives, that
 * is from the instruction `first` that writes it first to `last` that reads it
 * last (for pictures and reports; the checker finds out by itself).
 * BUF_INPUT and BUF_TABLE are filled before the program starts (a per_step input
 * also before each denoising step), BUF_OUTPUT is read after it ends, BUF_WEIGHT
 * is written by `load`.
 *
 * What `crosses` a step is what a run can go on from at its end: with weights,
 * tables and per_step inputs, which come from outside, nothing else is read
 * later. */
typedef struct PlanBuffer {
	int64_t offset, bytes;
	uint32_t name;
	uint8_t role, dtype;    /* BufferRole, DType */
	uint8_t crosses;        /* 1: holds, at the end of a denoising step, what
	                           later steps or what follows them may read */
	uint8_t pad_;
	uint32_t first, last;
} PlanBuffer;

/* One axis of a view.  The value has `extent` indices there; the view is the
 * box [lo, hi), each end clamped to 0 .. extent.  Index i lies
 * (i - origin) * stride elements behind the view's base. */
typedef struct PlanDim {
	uint8_t axis;
	uint8_t pad_[7];
	int64_t extent, stride;
	Affine lo, hi, origin;
} PlanDim;

/* A box in a buffer; `base` is in elements of the buffer's type.  Dims are in
 * the order of their axes, all different. */
typedef struct PlanView {
	uint32_t buffer, first_dim, ndim;
	uint8_t by_step;        /* 1: the denoising step decides where it lies */
	uint8_t pad_[3];
	int64_t base;
} PlanView;

/* view[1] != PLAN_NONE: two parts along c; view[0] == PLAN_NONE: left out. */
typedef struct PlanOperand {
	uint32_t view[2];
} PlanOperand;

enum { CTL_BASE = 256 };        /* opcodes below are rows of ops.def */
typedef enum Control {
	CTL_FIRST_ = CTL_BASE - 1,
#define CONTROL(name, doc) CTL_##name,
#include "vm/plan/control.def"
	CTL_END
} Control;

/* A compute instruction has noperands = 1 (result) + nin of its row, + 1 for
 * the workspace when its row has OPF_WORK. */
typedef struct PlanInsn {
	uint16_t op;            /* Op or Control */
	uint16_t noperands;
	uint32_t attr;          /* index into attrs; control: 0 */
	uint32_t first_operand;
	uint32_t a, b;          /* control: see control.def */
	uint32_t debug;         /* index into debugs */
	float seconds;          /* predicted, of one execution */
	uint16_t provider;      /* whose kernel: 0 the target's own, others as the
	                           target numbers them; control: 0 */
	uint16_t pad_;
} PlanInsn;

/* How the numbers of a weight lie: as in the file, or in an order of the
 * target's, of which the first is the one for matrices of `rows cols taps` that
 * its linear and conv read. */
enum { LAYOUT_PLAIN, LAYOUT_MATRIX };

/* A weight as the file has it, and the buffer it is loaded to. */
typedef struct PlanWeight {
	uint32_t component, name;       /* strings */
	uint32_t buffer;
	uint8_t rank, layout;
	uint8_t otherwise;      /* Otherwise: where the files lack it */
	uint8_t pad_;
	int64_t dim[6];
	int64_t rows[2], cols[2], taps; /* MatrixLayout */
} PlanWeight;

/* A program's input or output: dense, axes in order, c fastest. */
typedef struct PlanPort {
	uint32_t name, buffer;
	uint8_t dtype;
	uint8_t per_step;       /* an input that is filled anew before each
	                           iteration of the denoising loop */
	AxisSet axes;
	uint8_t pad2_[4];
	int64_t n[AXIS_MAX];
} PlanPort;

/* A constant table: `bytes` of `data` (an offset into the plan's blob) are
 * copied to the buffer before the program starts. */
typedef struct PlanTable {
	uint32_t name, buffer;
	int64_t data, bytes;
} PlanTable;

/* Where an instruction comes from. */
typedef struct PlanDebug {
	uint32_t file, line;
	uint32_t scope, component;      /* strings */
	uint32_t phase;         /* index into phases */
	uint32_t group;         /* index into groups, PLAN_NONE: none */
} PlanDebug;

/* encode, loop, decode: [first, last] are instructions. */
typedef struct PlanPhase {
	uint32_t name;
	uint32_t first, last;
	uint32_t peak_insn;
	int64_t peak_bytes;     /* largest sum of live bytes, at peak_insn */
	double predicted_seconds;
} PlanPhase;

/* A loop over slices. */
typedef struct PlanGroup {
	uint32_t name;          /* scope path of its first op */
	uint32_t first, last;   /* the `loop` and its `next` */
	uint8_t axis, reg;
	uint8_t pad_[2];
	int64_t slice, count;   /* indices in a slice, number of slices */
	int64_t peak_bytes;     /* largest live sum inside */
	double predicted_seconds;
} PlanGroup;

/* The model's graph, for pictures: one node for each value that is computed. */
typedef struct PlanNode {
	uint32_t name, type, scope, component;   /* strings: op, "f32[h=4]" */
	uint32_t first_edge, nedges;    /* into edges: ids of operands' nodes */
	uint32_t insn;          /* that makes it, PLAN_NONE: none */
	uint32_t stage;
} PlanNode;

typedef struct PlanHeader {
	char magic[8];          /* "SLUICE\0\0" */
	uint32_t version, dtype;
	uint64_t ops_hash;
	uint32_t name, target;  /* strings: "text_to_video", "cpu" */
	uint32_t abi;           /* of the target's kernels: workspaces, layouts */
	uint32_t threads;       /* workspaces are big enough for so many */
	uint32_t steps;         /* denoising steps; 0: none */
	uint32_t denoise;       /* the `loop` over them, PLAN_NONE: none; loops in
	                           front of it may fill tables for all steps */
	/* the spaces */
	int64_t arena_bytes;    /* the device: = the highest byte of any buffer */
	int64_t pinned_bytes;   /* the host, page-locked */
	int64_t host_bytes;     /* the host: staging for weights */
	int64_t load_bound;     /* largest sum of live bytes */
	int64_t floor_bound;    /* no slicing of this order needs less; 0: not
	                           known */
	int64_t weights_bytes;  /* sum of all weights as stored here */
	int64_t weights_peak;   /* largest live sum of weights */
	int64_t unsliced_bytes; /* arena of the same program without slices */
	double unsliced_seconds, predicted_seconds, flops;
	uint32_t order_proven, placement_proven;
	uint32_t profile;       /* string: name of the device profile */
	uint32_t axis_name[AXIS_MAX];   /* strings */
	uint32_t pad_;
} PlanHeader;

/* The sections of a plan and the type of their records. */
#define PLAN_SECTIONS(X) \
	X(char, strings) X(PlanBuffer, buffers) X(PlanView, views) \
	X(PlanDim, dims) X(PlanOperand, operands) X(Attr, attrs) \
	X(PlanInsn, code) X(PlanWeight, weights) X(PlanPort, inputs) \
	X(PlanPort, outputs) X(PlanTable, tables) X(PlanDebug, debugs) \
	X(PlanPhase, phases) X(PlanGroup, groups) X(PlanNode, nodes) \
	X(uint32_t, edges) X(char, blob)

typedef struct Plan {
	PlanHeader head;
#define X(type, name) type *name; uint32_t n_##name;
	PLAN_SECTIONS(X)
#undef X
	double compile_seconds; /* no part of the file: 0 when read from one */
} Plan;

/* Name of an opcode, compute or control; NULL when there is none. */
const char *plan_op_name(uint16_t op);

static inline int64_t
affine_at(const Affine *a, const int64_t *r)
{
	int64_t v = a->base;
	for (int i = 0; i < PLAN_REGS; i++)
		v += a->step[i] * r[i];
	return v;
}

/* Whether the `load` at `pc` is waited for by the next instruction. */
static inline bool
plan_waits_at_once(const Plan *p, uint32_t pc)
{
	return pc + 1 < p->n_code && p->code[pc + 1].op == CTL_wait
		&& p->code[pc + 1].a == p->code[pc].a;
}

/* Whether the denoising step decides where a view of that axis lies; only in a
 * plan with steps. */
static inline bool
dim_by_step(const PlanDim *d)
{
	return d->lo.step[0] || d->hi.step[0] || d->origin.step[0];
}

/* ---- errors: text of what was refused, and where ---- */
typedef struct PlanError {
	char text[512];
} PlanError;

/* ---- save.c ---- */
/* Writes the plan to `path` whole or not at all (OutFile); false with the
 * reason in `e`. */
bool plan_save(const Plan *p, const char *path, PlanError *e);
/* Hash of all that the plan's file would hold: equal programs, options and
 * machines give equal ones. */
uint64_t plan_hash(const Plan *p);

/* ---- load.c ---- */
/* Gate 1 alone, from a file: what a reader needs that runs nothing (`dis`). */
Plan *plan_read(Arena *a, const char *path, PlanError *e, int *code);
/* Gate 1 alone, from memory; `data` need not be aligned and is not kept. */
Plan *plan_parse(Arena *a, const void *data, size_t size, PlanError *e);

/* ---- dis.c ---- */
void plan_print(const Plan *p, FILE *out);
void plan_print_json(const Plan *p, FILE *out);
/* One instruction as a line without a line end. */
void plan_print_insn(const Plan *p, uint32_t insn, FILE *out);

#endif
