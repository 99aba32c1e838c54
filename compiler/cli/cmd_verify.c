/* cmd_verify.c - `sluice verify M.slb`: passes a plan through the three gates
 * and says what each found.
 */
#include "compiler/compiler.h"
#include "compiler/cli/options.h"
#include "compiler/cli/running.h"
#include "vm/gates/gates.h"
#include "compiler/cli/cli.h"

#include <inttypes.h>

typedef struct Verdict {
	const char *gate;       /* the last one that was tried */
	bool ok;
	PlanError e;
	CheckStats stats;
	const Plan *plan;
} Verdict;

static const char *const gates[] = {"format", "types", "memory"};

/* Returns the exit code of reading the file; v->ok says the rest. */
static int
pass_gates(Arena *a, const char *path, Verdict *v)
{
	int code;
	v->gate = gates[0];
	v->plan = plan_read(a, path, &v->e, &code);
	if (!v->plan)
		return code;
	v->gate = gates[1];
	if (!plan_verify(v->plan, &v->e, &v->stats))
		return EXIT_PLAN;
	v->gate = gates[2];
	v->ok = plan_check(v->plan, &v->e, &v->stats);
	return v->ok ? EXIT_OK : EXIT_PLAN;
}

static void
print_json(const char *path, const Verdict *v)
{
	fputs("{\"plan\": ", stdout);
	print_json_string(stdout, path);
	printf(", \"ok\": %s, \"gates\": {", v->ok ? "true" : "false");
	for (size_t i = 0; i < COUNT_OF(gates); i++) {
		bool failed = !v->ok && v->gate == gates[i];
		printf("%s\"%s\": \"%s\"", i ? ", " : "", gates[i],
			failed ? "refused" : "ok");
		if (failed)
			break;
	}
	fputs("}, ", stdout);
	if (v->ok) {
		printf("\"instructions\": %" PRId64 ", \"arena_bytes\": %" PRId64
			", \"peak_bytes\": %" PRId64 ", \"check_seconds\": %.6f, ",
			v->stats.instructions, v->plan->head.arena_bytes,
			v->stats.peak_bytes, v->stats.seconds);
	} else {
		fputs("\"error\": ", stdout);
		print_json_string(stdout, v->e.text);
		fputs(", ", stdout);
	}
	printf("\"steps\": %" PRId64 ", \"steps_max\": %" PRId64
		", \"table_bytes\": %" PRId64 ", \"table_bytes_max\": %" PRId64
		"}\n", v->stats.cost.steps, PLAN_STEPS_MAX, v->stats.cost.bytes,
		PLAN_BYTES_MAX);
}

static void
print_text(const Verdict *v)
{
	char bytes[32], tables[32];
	for (size_t i = 0; i < COUNT_OF(gates); i++) {
		bool failed = !v->ok && v->gate == gates[i];
		printf("%-8s %s\n", gates[i], failed ? "refused" : "ok");
		if (failed)
			return;
	}
	printf("%" PRId64 " instructions simulated in %.3f s, highest byte "
		"%" PRId64 " (%s)\n", v->stats.instructions, v->stats.seconds,
		v->stats.peak_bytes, format_bytes(bytes, v->stats.peak_bytes));
	printf("the proof took %" PRId64 " steps (%.1f %% of what a plan may "
		"cost) and tables of %s\n", v->stats.cost.steps,
		100.0 * (double)v->stats.cost.steps / (double)PLAN_STEPS_MAX,
		format_bytes(tables, v->stats.cost.bytes));
}

int
cmd_verify(int argc, char **argv)
{
	Args args;
	args_parse(&args, argc, argv, 1, 1);
	Arena arena = {0};
	Verdict v = {0};
	const char *path = args.operands.at[0];
	int code = pass_gates(&arena, path, &v);
	if (code == EXIT_IO)
		plan_refused(path, code, &v.e);
	if (arg_flag(&args, "json"))
		print_json(path, &v);
	else if (!arg_flag(&args, "quiet"))
		print_text(&v);
	out_stdout_done();
	if (code)
		plan_refused(path, code, &v.e);
	arena_free(&arena);
	return EXIT_OK;
}
