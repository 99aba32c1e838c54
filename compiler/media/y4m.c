/* y4m.c - raw video, alone and through ffmpeg.
 *
 * ffmpeg is a child process that reads a pipe: its licence, its crashes and its
 * dozens of libraries stay its own, and no shell sees a file's name.
 */
#include "compiler/media/media.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Weights of red and blue in luma.  Players take an untagged video for BT.709
 * when it is large, else for BT.601. */
typedef struct Matrix {
	double kr, kb;
	const char *name;       /* ffmpeg's */
} Matrix;

static Matrix
matrix_of(const Video *v)
{
	bool large = v->width >= 1280 || v->height > 576;
	return large ? (Matrix){0.2126, 0.0722, "bt709"}
		: (Matrix){0.299, 0.114, "smpte170m"};
}

/* One frame's three planes, studio range: Y 16..235, Cb and Cr 16..240. */
static void
to_planes(const Video *v, const uint8_t *rgb, uint8_t *planes)
{
	Matrix m = matrix_of(v);
	int64_t n = v->width * v->height;
	for (int64_t i = 0; i < n; i++) {
		double r = rgb[3 * i] / 255.0, g = rgb[3 * i + 1] / 255.0;
		double b = rgb[3 * i + 2] / 255.0;
		double y = m.kr * r + (1 - m.kr - m.kb) * g + m.kb * b;
		double cb = (b - y) / (2 * (1 - m.kb));
		double cr = (r - y) / (2 * (1 - m.kr));
		planes[i] = (uint8_t)lrint(16 + 219 * y);
		planes[n + i] = (uint8_t)lrint(128 + 224 * cb);
		planes[2 * n + i] = (uint8_t)lrint(128 + 224 * cr);
	}
}

/* Writes the whole stream; false with errno set when a write failed. */
static bool
put_stream(FILE *f, const Video *v)
{
	Arena a = {0};
	size_t bytes = (size_t)(3 * v->width * v->height);
	uint8_t *planes = arena_alloc(&a, bytes);
	bool ok = fprintf(f, "YUV4MPEG2 W%lld H%lld F%lld:1000 Ip A1:1 C444 "
		"XCOLORRANGE=LIMITED\n", (long long)v->width,
		(long long)v->height, llrint(v->fps * 1000)) > 0;
	for (int64_t i = 0; i < v->frames && ok; i++) {
		to_planes(v, v->rgb + (size_t)i * bytes, planes);
		ok = fputs("FRAME\n", f) >= 0
			&& fwrite(planes, 1, bytes, f) == bytes;
	}
	ok = ok && !fflush(f);
	arena_free(&a);
	return ok;
}

bool
y4m_write(const char *path, const Video *v, char *err)
{
	OutFile o;
	if (!out_open(&o, path, err))
		return false;
	put_stream(o.f, v);     /* out_commit sees a failed write */
	return out_commit(&o, err);
}

/* ---- ffmpeg ---- */

bool
mp4_possible(void)
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

/* Starts ffmpeg with a pipe as its input; 0, or an errno. */
static int
start(const char *path, const Video *v, pid_t *pid, FILE **input)
{
	Arena a = {0};
	const char *matrix = matrix_of(v).name;
	/* "file:" keeps a name with a colon or a dash in front a name; 4:2:0,
	   which every player knows, needs even sizes */
	const char *const args[] = {
		"ffmpeg", "-loglevel", "error", "-nostdin", "-y",
		"-f", "yuv4mpegpipe", "-i", "pipe:0",
		"-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", "-pix_fmt", "yuv420p",
		"-crf", "16", "-colorspace", matrix, "-color_primaries", matrix,
		"-color_trc", matrix, "-movflags", "+faststart", "-f", "mp4",
		arena_printf(&a, "file:%s", path), NULL
	};
	char *argv[COUNT_OF(args)] = {NULL};
	for (size_t i = 0; i + 1 < COUNT_OF(args); i++)
		argv[i] = arena_strdup(&a, args[i]);

	int ends[2], error = pipe2(ends, O_CLOEXEC) ? errno : 0;
	if (error) {
		arena_free(&a);
		return error;
	}
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
	arena_free(&a);
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
	bool ok = put_stream(input, v);
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
mp4_write(const char *path, const Video *v, char *err)
{
	OutFile o;
	pid_t pid;
	FILE *input = NULL;
	if (!out_open(&o, path, err))
		return false;
	int error = start(out_name(&o), v, &pid, &input);
	if (error)
		snprintf(err, 256, "cannot start ffmpeg: %s", strerror(error));
	else if (!input)
		fatal(EXIT_MEMORY, "out of memory");
	else if (feed(v, pid, input, err) && wrote_something(&o, err))
		return out_commit(&o, err);
	out_abandon(&o);
	return false;
}
