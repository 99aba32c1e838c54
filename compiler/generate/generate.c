/* generate.c - a run file and a model's folder to what is compiled. */
#include "compiler/generate/generate.h"
#include "compiler/generate/configs.h"
#include "compiler/generate/folder.h"
#include "compiler/cost/profile.h"

#include <string.h>
#include <unistd.h>

/* A folder's class, as model_index.json has it, and what a clip begins with. */
static const struct {
	const char *class_name;
	bool picture;           /* else a prompt */
} pipelines[] = {
	{"AnimateDiffPipeline", false},
	{"StableDiffusionPipeline", false},
	{"StableVideoDiffusionPipeline", true},
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

/* A program that the run file names: beside it, else among the built-in ones. */
static const char *
named_program(Arena *a, const RunFile *r)
{
	const char *slash = strrchr(r->path, '/');
	const char *beside = *r->pipeline == '/' || !slash ? r->pipeline
		: arena_printf(a, "%.*s/%s", (int)(slash - r->path), r->path,
			r->pipeline);
	return access(beside, F_OK) ? r->pipeline : beside;
}

/* The folder's class; "" without a folder, or where the run file names the
 * program and the folder has no index. */
static int
read_class(Arena *a, const RunFile *r, const char **class, const char **path,
	char *err)
{
	int code = EXIT_OK;
	*class = "";
	if (!r->folder)
		return EXIT_OK;
	*path = arena_printf(a, "%s/model_index.json", r->folder);
	if (r->pipeline && access(*path, F_OK))
		return EXIT_OK;
	if (access(*path, F_OK))
		return folder_explain(a, r->folder, err);
	const Json *index = json_read_file(a, *path, &code, err);
	*class = index ? text_of(json_get(index, "_class_name")) : "";
	return code;
}

/* Keys of the other kind of pipeline would do nothing; a program that the run
 * file names may take both. */
static int
check_kind(const Job *job, char *err)
{
	const RunFile *r = job->run;
	const char *key = runfile_misplaced(r, job->picture);
	if (key && !r->pipeline)
		return fail(err, EXIT_SOURCE, "%s: '%s' is not a key of this "
			"pipeline, which begins with a %s", r->path, key,
			job->picture ? "picture (image: FILE)" : "prompt");
	if (job->picture && r->min_guidance > 1 && r->max_guidance <= 1)
		return fail(err, EXIT_SOURCE, "%s: max_guidance %g turns guidance "
			"off, min_guidance %g wants it; both are above 1, or "
			"max_guidance is", r->path, r->max_guidance,
			r->min_guidance);
	return EXIT_OK;
}

/* A program wrote the name: it is no slip of somebody's fingers. */
static int
unknown_class(const char *path, const char *class, char *err)
{
	const char *kind = folder_pipeline(class);
	char known[200] = "";
	for (size_t i = 0; i < COUNT_OF(pipelines); i++)
		snprintf(known + strlen(known), sizeof known - strlen(known),
			"%s%s", i ? ", " : "", pipelines[i].class_name);
	return fail(err, EXIT_SOURCE, "%s: '%.80s', the pipeline%s%s, is not "
		"supported; these are: %s (or name a program in the run file: "
		"pipeline: FILE.slu)", path, class, *kind ? " " : "", kind,
		known);
}

static int
choose_pipeline(Arena *a, Job *job, char *err)
{
	const RunFile *r = job->run;
	const char *class, *path = NULL;
	int code = read_class(a, r, &class, &path, err);
	size_t i = 0;
	while (i < COUNT_OF(pipelines) && strcmp(pipelines[i].class_name, class))
		i++;
	bool known = i < COUNT_OF(pipelines);
	if (code)
		return code;
	if (!known && r->folder && !r->pipeline)
		return unknown_class(path, class, err);
	job->picture = known ? pipelines[i].picture : r->image != NULL;
	job->compile.lang.path = r->pipeline ? named_program(a, r)
		: job->picture ? "image_to_video.slu" : "text_to_video.slu";
	return check_kind(job, err);
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

/* A table may be for one class of model alone.  An image model's UNet and an
 * adapter make a UNetMotionModel. */
static int
check_table(Job *job, char *err)
{
	const LangOptions *o = &job->compile.lang;
	const char *want = o->table ? o->table->model : NULL;
	const char *class = text_of(config_get(o, "unet", "_class_name"));
	if (!strcmp(class, "MotionAdapter"))
		class = "UNetMotionModel";
	job->model_class = class;
	if (!want || !*class || !strcmp(class, want))
		return EXIT_OK;
	return fail(err, EXIT_SOURCE, "the table is for models of class %.80s, "
		"this one is a %.80s", want, class);
}

/* The scheduler's settings with the run file's over them, as one config. */
static void
merge_scheduler(Arena *a, Job *job, LangConfig **config, size_t *n)
{
	LangConfig *all = arena_array(a, *n + 1, sizeof *all);
	LangConfig merged = {"scheduler", job->run->path, NULL, true};
	size_t kept = 0;
	bool missing = false;
	for (size_t i = 0; i < *n; i++) {
		if (strcmp((*config)[i].component, "scheduler")) {
			all[kept++] = (*config)[i];
			continue;
		}
		merged.path = (*config)[i].path;
		merged.partial = false;
		missing |= !(*config)[i].json;
		if ((*config)[i].json)
			merged.json = json_merge(a, merged.json,
				(*config)[i].json);
	}
	if (job->run->scheduler && (!missing
		|| json_get(job->run->scheduler, "_class_name")))
		merged.json = json_merge(a, merged.json, job->run->scheduler);
	if (merged.json || missing)
		all[kept++] = merged;
	job->scheduler_config = merged.json;
	job->scheduler = job->compile.lang.table
		? job->compile.lang.table->class_name
		: text_of(json_get(merged.json, "_class_name"));
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
	code = check_motion(&job->compile.lang, err);
	return code ? code : check_table(job, err);
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

/* An integer of a component's config, 1 to `most`; else `other`. */
static int64_t
config_int(const LangOptions *o, const char *component, const char *key,
	int64_t most, int64_t other)
{
	const Json *j = config_get(o, component, key);
	bool usable = j && j->kind == JSON_INT && j->integer > 0
		&& j->integer <= most;
	return usable ? j->integer : other;
}

/* The size in pixels: the run file's, else the model's own. */
static int
choose_size(const Job *job, int64_t zoom, int64_t *width, int64_t *height,
	char *err)
{
	const RunFile *r = job->run;
	*width = r->width;
	*height = r->height;
	if (!*width && job->picture) {
		*width = 1024;
		*height = 576;
	} else if (!*width) {
		*width = *height = zoom * config_int(&job->compile.lang, "unet",
			"sample_size", 8192, 64);
	}
	if (*width % zoom || *height % zoom)
		return fail(err, EXIT_SOURCE, "size %lldx%lld: both sides must be "
			"multiples of %lld for this model; %lldx%lld would do",
			(long long)*width, (long long)*height, (long long)zoom,
			(long long)round_up(*width, zoom),
			(long long)round_up(*height, zoom));
	return EXIT_OK;
}

static int
set_parameters(Arena *a, Job *job, char *err)
{
	const RunFile *r = job->run;
	LangOptions *o = &job->compile.lang;
	int64_t zoom = pixels_per_latent(o), width, height;
	int64_t frames = r->frames ? r->frames : job->picture
		? config_int(o, "unet", "num_frames", 1 << 16, 14) : 16;
	int code = choose_size(job, zoom, &width, &height, err);
	if (code)
		return code;
	bool guided = (job->picture ? r->max_guidance : r->guidance) > 1;
	const struct { const char *name; int64_t value; } set[] = {
		{"steps", o->table ? o->table->rows : job->steps}, {"batch", guided ? 2 : 1},
		{"frames", frames}, {"height", height / zoom},
		{"width", width / zoom},
		/* the last: only pipelines that begin with a picture have it */
		{"chunk", min64(r->decode_chunk ? r->decode_chunk : frames,
			frames)},
	};
	const char **define = arena_array(a, COUNT_OF(set) + 2, sizeof *define);
	size_t n = 0;
	for (; n < COUNT_OF(set) - (job->picture ? 0 : 1); n++)
		define[n] = arena_printf(a, "%s=%lld", set[n].name,
			(long long)set[n].value);
	code = job_chunks(a, job, config_int(o, "tokenizer", "model_max_length",
		1 << 16, config_int(o, "text_encoder", "max_position_embeddings",
		1 << 16, 77)), &job->chunks, err);
	if (code)
		return code;
	if (job->chunks > 1)
		define[n++] = arena_printf(a, "chunks=%lld",
			(long long)job->chunks);
	if (r->clip_skip)
		define[n++] = arena_printf(a, "text_encoder.skip=%lld",
			(long long)r->clip_skip);
	o->define = define;
	o->ndefine = n;
	job->fps = r->fps > 0 ? r->fps : job->picture ? 7 : 8;
	return EXIT_OK;
}

int
job_make(Arena *a, const RunFile *run, int threads, const Sampler *table,
	bool quiet, Job *out, char *err)
{
	*out = (Job){.run = run, .steps = run->steps};
	out->compile = (CompileOptions){
		.target = run->target, .threads = threads,
		.goal = run->memory ? SLICE_BUDGET : SLICE_DEFAULT,
		.budget = run->memory,
	};
	out->compile.lang.dtype = run->dtype;
	out->compile.lang.table = table;
	out->compile.lang.keep_latents = run->keep_latents;
	int code = EXIT_OK;
	out->compile.profile = profile_choose(a, run->profile,
		run->target ? run->target->name : target_cpu.name, &code, err);
	if (out->compile.profile)
		code = choose_pipeline(a, out, err);
	if (!code)
		code = list_components(a, out, err);
	if (!code)
		code = read_configs(a, out, err);
	if (!code)
		code = job_rehash(a, out, quiet, err);
	if (!code)
		code = set_parameters(a, out, err);
	return code;
}
