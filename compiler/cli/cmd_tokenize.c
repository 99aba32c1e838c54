/* cmd_tokenize.c - `sluice tokenize`: lines of text to token ids, one JSON
 * object a line: all of them, and cut or padded to a length.
 */
#include "compiler/compiler.h"
#include "compiler/cli/options.h"
#include "compiler/text/tokenizer.h"
#include "compiler/cli/cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { LENGTH_MAX = 1 << 20 };

static void
print_ids(const int32_t *ids, size_t n)
{
	for (size_t i = 0; i < n; i++)
		printf("%s%d", i ? ", " : "[", ids[i]);
	printf("]");
}

/* The text of a line: itself, or with --quoted the string that it holds. */
static const char *
line_text(Arena *a, const char *line, size_t *size, bool quoted, int64_t number)
{
	JsonError e;
	if (!quoted)
		return arena_strndup(a, line, *size);
	const Json *j = json_parse(a, line, *size, 4, &e);
	if (!j)
		fatal(EXIT_WEIGHTS, "line %lld, column %d: %s", (long long)number,
			e.column, e.text);
	if (j->kind != JSON_STRING)
		fatal(EXIT_WEIGHTS, "line %lld is no JSON string",
			(long long)number);
	*size = j->length;
	return j->text;
}

int
cmd_tokenize(int argc, char **argv)
{
	Args args;
	Arena a = {0};
	int code = EXIT_OK;
	char err[512], *line = NULL;
	size_t cap = 0;
	ssize_t got;
	args_parse(&args, argc, argv, 1, 1);
	size_t length = (size_t)arg_integer(&args, "length", 77, 2, LENGTH_MAX);
	const Tokenizer *t = tokenizer_open(&a, args.operands.at[0], &code, err);
	if (!t)
		fatal(code, "%s", err);
	int32_t *fitted = arena_array(&a, length, sizeof *fitted);

	errno = 0;
	for (int64_t n = 1; (got = getline(&line, &cap, stdin)) >= 0; n++) {
		Arena scratch = {0};
		size_t size = (size_t)got, count;
		if (size && line[size - 1] == '\n')
			size--;
		const char *text = line_text(&scratch, line, &size,
			arg_flag(&args, "quoted"), n);
		const int32_t *ids = tokenizer_encode(t, &scratch, text, size,
			&count);
		if (!ids)
			fatal(EXIT_WEIGHTS, "line %lld is not valid UTF-8",
				(long long)n);
		bool cut = tokenizer_fit(t, ids, count, fitted, length);
		putchar('{');
		if (arg_flag(&args, "json")) {
			fputs("\"text\": ", stdout);
			print_json_string(stdout, text);
			printf(", \"cut\": %s, ", cut ? "true" : "false");
		}
		printf("\"ids\": ");
		print_ids(ids, count);
		printf(", \"ids%zu\": ", length);
		print_ids(fitted, length);
		printf("}\n");
		arena_free(&scratch);
	}
	if (ferror(stdin))
		fatal(EXIT_IO, "cannot read standard input: %s", strerror(errno));
	out_stdout_done();
	free(line);
	arena_free(&a);
	vec_free(&args.operands);
	vec_free(&args.values);
	return EXIT_OK;
}
