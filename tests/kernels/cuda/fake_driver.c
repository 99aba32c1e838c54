/* fake_driver.c - a CUDA driver that is not there: a shared object with the entry
 * points of driver.h, found through SLUICE_CUDA_DRIVER.  Kernels run in the
 * shim.  What is asked for waits in its stream and is done at the next
 * synchronisation, streams by turns at random, as far as events allow.
 *
 *   FAKE_CUDA_SM=80  FAKE_CUDA_VERSION=13000  FAKE_CUDA_DEVICES=1
 *   FAKE_CUDA_MEMORY=BYTES   of the GPU
 *   FAKE_CUDA_FAIL=ENTRY:N:CODE   the Nth call of an entry point (its symbol)
 *                    answers CODE; ENTRY "kernel": the Nth kernel faults when
 *                    it runs, and so does everything behind it
 */
#include "kernels/cuda/driver.h"
#include "tests/kernels/cuda/shim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INVALID_VALUE = 1, NOT_FOUND = 500, FAULT = 700 };

typedef enum Kind { COPY, SET, LAUNCH, RECORD, AWAIT } Kind;

typedef struct Item {
	struct Item *next;
	Kind kind;
	char *dst;
	const char *src;
	void *own;              /* a copy of pageable memory */
	size_t bytes;
	unsigned char byte;
	struct CUevent_st *event;
	uint64_t turn;          /* of the event's record that it means */
	struct CUfunc_st *function;
	int64_t grid;
	int block;
	size_t shared;
} Item;

struct CUstream_st {
	struct CUstream_st *next;
	Item *first, **last;
};
struct CUevent_st { uint64_t recorded, done; };
struct CUfunc_st { const char *name; size_t args_bytes; int shared; };
struct CUmod_st { int unused; };

typedef struct Range {
	struct Range *next;
	char *at;
	size_t bytes;
	int locked;             /* host memory */
} Range;

static struct CUstream_st *streams;
static Range *ranges;
static size_t used;
static int sticky;
static long launches;
static uint64_t state = 1;

static long
setting(const char *name, long otherwise)
{
	const char *s = getenv(name);
	return s ? atol(s) : otherwise;
}

/* The planted failure of an entry point, else 0. */
static int
planted(const char *entry, long nth)
{
	char want[64];
	long at, code;
	const char *s = getenv("FAKE_CUDA_FAIL");
	if (!s || sscanf(s, "%63[^:]:%ld:%ld", want, &at, &code) != 3
		|| strcmp(want, entry) || nth != at)
		return 0;
	return (int)code;
}

#define ENTER(symbol) do { \
		static long calls; \
		int code_ = planted(symbol, ++calls); \
		if (code_) \
			return code_; \
		if (sticky) \
			return sticky; \
	} while (0)

static Range *
range_of(const void *p, size_t bytes)
{
	const char *c = p;
	for (Range *r = ranges; r; r = r->next)
		if (c >= r->at && c + bytes <= r->at + r->bytes)
			return r;
	return NULL;
}

static void
allow_all(void)
{
	shim_allow_clear();
	for (Range *r = ranges; r; r = r->next)
		if (!r->locked)
			shim_allow(r->at, r->bytes, true);
}

/* ---- doing ---- */

static void
run_kernel(Item *i)
{
	if (planted("kernel", ++launches)) {
		sticky = FAULT;
		return;
	}
	shim_options.shuffle = (unsigned)(launches % 4);
	if (shim_launch(i->function->name, i->own, i->bytes, i->grid, i->block,
			i->shared))
		sticky = FAULT;
}

static void
do_item(Item *i)
{
	if (sticky)
		return;
	switch (i->kind) {
	case COPY:
		memcpy(i->dst, i->own ? i->own : i->src, i->bytes);
		break;
	case SET:
		memset(i->dst, i->byte, i->bytes);
		break;
	case LAUNCH:
		run_kernel(i);
		break;
	case RECORD:
		if (i->event->done < i->turn)
			i->event->done = i->turn;
		break;
	case AWAIT:
		break;
	}
}

static int
step(struct CUstream_st *s)
{
	Item *i = s->first;
	if (!i || (i->kind == AWAIT && i->event->done < i->turn && !sticky))
		return 0;
	do_item(i);
	s->first = i->next;
	if (!i->next)
		s->last = &s->first;
	free(i->own);
	free(i);
	return 1;
}

static unsigned
draw(unsigned n)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(state >> 33) % n;
}

/* Runs streams by turns until `until` is empty (NULL: all are). */
static void
drain(struct CUstream_st *until)
{
	for (;;) {
		int moved = 0, left = 0;
		for (struct CUstream_st *s = streams; s; s = s->next) {
			unsigned most = draw(6);
			for (unsigned k = 0; k < most && step(s); k++)
				moved = 1;
			left |= s->first != NULL;
		}
		if (until ? !until->first : !left)
			return;
		if (moved)
			continue;
		for (struct CUstream_st *s = streams; s; s = s->next)
			moved |= step(s);
		if (!moved) {
			fprintf(stderr, "fake driver: streams wait for each other\n");
			abort();
		}
	}
}

static Item *
push(CUstream s, Kind kind)
{
	Item *i = calloc(1, sizeof *i);
	if (!i)
		abort();
	i->kind = kind;
	*s->last = i;
	s->last = &i->next;
	return i;
}

/* ---- entry points ---- */

int
cuInit(unsigned flags)
{
	ENTER("cuInit");
	return flags ? INVALID_VALUE : 0;
}

int
cuDriverGetVersion(int *version)
{
	ENTER("cuDriverGetVersion");
	*version = (int)setting("FAKE_CUDA_VERSION", 13000);
	return 0;
}

int
cuDeviceGetCount(int *n)
{
	ENTER("cuDeviceGetCount");
	*n = (int)setting("FAKE_CUDA_DEVICES", 1);
	return 0;
}

int
cuDeviceGet(CUdevice *d, int index)
{
	ENTER("cuDeviceGet");
	*d = index;
	return index < setting("FAKE_CUDA_DEVICES", 1) ? 0 : 101;
}

int
cuDeviceGetName(char *name, int size, CUdevice d)
{
	ENTER("cuDeviceGetName");
	snprintf(name, (size_t)size, "a GPU that is not there (%d)", d);
	return 0;
}

int
cuDeviceGetAttribute(int *v, int which, CUdevice d)
{
	ENTER("cuDeviceGetAttribute");
	long sm = setting("FAKE_CUDA_SM", 80);
	(void)d;
	*v = (int)(which == CU_MAJOR ? sm / 10 : which == CU_MINOR ? sm % 10 : 0);
	return 0;
}

int
cuDeviceTotalMem_v2(size_t *bytes, CUdevice d)
{
	ENTER("cuDeviceTotalMem_v2");
	(void)d;
	*bytes = (size_t)setting("FAKE_CUDA_MEMORY", 1L << 34);
	return 0;
}

int
cuDevicePrimaryCtxRetain(CUcontext *c, CUdevice d)
{
	static int context;
	ENTER("cuDevicePrimaryCtxRetain");
	(void)d;
	*c = (CUcontext)(void *)&context;
	return 0;
}

int
cuDevicePrimaryCtxRelease_v2(CUdevice d)
{
	(void)d;
	return 0;
}

int
cuCtxSetCurrent(CUcontext c)
{
	(void)c;
	return sticky;
}

int
cuMemGetInfo_v2(size_t *available, size_t *total)
{
	ENTER("cuMemGetInfo_v2");
	*total = (size_t)setting("FAKE_CUDA_MEMORY", 1L << 34);
	*available = *total - used;
	return 0;
}

static char *
range_new(size_t bytes, int locked)
{
	Range *r = calloc(1, sizeof *r);
	char *at = aligned_alloc(512, (bytes + 511) / 512 * 512 + 512);
	if (!r || !at)
		abort();
	memset(at, 0xff, bytes);
	*r = (Range){ranges, at, bytes, locked};
	ranges = r;
	allow_all();
	return at;
}

static int
range_end(const void *p)
{
	for (Range **r = &ranges; *r; r = &(*r)->next) {
		Range *gone = *r;
		if (gone->at != p)
			continue;
		*r = gone->next;
		used -= gone->locked ? 0 : gone->bytes;
		free(gone->at);
		free(gone);
		allow_all();
		return 0;
	}
	return INVALID_VALUE;
}

int
cuMemAlloc_v2(CUdeviceptr *p, size_t bytes)
{
	ENTER("cuMemAlloc_v2");
	if (used + bytes > (size_t)setting("FAKE_CUDA_MEMORY", 1L << 34))
		return CUDA_OUT_OF_MEMORY;
	used += bytes;
	*p = (CUdeviceptr)(uintptr_t)range_new(bytes, 0);
	return 0;
}

int
cuMemFree_v2(CUdeviceptr p)
{
	return range_end((void *)(uintptr_t)p);
}

int
cuMemHostAlloc(void **p, size_t bytes, unsigned flags)
{
	ENTER("cuMemHostAlloc");
	(void)flags;
	*p = range_new(bytes, 1);
	return 0;
}

int
cuMemFreeHost(void *p)
{
	return range_end(p);
}

int
cuMemcpyHtoDAsync_v2(CUdeviceptr dst, const void *src, size_t bytes, CUstream s)
{
	ENTER("cuMemcpyHtoDAsync_v2");
	Range *to = range_of((void *)(uintptr_t)dst, bytes);
	Range *from = range_of(src, bytes);
	if (!to || to->locked)
		return INVALID_VALUE;
	Item *i = push(s, COPY);
	i->dst = (char *)(uintptr_t)dst;
	i->src = src;
	i->bytes = bytes;
	if (!from || !from->locked) {
		i->own = malloc(bytes);
		if (!i->own)
			abort();
		memcpy(i->own, src, bytes);
	}
	return 0;
}

int
cuMemcpyDtoHAsync_v2(void *dst, CUdeviceptr src, size_t bytes, CUstream s)
{
	ENTER("cuMemcpyDtoHAsync_v2");
	Range *from = range_of((void *)(uintptr_t)src, bytes);
	if (!from || from->locked)
		return INVALID_VALUE;
	Item *i = push(s, COPY);
	i->dst = dst;
	i->src = (const char *)(uintptr_t)src;
	i->bytes = bytes;
	return 0;
}

int
cuMemsetD8Async(CUdeviceptr dst, unsigned char byte, size_t bytes, CUstream s)
{
	ENTER("cuMemsetD8Async");
	Range *to = range_of((void *)(uintptr_t)dst, bytes);
	if (!to || to->locked)
		return INVALID_VALUE;
	Item *i = push(s, SET);
	i->dst = (char *)(uintptr_t)dst;
	i->byte = byte;
	i->bytes = bytes;
	return 0;
}

int
cuStreamCreate(CUstream *s, unsigned flags)
{
	ENTER("cuStreamCreate");
	(void)flags;
	*s = calloc(1, sizeof **s);
	if (!*s)
		abort();
	(*s)->last = &(*s)->first;
	(*s)->next = streams;
	streams = *s;
	return 0;
}

int
cuStreamDestroy_v2(CUstream s)
{
	for (struct CUstream_st **p = &streams; *p; p = &(*p)->next)
		if (*p == s) {
			*p = s->next;
			break;
		}
	free(s);
	return 0;
}

int
cuStreamSynchronize(CUstream s)
{
	ENTER("cuStreamSynchronize");
	drain(s);
	return sticky;
}

int
cuStreamWaitEvent(CUstream s, CUevent e, unsigned flags)
{
	ENTER("cuStreamWaitEvent");
	(void)flags;
	Item *i = push(s, AWAIT);
	i->event = e;
	i->turn = e->recorded;
	return 0;
}

int
cuEventCreate(CUevent *e, unsigned flags)
{
	ENTER("cuEventCreate");
	(void)flags;
	*e = calloc(1, sizeof **e);
	return *e ? 0 : CUDA_OUT_OF_MEMORY;
}

int
cuEventDestroy_v2(CUevent e)
{
	free(e);
	return 0;
}

int
cuEventRecord(CUevent e, CUstream s)
{
	ENTER("cuEventRecord");
	Item *i = push(s, RECORD);
	i->event = e;
	i->turn = ++e->recorded;
	return 0;
}

int
cuEventQuery(CUevent e)
{
	ENTER("cuEventQuery");
	return e->done >= e->recorded ? 0 : CUDA_NOT_READY;
}

int
cuEventSynchronize(CUevent e)
{
	ENTER("cuEventSynchronize");
	while (e->done < e->recorded && !sticky) {
		int moved = 0;
		for (struct CUstream_st *s = streams; s; s = s->next)
			moved |= step(s);
		if (!moved)
			abort();
	}
	return sticky;
}

int
cuModuleLoadData(CUmodule *m, const void *image)
{
	static struct CUmod_st module;
	ENTER("cuModuleLoadData");
	*m = &module;
	return image ? 0 : INVALID_VALUE;
}

int
cuModuleUnload(CUmodule m)
{
	(void)m;
	return 0;
}

int
cuModuleGetFunction(CUfunction *f, CUmodule m, const char *name)
{
	static struct CUfunc_st list[64];
	static int n;
	int threads;
	size_t args_bytes;
	ENTER("cuModuleGetFunction");
	(void)m;
	if (!shim_find(name, &threads, &args_bytes))
		return NOT_FOUND;
	for (int i = 0; i < n; i++)
		if (!strcmp(list[i].name, name)) {
			*f = &list[i];
			return 0;
		}
	if (n == 64)
		return NOT_FOUND;
	list[n] = (struct CUfunc_st){name, args_bytes, 48 << 10};
	*f = &list[n++];
	return 0;
}

int
cuFuncSetAttribute(CUfunction f, int which, int value)
{
	ENTER("cuFuncSetAttribute");
	long sm = setting("FAKE_CUDA_SM", 80);
	int most = sm == 75 ? 64 << 10 : sm == 80 ? 163 << 10
		: sm == 90 ? 227 << 10 : 99 << 10;
	if (which != CU_SHARED_DYNAMIC || value > most)
		return INVALID_VALUE;
	f->shared = value;
	return 0;
}

int
cuLaunchKernel(CUfunction f, unsigned gx, unsigned gy, unsigned gz, unsigned bx,
	unsigned by, unsigned bz, unsigned shared, CUstream s, void **args,
	void **extra)
{
	ENTER("cuLaunchKernel");
	if (!gx || gx > 0x7fffffff || gy != 1 || gz != 1 || !bx || bx > 1024
		|| by != 1 || bz != 1 || (int)shared > f->shared || extra)
		return INVALID_VALUE;
	Item *i = push(s, LAUNCH);
	i->function = f;
	i->grid = gx;
	i->block = (int)bx;
	i->shared = shared;
	i->bytes = f->args_bytes;
	i->own = malloc(f->args_bytes + 1);
	if (!i->own)
		abort();
	memcpy(i->own, args[0], f->args_bytes);
	return 0;
}

int
cuGetErrorName(int code, const char **name)
{
	*name = code == FAULT ? "CUDA_ERROR_ILLEGAL_ADDRESS" : "CUDA_ERROR";
	return 0;
}

int
cuGetErrorString(int code, const char **text)
{
	*text = code == FAULT ? "an illegal memory access" : "a failure";
	return 0;
}
