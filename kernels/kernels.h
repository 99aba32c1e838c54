/* kernels.h - what a kernel is: a function that reads and writes views.
 *
 * Contract: `cpu_X(ctx, args, attr)`.  args[0] is the result, args[1 + i] the
 * i-th operand of the op's row in ops.def (parts = 0: left out), and behind the
 * operands one more for the workspace of ops marked OPF_WORK.  A kernel touches
 * nothing but its views, never allocates, and computes each element of its
 * result in one order of summation, whatever the number of threads and whatever
 * slice of the result it was asked for: the absolute indices of a view's
 * elements (lo) decide, never its extent.  Arithmetic is f32.
 */
#ifndef SLUICE_KERNELS_H
#define SLUICE_KERNELS_H

#include "ir/base/threads.h"
#include "ir/ops.h"

/* A box of a value: for every axis the indices [lo, lo + n) of the `full` that
 * the value has there.  Arrays are indexed by axis; an axis the operand lacks
 * has n = full = 1 and stride = 0, so broadcasting needs no case. */
typedef struct View {
	char *data;             /* the element at lo of every axis */
	DType dtype;
	AxisSet axes;           /* the axes that it has */
	int64_t n[AXIS_MAX];
	int64_t stride[AXIS_MAX];       /* in elements; that of c is 1 */
	int64_t lo[AXIS_MAX];   /* absolute index of the first element */
	int64_t cut[AXIS_MAX];  /* indices that the window had in front of lo
	                           and that lay outside the value: the kernel
	                           pads them with zeros */
	int64_t full[AXIS_MAX];
} View;

/* parts 0: absent; 2: joined along c, part[0] first.  The parts agree in all
 * axes but c, though either may be broadcast along one (stride 0). */
typedef struct Operand {
	int parts;
	View part[2];
} Operand;

typedef enum KStatus {
	K_OK,
	K_UNSUPPORTED,
} KStatus;

typedef struct Ctx {
	Threads *team;          /* that the work is dealt out to; NULL: the
	                           caller alone */
	bool prepare;           /* refuse the call if need be, compute nothing:
	                           done for every call before a run starts */
} Ctx;

/* A call that was K_OK with `prepare` set is K_OK without it. */
typedef KStatus (*Kernel)(const Ctx *ctx, const Operand *args,
	const Attr *attr);

#define NO_KERNEL(name_, attr_, flags_, operands_, doc_)
#define OP(name_, attr_, flags_, operands_, doc_) \
	KStatus cpu_##name_(const Ctx *ctx, const Operand *args, \
		const Attr *attr);
#include "ir/ops.def"

/* The CPU's kernel of an op; NULL for leaves, views and copies.  (cpu_level.c) */
Kernel cpu_kernel(Op op);

/* Bytes of workspace that `op` needs on the CPU for these operands (data
 * pointers are not looked at) when at most `threads` threads run.  It does not
 * depend on the extents of axes that are cut, only on c. */
int64_t cpu_work_bytes(Op op, const Operand *args, const Attr *attr,
	int threads);

/* ---- packed matrices (cpu/pack.c) ----
 * Weights of linear and conv are stored in blocks as the matrix kernels want
 * them; the file has [out][in][tap].  A matrix is made of up to two row parts
 * (the halves of a GEGLU) and two column parts (an input in two parts); blocks
 * do not straddle parts.  The packed matrix has exactly the elements of the
 * plain one. */
typedef struct MatrixLayout {
	int64_t rows[2];        /* output channels; rows[1] may be 0 */
	int64_t cols[2];        /* input channels; cols[1] may be 0 */
	int64_t taps;           /* product of the kernel's extents; 1: linear */
} MatrixLayout;

/* Stores file rows [row, row + count), `src` of type `from` in file order, into
 * their places in the packed matrix `dst` of type `to`. */
void pack_rows(const MatrixLayout *m, DType to, void *dst, DType from,
	const void *src, int64_t row, int64_t count);
/* Layout that op's operand w must have: from the parts of args[1] and attr. */
MatrixLayout matrix_layout(Op op, const Operand *args, const Attr *attr);

/* ---- conversions (cpu/convert.c) ---- */
/* n contiguous elements between any two floating types; f32 to 16 bit rounds
 * to nearest even.  Source and target may be the same place when the types
 * are equal. */
void convert(DType to, void *dst, DType from, const void *src, int64_t n);

/* ---- levels (cpu_level.c) ----
 * The kernels are built once for each level of instruction sets; every level
 * with fused multiply-adds gives the same bits. */

/* Chooses the best level for this processor, or the one that the environment's
 * SLUICE_KERNELS names.  Call it before the first kernel; until then, and where
 * it is never called, the lowest level is in use. */
void cpu_init(void);
/* Its name: "avx512", "avx2" or "base". */
const char *cpu_level(void);

/* What a level consists of (cpu/set.c). */
typedef struct KernelSet {
	const char *level;
	Kernel kernel[OP_COUNT];
	int64_t (*work_bytes)(Op op, const Operand *args, const Attr *attr,
		int threads);
	void (*pack_rows)(const MatrixLayout *m, DType to, void *dst,
		DType from, const void *src, int64_t row, int64_t count);
	MatrixLayout (*matrix_layout)(Op op, const Operand *args,
		const Attr *attr);
	void (*convert)(DType to, void *dst, DType from, const void *src,
		int64_t n);
} KernelSet;

#endif
