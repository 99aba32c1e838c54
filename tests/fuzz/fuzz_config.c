/* fuzz_config.c - libFuzzer target: any text as JSON, as a scheduler's config
 * as a sampler's table, and as a run file.
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
check_rows(const Sampler *s)
{
	for (int64_t i = 0; i < s->rows; i++) {
		const SamplerRow *r = &s->row[i];
		if (!isfinite(r->t) || !isfinite(r->scale) || !isfinite(r->p0)
			|| !isfinite(r->p1) || !(r->clip > 0))
			abort();
		for (int k = 0; k < SAMPLER_COLS; k++)
			if (!isfinite(r->next[k]) || !isfinite(r->keep[k]))
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
	check_rows(s);
	/* and its table is the same when it is read again */
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	sampler_table_print(s, f);
	fclose(f);
	const Sampler *t = sampler_table_parse(a, "table", text, size, err);
	if (!t || t->rows != s->rows || memcmp(t->row, s->row,
			(size_t)s->rows * sizeof *s->row))
		abort();
	free(text);
}

/* The input itself as a table. */
static void
check_table(Arena *a, const uint8_t *data, size_t size)
{
	char err[SAMPLER_ERR] = "";
	char *text = arena_alloc(a, size + 1);
	memcpy(text, data, size);
	const Sampler *t = sampler_table_parse(a, "table", text, size, err);
	if (!t && !*err)
		abort();
	if (t)
		check_rows(t);
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
	check_table(&arena, data + 1, n);
	if (runfile_parse(&arena, "fuzz.yaml", text, n, NULL, 0, &run, err)
		!= EXIT_OK && !*err)
		abort();
	free(text);
	arena_free(&arena);
	return 0;
}
