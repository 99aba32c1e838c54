/* main.c - finds the command; nothing else. */
#include "compiler/compiler.h"
#include "compiler/cli/options.h"
#include "compiler/cli/cli.h"

#include <signal.h>
#include <string.h>

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
#define COMMAND(name, operands, doc) {#name, cmd_##name},
#define OPTION(commands, name, value, doc)
#include "compiler/cli/options.def"
};

int
main(int argc, char **argv)
{
	if (argc < 2 || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		args_help(argc < 2 ? stderr : stdout);
		return argc < 2 ? EXIT_USAGE : EXIT_OK;
	}
	if (!strcmp(argv[1], "--version")) {
		puts("sluice " SLUICE_VERSION);
		out_stdout_done();
		return EXIT_OK;
	}
	/* a limit on file sizes is an error like a full disk, not a death */
	signal(SIGXFSZ, SIG_IGN);
	interrupts_begin();
	const char *names[COUNT_OF(commands)];
	for (size_t i = 0; i < COUNT_OF(commands); i++) {
		names[i] = commands[i].name;
		if (!strcmp(argv[1], names[i]))
			return commands[i].run(argc - 1, argv + 1);
	}
	const char *near = nearest_name(argv[1], names, COUNT_OF(names));
	fatal(EXIT_USAGE, "no command '%s'%s%s%s (see sluice --help)", argv[1],
		near ? "; did you mean '" : "", near ? near : "",
		near ? "'?" : "");
}
