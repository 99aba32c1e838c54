/* image.c - the module with all kernels, as nvcc made it, inside the binary. */
#include "kernels/cuda/cuda.h"

#ifdef CUDA_FATBIN
__asm__(".section .rodata\n"
	".balign 16\n"
	"cuda_image_begin: .incbin \"" CUDA_FATBIN "\"\n"
	"cuda_image_end: .byte 0\n"
	".previous\n");
extern const char cuda_image_begin[], cuda_image_end[];

const void *
cuda_image(size_t *bytes)
{
	*bytes = (size_t)(cuda_image_end - cuda_image_begin);
	return cuda_image_begin;
}
#else
const void *
cuda_image(size_t *bytes)
{
	*bytes = 0;
	return NULL;
}
#endif
