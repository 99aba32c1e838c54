/* cpu_level.c - which kernels of the CPU run: those of the best level that the processor knows.
 * The functions here pass on to it; the names are the same inside a level.
 */
#include "kernels/target.h"

#include "ir/base/base.h"

#include <stdlib.h>
#include <string.h>

extern const KernelSet kernels_base;

#ifdef __x86_64__
#include <cpuid.h>

extern const KernelSet kernels_avx2, kernels_avx512;

/* clang 14 has no name for F16C. */
static bool
has_avx2(void)
{
	unsigned a, b, c, d;
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")
		&& __get_cpuid(1, &a, &b, &c, &d) && c & bit_F16C;
}

static bool
has_avx512(void)
{
	return has_avx2() && __builtin_cpu_supports("avx512f")
		&& __builtin_cpu_supports("avx512bw")
		&& __builtin_cpu_supports("avx512dq")
		&& __builtin_cpu_supports("avx512vl");
}
#endif

static bool
has_base(void)
{
	return true;
}

/* best first */
static const struct {
	const KernelSet *set;
	bool (*usable)(void);
} levels[] = {
#ifdef __x86_64__
	{&kernels_avx512, has_avx512},
	{&kernels_avx2, has_avx2},
#endif
	{&kernels_base, has_base},
};

static const KernelSet *set = &kernels_base;

void
cpu_init(void)
{
	const char *want = getenv("SLUICE_KERNELS");
	size_t first = 0;
	for (size_t i = 0; want && i < COUNT_OF(levels); i++)
		if (!strcmp(want, levels[i].set->level))
			first = i;
	while (!levels[first].usable())
		first++;
	set = levels[first].set;
	if (want && *want && strcmp(want, set->level))
		warn("SLUICE_KERNELS=%s: not to be had here, %s instead", want,
			set->level);
}

const char *
cpu_level(void)
{
	return set->level;
}

Kernel
cpu_kernel(Op op)
{
	return set->kernel[op];
}

int64_t
cpu_work_bytes(Op op, const Operand *args, const Attr *attr, int threads)
{
	return set->work_bytes(op, args, attr, threads);
}

void
pack_rows(const MatrixLayout *m, DType to, void *dst, DType from,
	const void *src, int64_t row, int64_t count)
{
	set->pack_rows(m, to, dst, from, src, row, count);
}

MatrixLayout
matrix_layout(Op op, const Operand *args, const Attr *attr)
{
	return set->matrix_layout(op, args, attr);
}

void
convert(DType to, void *dst, DType from, const void *src, int64_t n)
{
	set->convert(to, dst, from, src, n);
}

static bool
cpu_has_kernel(Op op)
{
	return set->kernel[op] != NULL;
}

const Target target_cpu = {
	.name = "cpu",
	.abi = 1,
	.layouts = 1,           /* blocks: cpu/pack.c */
	.providers = 1,
	.has_kernel = cpu_has_kernel,
	.work_bytes = cpu_work_bytes,
	.pack_rows = pack_rows,
};
