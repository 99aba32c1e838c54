/* ir.h - the graph that the language is elaborated into and that the passes
 * rewrite.
 *
 * A node makes one value: node id = value id, 0 = none.  Ids, never pointers,
 * between nodes; nodes stand in program order, so an operand's id is smaller
 * than its user's (but for a carry's `next`).  A graph and all it points to
 * live in one arena.
 */
#ifndef SLUICE_IR_H
#define SLUICE_IR_H

#include "ir/base/base.h"
#include "ir/ops.h"

enum { NODES_MAX = 200000, WEIGHT_RANK_MAX = 6 };

/* Element type and named axes of a value.  n[a] is the extent of axis a, and 0
 * when `axes` lacks it. */
typedef struct Type {
	DType dtype;
	AxisSet axes;
	int64_t n[AXIS_MAX];
} Type;

/* When a node runs.  Stages run in this order; ST_STEPS runs for all steps
 * before the loop begins and leaves a row for each. */
typedef enum Stage {
	ST_BEFORE, ST_STEPS, ST_LOOP, ST_AFTER, ST_COUNT
} Stage;

typedef struct Node {
	Op op;
	uint8_t stage;          /* Stage */
	uint8_t nin;
	uint32_t in[OPERANDS_MAX];      /* 0: an optional operand left out */
	Attr attr;
	Type type;
	uint32_t ref;           /* input, weight, table: index into the graph's
	                           list; rehash: index into strings */
	uint32_t site;          /* where it comes from: index into sites */
} Node;

/* Where a node was written. */
typedef struct Site {
	const char *file;       /* "" for what a pass made */
	int line;
	const char *scope;      /* "up_blocks.3.resnets.0.conv1", "" if none */
	const char *component;  /* "unet"; "" for a model compiled alone */
} Site;

/* A tensor of the weight file.  Matrices (of linear, conv, embed) are opaque to
 * the graph: the value's type is one axis c with all elements. */
typedef struct Weight {
	const char *component;  /* "" for a model compiled alone */
	const char *name;       /* full name in the file */
	int rank;
	int64_t dim[WEIGHT_RANK_MAX];   /* [out, in, k...] for matrices */
	bool matrix;
	Otherwise otherwise;    /* SINUSOID: rank 2, no matrix */
} Weight;

typedef struct Input {
	const char *name;
	Type type;
	bool per_step;          /* filled anew before each denoising step */
} Input;

/* A constant table with a row for each denoising step, f32. */
typedef struct Table {
	const char *name;
	int64_t rows, cols;     /* cols 1: the value is a scalar [], else [c] */
	const float *data;
} Table;

typedef struct Output {
	const char *name;
	uint32_t node;
	bool per_step;          /* one row for each step: [step, ...] */
} Output;

typedef struct Graph {
	Arena *arena;
	DType dtype;            /* the compilation's type */
	const char *name;       /* of the model or pipeline */
	int64_t steps;          /* of the denoising loop; 0: there is none */
	const char *axis_name[AXIS_MAX];
	Vec(Node) nodes;        /* nodes.at[0] is a dummy */
	Vec(Site) sites;        /* sites.at[0] is empty */
	Vec(Weight) weights;
	Vec(Input) inputs;
	Vec(Table) tables;
	Vec(Output) outputs;
	Vec(const char *) strings;
} Graph;

/* ---- graph.c ---- */
Graph *ir_new(Arena *a, DType dtype, const char *name);
/* Appends a node and returns its id.  The type must have been inferred. */
uint32_t ir_add(Graph *g, const Node *n);
/* Id of the weight of that component and name, added when new.  Returns
 * UINT32_MAX when it exists with another shape; shapes are the same when they
 * agree after leaving out extents of one. */
uint32_t ir_weight(Graph *g, const Weight *w);
/* Elements and bytes of a value.  Cannot overflow for a checked graph. */
int64_t type_elements(const Type *t);
int64_t type_bytes(const Type *t);
bool type_equal(const Type *a, const Type *b);  /* dtype, axes and extents */
/* Users of every node: users[first[i]] .. users[first[i + 1] - 1] are the ids
 * of the nodes that read node i.  Arrays from the arena. */
typedef struct Users {
	uint32_t *first, *user;
} Users;
Users ir_users(const Graph *g, Arena *a);
/* Drops nodes that no output needs, and renumbers.  `map` (or NULL) receives
 * the new id of every old node, 0 for dropped ones. */
void ir_sweep(Graph *g, uint32_t *map);
/* Floating point operations of a node (2 for a multiply-add). */
double node_flops(const Graph *g, const Node *n);

/* ---- shape.c ---- */
typedef struct ShapeError {
	char text[256];         /* what is wrong, in the language's words */
	char note[256];         /* the fix, or "" */
} ShapeError;
/* Infers n->type from op, operands and attributes; false with `err` filled
 * when the operands do not fit.  Ops whose result no operand determines
 * (leaves, expand, resize, index, embed, linear, conv, sinusoid, fill) read the
 * new extents that the caller has put into n->type.n before. */
bool ir_infer(const Graph *g, Node *n, ShapeError *err);
/* "f16[b=2, h=64, c=320]" into `buf` (at least 256 bytes); returns it. */
char *type_print(const Graph *g, const Type *t, char *buf);

/* ---- print.c ---- */
/* The graph as text, one line a node. */
void ir_print(const Graph *g, FILE *out);
/* One node, without a line end. */
void ir_print_node(const Graph *g, uint32_t id, FILE *out);

/* ---- check.c ---- */
/* Everything that must hold of a graph; aborts naming `pass`. */
void ir_check(const Graph *g, const char *pass);

#endif
