/* driver.h - the CUDA driver, found when it is asked for: the binary needs none
 * to start, and no CUDA library is linked.  SLUICE_CUDA_DRIVER names another
 * file than libcuda.so.1.
 *
 * Types and numbers are those of the driver API's documentation; results are
 * CUresult, 0 for success.
 */
#ifndef SLUICE_CUDA_DRIVER_H
#define SLUICE_CUDA_DRIVER_H

#include <stddef.h>
#include <stdint.h>

typedef struct CUctx_st *CUcontext;
typedef struct CUmod_st *CUmodule;
typedef struct CUfunc_st *CUfunction;
typedef struct CUstream_st *CUstream;
typedef struct CUevent_st *CUevent;
typedef unsigned long long CUdeviceptr;
typedef int CUdevice;

enum {
	CUDA_OUT_OF_MEMORY = 2,
	CUDA_NO_DEVICE = 100,
	CUDA_INVALID_IMAGE = 200,
	CUDA_NO_BINARY = 209,
	CUDA_UNSUPPORTED_PTX = 222,
	CUDA_NOT_READY = 600,
	CU_MAJOR = 75, CU_MINOR = 76,           /* device attributes */
	CU_SHARED_DYNAMIC = 8,                  /* function attribute */
	CU_NON_BLOCKING = 1,                    /* stream flag */
	CU_NO_TIMING = 2,                       /* event flag */
	CUDA_DRIVER_LEAST = 11000,      /* that loads sm_80's code */
};

/* name here, symbol, arguments */
#define CUDA_ENTRIES(X) \
	X(init, "cuInit", (unsigned flags)) \
	X(version, "cuDriverGetVersion", (int *version)) \
	X(count, "cuDeviceGetCount", (int *n)) \
	X(device, "cuDeviceGet", (CUdevice *d, int index)) \
	X(name, "cuDeviceGetName", (char *name, int size, CUdevice d)) \
	X(attribute, "cuDeviceGetAttribute", (int *v, int which, CUdevice d)) \
	X(total_mem, "cuDeviceTotalMem_v2", (size_t *bytes, CUdevice d)) \
	X(retain, "cuDevicePrimaryCtxRetain", (CUcontext *c, CUdevice d)) \
	X(release, "cuDevicePrimaryCtxRelease_v2", (CUdevice d)) \
	X(set_current, "cuCtxSetCurrent", (CUcontext c)) \
	X(mem_info, "cuMemGetInfo_v2", (size_t *free, size_t *total)) \
	X(alloc, "cuMemAlloc_v2", (CUdeviceptr *p, size_t bytes)) \
	X(free, "cuMemFree_v2", (CUdeviceptr p)) \
	X(host_alloc, "cuMemHostAlloc", (void **p, size_t bytes, unsigned f)) \
	X(host_free, "cuMemFreeHost", (void *p)) \
	X(to_device, "cuMemcpyHtoDAsync_v2", (CUdeviceptr dst, \
		const void *src, size_t bytes, CUstream s)) \
	X(to_host, "cuMemcpyDtoHAsync_v2", (void *dst, CUdeviceptr src, \
		size_t bytes, CUstream s)) \
	X(set_bytes, "cuMemsetD8Async", (CUdeviceptr dst, unsigned char byte, \
		size_t bytes, CUstream s)) \
	X(stream_new, "cuStreamCreate", (CUstream *s, unsigned flags)) \
	X(stream_end, "cuStreamDestroy_v2", (CUstream s)) \
	X(stream_sync, "cuStreamSynchronize", (CUstream s)) \
	X(stream_wait, "cuStreamWaitEvent", (CUstream s, CUevent e, \
		unsigned flags)) \
	X(event_new, "cuEventCreate", (CUevent *e, unsigned flags)) \
	X(event_end, "cuEventDestroy_v2", (CUevent e)) \
	X(event_record, "cuEventRecord", (CUevent e, CUstream s)) \
	X(event_query, "cuEventQuery", (CUevent e)) \
	X(event_sync, "cuEventSynchronize", (CUevent e)) \
	X(module_load, "cuModuleLoadData", (CUmodule *m, const void *image)) \
	X(module_end, "cuModuleUnload", (CUmodule m)) \
	X(function, "cuModuleGetFunction", (CUfunction *f, CUmodule m, \
		const char *name)) \
	X(function_set, "cuFuncSetAttribute", (CUfunction f, int which, \
		int value)) \
	X(launch, "cuLaunchKernel", (CUfunction f, unsigned gx, unsigned gy, \
		unsigned gz, unsigned bx, unsigned by, unsigned bz, \
		unsigned shared, CUstream s, void **args, void **extra)) \
	X(error_name, "cuGetErrorName", (int code, const char **name)) \
	X(error_text, "cuGetErrorString", (int code, const char **text))

typedef struct CudaDriver {
	void *library;
#define X(name, symbol, args) int (*name) args;
	CUDA_ENTRIES(X)
#undef X
	int version_number;     /* 13000: what CUDA 13.0 brings */
} CudaDriver;

/* The driver, found and begun once for the process; NULL with the reason, and
 * what helps, in `err`: there is none, it is too old, it lacks an entry point,
 * it does not start. */
const CudaDriver *cuda_driver(char *err, size_t size);
/* "CUDA_ERROR_LAUNCH_FAILED: unspecified launch failure" */
const char *cuda_error(const CudaDriver *d, int code, char *buf, size_t size);

#endif
