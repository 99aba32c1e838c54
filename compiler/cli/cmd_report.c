/* cmd_report.c - `sluice report`: a plan, or a source compiled on the way, as a
 * page.
 */
#include "compiler/cli/plan_input.h"
#include "compiler/explain/report.h"
#include "compiler/cli/cli.h"

typedef struct Page {
	const Plan *plan;
	const Frontier *frontier;
} Page;

static void
write_page(const void *what, FILE *out)
{
	const Page *p = what;
	report_write(p->plan, p->frontier, out);
}

int
cmd_report(int argc, char **argv)
{
	Args args;
	Arena a = {0};
	Plan *plan;
	Frontier f;
	args_parse(&args, argc, argv, 1, 1);
	const char *frontier = arg(&args, "frontier");
	if (frontier)
		frontier_read(&a, frontier, &f);
	int code = plan_input(&args, 0, &a, &plan);
	if (code == EXIT_OK)
		write_output(&args, write_page,
			&(Page){plan, frontier ? &f : NULL});
	arena_free(&a);
	vec_free(&args.operands);
	vec_free(&args.values);
	return code;
}
