/* ops.h - what the compiler, the VM and the kernels must agree on: element
 * types, axes, ops with their attributes.  The ops themselves are the rows of
 * ops.def, and nowhere else.
 */
#ifndef SLUICE_OPS_H
#define SLUICE_OPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- element types ---- */
#define DTYPES(X) X(F32, "f32", 4) X(F16, "f16", 2) X(BF16, "bf16", 2) \
	X(I32, "i32", 4)
typedef enum DType {
#define X(id, name, bytes) DT_##id,
	DTYPES(X)
#undef X
	DT_COUNT
} DType;
const char *dtype_name(DType t);
int64_t dtype_bytes(DType t);
/* Element type of that name, DT_COUNT when there is none. */
DType dtype_find(const char *name);

/* ---- axes ----
 * An axis is a number below AXIS_MAX.  The numbers are in the fixed order of
 * the language (b f h w, declared ones, token c), so walking them upwards walks
 * a tensor from its slowest to its fastest axis.  AXIS_STEP is the compiler's
 * own: values computed for all denoising steps at once have it.
 */
enum {
	AXIS_STEP, AXIS_B, AXIS_F, AXIS_H, AXIS_W,
	AXIS_DECLARED,                  /* first of the declared axes */
	AXIS_TOKEN = 14, AXIS_C = 15,
	AXIS_MAX = 16,
	AXIS_DECLARED_MAX = AXIS_TOKEN - AXIS_DECLARED,
};
typedef uint16_t AxisSet;               /* bit i: axis i */
#define AXIS_BIT(a) ((AxisSet)(1u << (a)))

/* ---- activations that an epilogue or norm_apply can take along ---- */
#define ACTS(X) X(NONE, "none") X(SILU, "silu") X(GELU, "gelu") \
	X(GELU_TANH, "gelu_tanh") X(SIGMOID, "sigmoid")
typedef enum Act {
#define X(id, name) ACT_##id,
	ACTS(X)
#undef X
	ACT_COUNT
} Act;
const char *act_name(Act a);

/* What a weight holds where the files have no tensor of its name.  SINUSOID: row x
 * is that of the op sinusoid for x, sin_first and interleave. */
typedef enum Otherwise {
	OTHERWISE_MISSING, OTHERWISE_SINUSOID, OTHERWISE_COUNT
} Otherwise;

/* Attributes of an op.  One struct for all, plain data (it is stored in plan
 * files as it stands); what an op does not use is zero. */
#define ATTR_AXES(name)   AxisSet name;
#define ATTR_ACT(name)    uint8_t name;
#define ATTR_FLAG(name)   uint8_t name;
#define ATTR_AXIS(name)   uint8_t name;
#define ATTR_COUNT(name)  int32_t name;
#define ATTR_TRIPLE(name) int32_t name[3];
#define ATTR_INDEX(name)  int64_t name;
#define ATTR_ROWS(name)   int64_t name;
#define ATTR_REAL(name)   double name;
#define ATTR_SMALL(name)  double name;
typedef struct Attr {
#define ATTR(name, kind, doc) ATTR_##kind(name)
#define PAD(bytes) uint8_t pad_[bytes];
#include "ir/attrs.def"
} Attr;
#undef ATTR_AXES
#undef ATTR_ACT
#undef ATTR_FLAG
#undef ATTR_AXIS
#undef ATTR_COUNT
#undef ATTR_TRIPLE
#undef ATTR_INDEX
#undef ATTR_ROWS
#undef ATTR_REAL
#undef ATTR_SMALL

/* Their numbers, and sets of them. */
typedef enum AttrName {
#define ATTR(name, kind, doc) ATTR_##name,
#include "ir/attrs.def"
	ATTRS
} AttrName;
typedef uint32_t AttrSet;
#define ATTR_BIT(a) ((AttrSet)1 << (a))

/* ---- ops ---- */
typedef enum Op {
	OP_NONE,                /* node 0 of a graph; no op */
#define OP(name_, attr_, flags_, operands_, doc_) OP_##name_,
#include "ir/ops.def"
	OP_COUNT
} Op;

/* What an operand's axes mean to slicing (architecture.md, "axis behaviour");
 * ops_axis() turns a rule and an axis into a class. */
typedef enum AxisClass {
	AX_SAME,                /* out[i] needs in[i] */
	AX_FREE,                /* the operand lacks the axis, or has it on its
	                           own, not as the result's: weights; keys
	                           along an axis of queries */
	AX_WINDOW,              /* out[i] needs a bounded interval */
	AX_WHOLE,               /* everything is needed */
} AxisClass;

typedef enum OperandRule {
	RULE_NONE,
	RULE_EACH,              /* elementwise, broadcast by name */
	RULE_ROWS,              /* elementwise but for c, which is whole */
	RULE_WEIGHT,            /* free along every axis */
	RULE_CONV,              /* window along `over`, c whole */
	RULE_QUERY,             /* same along all but c */
	RULE_KEY,               /* whole along `over` and c, else same */
	RULE_UNITS,             /* norm_stats: same along f and h, whole along
	                           the other axes of `over` and c */
	RULE_OVER,              /* whole along `over` and c, else same */
	RULE_STATS,             /* norm_apply's statistics: c whole, else same */
	RULE_RESIZE,            /* window along `over`, else same */
	RULE_JOIN,              /* concat: whole along `axis`, else same */
} OperandRule;

enum {
	OPERANDS_MAX = 6,       /* inputs of an op */
	SAMPLE_COLS = 9,        /* numbers in a row of sample's table */
	OPF_LEAF = 1,           /* has no instruction: input, weight, ... */
	OPF_VIEW = 2,           /* changes only how a value is addressed */
	OPF_WORK = 4,           /* needs workspace (kernel_work_bytes) */
	OPF_EACH = 8,           /* elementwise: f32 operands give f32 */
	OPF_F32 = 16,           /* the result is always f32 */
	OPF_COPIES = 32,        /* no kernel: emitted as copies */
};

typedef struct OperandInfo {
	const char *name;
	OperandRule rule;
	bool optional;
	bool parts;             /* may come in two parts along c */
	bool inplace;           /* the result may take its place, when both are
	                           the same box of elements of one size */
} OperandInfo;

typedef struct OpInfo {
	const char *name;
	AttrSet attrs;          /* those that it uses */
	unsigned flags;         /* OPF_ */
	OperandInfo in[OPERANDS_MAX];
	const char *doc;
} OpInfo;

extern const OpInfo op_info[OP_COUNT];

/* Whether the op has the attribute. */
bool op_uses(Op op, AttrName a);
/* Operands in the op's row, optional ones counted. */
int op_nin(Op op);
/* Op of that name, OP_NONE when there is none. */
Op op_find(const char *name);
/* How the result's axis `axis` depends on the same axis of operand `operand`,
 * which has the axes `has`. */
AxisClass ops_axis(Op op, const Attr *attr, int operand, AxisSet has, int axis);
/* For AX_WINDOW: the interval [*lo, *hi) of the operand that the result's
 * [lo, hi) reads, before clamping to the operand's extent.  `in` and `out` are
 * the extents of the axis in operand and result. */
void ops_window(Op op, const Attr *attr, int axis, int64_t in, int64_t out,
	int64_t *lo, int64_t *hi);
/* Position of `axis` among the axes of `over`, counted upwards: the index into
 * kernel, stride, before, after. */
int over_index(AxisSet over, int axis);
/* A hash of every row of ops.def; plans of other tables are refused. */
uint64_t ops_hash(void);

#endif
