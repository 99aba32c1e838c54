/* set.c - all of this folder as one table.  The folder is compiled once for each
 * level of instruction sets, and of its names only this table's stays visible:
 * the Makefile calls it kernels_LEVEL.
 */
#include "kernels/kernels.h"

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

extern const KernelSet KERNEL_SET;
const KernelSet KERNEL_SET = {
	.level = TEXT(KERNEL_LEVEL),
	.kernel = {
#define NO_KERNEL(name_, attr_, flags_, operands_, doc_)
#define OP(name_, attr_, flags_, operands_, doc_) [OP_##name_] = cpu_##name_,
#include "ir/ops.def"
	},
	.work_bytes = cpu_work_bytes,
	.pack_rows = pack_rows,
	.matrix_layout = matrix_layout,
	.convert = convert,
};
