/* runfile.h - what `sluice generate` reads: a YAML file that says which model
 * makes which video.  docs and examples/animatediff.yaml explain each key.
 */
#ifndef SLUICE_RUNFILE_H
#define SLUICE_RUNFILE_H

#include "ir/base/json.h"
#include "ir/ops.h"

enum { RUNFILE_ERR = 1024 };    /* bytes behind every `err` here */

typedef enum OutputKind {
	OUTPUT_GIF, OUTPUT_MP4, OUTPUT_Y4M, OUTPUT_PNG, OUTPUT_TENSORS
} OutputKind;

typedef struct OutputFile {
	OutputKind kind;
	const char *path;
} OutputFile;

/* Everything lives in the arena; paths are relative to the current folder, no
 * longer to the run file. */
typedef struct RunFile {
	const char *path;
	const char *folder;     /* Hugging Face folder, or NULL */
	const char **component; /* "unet=DIR,DIR", replacing the folder's */
	size_t n_component;
	const char *pipeline;   /* .slu, or NULL: by model_index.json */
	const char *prompt, *negative_prompt;
	int64_t frames, steps;
	int64_t width, height;  /* pixels; 0: the model's own size */
	double guidance;
	int64_t seed;
	const char *noise;      /* safetensors, or NULL */
	const Json *scheduler;  /* settings over the folder's, or NULL */
	DType dtype;
	int64_t memory;         /* bytes; 0: no limit */
	const char *profile;    /* device profile, or NULL: the built-in one */
	OutputFile *output;
	size_t n_output;
	double fps;
	bool keep_latents;
} RunFile;

/* Reads the file and then the overrides "key=value".  Returns EXIT_OK, or
 * EXIT_IO, EXIT_SOURCE, EXIT_USAGE with place, reason and source line in `err`. */
int runfile_read(Arena *a, const char *path, const char *const *set,
	size_t n_set, RunFile *out, char *err);
/* The same from memory, for tests: `path` names it in messages. */
int runfile_parse(Arena *a, const char *path, const char *text, size_t size,
	const char *const *set, size_t n_set, RunFile *out, char *err);

#endif
