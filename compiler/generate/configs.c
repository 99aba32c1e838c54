/* configs.c - see configs.h. */
#include "compiler/generate/configs.h"
#include "compiler/generate/folder.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef Vec(LangConfig) ConfigList;

typedef struct Reading {
	ConfigList *list;
	const char *folder;     /* of the whole model, or NULL */
	char *err;
} Reading;

/* OPTIONAL: it may be missing; LISTED: an index says that it is there. */
typedef enum Presence { NEEDED, LISTED, OPTIONAL } Presence;

static void __attribute__((format(printf, 2, 3)))
say(char *err, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(err, CONFIGS_ERR, fmt, ap);
	va_end(ap);
}

/* Path of the config in `dir`, or NULL when there is none. */
static const char *
config_path(Arena *a, const char *dir)
{
	static const char *const names[] = {
		"scheduler_config.json", "tokenizer_config.json", "config.json"
	};
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		const char *path = arena_printf(a, "%s/%s", dir, names[i]);
		if (!access(path, F_OK))
			return path;
	}
	return NULL;
}

static bool
is_file(const char *path)
{
	struct stat st;
	return !stat(path, &st) && !S_ISDIR(st.st_mode);
}

/* The config that stands beside a file of weights with one of the usual names;
 * NULL: it is another file's. */
static const char *
config_beside(Arena *a, const char *file)
{
	const char *slash = strrchr(file, '/');
	const char *name = slash ? slash + 1 : file;
	const char *path = slash ? arena_printf(a, "%.*s/config.json",
		(int)(slash - file), file) : "config.json";
	bool usual = !strncmp(name, "diffusion_pytorch_model.", 24)
		|| !strncmp(name, "model.", 6);
	return usual && !access(path, F_OK) ? path : NULL;
}

/* A component that is one file: the config beside it; else that of the base's
 * component, whose weights it replaces; else, behind another part of a UNet, what
 * a motion adapter's tensors tell. */
static int
add_file(Arena *a, const Reading *r, const char *component, const char *file,
	bool first)
{
	int code = EXIT_OK;
	const Json *json;
	const char *path = config_beside(a, file);
	if (!path && first && r->folder)
		path = config_path(a, arena_printf(a, "%s/%s", r->folder,
			component));
	if (path)
		json = json_read_file(a, path, &code, r->err);
	else
		json = adapter_config(a, file, &code, r->err);
	if (json)
		*vec_push(r->list) = (LangConfig){component, path ? path : file,
			json, false};
	return code;
}

/* Adds the config of `dir`.  A tokenizer may be its vocabulary alone.  Where an
 * index names a component that is not there, it is listed without a config: only
 * a program that calls it needs it. */
static int
add_config(Arena *a, const Reading *r, const char *component, const char *dir,
	Presence presence)
{
	const char *path = config_path(a, dir);
	int code = EXIT_OK;
	if (!path) {
		if (presence == OPTIONAL || !strcmp(component, "tokenizer"))
			return EXIT_OK;
		if (presence == NEEDED)
			return folder_explain_component(a, component, dir,
				r->err);
		*vec_push(r->list) = (LangConfig){component, dir, NULL, false};
		return EXIT_OK;
	}
	const Json *json = json_read_file(a, path, &code, r->err);
	if (json)
		*vec_push(r->list) = (LangConfig){component, path, json,
			false};
	return code;
}

/* "unet=DIR,DIR": its name and its folders. */
static int
add_replacement(Arena *a, const Reading *r, const char *text)
{
	const char *equals = strchr(text, '=');
	if (!equals || equals == text || !equals[1]) {
		say(r->err, "component '%s': write NAME=DIR or NAME=DIR,DIR", text);
		return EXIT_USAGE;
	}
	const char *name = arena_strndup(a, text, (size_t)(equals - text));
	for (const char *s = equals + 1; *s;) {
		size_t n = strcspn(s, ",");
		const char *dir = arena_strndup(a, s, n);
		int code = !n ? EXIT_OK : is_file(dir)
			? add_file(a, r, name, dir, s == equals + 1)
			: add_config(a, r, name, dir, NEEDED);
		if (code)
			return code;
		s += n + (s[n] == ',');
	}
	return EXIT_OK;
}

static bool
is_replaced(const char *name, const char *const *component, size_t n)
{
	size_t length = strlen(name);
	for (size_t i = 0; i < n; i++)
		if (!strncmp(component[i], name, length)
			&& component[i][length] == '=')
			return true;
	return false;
}

/* Components that hold no settings of a model. */
static bool
has_no_config(const char *name)
{
	static const char *const names[] = {
		"feature_extractor", "safety_checker",
	};
	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (!strcmp(names[i], name))
			return true;
	return false;
}

/* An entry of model_index.json that names a component: ["library", "Class"],
 * neither null. */
static bool
is_component(const char *key, const Json *value)
{
	return *key != '_' && value->kind == JSON_LIST && value->n == 2
		&& value->item[0].kind == JSON_STRING
		&& value->item[1].kind == JSON_STRING;
}

static int
add_folder(Arena *a, const Reading *r, const char *const *component, size_t n)
{
	static const char *const usual[] = {
		"unet", "vae", "text_encoder", "image_encoder", "scheduler",
	};
	const char *folder = r->folder;
	const char *path = arena_printf(a, "%s/model_index.json", folder);
	int code = EXIT_OK;
	size_t before = r->list->n;
	if (access(path, F_OK)) {
		for (size_t i = 0; i < COUNT_OF(usual) && !code; i++)
			if (!is_replaced(usual[i], component, n))
				code = add_config(a, r, usual[i],
					arena_printf(a, "%s/%s", folder, usual[i]),
					OPTIONAL);
		return code || n || r->list->n > before ? code
			: folder_explain(a, folder, r->err);
	}
	const Json *index = json_read_file(a, path, &code, r->err);
	for (size_t i = 0; index && i < index->n && !code; i++) {
		const char *name = index->key[i];
		if (strchr(name, '/') || has_no_config(name)
			|| !is_component(name, &index->item[i])
			|| is_replaced(name, component, n))
			continue;
		code = add_config(a, r, name,
			arena_printf(a, "%s/%s", folder, name), LISTED);
	}
	return code;
}

int
configs_from_folder(Arena *a, const char *folder,
	const char *const *component, size_t n, LangConfig **out, size_t *nout,
	char *err)
{
	ConfigList list = {0};
	Reading r = {&list, folder, err};
	int code = EXIT_OK;
	if (folder)
		code = add_folder(a, &r, component, n);
	for (size_t i = 0; i < n && !code; i++)
		code = add_replacement(a, &r, component[i]);
	*nout = list.n;
	*out = arena_array(a, list.n, sizeof **out);
	if (list.n)
		memcpy(*out, list.at, list.n * sizeof **out);
	vec_free(&list);
	return code;
}
