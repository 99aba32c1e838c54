/* fuzz_runfile.c - libFuzzer target: the YAML of a run file.  What is accepted
 * must keep the limits of its keys, what is refused must be told with a place.
 */
#include "compiler/generate/runfile.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_run(const RunFile *r)
{
	if (r->frames < 0 || r->decode_chunk < 0 || !(r->noise_aug >= 0)
		|| r->steps < 1 || r->seed < 0 || r->memory < 0
		|| !(r->fps >= 0) || !(r->guidance >= 0)
		|| r->dtype >= DT_I32 || (!r->folder && !r->n_component)
		|| (r->width > 0) != (r->height > 0))
		abort();
	if (runfile_takes(r) < 1 || r->take || r->prompt != r->prompts[0])
		abort();
	for (size_t i = 0; i < r->n_output; i++)
		if (!*r->output[i].path)
			abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char err[RUNFILE_ERR] = "";
	Arena a = {0};
	RunFile r;
	/* a second reading, as an override: "key=value" */
	char *set = arena_strndup(&a, (const char *)data, size);
	const char *const sets[] = {set};
	int code = runfile_parse(&a, "run.yaml", (const char *)data, size, NULL,
		0, &r, err);
	if (code == EXIT_OK)
		check_run(&r);
	else if (strncmp(err, "run.yaml:", 9))
		abort();
	code = runfile_parse(&a, "run.yaml", "model: m", 8, sets, 1, &r, err);
	if (code == EXIT_OK)
		check_run(&r);
	else if (strncmp(err, "--set ", 6))
		abort();
	arena_free(&a);
	return 0;
}
