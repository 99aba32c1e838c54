/* profile.h - device profiles: files that people can read, and measuring one.
 *
 *   profile.c           YAML files, the built-in profile
 *   profile_case.c      small programs of one op, and how long they take
 *   profile_gpu.c       estimates for GPUs, from their data sheets
 *   profile_load.c      the same for loading weights
 *   profile_measure.c   the profile that explains their times best
 */
#ifndef SLUICE_PROFILE_H
#define SLUICE_PROFILE_H

#include "compiler/cost/cost.h"

enum { PROFILE_ERR = 1024 };    /* bytes behind every `err` here */
#define PATIENCE 0.05           /* seconds that a program is given to settle */

/* ---- profile.c ---- */
/* Reads a profile into the arena.  NULL with place, reason and source line in
 * `err`; *code is then EXIT_IO or EXIT_SOURCE. */
const Profile *profile_read(Arena *a, const char *path, int *code, char *err);
/* What --profile names: a file where there is a '/' or '.' in it, else a built-in
 * profile.  NULL: the target's own, which is the CPU's measured one or the
 * estimate for rtx3090.  A profile of another target is refused.  NULL with the
 * reason in `err`; *code is EXIT_USAGE, EXIT_IO or EXIT_SOURCE. */
const Profile *profile_choose(Arena *a, const char *text, const char *target,
	int *code, char *err);
/* The same from memory; `path` names it in messages. */
const Profile *profile_parse(Arena *a, const char *path, const char *text,
	size_t size, char *err);
/* Whether a profile may be called so: 1 to 60 printable characters. */
bool profile_name_ok(const char *name);
/* Writes it as YAML, so that reading it gives the same numbers. */
void profile_print(const Profile *c, FILE *out);

/* ---- profile_gpu.c ---- */
/* The estimate for a GPU of that name; NULL: there is none. */
const Profile *profile_built_in(Arena *a, const char *name);
const char *profile_built_in_names(void);

/* ---- profile_case.c ---- */
/* How long a small program of one op took, and its units of work. */
typedef struct Sample {
	const char *what;       /* "linear 4096 x 320 to 320" */
	DType dtype;            /* column of the profile */
	double units[COST_COUNT];
	double seconds;
	bool unsure;            /* no two runs agreed */
} Sample;
typedef Vec(Sample) Samples;

/* Runs each of them for values of type `dtype`, again and again until its time
 * is sure or `patience` seconds are over, and adds a sample, for the threads of
 * the team.  Texts live in the
 * arena. */
void profile_cases(Arena *a, DType dtype, Threads *team, double patience,
	Samples *out);

/* ---- profile_load.c ---- */
/* The same for loading weights, from a file that is written to `folder` and
 * removed again, by one thread, as a run's loads beside kernels are.  An exit code, with the reason in `err`. */
int profile_loads(Arena *a, DType dtype, const char *folder, Samples *out,
	char *err);

/* ---- profile_measure.c ---- */
/* Fits c->seconds[dtype] to the samples of that type. */
void profile_fit(Profile *c, DType dtype, const Samples *samples);
/* Seconds that a profile predicts for a sample. */
double profile_predict(const Profile *c, const Sample *s);
/* Measures this machine with so many threads; with PATIENCE that takes some 10
 * seconds, more when it is busy.  What was measured is left in `samples`, which
 * is empty before.  An exit code, with the reason in `err`. */
int profile_measure(Arena *a, const char *name, int threads, double patience,
	Profile *out, Samples *samples, char *err);

#endif
