/* configs.c - see configs.h. */
#include "compiler/generate/configs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CONFIG_BYTES = 4 << 20, CONFIG_DEPTH = 32 };

typedef Vec(LangConfig) ConfigList;

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

/* Adds the config of `dir`; a folder without one is an error if `needed`, but a
 * tokenizer may be its vocabulary alone. */
static int
add_config(Arena *a, ConfigList *list, const char *component, const char *dir,
	bool needed, char *err)
{
	const char *path = config_path(a, dir);
	int code = EXIT_OK;
	if (!path) {
		if (!needed || !strcmp(component, "tokenizer"))
			return EXIT_OK;
		bool scheduler = !strcmp(component, "scheduler");
		say(err, "component '%s': '%s' has no %s", component, dir,
			scheduler ? "scheduler_config.json" : "config.json");
		return EXIT_IO;
	}
	const Json *json = json_read_file(a, path, &code, err);
	if (json)
		*vec_push(list) = (LangConfig){component, path, json,
			false};
	return code;
}

/* "unet=DIR,DIR": its name and its folders. */
static int
add_replacement(Arena *a, ConfigList *list, const char *text, char *err)
{
	const char *equals = strchr(text, '=');
	if (!equals || equals == text || !equals[1]) {
		say(err, "component '%s': write NAME=DIR or NAME=DIR,DIR", text);
		return EXIT_USAGE;
	}
	const char *name = arena_strndup(a, text, (size_t)(equals - text));
	for (const char *s = equals + 1; *s;) {
		size_t n = strcspn(s, ",");
		const char *dir = arena_strndup(a, s, n);
		int code = n ? add_config(a, list, name, dir, true, err) : EXIT_OK;
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
add_folder(Arena *a, ConfigList *list, const char *folder,
	const char *const *component, size_t n, char *err)
{
	static const char *const usual[] = {
		"unet", "vae", "text_encoder", "image_encoder", "scheduler",
	};
	const char *path = arena_printf(a, "%s/model_index.json", folder);
	int code = EXIT_OK;
	if (access(folder, F_OK)) {
		say(err, "cannot read '%s': %s", folder, strerror(errno));
		return EXIT_IO;
	}
	if (access(path, F_OK)) {
		for (size_t i = 0; i < COUNT_OF(usual) && !code; i++)
			if (!is_replaced(usual[i], component, n))
				code = add_config(a, list, usual[i],
					arena_printf(a, "%s/%s", folder, usual[i]),
					false, err);
		return code;
	}
	const Json *index = json_read_file(a, path, &code, err);
	for (size_t i = 0; index && i < index->n && !code; i++) {
		const char *name = index->key[i];
		if (strchr(name, '/') || has_no_config(name)
			|| !is_component(name, &index->item[i])
			|| is_replaced(name, component, n))
			continue;
		code = add_config(a, list, name,
			arena_printf(a, "%s/%s", folder, name), true, err);
	}
	return code;
}

int
configs_from_folder(Arena *a, const char *folder,
	const char *const *component, size_t n, LangConfig **out, size_t *nout,
	char *err)
{
	ConfigList list = {0};
	int code = EXIT_OK;
	if (folder)
		code = add_folder(a, &list, folder, component, n, err);
	for (size_t i = 0; i < n && !code; i++)
		code = add_replacement(a, &list, component[i], err);
	*nout = list.n;
	*out = arena_array(a, list.n, sizeof **out);
	if (list.n)
		memcpy(*out, list.at, list.n * sizeof **out);
	vec_free(&list);
	return code;
}
