/* takes.c - the videos of one run: one for each prompt and seed, and their names. */
#include "compiler/generate/runfile.h"

#include <string.h>

size_t
runfile_takes(const RunFile *r)
{
	return r->n_prompts * r->n_seeds;
}

/* The name with its numbers. */
static const char *
expand(Arena *a, const char *name, int64_t seed, int64_t n)
{
	const char *out = "";
	for (const char *s = name; *s;) {
		size_t plain = strcspn(s, "{");
		out = arena_printf(a, "%s%.*s", out, (int)plain, s);
		s += plain;
		bool is_seed = !strncmp(s, "{seed}", 6);
		if (is_seed || !strncmp(s, "{n}", 3)) {
			out = arena_printf(a, "%s%lld", out,
				(long long)(is_seed ? seed : n));
			s += is_seed ? 6 : 3;
		} else if (*s) {
			out = arena_printf(a, "%s{", out);
			s++;
		}
	}
	return out;
}

void
runfile_take(Arena *a, RunFile *r, size_t take)
{
	r->take = take;
	r->prompt = r->prompts[take / r->n_seeds];
	r->seed = r->seeds[take % r->n_seeds];
	for (size_t i = 0; i < r->n_output; i++)
		r->output[i].path = expand(a, r->output[i].name, r->seed,
			(int64_t)take + 1);
}

int
runfile_begin_takes(Arena *a, RunFile *r, char *err)
{
	if (!r->n_prompts) {
		r->prompts = arena_alloc(a, sizeof *r->prompts);
		r->prompts[r->n_prompts++] = "";
	}
	if (!r->n_seeds) {
		r->seeds = arena_alloc(a, sizeof *r->seeds);
		r->seeds[r->n_seeds++] = 0;
	}
	for (size_t i = 0; i < r->n_output && runfile_takes(r) > 1; i++) {
		const char *name = r->output[i].name;
		if (strstr(name, "{n}") || (r->n_prompts == 1
			&& strstr(name, "{seed}")))
			continue;
		snprintf(err, RUNFILE_ERR, "%.200s: %zu videos would be written "
			"to '%.200s': put {n}%s into the name", r->path,
			runfile_takes(r), name,
			r->n_prompts == 1 ? " or {seed}" : "");
		return EXIT_SOURCE;
	}
	runfile_take(a, r, 0);
	return EXIT_OK;
}
