/* cmd_compile.c - `sluice compile`: a source to a plan file and its summary. */
#include "configs.h"
#include "profile.h"
#include "source_options.h"

#include <stdlib.h>
#include <string.h>

static void
source_configs(const Args *args, Arena *a, LangOptions *lang)
{
	const char *const *file, *const *component;
	size_t nfile = arg_list(args, "config", a, &file);
	size_t ncomponent = arg_list(args, "component", a, &component);
	const char *hf = arg(args, "hf");
	LangConfig *folder = NULL;
	size_t nfolder = 0;
	char err[CONFIGS_ERR];
	int code = EXIT_OK;
	if (hf || ncomponent)
		code = configs_from_folder(a, hf, component, ncomponent,
			&folder, &nfolder, err);
	if (code)
		fatal(code, "%s", err);
	LangConfig *all = arena_array(a, nfile + nfolder, sizeof *all);
	for (size_t i = 0; i < nfolder; i++)
		all[i] = folder[i];
	for (size_t i = 0; i < nfile; i++) {
		const Json *j = config_read(a, file[i], &code, err);
		if (!j)
			fatal(code, "%s", err);
		all[nfolder + i] = (LangConfig){"", file[i], j};
	}
	lang->config = all;
	lang->nconfig = nfile + nfolder;
}

/* "6GiB", "512MiB", "1.5G", "4096": bytes, units of 1024. */
static int64_t
parse_size(const char *s)
{
	static const char units[] = "KMGT";
	char *end;
	double x = strtod(s, &end);
	const char *u = *end ? strchr(units, *end) : NULL;
	if (end == s || !(x > 0))
		fatal(EXIT_USAGE, "--memory: '%s' is not a size such as 6GiB", s);
	if (u) {
		for (const char *k = units; k <= u; k++)
			x *= 1024;
		end++;
		end += *end == 'i';
	}
	end += *end == 'B';
	if (*end || x > 0x1p60)
		fatal(EXIT_USAGE, "--memory: '%s' is not a size such as 6GiB", s);
	return (int64_t)x;
}

static void
source_goal(const Args *args, CompileOptions *o)
{
	/* of `dot`, --memory is a kind of picture */
	bool picture = !strcmp(args->command, "dot");
	const char *budget = picture ? NULL : arg(args, "memory");
	int given = (budget != NULL) + arg_flag(args, "min-memory")
		+ arg_flag(args, "unsliced");
	if (given > 1)
		fatal(EXIT_USAGE, "--memory, --min-memory and --unsliced exclude "
			"each other");
	if (budget) {
		o->goal = SLICE_BUDGET;
		o->budget = parse_size(budget);
	} else if (arg_flag(args, "min-memory")) {
		o->goal = SLICE_LEAST;
	} else if (arg_flag(args, "unsliced")) {
		o->goal = SLICE_NONE;
	}
}

static void
source_profile(const Args *args, Arena *a, CompileOptions *o)
{
	const char *path = arg(args, "profile");
	char err[PROFILE_ERR];
	int code;
	if (path && !(o->profile = profile_read(a, path, &code, err)))
		fatal(code, "%s", err);
}

void
source_options(const Args *args, Arena *a, CompileOptions *o)
{
	const char *dtype = arg(args, "dtype"), *device = arg(args, "device");
	*o = (CompileOptions){.device = "cpu", .dump = arg(args, "dump")};
	o->lang.path = args->operands.at[0];
	o->lang.model = arg(args, "model");
	o->lang.dtype = dtype ? dtype_find(dtype) : DT_F32;
	if (o->lang.dtype == DT_COUNT || o->lang.dtype == DT_I32)
		fatal(EXIT_USAGE, "--dtype: '%s' is none of f32, f16, bf16", dtype);
	if (device && strcmp(device, "cpu"))
		fatal(EXIT_USAGE, "--device: '%s' is no target of this build: cpu",
			device);
	o->lang.ndefine = arg_list(args, "define", a, &o->lang.define);
	o->threads = (int)arg_integer(args, "threads", 0, 1, 1024);
	if (o->dump && strchr(o->dump, 'A'))
		o->lang.dump_ast = stderr;
	source_goal(args, o);
	source_profile(args, a, o);
	source_configs(args, a, &o->lang);
}

int
cmd_compile(int argc, char **argv)
{
	Args args;
	Arena a = {0};
	CompileOptions o;
	Plan *plan;
	args_parse(&args, argc, argv, 1, 1);
	source_options(&args, &a, &o);
	const char *out = arg(&args, "output");
	int code = compile_source(&a, &o, &plan);
	PlanError e;
	if (code == EXIT_OK && out && !plan_save(plan, out, &e)) {
		fprintf(stderr, "sluice: error: %s\n", e.text);
		code = EXIT_IO;
	}
	if (code == EXIT_OK && arg_flag(&args, "json"))
		summary_print_json(plan, stdout);
	else if (code == EXIT_OK && !arg_flag(&args, "quiet"))
		summary_print(plan, out && !strcmp(out, "-") ? stderr : stdout);
	arena_free(&a);
	vec_free(&args.operands);
	vec_free(&args.values);
	return code;
}
