/* plan_input.c - see plan_input.h. */
#include "compiler/cli/plan_input.h"
#include "compiler/cli/running.h"

#include <string.h>

static bool
is_source(const char *path)
{
	size_t n = strlen(path);
	return n > 4 && !strcmp(path + n - 4, ".slu");
}

/* What only a source can be compiled with. */
static void
refuse_compile_options(const Args *args, const char *path)
{
	static const char *const names[] = {"define", "dtype", "config", "hf",
		"component", "model", "min-memory", "unsliced", "memory"};
	size_t n = COUNT_OF(names) - !strcmp(args->command, "dot");
	for (size_t i = 0; i < n; i++)
		if (arg(args, names[i]))
			fatal(EXIT_USAGE, "--%s says how to compile a source; "
				"%s is a plan", names[i], path);
}

int
plan_input(const Args *args, size_t at, Arena *a, Plan **plan)
{
	const char *path = args->operands.at[at];
	if (is_source(path)) {
		CompileOptions o;
		source_options(args, a, &o);
		int code = compile_source(a, &o, plan);
		if (code == EXIT_OK)
			source_options_used(args, a, *plan);
		return code;
	}
	refuse_compile_options(args, path);
	*plan = plan_open(a, path);
	return EXIT_OK;
}

void
write_output(const Args *args, void (*write)(const void *what, FILE *out),
	const void *what)
{
	const char *path = arg(args, "output");
	OutFile out;
	char err[256];
	if (!out_open(&out, path ? path : "-", err))
		fatal(EXIT_IO, "%s", err);
	write(what, out.f);
	if (!out_commit(&out, err))
		fatal(EXIT_IO, "%s", err);
}
