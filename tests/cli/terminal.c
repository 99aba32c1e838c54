/* terminal.c - the progress line, seen through a terminal of its own. */
#include "compiler/cli/running.h"
#include "tests/lib/test.h"

#include <pty.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TEXT = 4096 };

/* What a child on a new terminal (or with standard error elsewhere) prints of a
 * run that is at `p`. */
static void
show(const char *progress, bool quiet, bool terminal, const VmProgress *p,
	char text[TEXT])
{
	int master, status;
	size_t n = 0;
	fflush(stdout);
	pid_t pid = forkpty(&master, NULL, NULL, NULL);
	if (pid < 0)
		fatal(EXIT_IO, "no terminal");
	if (!pid) {
		Running r;
		if (!terminal && !freopen("/dev/null", "w", stderr))
			_exit(1);
		running_options(&r, progress, quiet);
		if (!running_progress(&r, p))
			_exit(1);
		fputs(".", stdout);
		fflush(stdout);
		_exit(0);
	}
	for (;;) {
		ssize_t got = read(master, text + n, TEXT - 1 - n);
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	text[n] = 0;
	waitpid(pid, &status, 0);
	close(master);
}

/* A bare chroot has no /dev/pts. */
static bool
has_terminals(void)
{
	int master, slave;
	if (openpty(&master, &slave, NULL, NULL, NULL))
		return false;
	close(master);
	close(slave);
	return true;
}

int
main(void)
{
	char text[TEXT];
	if (!has_terminals()) {
		puts("# skipped: this machine has no pseudo-terminals");
		test("terminal: skipped");
		return test_end();
	}
	VmProgress p = {.insn = 50, .insns = 200, .step = 2, .steps = 10,
		.seconds = 30, .fraction = 0.25, .phase = "loop"};
	test("a bar with the step and the time that is left");
	show(NULL, false, true, &p, text);
	CHECK(!strcmp(text, "\r\033[K[#####               ]  25 %  loop  "
		"step 3 of 10  1:30 left."), "%s", text);
	test("too early to say how long");
	p.seconds = 0.1;
	show(NULL, false, true, &p, text);
	CHECK(strstr(text, "25 %") && !strstr(text, "left"), "%s", text);
	test("a name from a file does not drive the terminal");
	p.phase = "a\033]0;b\nc";
	show(NULL, false, true, &p, text);
	CHECK(strstr(text, "a?]0;b?c"), "%s", text);
	test("no bar with --quiet, --progress=none, or without a terminal");
	show(NULL, true, true, &p, text);
	CHECK(!strcmp(text, "."), "%s", text);
	show("none", false, true, &p, text);
	CHECK(!strcmp(text, "."), "%s", text);
	show(NULL, false, false, &p, text);
	CHECK(!strcmp(text, "."), "%s", text);
	test("--progress=json is one object a line, quiet or not");
	p.phase = "loop";
	p.seconds = 30;
	show("json", true, true, &p, text);
	CHECK(!strcmp(text, "{\"phase\": \"loop\", \"step\": 2, \"steps\": 10, "
		"\"instruction\": 50, \"instructions\": 200, \"fraction\": "
		"0.2500, \"seconds\": 30.000, \"eta_seconds\": 90.0}\r\n."),
		"%s", text);
	return test_end();
}
