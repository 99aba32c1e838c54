/* folder.c - see folder.h. */
#include "compiler/generate/folder.h"
#include "vm/vm.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int __attribute__((format(printf, 3, 4)))
fail(char *err, int code, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(err, FOLDER_ERR, fmt, ap);
	va_end(ap);
	return code;
}

static bool
ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);
	return n >= m && !strcmp(s + n - m, end);
}

static bool
is_pickle(const char *path)
{
	static const char *const suffix[] = {".ckpt", ".bin", ".pt", ".pth"};
	for (size_t i = 0; i < COUNT_OF(suffix); i++)
		if (ends_with(path, suffix[i]))
			return true;
	return false;
}

/* The entry of the folder that comes first by name of those for which FOLDER/ENTRY
 * followed by `inside` is there, and whose name ends so; NULL: none. */
static const char *
first_entry(Arena *a, const char *folder, const char *suffix,
	const char *inside)
{
	const char *first = NULL;
	DIR *d = opendir(folder);
	for (struct dirent *f; d && (f = readdir(d));) {
		const char *path = arena_printf(a, "%s/%s%s", folder, f->d_name,
			inside);
		if (*f->d_name == '.' || !ends_with(f->d_name, suffix)
			|| access(path, F_OK)
			|| (first && strcmp(f->d_name, first) >= 0))
			continue;
		first = arena_strdup(a, f->d_name);
	}
	if (d)
		closedir(d);
	return first;
}

/* ---- a model ---- */

static int
explain_file(const char *path, char *err)
{
	if (is_pickle(path))
		return fail(err, EXIT_SOURCE, "'%.200s' is a PyTorch pickle, which "
			"can run any code when it is read: convert it to a folder "
			"(diffusers: from_single_file, save_pretrained)", path);
	return fail(err, EXIT_SOURCE, "'%.200s' is a file; a model is a folder as "
		"diffusers saves it, with a model_index.json", path);
}

int
folder_explain(Arena *a, const char *folder, char *err)
{
	struct stat st;
	if (stat(folder, &st) && (errno != ENOENT || !lstat(folder, &st)))
		return fail(err, EXIT_IO, "cannot read '%.200s': %s", folder,
			errno == ENOENT || S_ISLNK(st.st_mode)
			? "it is a link to nothing" : strerror(errno));
	if (access(folder, F_OK))
		return fail(err, EXIT_IO, "cannot read '%.200s': there is no such "
			"folder. A model is a folder on this machine: the name of "
			"a repository alone does not download it", folder);
	if (!S_ISDIR(st.st_mode))
		return explain_file(folder, err);
	const char *snapshots = arena_printf(a, "%s/snapshots", folder);
	const char *inside = first_entry(a, snapshots, "", "/model_index.json");
	if (inside)
		return fail(err, EXIT_SOURCE, "'%.150s' is the root of a download "
			"cache; the model is '%.150s/%.100s'", folder, snapshots,
			inside);
	if (!access(snapshots, F_OK))
		return fail(err, EXIT_SOURCE, "'%.200s' is the root of a download "
			"cache, and none of its snapshots has a model_index.json: "
			"the download is not complete", folder);
	inside = first_entry(a, folder, "", "/model_index.json");
	if (inside)
		return fail(err, EXIT_SOURCE, "'%.200s' has no model_index.json; "
			"the folder '%.100s' in it has one", folder, inside);
	if (!access(arena_printf(a, "%s/config.json", folder), F_OK))
		return fail(err, EXIT_SOURCE, "'%.200s' has a config.json and no "
			"model_index.json: it is one component; give the folder of "
			"the whole model", folder);
	inside = first_entry(a, folder, ".safetensors", "");
	if (inside)
		return fail(err, EXIT_SOURCE, "'%.200s' has no model_index.json; "
			"'%.100s' in it is a file; a model is a folder as "
			"diffusers saves it", folder, inside);
	return fail(err, EXIT_IO, "cannot read '%.200s/model_index.json': %s",
		folder, strerror(ENOENT));
}

/* ---- a component ---- */

int
folder_explain_component(Arena *a, const char *component, const char *folder,
	char *err)
{
	bool scheduler = !strcmp(component, "scheduler");
	const char *config = scheduler ? "scheduler_config.json" : "config.json";
	const char *snapshots = arena_printf(a, "%s/snapshots", folder);
	if (access(folder, F_OK))
		return fail(err, EXIT_IO, "component '%.40s': '%.200s' has no %s: "
			"there is no such folder", component, folder, config);
	const char *inside = first_entry(a, snapshots, "",
		arena_printf(a, "/%s", config));
	if (inside)
		return fail(err, EXIT_SOURCE, "component '%.40s': '%.150s' is the "
			"root of a download cache; it is '%.150s/%.80s'",
			component, folder, snapshots, inside);
	inside = first_entry(a, folder, ".safetensors", "");
	if (inside && !scheduler)
		return fail(err, EXIT_IO, "component '%.40s': '%.150s' has no "
			"config.json; give the file: '%.150s/%.80s'", component,
			folder, folder, inside);
	return fail(err, EXIT_IO, "component '%.40s': '%.200s' has no %s",
		component, folder, config);
}

/* ---- pipelines ---- */

const char *
folder_pipeline(const char *class_name)
{
	static const struct { const char *part, *what; } kinds[] = {
		{"SDXL", "of Stable Diffusion XL"},
		{"StableDiffusionXL", "of Stable Diffusion XL"},
		{"StableDiffusion3", "of Stable Diffusion 3"},
		{"Inpaint", "of an inpainting model"},
		{"ControlNet", "with a ControlNet"},
		{"SparseControl", "with a ControlNet"},
		{"LatentConsistency", "of a latent consistency model, whose UNet "
			"takes the guidance as an input"},
		{"InstructPix2Pix", "for editing images"},
		{"Upscale", "of an upscaler"},
		{"Depth2Img", "of a depth-to-image model"},
		{"PIA", "of PIA"},
		{"VideoToVideo", "from a video to a video"},
		{"Img2Img", "from an image to an image"},
		{"Flux", "of FLUX"},
		{"CogVideoX", "of CogVideoX"},
		{"HunyuanVideo", "of HunyuanVideo"},
		{"Wan", "of Wan"}, {"LTX", "of LTX-Video"},
		{"Mochi", "of Mochi"}, {"Cosmos", "of Cosmos"},
		{"Allegro", "of Allegro"}, {"I2VGenXL", "of I2VGen-XL"},
		{"TextToVideoSD", "of ModelScope's text-to-video"},
		{"TextToVideoZero", "of Text2Video-Zero"},
		{"PixArt", "of PixArt"}, {"Sana", "of Sana"},
		{"Kandinsky", "of Kandinsky"}, {"Wuerstchen", "of Würstchen"},
		{"StableCascade", "of Stable Cascade"}, {"IF", "of DeepFloyd IF"},
	};
	for (size_t i = 0; i < COUNT_OF(kinds); i++)
		if (strstr(class_name, kinds[i].part))
			return kinds[i].what;
	return "";
}

/* ---- a motion adapter in one file ---- */

static bool
starts_with(const char *s, const char *start)
{
	return !strncmp(s, start, strlen(start));
}

static const Json *
make_config(Arena *a, int64_t frames, bool middle)
{
	static const char class_name[] = "MotionAdapter";
	const char **key = arena_array(a, 3, sizeof *key);
	Json *item = arena_array(a, 3, sizeof *item);
	key[0] = "_class_name";
	item[0] = (Json){.kind = JSON_STRING, .text = class_name,
		.length = sizeof class_name - 1};
	key[1] = "use_motion_mid_block";
	item[1] = (Json){.kind = JSON_BOOL, .boolean = middle};
	key[2] = "motion_max_seq_length";
	item[2] = (Json){.kind = JSON_INT, .integer = frames,
		.number = (double)frames};
	/* without a table of positions the adapter's usual number of frames */
	return json_map(a, frames ? 3 : 2, key, item);
}

const Json *
adapter_config(Arena *a, const char *file, int *code, char *err)
{
	TensorSet set = {.arena = a};
	bool motion = false, middle = false, original = false;
	int64_t frames = 0;
	if (is_pickle(file)) {
		*code = explain_file(file, err);
		return NULL;
	}
	*code = tensors_open(&set, file, err);
	for (size_t i = 0; i < set.tensors.n; i++) {
		const Tensor *t = &set.tensors.at[i];
		motion |= strstr(t->name, "motion_modules.") != NULL;
		original |= strstr(t->name, ".temporal_transformer.") != NULL;
		middle |= starts_with(t->name, "mid_block.motion_modules.");
		if (ends_with(t->name, ".pos_embed.pe") && t->rank == 3)
			frames = t->dim[1];
	}
	tensors_close(&set);
	if (*code)
		return NULL;
	if (!motion || original) {
		*code = fail(err, EXIT_WEIGHTS, original ? "'%.200s' has the names "
			"of AnimateDiff's own files; convert it (diffusers: "
			"MotionAdapter.from_single_file, save_pretrained)"
			: "'%.200s' has no config.json beside it, and no motion "
			"modules in it: give a component's folder", file);
		return NULL;
	}
	return make_config(a, frames, middle);
}
