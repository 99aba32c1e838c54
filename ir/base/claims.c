/* claims.c - an output is never an input; see base.h.
 *
 * A file is known by its device and inode, so that links are seen through.  An
 * output that is not there yet is known by its folder and its name in it.
 */
#include "ir/base/base.h"

#include <string.h>
#include <sys/stat.h>

/* A file, or a name in a folder. */
typedef struct FileId {
	dev_t device;
	ino_t inode;
	const char *name;       /* in the folder `inode`; NULL: the file itself */
	const char *path;       /* as the user wrote it */
	bool frames;            /* a folder of numbered pictures */
} FileId;

typedef Vec(FileId) FileIds;

static FileIds inputs, outputs;
static Arena paths;

static bool
same_id(const FileId *a, const FileId *b)
{
	return a->device == b->device && a->inode == b->inode
		&& !a->name == !b->name
		&& (!a->name || !strcmp(a->name, b->name));
}

/* Length of a path without the slashes at its end. */
static size_t
path_length(const char *path)
{
	size_t n = strlen(path);
	while (n > 1 && path[n - 1] == '/')
		n--;
	return n;
}

/* The folder of a path as an id, and the name in it; false: there is none. */
static bool
folder_id(const char *path, FileId *id)
{
	struct stat st;
	size_t n = path_length(path), at = n;
	while (at && path[at - 1] != '/')
		at--;
	const char *folder = at ? arena_strndup(&paths, path, at) : ".";
	if (stat(folder, &st))
		return false;
	*id = (FileId){.device = st.st_dev, .inode = st.st_ino,
		.name = arena_strndup(&paths, path + at, n - at)};
	return true;
}

/* What `path` would write; false: nothing that a file could lose, or a path
 * that cannot be written, which others find out. */
static bool
output_id(const char *path, FileId *id)
{
	struct stat st;
	if (!strcmp(path, "-"))
		return false;
	if (stat(path, &st))
		return folder_id(path, id);
	*id = (FileId){.device = st.st_dev, .inode = st.st_ino};
	return S_ISREG(st.st_mode) || S_ISDIR(st.st_mode);
}

/* 0007.png */
static bool
is_frame(const char *name)
{
	size_t digits = strspn(name, "0123456789");
	return digits >= 4 && !strcmp(name + digits, ".png");
}

/* Whether the output would write over the input. */
static bool
overwrites(const FileId *out, const FileId *in)
{
	FileId folder;
	if (!out->frames)
		return same_id(out, in);
	return !out->name && folder_id(in->path, &folder)
		&& folder.device == out->device && folder.inode == out->inode
		&& is_frame(folder.name);
}

_Noreturn static void
refuse(const FileId *out, const FileId *in)
{
	if (!strcmp(out->path, in->path))
		fatal(EXIT_USAGE, "'%s' is an input and would be overwritten: "
			"name another output", out->path);
	fatal(EXIT_USAGE, "writing '%s' would overwrite '%s', an input: name "
		"another output", out->path, in->path);
}

void
input_opened(const char *path, int fd)
{
	struct stat st;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		return;
	FileId in = {.device = st.st_dev, .inode = st.st_ino,
		.path = arena_strdup(&paths, path)};
	for (size_t i = 0; i < outputs.n; i++)
		if (overwrites(&outputs.at[i], &in))
			refuse(&outputs.at[i], &in);
	*vec_push(&inputs) = in;
}

static void
claim(const char *path, bool frames)
{
	FileId out;
	if (!output_id(path, &out))
		return;
	out.path = arena_strdup(&paths, path);
	out.frames = frames;
	for (size_t i = 0; i < inputs.n; i++)
		if (overwrites(&out, &inputs.at[i]))
			refuse(&out, &inputs.at[i]);
	for (size_t i = 0; i < outputs.n; i++)
		if (same_id(&out, &outputs.at[i]))
			fatal(EXIT_USAGE, "'%s' and '%s' are one output: give "
				"each a name of its own", outputs.at[i].path,
				path);
	*vec_push(&outputs) = out;
}

void
output_claim(const char *path)
{
	claim(path, false);
}

void
output_resumes(const char *path)
{
	FileId out;
	if (!output_id(path, &out))
		return;
	for (size_t i = 0; i < outputs.n; i++)
		if (same_id(&out, &outputs.at[i]))
			outputs.at[i--] = outputs.at[--outputs.n];
}

void
output_claim_frames(const char *folder)
{
	claim(folder, true);
}
