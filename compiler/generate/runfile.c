/* runfile.c - see runfile.h.  One table lists the keys with their kinds and
 * limits; what needs more than a number or a text has a function.
 */
#include "compiler/generate/runfile.h"
#include "compiler/generate/names.h"
#include "ir/base/yaml.h"
#include "lang/lang.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { FILE_LIMIT = 1 << 20, SIDE_MAX = 1 << 16, SETTINGS_MAX = 64,
	MISTAKES_MAX = 20 };

typedef struct Loader {
	Arena *arena;
	RunFile *run;
	const char *folder;     /* of the run file, "" for the current one */
	const char *text;       /* of the run file, for the line in messages */
	size_t size;
	const char *set;        /* the --set that is being read, or NULL */
	RunFile usual;          /* before the first key */
	bool model;             /* the key was there */
	int mistakes, code;     /* of the first one */
	char *err;
} Loader;

/* ---- errors ---- */

/* Adds a mistake to the message; with all of them a file is mended at once. */
static void
add_mistake(Loader *l, int code, const char *text)
{
	size_t n = strlen(l->err);
	if (!l->mistakes++)
		l->code = code;
	if (l->mistakes <= MISTAKES_MAX && n + strlen(text) + 64 < RUNFILE_ERR)
		snprintf(l->err + n, RUNFILE_ERR - n, "%s%s", n ? "\n" : "",
			text);
	else if (l->mistakes == MISTAKES_MAX + 1)
		snprintf(l->err + n, RUNFILE_ERR - n, "\nand more");
}

static bool __attribute__((format(printf, 4, 5)))
fail_at(Loader *l, int line, int column, const char *fmt, ...)
{
	char text[600], all[1400];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (l->set)
		snprintf(all, sizeof all, "--set %.200s: %s", l->set, text);
	else
		yaml_explain(l->run->path, l->text, l->size, line, column, text,
			all, sizeof all);
	add_mistake(l, EXIT_SOURCE, all);
	return false;
}

#define FAIL(l, y, ...) fail_at(l, (y)->line, (y)->column, __VA_ARGS__)

/* ---- values ---- */

static bool
get_text(Loader *l, const char *key, const Yaml *y, const char **out)
{
	if (y->kind != YAML_TEXT)
		return FAIL(l, y, "'%s' is a text%s", key, strstr(key, "prompt")
			? "; put it in quotes, or on lines of its own behind '|'"
			: "");
	*out = y->text;
	return true;
}

/* A path as seen from the current folder; ~ is the user's, as in a shell. */
static const char *
resolve(Loader *l, const char *path)
{
	const char *home = getenv("HOME");
	if (*path == '~' && (path[1] == '/' || !path[1]) && home)
		return arena_printf(l->arena, "%s%s", home, path + 1);
	if (*path == '/' || !*l->folder)
		return path;
	return arena_printf(l->arena, "%s/%s", l->folder, path);
}

static bool
get_path(Loader *l, const char *key, const Yaml *y, const char **out)
{
	if (!get_text(l, key, y, out))
		return false;
	if (!**out)
		return FAIL(l, y, "'%s' needs a path", key);
	*out = resolve(l, *out);
	return true;
}

static bool
get_int(Loader *l, const char *key, const Yaml *y, double lo, double hi,
	int64_t *out)
{
	char *end = NULL;
	errno = 0;
	if (y->kind == YAML_TEXT)
		*out = strtoll(y->text, &end, 10);
	if (!end || end == y->text || *end || errno || (double)*out < lo
		|| (double)*out > hi)
		return FAIL(l, y, "'%s' is an integer from %.15g to %.15g", key,
			lo, hi);
	return true;
}

static bool
get_real(Loader *l, const char *key, const Yaml *y, double lo, double hi,
	double *out)
{
	char *end = NULL;
	if (y->kind == YAML_TEXT)
		*out = strtod(y->text, &end);
	if (!end || end == y->text || *end || !(*out >= lo && *out <= hi))
		return FAIL(l, y, "'%s' is a number from %g to %g", key, lo, hi);
	return true;
}

static bool
get_bool(Loader *l, const char *key, const Yaml *y, bool *out)
{
	bool yes = y->kind == YAML_TEXT && !strcmp(y->text, "true");
	if (!yes && (y->kind != YAML_TEXT || strcmp(y->text, "false")))
		return FAIL(l, y, "'%s' is true or false", key);
	*out = yes;
	return true;
}

static const char *
join_names(Arena *a, const char *const *names, size_t n)
{
	const char *list = "";
	for (size_t i = 0; i < n; i++)
		list = arena_printf(a, "%s%s%s", list, i ? ", " : "", names[i]);
	return list;
}

/* A name of `names`; returns its index or -1. */
static int
get_name(Loader *l, const char *what, const Yaml *y, const char *const *names,
	size_t n)
{
	if (y->kind == YAML_TEXT)
		for (size_t i = 0; i < n; i++)
			if (!strcmp(names[i], y->text))
				return (int)i;
	if (y->kind != YAML_TEXT) {
		FAIL(l, y, "a %s is a text", what);
		return -1;
	}
	const char *here = name_here(what, y->text);
	const char *near = nearest_name(y->text, names, n);
	if (here)
		FAIL(l, y, "unknown %s '%.80s': it %s", what, y->text, here);
	else if (near)
		FAIL(l, y, "unknown %s '%.80s'; did you mean '%s'?", what,
			y->text, near);
	else
		FAIL(l, y, "unknown %s '%.80s'; known are %s", what, y->text,
			join_names(l->arena, names, n));
	return -1;
}

/* ---- keys that are more than one value ---- */

static const char *const components[] = {
	"base", "unet", "vae", "text_encoder", "image_encoder", "tokenizer",
	"scheduler",
};

static bool
add_component(Loader *l, const char *name, const Yaml *y)
{
	const Yaml *part = y->kind == YAML_LIST ? y->item : y;
	size_t n = y->kind == YAML_LIST ? y->n : 1;
	const char *list = arena_printf(l->arena, "%s=", name);
	if (!n)
		return FAIL(l, y, "'%s' needs a folder", name);
	for (size_t i = 0; i < n; i++) {
		const char *path;
		if (!get_path(l, name, &part[i], &path))
			return false;
		if (strchr(path, ','))
			return FAIL(l, &part[i], "a comma in a folder's name "
				"cannot be told from one between folders");
		list = arena_printf(l->arena, "%s%s%s", list, i ? "," : "", path);
	}
	l->run->component[l->run->n_component++] = list;
	return true;
}

/* A folder, or {base: FOLDER, unet: [DIR, DIR], ...}. */
static bool
set_model(Loader *l, const Yaml *y)
{
	RunFile *r = l->run;
	r->component = arena_array(l->arena, COUNT_OF(components),
		sizeof *r->component);
	r->n_component = 0;
	r->folder = NULL;
	if (y->kind == YAML_TEXT)
		return get_path(l, "model", y, &r->folder);
	if (y->kind != YAML_TABLE)
		return FAIL(l, y, "'model' is a folder, or a map with 'base'");
	bool ok = true;
	for (size_t i = 0; i < y->n; i++) {
		int k = get_name(l, "component", &y->key[i], components,
			COUNT_OF(components));
		ok &= k < 0 ? false : !k
			? get_path(l, "base", &y->item[i], &r->folder)
			: add_component(l, components[k], &y->item[i]);
	}
	return ok;
}

/* 512x320: width, then height */
static bool
set_size(Loader *l, const Yaml *y)
{
	int used = 0;
	long long w = 0, h = 0;
	if (y->kind != YAML_TEXT || strlen(y->text) > 16
		|| sscanf(y->text, "%lldx%lld%n", &w, &h, &used) != 2
		|| y->text[used])
		return FAIL(l, y, "'size' is WIDTHxHEIGHT in pixels");
	if (w < 1 || h < 1 || w > SIDE_MAX || h > SIDE_MAX)
		return FAIL(l, y, "'size': a side has 1 to %d pixels", SIDE_MAX);
	l->run->width = w;
	l->run->height = h;
	return true;
}

static bool
set_scheduler(Loader *l, const Yaml *y)
{
	if (y->kind != YAML_TABLE)
		return FAIL(l, y, "'scheduler' is a map: {class: DDIMScheduler}");
	const char **key = arena_array(l->arena, y->n, sizeof *key);
	Json *item = arena_array(l->arena, y->n, sizeof *item);
	bool ok = true;
	/* a slip would be a setting that does nothing */
	const char *names[SETTINGS_MAX] = {"class"};
	size_t n = 1;
	for (; sampler_settings[n - 1]; n++)
		names[n] = sampler_settings[n - 1];
	for (size_t i = 0; i < y->n; i++) {
		int k = get_name(l, "scheduler setting", &y->key[i], names, n);
		ok &= k >= 0;
		key[i] = k > 0 ? names[k] : "_class_name";
		item[i] = yaml_json(l->arena, &y->item[i]);
	}
	if (ok)
		l->run->scheduler = json_map(l->arena, y->n, key, item);
	return ok;
}

/* {runs: 13, calibration: FILE} */
static bool
set_rehash(Loader *l, const Yaml *y)
{
	static const char *const names[] = {"runs", "calibration"};
	RunFile *r = l->run;
	r->rehash_runs = 0;
	r->calibration = NULL;
	if (y->kind != YAML_TABLE)
		return FAIL(l, y, "'rehash' is a map: {runs: 13, calibration: "
			"FILE}");
	bool ok = true;
	for (size_t i = 0; i < y->n; i++) {
		int k = get_name(l, "key of rehash", &y->key[i], names,
			COUNT_OF(names));
		ok &= k < 0 ? false : k
			? get_path(l, "calibration", &y->item[i], &r->calibration)
			: get_int(l, "runs", &y->item[i], 1, 200,
				&r->rehash_runs);
	}
	return ok && (r->rehash_runs || FAIL(l, y, "'rehash' needs 'runs'"));
}

static bool
set_device(Loader *l, const Yaml *y)
{
	const char *text = y->kind == YAML_TEXT ? y->text : "", *end;
	size_t n = strcspn(text, ":");
	char *name = arena_strndup(l->arena, text, n);
	char *rest = NULL;
	long index = text[n] ? strtol(text + n + 1, &rest, 10) : 0;
	end = rest ? rest : text + n;
	l->run->target = target_find(name);
	l->run->device_index = (int)index;
	if (l->run->target && !*end && index >= 0 && index < 1024
		&& (!text[n] || text[n + 1]))
		return true;
	FAIL(l, y, "unknown device '%.40s': it is one of %s, and cuda:1 is the "
		"second GPU", text, target_names());
	return false;
}

/* A name is a built-in profile's, anything else a file beside the run file. */
static bool
set_profile(Loader *l, const Yaml *y)
{
	if (y->kind != YAML_TEXT || strpbrk(y->text, "/."))
		return get_path(l, "profile", y, &l->run->profile);
	l->run->profile = y->text;
	return true;
}

static bool
set_dtype(Loader *l, const Yaml *y)
{
	static const char *const names[] = {"f32", "f16", "bf16"};
	int k = get_name(l, "dtype", y, names, COUNT_OF(names));
	if (k >= 0)
		l->run->dtype = dtype_find(names[k]);
	return k >= 0;
}

static bool
set_memory(Loader *l, const Yaml *y)
{
	return (y->kind == YAML_TEXT && parse_bytes(y->text, &l->run->memory))
		|| FAIL(l, y, "'memory' is a size such as 6GiB");
}

/* A text, or a list of texts. */
static bool
set_prompt(Loader *l, const Yaml *y)
{
	RunFile *r = l->run;
	size_t n = y->kind == YAML_LIST ? y->n : 1;
	const Yaml *item = y->kind == YAML_LIST ? y->item : y;
	if (!n)
		return FAIL(l, y, "'prompt' needs at least one");
	r->prompts = arena_array(l->arena, n, sizeof *r->prompts);
	r->n_prompts = n;
	for (size_t i = 0; i < n; i++)
		if (!get_text(l, "prompt", &item[i], &r->prompts[i]))
			return false;
	return true;
}

static bool
set_seed(Loader *l, const Yaml *y)
{
	RunFile *r = l->run;
	size_t n = y->kind == YAML_LIST ? y->n : 1;
	const Yaml *item = y->kind == YAML_LIST ? y->item : y;
	if (!n)
		return FAIL(l, y, "'seed' needs at least one");
	r->seeds = arena_array(l->arena, n, sizeof *r->seeds);
	r->n_seeds = n;
	for (size_t i = 0; i < n; i++) {
		if (!get_int(l, "seed", &item[i], 0, 9e15, &r->seeds[i]))
			return false;
		for (size_t k = 0; k < i; k++)
			if (r->seeds[k] == r->seeds[i])
				return FAIL(l, &item[i], "seed %s stands here "
					"twice", item[i].text);
	}
	return true;
}

static bool
add_output(Loader *l, const Yaml *y)
{
	static const struct { const char *suffix; OutputKind kind; } kinds[] = {
		{".gif", OUTPUT_GIF}, {".webp", OUTPUT_WEBP},
		{".mp4", OUTPUT_MP4}, {".webm", OUTPUT_WEBM},
		{".y4m", OUTPUT_Y4M}, {".safetensors", OUTPUT_TENSORS},
		{"/", OUTPUT_PNG},
	};
	struct stat st;
	OutputFile *o = &l->run->output[l->run->n_output++];
	if (!get_path(l, "output", y, &o->name))
		return false;
	size_t n = strlen(o->name);
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		size_t k = strlen(kinds[i].suffix);
		if (n > k && !strcasecmp(o->name + n - k, kinds[i].suffix)) {
			o->kind = kinds[i].kind;
			return true;
		}
	}
	/* without a suffix: a folder that is there, or a device, which gets
	   the tensors */
	if (!stat(o->name, &st) && !S_ISREG(st.st_mode)) {
		o->kind = S_ISDIR(st.st_mode) ? OUTPUT_PNG : OUTPUT_TENSORS;
		return true;
	}
	return FAIL(l, y, "'%.100s': an output ends in .gif .webp .mp4 "
		".webm .y4m .safetensors, or in / for PNG frames", y->text);
}

static bool
set_output(Loader *l, const Yaml *y)
{
	size_t n = y->kind == YAML_LIST ? y->n : 1;
	l->run->output = arena_array(l->arena, n, sizeof *l->run->output);
	l->run->n_output = 0;
	if (y->kind != YAML_LIST)
		return add_output(l, y);
	for (size_t i = 0; i < n; i++)
		if (!add_output(l, &y->item[i]))
			return false;
	return true;
}

/* ---- the table ---- */

typedef enum KeyKind {
	KEY_INT, KEY_REAL, KEY_TEXT, KEY_PATH, KEY_BOOL, KEY_OTHER
} KeyKind;

typedef struct Key {
	const char *name;
	KeyKind kind;
	size_t offset;          /* in RunFile */
	double lo, hi;
	bool (*set)(Loader *l, const Yaml *y);
} Key;

#define AT(field) offsetof(RunFile, field)

static const Key keys[] = {
	{"model", KEY_OTHER, 0, 0, 0, set_model},
	{"pipeline", KEY_TEXT, AT(pipeline), 0, 0, NULL},
	{"prompt", KEY_OTHER, 0, 0, 0, set_prompt},
	{"negative_prompt", KEY_TEXT, AT(negative_prompt), 0, 0, NULL},
	{"clip_skip", KEY_INT, AT(clip_skip), 0, 100, NULL},
	{"long_prompts", KEY_BOOL, AT(long_prompts), 0, 0, NULL},
	{"image", KEY_PATH, AT(image), 0, 0, NULL},
	{"motion_bucket", KEY_REAL, AT(motion_bucket), 0, 1000, NULL},
	{"noise_aug", KEY_REAL, AT(noise_aug), 0, 1000, NULL},
	{"frames", KEY_INT, AT(frames), 1, 1 << 16, NULL},
	{"size", KEY_OTHER, 0, 0, 0, set_size},
	{"steps", KEY_INT, AT(steps), 1, 100000, NULL},
	{"rehash", KEY_OTHER, 0, 0, 0, set_rehash},
	{"guidance", KEY_REAL, AT(guidance), 0, 1000, NULL},
	{"min_guidance", KEY_REAL, AT(min_guidance), 0, 1000, NULL},
	{"max_guidance", KEY_REAL, AT(max_guidance), 0, 1000, NULL},
	{"seed", KEY_OTHER, 0, 0, 0, set_seed},
	{"noise", KEY_PATH, AT(noise), 0, 0, NULL},
	{"scheduler", KEY_OTHER, 0, 0, 0, set_scheduler},
	{"device", KEY_OTHER, 0, 0, 0, set_device},
	{"dtype", KEY_OTHER, 0, 0, 0, set_dtype},
	{"memory", KEY_OTHER, 0, 0, 0, set_memory},
	{"profile", KEY_OTHER, 0, 0, 0, set_profile},
	{"decode_chunk", KEY_INT, AT(decode_chunk), 1, 1 << 16, NULL},
	{"output", KEY_OTHER, 0, 0, 0, set_output},
	{"fps", KEY_REAL, AT(fps), 0.1, 1000, NULL},
	{"keep_latents", KEY_BOOL, AT(keep_latents), 0, 0, NULL},
};

/* Fields of keys that are more than one value: [from, to) of RunFile. */
static const struct { const char *name; size_t from, to; } fields[] = {
	{"model", AT(folder), AT(pipeline)},
	{"prompt", AT(prompts), AT(seeds)},
	{"size", AT(width), AT(guidance)},
	{"seed", AT(seeds), AT(take)},
	{"rehash", AT(rehash_runs), AT(width)},
	{"scheduler", AT(scheduler), AT(target)},
	{"device", AT(target), AT(dtype)},
	{"profile", AT(profile), AT(output)},
	{"dtype", AT(dtype), AT(dtype) + sizeof(DType)},
	{"memory", AT(memory), AT(profile)},
	{"output", AT(output), AT(fps)},
};

/* `key: null`, or nothing behind the colon.  A prompt on the command line is
 * always a text. */
static bool
is_null(const Loader *l, const Key *key, const Yaml *y)
{
	static const char *const nulls[] = {"null", "Null", "NULL", "~"};
	if (y->kind != YAML_TEXT || (l->set ? strstr(key->name, "prompt") != NULL
		: !y->plain))
		return false;
	for (size_t i = 0; i < COUNT_OF(nulls); i++)
		if (!strcmp(nulls[i], y->text))
			return true;
	return !*y->text && !l->set;
}

/* The key takes its default back. */
static bool
reset_key(Loader *l, const Key *key)
{
	static const size_t bytes[] = {
		[KEY_INT] = sizeof(int64_t), [KEY_REAL] = sizeof(double),
		[KEY_TEXT] = sizeof(char *), [KEY_PATH] = sizeof(char *),
		[KEY_BOOL] = sizeof(bool), [KEY_OTHER] = 0,
	};
	size_t at = key->offset, n = bytes[key->kind];
	for (size_t i = 0; !n && i < COUNT_OF(fields); i++)
		if (!strcmp(fields[i].name, key->name)) {
			at = fields[i].from;
			n = fields[i].to - at;
		}
	memcpy((char *)l->run + at, (const char *)&l->usual + at, n);
	return true;
}

static bool
set_key(Loader *l, const Yaml *name, const Yaml *y)
{
	const char *names[COUNT_OF(keys)];
	for (size_t i = 0; i < COUNT_OF(keys); i++)
		names[i] = keys[i].name;
	int k = get_name(l, "key", name, names, COUNT_OF(keys));
	if (k < 0)
		return false;
	const Key *key = &keys[k];
	l->model |= !k;
	if (is_null(l, key, y)) {
		l->run->given &= ~((uint64_t)1 << k);
		return reset_key(l, key);
	}
	l->run->given |= (uint64_t)1 << k;
	void *field = (char *)l->run + key->offset;
	switch (key->kind) {
	case KEY_INT:
		return get_int(l, key->name, y, key->lo, key->hi, field);
	case KEY_REAL:
		return get_real(l, key->name, y, key->lo, key->hi, field);
	case KEY_TEXT:
		return get_text(l, key->name, y, field);
	case KEY_PATH:
		return get_path(l, key->name, y, field);
	case KEY_BOOL:
		return get_bool(l, key->name, y, field);
	case KEY_OTHER:
		break;
	}
	return key->set(l, y);
}

static_assert(COUNT_OF(keys) <= 64, "RunFile.given has 64 bits");

const char *
runfile_misplaced(const RunFile *r, bool picture)
{
	static const struct { const char *name; bool picture; } one_kind[] = {
		{"prompt", false}, {"negative_prompt", false},
		{"guidance", false}, {"clip_skip", false},
		{"long_prompts", false}, {"image", true}, {"motion_bucket", true},
		{"noise_aug", true}, {"min_guidance", true},
		{"max_guidance", true}, {"decode_chunk", true},
	};
	for (size_t k = 0; k < COUNT_OF(keys); k++)
		for (size_t i = 0; i < COUNT_OF(one_kind); i++)
			if (one_kind[i].picture != picture && r->given >> k & 1
				&& !strcmp(one_kind[i].name, keys[k].name))
				return keys[k].name;
	return NULL;
}

/* "key=value": a value that begins with a bracket is YAML, any other one is
 * the text as it stands. */
static void
override(Loader *l, const char *set)
{
	const char *equals = strchr(set, '=');
	Yaml key = {.kind = YAML_TEXT}, text = {.kind = YAML_TEXT};
	if (!equals || equals == set) {
		add_mistake(l, EXIT_USAGE, arena_printf(l->arena,
			"--set %.200s: write KEY=VALUE", set));
		return;
	}
	l->set = set;
	key.text = arena_strndup(l->arena, set, (size_t)(equals - set));
	text.text = equals + 1;
	const Yaml *value = &text;
	/* a prompt may begin with one */
	if ((*text.text == '{' || *text.text == '[')
		&& !strstr(key.text, "prompt")) {
		YamlError e;
		value = yaml_parse(l->arena, text.text, strlen(text.text), &e);
		if (!value) {
			fail_at(l, 0, 0, "%s", e.text);
			return;
		}
	}
	set_key(l, &key, value);
}

static const char *
folder_of(Arena *a, const char *path)
{
	const char *slash = strrchr(path, '/');
	if (!slash)
		return "";
	return slash == path ? "/" : arena_strndup(a, path,
		(size_t)(slash - path));
}

/* Whether line `number` (from 1), or the last line before it that begins a key, is
 * that of a prompt. */
static bool
in_prompt(const Loader *l, int number)
{
	const char *s = l->text, *end = l->text + l->size;
	bool prompt = false;
	for (int i = 1; s < end && i <= number; i++) {
		const char *stop = memchr(s, '\n', (size_t)(end - s));
		size_t n = (size_t)((stop ? stop : end) - s);
		size_t word = 0;
		while (word < n && (s[word] == '_' || (s[word] >= 'a'
			&& s[word] <= 'z')))
			word++;
		if (word && word < n && s[word] == ':')
			prompt = (word == 6 && !memcmp(s, "prompt", 6))
				|| (word == 15
				&& !memcmp(s, "negative_prompt", 15));
		s += n + 1;
	}
	return prompt;
}

#define QUOTES "; put the prompt in quotes, or on lines of its own behind " \
	"'prompt: |'"

static const Yaml *
read_yaml(Loader *l)
{
	YamlError e;
	const Yaml *root = yaml_parse(l->arena, l->text, l->size, &e);
	if (!root)
		fail_at(l, e.line, e.column, "%s%s", e.text,
			in_prompt(l, e.line) ? QUOTES : "");
	else if (root->kind != YAML_TABLE) {
		FAIL(l, root, "a run file is a map of keys to values");
		return NULL;
	}
	return root;
}

int
runfile_parse(Arena *a, const char *path, const char *text, size_t size,
	const char *const *set, size_t n_set, RunFile *out, char *err)
{
	size_t mark = byte_order_mark(text, size);
	Loader l = {.arena = a, .run = out, .text = text + mark,
		.size = size - mark, .err = err, .folder = folder_of(a, path)};
	*out = (RunFile){.path = path, .negative_prompt = "",
		.motion_bucket = 127, .noise_aug = 0.02, .steps = 25,
		.guidance = 7.5, .min_guidance = 1, .max_guidance = 3,
		.dtype = DT_F32};
	l.usual = *out;
	*err = 0;
	const Yaml *root = read_yaml(&l);
	if (!root)
		return l.code;
	for (size_t i = 0; i < root->n; i++)
		set_key(&l, &root->key[i], &root->item[i]);
	for (size_t i = 0; i < n_set; i++)
		override(&l, set[i]);
	if (!out->folder && !out->n_component && (!l.model || !l.mistakes))
		add_mistake(&l, EXIT_SOURCE, arena_printf(a,
			"%.200s: it names no 'model'", path));
	return l.mistakes ? l.code : runfile_begin_takes(a, out, err);
}

int
runfile_read(Arena *a, const char *path, const char *const *set,
	size_t n_set, RunFile *out, char *err)
{
	size_t size;
	const char *text = arena_read_file(a, path, FILE_LIMIT, &size);
	if (!text) {
		snprintf(err, RUNFILE_ERR, "cannot read '%.200s': %s", path,
			strerror(errno));
		return EXIT_IO;
	}
	return runfile_parse(a, path, text, size, set, n_set, out, err);
}
