/* cuda.c - an NVIDIA GPU as a device.
 *
 * Two streams: kernels and the arena's own copies go into one, weights into the
 * other.  At a load the copy stream waits for what the compute stream has been
 * asked for so far (the gates have proved that the bytes are free from there
 * on), at a wait the compute stream waits for the copy.
 *
 * Weights that are loaded again and again stay converted in locked memory, where
 * there is enough of it; the others, and all where there is not, pass through
 * two blocks, locked if possible.  What fails on the GPU shows later, at the next sync.
 */
#include "vm/device/device.h"
#include "kernels/box.h"
#include "kernels/cuda/cuda.h"
#include "kernels/cuda/driver.h"

#include <string.h>

enum {
	KERNELS_MAX = 64,
	MARKS = 64,             /* that can be under way */
	BLOCKS = 2,             /* locked ones that weights pass through */
	SHARED_PLAIN = 48 << 10,        /* more has to be asked for */
	ALIGN = 256,
};

typedef struct CudaFunction {
	const char *name;
	CUfunction f;
	int shared;             /* that it may have */
} CudaFunction;

typedef struct CudaDevice {
	Device base;
	Arena *host;
	const CudaDriver *d;
	CudaChoice how;
	CUdevice device;
	CUcontext context;
	CUmodule module;
	CUstream compute, copies;
	CUevent passed;         /* of the compute stream, at a load */
	CudaFunction function[KERNELS_MAX];
	int functions;
	const Plan *plan;
	WeightSource *source;
	Threads *team;
	CUdeviceptr arena, found;
	/* weights */
	CUevent *there;         /* by weight: its last copy is done */
	char **kept;            /* by weight: its converted bytes, or NULL */
	bool *filled;           /* by weight: these hold it */
	char *locked;           /* all of them, one block */
	char *block[BLOCKS];
	bool block_locked[BLOCKS];
	CUevent block_free[BLOCKS];
	int next_block;
	double load_seconds;
	/* marks */
	CUevent mark[MARKS];
	uint64_t marked, reached;
	int code;               /* of the first thing that failed */
} CudaDevice;

static CudaDevice *
cuda_of(Device *d)
{
	return (CudaDevice *)(void *)d;
}

/* Keeps the first failure, which is told at the next sync. */
static void
note(CudaDevice *c, int result, const char *what)
{
	char text[300];
	if (!result || c->code != EXIT_OK)
		return;
	c->code = device_fail(&c->base, EXIT_DEVICE, "%s: %s", what,
		cuda_error(c->d, result, text, sizeof text));
}

static int
failed(CudaDevice *c, int result, const char *what)
{
	note(c, result, what);
	return c->code;
}

/* ---- opening ---- */

static int
open_index(CudaDevice *c, int index)
{
	int n = 0, major = 0, minor = 0;
	char name[100] = "";
	if (failed(c, c->d->count(&n), "counting GPUs"))
		return c->code;
	if (index < 0 || index >= n)
		return device_fail(&c->base, EXIT_DEVICE, "there is no GPU %d: "
			"the driver sees %d; sluice devices lists them", index,
			n);
	note(c, c->d->device(&c->device, index), "opening the GPU");
	note(c, c->d->name(name, sizeof name, c->device), "its name");
	note(c, c->d->attribute(&major, CU_MAJOR, c->device), "its kind");
	note(c, c->d->attribute(&minor, CU_MINOR, c->device), "its kind");
	note(c, c->d->retain(&c->context, c->device), "opening the GPU");
	if (!c->code)
		note(c, c->d->set_current(c->context), "opening the GPU");
	c->how.sm = 10 * major + minor;
	return c->code;
}

static int
load_module(CudaDevice *c)
{
	size_t bytes;
	const void *image = cuda_image(&bytes);
	/* without kernels the driver's own word is heard first, so that a
	   driver that brings its own can be tried */
	int result = c->d->module_load(&c->module, image ? image : "");
	if (result && !image)
		return device_fail(&c->base, EXIT_DEVICE, "this program was "
			"built without CUDA kernels: build it where nvcc is "
			"(Debian: nvidia-cuda-toolkit, from non-free)");
	if (result == CUDA_NO_BINARY || result == CUDA_UNSUPPORTED_PTX
		|| result == CUDA_INVALID_IMAGE)
		return device_fail(&c->base, EXIT_DEVICE, "this program has no "
			"kernels for this GPU (sm_%d): build it with "
			"CUDA_ARCH=%d", c->how.sm, c->how.sm);
	return failed(c, result, "loading the kernels");
}

static int
make_streams(CudaDevice *c)
{
	note(c, c->d->stream_new(&c->compute, CU_NON_BLOCKING), "a stream");
	note(c, c->d->stream_new(&c->copies, CU_NON_BLOCKING), "a stream");
	note(c, c->d->event_new(&c->passed, CU_NO_TIMING), "an event");
	for (int i = 0; i < MARKS; i++)
		note(c, c->d->event_new(&c->mark[i], CU_NO_TIMING), "an event");
	return c->code;
}

static int
cuda_open(Arena *host, const DeviceConfig *config, Device **out)
{
	CudaDevice *c = arena_alloc(host, sizeof *c);
	c->base.table = &device_cuda;
	c->host = host;
	*out = &c->base;
	c->d = cuda_driver(c->base.error, sizeof c->base.error);
	if (!c->d)
		return EXIT_DEVICE;
	int code = open_index(c, config->index);
	if (!code)
		code = load_module(c);
	if (!code)
		code = make_streams(c);
	if (code)
		return code;
	c->team = threads_start(config->threads, c->base.error,
		sizeof c->base.error);
	return c->team ? EXIT_OK : EXIT_MEMORY;
}

static void
end_event(const CudaDevice *c, CUevent e)
{
	if (e)
		c->d->event_end(e);
}

static void
cuda_close(Device *dev)
{
	CudaDevice *c = cuda_of(dev);
	const CudaDriver *d = c->d;
	threads_stop(c->team);
	if (!d || !c->context)
		return;
	d->set_current(c->context);
	if (c->compute)
		d->stream_sync(c->compute);
	if (c->copies)
		d->stream_sync(c->copies);
	for (uint32_t i = 0; c->there && i < c->plan->n_weights; i++)
		end_event(c, c->there[i]);
	for (int i = 0; i < BLOCKS; i++) {
		end_event(c, c->block_free[i]);
		if (c->block_locked[i])
			d->host_free(c->block[i]);
	}
	for (int i = 0; i < MARKS; i++)
		end_event(c, c->mark[i]);
	end_event(c, c->passed);
	if (c->locked)
		d->host_free(c->locked);
	if (c->arena)
		d->free(c->arena);
	if (c->found)
		d->free(c->found);
	if (c->compute)
		d->stream_end(c->compute);
	if (c->copies)
		d->stream_end(c->copies);
	if (c->module)
		d->module_end(c->module);
	d->release(c->device);
}

/* ---- binding ---- */

static int
reserve_arena(CudaDevice *c, int64_t bytes)
{
	size_t have = 0, all = 0;
	char need_text[32], have_text[32], all_text[32];
	note(c, c->d->mem_info(&have, &all), "asking for free memory");
	if (c->code)
		return c->code;
	int result = c->d->alloc(&c->arena, (size_t)max64(bytes, 1));
	if (!result)
		result = c->d->alloc(&c->found, sizeof(int64_t));
	if (result == CUDA_OUT_OF_MEMORY)
		return device_fail(&c->base, EXIT_MEMORY, "the plan needs %s, "
			"%s of %s are free on this GPU: compile it for less "
			"(--memory), or close what uses the rest (nvidia-smi "
			"lists it)", format_bytes(need_text, bytes),
			format_bytes(have_text, (int64_t)have),
			format_bytes(all_text, (int64_t)all));
	return failed(c, result, "reserving the arena");
}

/* Weights that are loaded inside of a loop stay in locked memory. */
static int64_t
kept_bytes(const CudaDevice *c, bool *keep)
{
	const Plan *p = c->plan;
	int64_t bytes = 0;
	int depth = 0;
	for (uint32_t i = 0; i < p->n_code; i++) {
		const PlanInsn *insn = &p->code[i];
		depth += (insn->op == CTL_loop) - (insn->op == CTL_next);
		if (insn->op != CTL_load || !depth || keep[insn->a])
			continue;
		keep[insn->a] = true;
		bytes += round_up(p->buffers[p->weights[insn->a].buffer].bytes,
			ALIGN);
	}
	return bytes;
}

static void
lock_memory(CudaDevice *c)
{
	const Plan *p = c->plan;
	bool *keep = arena_array(c->host, p->n_weights + 1, sizeof *keep);
	int64_t bytes = kept_bytes(c, keep), at = 0;
	void *locked = NULL;
	c->kept = arena_array(c->host, p->n_weights + 1, sizeof *c->kept);
	c->filled = arena_array(c->host, p->n_weights + 1, sizeof *c->filled);
	if (!bytes || c->d->host_alloc(&locked, (size_t)bytes, 0))
		return;
	c->locked = locked;
	for (uint32_t i = 0; i < p->n_weights; i++) {
		if (!keep[i])
			continue;
		c->kept[i] = c->locked + at;
		at += round_up(p->buffers[p->weights[i].buffer].bytes, ALIGN);
	}
}

static int
make_blocks(CudaDevice *c)
{
	const Plan *p = c->plan;
	int64_t most = 0;
	for (uint32_t i = 0; i < p->n_weights; i++)
		if (!c->kept[i])
			most = max64(most,
				p->buffers[p->weights[i].buffer].bytes);
	for (int i = 0; most && i < BLOCKS; i++) {
		void *block = NULL;
		c->block_locked[i] = !c->d->host_alloc(&block, (size_t)most, 0);
		/* slower, but right: from memory that is not locked a copy
		   is over when the call returns */
		c->block[i] = c->block_locked[i] ? block
			: arena_alloc(c->host, (size_t)most);
		note(c, c->d->event_new(&c->block_free[i], CU_NO_TIMING),
			"an event");
	}
	c->there = arena_array(c->host, p->n_weights + 1, sizeof *c->there);
	for (uint32_t i = 0; i < p->n_weights; i++)
		note(c, c->d->event_new(&c->there[i], CU_NO_TIMING),
			"an event");
	return c->code;
}

static int
cuda_bind(Device *dev, const Plan *p, WeightSource *source, char **base)
{
	CudaDevice *c = cuda_of(dev);
	c->plan = p;
	c->source = source;
	if (p->head.dtype == DT_BF16 && c->how.sm < 80)
		return device_fail(dev, EXIT_DEVICE, "bf16 needs sm_80 or "
			"newer, this GPU is sm_%d: compile for f16", c->how.sm);
	int code = reserve_arena(c, p->head.arena_bytes);
	if (code)
		return code;
	lock_memory(c);
	code = make_blocks(c);
	*base = (char *)(uintptr_t)c->arena;
	return code;
}

/* ---- kernels ---- */

static CudaFunction *
find_function(CudaDevice *c, const char *name)
{
	for (int i = 0; i < c->functions; i++)
		if (!strcmp(c->function[i].name, name))
			return &c->function[i];
	if (c->functions == KERNELS_MAX)
		die("find_function", "more kernels than %d", KERNELS_MAX);
	CudaFunction *f = &c->function[c->functions];
	int result = c->d->function(&f->f, c->module, name);
	if (result) {
		note(c, result, name);
		return NULL;
	}
	f->name = name;
	f->shared = SHARED_PLAIN;
	c->functions++;
	return f;
}

static bool
prepare_launch(CudaDevice *c, const Launch *l)
{
	CudaFunction *f = find_function(c, l->kernel);
	if (f && l->shared > f->shared) {
		note(c, c->d->function_set(f->f, CU_SHARED_DYNAMIC, l->shared),
			l->kernel);
		f->shared = l->shared;
	}
	return f && c->code == EXIT_OK;
}

static int
cuda_prepare(Device *dev, Op op, const Operand *args, const Attr *attr)
{
	CudaDevice *c = cuda_of(dev);
	Launch launch[LAUNCHES_MAX];
	int n = cuda_launches(op, args, attr, &c->how, launch);
	if (n < 0)
		return device_fail(dev, EXIT_PLAN, "there is no CUDA kernel for "
			"these operands");
	for (int i = 0; i < n; i++)
		if (!prepare_launch(c, &launch[i]))
			return c->code;
	return EXIT_OK;
}

static int
cuda_ready(Device *dev)
{
	CudaDevice *c = cuda_of(dev);
	Launch launch;
	View one = {.dtype = DT_F32, .data = (char *)(uintptr_t)c->arena};
	for (int a = 0; a < AXIS_MAX; a++)
		one.n[a] = one.full[a] = 1;
	if (cuda_nonfinite(&one, NULL, &launch) > 0)
		prepare_launch(c, &launch);
	return c->code;
}

static void
start(CudaDevice *c, Launch *l)
{
	void *args[] = {&l->args};
	const CudaFunction *f = find_function(c, l->kernel);
	if (!f || c->code)
		return;
	note(c, c->d->launch(f->f, (unsigned)l->grid, 1, 1,
		(unsigned)l->block, 1, 1, (unsigned)l->shared, c->compute, args,
		NULL), l->kernel);
}

static void
cuda_launch(Device *dev, Op op, const Operand *args, const Attr *attr)
{
	CudaDevice *c = cuda_of(dev);
	Launch launch[LAUNCHES_MAX];
	int n = cuda_launches(op, args, attr, &c->how, launch);
	for (int i = 0; i < n; i++)
		start(c, &launch[i]);
}

/* ---- bytes ---- */

static void
cuda_write(Device *dev, int64_t at, const void *src, int64_t bytes)
{
	CudaDevice *c = cuda_of(dev);
	/* from memory that is not locked: the driver has copied it when the
	   call returns */
	if (bytes && !c->code)
		note(c, c->d->to_device(c->arena + (CUdeviceptr)at, src,
			(size_t)bytes, c->compute), "writing to the arena");
}

static int
cuda_sync(Device *dev)
{
	CudaDevice *c = cuda_of(dev);
	note(c, c->d->stream_sync(c->compute), "the GPU");
	note(c, c->d->stream_sync(c->copies), "the GPU, copying weights");
	return c->code;
}

static int
cuda_read(Device *dev, void *dst, int64_t at, int64_t bytes)
{
	CudaDevice *c = cuda_of(dev);
	if (bytes && !c->code)
		note(c, c->d->to_host(dst, c->arena + (CUdeviceptr)at,
			(size_t)bytes, c->compute), "reading from the arena");
	return cuda_sync(dev);
}

static void
cuda_fill_bytes(Device *dev, int64_t at, int64_t bytes, uint8_t byte)
{
	CudaDevice *c = cuda_of(dev);
	if (bytes && !c->code)
		note(c, c->d->set_bytes(c->arena + (CUdeviceptr)at, byte,
			(size_t)bytes, c->compute), "filling the arena");
}

static int64_t
cuda_first_nonfinite(Device *dev, const View *v)
{
	CudaDevice *c = cuda_of(dev);
	int64_t found = INT64_MAX;
	Launch launch;
	if (c->code || cuda_nonfinite(v, (void *)(uintptr_t)c->found, &launch)
		<= 0)
		return -1;
	note(c, c->d->to_device(c->found, &found, sizeof found, c->compute),
		"looking for NaN");
	start(c, &launch);
	note(c, c->d->to_host(&found, c->found, sizeof found, c->compute),
		"looking for NaN");
	note(c, c->d->stream_sync(c->compute), "looking for NaN");
	return c->code || found == INT64_MAX ? -1 : found;
}

/* ---- weights ---- */

static void
read_weight(CudaDevice *c, uint32_t w, char *dst)
{
	double begin = now_seconds();
	if (c->code == EXIT_OK)
		c->code = weights_load(c->source, c->team, c->plan, w, dst,
			c->base.error);
	c->load_seconds += now_seconds() - begin;
}

/* Converted bytes of the weight in locked memory. */
static const char *
weight_bytes(CudaDevice *c, uint32_t w)
{
	if (c->kept[w]) {
		if (!c->filled[w])
			read_weight(c, w, c->kept[w]);
		c->filled[w] = c->code == EXIT_OK;
		return c->kept[w];
	}
	char *block = c->block[c->next_block];
	note(c, c->d->event_sync(c->block_free[c->next_block]),
		"copying weights");
	read_weight(c, w, block);
	return block;
}

static void
cuda_load(Device *dev, uint32_t w, bool at_once)
{
	CudaDevice *c = cuda_of(dev);
	const PlanBuffer *b = &c->plan->buffers[c->plan->weights[w].buffer];
	(void)at_once;
	note(c, c->d->event_record(c->passed, c->compute), "copying weights");
	const char *from = weight_bytes(c, w);
	if (c->code)
		return;
	note(c, c->d->stream_wait(c->copies, c->passed, 0), "copying weights");
	note(c, c->d->to_device(c->arena + (CUdeviceptr)b->offset, from,
		(size_t)b->bytes, c->copies), "copying weights");
	if (!c->kept[w]) {
		note(c, c->d->event_record(c->block_free[c->next_block],
			c->copies), "copying weights");
		c->next_block = (c->next_block + 1) % BLOCKS;
	}
	note(c, c->d->event_record(c->there[w], c->copies), "copying weights");
}

static int
cuda_wait(Device *dev, uint32_t w)
{
	CudaDevice *c = cuda_of(dev);
	if (!c->code)
		note(c, c->d->stream_wait(c->compute, c->there[w], 0),
			"waiting for weights");
	return c->code;
}

/* ---- marks ---- */

static uint64_t
cuda_reached(Device *dev)
{
	CudaDevice *c = cuda_of(dev);
	while (c->reached < c->marked && c->d->event_query(
		c->mark[c->reached % MARKS]) != CUDA_NOT_READY)
		c->reached++;
	return c->reached;
}

/* Where all are under way the present end counts as the last one's. */
static uint64_t
cuda_mark(Device *dev)
{
	CudaDevice *c = cuda_of(dev);
	if (c->marked - cuda_reached(dev) == MARKS)
		return c->marked;
	note(c, c->d->event_record(c->mark[c->marked % MARKS], c->compute),
		"a mark");
	return ++c->marked;
}

static void
cuda_reset(Device *dev)
{
	CudaDevice *c = cuda_of(dev);
	cuda_sync(dev);
	c->load_seconds = 0;
}

static double
cuda_load_seconds(Device *dev)
{
	return cuda_of(dev)->load_seconds;
}

const DeviceTable device_cuda = {
	.target = "cuda",
	.open = cuda_open,
	.close = cuda_close,
	.bind = cuda_bind,
	.prepare = cuda_prepare,
	.ready = cuda_ready,
	.write = cuda_write,
	.read = cuda_read,
	.fill = cuda_fill_bytes,
	.launch = cuda_launch,
	.load = cuda_load,
	.wait = cuda_wait,
	.nonfinite = cuda_first_nonfinite,
	.mark = cuda_mark,
	.reached = cuda_reached,
	.sync = cuda_sync,
	.reset = cuda_reset,
	.load_seconds = cuda_load_seconds,
};
