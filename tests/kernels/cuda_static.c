/* cuda_static.c - what nvcc says of the kernels: no stack, no spills, as many
 * blocks on an SM as shapes.c counts on, few instances, a small module.
 */
#include "ir/base/base.h"
#include "kernels/cuda/cuda.h"
#include "kernels/cuda/shapes.h"
#include "tests/lib/test.h"

#include <stdlib.h>

enum { INSTANCES_MAX = 48, IMAGE_MAX = 12 << 20 };

/* Blocks of a matrix kernel that must fit on an SM: a 3x3 window on 8 x 16
 * pixels. */
static const struct {
	int sm, shape, blocks;
} wanted[] = {
	{75, SHAPE_64, 1}, {75, SHAPE_160, 1},
	{80, SHAPE_128, 2}, {80, SHAPE_160, 2}, {80, SHAPE_64, 2},
	{86, SHAPE_128, 2}, {86, SHAPE_64, 2},
	{89, SHAPE_128, 2}, {89, SHAPE_64, 2},
	{90, SHAPE_128, 2}, {90, SHAPE_160, 2}, {90, SHAPE_64, 2},
	{120, SHAPE_128, 2}, {120, SHAPE_64, 2},
};

static void
check_blocks(const char *kernel, int sm, int registers)
{
	for (size_t i = 0; i < COUNT_OF(wanted); i++) {
		const MatrixShape *s = &matrix_shapes[wanted[i].shape];
		const CudaArch *a = cuda_arch(sm);
		MatrixArgs p = {.kernel = {1, 3, 3}, .stride = {1, 1, 1},
			.tile = {1, 8, 16}, .stages = a->stages};
		if (wanted[i].sm != sm || (strcmp(kernel, s->f16)
				&& strcmp(kernel, s->bf16)))
			continue;
		p.a_stages = 1 + (p.stages + 8) / 9;
		int shared = matrix_shared(wanted[i].shape, &p);
		int n = cuda_blocks(a, registers, shared, s->threads);
		CHECK(n >= wanted[i].blocks, "%s on sm_%d: %d blocks of %d "
			"registers and %d bytes", kernel, sm, n, registers,
			shared);
	}
}

/* nvcc's log: three lines for each kernel and architecture. */
static int
check_log(FILE *f)
{
	char line[512], kernel[128] = "";
	int sm = 0, kernels = 0, stack, store, load, registers;
	while (fgets(line, sizeof line, f)) {
		char *at = strstr(line, "entry function '");
		if (at && sscanf(at, "entry function '%127[^']' for 'sm_%d'",
				kernel, &sm) == 2)
			kernels++;
		if (sscanf(line, " %d bytes stack frame, %d bytes spill stores, "
				"%d bytes spill loads", &stack, &store, &load) == 3)
			CHECK(stack + store + load == 0, "%s on sm_%d: %d bytes "
				"of stack, %d of spills", kernel, sm, stack,
				store + load);
		at = strstr(line, "Used ");
		if (at && sscanf(at, "Used %d registers", &registers) == 1)
			check_blocks(kernel, sm, registers);
		CHECK(!strstr(line, "warning"), "%s", line);
	}
	return kernels;
}

int
main(void)
{
	const char *build = getenv("BUILD");
	char path[4096];
	size_t bytes = 0;
	const void *image = cuda_image(&bytes);
	snprintf(path, sizeof path, "%s/nvcc.log", build ? build : "build");
	FILE *f = image ? fopen(path, "r") : NULL;
	if (!f) {
		puts("ok what nvcc says of the kernels # skip: no nvcc");
		return 0;
	}
	test("what nvcc says of the kernels");
	int kernels = check_log(f);
	fclose(f);
	CHECK(kernels > 0 && bytes > 0 && bytes < IMAGE_MAX, "%d kernels, "
		"%zu bytes", kernels, bytes);
	printf("# %d kernels for all architectures, %zu bytes\n", kernels,
		bytes);
	return test_end();
}
