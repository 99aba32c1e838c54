/* cmd_table.c - `sluice table`: a calibration's full runs to a sampler's table of
 * fewer runs; what it is to err goes to stderr.
 */
#include "compiler/rehash/rehash.h"
#include "compiler/cli/options.h"
#include "compiler/cli/cli.h"

#include <math.h>

static void
print_summary(const Calibration *c, const RehashTable *t)
{
	fprintf(stderr, "%lld of %lld steps, from %lld prompts at guidance %g, "
		"%lld frames of %lldx%lld\nkeys:", (long long)t->runs,
		(long long)c->sampler->rows, (long long)c->n, c->guidance,
		(long long)c->frames, (long long)c->width, (long long)c->height);
	for (int64_t i = 0; i < t->runs; i++)
		fprintf(stderr, " %lld", (long long)t->key[i]);
	fprintf(stderr, "\nerror: predicted %.3g", t->predicted);
	if (isnan(t->held_out))
		fputs("; on held-out prompts unknown (one prompt)\n", stderr);
	else
		fprintf(stderr, ", on held-out prompts %.3g\n", t->held_out);
}

static void
write_rows(const Sampler *m, const char *path)
{
	OutFile out;
	char err[REHASH_ERR];
	if (!out_open(&out, path, err))
		fatal(EXIT_IO, "%s", err);
	sampler_table_print(m, out.f);
	if (!out_commit(&out, err))
		fatal(EXIT_IO, "%s", err);
}

int
cmd_table(int argc, char **argv)
{
	Args args;
	Arena a = {0};
	Calibration c;
	RehashTable t;
	char err[REHASH_ERR];
	args_parse(&args, argc, argv, 1, 1);
	if (!arg(&args, "runs"))
		fatal(EXIT_USAGE, "table needs --runs K");
	int64_t runs = arg_integer(&args, "runs", 0, 1, REHASH_STEPS_MAX);
	int code = calibration_read(&a, args.operands.at[0], &c, err);
	if (!code)
		code = rehash_table(&a, &c, runs, &t, err);
	if (code)
		fatal(code, "%s", err);
	write_rows(t.sampler, arg(&args, "output") ? arg(&args, "output") : "-");
	if (!arg_flag(&args, "quiet"))
		print_summary(&c, &t);
	out_stdout_done();
	arena_free(&a);
	vec_free(&args.operands);
	vec_free(&args.values);
	return EXIT_OK;
}
