/* cuda.h - from a call of kernels.h to launches of CUDA kernels.  Pure: no
 * driver is asked, so the compiler, the tests' shim and the real device share
 * it.  In this folder: *.cu are the kernels (dev.h says in what dialect, args.h
 * with what arguments), launch*.c fill in the arguments, shapes.c is the table
 * of tiles, pack.c stores weights as the kernels want them.
 */
#ifndef SLUICE_CUDA_H
#define SLUICE_CUDA_H

#include "kernels/cuda/args.h"
#include "kernels/kernels.h"

/* Families of kernels that have fast forms besides the plain one of each op. */
typedef enum CudaFamily {
	CUDA_MATRIX, CUDA_ATTEND, CUDA_NORM, CUDA_EACH,
	CUDA_FAMILIES,
} CudaFamily;

/* What decides between forms that have the same bits or are known to the
 * compiler, too. */
typedef struct CudaChoice {
	int sm;                 /* compute capability times 10: 75, 80 .. */
	unsigned plain;         /* bit of each family to run in plain form */
} CudaChoice;

/* One launch: a kernel's name in the module, a one-dimensional grid, the threads
 * of a block, bytes of shared memory, and its one argument. */
typedef struct Launch {
	const char *kernel;
	int64_t grid;           /* 1 .. 2^31 - 1 */
	int block;
	int shared;
	size_t args_bytes;
	union {
		BoxArgs box;
		EachArgs each;
		SampleArgs sample;
		ResizeArgs resize;
		SinusoidArgs sinusoid;
		EmbedArgs embed;
		StatsArgs stats;
		CombineArgs combine;
		ApplyArgs apply;
		ApplyRowsArgs apply_rows;
		RowsArgs rows;
		MatrixArgs matrix;
		AttendArgs attend;
	} args;
} Launch;

enum { LAUNCHES_MAX = 2 };

/* The launches of op `op`, in order, into out[LAUNCHES_MAX]: their number, 0 for
 * an empty result, -1 when there is no kernel for these operands.  The views'
 * data are device addresses and are not looked at; embed's ids must lie in the
 * table. */
int cuda_launches(Op op, const Operand *args, const Attr *attr,
	const CudaChoice *how, Launch *out);

/* The search for a NaN or infinity in a view of floating type: puts the index
 * (in walking order, axes upwards) of the first into *found, a number of 64 bits
 * on the device, unless a smaller one is there.  1, or 0 for an empty view. */
int cuda_nonfinite(const View *v, void *found, Launch *out);

/* Bytes of workspace of an op marked OPF_WORK, from its unsliced shape. */
int64_t cuda_work_bytes(Op op, const Operand *args, const Attr *attr);

/* Weights of linear and conv: [out][tap][in], out in the order of the file.
 * Stores file rows [row, row + count), as pack_rows of kernels.h does. */
void cuda_pack_rows(const MatrixLayout *m, DType to, void *dst, DType from,
	const void *src, int64_t row, int64_t count);

/* The module with all kernels that the binary was built with; NULL when there
 * was no nvcc. */
const void *cuda_image(size_t *bytes);

/* ---- in this folder only (launch*.c) ---- */

/* A box of extents `box` and where its elements lie in `views` views; neighbour
 * axes become one where they chain in all views.  Axes of `apart` come first,
 * one dim each, those of one index, too. */
void box_fill(BoxArgs *b, const int64_t *box, int views,
	const View *const *view, AxisSet apart);
/* Whether its elements may be accessed by 16 bytes, eight along c, in all but the
 * dims of stride 0. */
bool box_aligned(const BoxArgs *b, int views);
/* A view whose offsets are absolute indices along `axis` of `v`. */
View box_position(const View *v, int axis);
/* The part of a view that starts `first` indices along `axis`, n long. */
View view_from(const View *v, int axis, int64_t first, int64_t n);
/* Finishes a launch with a thread for each of `threads`; 0 if there are none. */
int launch_threads(Launch *l, const char *kernel, int64_t threads,
	size_t args_bytes);

/* The fast forms; 0 or more launches as above, -1: no such form for these. */
int fast_matrix(Op op, const Operand *args, const Attr *attr,
	const CudaChoice *how, Launch *out);

int fast_norm(Op op, const Operand *args, const Attr *attr,
	const CudaChoice *how, Launch *out);
int fast_each(Op op, const Operand *args, const Attr *attr,
	const CudaChoice *how, Launch *out);
int fast_attend(Op op, const Operand *args, const Attr *attr,
	const CudaChoice *how, Launch *out);

#define NO_KERNEL(name_, attr_, flags_, operands_, doc_)
#define OP(name_, attr_, flags_, operands_, doc_) \
	int plain_##name_(const Operand *args, const Attr *attr, Launch *out);
#include "ir/ops.def"

#endif
