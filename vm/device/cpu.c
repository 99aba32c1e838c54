/* cpu.c - the processor as a device: everything is done when its function
 * returns, but for weights that are read while kernels run (loader.h).
 */
#include "vm/device/device.h"
#include "vm/device/loader.h"
#include "kernels/box.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct CpuDevice {
	Device base;
	Arena *host;
	const Plan *plan;
	WeightSource *weights;
	Loader *loader;         /* NULL: no load runs beside kernels */
	char *map, *arena;      /* the reservation; byte 0 of the plan */
	size_t map_bytes;
	Ctx ctx;
	int load_code;          /* of the first load at once that failed */
	double load_seconds;
	uint64_t marks;
} CpuDevice;

static CpuDevice *
cpu_of(Device *d)
{
	return (CpuDevice *)(void *)d;
}

static int
cpu_open(Arena *host, const DeviceConfig *c, Device **d)
{
	CpuDevice *cpu = arena_alloc(host, sizeof *cpu);
	cpu->base.table = &device_cpu;
	cpu->host = host;
	*d = &cpu->base;
	if (c->index)
		return device_fail(*d, EXIT_DEVICE, "there is one cpu, not %d",
			c->index + 1);
	cpu_init();
	/* all threads that there will ever be, so that none is made while the
	   plan runs */
	cpu->ctx.team = threads_start(c->threads, cpu->base.error,
		sizeof cpu->base.error);
	return cpu->ctx.team ? EXIT_OK : EXIT_MEMORY;
}

static void
cpu_close(Device *d)
{
	CpuDevice *cpu = cpu_of(d);
	loader_stop(cpu->loader);
	threads_stop(cpu->ctx.team);
	if (cpu->map)
		munmap(cpu->map, cpu->map_bytes);
}

/* The arena with an unreadable page on either side.  Huge pages: the kernels
 * walk it with long strides. */
static int
reserve_arena(CpuDevice *cpu, int64_t arena_bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), huge = (size_t)1 << 21;
	size_t bytes = (size_t)round_up(arena_bytes, (int64_t)page);
	char text[32];
	cpu->map_bytes = bytes + 2 * page;
	cpu->map = mmap(NULL, cpu->map_bytes, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (cpu->map == MAP_FAILED) {
		cpu->map = NULL;
		return device_fail(&cpu->base, EXIT_MEMORY, "cannot reserve %s "
			"for the plan: %s", format_bytes(text, arena_bytes),
			strerror(errno));
	}
	cpu->arena = cpu->map + page;
	mprotect(cpu->map, page, PROT_NONE);
	mprotect(cpu->arena + bytes, page, PROT_NONE);
	if (bytes >= huge)
		madvise(cpu->arena, bytes, MADV_HUGEPAGE);
	return EXIT_OK;
}

static int
cpu_bind(Device *d, const Plan *p, WeightSource *source, char **base)
{
	CpuDevice *cpu = cpu_of(d);
	cpu->plan = p;
	cpu->weights = source;
	int code = reserve_arena(cpu, p->head.arena_bytes);
	*base = cpu->arena;
	return code;
}

static int
cpu_prepare(Device *d, Op op, const Operand *args, const Attr *attr)
{
	Ctx ctx = {.team = cpu_of(d)->ctx.team, .prepare = true};
	Kernel kernel = cpu_kernel(op);
	if (kernel && kernel(&ctx, args, attr) == K_OK)
		return EXIT_OK;
	return device_fail(d, EXIT_PLAN, "the cpu has no kernel for these "
		"operands");
}

/* A thread for weights, where a load is not waited for at once. */
static int
cpu_ready(Device *d)
{
	CpuDevice *cpu = cpu_of(d);
	bool beside = false;
	for (uint32_t i = 0; i < cpu->plan->n_code; i++)
		beside |= cpu->plan->code[i].op == CTL_load
			&& !plan_waits_at_once(cpu->plan, i);
	if (!beside)
		return EXIT_OK;
	cpu->loader = loader_start(cpu->host, cpu->plan, cpu->weights,
		cpu->arena);
	return cpu->loader ? EXIT_OK : device_fail(d, EXIT_MEMORY,
		"cannot start the thread that reads weights");
}

static void
cpu_write(Device *d, int64_t at, const void *src, int64_t bytes)
{
	memcpy(cpu_of(d)->arena + at, src, (size_t)bytes);
}

static int
cpu_read(Device *d, void *dst, int64_t at, int64_t bytes)
{
	memcpy(dst, cpu_of(d)->arena + at, (size_t)bytes);
	return EXIT_OK;
}

static void
cpu_fill_bytes(Device *d, int64_t at, int64_t bytes, uint8_t byte)
{
	memset(cpu_of(d)->arena + at, byte, (size_t)bytes);
}

static void
cpu_launch(Device *d, Op op, const Operand *args, const Attr *attr)
{
	CpuDevice *cpu = cpu_of(d);
	if (cpu_kernel(op)(&cpu->ctx, args, attr) != K_OK)
		die("cpu_launch", "%s fails though it was prepared",
			op_info[op].name);
}

static void
cpu_load(Device *d, uint32_t w, bool at_once)
{
	CpuDevice *cpu = cpu_of(d);
	const Plan *p = cpu->plan;
	if (cpu->loader && !(at_once && loader_idle(cpu->loader))) {
		loader_begin(cpu->loader, w);
		return;
	}
	double start = now_seconds();
	if (cpu->load_code == EXIT_OK)
		cpu->load_code = weights_load(cpu->weights, cpu->ctx.team, p, w,
			cpu->arena + p->buffers[p->weights[w].buffer].offset,
			d->error);
	cpu->load_seconds += now_seconds() - start;
}

static int
cpu_wait(Device *d, uint32_t w)
{
	CpuDevice *cpu = cpu_of(d);
	if (cpu->load_code != EXIT_OK || !cpu->loader)
		return cpu->load_code;
	return loader_wait(cpu->loader, w, d->error);
}

static int64_t
cpu_nonfinite(Device *d, const View *v)
{
	(void)d;
	return view_nonfinite(v);
}

static uint64_t
cpu_mark(Device *d)
{
	return ++cpu_of(d)->marks;
}

static uint64_t
cpu_reached(Device *d)
{
	return cpu_of(d)->marks;
}

static int
cpu_sync(Device *d)
{
	return cpu_of(d)->load_code;
}

static void
cpu_reset(Device *d)
{
	CpuDevice *cpu = cpu_of(d);
	if (cpu->loader)
		loader_reset(cpu->loader);
	cpu->load_code = EXIT_OK;
	cpu->load_seconds = 0;
}

static double
cpu_load_seconds(Device *d)
{
	CpuDevice *cpu = cpu_of(d);
	return cpu->load_seconds
		+ (cpu->loader ? loader_seconds(cpu->loader) : 0);
}

const DeviceTable device_cpu = {
	.target = "cpu",
	.open = cpu_open,
	.close = cpu_close,
	.bind = cpu_bind,
	.prepare = cpu_prepare,
	.ready = cpu_ready,
	.write = cpu_write,
	.read = cpu_read,
	.fill = cpu_fill_bytes,
	.launch = cpu_launch,
	.load = cpu_load,
	.wait = cpu_wait,
	.nonfinite = cpu_nonfinite,
	.mark = cpu_mark,
	.reached = cpu_reached,
	.sync = cpu_sync,
	.reset = cpu_reset,
	.load_seconds = cpu_load_seconds,
};
