/* options.h - the command line: every command and option is a row of
 * options.def.
 */
#ifndef SLUICE_OPTIONS_H
#define SLUICE_OPTIONS_H

#include "ir/base/base.h"

typedef struct ArgValue {
	const char *name, *value;       /* value "": a flag that was given */
} ArgValue;

/* What stood on the command line; strings belong to argv. */
typedef struct Args {
	const char *command;
	Vec(const char *) operands;
	Vec(ArgValue) values;
} Args;

/* Parses argv (argv[0] is the command) against the table.  Long options may be
 * written --name value or --name=value; -o -D are --output and --define.  On
 * --help prints the command's options and exits; on errors prints them with the
 * nearest name and exits with EXIT_USAGE.  `least` .. `most` operands. */
void args_parse(Args *a, int argc, char **argv, size_t least, size_t most);
/* The option's last value, or NULL when it was not given. */
const char *arg(const Args *a, const char *name);
bool arg_flag(const Args *a, const char *name);
/* Ends the program when more than one of these goes to standard output: the
 * options `first` and `second` (NULL: none) with the value "-", and --json. */
void args_stdout(const Args *a, const char *first, const char *second);
/* Ends the program when more than one of the n options is given. */
void args_exclude(const Args *a, const char *const *names, size_t n);
/* The option as an integer in lo .. hi, `otherwise` when not given. */
int64_t arg_integer(const Args *a, const char *name, int64_t otherwise,
	int64_t lo, int64_t hi);
double arg_seconds(const Args *a, const char *name, double otherwise);
/* All values of an option that may be repeated; returns their number, the
 * list is in the arena. */
size_t arg_list(const Args *a, const char *name, Arena *arena,
	const char *const **list);
/* The list of commands, for `sluice --help`. */
void args_help(FILE *out);

#endif
