/* generate.c - a run file and a model's folder to what is compiled. */
#include "compiler/generate/generate.h"
#include "compiler/generate/configs.h"
#include "compiler/cost/profile.h"

#include <string.h>
#include <unistd.h>

/* A folder's class, as model_index.json has it, and the program for it. */
static const struct { const char *class_name, *pipeline; } pipelines[] = {
	{"AnimateDiffPipeline", "text_to_video.slu"},
	{"StableDiffusionPipeline", "text_to_video.slu"},
};

static int __attribute__((format(printf, 3, 4)))
fail(char *err, int code, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(err, GENERATE_ERR, fmt, ap);
	va_end(ap);
	return code;
}

/* ---- the model ---- */

static const char *
text_of(const Json *j)
{
	return j && j->kind == JSON_STRING ? j->text : "";
}

static int
choose_pipeline(Arena *a, Job *job, char *err)
{
	const RunFile *r = job->run;
	const char *names[COUNT_OF(pipelines)];
	int code = EXIT_OK;
	if (r->pipeline) {
		/* beside the run file; else among the built-in ones */
		const char *slash = strrchr(r->path, '/');
		const char *beside = *r->pipeline == '/' || !slash ? r->pipeline
			: arena_printf(a, "%.*s/%s", (int)(slash - r->path),
				r->path, r->pipeline);
		job->compile.lang.path = access(beside, F_OK) ? r->pipeline
			: beside;
		return EXIT_OK;
	}
	job->compile.lang.path = pipelines[0].pipeline;
	if (!r->folder)
		return EXIT_OK;
	const char *path = arena_printf(a, "%s/model_index.json", r->folder);
	const Json *index = json_read_file(a, path, &code, err);
	if (!index)
		return code;
	const char *class = text_of(json_get(index, "_class_name"));
	for (size_t i = 0; i < COUNT_OF(pipelines); i++) {
		names[i] = pipelines[i].class_name;
		if (!strcmp(names[i], class)) {
			job->compile.lang.path = pipelines[i].pipeline;
			return EXIT_OK;
		}
	}
	const char *near = nearest_name(class, names, COUNT_OF(names));
	return fail(err, EXIT_SOURCE, "%s: there is no pipeline for '%.80s'%s%s%s "
		"(or name one in the run file: pipeline: FILE.slu)", path, class,
		near ? "; did you mean '" : "; known are ",
		near ? near : "AnimateDiffPipeline and StableDiffusionPipeline",
		near ? "'?" : "");
}

static bool
has_component(const RunFile *r, const char *name)
{
	size_t n = strlen(name);
	for (size_t i = 0; i < r->n_component; i++)
		if (!strncmp(r->component[i], name, n)
			&& r->component[i][n] == '=')
			return true;
	return false;
}

/* The run file's components; a folder that holds a UNet of an image model and
 * a motion adapter beside it gives both. */
static int
list_components(Arena *a, Job *job, char *err)
{
	const RunFile *r = job->run;
	int code = EXIT_OK;
	job->component = arena_array(a, r->n_component + 1,
		sizeof *job->component);
	for (size_t i = 0; i < r->n_component; i++)
		job->component[job->n_component++] = r->component[i];
	if (!r->folder || has_component(r, "unet"))
		return EXIT_OK;
	const char *unet = arena_printf(a, "%s/unet", r->folder);
	const char *adapter = arena_printf(a, "%s/motion_adapter", r->folder);
	const char *path = arena_printf(a, "%s/config.json", unet);
	const Json *config = json_read_file(a, path, &code, err);
	if (!config)
		return code;
	const char *class = text_of(json_get(config, "_class_name"));
	if (!strcmp(class, "UNet2DConditionModel")
		&& !access(arena_printf(a, "%s/config.json", adapter), F_OK)) {
		if (strchr(r->folder, ','))
			return fail(err, EXIT_SOURCE, "'%s': a comma in a "
				"folder's name cannot be told from one between "
				"folders", r->folder);
		job->component[job->n_component++] =
			arena_printf(a, "unet=%s,%s", unet, adapter);
	}
	return EXIT_OK;
}

/* A setting of a component; the last config that has it wins. */
static const Json *
config_get(const LangOptions *o, const char *component, const char *key)
{
	for (size_t i = o->nconfig; i--;) {
		const Json *j = json_get(o->config[i].json, key);
		if (!strcmp(o->config[i].component, component) && j
			&& j->kind != JSON_NULL)
			return j;
	}
	return NULL;
}

/* An image model's UNet alone knows no motion. */
static int
check_motion(const LangOptions *o, char *err)
{
	const LangConfig *unet = NULL;
	for (size_t i = 0; i < o->nconfig; i++) {
		if (strcmp(o->config[i].component, "unet"))
			continue;
		const char *class = text_of(json_get(o->config[i].json,
			"_class_name"));
		if (strcmp(class, "UNet2DConditionModel"))
			return EXIT_OK;
		unet = &o->config[i];
	}
	return !unet ? EXIT_OK : fail(err, EXIT_SOURCE, "%s: this is the UNet "
		"of an image model; name a motion adapter as well:\n"
		"  model: {base: FOLDER, unet: [FOLDER/unet, ADAPTER]}",
		unet->path);
}

/* The scheduler's settings with the run file's over them, as one config. */
static void
merge_scheduler(Arena *a, Job *job, LangConfig **config, size_t *n)
{
	LangConfig *all = arena_array(a, *n + 1, sizeof *all);
	LangConfig merged = {"scheduler", job->run->path, NULL, true};
	size_t kept = 0;
	for (size_t i = 0; i < *n; i++) {
		if (strcmp((*config)[i].component, "scheduler")) {
			all[kept++] = (*config)[i];
			continue;
		}
		merged.path = (*config)[i].path;
		merged.partial = false;
		merged.json = json_merge(a, merged.json, (*config)[i].json);
	}
	if (job->run->scheduler)
		merged.json = json_merge(a, merged.json, job->run->scheduler);
	if (merged.json)
		all[kept++] = merged;
	job->scheduler = text_of(json_get(merged.json, "_class_name"));
	*config = all;
	*n = kept;
}

static int
read_configs(Arena *a, Job *job, char *err)
{
	LangConfig *config;
	size_t n;
	int code = configs_from_folder(a, job->run->folder, job->component,
		job->n_component, &config, &n, err);
	if (code)
		return code;
	merge_scheduler(a, job, &config, &n);
	job->compile.lang.config = config;
	job->compile.lang.nconfig = n;
	return check_motion(&job->compile.lang, err);
}

/* ---- parameters ---- */

/* Pixels for one of the latent's: the decoder doubles once less than it has
 * levels. */
static int64_t
pixels_per_latent(const LangOptions *o)
{
	const Json *levels = config_get(o, "vae", "block_out_channels");
	if (!levels || levels->kind != JSON_LIST || !levels->n || levels->n > 8)
		return 8;
	return (int64_t)1 << (levels->n - 1);
}

static int
set_parameters(Arena *a, Job *job, char *err)
{
	const RunFile *r = job->run;
	LangOptions *o = &job->compile.lang;
	int64_t zoom = pixels_per_latent(o);
	int64_t width = r->width, height = r->height;
	if (!width) {
		const Json *side = config_get(o, "unet", "sample_size");
		bool known = side && side->kind == JSON_INT && side->integer > 0
			&& side->integer <= 8192;
		width = height = zoom * (known ? side->integer : 64);
	}
	if (width % zoom || height % zoom)
		return fail(err, EXIT_SOURCE, "size %lldx%lld: both sides must be "
			"multiples of %lld for this model; %lldx%lld would do",
			(long long)width, (long long)height, (long long)zoom,
			(long long)round_up(width, zoom),
			(long long)round_up(height, zoom));
	const struct { const char *name; int64_t value; } set[] = {
		{"steps", r->steps}, {"batch", r->guidance > 1 ? 2 : 1},
		{"frames", r->frames}, {"height", height / zoom},
		{"width", width / zoom},
	};
	const char **define = arena_array(a, COUNT_OF(set), sizeof *define);
	for (size_t i = 0; i < COUNT_OF(set); i++)
		define[i] = arena_printf(a, "%s=%lld", set[i].name,
			(long long)set[i].value);
	o->define = define;
	o->ndefine = COUNT_OF(set);
	return EXIT_OK;
}

int
job_make(Arena *a, const RunFile *run, int threads, Job *out, char *err)
{
	*out = (Job){.run = run};
	out->compile = (CompileOptions){
		.device = "cpu", .threads = threads,
		.goal = run->memory ? SLICE_BUDGET : SLICE_DEFAULT,
		.budget = run->memory,
	};
	out->compile.lang.dtype = run->dtype;
	out->compile.lang.keep_latents = run->keep_latents;
	int code = EXIT_OK;
	if (run->profile)
		out->compile.profile = profile_read(a, run->profile, &code, err);
	if (!run->profile || out->compile.profile)
		code = choose_pipeline(a, out, err);
	if (!code)
		code = list_components(a, out, err);
	if (!code)
		code = read_configs(a, out, err);
	if (!code)
		code = set_parameters(a, out, err);
	return code;
}
