/* cmd_compile.c - `sluice compile`: a source to a plan file and its summary. */
#include "compiler/generate/configs.h"
#include "compiler/cost/profile.h"
#include "compiler/cli/running.h"
#include "compiler/cli/source_options.h"
#include "compiler/cli/cli.h"
#include "compiler/explain/summary.h"

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
		const Json *j = json_read_file(a, file[i], &code, err);
		if (!j)
			fatal(code, "%s", err);
		all[nfolder + i] = (LangConfig){"", file[i], j, false};
	}
	lang->config = all;
	lang->nconfig = nfile + nfolder;
}

static void
source_goal(const Args *args, CompileOptions *o)
{
	static const char *const goals[] = {"min-memory", "unsliced", "memory"};
	/* of `dot`, --memory is a kind of picture */
	bool picture = !strcmp(args->command, "dot");
	const char *budget = picture ? NULL : arg(args, "memory");
	args_exclude(args, goals, COUNT_OF(goals) - picture);
	if (budget) {
		o->goal = SLICE_BUDGET;
		if (!parse_bytes(budget, &o->budget))
			fatal(EXIT_USAGE, "--memory: '%s' is not a size such as "
				"6GiB", budget);
	} else if (arg_flag(args, "min-memory")) {
		o->goal = SLICE_LEAST;
	} else if (arg_flag(args, "unsliced")) {
		o->goal = SLICE_NONE;
	}
}

static void
source_profile(const Args *args, Arena *a, CompileOptions *o)
{
	char err[PROFILE_ERR];
	int code;
	o->profile = profile_choose(a, arg(args, "profile"),
		o->target ? o->target->name : target_cpu.name, &code, err);
	if (!o->profile)
		fatal(code, "%s", err);
}

const Sampler *
source_table(const Args *args, Arena *a)
{
	const char *path = arg(args, "table");
	char err[SAMPLER_ERR];
	int code;
	const Sampler *m = path ? sampler_table_read(a, path, &code, err) : NULL;
	if (path && !m)
		fatal(code, "%s", err);
	return m;
}

void
source_options(const Args *args, Arena *a, CompileOptions *o)
{
	const char *dtype = arg(args, "dtype"), *device = arg(args, "device");
	*o = (CompileOptions){.dump = arg(args, "dump")};
	o->lang.path = args->operands.at[0];
	o->lang.model = arg(args, "model");
	o->lang.dtype = dtype ? dtype_find(dtype) : DT_F32;
	if (o->lang.dtype == DT_COUNT || o->lang.dtype == DT_I32)
		fatal(EXIT_USAGE, "--dtype: '%s' is none of f32, f16, bf16", dtype);
	if (device && !(o->target = target_find(device)))
		fatal(EXIT_USAGE, "--device: '%s' is no target of this build: %s",
			device, target_names());
	o->lang.ndefine = arg_list(args, "define", a, &o->lang.define);
	o->threads = (int)arg_integer(args, "threads", 0, 1, THREADS_MAX);
	const char *letters = compile_dump_letters(a);
	size_t known = o->dump ? strspn(o->dump, letters) : 0;
	if (o->dump && (!known || o->dump[known]))
		fatal(EXIT_USAGE, "--dump: '%s' is more than letters of %s",
			o->dump, letters);
	if (o->dump && strchr(o->dump, 'A'))
		o->lang.dump_ast = stderr;
	source_goal(args, o);
	source_profile(args, a, o);
	o->lang.table = source_table(args, a);
	source_configs(args, a, &o->lang);
}

/* Names of the components that the plan has weights of, and of those that have
 * none; returns their number. */
static size_t
component_names(const Plan *p, Arena *a, const char ***names)
{
	static const char *const without[] = {"scheduler", "tokenizer"};
	const char **list = arena_array(a, p->n_weights + COUNT_OF(without),
		sizeof *list);
	size_t n = 0;
	for (uint32_t i = 0; i < p->n_weights; i++) {
		size_t k = 0;
		const char *name = p->strings + p->weights[i].component;
		while (k < n && strcmp(list[k], name))
			k++;
		if (k == n)
			list[n++] = name;
	}
	for (size_t i = 0; i < COUNT_OF(without); i++)
		list[n++] = without[i];
	*names = list;
	return n;
}

static void
component_used(const char *item, const char *const *names, size_t n, Arena *a)
{
	const char *name = arena_strndup(a, item, strcspn(item, "="));
	for (size_t i = 0; i < n; i++)
		if (!strcmp(names[i], name))
			return;
	const char *near = nearest_name(name, names, n);
	fatal(EXIT_USAGE, "--component: there is no component '%s'%s%s%s", name,
		near ? "; did you mean '" : "", near ? near : "",
		near ? "'?" : "");
}

void
source_options_used(const Args *args, Arena *a, const Plan *p)
{
	const char *const *component, *path = args->operands.at[0], **names;
	size_t n = arg_list(args, "component", a, &component);
	if (!p->n_weights)
		return;
	bool pipeline = p->strings[p->weights[0].component];
	if (pipeline && arg(args, "config"))
		fatal(EXIT_USAGE, "--config is for a model compiled alone, '%s' "
			"is a pipeline: use --hf FOLDER or --component "
			"NAME=FOLDER", path);
	if (!pipeline && (arg(args, "hf") || n))
		fatal(EXIT_USAGE, "--%s is for pipelines, '%s' is a model "
			"compiled alone: use --config FOLDER/config.json",
			n ? "component" : "hf", path);
	size_t known = component_names(p, a, &names);
	for (size_t i = 0; i < n; i++)
		component_used(component[i], names, known, a);
}

int
cmd_compile(int argc, char **argv)
{
	Args args;
	Arena a = {0};
	CompileOptions o;
	Plan *plan;
	PlanError e;
	args_parse(&args, argc, argv, 1, 1);
	args_stdout(&args, "output", NULL);
	const char *out = arg(&args, "output");
	source_options(&args, &a, &o);
	if (out && !output_writable(out, e.text))
		fatal(EXIT_IO, "%s", e.text);
	int code = compile_source(&a, &o, &plan);
	if (code == EXIT_OK)
		source_options_used(&args, &a, plan);
	if (code == EXIT_OK && out && !plan_save(plan, out, &e))
		fatal(EXIT_IO, "%s", e.text);
	if (code == EXIT_OK && arg_flag(&args, "json"))
		summary_print_json(plan, stdout);
	else if (code == EXIT_OK && !arg_flag(&args, "quiet"))
		summary_print(plan, out && !strcmp(out, "-") ? stderr : stdout);
	out_stdout_done();
	arena_free(&a);
	vec_free(&args.operands);
	vec_free(&args.values);
	return code;
}
