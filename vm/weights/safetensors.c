/* safetensors.c - a set of tensors from files, shards and folders.
 *
 * The set's list is kept sorted by name: lookup is a binary search, and adding
 * a folder to a set (a motion adapter over a UNet) replaces names that are
 * there already.  An index file names its shards, and is not trusted either: a
 * shard must lie in the index's folder.
 */
#include "vm/weights/tensors.h"
#include "ir/base/json.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What one tensors_open adds; joined with the set when all is well. */
typedef struct Opening {
	TensorSet *set;
	TensorList tensors;
	size_t old_files;
	char *err;
} Opening;

/* ---- files ---- */

/* A link to nothing is what an interrupted download leaves. */
static int
cannot_open(const char *path, char *err)
{
	struct stat st;
	int error = errno;
	bool link = error == ENOENT && !lstat(path, &st);
	snprintf(err, TENSORS_ERROR, "cannot open '%.300s': %s", path, link
		? "it is a link to a file that is missing: the download is not "
		"complete" : strerror(error));
	return EXIT_IO;
}

/* Opens one file and reads its header. */
static int
add_file(Opening *o, const char *path)
{
	TensorSet *s = o->set;
	/* O_NONBLOCK: a pipe must not make us wait; it is refused later */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return cannot_open(path, o->err);
	input_opened(path, fd);
	*vec_push(&s->fds) = fd;
	*vec_push(&s->paths) = arena_strdup(s->arena, path);
	return tensors_read_file(s->arena, fd, path, (int)s->fds.n - 1,
		&o->tensors, o->err);
}

/* ---- an index and its shards ---- */

static int
refuse_index(const Opening *o, const char *path, const char *what)
{
	snprintf(o->err, TENSORS_ERROR, "'%.200s': %.290s", path, what);
	return EXIT_WEIGHTS;
}

/* A shard is named by an untrusted file: only a plain name will do. */
static bool
shard_name_ok(const char *name, size_t length)
{
	size_t n = strlen(name);
	if (!n || n != length || n > NAME_MAX || name[0] == '.')
		return false;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f
			|| name[i] == '/')
			return false;
	return true;
}

/* Length of what `a` and `b` begin with, up to a slash: the folder that holds
 * both. */
static size_t
common_folder(const char *a, const char *b)
{
	size_t n = 0;
	for (size_t i = 0; a[i] && a[i] == b[i]; i++)
		if (a[i] == '/')
			n = i + 1;
	return n;
}

/* Whether the file with resolved path `file` may be a shard of an index in the
 * resolved folder `folder`: it lies in that folder, or is where the model hub's
 * cache keeps the contents of its links (X/snapshots/... and X/blobs/...). */
static bool
shard_place_ok(const char *folder, const char *file)
{
	size_t n = strlen(folder);
	if (!strncmp(folder, file, n) && (file[n] == '/' || n == 1))
		return true;
	size_t root = common_folder(folder, file);
	return !strncmp(folder + root, "snapshots/", 10)
		&& !strncmp(file + root, "blobs/", 6)
		&& !strchr(file + root + 6, '/');
}

static int
add_shard(Opening *o, const char *index, const char *name)
{
	Arena *a = o->set->arena;
	const char *slash = strrchr(index, '/');
	const char *folder = slash == index ? "/" : slash
		? arena_strndup(a, index, (size_t)(slash - index)) : ".";
	const char *path = arena_printf(a, "%s/%s", folder, name);
	char real_folder[PATH_MAX], real_file[PATH_MAX];
	if (!realpath(folder, real_folder) || !realpath(path, real_file))
		return cannot_open(path, o->err);
	if (!shard_place_ok(real_folder, real_file)) {
		char what[TENSORS_ERROR];
		snprintf(what, sizeof what, "shard '%.200s' is a link that "
			"leaves the folder", name);
		return refuse_index(o, index, what);
	}
	return add_file(o, real_file);
}

typedef struct IndexEntry {
	const char *tensor, *shard;
} IndexEntry;

static int
compare_entries(const void *x, const void *y)
{
	const IndexEntry *a = x, *b = y;
	int c = strcmp(a->shard, b->shard);
	return c ? c : strcmp(a->tensor, b->tensor);
}

static int
compare_names(const void *x, const void *y)
{
	return strcmp(((const Tensor *)x)->name, ((const Tensor *)y)->name);
}

/* The `n` entries of the index for one shard, sorted by name, must be the
 * tensors that the shard has: `have` of them, from `t` on. */
static int
compare_shard(Opening *o, const char *index, const IndexEntry *e, size_t n,
	Tensor *t, size_t have)
{
	char what[TENSORS_ERROR];
	if (have)
		qsort(t, have, sizeof *t, compare_names);
	for (size_t i = 0; i < n || i < have; i++) {
		int c = i >= n ? 1 : i >= have ? -1
			: strcmp(e[i].tensor, t[i].name);
		if (!c)
			continue;
		if (c < 0)
			snprintf(what, sizeof what,
				"tensor '%.150s' is not in shard '%.100s'",
				e[i].tensor, e[0].shard);
		else
			snprintf(what, sizeof what, "shard '%.100s' has a "
				"tensor '%.150s' that the index does not put "
				"there", e[0].shard, t[i].name);
		return refuse_index(o, index, what);
	}
	return EXIT_OK;
}

/* Opens every shard.  A tensor has one entry in the index, so it is in exactly
 * one shard when index and shards agree. */
static int
add_shards(Opening *o, const char *path, const IndexEntry *e, size_t n)
{
	int shards = 0, code = EXIT_OK;
	for (size_t i = 0, end; i < n && !code; i = end) {
		for (end = i + 1; end < n; end++)
			if (strcmp(e[i].shard, e[end].shard))
				break;
		if (++shards > TENSORS_SHARDS_MAX)
			return refuse_index(o, path, "more than 512 shards");
		size_t first = o->tensors.n;
		code = add_shard(o, path, e[i].shard);
		size_t have = o->tensors.n - first;
		if (!code)
			code = compare_shard(o, path, e + i, end - i,
				have ? o->tensors.at + first : NULL, have);
	}
	return code;
}

static int
parse_index(Opening *o, Arena *temp, const char *path)
{
	char what[TENSORS_ERROR];
	size_t size;
	JsonError error;
	const char *text = arena_read_file(temp, path, TENSORS_HEADER_MAX,
		&size);
	if (!text) {
		snprintf(o->err, TENSORS_ERROR, "cannot read '%.300s': %s",
			path, strerror(errno));
		return EXIT_IO;
	}
	if (download_mistake(text, size, "JSON", what, sizeof what))
		return refuse_index(o, path, what);
	size_t mark = byte_order_mark(text, size);
	const Json *j = json_parse(temp, text + mark, size - mark, 4, &error);
	if (!j) {
		snprintf(what, sizeof what, "%d:%d: %s", error.line,
			error.column, error.text);
		return refuse_index(o, path, what);
	}
	const Json *map = json_get(j, "weight_map");
	if (!map || map->kind != JSON_MAP || !map->n)
		return refuse_index(o, path, "`weight_map` is no map of "
			"tensors to shards");
	IndexEntry *e = arena_array(temp, map->n, sizeof *e);
	for (size_t i = 0; i < map->n; i++) {
		const Json *shard = &map->item[i];
		if (shard->kind != JSON_STRING
			|| !shard_name_ok(shard->text, shard->length)) {
			snprintf(what, sizeof what, "tensor '%.200s': its shard "
				"is no plain file name", map->key[i]);
			return refuse_index(o, path, what);
		}
		e[i] = (IndexEntry){map->key[i], shard->text};
	}
	qsort(e, map->n, sizeof *e, compare_entries);
	return add_shards(o, path, e, map->n);
}

static int
add_index(Opening *o, const char *path)
{
	Arena temp = {0};
	int code = parse_index(o, &temp, path);
	arena_free(&temp);
	return code;
}

/* ---- a folder ---- */

/* What a folder without the usual names holds instead, the most telling first. */
static const struct { const char *suffix, *what; } instead[] = {
	{".non_ema.safetensors", "the weights before averaging, which are for "
		"training: download diffusion_pytorch_model.safetensors"},
	{".safetensors", "a file of another name: give the file itself instead of "
		"its folder"},
	{".bin", "a PyTorch pickle, which can run any code when it is read: "
		"convert it (diffusers: save_pretrained)"},
	{".ckpt", "a PyTorch pickle, which can run any code when it is read: "
		"convert it (diffusers: from_single_file, save_pretrained)"},
	{".pt", "a PyTorch pickle, which can run any code when it is read: "
		"convert it to safetensors"},
	{".pth", "a PyTorch pickle, which can run any code when it is read: "
		"convert it to safetensors"},
	{".msgpack", "weights for Flax: download those for PyTorch"},
	{".onnx", "an ONNX model: download the weights for PyTorch"},
	{".gguf", "a GGUF file: download the weights as safetensors"},
};

static bool
ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);
	return n >= m && !strcmp(s + n - m, end);
}

/* The file of the folder that explains best why it holds no weights; the index of
 * its row of `instead`, or -1. */
static int
telling_file(Arena *a, const char *folder, const char **name)
{
	int best = -1;
	DIR *d = opendir(folder);
	for (struct dirent *f; d && (f = readdir(d));)
		for (size_t i = 0; i < COUNT_OF(instead); i++) {
			if (*f->d_name == '.'
				|| !ends_with(f->d_name, instead[i].suffix))
				continue;
			/* of two of a kind the one that comes first by name */
			if (best < 0 || (int)i < best || ((int)i == best
				&& strcmp(f->d_name, *name) < 0)) {
				best = (int)i;
				*name = arena_strdup(a, f->d_name);
			}
			break;
		}
	if (d)
		closedir(d);
	return best;
}

static int
refuse_folder(Opening *o, const char *folder)
{
	const char *name = "";
	int i = telling_file(o->set->arena, folder, &name);
	if (i >= 0)
		snprintf(o->err, TENSORS_ERROR, "'%.200s' holds no weights that "
			"can be read; '%.100s' is %.160s", folder, name,
			instead[i].what);
	else
		snprintf(o->err, TENSORS_ERROR, "'%.200s': the folder holds no "
			"diffusion_pytorch_model or model[.fp16].safetensors, "
			"and no index.json of one", folder);
	return EXIT_WEIGHTS;
}

static int
add_folder(Opening *o, const char *folder)
{
	static const char *const name[] = {
		"diffusion_pytorch_model.safetensors",
		"model.safetensors",
		"diffusion_pytorch_model.safetensors.index.json",
		"model.safetensors.index.json",
		"diffusion_pytorch_model.fp16.safetensors",
		"model.fp16.safetensors",
		"diffusion_pytorch_model.safetensors.index.fp16.json",
		"model.safetensors.index.fp16.json",
		"diffusion_pytorch_model.fp16.safetensors.index.json",
		"model.fp16.safetensors.index.json",
	};
	for (size_t i = 0; i < COUNT_OF(name); i++) {
		const char *path = arena_printf(o->set->arena, "%s/%s", folder,
			name[i]);
		/* what is there but cannot be opened is an error */
		struct stat st;
		if (lstat(path, &st))
			continue;
		bool index = strstr(name[i], ".index.") != NULL;
		return index ? add_index(o, path) : add_file(o, path);
	}
	return refuse_folder(o, folder);
}

/* ---- the set ---- */

/* By name; of two with one name the later one (the larger file) first. */
static int
compare_later(const void *x, const void *y)
{
	const Tensor *a = x, *b = y;
	int c = strcmp(a->name, b->name);
	return c ? c : (a->file < b->file) - (a->file > b->file);
}

/* Adds the new tensors; names that were there already give way. */
static void
join(Opening *o)
{
	TensorSet *s = o->set;
	size_t n = 0;
	for (size_t i = 0; i < o->tensors.n; i++)
		*vec_push(&s->tensors) = o->tensors.at[i];
	if (!s->tensors.n)
		return;
	Tensor *t = s->tensors.at;
	qsort(t, s->tensors.n, sizeof *t, compare_later);
	for (size_t i = 0; i < s->tensors.n; i++)
		if (!n || strcmp(t[n - 1].name, t[i].name))
			t[n++] = t[i];
	s->tensors.n = n;
}

int
tensors_open(TensorSet *s, const char *path, char *err)
{
	struct stat st;
	Opening o = {.set = s, .old_files = s->fds.n, .err = err};
	int code;
	if (stat(path, &st))
		return cannot_open(path, err);
	if (S_ISDIR(st.st_mode))
		code = add_folder(&o, path);
	else if (S_ISREG(st.st_mode) && ends_with(path, ".json"))
		code = add_index(&o, path);
	else
		code = add_file(&o, path);
	if (!code)
		join(&o);
	while (code && s->fds.n > o.old_files) {
		close(s->fds.at[--s->fds.n]);
		s->paths.n--;
	}
	vec_free(&o.tensors);
	return code;
}

void
tensors_close(TensorSet *s)
{
	for (size_t i = 0; i < s->fds.n; i++)
		close(s->fds.at[i]);
	vec_free(&s->tensors);
	vec_free(&s->fds);
	vec_free(&s->paths);
}

const Tensor *
tensors_find(const TensorSet *s, const char *name)
{
	size_t lo = 0, hi = s->tensors.n;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = strcmp(name, s->tensors.at[mid].name);
		if (!c)
			return &s->tensors.at[mid];
		if (c < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

int
tensor_read(const TensorSet *s, const Tensor *t, int64_t from, void *dst,
	int64_t bytes, char *err)
{
	if (from < 0 || bytes < 0 || from > t->bytes || bytes > t->bytes - from)
		die("tensor_read", "bytes %lld + %lld of '%s'",
			(long long)from, (long long)bytes, t->name);
	return tensors_pread(s->fds.at[t->file], s->paths.at[t->file], dst,
		bytes, t->offset + from, err);
}
