/* cmd_frontier.c - `sluice frontier`: what less memory costs, as a table, as
 * JSON, as a drawing.
 */
#include "compiler/cli/source_options.h"
#include "compiler/cli/cli.h"
#include "compiler/explain/frontier_draw.h"

#include <string.h>

static double
slower(const Frontier *f, const FrontierPoint *p)
{
	return (p->seconds / f->unsliced.seconds - 1) * 100;
}

static void
print_table(const Frontier *f, FILE *out)
{
	char bytes[32], loaded[32];
	fprintf(out, "%12s  %12s  %8s  %6s  %s\n", "memory", "predicted",
		"slower", "groups", "weights read");
	for (size_t i = 0; i < f->n; i++) {
		const FrontierPoint *p = &f->point[i];
		fprintf(out, "%12s  %10.4g s  %+7.2f%%  %6u  %s\n",
			format_bytes(bytes, p->bytes), p->seconds, slower(f, p),
			p->groups, format_bytes(loaded, p->loaded_bytes));
	}
	fprintf(out, "unsliced: %s, %.4g s\n", format_bytes(bytes,
		f->unsliced.bytes), f->unsliced.seconds);
}

static void
print_point_json(const FrontierPoint *p, FILE *out)
{
	fprintf(out, "{\"peak_bytes\": %lld, \"predicted_seconds\": %.9g, "
		"\"groups\": %u, \"loaded_bytes\": %lld}",
		(long long)p->bytes, p->seconds, p->groups,
		(long long)p->loaded_bytes);
}

static void
print_json(const Frontier *f, FILE *out)
{
	fputs("{\"unsliced\": ", out);
	print_point_json(&f->unsliced, out);
	fputs(", \"points\": [", out);
	for (size_t i = 0; i < f->n; i++) {
		fputs(i ? ", " : "", out);
		print_point_json(&f->point[i], out);
	}
	fputs("]}\n", out);
}

static int
draw(const Frontier *f, const char *title, const char *path)
{
	OutFile o;
	char err[256];
	if (out_open(&o, path, err)) {
		frontier_draw(f, NULL, title, o.f);
		if (out_commit(&o, err))
			return EXIT_OK;
	}
	fprintf(stderr, "sluice: error: %s\n", err);
	return EXIT_IO;
}

int
cmd_frontier(int argc, char **argv)
{
	Args args;
	Arena a = {0};
	CompileOptions o;
	Frontier f;
	args_parse(&args, argc, argv, 1, 1);
	args_stdout(&args, "output", NULL);
	source_options(&args, &a, &o);
	const char *path = arg(&args, "output");
	int code = frontier_source(&a, &o, &f);
	if (code == EXIT_OK && path)
		code = draw(&f, o.lang.path, path);
	if (code == EXIT_OK && arg_flag(&args, "json"))
		print_json(&f, stdout);
	else if (code == EXIT_OK)
		print_table(&f, path && !strcmp(path, "-") ? stderr : stdout);
	out_stdout_done();
	arena_free(&a);
	vec_free(&args.operands);
	vec_free(&args.values);
	return code;
}
