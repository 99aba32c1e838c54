/* mathf.h - the shared arithmetic of kernels/mathf.h for the instruction set
 * that a file is compiled for, and the activation of a row.
 */
#ifndef SLUICE_CPU_MATHF_H
#define SLUICE_CPU_MATHF_H

#include "kernels/cpu/vector.h"

#define MATHF_FN static inline
#define MATHF_FMA(a, b, c) kernel_fma(a, b, c)
#include "kernels/mathf.h"

/* The activation of n numbers, in place. */
static inline void
mathf_act(Act act, float *x, int64_t n)
{
	switch (act) {
	case ACT_NONE:
	case ACT_COUNT:
		break;
	case ACT_SILU:
		for (int64_t i = 0; i < n; i++)
			x[i] = mathf_silu(x[i]);
		break;
	case ACT_GELU:
		for (int64_t i = 0; i < n; i++)
			x[i] = mathf_gelu(x[i]);
		break;
	case ACT_GELU_TANH:
		for (int64_t i = 0; i < n; i++)
			x[i] = mathf_gelu_tanh(x[i]);
		break;
	case ACT_SIGMOID:
		for (int64_t i = 0; i < n; i++)
			x[i] = mathf_sigmoid(x[i]);
		break;
	}
}

#endif
