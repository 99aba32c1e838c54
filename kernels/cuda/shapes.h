/* shapes.h - the table of tiles: pure arithmetic that the compiler's cost, the
 * profile and the launcher share.  Tiles never change a bit of a result.
 */
#ifndef SLUICE_CUDA_SHAPES_H
#define SLUICE_CUDA_SHAPES_H

#include "kernels/cuda/args.h"

/* What an architecture has. */
typedef struct CudaArch {
	int sm;                 /* compute capability times 10 */
	int registers;          /* of an SM */
	int shared;             /* bytes of shared memory of an SM */
	int shared_block;       /* the most that a block may have */
	int threads, blocks;    /* the most of an SM */
	int stages;             /* of a matrix kernel's ring of weights */
} CudaArch;

/* The row of the newest architecture that is not newer than `sm`. */
const CudaArch *cuda_arch(int sm);

/* Blocks of a kernel that an SM holds at once. */
int cuda_blocks(const CudaArch *a, int registers, int shared, int threads);

/* A form of the matrix kernel. */
typedef struct MatrixShape {
	int channels;           /* of a tile */
	int threads;
	int warps_n;            /* warps along channels */
	const char *f16, *bf16; /* names of the kernels */
} MatrixShape;

enum { SHAPE_128, SHAPE_160, SHAPE_64, SHAPE_ANY, SHAPES };
extern const MatrixShape matrix_shapes[SHAPES];

/* The form for so many result channels; `aligned`: all places and strides allow
 * accesses of 16 bytes. */
int matrix_shape(const CudaArch *a, int64_t cout, bool geglu, bool aligned);
/* Fills in tile, tiles, mtiles, ntiles, stages, a_stages; false when no tile
 * fits.  The rest of `p` is complete. */
bool matrix_tiles(const CudaArch *a, int shape, bool aligned, MatrixArgs *p);
/* Bytes of shared memory of a block. */
int matrix_shared(int shape, const MatrixArgs *p);

/* A form of attention: channels of a head, keys and queries of a tile, tiles that a
 * block works on. */
typedef struct AttendShape {
	int channels, keys, queries, tiles;
	const char *f16, *bf16;
} AttendShape;

/* The form for heads of so many channels and so many keys; NULL: none. */
const AttendShape *attend_shape(int64_t channels, int64_t keys);
/* Tiles of keys that fit into shared memory beside the queries, at most 2; 0:
 * none does. */
int attend_stages(const CudaArch *a, const AttendShape *s);
int attend_shared(const AttendShape *s, int stages);

#endif
