/* shim.h - runs the kernels of kernels/cuda/ on the CPU: each thread of a grid
 * is a fiber.  Every access is checked, and what a run costs in shared-memory
 * wavefronts and global sectors is counted exactly.  Used from C; the functions
 * that kernels call are in shim_dev.h.  x86-64 only.
 */
#ifndef SLUICE_SHIM_H
#define SLUICE_SHIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What runs have counted since it was last cleared. */
typedef struct ShimStats {
	/* global loads, cp.async included, and stores: requests of warps, 32-byte
	 * sectors, the fewest sectors that the distinct bytes of a request fit
	 * into */
	int64_t ld_requests, ld_sectors, ld_fewest;
	int64_t st_requests, st_sectors, st_fewest;
	/* shared memory: wavefronts, and the fewest possible */
	int64_t lds_wavefronts, lds_ideal, sts_wavefronts, sts_ideal;
	int64_t ldsm_wavefronts, ldsm_ideal;
	int64_t mma, barriers, errors;
} ShimStats;
extern ShimStats shim_stats;
/* Executed instructions of kernels that are nvcc's PTX: mma, ldmatrix and
 * cp.async, behind all others. */
extern int64_t shim_executed[4];

typedef struct ShimOptions {
	bool count;             /* sectors and wavefronts; slow */
	unsigned shuffle;       /* order of warps and lanes; 0: upwards */
	bool quiet;             /* errors are counted, not printed */
} ShimOptions;
extern ShimOptions shim_options;

/* Whether there is a kernel of that name, its largest block and the bytes of
 * its arguments. */
bool shim_find(const char *kernel, int *threads, size_t *args_bytes);
/* Names of all kernels, NULL behind the last. */
const char *shim_kernel(int i);
/* Runs a grid.  Returns the number of errors (bounds, alignment, races, early
 * reads, barriers and warp instructions that not all threads reach), the first
 * of which are printed to stderr; -1: no such kernel, or a launch that a driver
 * would refuse. */
int shim_launch(const char *kernel, const void *args, size_t args_bytes,
	int64_t grid, int block, size_t shared);
/* Global memory that kernels may read, or read and write. */
void shim_allow(const void *p, size_t bytes, bool write);
void shim_allow_clear(void);

#ifdef __cplusplus
}
#endif

#endif
