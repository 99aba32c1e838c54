/* cmd_diff.c - `sluice diff A.slb B.slb`: what differs between two plans.
 *
 * Differing plans are no error: the exit code is 0, and `same` of --json tells.
 */
#include "compiler/explain/diff.h"
#include "compiler/cli/plan_input.h"
#include "compiler/cli/cli.h"

static void
write_diff(const void *what, FILE *out)
{
	diff_print(what, out);
}

static void
write_diff_json(const void *what, FILE *out)
{
	diff_print_json(what, out);
}

int
cmd_diff(int argc, char **argv)
{
	Args args;
	Arena a = {0};
	Plan *plan[2];
	int code = EXIT_OK;
	args_parse(&args, argc, argv, 2, 2);
	for (size_t i = 0; i < 2 && code == EXIT_OK; i++)
		code = plan_input(&args, i, &a, &plan[i]);
	if (code == EXIT_OK) {
		PlanDiff d = plan_diff(&a, plan[0], plan[1]);
		d.path_a = args.operands.at[0];
		d.path_b = args.operands.at[1];
		write_output(&args, arg_flag(&args, "json") ? write_diff_json
			: write_diff, &d);
	}
	arena_free(&a);
	vec_free(&args.operands);
	vec_free(&args.values);
	return code;
}
