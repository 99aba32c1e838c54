/* cmd_dot.c - `sluice dot`: pictures of a plan, or of a source compiled on the
 * way.
 */
#include "compiler/explain/dot.h"
#include "compiler/cli/plan_input.h"
#include "compiler/cli/cli.h"

typedef struct Picture {
	const Args *args;
	const Plan *plan;
} Picture;

static void
draw(const void *what, FILE *out)
{
	const Picture *p = what;
	if (arg_flag(p->args, "memory"))
		dot_memory(p->plan, out);
	else if (arg_flag(p->args, "groups"))
		dot_groups(p->plan, out);
	else
		dot_graph(p->plan, out);
}

int
cmd_dot(int argc, char **argv)
{
	static const char *const pictures[] = {"graph", "memory", "groups"};
	Args args;
	Arena a = {0};
	Plan *plan;
	args_parse(&args, argc, argv, 1, 1);
	args_exclude(&args, pictures, COUNT_OF(pictures));
	int code = plan_input(&args, 0, &a, &plan);
	if (code == EXIT_OK)
		write_output(&args, draw, &(Picture){&args, plan});
	arena_free(&a);
	vec_free(&args.operands);
	vec_free(&args.values);
	return code;
}
