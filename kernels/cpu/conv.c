/* conv.c - zero-padded correlation over one to three axes. */
#include "kernels/cpu/matrix.h"

KStatus
cpu_conv(const Ctx *ctx, const Operand *args, const Attr *attr)
{
	return matrix_run(ctx, OP_conv, args, attr);
}
