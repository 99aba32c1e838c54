/* options.c - see options.h. */
#include "compiler/cli/options.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct Command { const char *name, *operands, *doc; } Command;
typedef struct OptionRow { const char *commands, *name, *value, *doc; } OptionRow;

static const Command commands[] = {
#define COMMAND(name, operands, doc) {#name, operands, doc},
#define OPTION(commands, name, value, doc)
#include "compiler/cli/options.def"
};

static const OptionRow options[] = {
#define COMMAND(name, operands, doc)
#define OPTION(commands, name, value, doc) {commands, name, value, doc},
#include "compiler/cli/options.def"
};

/* Whether the space-separated `list` holds `word`. */
static bool
has_word(const char *list, const char *word)
{
	size_t n = strlen(word);
	for (const char *s = list; (s = strstr(s, word)); s += n)
		if ((s == list || s[-1] == ' ') && (!s[n] || s[n] == ' '))
			return true;
	return false;
}

static const OptionRow *
find_option(const char *command, const char *name, size_t n)
{
	for (size_t i = 0; i < COUNT_OF(options); i++)
		if (strlen(options[i].name) == n
			&& !strncmp(options[i].name, name, n)
			&& has_word(options[i].commands, command))
			return &options[i];
	return NULL;
}

static const char *
short_name(const char *name)
{
	return !strcmp(name, "output") ? "-o" : !strcmp(name, "define") ? "-D"
		: !strcmp(name, "dump") ? "-d" : NULL;
}

static const char *
long_name(char c)
{
	return c == 'o' ? "output" : c == 'D' ? "define" : c == 'd' ? "dump"
		: NULL;
}

static void
command_help(const char *command)
{
	for (size_t i = 0; i < COUNT_OF(commands); i++)
		if (!strcmp(commands[i].name, command))
			printf("usage: sluice %s [options] %s\n%s\n\n", command,
				commands[i].operands, commands[i].doc);
	for (size_t i = 0; i < COUNT_OF(options); i++) {
		const OptionRow *o = &options[i];
		if (!has_word(o->commands, command))
			continue;
		char left[64];
		const char *s = short_name(o->name);
		snprintf(left, sizeof left, "%s%s--%s%s%s", s ? s : "",
			s ? ", " : "", o->name, *o->value ? " " : "", o->value);
		printf("  %-32s %s\n", left, o->doc);
	}
}

void
args_help(FILE *out)
{
	fputs("Sluice compiles video diffusion models to plans whose memory is "
		"known to the byte.\n\nusage: sluice COMMAND ...\n\n", out);
	for (size_t i = 0; i < COUNT_OF(commands); i++)
		fprintf(out, "  %-10s %-12s %s\n", commands[i].name,
			commands[i].operands, commands[i].doc);
	fputs("\n`sluice COMMAND --help` lists a command's options.\n"
		"Exit codes: 0 ok, 1 internal, 2 usage, 3 source error, "
		"4 plan rejected,\n  5 weights or inputs rejected, "
		"6 budget impossible, 7 out of memory, 8 I/O,\n"
		"  9 numerics, 10 device, 130 interrupted\n", out);
}

_Noreturn static void
unknown_option(const Args *a, const char *name, size_t n)
{
	const char *names[COUNT_OF(options)];
	size_t count = 0;
	for (size_t i = 0; i < COUNT_OF(options); i++)
		if (has_word(options[i].commands, a->command))
			names[count++] = options[i].name;
	char text[128];
	snprintf(text, sizeof text, "%.*s", (int)n, name);
	const char *near = nearest_name(text, names, count);
	fatal(EXIT_USAGE, "%s has no option --%s%s%s%s (see sluice %s --help)",
		a->command, text, near ? "; did you mean --" : "",
		near ? near : "", near ? "?" : "", a->command);
}

/* Adds one option; `value` is what followed '=' or NULL.  Returns how many
 * further arguments it took. */
static int
add_option(Args *a, const char *name, size_t n, const char *value,
	const char *next)
{
	const OptionRow *o = find_option(a->command, name, n);
	if (!o)
		unknown_option(a, name, n);
	bool flag = !*o->value;
	if (flag && value)
		fatal(EXIT_USAGE, "--%s takes no value", o->name);
	if (!flag && !value && !next)
		fatal(EXIT_USAGE, "--%s needs a value: %s", o->name, o->value);
	const char *v = flag ? "" : value ? value : next;
	*vec_push(&a->values) = (ArgValue){o->name, v};
	return !flag && !value;
}

/* An output is not read, and is one file only. */
static void
claim_outputs(const Args *a)
{
	static const char *const names[] = {"output", "out", "trace"};
	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (arg(a, names[i]))
			output_claim(arg(a, names[i]));
}

void
args_parse(Args *a, int argc, char **argv, size_t least, size_t most)
{
	bool rest = false;
	*a = (Args){.command = argv[0]};
	for (int i = 1; i < argc; i++) {
		const char *s = argv[i], *next = i + 1 < argc ? argv[i + 1] : NULL;
		if (rest || s[0] != '-' || !s[1]) {
			*vec_push(&a->operands) = s;
		} else if (!strcmp(s, "--")) {
			rest = true;
		} else if (!strcmp(s, "--help") || !strcmp(s, "-h")) {
			command_help(a->command);
			exit(EXIT_OK);
		} else if (s[1] == '-') {
			const char *equals = strchr(s, '=');
			size_t n = equals ? (size_t)(equals - s - 2) : strlen(s) - 2;
			i += add_option(a, s + 2, n, equals ? equals + 1 : NULL, next);
		} else {
			const char *name = long_name(s[1]);
			if (!name)
				unknown_option(a, s + 1, strlen(s + 1));
			i += add_option(a, name, strlen(name),
				s[2] ? s + 2 : NULL, next);
		}
	}
	claim_outputs(a);
	if (a->operands.n < least || a->operands.n > most)
		for (size_t i = 0; i < COUNT_OF(commands); i++)
			if (!strcmp(commands[i].name, a->command))
				fatal(EXIT_USAGE, "usage: sluice %s [options] %s",
					a->command, commands[i].operands);
}

const char *
arg(const Args *a, const char *name)
{
	for (size_t i = a->values.n; i--;)
		if (!strcmp(a->values.at[i].name, name))
			return a->values.at[i].value;
	return NULL;
}

bool
arg_flag(const Args *a, const char *name)
{
	return arg(a, name) != NULL;
}

void
args_stdout(const Args *a, const char *first, const char *second)
{
	const char *name[] = {first, second}, *taken = NULL;
	if (arg_flag(a, "json"))
		taken = "json";
	for (size_t i = 0; i < COUNT_OF(name); i++) {
		const char *value = name[i] ? arg(a, name[i]) : NULL;
		if (!value || strcmp(value, "-"))
			continue;
		if (taken)
			fatal(EXIT_USAGE, "--%s - and --%s both want standard "
				"output", name[i], taken);
		taken = name[i];
	}
}

void
args_exclude(const Args *a, const char *const *names, size_t n)
{
	const char *given = NULL;
	for (size_t i = 0; i < n; i++) {
		if (!arg(a, names[i]))
			continue;
		if (given)
			fatal(EXIT_USAGE, "--%s and --%s exclude each other",
				given, names[i]);
		given = names[i];
	}
}

int64_t
arg_integer(const Args *a, const char *name, int64_t otherwise, int64_t lo,
	int64_t hi)
{
	const char *s = arg(a, name);
	if (!s)
		return otherwise;
	char *end;
	errno = 0;
	long long v = strtoll(s, &end, 10);
	if (errno || end == s || *end || v < lo || v > hi)
		fatal(EXIT_USAGE, "--%s: '%s' is not an integer in %lld .. %lld",
			name, s, (long long)lo, (long long)hi);
	return v;
}

double
arg_seconds(const Args *a, const char *name, double otherwise)
{
	const char *s = arg(a, name);
	if (!s)
		return otherwise;
	char *end;
	double v = strtod(s, &end);
	if (end == s || *end || !(v >= 0))
		fatal(EXIT_USAGE, "--%s: '%s' is not a time in seconds", name, s);
	return v;
}

size_t
arg_list(const Args *a, const char *name, Arena *arena,
	const char *const **list)
{
	const char **out = arena_array(arena, a->values.n, sizeof *out);
	size_t n = 0;
	for (size_t i = 0; i < a->values.n; i++)
		if (!strcmp(a->values.at[i].name, name))
			out[n++] = a->values.at[i].value;
	*list = out;
	return n;
}
