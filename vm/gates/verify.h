/* verify.h - what the files of gate 2 share: one instruction with its
 * operands taken apart.
 *
 *   verify.c      walks the code; rules that hold for every op
 *   verify_ops.c  what an op wants of its operands beside their extents
 *   verify_shape.c  extents, by the rules in ir/shape.c
 */
#ifndef SLUICE_VERIFY_H
#define SLUICE_VERIFY_H

#include "kernels/target.h"
#include "vm/gates/budget.h"
#include "vm/plan/format.h"

/* One view of an operand; axes that it lacks have no dim. */
typedef struct Part {
	const PlanView *view;
	const PlanDim *dim[AXIS_MAX];
	AxisSet axes;
	DType dtype;
	BufferRole role;
} Part;

typedef struct Arg {
	int parts;              /* 0: left out */
	Part part[2];
} Arg;

typedef struct Verify {
	const Plan *p;
	const Target *target;
	PlanError *e;
	const uint32_t *weight_of;      /* by buffer: index of the weight that
	                                   it holds, PLAN_NONE */
	PlanCost cost;
	int64_t count[PLAN_REGS];       /* iterations of the open loop over the
	                                   register, 0: none is open */
	/* the current instruction */
	uint32_t insn;
	const PlanInsn *in;
	Op op;
	const Attr *attr;
	Arg arg[OPERANDS_MAX + 2];      /* result, operands, workspace */
} Verify;

#define refuse(v, ...) plan_fail_at((v)->p, (v)->e, (v)->insn, __VA_ARGS__)

/* Largest value over all iterations. */
int64_t affine_most(const Verify *v, const Affine *a);
int64_t affine_least(const Verify *v, const Affine *a);
/* Extent of a part along an axis, 1 when it lacks it. */
int64_t part_extent(const Part *x, int axis);
/* Whether a part has all of an axis in every iteration; lacking it counts. */
bool part_whole(const Verify *v, const Part *x, int axis);
/* The most indices of an axis that an iteration can have. */
int64_t part_most(const Verify *v, const Part *x, int axis);
/* Channels of an operand, those of both parts. */
int64_t arg_channels(const Arg *x);

/* What an op wants of `over`, checked before anything uses it. */
bool verify_attr(const Verify *v);
/* The other rules of the op; the general ones hold already. */
bool verify_op(const Verify *v);
/* The result's extents by the shape rule that the compiler uses. */
bool verify_shape(const Verify *v);

#endif
