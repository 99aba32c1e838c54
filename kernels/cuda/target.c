/* target.c - what the compiler, the gates and the loader ask about the CUDA
 * kernels.  It is there in every build: a plan for a GPU can be compiled and
 * proved anywhere.
 */
#include "kernels/cuda/cuda.h"
#include "kernels/target.h"

static bool
has_kernel(Op op)
{
	static const bool has[OP_COUNT] = {
#define NO_KERNEL(name_, attr_, flags_, operands_, doc_)
#define OP(name_, attr_, flags_, operands_, doc_) [OP_##name_] = true,
#include "ir/ops.def"
	};
	return has[op];
}

/* A grid needs no more for more threads of the host. */
static int64_t
work_bytes(Op op, const Operand *args, const Attr *attr, int threads)
{
	(void)threads;
	return cuda_work_bytes(op, args, attr);
}

const Target target_cuda = {
	.name = "cuda",
	.abi = 1,
	.layouts = 1,           /* rows of outputs: cuda_pack_rows */
	.providers = 1,
	.has_kernel = has_kernel,
	.work_bytes = work_bytes,
	.pack_rows = cuda_pack_rows,
};
