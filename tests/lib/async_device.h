/* async_device.h - a device that is behind: what it is asked for waits in two
 * queues, one for kernels and one for copies of weights, and is done later, in
 * any order that the events between them allow.  It computes with the CPU's
 * kernels.
 *
 * The arena's address that it gives out belongs to nobody, so whoever looks
 * behind it dies.  A weight's bytes turn into NaN as soon as its load may begin
 * and hold the weight from when the copy is done, which `async_eager` says:
 * at once, as late as possible, or at random.
 */
#ifndef SLUICE_ASYNC_DEVICE_H
#define SLUICE_ASYNC_DEVICE_H

#include "vm/device/device.h"
#include "vm/operands.h"
#include "kernels/box.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

typedef enum AsyncKind {
	ASYNC_WRITE, ASYNC_FILL, ASYNC_LAUNCH,
	ASYNC_POISON, ASYNC_COPY,       /* of a weight's bytes */
	ASYNC_RECORD, ASYNC_AWAIT,      /* an event */
} AsyncKind;

typedef struct AsyncItem {
	struct AsyncItem *next;
	AsyncKind kind;
	uint64_t event;         /* RECORD, AWAIT */
	uint32_t weight;
	int64_t at, bytes;
	uint8_t byte;
	char *data;             /* WRITE: its own copy */
	Op op;
	Attr attr;
	Operand args[ARGS_MAX];
} AsyncItem;

typedef struct AsyncQueue {
	AsyncItem *first, **last;
} AsyncQueue;

enum { ASYNC_COMPUTE, ASYNC_COPIES, ASYNC_QUEUES };
typedef enum AsyncWhen { ASYNC_EAGER, ASYNC_LAZY, ASYNC_RANDOM } AsyncWhen;

typedef struct AsyncDevice {
	Device base;
	const Plan *plan;
	WeightSource *source;
	char *fake, *arena;
	size_t bytes;
	AsyncQueue queue[ASYNC_QUEUES];
	uint64_t events;        /* given out */
	bool *recorded;         /* by event */
	size_t recorded_size;
	uint64_t *ready;        /* by weight: event of its last copy */
	uint64_t asked, done;   /* launches */
	int code;
	Ctx ctx;
} AsyncDevice;

/* How it behaves, for devices opened next. */
static AsyncWhen async_when;
static bool async_deaf;         /* waits for nothing: what a fault looks like */
static uint64_t async_state = 1;

static inline uint64_t
async_random(uint64_t n)
{
	async_state = async_state * 6364136223846793005u + 1442695040888963407u;
	return (async_state >> 33) % n;
}

static inline AsyncDevice *
async_of(Device *d)
{
	return (AsyncDevice *)(void *)d;
}

static inline AsyncItem *
async_push(AsyncDevice *d, int queue, AsyncKind kind)
{
	AsyncItem *i = calloc(1, sizeof *i);
	if (!i)
		abort();
	i->kind = kind;
	*d->queue[queue].last = i;
	d->queue[queue].last = &i->next;
	return i;
}

static inline uint64_t
async_event(AsyncDevice *d)
{
	uint64_t e = d->events++;
	if (e >= d->recorded_size) {
		d->recorded_size = 2 * d->recorded_size + 64;
		d->recorded = realloc(d->recorded, d->recorded_size);
		if (!d->recorded)
			abort();
	}
	d->recorded[e] = false;
	return e;
}

static inline void
async_launch_now(AsyncDevice *d, AsyncItem *i)
{
	for (int k = 0; k < ARGS_MAX; k++)
		for (int part = 0; part < i->args[k].parts; part++)
			i->args[k].part[part].data += d->arena - d->fake;
	if (cpu_kernel(i->op)(&d->ctx, i->args, &i->attr) != K_OK)
		abort();
	d->done++;
}

static inline void
async_do(AsyncDevice *d, AsyncItem *i)
{
	const Plan *p = d->plan;
	const PlanBuffer *b = i->kind == ASYNC_POISON || i->kind == ASYNC_COPY
		? &p->buffers[p->weights[i->weight].buffer] : NULL;
	switch (i->kind) {
	case ASYNC_WRITE:
		memcpy(d->arena + i->at, i->data, (size_t)i->bytes);
		break;
	case ASYNC_FILL:
		memset(d->arena + i->at, i->byte, (size_t)i->bytes);
		break;
	case ASYNC_LAUNCH:
		async_launch_now(d, i);
		break;
	case ASYNC_POISON:
		memset(d->arena + b->offset, 0xff, (size_t)b->bytes);
		break;
	case ASYNC_COPY:
		if (d->code == EXIT_OK)
			d->code = weights_load(d->source, d->ctx.team, p, i->weight,
				d->arena + b->offset, d->base.error);
		break;
	case ASYNC_RECORD:
		d->recorded[i->event] = true;
		break;
	case ASYNC_AWAIT:
		break;
	}
}

/* Does the first of a queue, if it may be done now. */
static inline bool
async_step(AsyncDevice *d, int queue)
{
	AsyncItem *i = d->queue[queue].first;
	if (!i || (i->kind == ASYNC_AWAIT && !async_deaf
		&& !d->recorded[i->event]))
		return false;
	async_do(d, i);
	d->queue[queue].first = i->next;
	if (!i->next)
		d->queue[queue].last = &d->queue[queue].first;
	free(i->data);
	free(i);
	return true;
}

/* Poison as early, weights as late as the events allow, or the other way
 * round, or anything between. */
static inline void
async_drain(AsyncDevice *d)
{
	for (;;) {
		AsyncItem *copy = d->queue[ASYNC_COPIES].first;
		int queue = async_when == ASYNC_EAGER ? ASYNC_COPIES
			: async_when == ASYNC_RANDOM ? (int)async_random(2)
			: copy && copy->kind != ASYNC_COPY ? ASYNC_COPIES
			: ASYNC_COMPUTE;
		if (!async_step(d, queue) && !async_step(d, !queue))
			break;
	}
	if (d->queue[0].first || d->queue[1].first)
		abort();        /* each waits for the other */
}

static inline int
async_open(Arena *host, const DeviceConfig *c, Device **out)
{
	AsyncDevice *d = arena_alloc(host, sizeof *d);
	extern const DeviceTable device_async;
	d->base.table = &device_async;
	d->ctx.team = threads_start(c->threads, d->base.error,
		sizeof d->base.error);
	for (int q = 0; q < ASYNC_QUEUES; q++)
		d->queue[q].last = &d->queue[q].first;
	cpu_init();
	*out = &d->base;
	return d->ctx.team ? EXIT_OK : EXIT_MEMORY;
}

static inline void
async_close(Device *dev)
{
	AsyncDevice *d = async_of(dev);
	if (d->arena) {
		async_drain(d);
		munmap(d->fake, d->bytes);
		free(d->arena);
	}
	threads_stop(d->ctx.team);
	free(d->recorded);
	free(d->ready);
}

static inline int
async_bind(Device *dev, const Plan *p, WeightSource *source, char **base)
{
	AsyncDevice *d = async_of(dev);
	d->plan = p;
	d->source = source;
	d->bytes = (size_t)round_up(p->head.arena_bytes + 1, 4096);
	d->fake = mmap(NULL, d->bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS
		| MAP_NORESERVE, -1, 0);
	d->arena = aligned_alloc(4096, d->bytes);
	d->ready = calloc(p->n_weights + 1, sizeof *d->ready);
	if (d->fake == MAP_FAILED || !d->arena || !d->ready)
		abort();
	memset(d->arena, 0xff, d->bytes);
	*base = d->fake;
	return EXIT_OK;
}

static inline int
async_prepare(Device *dev, Op op, const Operand *args, const Attr *attr)
{
	Ctx ctx = {.team = async_of(dev)->ctx.team, .prepare = true};
	Kernel k = cpu_kernel(op);
	return k && k(&ctx, args, attr) == K_OK ? EXIT_OK
		: device_fail(dev, EXIT_PLAN, "no kernel");
}

static inline int
async_ready(Device *dev)
{
	(void)dev;
	return EXIT_OK;
}

static inline void
async_write(Device *dev, int64_t at, const void *src, int64_t bytes)
{
	AsyncItem *i = async_push(async_of(dev), ASYNC_COMPUTE, ASYNC_WRITE);
	i->at = at;
	i->bytes = bytes;
	i->data = malloc((size_t)bytes + 1);
	if (!i->data)
		abort();
	memcpy(i->data, src, (size_t)bytes);
}

static inline int
async_sync(Device *dev)
{
	AsyncDevice *d = async_of(dev);
	async_drain(d);
	return d->code;
}

static inline int
async_read(Device *dev, void *dst, int64_t at, int64_t bytes)
{
	AsyncDevice *d = async_of(dev);
	int code = async_sync(dev);
	memcpy(dst, d->arena + at, (size_t)bytes);
	return code;
}

static inline void
async_fill(Device *dev, int64_t at, int64_t bytes, uint8_t byte)
{
	AsyncItem *i = async_push(async_of(dev), ASYNC_COMPUTE, ASYNC_FILL);
	i->at = at;
	i->bytes = bytes;
	i->byte = byte;
}

static inline void
async_launch(Device *dev, Op op, const Operand *args, const Attr *attr)
{
	AsyncDevice *d = async_of(dev);
	AsyncItem *i = async_push(d, ASYNC_COMPUTE, ASYNC_LAUNCH);
	i->op = op;
	i->attr = *attr;
	memcpy(i->args, args, sizeof i->args);
	d->asked++;
}

static inline void
async_load(Device *dev, uint32_t w, bool at_once)
{
	AsyncDevice *d = async_of(dev);
	uint64_t free_now = async_event(d), there = async_event(d);
	(void)at_once;
	async_push(d, ASYNC_COMPUTE, ASYNC_RECORD)->event = free_now;
	async_push(d, ASYNC_COPIES, ASYNC_AWAIT)->event = free_now;
	async_push(d, ASYNC_COPIES, ASYNC_POISON)->weight = w;
	async_push(d, ASYNC_COPIES, ASYNC_COPY)->weight = w;
	async_push(d, ASYNC_COPIES, ASYNC_RECORD)->event = there;
	d->ready[w] = there;
}

static inline int
async_wait(Device *dev, uint32_t w)
{
	AsyncDevice *d = async_of(dev);
	async_push(d, ASYNC_COMPUTE, ASYNC_AWAIT)->event = d->ready[w];
	return EXIT_OK;
}

static inline int64_t
async_nonfinite(Device *dev, const View *v)
{
	AsyncDevice *d = async_of(dev);
	View real = *v;
	async_drain(d);
	real.data += d->arena - d->fake;
	return view_nonfinite(&real);
}

static inline uint64_t
async_mark(Device *dev)
{
	return async_of(dev)->asked;
}

static inline uint64_t
async_reached(Device *dev)
{
	return async_of(dev)->done;
}

static inline void
async_reset(Device *dev)
{
	AsyncDevice *d = async_of(dev);
	async_drain(d);
	d->code = EXIT_OK;
}

static inline double
async_load_seconds(Device *dev)
{
	(void)dev;
	return 0;
}

const DeviceTable device_async = {
	.target = "cpu",
	.open = async_open,
	.close = async_close,
	.bind = async_bind,
	.prepare = async_prepare,
	.ready = async_ready,
	.write = async_write,
	.read = async_read,
	.fill = async_fill,
	.launch = async_launch,
	.load = async_load,
	.wait = async_wait,
	.nonfinite = async_nonfinite,
	.mark = async_mark,
	.reached = async_reached,
	.sync = async_sync,
	.reset = async_reset,
	.load_seconds = async_load_seconds,
};

#endif
