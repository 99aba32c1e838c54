/* work.c - how much workspace a call needs: so many bytes for each thread. */
#include "kernels/cpu/gemm.h"

#include "ir/base/base.h"

int64_t
cpu_work_bytes(Op op, const Operand *args, const Attr *attr, int threads)
{
	int64_t bytes = 0;
	if (op == OP_linear || op == OP_conv)
		bytes = matrix_work_bytes(op, args, attr);
	else if (op == OP_attend)
		bytes = attend_work_bytes(args, attr);
	return mul_sz(bytes, threads);
}
