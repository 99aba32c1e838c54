/* fuzz_config.c - libFuzzer target: any text as JSON, as a scheduler's config
 * and as a run file.
 *
 * What is refused must say why, what is accepted must hold together: values of
 * known kinds within the text, a schedule that is finite.  The first byte is
 * the number of steps.
 */
#include "compiler/generate/runfile.h"
#include "lang/lang.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Everything in the value is there to be read, and keys are found. */
static void
walk(const Json *j, size_t size)
{
	if (j->kind > JSON_MAP || j->offset > size)
		abort();
	if (j->kind == JSON_STRING && strlen(j->text) > j->length)
		abort();
	for (size_t i = 0; i < j->n; i++) {
		walk(&j->item[i], size);
		if (j->kind == JSON_MAP
			&& json_get(j, j->key[i]) != &j->item[i])
			abort();
	}
}

static void
check_sampler(Arena *a, const Json *config, int64_t steps)
{
	char err[256] = "";
	const Sampler *s = sampler_make(a, config, steps, err);
	if (!s) {
		if (!*err)
			abort();
		return;
	}
	for (int64_t i = 0; i < s->steps; i++) {
		if (!isfinite(s->timesteps[i]) || !isfinite(s->scale[i]))
			abort();
		for (int k = 0; k < SAMPLER_COLS; k++)
			if (k != 2 && !isfinite(s->update[i][k]))
				abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Arena arena = {0};
	JsonError e = {.text = ""};
	RunFile run;
	char err[RUNFILE_ERR] = "";
	if (!size)
		return 0;
	/* an exact copy, so that a sanitizer sees overreads */
	int64_t steps = data[0];
	size_t n = size - 1;
	char *text = malloc(n ? n : 1);
	memcpy(text, data + 1, n);
	const Json *j = json_parse(&arena, text, n, 32, &e);
	if (j) {
		walk(j, n);
		check_sampler(&arena, j, steps);
	} else if (!*e.text)
		abort();
	if (runfile_parse(&arena, "fuzz.yaml", text, n, NULL, 0, &run, err)
		!= EXIT_OK && !*err)
		abort();
	free(text);
	arena_free(&arena);
	return 0;
}
