/* out.c - files that appear whole or not at all, also when the process is
 * interrupted or gives up in between; see base.h.
 */
#include "ir/base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- what must not stay behind ---- */

/* A list, so that a signal handler finds it whole at any time: a node is linked
 * when it is complete and unlinked before it is freed. */
typedef struct OutTemp {
	struct OutTemp *volatile next;
	bool folder;
	char path[];
} OutTemp;

static OutTemp *volatile temps;

static OutTemp *
temp_new(const char *path, const char *suffix, bool folder)
{
	size_t n = strlen(path), m = strlen(suffix);
	OutTemp *t = malloc(sizeof *t + n + m + 1);
	if (!t)
		fatal(EXIT_MEMORY, "out of memory");
	t->folder = folder;
	memcpy(t->path, path, n);
	memcpy(t->path + n, suffix, m + 1);
	return t;
}

static void
temp_add(OutTemp *t)
{
	t->next = temps;
	temps = t;
}

static void
temp_forget(OutTemp *t)
{
	OutTemp *volatile *at = &temps;
	while (*at && *at != t)
		at = &(*at)->next;
	if (*at)
		*at = t->next;
	free(t);
}

/* Newest first, so that a folder is empty when its turn comes.  Calls only what
 * a signal handler may. */
static void
temps_discard(void)
{
	for (OutTemp *t = temps; t; t = t->next) {
		if (t->folder)
			rmdir(t->path);
		else
			unlink(t->path);
	}
}

static void
discard_at_exit(void)
{
	static bool done;
	if (!done && !atexit(temps_discard))
		done = true;
}

/* ---- files ---- */

static bool
out_fail(OutFile *o, char *err)
{
	if (errno == ENOMEM)
		fatal(EXIT_MEMORY, "out of memory");
	snprintf(err, 256, "cannot write '%.120s': %s", o->path,
		strerror(errno ? errno : EIO));
	out_abandon(o);
	return false;
}

static bool
out_begin(OutFile *o, const char *path)
{
	*o = (OutFile){.path = strdup(path)};
	if (!o->path)
		fatal(EXIT_MEMORY, "out of memory");
	discard_at_exit();
	return true;
}

/* A new file beside the path. */
static FILE *
open_temp(OutFile *o)
{
	OutTemp *t = temp_new(o->path, ".XXXXXX", false);
	int fd = mkostemp(t->path, O_CLOEXEC);
	if (fd < 0) {
		free(t);
		return NULL;
	}
	o->temp = t;
	temp_add(t);
	mode_t mask = umask(0);
	umask(mask);
	fchmod(fd, 0666 & ~mask);
	return fdopen(fd, "wb");
}

bool
out_open(OutFile *o, const char *path, char *err)
{
	struct stat st;
	out_begin(o, path);
	if (!strcmp(path, "-"))
		o->f = fdopen(dup(STDOUT_FILENO), "wb");
	else if (!stat(path, &st) && !S_ISREG(st.st_mode))
		o->f = fopen(path, "wbe");
	else
		o->f = open_temp(o);
	return o->f ? true : out_fail(o, err);
}

bool
out_folder(OutFile *o, const char *path, char *err)
{
	out_begin(o, path);
	OutTemp *t = temp_new(path, "", true);
	if (!mkdir(path, 0777)) {
		o->temp = t;
		temp_add(t);
		return true;
	}
	free(t);
	return errno == EEXIST ? true : out_fail(o, err);
}

const char *
out_name(const OutFile *o)
{
	return o->temp ? o->temp->path : o->path;
}

bool
out_finish(OutFile *o, char *err)
{
	if (!o->f)
		return true;
	bool failed = ferror(o->f) || fflush(o->f);
	if (!failed && o->temp)
		failed = fsync(fileno(o->f)) != 0;
	if (failed)
		return out_fail(o, err);
	FILE *f = o->f;
	o->f = NULL;
	return fclose(f) ? out_fail(o, err) : true;
}

/* After a rename the folder's entry must reach the disk as well. */
static void
sync_folder(char *path)
{
	char *slash = strrchr(path, '/');
	if (slash)
		*slash = 0;
	int fd = open(slash ? (*path ? path : "/") : ".",
		O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		fsync(fd);
		close(fd);
	}
}

bool
out_commit(OutFile *o, char *err)
{
	if (!out_finish(o, err))
		return false;
	if (o->temp && !o->temp->folder) {
		if (rename(o->temp->path, o->path))
			return out_fail(o, err);
		sync_folder(o->path);
	}
	if (o->temp)
		temp_forget(o->temp);
	free(o->path);
	*o = (OutFile){0};
	return true;
}

void
out_abandon(OutFile *o)
{
	int saved = errno;
	if (o->f)
		fclose(o->f);
	if (o->temp) {
		if (o->temp->folder)
			rmdir(o->temp->path);
		else
			unlink(o->temp->path);
		temp_forget(o->temp);
	}
	free(o->path);
	*o = (OutFile){0};
	errno = saved;
}

bool
output_writable(const char *path, char *err)
{
	struct stat st;
	OutFile probe;
	bool exists = strcmp(path, "-") && !stat(path, &st);
	if (!strcmp(path, "-"))
		return true;
	if (exists && (S_ISDIR(st.st_mode) || access(path, W_OK))) {
		snprintf(err, 256, "cannot write '%.120s': %s", path,
			strerror(S_ISDIR(st.st_mode) ? EISDIR : errno));
		return false;
	}
	/* opening a pipe or a device could have effects */
	if (exists && !S_ISREG(st.st_mode))
		return true;
	if (!out_open(&probe, path, err))
		return false;
	out_abandon(&probe);
	return true;
}

void
out_stdout_done(void)
{
	errno = 0;
	bool failed = fflush(stdout) != 0;
	if (failed || ferror(stdout))
		fatal(EXIT_IO, "cannot write to standard output: %s",
			strerror(errno ? errno : EIO));
}

/* ---- ^C ---- */

static volatile sig_atomic_t deferred, pending;

static void
on_signal(int number)
{
	static const char text[] = "sluice: interrupted\n";
	(void)number;
	if (deferred && !pending) {
		pending = 1;
		return;
	}
	temps_discard();
	if (write(STDERR_FILENO, text, sizeof text - 1) < 0)
		_exit(EXIT_INTERRUPTED);
	_exit(EXIT_INTERRUPTED);
}

void
interrupts_begin(void)
{
	struct sigaction action = {.sa_handler = on_signal}, before;
	action.sa_flags = SA_RESTART;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	/* under nohup it stays ignored */
	if (!sigaction(SIGHUP, NULL, &before) && before.sa_handler != SIG_IGN)
		sigaction(SIGHUP, &action, NULL);
}

void
interrupts_defer(bool defer)
{
	deferred = defer;
}

bool
interrupted(void)
{
	return pending != 0;
}
