/* all.cu - all kernels as one module. */
#include "kernels/cuda/attend.cu"
#include "kernels/cuda/each.cu"
#include "kernels/cuda/matrix.cu"
#include "kernels/cuda/norm.cu"
#include "kernels/cuda/plain.cu"
