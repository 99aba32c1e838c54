/* bench.h - the parts of `sluice bench`: running (cmd_bench.c), what the plan
 * predicted beside what was measured (bench_compare.c), reports
 * (bench_report.c).
 */
#ifndef SLUICE_BENCH_H
#define SLUICE_BENCH_H

#include "compiler/compiler.h"
#include "vm/vm.h"

/* Kernels whose time is compared: those of a group but for groups inside it,
 * or one outside of all groups. */
typedef struct BenchUnit {
	uint32_t insn;          /* its first kernel */
	uint32_t group;         /* PLAN_NONE: none */
	int64_t kernels;        /* in it */
	double predicted, measured;     /* seconds */
} BenchUnit;

typedef struct BenchCompare {
	BenchUnit *unit;        /* the longest (measured) first */
	size_t n;
	double predicted, measured;     /* of all */
	double op_predicted[OP_COUNT];
	/* measured / predicted of units: quarter, half, three quarters of them
	 * are below; 0 when nothing was predicted */
	double quarter, median, three_quarters;
} BenchCompare;

/* From t->insn_seconds.  Loading weights is left out: generated ones take other
 * times than those from a file.  Lives in the arena. */
BenchCompare bench_compare(Arena *a, const Plan *p, const VmTimes *t);

/* The report on stdout: for people, and as JSON. */
void bench_print(const Plan *p, const VmTimes *t, const BenchCompare *c);
void bench_print_json(const Plan *p, const VmTimes *t, const BenchCompare *c);

#endif
