/* cuda_values.c - the values and corners of kernels.c on the CUDA kernels, in
 * the shim. */
#include "tests/kernels/cuda/on_shim.h"

#ifdef SHIM
#include "tests/kernels/kernels.c"
#else
SHIM_SKIP("values of the CUDA kernels")
#endif
