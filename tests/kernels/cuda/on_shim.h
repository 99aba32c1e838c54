/* on_shim.h - the random calls of cases.h on the CUDA kernels in the shim: what
 * a test includes in front of cases.h.  Kernels may touch the bytes between the
 * first and the last element of their views, and no others.
 */
#ifndef SLUICE_ON_SHIM_H
#define SLUICE_ON_SHIM_H

#include "kernels/cuda/cuda.h"
#include "kernels/cuda/shapes.h"
#include "tests/kernels/cuda/shim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef SHIM
/* The whole of a test where there is no g++ or another processor. */
#define SHIM_SKIP(name) \
	int main(void) \
	{ \
		puts("ok " name " # skip: the shim needs g++ and x86-64"); \
		return 0; \
	}
#endif
#define CASE_ELSEWHERE

/* The device that launches are for (SHIM_SM), and the families in plain form. */
static CudaChoice shim_choice = {.sm = 80};

static inline void
shim_choose(void)
{
	const char *sm = getenv("SHIM_SM");
	if (sm)
		shim_choice.sm = atoi(sm);
}

static inline void
shim_allow_view(const View *v, bool write)
{
	int64_t first = 0, last = 0;
	for (int a = 0; a < AXIS_MAX; a++) {
		if (v->n[a] == 0)
			return;
		int64_t far = (v->n[a] - 1) * v->stride[a];
		*(far < 0 ? &first : &last) += far;
	}
	int64_t size = dtype_bytes(v->dtype);
	shim_allow(v->data + first * size, (size_t)((last - first + 1) * size),
		write);
}

/* How often each kernel ran, by its number in the shim's list. */
static int64_t shim_runs[64];

static inline void
shim_note(const char *kernel)
{
	for (int i = 0; i < 64 && shim_kernel(i); i++)
		shim_runs[i] += !strcmp(shim_kernel(i), kernel);
}

static inline bool
case_all_ran(void)
{
	bool all = true;
	for (int i = 0; i < 64 && shim_kernel(i); i++) {
		const char *name = shim_kernel(i);
		/* what shapes.c has no use for there */
		bool newer = shim_choice.sm < 80 && (strstr(name, "bf16")
			|| !strcmp(name, matrix_shapes[SHAPE_128].f16));
		if (!shim_runs[i] && !newer && strcmp(name, "nonfinite")) {
			printf("# %s never ran\n", name);
			all = false;
		}
	}
	return all;
}

/* Whether a call would run a kernel that has not run yet. */
static inline bool
case_fresh(Op op, const Operand *args, const Attr *attr)
{
	Launch launch[LAUNCHES_MAX];
	int n = cuda_launches(op, args, attr, &shim_choice, launch);
	for (int i = 0; i < n; i++)
		for (int k = 0; k < 64 && shim_kernel(k); k++)
			if (!strcmp(shim_kernel(k), launch[i].kernel))
				return shim_runs[k] == 0;
	return false;
}

static inline KStatus
shim_run(Op op, const Operand *args, const Attr *attr, int threads)
{
	Launch launch[LAUNCHES_MAX];
	shim_choose();
	int n = cuda_launches(op, args, attr, &shim_choice, launch), bad = 0;
	int all = 1 + op_nin(op) + (op_info[op].flags & OPF_WORK ? 1 : 0);
	shim_allow_clear();
	for (int i = 0; i < all; i++)
		for (int p = 0; p < args[i].parts; p++)
			shim_allow_view(&args[i].part[p], i == 0
				|| i > op_nin(op));
	shim_options.shuffle = (unsigned)threads - 1;
	for (int i = 0; i < n; i++) {
		const Launch *l = &launch[i];
		int errors = shim_launch(l->kernel, &l->args, l->args_bytes,
			l->grid, l->block, (size_t)l->shared);
		if (errors < 0)
			printf("# the shim has no such launch: %s\n",
				l->kernel);
		bad += errors != 0;
		shim_note(l->kernel);
	}
	return n < 0 || bad ? K_UNSUPPORTED : K_OK;
}

/* What cases.h asks for. */
#define case_on_device true
#define case_work_bytes(op, args, attr, threads) \
	((void)(threads), cuda_work_bytes(op, args, attr))
#define case_pack_rows cuda_pack_rows
#define case_plain(on) (shim_choice.plain = (on) ? ~0u : 0)
#define case_run(op, ctx, args, attr, threads) \
	((ctx)->prepare ? K_OK : shim_run(op, args, attr, threads))

#endif
