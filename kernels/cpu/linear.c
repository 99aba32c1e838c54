/* linear.c - y = act(x w + bias + row) + add: a convolution with one tap. */
#include "kernels/cpu/matrix.h"

KStatus
cpu_linear(const Ctx *ctx, const Operand *args, const Attr *attr)
{
	return matrix_run(ctx, OP_linear, args, attr);
}
