/* table.c - op -> kernel; the only file that knows which backends exist. */
#include "kernels.h"

static const Kernel cpu[OP_COUNT] = {
#define NO_KERNEL(name_, attr_, flags_, operands_, doc_)
#define OP(name_, attr_, flags_, operands_, doc_) [OP_##name_] = cpu_##name_,
#include "../ir/ops.def"
};

Kernel
cpu_kernel(Op op)
{
	return cpu[op];
}
