/* output.c - files that appear whole or not at all, when syncing or renaming
 * fails, and when the process ends in between.
 */
#include "compiler/media/media.h"
#include "tests/lib/test.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/sluice-output-XXXXXX";
static int syncs_left = -1, renames_left = -1;

/* They stand in front of the C library's; the n-th call fails. */
int
fsync(int fd)
{
	if (!syncs_left--) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fsync, fd);
}

int
rename(const char *from, const char *to)
{
	if (!renames_left--) {
		errno = ENOSPC;
		return -1;
	}
	return (int)syscall(SYS_renameat, -100, from, -100, to);
}

/* Names in the folder, but "kept"; their number. */
static int
others(void)
{
	int n = 0;
	DIR *d = opendir(folder);
	for (struct dirent *e; d && (e = readdir(d)); )
		n += e->d_name[0] != '.' && strcmp(e->d_name, "kept");
	if (d)
		closedir(d);
	return n;
}

static const char *
in_folder(const char *name)
{
	static char path[256];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

static bool
holds(const char *path, const char *text)
{
	char got[64] = "";
	FILE *f = fopen(path, "r");
	if (f && !fgets(got, sizeof got, f))
		*got = 0;
	if (f)
		fclose(f);
	return !strcmp(got, text);
}

static bool
write_text(const char *path, const char *text, char *err)
{
	OutFile o;
	if (!out_open(&o, path, err))
		return false;
	fputs(text, o.f);
	return out_commit(&o, err);
}

static void
faults(void)
{
	char err[256];
	const char *path = in_folder("kept");
	test("a file appears when it is whole");
	CHECK(write_text(path, "old", err), "%s", err);
	CHECK(holds(path, "old") && !others());
	test("its mode is what the user's mask leaves");
	struct stat st;
	mode_t mask = umask(0);
	umask(mask);
	CHECK(!stat(path, &st) && (st.st_mode & 0777) == (0666 & ~mask));
	test("when syncing fails the older file stays");
	syncs_left = 0;
	CHECK(!write_text(path, "new", err) && strstr(err, "Input/output"), "%s",
		err);
	CHECK(holds(path, "old") && !others());
	test("when renaming fails too");
	renames_left = 0;
	CHECK(!write_text(path, "new", err) && strstr(err, "No space"), "%s",
		err);
	CHECK(holds(path, "old") && !others());
	test("a file that is given up leaves nothing");
	OutFile o;
	CHECK(out_open(&o, path, err));
	CHECK(others() == 1);
	out_abandon(&o);
	CHECK(holds(path, "old") && !others());
}

static void
frames(void)
{
	static uint8_t rgb[3 * 4 * 4 * 3];
	Video v = {.rgb = rgb, .frames = 3, .height = 4, .width = 4, .fps = 8};
	char err[256], path[300];
	snprintf(path, sizeof path, "%s/frames/", folder);
	test("of frames of which one fails there is none, nor their folder");
	syncs_left = 2;
	CHECK(!png_write(path, &v, err) && strstr(err, "0002.png"), "%s", err);
	CHECK(!others());
	test("a folder that was there stays");
	syncs_left = -1;
	CHECK(!mkdir(path, 0777));
	renames_left = 0;
	CHECK(!png_write(path, &v, err) && strstr(err, "0000.png"), "%s", err);
	CHECK(others() == 1 && !rmdir(path));
}

/* A child that opens a file and then ends as `how` says. */
static int
end_while_writing(int how)
{
	int ends[2], status = 0;
	char ready;
	if (pipe(ends))
		return -1;
	fflush(stdout);
	pid_t pid = fork();
	if (!pid) {
		OutFile o, f;
		char err[256];
		interrupts_begin();
		if (!freopen("/dev/null", "w", stderr)
			|| !out_folder(&f, in_folder("new"), err)
			|| !out_open(&o, in_folder("new/a"), err)
			|| write(ends[1], "x", 1) != 1)
			_exit(1);
		if (!how)
			fatal(EXIT_MEMORY, "out of memory");
		for (;;)
			pause();
	}
	if (read(ends[0], &ready, 1) == 1 && how)
		kill(pid, how);
	close(ends[0]);
	close(ends[1]);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void
endings(void)
{
	test("a program that gives up leaves nothing");
	CHECK(end_while_writing(0) == EXIT_MEMORY);
	CHECK(!others());
	test("nor does one that is interrupted");
	CHECK(end_while_writing(SIGINT) == EXIT_INTERRUPTED);
	CHECK(!others());
	CHECK(end_while_writing(SIGTERM) == EXIT_INTERRUPTED);
	CHECK(!others());
}

int
main(void)
{
	if (!mkdtemp(folder))
		fatal(EXIT_IO, "cannot make %s", folder);
	faults();
	frames();
	endings();
	test("no temporary files stay");
	CHECK(!unlink(in_folder("kept")) && !rmdir(folder));
	return test_end();
}
