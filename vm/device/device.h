/* device.h - what runs a plan's instructions and holds its arena.
 *
 * A target (kernels/target.h) says what kernels want: layouts and workspaces.
 * A device runs them; each target name has one table of functions here.  All
 * bytes of the arena lie behind this table: the VM knows the device's address
 * of byte 0, computes with it, and never looks behind it.
 *
 * Order.  What is asked for takes effect as if it were done at once, in the
 * order of the calls, but a device may do it later: a function whose comment
 * does not say that it waits returns before that.  Arguments are not needed any
 * more when a function has returned.  Loads are the exception: a weight's bytes
 * may come at any moment between load() and the wait() for it, and must not
 * come before what was asked for in front of the load() is done.
 *
 * Errors.  Functions that can fail return an exit code, EXIT_OK when all is
 * well; device_error() has the reason.  What fails later is told by the next
 * sync(), wait() or read().
 */
#ifndef SLUICE_DEVICE_H
#define SLUICE_DEVICE_H

#include "kernels/kernels.h"
#include "vm/plan/plan.h"
#include "vm/weights/weights.h"

enum { DEVICE_ERROR = 1024 };           /* bytes of a reason */

typedef struct Device Device;

typedef struct DeviceConfig {
	int index;              /* which one of its kind, from 0 */
	int threads;            /* that the CPU's kernels and the packing of
	                           weights may have; at least 1 */
} DeviceConfig;

typedef struct DeviceTable {
	const char *target;     /* as in the plan's header */

	/* Opens a device; what it needs to remember lives in `host`, which
	 * must outlive it.  *d is set even when it fails, for device_error();
	 * close it then, too. */
	int (*open)(Arena *host, const DeviceConfig *c, Device **d);
	void (*close)(Device *d);

	/* Reserves the plan's arena and gets ready to load its weights from
	 * `source` (NULL: it has none).  *base becomes the address of byte 0 as
	 * kernels see it: nobody else may look behind it. */
	int (*bind)(Device *d, const Plan *p, WeightSource *source,
		char **base);
	/* Refuses the call that launch() would make, computes nothing; data
	 * pointers are not followed.  EXIT_PLAN: there is no kernel for it. */
	int (*prepare)(Device *d, Op op, const Operand *args,
		const Attr *attr);
	/* After the last prepare(): from here to close() nothing is
	 * allocated. */
	int (*ready)(Device *d);

	/* Bytes to and from [at, at + bytes) of the arena; read() waits. */
	void (*write)(Device *d, int64_t at, const void *src, int64_t bytes);
	int (*read)(Device *d, void *dst, int64_t at, int64_t bytes);
	void (*fill)(Device *d, int64_t at, int64_t bytes, uint8_t byte);
	/* A call that prepare() has taken: it cannot fail. */
	void (*launch)(Device *d, Op op, const Operand *args,
		const Attr *attr);
	/* Weight `w` to its buffer; `at_once`: its wait() comes next. */
	void (*load)(Device *d, uint32_t w, bool at_once);
	/* What follows sees the weight. */
	int (*wait)(Device *d, uint32_t w);

	/* Index (in walking order, axes upwards) of the first element of a box
	 * in the arena that is not finite, -1: none.  Waits. */
	int64_t (*nonfinite)(Device *d, const View *v);

	/* A number for the present end of what was asked for, growing; and the
	 * number of the last one that is done. */
	uint64_t (*mark)(Device *d);
	uint64_t (*reached)(Device *d);
	/* Waits for everything. */
	int (*sync)(Device *d);
	/* Forgets a run that ended, loads that nobody waited for included. */
	void (*reset)(Device *d);
	/* Seconds spent on loading weights since reset(). */
	double (*load_seconds)(Device *d);
} DeviceTable;

/* What every device begins with. */
struct Device {
	const DeviceTable *table;
	char error[DEVICE_ERROR];
};

/* The table for a target's name, NULL: none here. */
const DeviceTable *device_find(const char *target);
const char *device_error(const Device *d);
/* Sets the reason and returns `code`. */
int device_fail(Device *d, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

extern const DeviceTable device_cpu;    /* cpu.c */
extern const DeviceTable device_cuda;   /* cuda.c */

#endif
