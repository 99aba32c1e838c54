/* fuzz_lang.c - libFuzzer target: any text as a model description.
 *
 * The input is cut at its NUL bytes: the source, a config.json for every
 * component (may be empty), then arguments of -D.  What compiles must be a
 * graph that ir_check accepts and that prints; what does not must say why.
 */
#include "lang/lang.h"

#include <stdlib.h>
#include <string.h>

enum { DEFINES = 4, PARTS = 2 + DEFINES };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The parts as strings in the arena; returns their number. */
static size_t
cut(Arena *a, const uint8_t *data, size_t size, const char **part)
{
	size_t n = 0;
	const char *s = (const char *)data, *end = s + size;
	while (n < PARTS) {
		const char *nul = memchr(s, 0, (size_t)(end - s));
		part[n++] = arena_strndup(a, s, (size_t)((nul ? nul : end) - s));
		if (!nul)
			break;
		s = nul + 1;
	}
	return n;
}

static void
compile(Arena *a, const LangOptions *o, FILE *null)
{
	int code = -1;
	char *text = NULL;
	size_t length = 0;
	LangOptions with = *o;
	with.errors = open_memstream(&text, &length);
	Graph *g = lang_compile(a, &with, &code);
	fclose(with.errors);
	if (g ? code != EXIT_OK || length : code != EXIT_SOURCE || !length)
		abort();
	free(text);
	if (!g)
		return;
	ir_check(g, "fuzz");
	ir_print(g, null);
	vec_free(&g->nodes);
	vec_free(&g->sites);
	vec_free(&g->weights);
	vec_free(&g->inputs);
	vec_free(&g->tables);
	vec_free(&g->outputs);
	vec_free(&g->strings);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static FILE *null;
	static const char *const component[] = {"", "unet", "vae", "scheduler"};
	Arena arena = {0};
	const char *part[PARTS];
	LangConfig config[COUNT_OF(component)];
	JsonError err;
	size_t n = cut(&arena, data, size, part);
	if (!null)
		null = fopen("/dev/null", "w");
	LangOptions o = {.path = "fuzz.slu", .text = part[0],
		.size = strlen(part[0]), .dtype = size % 2 ? DT_F16 : DT_F32,
		.keep_latents = size % 3 == 0, .dump_ast = null};
	const Json *json = n > 1 && *part[1] ? json_parse(&arena, part[1],
		strlen(part[1]), 32, &err) : NULL;
	for (size_t i = 0; json && i < COUNT_OF(component); i++)
		config[i] = (LangConfig){component[i], "config.json", json,
			false};
	o.config = config;
	o.nconfig = json ? COUNT_OF(component) : 0;
	o.define = part + 2;
	o.ndefine = n > 2 ? n - 2 : 0;
	compile(&arena, &o, null);
	arena_free(&arena);
	return 0;
}
