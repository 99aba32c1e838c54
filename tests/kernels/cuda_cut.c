/* cuda_cut.c - the promise of cut.c, slices have the bits of the whole, on the
 * CUDA kernels in the shim. */
#include "tests/kernels/cuda/on_shim.h"

#ifdef SHIM
#include "tests/kernels/cut.c"
#else
SHIM_SKIP("slices of the CUDA kernels")
#endif
