/* operands.h - from a plan's views and the loop registers to the Views that
 * kernels take, and what can be said about an instruction from its Views alone
 * (size, work, finite or not).  Shared by exec.c and the commands; the checker
 * has its own arithmetic on purpose.
 */
#ifndef SLUICE_OPERANDS_H
#define SLUICE_OPERANDS_H

#include "kernels/box.h"
#include "vm/plan/plan.h"

/* result, operands, workspace */
enum { ARGS_MAX = OPERANDS_MAX + 2 };

/* All operands of a compute instruction into args[0 .. noperands - 1]; the rest
 * of args[ARGS_MAX] is marked absent. */
void operands_build(const Plan *p, char *arena, const PlanInsn *insn,
	const int64_t *r, Operand *args);
/* Floating point operations of a matrix op, 2 for each multiply-add; 0 for the
 * others. */
double operands_flops(Op op, const Operand *args, const Attr *attr);

#endif
