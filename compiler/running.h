/* running.h - what the commands that take a plan share: reading it, progress on
 * the terminal, ^C, inputs from a file, the trace, the process's own peak.
 */
#ifndef SLUICE_RUNNING_H
#define SLUICE_RUNNING_H

#include "../vm/vm.h"
#include "options.h"

/* ---- the plan ---- */
/* Reads a plan and passes it through the gates; ends the program with the
 * documented code when it cannot be used. */
Plan *plan_open(Arena *a, const char *path);
/* Ends the program over a plan; `code` and `e` as plan_read gives them. */
_Noreturn void plan_refused(const char *path, int code, const PlanError *e);

/* ---- progress and ^C ---- */
typedef enum ProgressMode {
	PROGRESS_NONE, PROGRESS_LINE, PROGRESS_JSON
} ProgressMode;

typedef struct Running {
	ProgressMode mode;
	bool drawn;             /* a line stands on the terminal */
} Running;

/* Mode from --progress and --quiet; without them a line when stderr is a
 * terminal.  Ends the program when --progress is none of its values. */
void running_options(Running *r, const char *progress, bool quiet);
/* VmOptions.progress; `user` is the Running.  False after a signal. */
bool running_progress(void *user, const VmProgress *p);
/* vm_run.  The first ^C asks the run to stop, which then ends the program; a
 * second one does so at once. */
int running_run(Running *r, Vm *vm);

/* ---- the process ---- */
/* Largest resident size of this process so far. */
int64_t process_peak_bytes(void);
/* Seconds a denoising step took; without steps, the run but for the time in
 * which it waited for weights. */
double seconds_per_step(const Plan *p, const VmTimes *t);
/* Seconds in which kernels waited for weights, of a denoising step; without
 * steps, of the run. */
double wait_per_step(const Plan *p, const VmTimes *t);
/* How long it took and the peaks: a line on stderr; as members of a JSON object
 * on stdout ("seconds" to "device"). */
void times_print(const Plan *p, const VmTimes *t);
void times_print_json(const Plan *p, const VmTimes *t);
/* False, with the reason in `err` (256 bytes), when `path` cannot be written:
 * found out before the work, not after it.  Leaves nothing behind. */
bool output_writable(const char *path, char *err);
/* Writes the events of a traced run in Chrome's trace form ("X" for each
 * instruction, "C" for the arena's height in use). */
bool trace_write(const char *path, const Plan *p, const VmTimes *t, char *err);

/* ---- inputs.c: tensors to a plan's inputs ---- */
/* Matches the plan's inputs against the set before anything is read: missing
 * ones (unless they are random, see input_is_random), other shapes (extents of
 * one do not count) and types.  EXIT_OK, or EXIT_WEIGHTS with all of them in
 * `err`. */
int inputs_match(const Plan *p, const TensorSet *set, char *err, size_t size);
/* Fills the bound Vm's inputs: from the set, else random ones from `seed`.  An
 * exit code; EXIT_NUMERICS for a NaN or infinity. */
int inputs_fill(const Plan *p, Vm *vm, const TensorSet *set, uint64_t seed,
	char *err, size_t size);
/* Whether --seed fills this input when no file does: f32 and named `noise` or
 * `..._noise`. */
bool input_is_random(const Plan *p, const PlanPort *port);
/* "[f=2, h=6, w=8, c=4]" */
char *port_shape(const Plan *p, const PlanPort *port, char *buf, size_t size);
int64_t port_elements(const PlanPort *port);
/* Port as a tensor with one dimension for each axis; false with more than
 * eight. */
bool port_tensor(const Plan *p, const PlanPort *port, const void *data,
	TensorOut *out);

#endif
