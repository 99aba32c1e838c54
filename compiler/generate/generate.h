/* generate.h - the parts of `sluice generate`: a run file and a model's folder
 * to what is compiled (generate.c), prompts and noise to the plan's inputs
 * (generate_inputs.c), its outputs to files (generate_outputs.c).
 */
#ifndef SLUICE_GENERATE_H
#define SLUICE_GENERATE_H

#include "compiler/compiler.h"
#include "compiler/generate/runfile.h"
#include "vm/vm.h"

enum { GENERATE_ERR = 8192 };   /* bytes behind every `err` here */

/* What is compiled, and from where. */
typedef struct Job {
	const RunFile *run;
	CompileOptions compile;
	const char **component; /* "unet=DIR,DIR": the run file's, and a motion
	                           adapter that lies in the folder */
	size_t n_component;
	const char *scheduler;  /* its class, for notes in pictures */
} Job;

/* Chooses the pipeline by the class in model_index.json, reads the configs and
 * sets the parameters.  Returns EXIT_OK, EXIT_IO or EXIT_SOURCE. */
int job_make(Arena *a, const RunFile *run, int threads, Job *out, char *err);

/* Token ids of the prompts, as the plan's input `tokens` wants them: the
 * negative prompt's first when there are two rows.  A prompt that is too long
 * is cut, with a warning unless `quiet`. */
int job_tokens(Arena *a, const Job *job, const Plan *p, bool quiet,
	const int32_t **tokens, char *err);
/* Opens the noise file, if there is one, and checks it against the plan before
 * anything runs. */
int job_noise(Arena *a, const Job *job, const Plan *p, TensorSet *set,
	char *err);
/* Fills the inputs of a bound Vm: tokens, guidance, noise by file or seed. */
int job_fill(Arena *a, const Job *job, const Plan *p, Vm *vm, TensorSet *set,
	const int32_t *tokens, char *err);

/* Without ffmpeg an MP4 becomes a Y4M file of its name: said before the work,
 * unless `quiet`. */
void outputs_settle(Arena *a, RunFile *r, bool quiet);
/* Whether every output could be written: found out before the work. */
int job_writable(const Job *job, char *err);
/* Writes all outputs of a finished run. */
int job_write(Arena *a, const Job *job, const Plan *p, Vm *vm, char *err);

#endif
