/* cmd_dot.c - `sluice dot`: pictures of a plan, or of a source compiled on the
 * way.
 */
#include "dot.h"
#include "source_options.h"

#include <string.h>

static bool
is_source(const char *path)
{
	size_t n = strlen(path);
	return n > 4 && !strcmp(path + n - 4, ".slu");
}

static int
read_plan(const Args *args, Arena *a, Plan **plan)
{
	const char *path = args->operands.at[0];
	if (is_source(path)) {
		CompileOptions o;
		source_options(args, a, &o);
		return compile_source(a, &o, plan);
	}
	PlanError e;
	int code = EXIT_OK;
	*plan = plan_load(a, path, false, &e, &code);
	if (!*plan)
		fprintf(stderr, "sluice: error: %s\n", e.text);
	return code;
}

int
cmd_dot(int argc, char **argv)
{
	Args args;
	Arena a = {0};
	Plan *plan;
	OutFile out;
	char err[256];
	args_parse(&args, argc, argv, 1, 1);
	int code = read_plan(&args, &a, &plan);
	const char *path = arg(&args, "output");
	if (code == EXIT_OK && !out_open(&out, path ? path : "-", err)) {
		fprintf(stderr, "sluice: error: %s\n", err);
		code = EXIT_IO;
	} else if (code == EXIT_OK) {
		if (arg_flag(&args, "memory"))
			dot_memory(plan, out.f);
		else if (arg_flag(&args, "groups"))
			dot_groups(plan, out.f);
		else
			dot_graph(plan, out.f);
		if (!out_commit(&out, err)) {
			fprintf(stderr, "sluice: error: %s\n", err);
			code = EXIT_IO;
		}
	}
	arena_free(&a);
	vec_free(&args.operands);
	vec_free(&args.values);
	return code;
}
