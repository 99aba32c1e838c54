/* running.h - what the commands that take a plan share: reading it, progress on
 * the terminal, ^C, the process's own peak.
 */
#ifndef SLUICE_RUNNING_H
#define SLUICE_RUNNING_H

#include "vm/vm.h"
#include "compiler/cli/options.h"

/* ---- the plan ---- */
/* Reads a plan and passes it through the gates; ends the program with the
 * documented code when it cannot be used. */
Plan *plan_open(Arena *a, const char *path);
/* Ends the program over a plan; `code` and `e` as plan_read gives them. */
_Noreturn void plan_refused(const char *path, int code, const PlanError *e);
/* Threads of --threads; 0 without it.  Warns when the plan has workspaces for
 * fewer, since only so many run. */
int running_threads(const Args *args, const Plan *p);

/* Number of the device that --device NAME[:N] asks for, 0 without it.  Ends the
 * program when the plan is for another target, or N is no number. */
int running_device(const Args *args, const Plan *p);

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
#endif
