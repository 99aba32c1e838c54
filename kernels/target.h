/* target.h - what can be asked about a target's kernels without a device: how
 * they want their weights and workspaces.
 *
 * A plan names its target.  Three tables are found by that name: this one, by
 * compiler, gates and loader; the device that runs the plan (vm/device/); and
 * how its time is counted (compiler/cost/).
 */
#ifndef SLUICE_TARGET_H
#define SLUICE_TARGET_H

#include "kernels/kernels.h"

typedef struct Target {
	const char *name;
	uint32_t abi;           /* changes when plans for older kernels of this
	                           target cannot run: other layouts of weights or
	                           workspaces */
	/* What plans for it may say: layouts of weights up to this number,
	 * kernels of so many providers (the first are its own), bytes in
	 * page-locked memory. */
	uint8_t layouts;
	uint16_t providers;
	bool pins;
	/* Whether there is a kernel of this op. */
	bool (*has_kernel)(Op op);
	/* Bytes of workspace that `op` needs for these operands (data pointers
	 * are not looked at) when at most `threads` threads run.  It does not
	 * depend on the extents of axes that are cut, only on c. */
	int64_t (*work_bytes)(Op op, const Operand *args, const Attr *attr,
		int threads);
	/* Stores file rows [row, row + count), `src` of type `from` in file
	 * order, into their places in the packed matrix `dst` of type `to`. */
	void (*pack_rows)(const MatrixLayout *m, DType to, void *dst,
		DType from, const void *src, int64_t row, int64_t count);
} Target;

/* The target of that name, NULL: there is none. */
const Target *target_find(const char *name);
/* Their names, for messages: "cpu, cuda". */
const char *target_names(void);

extern const Target target_cpu;         /* cpu_level.c */
extern const Target target_cuda;        /* cuda/target.c */

#endif
