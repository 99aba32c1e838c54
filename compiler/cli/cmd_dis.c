/* cmd_dis.c - `sluice dis M.slb`: prints a plan as text or JSON.
 *
 * The plan passes gate 1 only: one that breaks the rules of gates 2 and 3 can
 * be looked at, and nothing of it is run.
 */
#include "compiler/compiler.h"
#include "compiler/cli/options.h"
#include "compiler/cli/running.h"
#include "compiler/cli/cli.h"

int
cmd_dis(int argc, char **argv)
{
	Args args;
	args_parse(&args, argc, argv, 1, 1);
	Arena arena = {0};
	PlanError e;
	int code;
	const char *path = args.operands.at[0];
	const Plan *p = plan_read(&arena, path, &e, &code);
	if (!p)
		plan_refused(path, code, &e);
	const char *to = arg(&args, "output");
	OutFile out;
	if (!out_open(&out, to ? to : "-", e.text))
		fatal(EXIT_IO, "%s", e.text);
	if (arg_flag(&args, "json"))
		plan_print_json(p, out.f);
	else
		plan_print(p, out.f);
	if (!out_commit(&out, e.text))
		fatal(EXIT_IO, "%s", e.text);
	arena_free(&arena);
	return EXIT_OK;
}
