/* ffmpeg.c - MP4 and WebM through ffmpeg, a child process that reads raw video
 * from a pipe: its licence, its crashes and its dozens of libraries stay its own,
 * and no shell sees a file's name.
 */
#include "compiler/media/media.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

bool
ffmpeg_possible(void)
{
	const char *path = getenv("PATH");
	bool found = false;
	for (const char *s = path; s && !found; s = *s ? s + 1 : NULL) {
		Arena a = {0};
		size_t n = strcspn(s, ":");
		found = !access(arena_printf(&a, "%.*s/ffmpeg", n ? (int)n : 1,
			n ? s : "."), X_OK);
		arena_free(&a);
		s += n;
	}
	return found;
}

/* What ffmpeg is told of each format, behind what both have: constant quality,
 * pixels that every player knows. */
static const struct {
	const char *name;
	const char *args[8];
} formats[] = {
	[FFMPEG_MP4] = {"mp4", {"-crf", "16", "-movflags", "+faststart"}},
	[FFMPEG_WEBM] = {"webm", {"-c:v", "libvpx-vp9", "-crf", "20", "-b:v", "0",
		"-row-mt", "1"}},
};

enum {
	ARGS_MAX = 48,
	/* Linux passes no argument longer than 128 KiB */
	NOTES_MAX = 64 << 10,
};

static void
add(Arena *a, char **argv, int *n, const char *arg)
{
	if (*n == ARGS_MAX - 1)
		die("ffmpeg", "more than %d arguments", ARGS_MAX);
	argv[(*n)++] = arena_strdup(a, arg);
}

/* ffmpeg's arguments, with a NULL behind them. */
static char **
make_args(Arena *a, const char *path, const Video *v, FfmpegFormat format)
{
	const char *matrix = y4m_matrix(v);
	/* "file:" keeps a name with a colon or a dash in front a name; 4:2:0,
	   which every player knows, needs even sizes */
	const char *const head[] = {
		"ffmpeg", "-loglevel", "error", "-nostdin", "-y",
		"-f", "yuv4mpegpipe", "-i", "pipe:0",
		"-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", "-pix_fmt", "yuv420p",
		"-colorspace", matrix, "-color_primaries", matrix,
		"-color_trc", matrix,
	};
	char **argv = arena_array(a, ARGS_MAX, sizeof *argv);
	int n = 0;
	for (size_t i = 0; i < COUNT_OF(head); i++)
		add(a, argv, &n, head[i]);
	for (int i = 0; i < 8 && formats[format].args[i]; i++)
		add(a, argv, &n, formats[format].args[i]);
	if (v->n_notes) {
		add(a, argv, &n, "-metadata");
		add(a, argv, &n, arena_printf(a, "comment=%s",
			notes_text(a, v, NOTES_MAX)));
	}
	add(a, argv, &n, "-f");
	add(a, argv, &n, formats[format].name);
	add(a, argv, &n, arena_printf(a, "file:%s", path));
	return argv;
}

/* Starts ffmpeg with a pipe as its input; 0, or an errno. */
static int
start(char **argv, pid_t *pid, FILE **input)
{
	int ends[2], error = pipe2(ends, O_CLOEXEC) ? errno : 0;
	if (error)
		return error;
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t defaults;
	sigemptyset(&defaults);
	sigaddset(&defaults, SIGPIPE);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, ends[0], STDIN_FILENO);
	/* standard output is for our own data */
	posix_spawn_file_actions_adddup2(&files, STDERR_FILENO, STDOUT_FILENO);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigdefault(&attr, &defaults);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF);
	error = posix_spawnp(pid, "ffmpeg", &files, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	close(ends[0]);
	if (error)
		close(ends[1]);
	else
		*input = fdopen(ends[1], "wb");
	return error;
}

/* Feeds ffmpeg and waits for it; a child that dies early must not take us
 * along. */
static bool
feed(const Video *v, pid_t pid, FILE *input, char *err)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
	int status = 0;
	sigaction(SIGPIPE, &ignore, &before);
	bool ok = y4m_put(input, v);
	ok = !fclose(input) && ok;
	sigaction(SIGPIPE, &before, NULL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && !WEXITSTATUS(status) && ok)
		return true;
	if (WIFSIGNALED(status))
		snprintf(err, 256, "ffmpeg was ended by signal %d",
			WTERMSIG(status));
	else if (!WEXITSTATUS(status))
		snprintf(err, 256, "ffmpeg stopped before the last frame");
	else
		snprintf(err, 256, "ffmpeg failed (exit code %d)",
			WEXITSTATUS(status));
	return false;
}

static bool
wrote_something(const OutFile *o, char *err)
{
	struct stat st;
	if (!stat(out_name(o), &st) && (!S_ISREG(st.st_mode) || st.st_size))
		return true;
	snprintf(err, 256, "ffmpeg wrote nothing");
	return false;
}

bool
ffmpeg_write(const char *path, const Video *v, FfmpegFormat format, char *err)
{
	OutFile o;
	Arena a = {0};
	pid_t pid;
	FILE *input = NULL;
	if (!out_open(&o, path, err))
		return false;
	int error = start(make_args(&a, out_name(&o), v, format), &pid, &input);
	arena_free(&a);
	if (error)
		snprintf(err, 256, "cannot start ffmpeg: %s", strerror(error));
	else if (!input)
		fatal(EXIT_MEMORY, "out of memory");
	else if (feed(v, pid, input, err) && wrote_something(&o, err))
		return out_commit(&o, err);
	out_abandon(&o);
	return false;
}
