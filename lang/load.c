/* load.c - the main file and what it includes, each read once.
 *
 * A path that is not found is looked up among the built-in examples by its last
 * part, so the examples compile from any folder.
 */
#include "lang/elab.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static const char *
folder_of(Elab *e, const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? arena_strndup(e->arena, path, (size_t)(slash - path) + 1)
		     : "";
}

static const Builtin *
builtin_of(const char *path)
{
	const char *slash = strrchr(path, '/'), *last = slash ? slash + 1 : path;
	for (const Builtin *b = lang_builtins; b->name; b++)
		if (!strcmp(b->name, last))
			return b;
	return NULL;
}

static Source *
find_key(Elab *e, const char *key)
{
	for (size_t i = 0; i < e->files.n; i++)
		if (!strcmp(e->files.at[i]->key, key))
			return e->files.at[i];
	return NULL;
}

/* Adds a file whose text has been read. */
static Source *
add_source(Elab *e, const Source *s, const char **why)
{
	size_t mark = byte_order_mark(s->text, s->size);
	if (memchr(s->text, 0, s->size)) {
		*why = "it is not a text";
		return NULL;
	}
	Source *file = arena_alloc(e->arena, sizeof *file);
	*file = *s;
	file->text += mark;
	file->size -= mark;
	source_lines(file, e->arena);
	*vec_push(&e->files) = file;
	return file;
}

/* Reads `path`, or takes it from the built-in files (`inside`: from nowhere
 * else), or from those read already.  NULL with the reason in *why. */
static Source *
open_source(Elab *e, const char *path, int depth, bool inside, const char **why)
{
	Source s = {.path = path, .depth = depth, .folder = folder_of(e, path)};
	char real[PATH_MAX];
	const Builtin *b = NULL;
	bool standard = !strcmp(path, "-");
	const char *key = standard ? "-" : inside ? NULL : realpath(path, real);
	if (!key) {
		*why = strerror(errno);
		b = builtin_of(path);
		if (!b)
			return NULL;
		key = arena_printf(e->arena, "builtin:%s", b->name);
		s.path = b->name;
		s.folder = NULL;
		s.builtin = true;
	}
	Source *have = find_key(e, key);
	if (have)
		return have;
	s.key = arena_strdup(e->arena, key);
	if (standard)
		s.path = "<standard input>";
	if (b) {
		s.text = b->text;
		s.size = b->size;
	} else {
		s.text = arena_read_file(e->arena, path, FILE_BYTES_MAX, &s.size);
		*why = errno == EFBIG ? "it is longer than 1 MiB"
				      : strerror(errno);
	}
	return s.text ? add_source(e, &s, why) : NULL;
}

static void load_includes(Elab *e, Source *file);

static void
load_include(Elab *e, Source *file, const Ast *item)
{
	const char *why = "", *path = item->name;
	if (file->depth >= INCLUDE_MAX) {
		diag(&e->diags, item->at, NULL, NULL,
			"more than %d levels of inclusion", INCLUDE_MAX);
		return;
	}
	if (file->folder && path[0] != '/')
		path = arena_printf(e->arena, "%s%s", file->folder, path);
	size_t before = e->files.n;
	Source *included = *item->name && strcmp(item->name, "-")
		? open_source(e, path, file->depth + 1, !file->folder, &why)
		: NULL;
	if (!included) {
		diag(&e->diags, item->at, NULL, *why ? why : NULL,
			"cannot read '%s'", item->name);
		return;
	}
	*vec_push(&file->includes) = included;
	if (e->files.n > before)
		load_includes(e, included);
}

static void
load_includes(Elab *e, Source *file)
{
	parse_file(e->arena, &e->names, &e->diags, file);
	for (const Ast *i = file->items->list; i; i = i->next)
		if (i->kind == A_INCLUDE && e->diags.count <= DIAG_MAX)
			load_include(e, file, i);
}

Source *
load_files(Elab *e, int *code)
{
	const char *why = "";
	const LangOptions *o = e->o;
	Source given = {.path = o->path, .key = "given", .text = o->text,
		.size = o->size};
	Source *file = o->text ? add_source(e, &given, &why)
		: open_source(e, o->path, 0, false, &why);
	if (!file) {
		diag_plain(&e->diags, NULL, "cannot read '%s': %s", o->path, why);
		*code = EXIT_IO;
		return NULL;
	}
	load_includes(e, file);
	return file;
}
